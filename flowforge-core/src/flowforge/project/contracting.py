"""Joins the contracts of a project: what each file says, what ``contracts.yml`` fills in, and which checks follow.

A column's own words count first, then those of the first rule that says something; a contract's own mode first, then
the one that ``contracts.yml`` has for its table, then the one for all. Knows names of nodes and sources; no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.config.check_entries import RawCheck
from flowforge.config.contracts import RULES, ColumnRules, ContractFile, SharedRules, load_contract, load_shared
from flowforge.config.flaws import nearest
from flowforge.config.parsed import Parsed
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError, Note, Problems
from flowforge.frozen import frozen
from flowforge.project.contracts import Contract, ContractColumn
from flowforge.project.manifest import ColumnInfo, Manifest, Node
from flowforge.values import Location

TAG = "contract"
"""The tag of all checks that contracts make."""

Choose = Callable[[Mapping[str, Any], Callable[[str], Location]], Any]
"""Picks what is said for the project's engine, else ``default``; ``None``: nothing is. Gets the places of the keys."""
Resolve = Callable[[str], str | None]
"""The node that a table's name means."""


@frozen
class Contracted:
    """What became of the contracts.

    Parameters
    ----------
    contracts:
        By node, or by the id of a source.
    checks:
        Those that follow from them.
    """

    contracts: Mapping[str, Contract] = attrs.field(factory=dict)
    checks: tuple[RawCheck, ...] = ()
    notes: tuple[Note, ...] = ()


@frozen
class _Said:
    """One key of a column, and where it stands."""

    value: Any
    doc: YamlDocument
    at: KeyPath


def read_contracts(
    root: Path,
    paths: Iterable[str],
    manifest: Manifest,
    resolve: Resolve,
    choose: Choose,
    disabled: Collection[str],
    problems: Problems,
    parsed: Parsed,
) -> Contracted:
    """Read the files *paths* and ``contracts.yml``, and bring them together; what is wrong goes to *problems*."""
    found = (load_contract(root, path, problems, parsed) for path in paths)
    contracts = [entry for entry in found if entry is not None]
    shared = load_shared(root, problems, parsed)
    return join_contracts(contracts, shared, manifest, resolve, choose, disabled, problems)


def join_contracts(
    files: Iterable[ContractFile],
    shared: SharedRules,
    manifest: Manifest,
    resolve: Resolve,
    choose: Choose,
    disabled: Collection[str],
    problems: Problems,
) -> Contracted:
    """Bring the files together; what is wrong with them goes to *problems*.

    Parameters
    ----------
    disabled:
        Names of models that are no part of the project here; their contracts are left out.
    """
    joiner = _Joiner(shared, manifest, resolve, choose, disabled, problems)
    for file in files:
        joiner.add(file)
    joiner.look_at_tables()
    unused = tuple(
        Note(
            f"this rule fits no column that a contract lists: {rule.name.pattern!r}",
            "FF3067",
            shared.place(rule.at),
            "list the columns in their contracts, or correct the pattern",
        )
        for rule in shared.defaults
        if rule.at not in joiner.used
    )
    return Contracted(joiner.contracts, tuple(joiner.checks), unused if not len(problems) else ())


