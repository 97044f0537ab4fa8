"""The world of one unit test: the tables that it is given, and its model compiled to read those and nothing else.

Knows compiled models and sessions. Where the tables stand is said by others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from flowforge.contract import CreateKind, Dialect, EngineSpec, Session
from flowforge.errors import CheckConfigError, UnsupportedError
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.materialize.frames import as_table
from flowforge.materialize.moments import time_kind
from flowforge.project.manifest import Manifest, Node, NodeKind, Source
from flowforge.rendering.render import words_of
from flowforge.run.batches import Batch, event_time_of
from flowforge.run.check_tables import CheckTables
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.growing import compile_increment
from flowforge.run.modules import ProjectModules
from flowforge.run.python_node import call_model
from flowforge.run.span import newest_window
from flowforge.utest.files import THIS, Given, UnitCase
from flowforge.utest.fixtures import rows_of, select_of, select_of_table
from flowforge.utest.freezing import Clock, frozen_function, is_time, moving, refuse_clock
from flowforge.values import Namespace, Relation

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
class Surroundings:
    """What the worlds of all cases have in common. Safe from any thread."""

    root: Path
    manifest: Manifest
    engine: EngineSpec
    dialect: Dialect
    compiler: Compiler
    modules: ProjectModules


class NoTemporaryTables(Exception):
    """The engine has none."""


def _stands_in(source: Source, relation: Relation) -> Source:
    """A source whose rows are those of *relation*."""
    return Source(source.id, source.group, source.table, relation, source.location, event_time=source.event_time)


def asks_the_clock(world: World, dialect: Dialect) -> bool:
    """Whether the query of a world's model depends on the time, as far as it can be seen; Python code is not read."""
    query = world.query()
    return query is not None and any(is_time(one) for one in moving(query.executable, world.known, dialect))


