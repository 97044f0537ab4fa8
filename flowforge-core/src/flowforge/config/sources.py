"""``sources.yml``: the tables that a project reads and does not build.

Two forms: versioned (``sources:`` is a list of groups with lists of tables), and bare (group, table, identifier as
mappings inside each other).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs

from flowforge.config.check_entries import RawCheck, as_tuple, parse_checks
from flowforge.config.files import read_document
from flowforge.config.freshness import FreshnessBlock, FreshnessRule, merge
from flowforge.config.names import is_name
from flowforge.config.parsed import Parsed
from flowforge.config.source_places import Declared, Layer, Overrides, PlaceKeys, TablePlaceKeys, group_flaws
from flowforge.config.structure import structure
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.values import Location

SOURCES_FILE = "sources.yml"
_CHECK_KEYS = ("checks", "tests", "data_tests")
_CHECKS: Mapping[str, Any] = {"aliases": _CHECK_KEYS[1:]}
_TAGS: Mapping[str, Any] = {"accepts": str | tuple[str, ...]}

_REFUSED: Mapping[str, str] = {
    "quoting": "remove it: names are always quoted, in the engine's own case",
    "loader": "say it for people: meta: {loader: ...}",
    "config": "write its keys (meta, tags, freshness, ...) here, without config:",
    "external": "say location, format and options here, without external:",
    "loaded_at_query": "make it a column, and name that: loaded_at_field: ...",
    "enabled": "remove the source, or this key",
    "docs": "",
}


@frozen
class SourceDecl:
    """One declared table.

    Parameters
    ----------
    group, table:
        The two arguments of ``source()``.
    declared:
        Where its rows are, for all engines.
    columns:
        Descriptions by name.
    meta, tags, group_description:
        For people, and for selectors; those of the group are among them.
    checks:
        Its own, and those of its columns.
    assume_unchanged:
        Its rows count as always the same.
    loaded_at:
        The column that grows with every load, of a table that is only appended to.
    freshness:
        How old its newest row may be.
    event_time:
        The column that says when a row happened.
    """

    group: str
    table: str
    declared: Declared
    description: str | None
    columns: Mapping[str, str | None]
    _doc: YamlDocument = attrs.field(repr=False, eq=False)
    _at: KeyPath = attrs.field(repr=False)
    assume_unchanged: bool = False
    loaded_at: str | None = None
    freshness: FreshnessRule | None = None
    checks: tuple[RawCheck, ...] = ()
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    tags: tuple[str, ...] = ()
    group_description: str | None = None
    event_time: str | None = None

    @property
    def id(self) -> str:
        """``group.table``."""
        return f"{self.group}.{self.table}"

    @property
    def location(self) -> Location:
        """Where the table's name stands."""
        return _name_place(self._doc, self._at)


@frozen
class _Column:
    later_keys: ClassVar[Mapping[str, str]] = dict.fromkeys(("data_type", "meta", "tags", "quote", "config"), "")

    name: str = attrs.field(validator=is_name)
    description: str | None = None
    checks: tuple[Any, ...] = attrs.field(default=(), metadata=_CHECKS)


@frozen
class _Said(PlaceKeys):
    """What a table says, or the group for all of its tables."""

    later_keys: ClassVar[Mapping[str, str]] = _REFUSED

    description: str | None = None
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    tags: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata=_TAGS)
    assume_unchanged: bool | None = None
    append_only: bool | None = None
    loaded_at: str | None = attrs.field(default=None, validator=is_name, metadata={"aliases": ("loaded_at_field",)})
    freshness: FreshnessBlock | None = None
    event_time: str | None = attrs.field(default=None, validator=is_name)


@frozen
class _BareTable(_Said):
    identifier: str | None = attrs.field(default=None, validator=is_name)
    columns: tuple[_Column, ...] = ()
    checks: tuple[Any, ...] = attrs.field(default=(), metadata=_CHECKS)
    overrides: Mapping[str, TablePlaceKeys] = attrs.field(factory=dict)


@frozen(kw_only=True)
class _Table(_BareTable):
    name: str = attrs.field(validator=is_name)


@frozen(kw_only=True)
class _Group(_Said):
    name: str = attrs.field(validator=is_name)
    tables: tuple[_Table, ...]
    overrides: Mapping[str, PlaceKeys] = attrs.field(factory=dict)


