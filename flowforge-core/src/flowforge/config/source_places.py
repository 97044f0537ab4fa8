"""Where the rows of a source are, as ``sources.yml`` says it for a group, a table, and for single engines.

What stands nearer to the table wins: group, table, the group's words for the engine, the table's words for the engine.
A place is a table or files. Knows texts; looks at no file and asks no engine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import attrs

from flowforge.config.names import is_name
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError
from flowforge.frozen import frozen
from flowforge.values import Location

WILDCARDS = ("*", "default", "any")
"""The keys of ``overrides:`` that mean every engine."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_TABLE_KEYS = ("schema", "database", "identifier")


def is_location(_instance: Any, _attribute: Any, value: str | None) -> None:
    """An attrs validator: a location is a name, and a relative path stays in the project."""
    is_name(_instance, _attribute, value)
    if value is not None and not _stays(value):
        raise ValueError("leads out of the project; write the whole path, from / on, if it is meant")


def is_remote(location: str) -> bool:
    """Whether a location is an address such as ``s3://bucket/file``, which the core never touches."""
    return _URL.match(location) is not None and not location.lower().startswith("file://")


def _stays(location: str) -> bool:
    """Whether a location is an address, a whole path, or a path that never leaves the folder that it starts from."""
    path = _local(location)
    if is_remote(location) or os.path.isabs(path):
        return True
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return False
    return True


def _local(location: str) -> str:
    return unquote(location[len("file://") :]) if location.lower().startswith("file://") else location


@frozen
class PlaceKeys:
    """The keys that say where rows are; ``None``: left to what stands further away."""

    schema: str | None = attrs.field(default=None, validator=is_name, metadata={"aliases": ("dataset",)})
    database: str | None = attrs.field(default=None, validator=is_name, metadata={"aliases": ("catalog", "project")})
    location: str | None = attrs.field(default=None, validator=is_location)
    format: str | None = attrs.field(default=None, validator=is_name)
    options: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class TablePlaceKeys(PlaceKeys):
    """The same of one table, which may have another name in the database."""

    identifier: str | None = attrs.field(default=None, validator=is_name)


@frozen
class Place:
    """Where the rows of a source are on one engine: in a table, or (with a *location*) in files."""

    identifier: str
    schema: str | None = None
    database: str | None = None
    location: str | None = None
    format: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)
    written: Location | None = None
    """Where the location stands."""


@frozen
class Layer:
    """What one mapping of the file says, and where it stands in *doc*."""

    keys: PlaceKeys
    doc: YamlDocument = attrs.field(repr=False, eq=False)
    at: KeyPath

    def place_of(self, *names: str) -> Location:
        """Where the first of some keys stands."""
        written = self.doc.at(self.at) or {}
        for name in names:
            for spelling in (name, *_SPELLINGS.get(name, ())):
                if spelling in written:
                    return self.doc.locate((*self.at, spelling), key=True)
        return self.doc.locate(self.at)

    @property
    def table_keys(self) -> tuple[str, ...]:
        """Those of its keys that only a table has."""
        return tuple(name for name in _TABLE_KEYS if getattr(self.keys, name, None) is not None)

    @property
    def file_keys(self) -> tuple[str, ...]:
        """Those of its keys that say how files are read."""
        return tuple(name for name in ("format", "options") if getattr(self.keys, name))

    def flaws(self) -> Iterator[ConfigFileError]:
        """What does not go together in it."""
        if self.keys.location is not None and self.table_keys:
            name = self.table_keys[0]
            yield _error(
                f"'location' and '{name}' do not go together: the rows are in files or in a table",
                self.place_of(name),
                "keep one of them; `overrides:` may say the other for single engines",
            )


_SPELLINGS = {field.name: field.metadata["aliases"] for field in attrs.fields(PlaceKeys) if "aliases" in field.metadata}

Overrides = Mapping[str, Layer]
"""By engine (any of its names), or by a wildcard."""