class _Joiner:
    """Goes through the files of one project. One thread."""

    def __init__(
        self,
        shared: SharedRules,
        manifest: Manifest,
        resolve: Resolve,
        choose: Choose,
        disabled: Collection[str],
        problems: Problems,
    ) -> None:
        self.contracts: dict[str, Contract] = {}
        self.checks: list[RawCheck] = []
        self.used: set[KeyPath] = set()
        self._shared = shared
        self._manifest = manifest
        self._resolve = resolve
        self._choose = choose
        self._disabled = disabled
        self._problems = problems
        self._tables = {self._key(name) or name: (name, *said) for name, said in shared.tables.items()}
        for rule in shared.defaults:
            if all(getattr(rule.says, name) is None for name in RULES):
                self._wrong(
                    "this rule says nothing of the columns", shared.place(rule.at), f"say one of {', '.join(RULES)}"
                )

    def _wrong(self, message: str, location: Location, help: str | None, code: str = "FF3062") -> None:
        self._problems.add(ConfigFileError(message, code=code, location=location, help=help))

    def _key(self, table: str) -> str | None:
        """The node or the source that a name means."""
        node = self._resolve(table)
        if node is not None:
            return node
        source = self._manifest.source_called(table)
        return source.id if source is not None else None

    def add(self, file: ContractFile) -> None:
        """Take one file in."""
        key = self._key(file.table)
        if key is None:
            if file.table.removesuffix(".ff") not in self._disabled:
                self._unknown(file.table, file.location)
            return
        if key in self.contracts:
            self._wrong(
                f"{file.table!r} has two contracts",
                file.location,
                f"the other one is {self.contracts[key].location}",
                "FF3061",
            )
            return
        seen: dict[str, str] = {}
        columns = {}
        for name, own in file.columns.items():
            if name.casefold() in seen:
                self._wrong(
                    f"the column {name!r} is listed twice, the other time as {seen[name.casefold()]!r}",
                    file.doc.locate(("columns", name), key=True),
                    "keep one of them",
                )
                continue
            seen[name.casefold()] = name
            said = self._said(file, name, own)
            column = self._column(file, name, said)
            columns[name] = column
            self.checks += _checks(file, column, said)
        node = self._manifest.nodes.get(key)
        mode, extra = self._enforcement(file, key, node)
        self.contracts[key] = Contract(
            file.table,
            file.location,
            columns,
            mode,
            extra,
            node.name if node is not None else None,
            key if node is None else None,
        )

    def _unknown(self, table: str, location: Location) -> None:
        known = {node.short_name for node in self._manifest.nodes.values()} | set(self._manifest.sources)
        self._wrong(
            f"there is no model, seed or source {table!r}",
            location,
            nearest(table.removesuffix(".ff"), known) or "`flowforge ls` shows the names of the project",
            "FF3060",
        )

    def _said(self, file: ContractFile, name: str, own: ColumnRules) -> dict[str, _Said]:
        """What counts for a column, by key."""
        found: dict[str, _Said] = {}
        layers: list[tuple[ColumnRules, YamlDocument, KeyPath]] = [(own, file.doc, ("columns", name))]
        table = file.table.removesuffix(".ff")
        for rule in self._shared.defaults:
            if rule.fits(table, name) and self._shared.doc is not None:
                self.used.add(rule.at)
                layers.append((rule.says, self._shared.doc, rule.at))
        for rules, doc, at in layers:
            for key in RULES:
                value = getattr(rules, key)
                if value is not None and key not in found:
                    found[key] = _Said(value, doc, at)
        return found

    def _column(self, file: ContractFile, name: str, said: dict[str, _Said]) -> ContractColumn:
        physical = said.get("physical")
        if physical is not None and isinstance(physical.value, Mapping):
            doc, at = physical.doc, (*physical.at, "physical")
            chosen = self._choose(physical.value, lambda engine: doc.locate((*at, engine), key=True))
            if chosen is None:
                del said["physical"]
            else:
                said["physical"] = attrs.evolve(physical, value=chosen)
        values = {key: one.value for key, one in said.items()}
        return ContractColumn(name, file.doc.locate(("columns", name), key=True), **values)

    def _enforcement(self, file: ContractFile, key: str, node: Node | None) -> tuple[str, bool]:
        """The mode, and whether other columns may be there."""
        name, mode, extra = self._tables.get(key, (file.table, None, None))
        place = self._shared.place(("enforcement", "tables", name, "mode"))
        if file.mode is not None:
            mode, place = file.mode, file.doc.locate(("enforce_schema", "mode"))
        if file.allow_extra_columns is not None:
            extra = file.allow_extra_columns
        allowed = self._shared.allow_extra_columns if extra is None else extra
        made = node is not None and node.materialized != "ephemeral"
        if mode not in (None, "off") and not made:
            what = "an ephemeral model has no table" if node is not None else "FlowForge does not build sources"
            self._wrong(
                f"mode: {mode} cannot be enforced for {file.table!r}: {what}",
                place,
                "say mode: off; checks look at it all the same",
            )
        if mode is None:
            mode = self._shared.default_mode if made else "off"
        return mode, allowed

    def look_at_tables(self) -> None:
        """Complain about tables of ``contracts.yml`` that have no contract."""
        for key, (name, *_) in self._tables.items():
            place = self._shared.place(("enforcement", "tables", name), key=True)
            if name.removesuffix(".ff") in self._disabled or key in self.contracts:
                continue
            if self._key(name) is None:
                self._unknown(name, place)
            else:
                self._wrong(
                    f"{name!r} has no contract that could be enforced",
                    place,
                    f"write one: models/{name.removesuffix('.ff')}.contracts.yml with `table:` and `columns:`",
                )


def _checks(file: ContractFile, column: ContractColumn, said: Mapping[str, _Said]) -> Iterator[RawCheck]:
    """The checks that follow from what is said of a column; at least one of them looks whether it is there."""

    def check(type_: str, key: str | None, params: Mapping[str, Any]) -> RawCheck:
        own = _Said(None, file.doc, ("columns", column.name))
        origin = said.get(key, own) if key is not None else own
        return RawCheck(
            type_,
            params,
            file.table,
            origin.doc,
            (*origin.at, key) if key is not None else origin.at,
            column.name,
            tags=(TAG,),
            params_at=origin.at,
            prefix=f"{TAG}_",
        )

    before = 0
    for made in _made(column, check):
        before += 1
        yield made
    if not before:
        yield check("column_exists", None, {})


def _made(column: ContractColumn, check: Callable[[str, str, Mapping[str, Any]], RawCheck]) -> Iterator[RawCheck]:
    if column.physical is not None:
        yield check("column_physical_type", "physical", {"physical": column.physical})
    if column.type is not None:
        yield check("column_type", "type", {"type": column.type})
    if not column.nullable:
        yield check("not_null", "nullable", {})
    if column.unique:
        yield check("unique", "unique", {})
    if column.enum:
        yield check("accepted_values", "enum", {"values": list(column.enum)})
    bounds = {key: value for key in ("min", "max") if (value := getattr(column, key)) is not None}
    if bounds:
        yield check("between", next(iter(bounds)), bounds)
    if column.regex is not None:
        yield check("regex_match", "regex", {"regex": column.regex})


def with_contracts(manifest: Manifest, contracted: Contracted) -> Manifest:
    """The manifest with contracts at their nodes; descriptions of columns count where nothing else describes them."""
    nodes = dict(manifest.nodes)
    for key, contract in contracted.contracts.items():
        node = nodes.get(key)
        if node is None:
            continue
        columns = dict(node.columns)
        for column in contract.columns.values():
            known = columns.get(column.name)
            if column.description is not None and (known is None or known.description is None):
                columns[column.name] = ColumnInfo(column.name, column.description)
        nodes[key] = attrs.evolve(node, contract=contract, columns=columns)
    return attrs.evolve(
        manifest, nodes=nodes, contracts=contracted.contracts, notes=(*manifest.notes, *contracted.notes)
    )