@frozen
class _Versioned:
    version: Literal[1, 2] = 1
    sources: tuple[_Group, ...] = ()


FILE, BARE_TABLE = _Versioned, _BareTable
"""What ``sources.yml`` is read into, and one table of its short form."""


def load_sources(root: Path, problems: Problems, parsed: Parsed | None = None) -> tuple[SourceDecl, ...]:
    """Read ``sources.yml`` of the project folder *root*; no file means no sources. Flaws go to *problems*."""
    if not (root / SOURCES_FILE).exists():
        return ()
    try:
        doc = read_document(root, SOURCES_FILE, parsed)
    except FlowForgeError as exc:
        problems.add(exc)
        return ()
    return read_sources(doc, problems)


def read_sources(doc: YamlDocument, problems: Problems) -> tuple[SourceDecl, ...]:
    """As :func:`load_sources`, from a document that was read before."""
    if doc.data is None:
        return ()
    bare = isinstance(doc.data, dict) and "sources" not in doc.data and "version" not in doc.data
    before = len(problems)
    declared = list(_bare(doc, problems) if bare else _versioned(doc, problems))
    if not bare and len(problems) == before:
        _check_groups(doc, problems)
    kept: dict[str, SourceDecl] = {}
    for entry in declared:
        if entry.id in kept:
            problems.add(_twice(f"the source '{entry.id}'", entry.location, kept[entry.id].location))
        else:
            kept[entry.id] = entry
    return tuple(kept.values())


def _versioned(doc: YamlDocument, problems: Problems) -> Iterator[SourceDecl]:
    file = structure(doc, _Versioned, problems=problems)
    for number, group in enumerate(file.sources if file is not None else ()):
        place = ("sources", number)
        layer, overrides = Layer(group, doc, place), _overrides(group.overrides, doc, place)
        tables = []
        for index, table in enumerate(group.tables):
            at = (*place, "tables", index)
            declared = Declared(
                table.name, Layer(table, doc, at), layer, overrides, _overrides(table.overrides, doc, at)
            )
            tables.append(declared)
            yield _source(group.name, table, group, declared, doc, at, problems)
        for flaw in group_flaws(layer, overrides, tables):
            problems.add(flaw)
        _check_group_changes(group, doc, place, problems)


def _bare(doc: YamlDocument, problems: Problems) -> Iterator[SourceDecl]:
    groups = structure(doc, dict[str, dict[str, _BareTable | None] | None], problems=problems)
    for group, tables in (groups or {}).items():
        for name, given in (tables or {}).items():
            at = (group, name)
            try:
                is_name(None, None, group)
                is_name(None, None, name)
            except ValueError as exc:
                problems.add(ConfigFileError(str(exc), code="FF1005", location=doc.locate(at, key=True)))
                continue
            table = given or _BareTable()
            declared = Declared(name, Layer(table, doc, at), own_overrides=_overrides(table.overrides, doc, at))
            yield _source(group, table, _Said(), declared, doc, at, problems)


def _overrides(given: Mapping[str, PlaceKeys], doc: YamlDocument, at: KeyPath) -> Overrides:
    return {name: Layer(keys, doc, (*at, "overrides", name)) for name, keys in given.items()}


def _source(
    name: str, table: _BareTable, group: _Said, declared: Declared, doc: YamlDocument, at: KeyPath, problems: Problems
) -> SourceDecl:
    for flaw in declared.flaws():
        problems.add(flaw)
    unchanged, loaded_at = _changes(table, group, doc, at, problems)
    return SourceDecl(
        name,
        declared.table,
        declared,
        table.description,
        _columns(table, doc, at, problems),
        doc,
        at,
        unchanged,
        loaded_at,
        _freshness(table, group, declared.in_files, doc, at, problems),
        tuple(_checks(table, f"{name}.{declared.table}", doc, at, problems)),
        {**group.meta, **table.meta},
        tuple(dict.fromkeys((*group.tags, *table.tags))),
        group.description,
        table.event_time or group.event_time,
    )


def _checks(table: _BareTable, id_: str, doc: YamlDocument, at: KeyPath, problems: Problems) -> Iterator[RawCheck]:
    """The checks of a table, then those of its columns."""
    columns = ((column.checks, column.name, (*at, "columns", index)) for index, column in enumerate(table.columns))
    for entries, column, place in ((table.checks, None, at), *columns):
        if entries:
            key = next(name for name in _CHECK_KEYS if name in doc.at(place))
            yield from parse_checks(entries, doc, (*place, key), problems=problems, table=id_, column=column)


