"""Runs unit tests: each case on a session of its own, where temporary tables hold the rows that it is given.

A temporary table belongs to its session: cases do not see each other, nothing is left behind whatever happens, and no
table of the database is read or written. Knows compiled models and sessions; prints nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from flowforge.contract import CreateKind, Dialect, EngineSpec, Session
from flowforge.errors import CheckConfigError, EngineError, FlowForgeError
from flowforge.graph.dag import Dag
from flowforge.materialize.frames import as_table
from flowforge.project.manifest import Manifest, Node, NodeKind, Source
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.growing import compile_increment
from flowforge.run.modules import ProjectModules
from flowforge.run.python_node import call_model
from flowforge.utest.comparing import Difference, compare
from flowforge.utest.files import THIS, Fixture, UnitCase
from flowforge.utest.fixtures import Rows, rows_of, select_of
from flowforge.values import Location, Namespace, Relation

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen
class UnitResult:
    """How a case ended.

    Parameters
    ----------
    status:
        ``skip``: it is meant for another engine; ``error``: the model could not be run.
    differences:
        Of a case that failed.
    message:
        Why, of the others.
    duration:
        Seconds.
    """

    case: UnitCase
    status: Literal["pass", "fail", "error", "skip"]
    duration: float = 0.0
    differences: tuple[Difference, ...] = ()
    message: str | None = None
    error: FlowForgeError | None = None


@attrs.frozen
class Stand:
    """Everything that the cases of one run share. Safe from any thread.

    Parameters
    ----------
    compiler:
        Makes a compiler for another manifest and graph, with everything in one name space, and other variables.
    open_session:
        Takes the label.
    """

    root: Path
    manifest: Manifest
    engine: EngineSpec
    dialect: Dialect
    compiler: Callable[[Manifest, Dag, Namespace, Mapping[str, Any]], Compiler]
    open_session: Callable[[str], contextlib.AbstractContextManager[Session]]
    error: Callable[[BaseException], EngineError | None]
    modules: ProjectModules


def run_case(case: UnitCase, stand: Stand) -> UnitResult:
    """Run one case. On a worker's thread; whatever goes wrong is in the result."""
    start = time.perf_counter()
    if case.engine is not None and case.engine not in (stand.engine.name, *stand.engine.aliases):
        return UnitResult(case, "skip", message=f"it is meant for {case.engine}")
    try:
        differences = _differences(case, stand)
    except FlowForgeError as error:
        error.location = error.location or case.location
        return UnitResult(case, "error", time.perf_counter() - start, message=error.message, error=error)
    except LookupError as problem:
        return UnitResult(case, "fail", time.perf_counter() - start, message=str(problem.args[0]))
    spent = time.perf_counter() - start
    return UnitResult(case, "fail" if differences else "pass", spent, tuple(differences))


def _differences(case: UnitCase, stand: Stand) -> list[Difference]:
    world = _World(case, stand)
    expected = rows_of(case.expect, stand.root, case.path, case.location) if case.expect.sql is None else None
    compiled: list[Compiled] = []
    try:
        with stand.open_session(f"flowforge/utest/{case.id}") as session:
            world.fill(session)
            came = world.ask(session, compiled)
            if expected is None:
                assert case.expect.sql is not None
                wanted = session.query(case.expect.sql).read_all()
                columns = tuple(wanted.column_names)
                expected = Rows(columns, tuple(_plain(wanted)))
    except Exception as problem:
        error = problem if isinstance(problem, EngineError) else stand.error(problem)
        if error is None or (isinstance(problem, FlowForgeError) and error is not problem):
            raise
        if compiled:
            place = compiled[0].locate(error.position) if error.position is not None else None
            error.location = place or Location(case.node.path)
        raise error from problem.__cause__
    return compare(came.column_names, _plain(came), expected, case.expect)


def _plain(table: pa.Table) -> list[tuple[Any, ...]]:
    import pyarrow as pa

    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        columns.append(column.to_pylist())
    return list(zip(*columns, strict=True)) if columns else []


def _stands_in(source: Source, relation: Relation) -> Source:
    """A source whose rows are those of *relation*."""
    return Source(source.id, source.group, source.table, relation, source.location)


