"""Executes one node of a plan on one session, and turns whatever goes wrong into an error with a place."""

from __future__ import annotations

import datetime as dt
import functools
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from flowforge.contract import Dialect, EngineSpec, LoadMode, Session, TableOptions
from flowforge.errors import (
    Committed,
    EngineError,
    ErrorKind,
    FlowForgeError,
    InternalError,
    ModelExecutionError,
    TestFailureError,
)
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.materialize.casting import Casting
from flowforge.materialize.frames import write_frame
from flowforge.materialize.publish import Audit, Publication, Published, Publisher, Writer
from flowforge.materialize.quarantine import Quarantine
from flowforge.project.manifest import Node, NodeKind
from flowforge.run.batches import Batch, event_time_of
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.contracts import casting_of
from flowforge.run.growing import compile_increment, increment_of
from flowforge.run.histories import history_of
from flowforge.run.hooks import CompiledHook, hooks_of
from flowforge.run.lacking import table_options
from flowforge.run.ledger import Decision, Ledger, backing_of, kind_of
from flowforge.run.modules import ProjectModules
from flowforge.run.plan import Action, PlanNode
from flowforge.run.python_node import blame, call_model
from flowforge.run.result import NodeResult, WindowResult
from flowforge.run.sessions import Sessions
from flowforge.run.windows import Built, Workshop
from flowforge.seeds.loaded import Origin
from flowforge.state.meta import read_meta_row
from flowforge.state.policy import CacheMode
from flowforge.values import Location, Relation, RelationKind

SeedWriter = Callable[[Node, Session, Relation, LoadMode], int]
AuditMaker = Callable[[Node, bool], Audit | None]
"""Makes the audit of a node's rows; the flag says that they stand in the database already."""

Retry = Callable[[Callable[[], Published], Node], Published]
"""Calls a step again when it failed for a reason that may pass."""


@frozen
class Bench:
    """Everything that the workers of one run share."""

    root: Path
    run_id: str
    engine: EngineSpec
    open_session: Callable[[str, float | None], Session]
    """Takes the label, and the seconds that a statement may take when the node says so."""
    dialect: Dialect
    error: Callable[[BaseException], EngineError | None]
    publisher: Publisher
    compiler: Compiler
    modules: ProjectModules
    nodes: Mapping[str, Node]
    planned: frozenset[str]
    write_seed: SeedWriter
    make_audit: AuditMaker
    redact: Callable[[str], str]
    ledger: Ledger
    read_by_others: Callable[[str], bool]
    """Whether any node of the project reads the node of this name."""
    retry: Retry
    examine: Callable[[Node], None] = lambda node: None
    """Called before a node is built or left as it is; raises when it may not be."""
    quarantine_of: Callable[[Node], Quarantine | None] = lambda node: None
    """Where rows of a node go that fail checks."""
    keep_last: int | None = None
    """How many versions of each key the histories of snapshots are to keep; ``None``: all."""


def execute(step: PlanNode, bench: Bench, sessions: Sessions) -> NodeResult:
    """Build one node, or find that it is up to date. What went wrong is in the result. On a worker's thread."""
    node = step.node
    started_at, start = dt.datetime.now(dt.UTC), time.perf_counter()
    compiled: Compiled | None = None
    decision: Decision | None = None
    increment: Compiled | None = None
    published: Published | None = None
    error: FlowForgeError | None = None
    growing: list[Compiled] = []
    pruned: Published | None = None
    built: Built | None = None
    hooks: list[CompiledHook | None] = [None]
    try:
        bench.examine(node)
        decision = bench.ledger.decide(node.name)
        if decision.action is Action.SKIP:
            _audit_standing(step, bench, sessions)
        else:
            if node.query is not None or node.delta is not None:
                compiled, increment = _compiled(node, bench, decision)
                origin = Origin.of(node, bench.dialect)
                if origin is not None and compiled is not None:
                    compiled = compiled.inside(*origin.around(compiled.executable, bench.dialect))
            publication = _publication(step, bench, decision, compiled, increment)
            if node.config.incremental is not None and node.config.incremental.in_windows:
                built = _workshop(step, bench, sessions, decision, publication).build()
                published, error = built.published, built.error
            else:
                if increment is not None and publication.increment is not None:
                    begun = functools.partial(growing.append, increment)
                    publication = attrs.evolve(publication, increment=attrs.evolve(publication.increment, begun=begun))
                if node.config.hooks:
                    publication = _with_hooks(publication, node, bench, hooks.append)
                published = _publish(step, bench, sessions, publication)
        if error is None:
            bench.ledger.settled(decision, node, published.row if published else None)
        if bench.keep_last is not None and node.config.snapshot is not None:
            pruned = _pruned(step, bench, sessions)
            if not pruned.kept:
                bench.ledger.settled(decision, node, pruned.row)
    except BaseException as problem:  # noqa: BLE001 - a worker reports everything, whatever a driver raises
        error = explain(problem, step, bench, growing[-1] if growing else compiled, hooks[-1])
    skipped = decision is not None and decision.action is Action.SKIP
    standing = decision.row if decision is not None and skipped else None
    before = decision.row.data_id if decision is not None and decision.row is not None else None
    last = pruned if pruned is not None and not pruned.kept else published
    return NodeResult(
        node=node.name,
        kind=node.kind.value,
        materialized=node.materialized,
        relation=step.relation,
        status=Status.CACHED if error is None and skipped else _status(error),
        started_at=started_at,
        duration=time.perf_counter() - start,
        rows=built.rows if built else published.rows if published else standing.rows if standing else None,
        sql=built.sql if built else growing[-1].sql if growing else compiled.sql if compiled else None,
        error=error,
        kept=published is not None and published.kept,
        pruned=pruned.rows or 0 if pruned else 0,
        notes=decision.definition.notes if decision is not None else (),
        decision=decision if error is None else None,
        windows=WindowResult(built.done, built.failed) if built else None,
        quarantined=published.aside.rows if published is not None and published.aside is not None else 0,
        same_data=last is not None and last.row.data_id == before,
    )


