"""Executes one node of a plan on one session, and turns whatever goes wrong into an error with a place."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from flowforge.contract import Dialect, EngineSpec, LoadMode, Session
from flowforge.errors import (
    AuditFailedError,
    EngineError,
    ErrorKind,
    FlowForgeError,
    InternalError,
    ModelExecutionError,
)
from flowforge.events import Status
from flowforge.materialize.frames import write_frame
from flowforge.materialize.publish import Audit, Publication, Publisher, Writer
from flowforge.project.manifest import Node, NodeKind
from flowforge.run.compile import Compiled, Compiler
from flowforge.run.modules import ProjectModules
from flowforge.run.plan import PlanNode
from flowforge.run.python_node import blame, call_model
from flowforge.run.result import NodeResult
from flowforge.values import Location, Relation, RelationKind

SeedWriter = Callable[[Node, Session, Relation, LoadMode], int]
AuditMaker = Callable[[Node], Audit | None]


@attrs.frozen
class Bench:
    """Everything that the workers of one run share."""

    root: Path
    run_id: str
    engine: EngineSpec
    open_session: Callable[[str], Session]
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


class Sessions:
    """The sessions that work right now, so that they can be cancelled together. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Session] = set()
        self.cancelled = 0

    def add(self, session: Session) -> None:
        """Note that *session* works."""
        with self._lock:
            self._open.add(session)

    def remove(self, session: Session) -> None:
        """Note that *session* is done."""
        with self._lock:
            self._open.discard(session)

    def cancel(self) -> None:
        """Cancel what runs in all of them; from any thread."""
        with self._lock:
            sessions = list(self._open)
        self.cancelled = max(self.cancelled, len(sessions))
        for session in sessions:
            session.cancel()


def execute(step: PlanNode, bench: Bench, sessions: Sessions) -> NodeResult:
    """Build one node. What went wrong is in the result, whatever it was. On a worker's thread."""
    node = step.node
    started_at, start = dt.datetime.now(dt.UTC), time.perf_counter()
    compiled: Compiled | None = None
    rows: int | None = None
    error: FlowForgeError | None = None
    try:
        if node.kind is NodeKind.SQL:
            compiled = bench.compiler.compile(node.name)
        session = bench.open_session(f"flowforge/{bench.run_id}/{node.short_name}")
        sessions.add(session)
        try:
            publication = _publication(step, bench, compiled)
            rows = bench.publisher.publish(session, publication, bench.make_audit(node)).rows
        finally:
            sessions.remove(session)
            session.close()
    except BaseException as problem:  # noqa: BLE001 - a worker reports everything, whatever a driver raises
        error = explain(problem, step, bench, compiled)
    return NodeResult(
        node=node.name,
        kind=node.kind.value,
        materialized=node.materialized,
        relation=step.relation,
        status=_status(error),
        started_at=started_at,
        duration=time.perf_counter() - start,
        rows=rows,
        sql=compiled.sql if compiled else None,
        error=error,
    )


def _status(error: FlowForgeError | None) -> Status:
    if error is None:
        return Status.SUCCESS
    if isinstance(error, AuditFailedError):
        return Status.FAIL
    cause = error.__cause__
    if isinstance(cause, EngineError) and cause.kind is ErrorKind.CANCELLED:
        return Status.CANCELLED
    return Status.ERROR


def _publication(step: PlanNode, bench: Bench, compiled: Compiled | None) -> Publication:
    node, target = step.node, step.relation
    kind = RelationKind.VIEW if node.materialized == "view" else RelationKind.TABLE
    write: Writer | None = None
    backing: Relation | None = None
    if node.kind is NodeKind.SEED:

        def write(session: Session, staged: Relation) -> int | None:
            return bench.write_seed(node, session, staged, LoadMode.CREATE)

    elif node.kind is NodeKind.PYTHON:
        inputs = {name: _input(name, bench) for name in _inputs_in_order(node, bench)}

        def write(session: Session, staged: Relation) -> int | None:
            frame = call_model(node, bench.root, bench.modules, session, bench.dialect, inputs)
            try:
                return write_frame(session, staged, frame, node=node.name, path=node.path)
            except Exception as error:
                if isinstance(error, FlowForgeError) or bench.error(error) is not None:
                    raise
                raise blame(node, bench.root, error) from error  # a stream runs the model's code while it is read

        if kind is RelationKind.VIEW:
            backing = target.renamed(f"__ff_py_{target.name}")
    return Publication(
        node=node.name,
        target=target,
        kind=kind,
        fingerprint="",
        data_id=uuid.uuid4().hex,
        select=compiled.executable if compiled else None,
        write=write,
        backing=backing,
    )


def _inputs_in_order(node: Node, bench: Bench) -> list[str]:
    """The nodes behind ``deps``, in the order in which they are written there."""
    short = {bench.nodes[name].short_name: name for name in node.depends_on}
    return [short[ref.name.removesuffix(".ff")] for ref in node.refs]


def _input(name: str, bench: Bench) -> tuple[Relation, str]:
    node = bench.nodes[name]
    relation = bench.compiler.relation(node)
    if node.materialized == "ephemeral":
        return relation, bench.compiler.compile(name).executable
    return relation, f"SELECT * FROM {bench.dialect.render(relation)}"


def _hint(error: EngineError, node: Node, bench: Bench) -> str | None:
    """What to do when an input that this run was not asked to build does not stand in the database."""
    unplanned = sorted(set(node.depends_on) - bench.planned)
    if error.kind is not ErrorKind.MISSING or not unplanned:
        return None
    try:
        with bench.open_session(f"flowforge/{bench.run_id}/{node.short_name}") as session:
            absent = [name for name in unplanned if session.kind_of(bench.compiler.relation(bench.nodes[name])) is None]
    except Exception:  # noqa: BLE001 - a hint must not hide the error that it belongs to
        return None
    absent = [name.removesuffix(".ff") for name in absent if bench.nodes[name].materialized != "ephemeral"]
    if not absent:
        return None
    listed = ", ".join(absent[:3]) + (" and others" if len(absent) > 3 else "")
    return f"{listed} was never built: `flowforge build -s +{node.short_name}` builds what it needs"


def explain(problem: BaseException, step: PlanNode, bench: Bench, compiled: Compiled | None) -> FlowForgeError:
    """*problem* as an error that names the model and, where it is known, the line."""
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
    if compiled is not None and engine_error.position is not None:
        where = compiled.locate(engine_error.position) or where
    error = ModelExecutionError(
        bench.redact(engine_error.message),
        node=node.name,
        relation=str(step.relation),
        code=engine_error.code,
        location=where,
        help=bench.redact(engine_error.help) if engine_error.help else _hint(engine_error, node, bench),
        notes=[bench.redact(note) for note in engine_error.notes],
    )
    error.__cause__ = engine_error
    engine_error.__cause__ = problem if problem is not engine_error else None
    return error