class _World:
    """The tables of one case, and the model compiled to read them."""

    def __init__(self, case: UnitCase, stand: Stand) -> None:
        self._case = case
        self._stand = stand
        node = case.node
        self._tables: dict[str, tuple[Relation, Fixture]] = {}
        self._names: set[str] = set()
        own = self._name(node.relation.name)
        if THIS in case.inputs:
            self._tables[THIS] = (own, case.inputs[THIS])
        nodes = {node.name: attrs.evolve(node, relation=own)}
        sources: dict[str, Source] = {}
        for name in self._needed(node):
            known, fixture = stand.manifest.nodes.get(name), case.inputs.get(name)
            given = known.relation if known is not None else stand.manifest.sources[name].relation
            relation = self._name(given.name)
            if fixture is not None:
                self._tables[name] = (relation, fixture)
            if known is None:
                sources[name] = _stands_in(stand.manifest.sources[name], relation)
            elif fixture is None:
                nodes[name] = attrs.evolve(known, relation=relation)
            else:
                config = attrs.evolve(known.config, materialized="table", incremental=None)
                nodes[name] = attrs.evolve(known, relation=relation, config=config, depends_on=(), reads=())
        for known in list(nodes.values()):
            for name in known.reads:
                source = stand.manifest.sources[name]
                if name not in sources and source.node in nodes:
                    sources[name] = _stands_in(source, nodes[source.node].relation)
        graph = Dag.build({name: [one for one in known.depends_on if one in nodes] for name, known in nodes.items()})
        manifest = attrs.evolve(stand.manifest, nodes=nodes, sources=sources)
        self._nodes = nodes
        vars = {**stand.manifest.vars, **case.vars}
        self._compiler = stand.compiler(manifest, graph, Namespace(), vars)

    def _name(self, wanted: str) -> Relation:
        """A name that no other table of the case has; temporary tables stand in no schema."""
        name, number = wanted, 1
        while name.casefold() in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name.casefold())
        return Relation(name)

    def _needed(self, node: Node) -> list[str]:
        """What has to be there: the given inputs, and ephemeral models that are not given.

        Raises
        ------
        CheckConfigError
            When the case does not give everything.
        """
        manifest, given = self._stand.manifest, self._case.inputs
        found: list[str] = []
        missing: list[str] = []
        stack = [*self._reads(node)]
        while stack:
            name = stack.pop()
            if name in found or name == node.name:
                continue
            known = manifest.nodes.get(name)
            if name in given:
                found.append(name)
            elif known is not None and known.materialized == "ephemeral":
                found.append(name)
                stack.extend(self._reads(known))
            else:
                missing.append(name.removesuffix(".ff"))
        if missing:
            names = ", ".join(sorted(missing))
            raise CheckConfigError(
                f"{node.short_name!r} also reads {names}, which the case does not give",
                code="FF3011",
                location=self._case.location,
                help=f"add it to inputs; for no rows: {sorted(missing)[0]}: {{rows: [], columns: {{id: integer}}}}",
            )
        return found

    def _reads(self, node: Node) -> list[str]:
        """Nodes and sources; a table of the project that is read as a source too is named once, as it is given."""
        sources = [self._stand.manifest.sources[name] for name in node.reads]
        written = {ref.name.removesuffix(".ff") for ref in node.refs}
        given = self._case.inputs
        as_sources = {one.node for one in sources if one.id in given and one.node not in given}
        names = [name for name in node.depends_on if name.removesuffix(".ff") in written or name not in as_sources]
        return [*names, *(one.id for one in sources if one.id in given or one.node not in names)]

    def fill(self, session: Session) -> None:
        """Make the tables."""
        case, dialect = self._case, self._stand.dialect
        for name, (relation, fixture) in self._tables.items():
            if fixture.sql is not None:
                select = fixture.sql
            else:
                rows = rows_of(fixture, self._stand.root, case.path, case.location)
                select = select_of(rows, fixture.columns, dialect, case.location, name.removesuffix(".ff"))
            session.create_as(relation, select, CreateKind.TEMP)

    def ask(self, session: Session, compiled: list[Compiled]) -> pa.Table:
        """The rows that the model makes; its query goes to *compiled* before it runs."""
        node = self._nodes[self._case.node.name]
        grows = THIS in self._case.inputs
        if grows and node.delta is not None and not self._compiler.has_query(node, incremental=True):
            node = attrs.evolve(node, kind=NodeKind.PYTHON, body=node.delta.body, path=node.delta.path)
        if node.kind is NodeKind.PYTHON:
            inputs = {name: self._input(name) for name in self._inputs_in_order(node)}
            frame = call_model(node, self._stand.root, self._stand.modules, session, self._stand.dialect, inputs)
            return as_table(frame, node=node.name, path=node.path)
        query = self._compiler.compile(node.name)
        if grows and node.config.incremental is not None and node.config.incremental.in_windows:
            query = self._compiler.compile(node.name, incremental=True)  # the rows of a test are all of one window
        elif grows:
            query = compile_increment(self._compiler, node, query) or query
        compiled.append(query)
        return session.query(query.executable).read_all()

    def _inputs_in_order(self, node: Node) -> list[str]:
        short = {self._nodes[name].short_name: name for name in node.depends_on}
        return [short[ref.name.removesuffix(".ff")] for ref in node.refs]

    def _input(self, name: str) -> tuple[Relation, str]:
        node = self._nodes[name]
        if node.materialized == "ephemeral":
            return node.relation, self._compiler.compile(name).executable
        return node.relation, f"SELECT * FROM {self._stand.dialect.render(node.relation)}"
