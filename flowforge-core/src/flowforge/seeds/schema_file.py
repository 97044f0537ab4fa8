"""Reads ``seeds/schema.yml``: the declared column types of seeds, where they are written, and what describes them.

Knows YAML documents, the words of :mod:`flowforge.config.type_words` and names of engines; opens no seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.layers import Layer, Passage
from flowforge.config.properties import ENTRY, Properties, entries_of
from flowforge.config.structure import structure
from flowforge.config.type_words import normal_word, word_of_dtype
from flowforge.config.yaml import KeyPath, YamlDocument, parse_yaml
from flowforge.errors import ConfigFileError, FlowForgeError, Problems, SeedError
from flowforge.frozen import frozen
from flowforge.seeds.engine_words import EngineWords
from flowforge.values import Location

NAMES = ("schema.yml", "schema.yaml")


@frozen(kw_only=True)
class _Target:
    schema: str | None = None
    table: str | None = None
    schema_by_engine: Mapping[str, str] = attrs.field(factory=dict)


@frozen(kw_only=True)
class _Column:
    type: str | None = None
    engines: Mapping[str, str] = attrs.field(factory=dict)


@frozen(kw_only=True)
class _Top:
    version: int = attrs.field(default=1, validator=attrs.validators.in_((1, 2)))
    targets: dict[str, _Target] = attrs.field(factory=dict)
    dtypes: dict[str, dict[str, str]] = attrs.field(factory=dict)
    columns: dict[str, dict[str, str | _Column]] = attrs.field(factory=dict)
    seeds: tuple[ENTRY, ...] = ()


FILE = _Top
"""What the file is read into."""


@frozen
class Declared:
    """What the file says.

    Parameters
    ----------
    types:
        By the path of the seed and the name of the column: the word, and where it stands.
    targets:
        Settings by the path of the seed.
    properties:
        The entries of the list ``seeds:``.
    """

    types: Mapping[str, Mapping[str, tuple[str, Location]]] = attrs.field(factory=dict)
    targets: Mapping[str, Layer] = attrs.field(factory=dict)
    properties: Properties | None = None


def read_schema_file(
    root: Path,
    folder: str,
    files: Sequence[str],
    seeds: Mapping[str, str],
    problems: Problems,
    engines: EngineWords = EngineWords(),  # noqa: B008 - frozen
) -> Declared:
    """Read the file.

    Parameters
    ----------
    folder:
        The folder of the seeds, relative to *root*, with forward slashes.
    files:
        The files of the names :data:`NAMES` that stand there, relative to *root*; more than one is a problem.
    seeds:
        Paths of all seeds, relative to *root*, and the suffix of each.

    Everything that is wrong goes to *problems*; the answer holds what could be understood.
    """
    if not files:
        return Declared()
    if len(files) > 1:
        problems.add(
            SeedError(
                f"there are both {NAMES[0]} and {NAMES[1]}",
                code="FF2207",
                location=Location(files[1]),
                help="move everything into one of them",
            )
        )
    try:
        document = parse_yaml((root / files[0]).read_bytes(), files[0])
    except OSError as exc:
        problems.add(ConfigFileError(f"cannot read this file: {exc.strerror}", location=Location(files[0])))
        return Declared()
    except FlowForgeError as error:
        problems.add(error)
        return Declared()
    if document.data is None:
        return Declared()
    top = structure(document, _Top, problems=problems)
    if top is None:
        return Declared()
    reader = _Reader(document, _known(folder, seeds), problems, engines)
    types = reader.types(top)
    return Declared(types, reader.targets(top.targets), entries_of(document, top.seeds, "seeds", problems))


def seed_ids(path: str, folder: str, suffix: str) -> tuple[str, ...]:
    """The names by which ``schema.yml`` may call a seed: its stem, and its path in *folder* with slashes or dots."""
    inside = PurePosixPath(path[: -len(suffix)]).relative_to(folder)
    return tuple(dict.fromkeys((inside.name, str(inside), ".".join(inside.parts))))


def _known(folder: str, seeds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for path, suffix in seeds.items():
        for id_ in seed_ids(path, folder, suffix):
            known[id_] = (*known.get(id_, ()), path)
    return known


@frozen
class _Reader:
    """Goes through one file. *known*: the paths that each id may mean."""

    document: YamlDocument
    known: Mapping[str, tuple[str, ...]]
    problems: Problems
    engines: EngineWords

    def types(self, top: _Top) -> dict[str, dict[str, tuple[str, Location]]]:
        """The types from both of their forms."""
        found: dict[str, dict[str, tuple[str, Location]]] = {}
        for path, at, columns in self._entries("dtypes", top.dtypes):
            placed = {column: (word, (*at, column)) for column, word in columns.items()}
            found[path] = self._words(at, placed, word_of_dtype)
        for path, at, declared in self._entries("columns", top.columns):
            words = self._words(at, self._chosen(at, declared), normal_word)
            for column, (word, place) in words.items():
                twin = next((one for one in found.get(path, ()) if one.casefold() == column.casefold()), None)
                if twin is not None and found[path][twin][0] != word:
                    self._wrong(f"the type of {column!r} stands under dtypes: as well", place, "keep one of them")
            found[path] = {**found.get(path, {}), **words}
        return found

    def targets(self, targets: Mapping[str, _Target]) -> dict[str, Layer]:
        """Where seeds are written, as settings."""
        found = {}
        for path, at, target in self._entries("targets", targets):
            here, by_engine = at, (*at, "schema_by_engine")
            schema = self.engines.choose(
                target.schema_by_engine,
                target.schema,
                lambda name, by_engine=by_engine: self.document.locate((*by_engine, name), key=True),  # type: ignore[misc]
                self.problems,
            )
            values = {key: value for key, value in (("schema", schema), ("alias", target.table)) if value is not None}
            written = {"schema": "schema" if schema == target.schema else "schema_by_engine", "alias": "table"}
            if values:
                found[path] = Layer(values, {key: written[key] for key in values}, Passage(self.document, here))
        return found

    def _entries(self, key: str, said: Mapping[str, Any]) -> Iterable[tuple[str, KeyPath, Any]]:
        """What stands under *key*, by the path of the seed that is meant."""
        paths: dict[str, str] = {}
        for id_, value in said.items():
            at = (key, id_)
            meant = self.known.get(id_, ())
            place = self.document.locate(at, key=True)
            if not meant:
                self._wrong(f"there is no seed '{id_}'", place, nearest(id_, self.known))
            elif len(meant) > 1:
                self._wrong(f"'{id_}' may mean {' or '.join(meant)}", place, "write the path inside of the folder")
            elif meant[0] in paths:
                self._wrong(
                    f"{meant[0]} stands under {key}: twice, the other time as '{paths[meant[0]]}'",
                    place,
                    "keep one of the entries",
                )
            else:
                paths[meant[0]] = id_
                yield meant[0], at, value

    def _chosen(self, at: KeyPath, declared: Mapping[str, str | _Column]) -> dict[str, tuple[str, KeyPath]]:
        """The words that hold for the project's engine, and their places; the others are checked here."""
        words: dict[str, tuple[str, KeyPath]] = {}
        for column, value in declared.items():
            place = (*at, column)
            if isinstance(value, str):
                words[column] = (value, place)
                continue
            said = {name: (word, (*place, "engines", name)) for name, word in value.engines.items()}
            usual = (value.type, (*place, "type")) if value.type is not None else None
            chosen = self.engines.choose(
                said,
                usual,
                lambda name, place=place: self.document.locate((*place, "engines", name), key=True),  # type: ignore[misc]
                self.problems,
            )
            for one in (usual, *said.values()):
                if one is not None and one is not chosen:
                    self._word(*one, normal_word)
            if chosen is not None:
                words[column] = chosen
        return words

    def _words(
        self, at: KeyPath, columns: Mapping[str, tuple[str, KeyPath]], read: Callable[[str], str]
    ) -> dict[str, tuple[str, Location]]:
        found: dict[str, tuple[str, Location]] = {}
        seen: dict[str, str] = {}
        for column, (written, place) in columns.items():
            word = self._word(written, place, read)
            if column.casefold() in seen:
                self._wrong(
                    f"the column {column!r} stands here twice, the other time as {seen[column.casefold()]!r}",
                    self.document.locate((*at, column), key=True),
                    "keep one of them",
                )
            elif word is not None:
                found[column] = (word, self.document.locate(place))
            seen.setdefault(column.casefold(), column)
        return found

    def _word(self, written: str, at: KeyPath, read: Callable[[str], str]) -> str | None:
        try:
            return read(written)
        except ValueError as exc:
            self._wrong(str(exc), self.document.locate(at), None)
            return None

    def _wrong(self, message: str, location: Location, help: str | None) -> None:
        self.problems.add(SeedError(message, code="FF2207", location=location, help=help))
