"""Turns a model's template into the SQL that an engine gets, and remembers which line made which text."""

from __future__ import annotations

import copy
import datetime as dt
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.secrets import is_secret_name
from flowforge.contract import Dialect, EngineSpec
from flowforge.errors import Note, RenderError
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.portable.calls import translating_functions
from flowforge.portable.model import is_foreign, translated
from flowforge.portable.names import Placeholders
from flowforge.project.hooks import Hook
from flowforge.project.macros import PythonMacro
from flowforge.project.manifest import CheckDecl, Manifest, ModelConfig, Node, NodeKind, Source, SqlBody
from flowforge.project.own_checks import TABLE_WORDS, OwnCheck
from flowforge.rendering.cte import with_ctes
from flowforge.rendering.engines import FindEngine, engine_functions, find_among
from flowforge.rendering.portable import literal_filter, portable_functions
from flowforge.rendering.render import RenderContext, Rendered, check_statement, render, words_of
from flowforge.rendering.secret import before_reveal, mark, mask, reveal
from flowforge.rendering.source_map import SourceMap
from flowforge.rendering.table import QueryTable
from flowforge.run.asking import Ask
from flowforge.run.batches import Batch, BatchBounds, event_time_of
from flowforge.run.consulted import NOTHING_CONSULTED, Consulted, Consulting
from flowforge.run.hooks import CompiledHook, Draft, compile_hooks
from flowforge.run.plan import place
from flowforge.run.source_text import SourceTexts, StandIn, before_put_in, put_in
from flowforge.run.span import newest_window
from flowforge.values import Location, Namespace, Relation

_MISSING: Any = object()


@frozen
class This:
    """What ``this`` is in a template: the relation that the model becomes."""

    relation: str
    name: str
    schema: str | None
    database: str | None
    materialized: str

    def __str__(self) -> str:
        return self.relation


@frozen
class Compiled:
    """A compiled model.

    Parameters
    ----------
    sql:
        What people may see: secrets are masked.
    executable:
        What the engine gets.
    unrevealed:
        With a placeholder for each secret, which tells its name and not its value; for digests, never to be shown.
    inputs:
        The relations that it reads.
    locate:
        From an offset in *executable*, counted from 0, to the place in the project's files that made this text;
        *locate_unrevealed* from one in *unrevealed*.
    """

    node: str
    sql: str
    executable: str
    inputs: tuple[Relation, ...]
    locate: Callable[[int], Location | None]
    unrevealed: str
    locate_unrevealed: Callable[[int], Location | None]
    notes: tuple[Note, ...] = ()
    """Warnings about its translation from another dialect."""
    consulted: Consulted = NOTHING_CONSULTED

    def inside(self, executable: str, before: int) -> Compiled:
        """The same query as a part of another one, in which *before* characters stand in front of it."""
        locate = self.locate
        return attrs.evolve(
            self,
            executable=executable,
            locate=lambda offset: locate(offset - before) if offset >= before else None,
        )


@frozen
class _Piece:
    """A rendered model before the ephemeral models that it reads are put in front."""

    rendered: Rendered
    ephemeral: tuple[str, ...]
    inputs: tuple[Relation, ...]
    notes: tuple[Note, ...] = ()
    files: tuple[StandIn, ...] = ()
    filtered: tuple[tuple[str, str], ...] = ()
    """Names and queries of inputs of which only the rows of a window are read."""
    consulted: Consulted = NOTHING_CONSULTED


@frozen
class _Tested:
    """What a check's template sees: the node under test, or else what stands behind FROM, and further names."""

    node: str | None
    table: str
    words: Mapping[str, Any]