@frozen
class Declared:
    """All that a file says about the place of one source.

    Parameters
    ----------
    table:
        The table's name, which is its identifier unless a layer says otherwise.
    group, own:
        What the group says (in the short form there is none), and what the table says.
    group_overrides, own_overrides:
        Likewise, for single engines.
    """

    table: str
    own: Layer
    group: Layer | None = None
    group_overrides: Overrides = attrs.field(factory=dict)
    own_overrides: Overrides = attrs.field(factory=dict)

    @property
    def engines(self) -> frozenset[str]:
        """The engines that it has words of its own for."""
        return frozenset((*self.group_overrides, *self.own_overrides)).difference(WILDCARDS)

    def place_of(self, engine: str) -> Location:
        """Where the words for *engine* stand."""
        layer = self.own_overrides.get(engine) or self.group_overrides[engine]
        return layer.doc.locate(layer.at, key=True)

    @property
    def has_overrides(self) -> bool:
        """Whether the place may depend on the engine."""
        return bool(self.group_overrides or self.own_overrides)

    @property
    def in_files(self) -> bool:
        """Whether its rows are in files, at least on some engine."""
        return any(layer.keys.location is not None for layer in self._every())

    def on(self, engine: Collection[str] = ()) -> Place:
        """The place on the engine that is called *engine* (all of its names); without any, as if no override stood."""
        place = Place(self.table)
        for layer in self._effective(engine):
            place = _over(place, layer, self.table)
        return place

    def _every(self) -> Iterator[Layer]:
        yield from (layer for layer in (self.group, self.own) if layer is not None)
        yield from (*self.group_overrides.values(), *self.own_overrides.values())

    def _effective(self, engine: Collection[str]) -> Iterator[Layer]:
        yield from (layer for layer in (self.group, self.own) if layer is not None)
        for each in (self.group_overrides, self.own_overrides) if engine else ():
            for names in (WILDCARDS, engine):
                yield from (layer for name, layer in each.items() if name in names)

    def flaws(self) -> Iterator[ConfigFileError]:
        """What makes no sense in the table's own words, whatever the engine."""
        for layer in (self.own, *self.own_overrides.values()):
            yield from layer.flaws()
        if self.own.file_keys and not self.in_files:
            yield _pointless(self.own)
        yield from _twice(self.own_overrides)
        for name, layer in self.own_overrides.items():
            if layer.file_keys and self.on((name,)).location is None:
                yield _pointless(layer)
        for layer in self._every():
            location = layer.keys.location
            if location is not None and not _stays(location.replace("{name}", self.table)):
                yield _error(
                    f"the location of '{self.table}' leads out of the project",
                    layer.place_of("location"),
                    "write the whole path, from / on, if it is meant",
                )

    def clashes(self, engine: Collection[str]) -> Iterator[ConfigFileError]:
        """Words for one engine under two of its names."""
        for each in (self.group_overrides, self.own_overrides):
            mine = [name for name in each if name in engine]
            for name in mine[1:]:
                yield _error(f"'{name}' is the same engine as '{mine[0]}'", each[name].place_of(), "join them")


def _over(below: Place, layer: Layer, table: str) -> Place:
    keys = layer.keys
    options = {**below.options, **keys.options}
    if keys.location is not None:
        return Place(
            table,
            location=_local(keys.location).replace("{name}", table),
            format=keys.format or below.format,
            options=options,
            written=layer.place_of("location"),
        )
    identifier = getattr(keys, "identifier", None)
    if layer.table_keys:
        files = None if below.location is not None else below
        return Place(
            identifier or (files.identifier if files else table),
            keys.schema or (files.schema if files else None),
            keys.database or (files.database if files else None),
            format=keys.format or below.format,
            options=options,
        )
    return attrs.evolve(below, format=keys.format or below.format, options=options)


def group_flaws(layer: Layer, overrides: Overrides, tables: Collection[Declared]) -> Iterator[ConfigFileError]:
    """What makes no sense in the words of a group of *tables*."""
    yield from layer.flaws()
    for one in overrides.values():
        yield from one.flaws()
    yield from _twice(overrides)
    if not any(table.in_files for table in tables):
        yield from (_pointless(one) for one in (layer, *overrides.values()) if one.file_keys)


def _twice(overrides: Overrides) -> Iterator[ConfigFileError]:
    wild = [name for name in overrides if name in WILDCARDS]
    for name in wild[1:]:
        yield _error(f"'{name}' means the same as '{wild[0]}'", overrides[name].place_of(), "join them")


def _pointless(layer: Layer) -> ConfigFileError:
    name = layer.file_keys[0]
    return _error(
        f"'{name}' says nothing without 'location'",
        layer.place_of(name),
        f"say which files are read: location: data/users.parquet; or remove '{name}'",
    )


def _error(message: str, location: Location, help: str) -> ConfigFileError:
    return ConfigFileError(message, code="FF1028", location=location, help=help)