def _workshop(
    step: PlanNode, bench: Bench, sessions: Sessions, decision: Decision, publication: Publication
) -> Workshop:
    node = step.node
    return Workshop(
        step,
        bench,
        sessions,
        decision,
        publish=functools.partial(_publish, step, bench, sessions),
        explain=lambda problem, compiled: explain(problem, step, bench, compiled),
        writer=lambda batch, incremental: _cast_writer(node, bench, batch, incremental=incremental),
        publication=publication,
    )


def _with_hooks(
    publication: Publication, node: Node, bench: Bench, begun: Callable[[CompiledHook | None], None]
) -> Publication:
    whole = hooks_of(bench.compiler.compile_hooks(node.name), begun)
    if publication.increment is None:
        return attrs.evolve(publication, hooks=whole)
    growing = hooks_of(bench.compiler.compile_hooks(node.name, incremental=True), begun)
    return attrs.evolve(publication, hooks=whole, growing_hooks=growing)


def _publish(step: PlanNode, bench: Bench, sessions: Sessions, publication: Publication) -> Published:
    """Publish on a session of its own; again, when the failure is one that may pass and nothing was committed."""
    node = step.node
    label = f"flowforge/{bench.run_id}/{node.short_name}"
    unsettled: list[EngineError] = []

    def attempt() -> Published:
        if unsettled:
            settled = _settle(label, bench, publication, node)
            if settled is not None:
                return settled
            unsettled.clear()
        try:
            audit = None if publication.prunes else bench.make_audit(node, False)
            with sessions.working(bench.open_session(label, node.config.timeout)) as session:
                return bench.publisher.publish(session, publication, audit)
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else bench.error(problem)
            if error is None or error.committed is not Committed.UNKNOWN:
                raise
            # The next attempt asks first; until then nobody knows, whatever becomes of the connection meanwhile.
            unsettled.append(error)
            error.committed, error.retryable = Committed.NO, True
            raise error from problem

    try:
        return bench.retry(attempt, node)
    except Exception as problem:
        if not unsettled:
            raise
        lost = unsettled[0]
        lost.committed = Committed.UNKNOWN
        lost.notes = (*lost.notes, "whether it was committed is not known; the next run finds out")
        raise lost from problem


def _settle(label: str, bench: Bench, publication: Publication, node: Node) -> Published | None:
    """What became of a commit whose answer was lost; ``None``: nothing was committed. May fail as the commit did."""
    publisher = bench.publisher
    with bench.open_session(label, None) as session:
        if not publisher.settle(session, publication):
            return None
        row = read_meta_row(session, bench.dialect, publisher.meta_table, bench.ledger.key(node))
    return None if row is None else Published(row, row.rows, kept=False)


def _audit_standing(step: PlanNode, bench: Bench, sessions: Sessions) -> None:
    """Check the rows of a node that need not be built: nobody knows whether they were checked before."""
    node = step.node
    audit = bench.make_audit(node, True)
    if audit is None:
        return
    label = f"flowforge/{bench.run_id}/{node.short_name}"
    with sessions.working(bench.open_session(label, node.config.timeout)) as session:
        audit(session, bench.dialect.render(step.relation))


