"""The statements that a model has run before and after it is built: ``pre_hook`` and ``post_hook``.

They are templates, so they are scanned as models are: what they refer to, the model depends on. Nothing is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from flowforge.errors import ModelConfigError, Problems
from flowforge.frozen import frozen
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import RefCall, SourceCall
from flowforge.project.table_settings import not_blank
from flowforge.values import Location

HOOKS = ("pre_hook", "post_hook")
SPELLINGS: Mapping[str, str] = {
    "pre_hook": "pre_hook",
    "pre-hook": "pre_hook",
    "post_hook": "post_hook",
    "post-hook": "post_hook",
}


@frozen(kw_only=True)
class WrittenHook:
    """A hook in its long form."""

    sql: str = attrs.field(validator=not_blank)
    transaction: bool = True


WrittenHooks = str | WrittenHook | tuple[str | WrittenHook, ...]


def read_written(value: WrittenHooks) -> tuple[WrittenHook, ...]:
    """One hook, or several, as several in their long form."""
    entries = (value,) if isinstance(value, (str, WrittenHook)) else value
    return tuple(WrittenHook(sql=entry) if isinstance(entry, str) else entry for entry in entries)


@frozen
class Hook:
    """One statement.

    Parameters
    ----------
    when:
        ``pre_hook`` or ``post_hook``.
    template:
        Its text.
    location:
        Where it is written.
    transaction:
        It is part of the transaction that publishes the model, where there is one.
    """

    when: str
    template: str
    location: Location
    transaction: bool = True
    simple: bool = False
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()

    def __str__(self) -> str:
        return self.template


Said = Mapping[str, tuple[tuple[Any, Location], ...]]
"""By key, what was said of it in all layers, each with its place."""


def read_hooks(
    said: Said, problems: Problems, library: MacroLibrary | None = None, *, computed: bool = False
) -> Mapping[str, tuple[Hook, ...]]:
    """The hooks of one model, by key; what is wrong with their templates goes to *problems*.

    Parameters
    ----------
    said:
        Values that were checked before.
    computed:
        The model names what it depends on, so that its hooks may compute names.
    """
    found = {}
    for key in HOOKS:
        written = [(one, place) for value, place in said.get(key, ()) for one in read_written(_read(value))]
        found[key] = tuple(_hook(key, one, place, problems, library, computed) for one, place in written)
    return found


def _read(value: Any) -> Any:
    return WrittenHook(**value) if isinstance(value, Mapping) else value


def _hook(
    when: str, written: WrittenHook, place: Location, problems: Problems, library: MacroLibrary | None, computed: bool
) -> Hook:
    from flowforge.project.scan import scan_statement

    scan = scan_statement(written.sql, place, computed=computed)
    for problem in scan.problems:
        problems.add(problem)
    if scan.config is not None:
        problems.add(ModelConfigError("a hook cannot call config()", code="FF1150", location=place))
    macros = library.used_by(scan.names) if library is not None and library.macros else ()
    return Hook(
        when,
        scan.template,
        place,
        written.transaction,
        scan.simple,
        (*scan.refs, *(ref for macro in macros for ref in macro.refs)),
        (*scan.sources, *(source for macro in macros for source in macro.sources)),
    )


def entries(value: Any) -> Iterable[Any]:
    """The hooks in a value as it stands in a file, whatever its form."""
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)