class World:
    """The tables of one case, and the model compiled to read them. One thread.

    Parameters
    ----------
    home:
        Where its tables stand; ``None``: they are temporary, and stand in no schema.

    Raises
    ------
    CheckConfigError
        When the case does not give everything that its model reads, or asks for what cannot be done.
    """

    def __init__(self, case: UnitCase, around: Surroundings, home: Namespace | None = None) -> None:
        self._case = case
        self._around = around
        self._home = home
        node = case.node
        self.tables: dict[str, tuple[Relation, Given]] = {}
        self._names: set[str] = set()
        own = self._name(node.relation.name)
        if THIS in case.inputs:
            self.tables[THIS] = (own, case.inputs[THIS])
        nodes = {node.name: attrs.evolve(node, relation=own)}
        sources: dict[str, Source] = {}
        for name in self._needed(node):
            known, fixture = around.manifest.nodes.get(name), case.inputs.get(name)
            given = known.relation if known is not None else around.manifest.sources[name].relation
            relation = self._name(given.name)
            if fixture is not None:
                self.tables[name] = (relation, fixture)
            if known is None:
                sources[name] = _stands_in(around.manifest.sources[name], relation)
            elif fixture is None:
                nodes[name] = attrs.evolve(known, relation=relation)
            else:
                config = attrs.evolve(known.config, materialized="table", incremental=None)
                nodes[name] = attrs.evolve(known, relation=relation, config=config, depends_on=(), reads=())
        for known in list(nodes.values()):
            for name in known.reads:
                source = around.manifest.sources[name]
                if name not in sources and source.node in nodes:
                    sources[name] = _stands_in(source, nodes[source.node].relation)
        graph = Dag.build({name: [one for one in known.depends_on if one in nodes] for name, known in nodes.items()})
        manifest = attrs.evolve(around.manifest, nodes=nodes, sources=sources)
        self._nodes = nodes
        vars = {**around.manifest.vars, **case.vars}
        frozen = {}
        if case.now is not None:
            frozen["ff_current_timestamp"] = frozen_function(case.now, around.dialect)
        self._compiler = around.compiler.over(manifest, graph, vars, frozen)

    @property
    def known(self) -> list[Relation]:
        """The relations that its queries may read."""
        return [relation for relation, _ in self.tables.values()]

    def _name(self, wanted: str) -> Relation:
        """A name that no other table of the case has."""
        name, number = wanted, 1
        while name.casefold() in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name.casefold())
        return Relation(name).within(self._home) if self._home is not None else Relation(name)

    def _needed(self, node: Node) -> list[str]:
        """What has to be there: the given inputs, and ephemeral models that are not given.

        Raises
        ------
        CheckConfigError
            When the case does not give everything.
        """
        manifest, given = self._around.manifest, self._case.inputs
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
        sources = [self._around.manifest.sources[name] for name in node.reads]
        written = {ref.name.removesuffix(".ff") for ref in node.refs}
        given = self._case.inputs
        as_sources = {one.node for one in sources if one.id in given and one.node not in given}
        names = [name for name in node.depends_on if name.removesuffix(".ff") in written or name not in as_sources]
        return [*names, *(one.id for one in sources if one.id in given or one.node not in names)]

    def selects(self) -> list[tuple[str, Relation, str]]:
        """Name, table, and the query of its rows, of everything that is given.

        Raises
        ------
        CheckConfigError
            When rows cannot be read or have no types.
        """
        case, around = self._case, self._around
        found = []
        for name, (relation, fixture) in self.tables.items():
            if fixture.sql is not None:
                select = fixture.sql
            else:
                rows = rows_of(fixture, around.root, case.path, case.location)
                select = select_of(rows, fixture.columns, around.dialect, case.location, name.removesuffix(".ff"))
            found.append((name, relation, select))
        return found

    def fill(self, session: Session, clock: Clock | None) -> None:
        """Make the tables.

        Raises
        ------
        NoTemporaryTables
            When they should be temporary, and the engine has none.
        """
        kind = CreateKind.TEMP if self._home is None else CreateKind.TABLE
        for name, relation, select in self.selects():
            if clock is not None and self.tables[name][1].sql is not None:
                select = clock.freeze(select, self.known).sql
            try:
                session.create_as(relation, select, kind)
            except UnsupportedError as error:
                if kind is CreateKind.TEMP:
                    raise NoTemporaryTables from error
                raise

    def keep(self, session: Session, rows: pa.Table, sql: str | None) -> Relation:
        """A further table of the case, with the rows that the model made, for whoever asks them.

        Parameters
        ----------
        sql:
            The query that made them, if it was one: not every value can be written down.

        Raises
        ------
        NoTemporaryTables
            As in :meth:`fill`.
        CheckConfigError
            When two columns have one name.
        """
        if len(set(rows.column_names)) < rows.num_columns:
            raise CheckConfigError(
                f"{self._case.node.short_name!r} makes two columns of one name, so nobody can check its rows",
                code="FF3010",
                location=self._case.location,
                help="give each column a name of its own",
            )
        relation = self._name(f"ff_made_{self._case.node.relation.name}")
        kind = CreateKind.TEMP if self._home is None else CreateKind.TABLE
        session.create_as(relation, sql or select_of_table(rows, self._around.dialect), kind)
        return relation

    @property
    def check_tables(self) -> CheckTables:
        """Where the tables of the case stand."""
        home = self._home or Namespace()
        return CheckTables(self._compiler.manifest, self._compiler, self._around.dialect, home)

    def node(self) -> Node:
        """The model as it is asked: what makes the new rows, when its table is given."""
        node = self._nodes[self._case.node.name]
        if self.grows and node.delta is not None and not self._compiler.has_query(node, incremental=True):
            return attrs.evolve(node, kind=NodeKind.PYTHON, body=node.delta.body, path=node.delta.path)
        return node

    @property
    def grows(self) -> bool:
        """Whether the model's table is given, so that its new rows are asked for."""
        return THIS in self._case.inputs

    def query(self, session: Session | None = None) -> Compiled | None:
        """The model's query; ``None`` when its rows come from Python.

        Parameters
        ----------
        session:
            Where the tables stand; without one the columns of time are taken for timestamps.

        Raises
        ------
        CheckConfigError
            ``FF3018``, when the model asks for its window, and the test does not say which.
        """
        node = self.node()
        if node.kind is NodeKind.PYTHON:
            return None
        if self._in_windows:
            batch = self._batch(session)
            if batch is None and "batch" in self._words(node):
                raise CheckConfigError(
                    f"{node.short_name!r} is built in windows and asks for its own, which the test does not say",
                    code="FF3018",
                    location=self._case.location,
                    help="say a moment of the window: now: 2024-03-01",
                )
            return self._compiler.compile(node.name, incremental=self.grows, batch=batch)
        query = self._compiler.compile(node.name)
        if self.grows:
            return compile_increment(self._compiler, node, query) or query
        return query

    @property
    def _in_windows(self) -> bool:
        settings = self._case.node.config.incremental
        return settings is not None and settings.in_windows

    def _batch(self, session: Session | None) -> Batch | None:
        """The window that the test's time is in; without a time all rows are of one window."""
        if not self._in_windows or self._case.now is None:
            return None
        kinds = {}
        for name, (relation, _) in self.tables.items():
            column = self._event_time(name)
            schema = session.schema_of(relation) if session is not None and column is not None else None
            fold = self._around.dialect.fold
            for field in schema or ():
                kind = time_kind(field.type) if column is not None and fold(field.name) == fold(column) else None
                if kind is not None:
                    kinds[name] = kind
        return Batch(newest_window(self._case.node, self._case.now), kinds)

    def _event_time(self, name: str) -> str | None:
        """The column that says when the rows of an input happened."""
        manifest = self._around.manifest
        if name in manifest.sources:
            return event_time_of(manifest.sources[name], manifest)
        return manifest.nodes[name].config.event_time if name in manifest.nodes else None

    def inputs(self, session: Session | None = None) -> dict[str, tuple[Relation, str]]:
        """What a model in Python is called with; *session* as in :meth:`query`."""
        batch = self._batch(session)
        return {name: self._input(name, batch) for name in self._inputs_in_order(self.node())}

    def ask(self, session: Session, clock: Clock | None, asked: list[Compiled]) -> pa.Table:
        """The rows that the model makes; its query goes to *asked* before it runs."""
        node, around = self.node(), self._around
        query = self.query(session)
        if query is None:
            if clock is not None:
                refuse_clock(around.root, node, [node.path], self._case.location)
            inputs = self.inputs(session)
            if clock is not None:
                inputs = {name: (one, clock.freeze(sql, self.known).sql) for name, (one, sql) in inputs.items()}
            frame = call_model(node, around.root, around.modules, session, around.dialect, inputs)
            return as_table(frame, node=node.name, path=node.path)
        if clock is not None:
            macros = around.manifest.macros.python_of(self._words(node)) if around.manifest.macros.python else ()
            refuse_clock(around.root, node, sorted({one.path for one in macros}), self._case.location)
            frozen, locate = clock.freeze(query.executable, self.known, query.locate), query.locate
            query = attrs.evolve(query, executable=frozen.sql, locate=lambda offset: locate(frozen.back(offset)))
        asked.append(query)
        return session.query(query.executable).read_all()

    def _words(self, node: Node) -> set[str]:
        """All words in the templates that become the model's query."""
        found: set[str] = set()
        for one in [node, *(each for each in self._nodes.values() if each.materialized == "ephemeral")]:
            bodies = (one.query, one.delta.query if one.delta is not None else None)
            found.update(*(words_of(body.template) for body in bodies if body is not None and not body.simple))
        return found

    def _inputs_in_order(self, node: Node) -> list[str]:
        short = {self._nodes[name].short_name: name for name in node.depends_on}
        return [short[ref.name.removesuffix(".ff")] for ref in node.refs]

    def _input(self, name: str, batch: Batch | None) -> tuple[Relation, str]:
        node, dialect = self._nodes[name], self._around.dialect
        column = node.config.event_time
        select = f"SELECT * FROM {dialect.render(node.relation)}"
        if node.materialized == "ephemeral":
            select = self._compiler.compile(name).executable
        if batch is None or column is None:
            return node.relation, select
        return node.relation, f"SELECT * FROM (\n{select}\n) AS ff_rows WHERE {batch.condition(dialect, column, name)}"
