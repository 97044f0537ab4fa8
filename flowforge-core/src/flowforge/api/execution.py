"""Sets a run up: opens the engine, makes the plan, gathers what the workers share, and starts."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.api.checking import STATE_FOLDER, Listener, asker, auditor_of, sessions_of
from flowforge.api.failures import failure_store, flush
from flowforge.api.histories import count_old
from flowforge.api.preparation import forced, leases_of, make_ledger, tidy, windows_due
from flowforge.api.seeding import write_seed
from flowforge.api.source_files import refuse_missing_files
from flowforge.contract import Session
from flowforge.errors import (
    EngineError,
    ModelExecutionError,
    Note,
)
from flowforge.events import Event, Status
from flowforge.materialize.publish import Publisher
from flowforge.materialize.retries import retrying
from flowforge.project.manifest import CheckDecl, Node
from flowforge.project.windows import Window
from flowforge.run.audit import Auditor
from flowforge.run.bus import EventBus
from flowforge.run.check_order import order_checks
from flowforge.run.keeping import Keeper
from flowforge.run.ledger import Ledger
from flowforge.run.modules import ProjectModules
from flowforge.run.node import Bench
from flowforge.run.options import RunOptions, new_run_id
from flowforge.run.plan import Action, Plan, make_plan
from flowforge.run.reasons import reason
from flowforge.run.recorder import Recorder
from flowforge.run.remembering import remember_checks
from flowforge.run.result import NodeResult, RunResult
from flowforge.run.runner import run_plan
from flowforge.run.scheduler import Stop, expected_cost
from flowforge.run.sessions import Sessions
from flowforge.run.span import listed
from flowforge.state.meta import meta_table
from flowforge.state.records import BuildRecord
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project
    from flowforge.run.compile import Compiler

logger = logging.getLogger("flowforge.run")


def run_nodes(
    project: Project,
    names: Sequence[str],
    listener: Listener | None,
    options: RunOptions | None,
    *,
    jobs: int | None,
    command: str,
    record: Mapping[str, Any] | None = None,
) -> RunResult:
    """Build *names*, given in topological order.

    Parameters
    ----------
    record:
        How the run was called, for ``retry``; no secrets.
    """
    options = options or RunOptions()
    if jobs is not None:
        options = attrs.evolve(options, jobs=jobs)
    executor = project.executor
    plan = _plan(project, names)
    run_id, notes = new_run_id(), list[Note]()
    stop, sessions = Stop(), Sessions()
    with StateStore.open(project.root / STATE_FOLDER, notes.append) as store:
        recorder = Recorder(store, record)

        def listen(event: Event) -> None:
            recorder(event)
            if listener is not None:
                listener(event)

        with contextlib.ExitStack() as ending:
            bus = ending.enter_context(EventBus(listen, project.plugins.notices))
            checks = project.manifest.checks if command == "build" else ()
            order = order_checks(_asked(checks, names, project), plan, project.dag, _ephemeral(project))
            plan = order.plan
            open_session = sessions_of(project, options)
            compiler = project.compiler.asking(asker(project, open_session, sessions, f"flowforge/{run_id}"))
            modules = ProjectModules(project.root)
            failures = failure_store(project, compiler, run_id, options, notes.append)
            auditor = auditor_of(project, checks, order.homes, bus, run_id, compiler, lambda: modules, failures, store)
            examiner = None
            if command == "build" and options.unit_tests:
                from flowforge.api.unit_builds import Examiner

                examiner = ending.enter_context(
                    contextlib.closing(
                        Examiner(
                            project,
                            names,
                            store=store,
                            sessions=sessions,
                            bus=bus,
                            run_id=run_id,
                            mode=options.cache,
                            forced=forced(plan, options),
                        )
                    )
                )
            with project.session(f"flowforge/{run_id}") as session:
                refuse_missing_files(project, session, plan.steps)
                tidy(project, session, run_id, plan, store)
                registered = _registered(open_session, sessions, f"flowforge/{run_id}")
                ledger = make_ledger(project, session, plan, options, registered, compiler)
            keeper = Keeper.of(
                project.manifest.checks,
                auditor.conditions,
                executor.error,
                project.redactor.redact,
                auditor.put_aside if command == "build" else lambda checks, counts: None,
            )
            bench = _bench(
                project, options, run_id, auditor, plan, ledger, open_session, stop, compiler, modules, keeper
            )
            if examiner is not None:
                bench = attrs.evolve(bench, examine=examiner.examine)

            def rest() -> None:
                if examiner is not None:
                    examiner.rest()
                later = [check for check in _asked(checks, names, project) if check.id not in order.homes]
                if later:
                    with project.session(f"flowforge/{run_id}/checks") as session:
                        auditor.run(session, later)

            result = run_plan(
                plan,
                bench,
                bus,
                options,
                command=command,
                project=project.manifest.project,
                env=project.profile.name,
                namespace=executor.namespace,
                collect_checks=lambda: auditor.results,
                collect_unit_tests=lambda: examiner.results if examiner is not None else (),
                after=rest,
                on_good=_notes_of_builds(store, project.profile.name),
                cost=expected_cost(store.durations(project.profile.name)),
                stop=stop,
                sessions=sessions,
            )
            ledger.definer.save()
            flush(project, run_id, failures)
        remember_checks(store, project.profile.name, project.engine.name, result, project.manifest.nodes)
    return attrs.evolve(result, notes=tuple(dict.fromkeys((*notes, *result.notes))))


def plan_nodes(project: Project, names: Sequence[str], options: RunOptions | None) -> Plan:
    """What building *names* would do, and why; nothing is written."""
    options = options or RunOptions()
    plan = _plan(project, names)
    open_session = sessions_of(project, options)
    steps = {}
    with (
        StateStore.open(project.root / STATE_FOLDER, lambda note: None, write=False) as store,
        project.session("flowforge/plan") as session,
    ):
        refuse_missing_files(project, session, plan.steps)
        last = store.last_builds(project.profile.name)
        compiler = project.compiler.asking(asker(project, open_session, Sessions(), "flowforge/plan"))
        ledger = make_ledger(
            project, session, plan, options, lambda label: open_session(f"flowforge/{label}", None), compiler
        )
        for name, step in plan.steps.items():
            decision = ledger.decide(name)
            ledger.expected(decision, step.node)
            words, details = reason(decision, step.node, last.get(name))
            windows: tuple[Window, ...] = ()
            prunes: int | None = None
            try:
                windows = windows_due(project, session, ledger, step) if decision.action is not Action.SKIP else ()
                prunes = count_old(project, session, step, options.keep_last)
            except ModelExecutionError as error:  # of one node, which says nothing of the others
                words = f"{words}; it would fail: {error.message}"
                details = (*details, *([error.help] if error.help else []))
            words = f"{words}; {listed(windows)}" if windows else words
            steps[name] = attrs.evolve(
                step, action=decision.action, reason=words, details=details, windows=windows, prunes=prunes
            )
    return attrs.evolve(plan, steps=steps)


def _plan(project: Project, names: Sequence[str]) -> Plan:
    executor = project.executor
    return make_plan(
        project.manifest,
        project.dag,
        names,
        engine=project.engine,
        dialect=executor.dialect,
        namespace=executor.namespace,
        profile=project.profile.name,
        databases=project.engine.databases(project.profile.settings),
    )


def _registered(
    open_session: Callable[[str, float | None], Session], sessions: Sessions, prefix: str
) -> Callable[[str], contextlib.AbstractContextManager[Session]]:
    """Opens sessions that are cancelled with the others when the run is stopped."""

    @contextlib.contextmanager
    def opened(label: str) -> Iterator[Session]:
        with sessions.working(open_session(f"{prefix}/{label}", None)) as session:
            yield session

    return opened


def _notes_of_builds(store: StateStore, env: str) -> Callable[[NodeResult], None]:
    """Remembers what nodes are made of: for ``state:modified``, and to say later why one is out of date.

    Of what is up to date only what is not known already, such as after the memory was lost.
    """
    known = store.last_definitions(env)

    def note(result: NodeResult) -> None:
        definition = result.decision.definition if result.decision is not None else None
        if definition is None or definition.digest is None:
            return
        if result.status is Status.CACHED and known.get(result.node) == definition.digest:
            return
        definition = definition.whole()
        if definition.digest is None:
            return
        store.note_build(
            env,
            BuildRecord(
                node=result.node,
                definition=definition.digest,
                sql=definition.sql,
                config=definition.config,
                inputs={},
                files=definition.files,
            ),
        )

    return note


def _bench(
    project: Project,
    options: RunOptions,
    run_id: str,
    auditor: Auditor,
    plan: Plan,
    ledger: Ledger,
    open_session: Callable[[str, float | None], Session],
    stop: Stop,
    compiler: Compiler,
    modules: ProjectModules,
    keeper: Keeper,
) -> Bench:
    executor, redact = project.executor, project.redactor.redact

    def on_retry(node: Node) -> Callable[[EngineError, float], None]:
        def tell(error: EngineError, pause: float) -> None:
            words = redact(error.message.split("\n", 1)[0])
            logger.warning("%s is tried again in %.1f seconds: %s", node.short_name, pause, words)

        return tell

    return Bench(
        root=project.root,
        run_id=run_id,
        engine=project.engine,
        open_session=open_session,
        dialect=executor.dialect,
        error=executor.error,
        publisher=Publisher(
            project.engine,
            executor.dialect,
            executor.namespace,
            run_id,
            meta_table(executor.namespace),
            options.lock_timeout,
            leases=leases_of(executor, run_id, open_session),
            moment=ledger.policy.span.now,
        ),
        compiler=compiler,
        modules=modules,
        nodes=project.manifest.nodes,
        planned=frozenset(plan.steps),
        write_seed=functools.partial(write_seed, project),
        make_audit=auditor.audit_of,
        redact=redact,
        ledger=ledger,
        quarantine_of=lambda node: keeper.quarantine_of(node, ledger),
        keep_last=options.keep_last,
        read_by_others=lambda name: bool(project.dag.children_of(name)),
        retry=lambda attempt, node: retrying(
            attempt, as_engine_error=executor.error, stop=stop.event, on_retry=on_retry(node)
        ),
    )


def _asked(checks: Sequence[CheckDecl], names: Sequence[str], project: Project) -> Sequence[CheckDecl]:
    """The checks of what is built; those of tables that others build belong to a build of everything."""
    chosen = set(names)
    whole = chosen >= set(project.manifest.nodes)
    return [check for check in checks if whole or not chosen.isdisjoint(check.subjects)]


def _ephemeral(project: Project) -> frozenset[str]:
    return frozenset(node.name for node in project.manifest.nodes.values() if node.materialized == "ephemeral")
