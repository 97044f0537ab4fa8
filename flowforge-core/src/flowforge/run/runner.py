"""Runs a whole plan: starts, schedules, reports and ends it."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable

from flowforge.errors import InterruptedRunError
from flowforge.events import NodeFinished, NodeStarted, RunFinished, RunStarted, Status
from flowforge.run.bus import EventBus
from flowforge.run.node import Bench, execute
from flowforge.run.options import RunOptions, effective_jobs
from flowforge.run.plan import Plan, PlanNode
from flowforge.run.result import CheckResult, NodeResult, RunResult, UnitTestResult, WindowResult
from flowforge.run.scheduler import Finished, Stop, schedule
from flowforge.run.sessions import Sessions
from flowforge.run.signals import stop_on_signals
from flowforge.values import Namespace

_GOOD = (Status.SUCCESS, Status.CACHED)


def run_plan(
    plan: Plan,
    bench: Bench,
    bus: EventBus,
    options: RunOptions,
    *,
    command: str,
    project: str,
    env: str,
    namespace: Namespace,
    collect_checks: Callable[[], tuple[CheckResult, ...]] = tuple,
    collect_unit_tests: Callable[[], tuple[UnitTestResult, ...]] = tuple,
    after: Callable[[], None] = lambda: None,
    on_good: Callable[[NodeResult], None] = lambda result: None,
    cost: Callable[[str], float] = lambda name: 1.0,
    stop: Stop | None = None,
    sessions: Sessions | None = None,
) -> RunResult:
    """Run *plan* to its end, and report everything to *bus*.

    Parameters
    ----------
    collect_checks:
        The results of the checks that ran as audits.
    collect_unit_tests:
        Those of the unit tests of models.
    after:
        Called when all nodes succeeded, before the run is reported as finished.
    on_good:
        Told of each node that was built or is up to date, on its worker's thread.
    cost:
        Expected duration of a node, in any unit.
    stop, sessions:
        Shared with what the caller runs on the workers' behalf.
    """
    started_at, start = dt.datetime.now(dt.UTC), time.perf_counter()
    stop, sessions = stop or Stop(), sessions or Sessions()
    jobs = effective_jobs(options, bench.engine)
    total = len(plan.steps)
    results: dict[str, NodeResult] = {}
    lock = threading.Lock()
    bus.emit(
        RunStarted(
            bench.run_id,
            started_at,
            command=command,
            project=project,
            env=env,
            engine=bench.engine.name,
            namespace=".".join(part for part in (namespace.database, namespace.schema) if part),
            nodes=tuple(plan.steps),
            jobs=jobs,
        )
    )

    started: set[str] = set()

    def work(name: str) -> bool:
        step = plan.steps[name]
        with lock:
            started.add(name)
            index = len(started)
        node_run_id = uuid.uuid4().hex
        inputs = tuple(plan.steps[parent].relation for parent in plan.parents[name])
        bus.emit(
            NodeStarted(
                bench.run_id,
                dt.datetime.now(dt.UTC),
                node_run_id=node_run_id,
                node=step.node.short_name,
                kind=step.node.kind.value,
                relation=step.relation,
                index=index,
                total=total,
                inputs=inputs,
            )
        )
        result = execute(step, bench, sessions)
        if result.status in _GOOD:
            on_good(result)
        with lock:
            late = name in results
            results.setdefault(name, result)
            done = len(results)
        if not late:
            bus.emit(_finished(result, bench.run_id, node_run_id, done, total))
        return result.status in _GOOD

    def settle(name: str, status: Status, blocked_by: str | None) -> None:
        result = _not_run(plan.steps[name], status, blocked_by)
        with lock:
            if name in results:
                return
            results[name] = result
            done = len(results)
        bus.emit(_finished(result, bench.run_id, uuid.uuid4().hex, done, total))

    def cancel() -> None:
        bench.publisher.cancel()
        sessions.cancel()

    with stop_on_signals(stop, enabled=options.handle_signals):
        for outcome in schedule(
            plan.parents,
            work,
            jobs=jobs,
            policy=options.policy,
            stop=stop,
            cancel=cancel,
            cost=cost,
        ):
            if isinstance(outcome, Finished):
                continue
            left_behind = outcome.name in started
            settle(outcome.name, Status.CANCELLED if left_behind else Status.SKIPPED, outcome.blocked_by)
    if not stop.is_set() and all(result.status in _GOOD for result in results.values()):
        after()

    error = None
    if stop.is_set():
        counts = [result.status for result in results.values()]
        cancelled, skipped = counts.count(Status.CANCELLED), counts.count(Status.SKIPPED)
        error = InterruptedRunError(f"cancelled: {cancelled} running, {skipped} not started", signum=stop.signum or 2)
    result = RunResult(
        run_id=bench.run_id,
        command=command,
        started_at=started_at,
        duration=time.perf_counter() - start,
        nodes=tuple(results.values()),
        checks=collect_checks(),
        unit_tests=collect_unit_tests(),
        error=error,
        notes=tuple(dict.fromkeys(note for node in results.values() for note in node.notes)),
    )
    bus.emit(
        RunFinished(
            bench.run_id,
            dt.datetime.now(dt.UTC),
            command=command,
            duration=result.duration,
            counts=result.counts,
            checks=result.check_counts,
            exit_code=result.exit_code,
        )
    )
    return result


def _not_run(step: PlanNode, status: Status, blocked_by: str | None) -> NodeResult:
    return NodeResult(
        node=step.node.name,
        kind=step.node.kind.value,
        materialized=step.node.materialized,
        relation=step.relation,
        status=status,
        started_at=dt.datetime.now(dt.UTC),
        duration=0.0,
        blocked_by=blocked_by,
    )


def _finished(result: NodeResult, run_id: str, node_run_id: str, index: int, total: int) -> NodeFinished:
    error, windows = result.error, result.windows or WindowResult()
    told = f"{windows.words}, same rows" if result.kept and windows.done else windows.words if windows.done else None
    blocked = f"blocked by {result.blocked_by.removesuffix('.ff')}" if result.blocked_by else None
    return NodeFinished(
        run_id,
        dt.datetime.now(dt.UTC),
        node_run_id=node_run_id,
        node=result.node.removesuffix(".ff"),
        kind=result.kind,
        materialized=result.materialized,
        relation=result.relation,
        status=result.status,
        index=index,
        total=total,
        started_at=result.started_at,
        duration=result.duration,
        rows=result.rows,
        bytes_scanned=result.bytes_scanned,
        sql=result.sql,
        message=error.message if error else _told(result, told) or blocked,
        code=error.code if error else None,
        windows_done=tuple((one.start, one.end) for one in windows.done),
        windows_failed=tuple((one.start, one.end) for one in windows.failed),
        quarantined=result.quarantined,
        same_data=result.same_data,
    )


def _told(result: NodeResult, windows: str | None) -> str | None:
    """What is special about a node that was built."""
    parts = [windows or ("same rows" if result.kept else "")]
    if result.quarantined:
        parts.append(f"{result.quarantined:,} row{'' if result.quarantined == 1 else 's'} quarantined")
    return ", ".join(part for part in parts if part) or None