def _status(error: FlowForgeError | None) -> Status:
    if error is None:
        return Status.SUCCESS
    if isinstance(error, TestFailureError):
        return Status.FAIL
    cause = error.__cause__
    if isinstance(cause, EngineError) and cause.kind is ErrorKind.CANCELLED:
        return Status.CANCELLED
    return Status.ERROR


def _compiled(node: Node, bench: Bench, decision: Decision) -> tuple[Compiled | None, Compiled | None]:
    """The query of all rows, and for an incremental model that of the new ones; ``None`` for what Python makes."""
    definition, compiled = decision.definition, None
    if node.query is not None:
        compiled = definition.compiled or bench.compiler.compile(node.name)
    if node.config.incremental is None:
        return compiled, None
    return compiled, definition.increment or compile_increment(bench.compiler, node, compiled)


def _publication(
    step: PlanNode, bench: Bench, decision: Decision, compiled: Compiled | None, increment: Compiled | None
) -> Publication:
    node, target = step.node, step.relation
    kind, policy = kind_of(node), bench.ledger.policy
    write: Writer | None = None
    if node.kind is NodeKind.SEED and node.query is None:

        def write(session: Session, staged: Relation) -> int | None:
            return bench.write_seed(node, session, staged, LoadMode.CREATE)

    elif node.kind is NodeKind.PYTHON:
        write = _writer(node, bench)
    cast = _casting(node, bench)
    if cast is not None and write is not None:
        write = cast.written(write, table_options(node, bench.engine).at_creation)
    fingerprint = str(decision.fingerprint) if decision.fingerprint and policy.mode.writes else ""
    content = decision.definition.content
    return Publication(
        node=node.name,
        target=target,
        kind=kind,
        fingerprint=fingerprint,
        data_id=content or uuid.uuid4().hex,
        select=compiled.executable if compiled else None,
        write=write,
        backing=backing_of(node, target),
        retired=bench.ledger.retired(node),
        options=table_options(node, bench.engine),
        increment=increment_of(node, increment, _cast_writer(node, bench, incremental=True) if node.delta else None),
        history=history_of(node, bench.publisher.moment),
        from_scratch=policy.from_scratch,
        hash_rows=policy.mode is not CacheMode.OFF and content is None and bench.read_by_others(node.name),
        may_keep=policy.mode.reads and node.name not in policy.forced,
        cast=cast,
        quarantine=bench.quarantine_of(node),
        vacant=bench.ledger.is_vacant(node),
    )


def _casting(node: Node, bench: Bench) -> Casting | None:
    return casting_of(node, bench.engine, bench.dialect, bench.run_id, bench.error)


def _pruned(step: PlanNode, bench: Bench, sessions: Sessions) -> Published:
    """Remove old versions from a history, on a session of its own."""
    publication = Publication(
        node=step.node.name,
        target=step.relation,
        kind=RelationKind.TABLE,
        fingerprint="",
        data_id=uuid.uuid4().hex,
        options=table_options(step.node, bench.engine),
        history=history_of(step.node, bench.publisher.moment, keep_last=bench.keep_last),
    )
    return _publish(step, bench, sessions, publication)


def _cast_writer(node: Node, bench: Bench, batch: Batch | None = None, *, incremental: bool = False) -> Writer | None:
    """As :func:`_writer`, under the types of the contract."""
    write, cast = _writer(node, bench, batch, incremental=incremental), _casting(node, bench)
    return cast.written(write, TableOptions()) if write is not None and cast is not None else write


def _writer(node: Node, bench: Bench, batch: Batch | None = None, *, incremental: bool = False) -> Writer | None:
    """Writes the rows that a function makes; ``None`` when they come from a query.

    Parameters
    ----------
    batch:
        The window whose rows of the inputs it gets.
    incremental:
        The new rows, for a table that stands.
    """
    if bench.compiler.has_query(node, incremental=incremental):
        return None
    inputs = {name: _input(name, bench, batch) for name in _inputs_in_order(node, bench)}
    if incremental and node.delta is not None:
        inputs.update({id_: _source(id_, bench, batch) for id_ in _sources_in_order(node, bench)})
        node = attrs.evolve(node, kind=NodeKind.PYTHON, body=node.delta.body, path=node.delta.path)

    def write(session: Session, staged: Relation) -> int | None:
        frame = call_model(node, bench.root, bench.modules, session, bench.dialect, inputs)
        try:
            options = table_options(node, bench.engine).at_creation
            return write_frame(session, staged, frame, node=node.name, path=node.path, options=options)
        except Exception as error:
            if isinstance(error, FlowForgeError) or bench.error(error) is not None:
                raise
            raise blame(node, bench.root, error) from error  # a stream runs the model's code while it is read

    return write