def _changes(table: _Said, group: _Said, doc: YamlDocument, at: KeyPath, problems: Problems) -> tuple[bool, str | None]:
    """Whether a table counts as unchanged, and the column that tells whether it has grown."""
    unchanged = table.assume_unchanged if table.assume_unchanged is not None else group.assume_unchanged
    append_only = table.append_only if table.append_only is not None else group.append_only
    loaded_at = table.loaded_at or group.loaded_at
    if append_only and loaded_at is None:
        place = doc.locate((*at, "append_only") if table.append_only else (*at[:2], "append_only"), key=True)
        problems.add(
            ConfigFileError(
                "'append_only' says nothing without 'loaded_at_field'",
                code="FF1006",
                location=place,
                help="name the column that grows with every load: loaded_at_field: loaded_at",
            )
        )
    if table.loaded_at is not None and not append_only and table.freshness is None and group.freshness is None:
        problems.add(_only_appended(doc, at))
    return bool(unchanged), loaded_at if append_only else None


def _freshness(
    table: _Said, group: _Said, files: bool, doc: YamlDocument, at: KeyPath, problems: Problems
) -> FreshnessRule | None:
    """The rule of one table; ``freshness:`` with nothing behind it takes the table out of the group's."""
    written = doc.at(at) or {}
    if table.freshness is None and "freshness" in written:
        return None
    try:
        return merge(group.freshness, table.freshness, table.loaded_at or group.loaded_at, files=files)
    except ValueError as exc:
        place = (*at, "freshness") if table.freshness is not None else (*at[:2], "freshness")
        problems.add(
            ConfigFileError(f"'freshness' {exc}", code="FF1006", location=doc.locate(place, key=True), help=_FRESH)
        )
        return None


_FRESH = "write freshness: {loaded_at_field: loaded_at, warn_after: {count: 12, period: hour}}"


def _check_group_changes(group: _Group, doc: YamlDocument, at: KeyPath, problems: Problems) -> None:
    used = [group.append_only if table.append_only is None else table.append_only for table in group.tables]
    fresh = group.freshness is not None or any(table.freshness is not None for table in group.tables)
    if group.loaded_at is not None and not any(used) and not fresh:
        problems.add(_only_appended(doc, at))


def _only_appended(doc: YamlDocument, at: KeyPath) -> ConfigFileError:
    key = "loaded_at" if "loaded_at" in doc.at(at) else "loaded_at_field"
    return ConfigFileError(
        f"'{key}' counts only for a table whose rows are never changed or deleted",
        code="FF1006",
        location=doc.locate((*at, key), key=True),
        help="add append_only: true if that is so, otherwise remove it",
    )


def _columns(table: _BareTable, doc: YamlDocument, at: KeyPath, problems: Problems) -> Mapping[str, str | None]:
    columns: dict[str, str | None] = {}
    for index, column in enumerate(table.columns):
        if column.name in columns:
            first = next(number for number, other in enumerate(table.columns) if other.name == column.name)
            here, there = (doc.locate((*at, "columns", number, "name")) for number in (index, first))
            problems.add(_twice(f"the column '{column.name}'", here, there))
        columns.setdefault(column.name, column.description)
    return columns


def _check_groups(doc: YamlDocument, problems: Problems) -> None:
    first: dict[str, int] = {}
    for number, group in enumerate(doc.data.get("sources") or ()):
        if first.setdefault(group["name"], number) != number:
            here, there = (doc.locate(("sources", each, "name")) for each in (number, first[group["name"]]))
            problems.add(_twice(f"the source group '{group['name']}'", here, there))


def _name_place(doc: YamlDocument, at: KeyPath) -> Location:
    """Where a table's name stands: it is a value in the versioned form and a key in the bare one."""
    return doc.locate(at, key=True) if len(at) == 2 else doc.locate((*at, "name"))


def _twice(what: str, here: Location, there: Location) -> ConfigFileError:
    return ConfigFileError(
        f"{what} is declared twice; the first one is at {there}",
        code="FF1009",
        location=here,
        help="keep one of them, or join them",
    )
