"""Reads ``tests/unit/*.yml``: which model, which rows it is given, and which it should make of them.

Knows YAML documents and the loaded project; reads no fixture's file and runs nothing.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from flowforge.config.check_entries import as_tuple
from flowforge.config.files import read_yaml
from flowforge.config.flaws import nearest
from flowforge.config.structure import structure, structure_plain
from flowforge.config.type_words import normal_word
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.contract import CheckSpec
from flowforge.errors import CheckConfigError, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl, Manifest, Node, NodeKind
from flowforge.project.windows import parse_moment
from flowforge.utest.generated import Generated
from flowforge.values import Location

FOLDER = "tests/unit"
THIS = "this"
"""The name of the input that is the table of an incremental model, as it stands."""

_WAYS = ("rows", "csv", "sql", "generate")


def _types(_instance: Any, _attribute: Any, value: Mapping[str, str]) -> None:
    for word in value.values():
        normal_word(word)


@frozen(kw_only=True)
class Fixture:
    """Rows of a table: as a list, as the text or the file of a CSV, or as a query.

    Parameters
    ----------
    columns:
        The types of columns, in the words of ``seeds/schema.yml``, where the values do not tell.
    """

    rows: tuple[Mapping[str, Any], ...] | None = None
    csv: str | None = None
    sql: str | None = None
    columns: Mapping[str, str] = attrs.field(factory=dict, validator=_types)


def _distances(_instance: Any, _attribute: Any, value: bool | Mapping[str, float]) -> None:
    if isinstance(value, Mapping) and any(not distance >= 0 for distance in value.values()):
        raise ValueError("a tolerance cannot be negative")


@frozen(kw_only=True)
class Given(Fixture):
    """Rows that are given, which may be made by rules too."""

    generate: Generated | None = None


@frozen(kw_only=True)
class Expectation(Fixture):
    """The rows that are expected.

    Parameters
    ----------
    checks:
        What is asked of the rows like of those of a model; beside the rows, or in their place.
    row_count:
        How many rows there are; beside the rows, or in their place.
    relation:
        The model's relation, if it is said at all.
    any_order, order_by:
        A table has no order, so rows are compared in any; ``any_order: false`` compares them as they come, *order_by*
        sorts both sides first.
    approx:
        ``true``, or by column how far numbers may be apart.
    subset:
        Further rows do not matter.
    """

    checks: tuple[Any, ...] = ()
    relation: str | None = None
    row_count: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))
    any_order: bool = True
    order_by: tuple[str, ...] = attrs.field(
        default=(),
        converter=as_tuple,
        metadata={"accepts": str | tuple[str, ...]},
    )
    approx: bool | Mapping[str, float] = attrs.field(default=False, validator=_distances)
    ignore_columns: tuple[str, ...] = ()
    subset: bool = False


def _moment(_instance: Any, _attribute: Any, value: str | None) -> None:
    if value is not None:
        parse_moment(value)


@frozen(kw_only=True)
class _Case:
    name: str
    inputs: Mapping[str, Given] = attrs.field(factory=dict)
    expect: Expectation
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    now: str | None = attrs.field(default=None, validator=_moment)
    description: str | None = None


@frozen(kw_only=True)
class _Defaults:
    inputs: Mapping[str, Any] = attrs.field(factory=dict)
    expect: Mapping[str, Any] = attrs.field(factory=dict)
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    now: str | None = attrs.field(default=None, validator=_moment)


@frozen(kw_only=True)
class _File:
    version: Literal[1, 2] = 1
    model: str
    engine: str | None = None
    defaults: _Defaults = attrs.field(factory=_Defaults)
    cases: tuple[Mapping[str, Any], ...]


FILE, CASE = _File, _Case
"""What a file is read into, and one of its cases."""


@frozen
class UnitCase:
    """One case of one model.

    Parameters
    ----------
    inputs:
        By name of the node, by id of the source, or :data:`THIS`.
    engine:
        It is meant for this engine only.
    now:
        The time stands still at this moment; in UTC.
    description:
        What it is about, for whoever sees it fail.
    checks:
        What is asked of the rows that the model makes.
    """

    name: str
    node: Node
    inputs: Mapping[str, Given]
    expect: Expectation
    vars: Mapping[str, Any]
    location: Location
    path: str
    engine: str | None = None
    now: dt.datetime | None = None
    description: str | None = None
    checks: tuple[CheckDecl, ...] = ()

    @property
    def id(self) -> str:
        """``model::case``."""
        return f"{self.node.short_name}::{self.name}"


def unit_files(root: Path) -> Sequence[str]:
    """The files of the folder, sorted; folders below it are not looked into."""
    folder = root / FOLDER
    if not folder.is_dir():
        return ()
    names = sorted(name for name in os.listdir(folder) if name.endswith((".yml", ".yaml")))
    return [f"{FOLDER}/{name}" for name in names if not name.startswith(".")]


def load_cases(
    root: Path,
    manifest: Manifest,
    problems: Problems,
    *,
    paths: Sequence[str] = (),
    specs: Callable[[], Mapping[str, CheckSpec]] = dict,
) -> list[UnitCase]:
    """All cases of the project, or of the files *paths*; what is wrong goes to *problems*.

    Parameters
    ----------
    specs:
        All installed checks by name; called only for a check that is not one of the core's own.
    """
    cases: list[UnitCase] = []
    for path in paths or unit_files(root):
        try:
            doc = read_yaml(root, path)
        except FlowForgeError as error:
            problems.add(error)
            continue
        cases.extend(_Reader(doc, manifest, problems, specs).cases())
    return cases


class _Reader:
    """Reads one file. One thread."""

    def __init__(
        self, doc: YamlDocument, manifest: Manifest, problems: Problems, specs: Callable[[], Mapping[str, CheckSpec]]
    ) -> None:
        self._specs = specs
        self._doc = doc
        self._manifest = manifest
        self._problems = problems

    def cases(self) -> list[UnitCase]:
        """All cases that make sense."""
        file = structure(self._doc, _File, problems=self._problems)
        if file is None:
            return []
        node = self._model(file.model)
        found: dict[str, UnitCase] = {}
        for index, raw in enumerate(file.cases):
            case = self._case(index, raw, file)
            if case is None or node is None:
                continue
            at = ("cases", index)
            if case.name in found:
                self._wrong(f"there are two cases {case.name!r} of {file.model!r}", (*at, "name"), "rename one of them")
                continue
            self._check_expectation(case, node, at)
            inputs = self._inputs(case, node, at)
            location = self._doc.locate((*at, "name"))
            found[case.name] = UnitCase(
                case.name,
                node,
                inputs,
                case.expect,
                case.vars,
                location,
                self._doc.path,
                file.engine,
                parse_moment(case.now) if case.now is not None else None,
                case.description,
                self._checks(case, raw, node, index),
            )
        return list(found.values())

    def _checks(self, case: _Case, raw: Mapping[str, Any], node: Node, index: int) -> tuple[CheckDecl, ...]:
        if not case.expect.checks:
            return ()
        from flowforge.utest.expected_checks import read_expected

        said = _reaches(raw, ("expect", "checks"))
        at: KeyPath = ("cases", index, "expect", "checks") if said else ("defaults", "expect", "checks")
        found = read_expected(case.expect.checks, self._doc, at, node, self._manifest, self._specs, self._problems)
        for check in found:
            given = {node.name, *case.inputs, *(self._input(name, node) for name in case.inputs)}
            for table in check.reads:
                if table.node not in given and table.name not in given:
                    self._add(
                        f"the check {check.id!r} reads {table.name!r}, which the case does not give",
                        check.location,
                        "add it to inputs, if the model reads it",
                    )
        return found

    def _model(self, name: str) -> Node | None:
        node = self._manifest.find(name)
        if node is not None and node.kind is not NodeKind.SEED:
            return node
        models = [one.short_name for one in self._manifest.nodes.values() if one.kind is not NodeKind.SEED]
        what = f"{name!r} is a seed" if node is not None else f"there is no model {name!r}"
        self._wrong(what, ("model",), nearest(name, models))
        return None

    def _case(self, index: int, raw: Mapping[str, Any], file: _File) -> _Case | None:
        defaults = attrs.asdict(file.defaults, recurse=False)
        at: KeyPath = ("cases", index)

        def locate(path: KeyPath, on_key: bool) -> Location:
            # What the case does not say itself comes from the defaults.
            own = _reaches(raw, path)
            return self._doc.locate((*at, *path) if own or not path else ("defaults", *path), key=on_key)

        merged = merge({key: value for key, value in defaults.items() if value}, raw)
        case = structure_plain(merged, _Case, problems=self._problems, locate=locate)
        if case is None:
            return None
        parts = [(("inputs", name), fixture) for name, fixture in case.inputs.items()]
        sound = True
        for path, fixture in [*parts, (("expect",), case.expect)]:
            ways = [way for way in _WAYS if getattr(fixture, way, None) is not None]
            counted = isinstance(fixture, Expectation) and (fixture.row_count is not None or bool(fixture.checks))
            if len(ways) != 1 and not (counted and not ways):
                said = f"gives rows in {len(ways)} ways: {', '.join(ways)}" if ways else "gives no rows"
                others = (
                    "rows, csv, sql and generate" if path[0] == "inputs" else "rows, csv, sql, row_count and checks"
                )
                self._add(f"{path[-1]!r} {said}", locate(path, True), f"write one of {others}")
                sound = False
            elif not fixture.columns and fixture.rows is not None and not any(fixture.rows) and path[0] == "inputs":
                self._add(
                    f"nobody knows the columns of {path[-1]!r}, which has no rows",
                    locate(path, True),
                    "say them: columns: {id: integer, name: string}",
                )
                sound = False
        return case if sound else None

    def _check_expectation(self, case: _Case, node: Node, at: KeyPath) -> None:
        expected = case.expect.relation
        if expected is not None and expected.removesuffix(".ff") not in (node.short_name, node.relation.name):
            self._wrong(
                f"'relation' names {expected!r}, but the model under test makes {node.relation.name!r}",
                (*at, "expect", "relation"),
                "remove it",
            )

    def _inputs(self, case: _Case, node: Node, at: KeyPath) -> Mapping[str, Given]:
        """By the names that the manifest has."""
        inputs: dict[str, Given] = {}
        for written, fixture in case.inputs.items():
            name = self._input(written, node)
            if name is None:
                known = [
                    *(self._manifest.nodes[one].short_name for one in node.depends_on),
                    *node.reads,
                    *([THIS] if node.config.incremental else []),
                ]
                place = (*at, "inputs", written) if _reaches(self._doc.at(at), ("inputs", written)) else at
                self._wrong(
                    f"{node.short_name!r} reads no {written!r}",
                    place,
                    nearest(written, known) or f"it reads {', '.join(known) or 'nothing'}",
                    key=True,
                )
            elif name in inputs:
                self._wrong(f"the input {written!r} is given twice", (*at, "inputs", written), "keep one", key=True)
            else:
                inputs[name] = fixture
        return inputs

    def _input(self, written: str, node: Node) -> str | None:
        """The name that the manifest has for an input: of a node, a source's id, or :data:`THIS`."""
        if written == THIS:
            return THIS if node.config.incremental is not None else None
        plain = written.strip()
        for opening, closing in (("ref(", ")"), ("source(", ")")):
            if plain.startswith(opening) and plain.endswith(closing):
                parts = [part.strip().strip("'\"") for part in plain[len(opening) : -1].split(",")]
                plain = ".".join(parts)
        below = self._below(node)
        passed_on = [one for one in below if self._manifest.nodes[one].materialized == "ephemeral"]
        reads = {source for one in (node.name, *passed_on) for source in self._manifest.nodes[one].reads}
        for source in sorted(reads):
            entry = self._manifest.sources[source]
            if plain in (source, entry.table, entry.relation.name, str(entry.relation)):
                return source
        found = self._manifest.find(plain)
        return found.name if found is not None and found.name in below else None

    def _below(self, node: Node) -> set[str]:
        """What a model reads, through ephemeral models too."""
        found: set[str] = set()
        stack = list(node.depends_on)
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                if self._manifest.nodes[name].materialized == "ephemeral":
                    stack.extend(self._manifest.nodes[name].depends_on)
        return found

    def _wrong(self, message: str, at: KeyPath, help: str | None, *, key: bool = False) -> None:
        self._add(message, self._doc.locate(at, key=key), help)

    def _add(self, message: str, location: Location, help: str | None) -> None:
        self._problems.add(CheckConfigError(message, code="FF3010", location=location, help=help))


def _reaches(data: Any, path: KeyPath) -> bool:
    """Whether there is something at *path*; lists count as reached, since they are replaced whole."""
    for step in path:
        if isinstance(data, list):
            return True
        if not isinstance(data, Mapping) or step not in data:
            return False
        data = data[step]
    return True


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """*above* over *below*: mappings are joined key by key, lists and single values replace what they find.

    Rows that are given in another way replace those of *below* too.
    """
    merged = dict(below)
    if any(way in above for way in _WAYS):
        for way in _WAYS:
            merged.pop(way, None)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
