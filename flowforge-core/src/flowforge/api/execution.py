"""Sets a run up: opens the engine, makes the plan, gathers what the workers share, and starts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.contract import Executor, LoadMode, Session
from flowforge.errors import InterruptedRunError
from flowforge.events import Event, RunFinished, RunStarted
from flowforge.materialize.publish import Publisher
from flowforge.project.manifest import CheckDecl, Node, SeedBody
from flowforge.run.audit import Auditor
from flowforge.run.bus import EventBus
from flowforge.run.compile import Compiler
from flowforge.run.modules import ProjectModules
from flowforge.run.node import Bench, Sessions
from flowforge.run.plan import Plan, make_plan
from flowforge.run.result import RunResult
from flowforge.run.runner import RunOptions, effective_jobs, new_run_id, run_plan
from flowforge.run.scheduler import FailPolicy, Stop, schedule
from flowforge.run.signals import stop_on_signals
from flowforge.run.traced import traced
from flowforge.state.meta import ensure_meta, meta_table
from flowforge.values import Relation

if TYPE_CHECKING:
    from flowforge.api.project import Project

Listener = Callable[[Event], None]


def _auditor(project: Project, checks: Sequence[CheckDecl], bus: EventBus, run_id: str) -> Auditor:
    executor = project.executor
    return Auditor(
        checks, project.plugins.checks, executor.dialect, executor.error, bus, run_id, project.redactor.redact
    )


def run_nodes(
    project: Project,
    names: Sequence[str],
    listener: Listener | None,
    options: RunOptions | None,
    *,
    jobs: int | None,
    command: str,
) -> RunResult:
    """Build *names*, given in topological order."""
    options = options or RunOptions()
    if jobs is not None:
        options = attrs.evolve(options, jobs=jobs)
    executor = project.executor
    plan = make_plan(
        project.manifest,
        project.dag,
        names,
        engine=project.engine,
        dialect=executor.dialect,
        namespace=executor.namespace,
        profile=project.profile.name,
    )
    run_id = new_run_id()
    with EventBus(listener, project.plugins.notify) as bus:
        checks = project.manifest.checks if command == "build" else ()
        auditor = _auditor(project, checks, bus, run_id)
        bench = _bench(project, options, run_id, auditor, plan)
        _prepare(project, executor, run_id)

        def rest() -> None:
            later = _not_audited(project, checks, names, plan)
            for relation_sql, group in _groups(bench.compiler, project, executor, later):
                with project.session(f"flowforge/{run_id}/checks") as session:
                    auditor.run(session, relation_sql, group)

        return run_plan(
            plan,
            bench,
            bus,
            options,
            command=command,
            project=project.manifest.project,
            env=project.profile.name,
            namespace=executor.namespace,
            collect_checks=lambda: auditor.results,
            after=rest,
        )


def _prepare(project: Project, executor: Executor, run_id: str) -> None:
    """Create the meta table before any worker needs it."""
    with project.session(f"flowforge/{run_id}") as session:
        ensure_meta(session, executor.dialect, executor.namespace)


def _bench(project: Project, options: RunOptions, run_id: str, auditor: Auditor, plan: Plan) -> Bench:
    executor, redact = project.executor, project.redactor.redact

    def write_seed(node: Node, session: Session, target: Relation, mode: LoadMode) -> int:
        from flowforge.seeds.load import open_seed

        assert isinstance(node.body, SeedBody)
        format_ = project.plugins.seed_formats[node.body.suffix]
        reader = open_seed(project.root, node.path, format_, node.body.types)
        return session.load(target, reader, mode)

    return Bench(
        root=project.root,
        run_id=run_id,
        engine=project.engine,
        open_session=lambda label: traced(executor.session(label=label, timeout=options.timeout), redact),
        dialect=executor.dialect,
        error=executor.error,
        publisher=Publisher(
            project.engine,
            executor.dialect,
            executor.namespace,
            run_id,
            meta_table(executor.namespace),
            options.lock_timeout,
        ),
        compiler=project.compiler,
        modules=ProjectModules(project.root),
        nodes=project.manifest.nodes,
        planned=frozenset(plan.steps),
        write_seed=write_seed,
        make_audit=auditor.audit_of,
        redact=redact,
    )


def _not_audited(
    project: Project, checks: Sequence[CheckDecl], names: Sequence[str], plan: Plan
) -> Sequence[CheckDecl]:
    """Checks that no publication could run: those of ephemeral models, and of tables that others build."""
    whole = set(names) >= set(project.manifest.nodes)
    return [
        check
        for check in checks
        if (check.node in names if check.node is not None else whole) and check.node not in plan.steps
    ]


def _groups(
    compiler: Compiler, project: Project, executor: Executor, checks: Sequence[CheckDecl]
) -> Iterator[tuple[str, list[CheckDecl]]]:
    """Checks by the relation (or subquery) that they read."""
    grouped: dict[str, list[CheckDecl]] = {}
    for check in checks:
        grouped.setdefault(_relation_sql(compiler, project, executor, check), []).append(check)
    yield from grouped.items()


def _relation_sql(compiler: Compiler, project: Project, executor: Executor, check: CheckDecl) -> str:
    if check.node is not None:
        node = project.manifest.nodes[check.node]
        if node.materialized == "ephemeral":
            return f"(\n{compiler.compile(node.name).executable}\n)"
        return executor.dialect.render(compiler.relation(node))
    for source in project.manifest.sources.values():
        if check.table in (source.id, source.relation.name):
            return executor.dialect.render(source.relation.within(executor.namespace))
    *schema, name = check.table.split(".", 1)
    relation = Relation(name, schema[0] if schema else None)
    return executor.dialect.render(relation.within(executor.namespace))


def check_data(
    project: Project, checks: Sequence[CheckDecl], listener: Listener | None, options: RunOptions | None
) -> RunResult:
    """Run *checks* on what stands in the database; relations in parallel, one scan each."""
    options = options or RunOptions()
    executor, run_id = project.executor, new_run_id()
    started_at, start = dt.datetime.now(dt.UTC), time.perf_counter()
    stop, sessions = Stop(), Sessions()
    with EventBus(listener, project.plugins.notify) as bus:
        auditor = _auditor(project, checks, bus, run_id)
        groups = dict(_groups(project.compiler, project, executor, checks))
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
                session = traced(executor.session(label=f"flowforge/{run_id}/test"), project.redactor.redact)
                sessions.add(session)
                try:
                    auditor.run(session, relation_sql, groups[relation_sql])
                finally:
                    sessions.remove(session)
                    session.close()
            except Exception as problem:  # noqa: BLE001 - raised again in the main thread
                error = executor.error(problem)
                defects.append(project.redactor.clean(error) if error is not None else problem)
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
    return result