class Compiler:
    """Compiles the models of one project for one engine. Safe from any thread."""

    def __init__(
        self,
        manifest: Manifest,
        dag: Dag,
        *,
        engine: EngineSpec,
        dialect: Dialect,
        namespace: Namespace,
        environ: Mapping[str, str],
        vars: Mapping[str, Any],
        macros: Mapping[str, Callable[..., Any]] | None = None,
        function: Callable[[PythonMacro], Callable[..., Any]] | None = None,
        find_engine: FindEngine | None = None,
        root: Path = Path(),
    ) -> None:
        self.manifest = manifest
        self._dag = dag
        self._engine = engine
        self.dialect = dialect
        self.namespace = namespace
        self._environ = environ
        self._secrets = {name: value for name, value in environ.items() if is_secret_name(name)}
        self._vars = vars
        self._macros = macros or {}
        self._function = function
        self._helpers = {**portable_functions(dialect), **engine_functions(engine, find_engine or find_among({}))}
        self._filters = {"sql_literal": literal_filter(dialect)}
        self._ask: Ask | None = None
        self._lock = threading.Lock()
        self._ephemeral: dict[str, _Piece] = {}
        self._staged: Mapping[str, str] = {}
        self._sources = SourceTexts(root, engine, dialect, namespace)

    def asking(self, ask: Ask) -> Compiler:
        """A compiler for the same project, whose templates ask the database by *ask*."""
        other = copy.copy(self)
        other._ask, other._lock, other._ephemeral = ask, threading.Lock(), {}
        return other

    def reading(self, staged: Mapping[str, str]) -> Compiler:
        """A compiler whose templates read other rows in the place of those of some nodes.

        Parameters
        ----------
        staged:
            By a node's name, what stands behind FROM.
        """
        if not staged:
            return self
        other = copy.copy(self)
        other._staged, other._lock, other._ephemeral = staged, threading.Lock(), {}
        return other

    def over(
        self, manifest: Manifest, dag: Dag, vars: Mapping[str, Any], helpers: Mapping[str, Callable[..., Any]]
    ) -> Compiler:
        """A compiler for other models and variables on the same engine; *helpers* are functions of templates."""
        other = copy.copy(self)
        other.manifest, other._dag, other._vars = manifest, dag, vars
        other._helpers = {**self._helpers, **helpers}
        other._lock, other._ephemeral = threading.Lock(), {}
        return other

    def relation(self, node: Node) -> Relation:
        """Where *node* is written."""
        return place(node, self.namespace)

    def rows_of(self, node: Node) -> str:
        """What stands behind FROM to read *node*, which has a relation."""
        return self._staged.get(node.name) or self.dialect.render(self.relation(node))

    def source(self, source: Source) -> str:
        """What stands behind FROM to read *source*.

        Raises
        ------
        ConfigFileError
            When it is in files that this engine cannot read.
        """
        if source.node is not None:
            return self.rows_of(self.manifest.nodes[source.node])
        if source.files is not None:
            return self._sources.stand_in(source).executable
        return self.dialect.render(self._sources.relation(source))

    def relation_read(self, source: Source) -> Relation:
        """The relation that stands in a compiled query for *source*; files have a stand-in.

        Raises
        ------
        ConfigFileError
            When it is in files that this engine cannot read.
        """
        if source.node is not None:
            return self.relation(self.manifest.nodes[source.node])
        return self._sources.stand_in(source).relation if source.files else self._sources.relation(source)

    @staticmethod
    def has_query(node: Node, *, incremental: bool = False) -> bool:
        """Whether the rows of *node* (or with *incremental*, the new ones) come from a query, and not from Python."""
        if incremental and node.delta is not None:
            return node.delta.query is not None
        return node.query is not None

    def compile(self, name: str, *, incremental: bool = False, batch: Batch | None = None) -> Compiled:
        """Compile one SQL model; with *incremental*, for a table that stands and is to grow.

        Parameters
        ----------
        batch:
            Read only the rows of this window, of those inputs that say when their rows happened.

        Raises
        ------
        RenderError
            With the line that is to blame.
        """
        node = self.manifest.nodes[name]
        return self._finish(node, self._render(node, incremental=incremental, batch=batch))

    def compile_shown(self, name: str) -> Compiled:
        """As :meth:`compile`, for people: of a model that is built in windows, the newest one; its delta has to compile too."""
        node = self.manifest.nodes[name]
        if node.delta is not None and self.has_query(node, incremental=True):
            self.compile(name, incremental=True)
        if node.config.incremental is None or not node.config.incremental.in_windows:
            return self.compile(name)
        return self.compile(name, batch=Batch(newest_window(node, dt.datetime.now(dt.UTC))))

    def compile_hooks(self, name: str, *, incremental: bool = False) -> Mapping[str, tuple[CompiledHook, ...]]:
        """The statements that a model has run before and after it is built, by key; empty ones are left out.

        Raises
        ------
        RenderError
            At the place of the hook.
        """
        node = self.manifest.nodes[name]

        def render_hook(hook: Hook) -> Draft:
            piece = self._render(node, incremental=incremental, statement=hook)
            return Draft(piece.rendered.sql, piece.ephemeral, bool(piece.files))

        return compile_hooks(node, render_hook, self._secrets)

    def compile_inline(self, sql: str, path: str) -> Compiled:
        """Compile a query that is no model, such as that of ``flowforge show --inline``."""
        from flowforge.project.scan import scan_sql

        scan = scan_sql(sql, path)
        for problem in scan.problems:
            raise problem
        node = Node(
            name=path,
            kind=NodeKind.SQL,
            path=path,
            relation=Relation(path),
            config=ModelConfig(),
            body=SqlBody(scan.template, scan.simple),
        )
        return self._finish(node, self._render(node, inline=True))

    def compile_check(self, check: CheckDecl, own: OwnCheck, table: str, words: Mapping[str, Any]) -> Compiled:
        """Compile the query of a check that the project brings itself.

        Parameters
        ----------
        table:
            What stands behind FROM to read the table under test, where that is no node of the project.
        words:
            Further names of its template.
        """
        assert isinstance(own.body, SqlBody)
        reader = Node(
            name=own.name,
            kind=NodeKind.SQL,
            path=own.path,
            relation=Relation(own.name),
            config=ModelConfig(),
            body=own.body,
            depends_on=(*own.depends_on, *([check.node] if check.node is not None else [])),
            reads=own.reads,
        )
        return self._finish(reader, self._render(reader, tested=_Tested(check.node, table, words)))

    def _finish(self, node: Node, piece: _Piece) -> Compiled:
        ctes, inputs, files = self._ephemerals(piece)
        before = [*((self._cte(name), one.rendered.sql) for name, one in ctes), *piece.filtered]
        joined = with_ctes(piece.rendered.sql, before)
        secrets = self._secrets
        maps = [one.rendered.source_map for _, one in ctes]
        whole = {one.text: one.executable for one in files}
        complete = put_in(joined.sql, whole)

        def locate(offset: int) -> Location | None:
            return locate_unrevealed(before_put_in(joined.sql, whole, before_reveal(complete, secrets, offset)))

        def locate_unrevealed(offset: int) -> Location | None:
            where = joined.locate(offset)
            if where is None:
                return None
            index, inner = where
            if index is not None and index >= len(maps):
                return Location(node.path)  # of an input that is filtered by time
            source_map = piece.rendered.source_map if index is None else maps[index]
            return source_map.locate(inner)

        return Compiled(
            node=node.name,
            sql=mask(put_in(joined.sql, {one.text: one.shown for one in files})),
            executable=reveal(complete, secrets),
            inputs=tuple(dict.fromkeys((*piece.inputs, *inputs))),
            locate=locate,
            unrevealed=joined.sql,
            locate_unrevealed=locate_unrevealed,
            notes=tuple(dict.fromkeys((*piece.notes, *(note for _, one in ctes for note in one.notes)))),
            consulted=piece.consulted.with_all(one.consulted for _, one in ctes),
        )

    def _cte(self, name: str) -> str:
        return self.dialect.quote(f"__ff_cte__{self.manifest.nodes[name].relation.name}")

    def _ephemerals(self, piece: _Piece) -> tuple[list[tuple[str, _Piece]], tuple[Relation, ...], tuple[StandIn, ...]]:
        """The ephemeral models below *piece*, each after those that it reads; iterative, for chains of any depth."""
        done: dict[str, _Piece] = {}
        stack = [(name, False) for name in reversed(piece.ephemeral)]
        while stack:
            name, expanded = stack.pop()
            if name in done:
                continue
            one = self._ephemeral_piece(name)
            if expanded:
                done[name] = one
                continue
            stack.append((name, True))
            stack.extend((child, False) for child in reversed(one.ephemeral) if child not in done)
        inputs = tuple(relation for one in done.values() for relation in one.inputs)
        files = dict.fromkeys(stand_in for one in (piece, *done.values()) for stand_in in one.files)
        return list(done.items()), inputs, tuple(files)

    def _ephemeral_piece(self, name: str) -> _Piece:
        with self._lock:
            piece = self._ephemeral.get(name)
        if piece is None:
            piece = self._render(self.manifest.nodes[name])
            with self._lock:
                self._ephemeral[name] = piece
        return piece

    def _render(
        self,
        node: Node,
        *,
        inline: bool = False,
        incremental: bool = False,
        batch: Batch | None = None,
        statement: Hook | None = None,
        tested: _Tested | None = None,
    ) -> _Piece:
        body, path = node.query, node.path
        if incremental and node.delta is not None and statement is None:
            body, path = node.delta.query, node.delta.path
        if statement is not None:
            body, path = SqlBody(statement.template, statement.simple), statement.location.path
        assert body is not None
        ephemeral: dict[str, None] = {}
        filtered: dict[str, tuple[str, str]] = {}

        def in_time(input_: str, sql: str, event_time: str | None) -> str:
            if batch is None or event_time is None:
                return sql
            if input_ not in filtered:
                name = self.dialect.quote(f"__ff_window_{len(filtered) + 1}")
                condition = batch.condition(self.dialect, event_time, input_)
                filtered[input_] = (name, f"SELECT * FROM {sql} WHERE {condition}")
            return filtered[input_][0]

        inputs: dict[Relation, None] = {}
        written_in = node.config.dialect or self.manifest.dialect
        foreign = statement is None and is_foreign(written_in, self.dialect)
        placeholders = Placeholders()

        def said(relation: str) -> str:
            return placeholders.put(relation) if foreign else relation

        files: dict[StandIn, None] = {}

        def refuse_in_seed(call: str) -> None:
            if node.kind is NodeKind.SEED:
                raise RenderError(
                    f"a seed reads nothing, but this one asks for {call}", code="FF2210", help="make it a model"
                )

        def ref(*names: str) -> str:
            refuse_in_seed("ref()")
            target = self.manifest.find(names[-1]) if names else None
            if target is None:
                raise RenderError(
                    f"unknown model {names[-1]!r}" if names else "ref() needs the name of a model",
                    code="FF1203",
                    help=nearest(names[-1], (one.short_name for one in self.manifest.nodes.values()))
                    if names
                    else None,
                )
            if not inline and target.name not in node.depends_on:
                raise RenderError(
                    f"ref({names[-1]!r}) was not seen when the project was loaded, so it is no dependency",
                    code="FF1402",
                    help=f"add it: config(deps=[{target.short_name!r}])",
                )
            if target.materialized == "ephemeral":
                ephemeral[target.name] = None
                return said(in_time(target.name, self._cte(target.name), target.config.event_time))
            relation = self.relation(target)
            inputs[relation] = None
            rows = self.rows_of(target)
            if tested is not None and rows.startswith("("):  # not every engine takes a query without a name
                name = self.dialect.quote(f"__ff_staged_{len(filtered) + 1}")
                rows = filtered.setdefault(target.name, (name, f"SELECT * FROM {rows} AS ff__staged"))[0]
            return said(in_time(target.name, rows, target.config.event_time))

        def source(group: str, table: str) -> str:
            refuse_in_seed("source()")
            entry = self.manifest.sources.get(f"{group}.{table}")
            if entry is None:
                raise RenderError(
                    f"unknown source '{group}.{table}'",
                    code="FF1207",
                    help=nearest(f"{group}.{table}", self.manifest.sources),
                )
            if not inline and entry.id not in node.reads:
                raise RenderError(
                    f"source({group!r}, {table!r}) was not seen when the project was loaded",
                    code="FF1402",
                    help="write the names as literals",
                )
            if entry.node is not None and entry.node in self._staged:
                return said(self._staged[entry.node])
            relation = self.relation_read(entry)
            if entry.node is None and entry.files is not None:
                files[self._sources.stand_in(entry)] = None
            inputs[relation] = None
            return said(in_time(entry.id, self.dialect.render(relation), event_time_of(entry, self.manifest)))

        own = self.relation(node)
        this = This(
            relation=said(self.dialect.render(own)),
            name=own.name,
            schema=own.schema,
            database=own.database,
            materialized=node.materialized,
        )

        def run_query(sql: str) -> QueryTable:
            assert self._ask is not None
            if this.relation in sql:
                raise RenderError(
                    "run_query() cannot read the model's own table, which other runs may change meanwhile",
                    code="FF1423",
                    help="let the model's query read it: where at > (select max(at) from {{ this }})",
                )
            if foreign and written_in is not None:
                whole = Rendered(sql, SourceMap(node.path, sql, (0,), (0,), (0,)))
                sql = translated(whole, node.path, written_in, self.dialect, placeholders)[0].sql
            windows = tuple((name, query) for name, query in filtered.values() if name in sql)
            texts = (sql, *(query for _, query in windows))
            read = tuple(name for name in ephemeral if any(self._cte(name) in text for text in texts))
            piece = _Piece(Rendered(sql, SourceMap(node.path, sql)), read, (), (), tuple(files), windows)
            return self._ask(node, self._finish(node, piece).executable)

        functions = {}
        if self.manifest.macros.python and self._function is not None and not body.simple:
            needed = self.manifest.macros.python_of(words_of(body.template))
            functions = {macro.name: self._function(macro) for macro in needed}
        helpers, filters, doubts = self._helpers, self._filters, list[Note]()
        if foreign and written_in is not None and self.dialect.sqlglot is not None:
            more, filters = translating_functions(self.dialect, written_in, path, placeholders, doubts)
            helpers = {**helpers, **more}
        words: dict[str, Any] = {**self._macros, "batch": BatchBounds.of(batch)}
        consulting = Consulting(ref, self._var, self._env)
        if tested is not None:
            words |= {key: said(text) if isinstance(text, str) else text for key, text in tested.words.items()}
            words |= dict.fromkeys(TABLE_WORDS, ref(tested.node) if tested.node is not None else said(tested.table))
        context = RenderContext(
            ref=consulting.ref,
            source=source,
            var=consulting.var,
            env=consulting.env,
            engine=lambda default=None: self._engine.name,
            this=this,
            is_incremental=lambda: incremental,
            extra=words,
            library=self.manifest.macros,
            functions=functions,
            helpers=helpers,
            filters=filters,
            run_query=run_query if self._ask is not None else None,
        )
        rendered = render(body.template, context, path=path, model=node.short_name, simple=body.simple)
        macros = rendered.macros
        if statement is None:
            what = "model" if tested is None else "check"
            check_statement(rendered.sql, path, rendered.source_map, what)
        notes: tuple[Note, ...] = ()
        if foreign and written_in is not None:
            rendered, notes = translated(rendered, path, written_in, self.dialect, placeholders)
            notes = (*doubts, *notes)
        if node.config.incremental is not None:
            inputs[own] = None  # it may read what it wrote before
        return _Piece(
            rendered,
            tuple(ephemeral),
            tuple(inputs),
            notes,
            tuple(files),
            tuple(filtered.values()),
            consulting.told(body, macros, (*self._macros, *self.manifest.macros.python)),
        )

    def _var(self, name: str, default: Any = _MISSING) -> Any:
        if name in self._vars:
            return self._vars[name]
        if default is _MISSING:
            raise RenderError(
                f"the variable {name!r} has no value",
                code="FF1403",
                help=nearest(name, self._vars)
                or f"set it under `vars:` in project.yml, pass --vars {name}=..., or give var() a default",
            )
        return default

    def _env(self, name: str, default: Any = _MISSING) -> Any:
        value = self._environ.get(name)
        if value is None:
            if default is _MISSING:
                raise RenderError(
                    f"the environment variable {name} is not set",
                    code="FF1404",
                    help="set it, write it into .env, or give env() a default",
                )
            return default
        return mark(name) if is_secret_name(name) else value
