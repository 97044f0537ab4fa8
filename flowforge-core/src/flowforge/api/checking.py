"""Checks what stands in the database: gathers what the workers share, and asks each relation in one scan."""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.api.failures import failure_store
from flowforge.contract import Session
from flowforge.errors import EngineError, ErrorKind, FlowForgeError, InterruptedRunError, Note
from flowforge.events import Event, RunFinished, RunStarted
from flowforge.project.manifest import CheckDecl
from flowforge.run.asking import Asker
from flowforge.run.audit import Auditor
from flowforge.run.bus import EventBus
from flowforge.run.check_tables import CheckTables
from flowforge.run.failures import FailureStore, Storing
from flowforge.run.modules import ProjectModules
from flowforge.run.options import RunOptions, effective_jobs, new_run_id
from flowforge.run.own_checks import OwnCheckRunner
from flowforge.run.remembering import past_of, remember_checks
from flowforge.run.result import RunResult
from flowforge.run.row_conditions import RowConditions
from flowforge.run.scheduler import FailPolicy, Stop, schedule
from flowforge.run.sessions import Sessions
from flowforge.run.signals import stop_on_signals
from flowforge.run.traced import traced
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project
    from flowforge.run.compile import Compiler

Listener = Callable[[Event], None]
STATE_FOLDER = ".flowforge"


def auditor_of(
    project: Project,
    checks: Sequence[CheckDecl],
    homes: Mapping[str, str],
    bus: EventBus,
    run_id: str,
    compiler: Compiler,
    modules: Callable[[], ProjectModules],
    failures: FailureStore | None,
    store: StateStore,
) -> Auditor:
    executor = project.executor
    own = OwnCheckRunner(project.root, modules, executor.error)
    tables = CheckTables(project.manifest, compiler, executor.dialect, executor.namespace)
    conditions = RowConditions(project.plugins.checks, tables, own)
    past, redact = past_of(store, project.profile.name, project.engine.name), project.redactor.redact
    return Auditor(checks, homes, conditions, executor.error, bus, run_id, redact, Storing(failures), past)


def sessions_of(project: Project, options: RunOptions) -> Callable[[str, float | None], Session]:
    executor, redact = project.executor, project.redactor.redact

    def open_session(label: str, timeout: float | None) -> Session:
        session: Session = traced(executor.session(label=label, timeout=timeout or options.timeout), redact)
        return session

    return open_session


def asker(
    project: Project, open_session: Callable[[str, float | None], Session], sessions: Sessions, prefix: str
) -> Asker:
    """Asks the database for templates."""

    def opened(*, label: str, timeout: float | None) -> Session:
        return open_session(label, timeout)

    return Asker(opened, project.executor.error, project.redactor.redact, sessions, prefix)


def check_data(
    project: Project, checks: Sequence[CheckDecl], listener: Listener | None, options: RunOptions | None
) -> RunResult:
    """Run *checks* on what stands in the database; relations in parallel, one scan each."""
    options = options or RunOptions()
    executor, run_id = project.executor, new_run_id()
    started_at, start = dt.datetime.now(dt.UTC), time.perf_counter()
    stop, sessions = Stop(), Sessions()
    notes = list[Note]()
    with (
        StateStore.open(project.root / STATE_FOLDER, notes.append) as store,
        EventBus(listener, project.plugins.notices) as bus,
    ):
        open_session = sessions_of(project, options)
        compiler = project.compiler.asking(asker(project, open_session, sessions, f"flowforge/{run_id}"))
        modules = functools.cache(lambda: ProjectModules(project.root))
        failures = failure_store(project, compiler, run_id, options, notes.append)
        auditor = auditor_of(project, checks, {}, bus, run_id, compiler, modules, failures, store)
        tables = CheckTables(project.manifest, compiler, executor.dialect, executor.namespace)
        groups: dict[str, list[CheckDecl]] = {}
        for check in checks:
            groups.setdefault(_table_of(check, tables), []).append(check)
        jobs = effective_jobs(options, project.engine)
        namespace = executor.namespace
        bus.emit(
            RunStarted(
                run_id,
                started_at,
                command="test",
                project=project.manifest.project,
                env=project.profile.name,
                engine=project.engine.name,
                namespace=".".join(part for part in (namespace.database, namespace.schema) if part),
                nodes=tuple(groups),
                jobs=jobs,
            )
        )
        defects: list[Exception] = []

        def work(relation_sql: str) -> bool:
            try:
                opened = traced(executor.session(label=f"flowforge/{run_id}/test"), project.redactor.redact)
                with sessions.working(opened) as session:
                    auditor.run(session, groups[relation_sql])
            except Exception as problem:  # noqa: BLE001 - raised again in the main thread
                error = problem if isinstance(problem, EngineError) else executor.error(problem)
                if error is None or error.kind is ErrorKind.CANCELLED:
                    defects.append(project.redactor.clean(error) if error is not None else problem)
                else:
                    auditor.broken(groups[relation_sql], project.redactor.clean(error))
            return True

        with stop_on_signals(stop, enabled=options.handle_signals):
            for _ in schedule(
                dict.fromkeys(groups, ()),
                work,
                jobs=jobs,
                policy=FailPolicy.KEEP_GOING,
                stop=stop,
                cancel=sessions.cancel,
            ):
                pass
        if defects and not stop.is_set():
            raise defects[0]
        order = {check.id: index for index, check in enumerate(checks)}
        result = RunResult(
            run_id=run_id,
            command="test",
            started_at=started_at,
            duration=time.perf_counter() - start,
            nodes=(),
            checks=tuple(sorted(auditor.results, key=lambda one: order[one.check])),
            error=InterruptedRunError("cancelled", signum=stop.signum or 2) if stop.is_set() else None,
        )
        remember_checks(store, project.profile.name, project.engine.name, result, project.manifest.nodes)
        bus.emit(
            RunFinished(
                run_id,
                dt.datetime.now(dt.UTC),
                command="test",
                duration=result.duration,
                counts=result.counts,
                checks=result.check_counts,
                exit_code=result.exit_code,
            )
        )
    return attrs.evolve(result, notes=tuple(dict.fromkeys(notes)))


def _table_of(check: CheckDecl, tables: CheckTables) -> str:
    """What checks are put together by; one that has no table, or none that can be found, stands alone."""
    if check.is_singular and check.node is None:
        return check.id
    try:
        return tables.main(check)
    except FlowForgeError:  # the check says so itself when it is asked
        return check.id