def _inputs_in_order(node: Node, bench: Bench) -> list[str]:
    """The nodes behind ``deps`` (or behind the calls of ``ref``), in the order in which they are written there."""
    short = {bench.nodes[name].short_name: name for name in node.depends_on}
    return list(dict.fromkeys(short[ref.name.removesuffix(".ff")] for ref in node.refs))


def _sources_in_order(node: Node, bench: Bench) -> list[str]:
    """The sources behind the calls of ``source``, likewise."""
    return list(dict.fromkeys(f"{call.source}.{call.table}" for call in node.sources))


def _input(name: str, bench: Bench, batch: Batch | None) -> tuple[Relation, str]:
    node = bench.nodes[name]
    relation = bench.compiler.relation(node)
    column = node.config.event_time
    if node.materialized != "ephemeral":
        return relation, _select(bench.dialect.render(relation), name, column, bench, batch)
    query = bench.compiler.compile(name).executable
    if batch is None or column is None:
        return relation, query
    return relation, _select(f"(\n{query}\n) AS ff_rows", name, column, bench, batch)


def _source(id_: str, bench: Bench, batch: Batch | None) -> tuple[Relation, str]:
    compiler = bench.compiler
    source = compiler.manifest.sources[id_]
    own = bench.nodes[source.node] if source.node is not None else None
    relation = compiler.relation(own) if own is not None else source.relation
    return relation, _select(compiler.source(source), id_, event_time_of(source, compiler.manifest), bench, batch)


def _select(sql: str, name: str, column: str | None, bench: Bench, batch: Batch | None) -> str:
    """The rows of an input, of the window if there is one."""
    if batch is None or column is None:
        return f"SELECT * FROM {sql}"
    return f"SELECT * FROM {sql} WHERE {batch.condition(bench.dialect, column, name)}"


def _hint(error: EngineError, node: Node, bench: Bench) -> str | None:
    """What to do about a time limit, a cancel from outside, or an input that nobody built."""
    if error.kind is ErrorKind.TIMEOUT:
        return "allow it more: `timeout` in the model's config, or --timeout SECONDS"
    if error.kind is ErrorKind.CANCELLED:
        return "if nobody stopped this run, somebody cancelled the statement on the server; `flowforge retry` goes on"
    unplanned = sorted(set(node.depends_on) - bench.planned)
    if error.kind is not ErrorKind.MISSING or not unplanned:
        return None
    try:
        with bench.open_session(f"flowforge/{bench.run_id}/{node.short_name}", None) as session:
            absent = [name for name in unplanned if session.kind_of(bench.compiler.relation(bench.nodes[name])) is None]
    except Exception:  # noqa: BLE001 - a hint must not hide the error that it belongs to
        return None
    absent = [name.removesuffix(".ff") for name in absent if bench.nodes[name].materialized != "ephemeral"]
    if not absent:
        return None
    listed = ", ".join(absent[:3]) + (" and others" if len(absent) > 3 else "")
    return f"{listed} was never built: `flowforge build -s +{node.short_name}` builds what it needs"


def explain(
    problem: BaseException, step: PlanNode, bench: Bench, compiled: Compiled | None, hook: CompiledHook | None = None
) -> FlowForgeError:
    """*problem* as an error that names the model and, where it is known, the line; *hook* is the one that ran."""
    node = step.node
    where = Location(node.path)
    if isinstance(problem, EngineError):
        engine_error: EngineError | None = problem
    elif isinstance(problem, FlowForgeError):
        problem.message = bench.redact(problem.message)
        problem.location = problem.location or where
        return problem
    else:
        engine_error = bench.error(problem)
    if engine_error is None:
        internal = InternalError(
            f"building {node.short_name!r} hit a defect: {type(problem).__name__}: {bench.redact(str(problem))}",
            location=where,
            help="please report it with the output of FLOWFORGE_TRACE=1",
        )
        internal.__cause__ = problem
        return internal
    notes = list(engine_error.notes)
    if hook is not None:
        where = hook.location
        first, *more = hook.sql.splitlines()
        notes.append(f"in the {hook.hook.when} `{first}{' ...' if more else ''}`")
    elif compiled is not None and engine_error.position is not None:
        where = compiled.locate(engine_error.position) or where
    error = ModelExecutionError(
        bench.redact(engine_error.message),
        node=node.name,
        relation=str(step.relation),
        code=engine_error.code,
        location=where,
        help=bench.redact(engine_error.help) if engine_error.help else _hint(engine_error, node, bench),
        notes=[bench.redact(note) for note in notes],
    )
    error.__cause__ = engine_error
    engine_error.__cause__ = problem if problem is not engine_error else None
    return error
