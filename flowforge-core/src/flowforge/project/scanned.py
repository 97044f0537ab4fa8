"""What a scan of one template found, and how it is kept for the next time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from flowforge.config.parsed import Parsed
from flowforge.errors import FlowForgeError
from flowforge.frozen import frozen
from flowforge.project.asked import Asked
from flowforge.project.manifest import RefCall, SourceCall
from flowforge.values import Location


@frozen
class Scan:
    """What one template says.

    Parameters
    ----------
    refs, sources:
        The union over all branches, in the order of the text; entries of ``config(deps=[...])`` come last.
    config:
        The keywords of ``config(...)``; ``None`` when the template has none.
    config_location:
        Where ``config`` is called.
    config_locations:
        Where each keyword of it stands.
    vars, envs:
        Names that ``var`` and ``env`` are called with, where they are literal; sorted.
    simple:
        True when the template holds only literal calls of FlowForge's functions, so that it renders without Jinja.
    names:
        All names that the template mentions; none for a simple one.
    problems:
        Everything that has to be corrected.
    asks:
        Values of *config* may be calls of ``var`` or ``env``.
    create:
        Kind (``table`` or ``view``) and name of a ``CREATE ... AS`` in front; the name is ``None`` when Jinja makes it.
    template:
        The text to render: the same lines and columns, a ``CREATE ... AS`` in front blanked out.
    """

    template: str
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()
    config: Mapping[str, Any] | None = None
    config_location: Location | None = None
    config_locations: Mapping[str, Location] = attrs.field(factory=dict)
    vars: tuple[str, ...] = ()
    envs: tuple[str, ...] = ()
    simple: bool = True
    names: frozenset[str] = frozenset()
    problems: tuple[FlowForgeError, ...] = ()
    create: tuple[str, str | None] | None = None
    asks: bool = True

    def locate(self, keypath: Sequence[str | int]) -> Location | None:
        """Where a setting of ``config(...)`` stands; the keyword's place for everything inside its value."""
        key = keypath[0] if keypath else None
        return self.config_locations.get(key, self.config_location) if isinstance(key, str) else self.config_location


def keep_scan(parsed: Parsed, path: str, scan: Scan) -> None:
    """Keep what is right: what is wrong with a template has to be said every time."""
    if scan.problems:
        return
    try:
        config = None if scan.config is None else json.dumps(packed(scan.config), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return
    record = [
        scan.template,
        [[ref.name, *numbers(ref.location)] for ref in scan.refs],
        [[call.source, call.table, *numbers(call.location)] for call in scan.sources],
        config,
        None if scan.config_location is None else numbers(scan.config_location),
        {name: numbers(where) for name, where in scan.config_locations.items()},
        scan.vars,
        scan.envs,
        scan.simple,
        sorted(scan.names),
        scan.create,
    ]
    parsed.keep("sql", path, record)


def kept_scan(parsed: Parsed, path: str) -> Scan | None:
    """What was kept of the template in a file that has not changed since."""
    record = parsed.record("sql", path)
    if record is None:
        return None
    template, refs, sources, config, config_at, config_places, vars_, envs, simple, names, create = record
    values, asks = _config(parsed, config)
    return Scan(
        template,
        tuple([RefCall(name, Location(path, *at)) for name, *at in refs]),
        tuple([SourceCall(source, table, Location(path, *at)) for source, table, *at in sources]),
        values,
        None if config_at is None else Location(path, *config_at),
        _LaterPlaces(path, config_places),
        tuple(vars_),
        tuple(envs),
        simple,
        frozenset(names),
        (),
        None if create is None else (create[0], create[1]),
        asks,
    )


class _LaterPlaces(Mapping[str, Location]):
    """Places of settings, made when somebody asks: few do, and there is one for each setting of each model."""

    __slots__ = ("_numbers", "_path")

    def __init__(self, path: str, numbers: Mapping[str, Sequence[Any]]) -> None:
        self._path = path
        self._numbers = numbers

    def __getitem__(self, name: str) -> Location:
        return Location(self._path, *self._numbers[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def _config(parsed: Parsed, text: str | None) -> tuple[Mapping[str, Any] | None, bool]:
    """The settings that a text means, and whether any of them asks for something; one value for all who say the same."""
    if text is None:
        return None, False
    if text not in parsed.shared:
        parsed.shared[text] = (unpacked(json.loads(text)), '"asked"' in text)
    known: tuple[Mapping[str, Any], bool] = parsed.shared[text]
    return known


def numbers(where: Location) -> tuple[int | None, int | None, int]:
    """A place without its file."""
    return where.line, where.column, where.length


_TAG = ""
"""The only key of a mapping that stands for what JSON does not know."""


def packed(value: Any) -> Any:
    """*value* as JSON can hold it; ``TypeError`` for what a template's literals cannot be."""
    kind = type(value)
    if kind in (str, int, float, bool) or value is None:
        return value
    if kind is list:
        return [packed(item) for item in value]
    if kind is tuple:
        return {_TAG: ["tuple", [packed(item) for item in value]]}
    if kind is dict and _TAG not in value and all(type(key) is str for key in value):
        return {key: packed(item) for key, item in value.items()}
    if kind is Asked:
        return {_TAG: ["asked", value.function, packed(list(value.args)), packed(dict(value.kwargs))]}
    raise TypeError(f"{kind.__name__} is no literal of a template")


def unpacked(value: Any) -> Any:
    """What :func:`packed` was given."""
    if type(value) is list:
        return [unpacked(item) for item in value]
    if type(value) is not dict:
        return value
    if _TAG not in value:
        return {key: unpacked(item) for key, item in value.items()}
    kind, *parts = value[_TAG]
    if kind == "tuple":
        return tuple(unpacked(parts[0]))
    function, args, kwargs = parts
    return Asked(function, tuple(unpacked(args)), unpacked(kwargs))
