"""Checks as they stand in YAML, before anybody knows what they mean.

Three spellings give the same value: ``not_null``, ``{accepted_values: {values: [a]}}`` and
``{type: accepted_values, values: [a]}``. The parameters stay plain data; they are read into the check's own class
when its plugin is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from flowforge.config.flaws import UNKNOWN_KEY, WRONG_VALUE, found
from flowforge.config.names import is_name
from flowforge.config.structure import structure_plain
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError, Problems
from flowforge.frozen import frozen
from flowforge.values import Location

Severity = Literal["error", "warn", "info"]
OnFail = Literal["stop", "warn", "quarantine"]
MEANT: Mapping[str, Severity] = {"stop": "error", "warn": "warn", "quarantine": "error"}
"""The severity that each way to treat failing rows comes to, where they stand in a table."""


@frozen
class RawCheck:
    """One declared check whose parameters nobody has looked at yet.

    Parameters
    ----------
    type:
        Name of the check.
    params:
        What the check itself is to read; without the keys that all checks share.
    table:
        The model, seed or relation that it is about; empty when nothing says so, and its parameters may.
    column:
        Where it stands under a column, or what ``column:`` says.
    name:
        The id that the project gave it, if any.
    at:
        Where the whole entry stands in *doc*.
    warn_if, error_if:
        How many failures make a warning and an error, as a text.
    prefix:
        What its id begins with, when it has no name.
    description:
        For people.
    on_fail:
        What becomes of failing rows, if the check says so.
    is_silent:
        It says neither how severe it is nor what becomes of rows, so that its model may.
    """

    type: str
    params: Mapping[str, Any]
    table: str
    doc: YamlDocument = attrs.field(repr=False, eq=False)
    at: KeyPath
    column: str | None = None
    severity: Severity = "error"
    tags: tuple[str, ...] = ()
    name: str | None = None
    _params_at: KeyPath = attrs.field(default=(), repr=False)
    warn_if: str | None = None
    error_if: str | None = None
    _places: Mapping[str | int, KeyPath] = attrs.field(factory=dict, repr=False, eq=False)
    prefix: str = ""
    description: str | None = None
    on_fail: OnFail | None = None
    is_silent: bool = True
    _location: Location | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def location(self) -> Location:
        """The place of the whole entry."""
        return self._location or self.doc.locate(self.at)

    def locate(self, path: KeyPath = (), on_key: bool = False) -> Location:
        """The place of one parameter (or of its key); fits ``structure_plain``.

        A parameter that is not given is looked for at the entry itself.
        """
        if not path:
            return self.location
        return self.doc.locate((*self._places.get(path[0], (*self._params_at, path[0])), *path[1:]), key=on_key)

    @property
    def params_at(self) -> KeyPath:
        """Where its parameters stand."""
        return self._params_at

    @property
    def places(self) -> Mapping[str | int, KeyPath]:
        """Where single parameters stand that stand elsewhere."""
        return self._places

    def locate_common(self, key: str) -> Location:
        """The place of a key that all checks share."""
        return self.doc.locate(self._places.get(key, self.at))


def as_tuple(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


@frozen
class _Common:
    """Keys that every check has, wherever it is declared."""

    severity: Severity | None = None
    on_fail: OnFail | None = None
    tags: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata={"accepts": str | tuple[str, ...]})
    name: str | None = attrs.field(default=None, validator=is_name)
    table: str | None = attrs.field(default=None, validator=is_name)
    column: str | None = attrs.field(default=None, validator=is_name)
    warn_if: str | None = None
    error_if: str | None = None
    description: str | None = None
    enabled: bool = True


_NOTHING_SAID = _Common()
_COMMON = frozenset(attribute.name for attribute in attrs.fields(_Common))


def parse_checks(
    entries: Any,
    doc: YamlDocument,
    at: KeyPath,
    *,
    problems: Problems,
    table: str | None = None,
    column: str | None = None,
) -> tuple[RawCheck, ...]:
    """Read a list of check entries.

    Parameters
    ----------
    entries:
        The list's items.
    at:
        Where the list stands in *doc*.
    table, column:
        What the place says already; an entry may then not say it again. ``None`` for *table* demands that it does.
    problems:
        Gets every flaw; entries with flaws are left out of the answer.
    """
    parsed = (_parse(entry, doc, (*at, index), problems, table, column) for index, entry in enumerate(entries))
    return tuple(check for check in parsed if check is not None)


def _parse(
    entry: Any, doc: YamlDocument, at: KeyPath, problems: Problems, table: str | None, column: str | None
) -> RawCheck | None:
    if isinstance(entry, str) and entry.strip() and table is not None:
        return RawCheck(entry, {}, table, doc, at, column, params_at=at)
    spelled = _spelling(entry, doc, at, problems)
    if spelled is None:
        return None
    type_, params, params_at, places = spelled

    common = {key: params[key] for key in params if key in _COMMON}
    shared: _Common | None = _NOTHING_SAID
    if common:
        shared = structure_plain(
            common,
            _Common,
            problems=problems,
            locate=lambda path, on_key: doc.locate((*places.get(path[0], at), *path[1:]) if path else at, key=on_key),
        )
    if shared is None:
        return None
    sound = True
    for key, known, given in (("table", table, shared.table), ("column", column, shared.column)):
        if known is not None and given is not None:
            sound = False
            problems.add(
                ConfigFileError(
                    f"'{key}' is known from the place of this check: '{known}'",
                    code=UNKNOWN_KEY,
                    location=doc.locate(places[key], key=True),
                    help=f"remove '{key}'",
                )
            )
    if shared.on_fail is not None and shared.severity not in (None, MEANT[shared.on_fail]):
        sound = False
        problems.add(
            ConfigFileError(
                f"'severity: {shared.severity}' contradicts 'on_fail: {shared.on_fail}'",
                code=WRONG_VALUE,
                location=doc.locate(places["severity"]),
                help="remove 'severity': 'on_fail' says all of it",
            )
        )
    if not sound or not shared.enabled:
        return None
    severity = shared.severity or MEANT[shared.on_fail or "stop"]
    return RawCheck(
        type_,
        {key: value for key, value in params.items() if key not in _COMMON},
        table or shared.table or "",
        doc,
        at,
        column or shared.column,
        severity,
        shared.tags,
        shared.name,
        params_at,
        shared.warn_if,
        shared.error_if,
        places,
        description=shared.description,
        on_fail=shared.on_fail,
        is_silent=shared.severity is None and shared.on_fail is None,
    )


_NESTED = ("params", "arguments", "config")
"""Mappings inside of an entry whose keys count as if they stood beside it."""
_IN_CONFIG = _COMMON | {"where"}
_REFUSED = {
    "fail_calc": "a check of your own can give a count: tests/NAME.ff.sql",
    "limit": "five failing rows are shown, whatever their number",
    "group": "checks have tags: [...]",
    "meta": "checks have a description and tags: [...]",
}


def _flatten(
    params: dict[str, Any], places: dict[str | int, KeyPath], doc: YamlDocument, problems: Problems
) -> dict[str, Any] | None:
    """*params* with the keys of the mappings of :data:`_NESTED` among them; ``None`` after a flaw."""
    sound = True
    for outer in [key for key in _NESTED if key in params]:
        inner, at = params.pop(outer), places.pop(outer)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            problems.add(
                ConfigFileError(
                    f"'{outer}' should be a mapping, found {found(inner)}", code=WRONG_VALUE, location=doc.locate(at)
                )
            )
            return None
        for key, value in inner.items():
            name = key.removeprefix("+") if isinstance(key, str) else key
            message = help = None
            if not isinstance(key, str):
                message, help = f"the key {key} should be a text", "put it in quotes"
            elif name in params:
                message, help = f"'{name}' is given twice for this check", "keep one of them"
            elif outer == "config" and name not in _IN_CONFIG:
                message = f"a check has no '{name}' in its config"
                help = _REFUSED.get(name) or f"it can hold {', '.join(sorted(_IN_CONFIG))}"
            if message is not None:
                sound = False
                problems.add(
                    ConfigFileError(message, code=UNKNOWN_KEY, location=doc.locate((*at, key), key=True), help=help)
                )
                continue
            params[name] = value
            places[name] = (*at, key)
    return params if sound else None


def _spelling(
    entry: Any, doc: YamlDocument, at: KeyPath, problems: Problems
) -> tuple[str, dict[str, Any], KeyPath, dict[str | int, KeyPath]] | None:
    """The check's type, its keys and theirs place; ``None`` after a flaw."""

    def flaw(
        message: str, path: KeyPath, help: str | None = None, *, key: bool = False, code: str = WRONG_VALUE
    ) -> None:
        problems.add(ConfigFileError(message, code=code, location=doc.locate(path, key=key), help=help))

    places: dict[str | int, KeyPath]
    example = "write the check's name, or a mapping such as {unique: {severity: warn}}"
    if isinstance(entry, str) and entry.strip():
        return entry, {}, at, {}
    if not isinstance(entry, dict) or not entry:
        flaw(f"a check should be a text or a mapping, found {found(entry)}", at, example)
        return None
    if strange := [key for key in entry if not isinstance(key, str)]:
        flaw(f"the key {strange[0]} should be a text", (*at, strange[0]), "put it in quotes", key=True)
        return None
    if said := [key for key in ("type", "test_name") if key in entry]:
        type_ = entry[said[0]]
        if not isinstance(type_, str) or not type_.strip() or len(said) == 2:
            reason = "means the same as 'type'" if len(said) == 2 else f"should be a text, found {found(type_)}"
            flaw(f"'{said[-1]}' {reason}", (*at, said[-1]))
            return None
        params = {key: value for key, value in entry.items() if key != said[0]}
        places = {key: (*at, key) for key in params}
        flat = _flatten(params, places, doc, problems)
        return None if flat is None else (type_, flat, at, places)
    names = [key for key in entry if key not in _COMMON and key not in _NESTED]
    if len(names) != 1:
        count = f"this entry names {len(names)} checks: {', '.join(names)}" if names else "this entry names no check"
        flaw(count, at, "write one check in one entry, or give its name as 'type'")
        return None
    type_, inner = names[0], entry[names[0]]
    if inner is None:
        inner = {}
    if isinstance(inner, str) and inner.strip():  # unique: id
        params = {"column": inner, **{key: entry[key] for key in entry if key != type_}}
        if "column" not in entry:
            places = {"column": (*at, type_), **{key: (*at, key) for key in entry if key != type_}}
            flat = _flatten(params, places, doc, problems)
            return None if flat is None else (type_, flat, (*at, type_), places)
    if not isinstance(inner, dict):
        flaw(f"'{type_}' should be a mapping of parameters, found {found(inner)}", (*at, type_), example)
        return None
    if strange := [key for key in inner if not isinstance(key, str)]:
        flaw(f"the key {strange[0]} should be a text", (*at, type_, strange[0]), "put it in quotes", key=True)
        return None
    places = {key: (*at, type_, key) for key in inner}
    params = dict(inner)
    for key in entry:
        if key == type_:
            continue
        if key in inner:
            flaw(f"'{key}' is given twice for this check", (*at, key), "keep one of them", key=True, code=UNKNOWN_KEY)
            return None
        params[key] = entry[key]
        places[key] = (*at, key)
    flat = _flatten(params, places, doc, problems)
    return None if flat is None else (type_, flat, (*at, type_), places)
