"""What a run finds out before it starts: what dead runs left behind, what stands where, what nodes are made from."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.api.source_files import state_of_files
from flowforge.contract import Capability, Executor, Session
from flowforge.errors import ConfigFileError, EngineError
from flowforge.materialize.leftovers import cleaned, drop_leftovers, find_leftovers
from flowforge.materialize.quarantine import PREFIX, quarantine_relation
from flowforge.project.manifest import Source
from flowforge.project.quarantining import quarantine_checks
from flowforge.project.windows import Window
from flowforge.run.compile import Compiler
from flowforge.run.definition import Definer
from flowforge.run.kept_definitions import KeptDefinitions, Keys, around_dialect, around_translator
from flowforge.run.ledger import Ledger, Policy
from flowforge.run.plan import Plan, PlanNode, place
from flowforge.run.snapshot import take_snapshot
from flowforge.run.span import Span
from flowforge.run.survey import due, survey_of
from flowforge.state.decisions import ensure_log
from flowforge.state.lease import Leases
from flowforge.state.meta import ensure_meta, meta_table
from flowforge.state.policy import CacheMode
from flowforge.state.store import StateStore
from flowforge.state.windows import ensure_windows
from flowforge.values import Namespace

if TYPE_CHECKING:
    from flowforge.api.project import Project
    from flowforge.run.compile import Compiler
    from flowforge.run.options import RunOptions

OpenSession = Callable[[str], contextlib.AbstractContextManager[Session]]

logger = logging.getLogger("flowforge.run")


def tidy(project: Project, session: Session, run_id: str, plan: Plan, store: StateStore) -> None:
    """Create or migrate the meta table, end the server's work for dead runs, and drop what they staged."""
    executor = project.executor
    table = ensure_meta(session, executor.dialect, executor.namespace)
    if has_windows(plan):
        ensure_windows(session, executor.dialect, executor.namespace)
    if has_quarantine(project, session, plan):
        ensure_log(session, executor.dialect, executor.namespace)
    dead = [run.run_id for run in store.unfinished_runs(socket.gethostname())]
    if dead:
        ended = executor.reap(dead)
        if ended:
            logger.warning("ended %d statement%s of runs that were killed", ended, "s" if ended > 1 else "")
        store.forget_dead(dead)
    assert table == meta_table(executor.namespace)
    found = find_leftovers(
        session,
        _places([table, *(step.relation for step in plan.steps.values())]),
        engine=project.engine,
        run_id=run_id,
        leases=leases_of(executor, run_id, lambda label, timeout: executor.session(label=label, timeout=timeout)),
    )
    for line in cleaned(drop_leftovers(session, found)):
        logger.warning(line)


def leases_of(executor: Executor, run_id: str, open_session: Callable[[str, float | None], Session]) -> Leases:
    """What a run takes in place of locks, on engines that need it."""
    return Leases(executor.dialect, executor.namespace, run_id, lambda label: open_session(label, None))


def _places(relations: Sequence[Any]) -> tuple[Namespace, ...]:
    return tuple(dict.fromkeys(Namespace(one.schema, one.database) for one in relations))


def make_ledger(
    project: Project,
    session: Session,
    plan: Plan,
    options: RunOptions,
    open_session: OpenSession,
    compiler: Compiler,
) -> Ledger:
    """The ledger of a run, with the database as *session* sees it now."""
    executor, manifest = project.executor, project.manifest
    home = executor.namespace
    span = span_of(options)
    policy = Policy(options.cache, forced(plan, options), options.assume_unchanged, options.full_refresh, span)
    noting = policy.mode.reads or policy.mode.writes
    wanted = manifest.nodes if noting else plan.steps
    places = [place(manifest.nodes[name], home) for name in wanted if manifest.nodes[name].materialized != "ephemeral"]
    snapshot = take_snapshot(
        session,
        executor.dialect,
        home,
        meta_table(home),
        _places(places),
        windows=has_windows(plan),
    )
    return Ledger(
        manifest,
        frozenset(plan.steps),
        definer_of(project, policy.mode, judge=noting, compiler=compiler),
        snapshot,
        policy,
        dialect=executor.dialect,
        namespace=home,
        relation=compiler.relation,
        source_state=lambda source: _source_state(project, source, compiler, open_session),
    )


def has_windows(plan: Plan) -> bool:
    """Whether some node of the plan is built in windows."""
    found = (step.node.config.incremental for step in plan.steps.values())
    return any(settings is not None and settings.in_windows for settings in found)


def has_quarantine(project: Project, session: Session, plan: Plan) -> bool:
    """Whether rows of some node of the plan are put aside, or were."""
    if plan.steps.keys() & quarantine_checks(project.manifest.checks).keys():
        return True
    dialect = project.executor.dialect
    places = dict.fromkeys(Namespace(step.relation.schema, step.relation.database) for step in plan.steps.values())
    standing = {info.relation.name.casefold() for place in places for info in session.relations(place)}
    if not any(name.startswith(PREFIX) for name in standing):
        return False
    return any(
        dialect.fold(quarantine_relation(dialect, step.relation).name).casefold() in standing
        for step in plan.steps.values()
    )


def span_of(options: RunOptions) -> Span:
    """Which windows the run is to build."""
    now = options.now or dt.datetime.now(dt.UTC)
    return Span(now, options.event_time_start, options.event_time_end, options.windows)


def windows_due(project: Project, session: Session, ledger: Ledger, step: PlanNode) -> tuple[Window, ...]:
    """The windows of a node that a run would build; none when it is not built in windows."""
    node, executor = step.node, project.executor
    if node.config.incremental is None or not node.config.incremental.in_windows:
        return ()
    found = survey_of(session, executor.dialect, executor.namespace, node, step.relation, ledger.key(node))
    return due(node, step.relation, found, ledger.policy).windows


def forced(plan: Plan, options: RunOptions) -> Collection[str]:
    """The planned nodes that are built whatever is known of them."""
    return frozenset(plan.steps) if options.full_refresh else frozenset(options.rebuild)


def definer_of(
    project: Project, mode: CacheMode = CacheMode.RO, *, judge: bool = True, compiler: Compiler | None = None
) -> Definer:
    """Tells what nodes are made from, as runs under this profile note it; *judge* as for :class:`Definer`.

    Parameters
    ----------
    mode:
        Whether what earlier commands found is believed, and whether this one tells later ones what it finds.
    """
    compiler, around = compiler or project.compiler, _around(project)
    kept = KeptDefinitions(project.root, project.profile.name, reads=mode.reads, writes=mode.writes)
    keys = Keys(
        project.manifest,
        [around, _beyond_the_project(project, compiler)],
        relation=compiler.relation,
        relation_read=compiler.relation_read,
        vars=project.manifest.vars,
        environ=project.environ,
    )
    return Definer(project.root, compiler, project.manifest.nodes, around, judge=judge, kept=kept, keys=keys)


def _beyond_the_project(project: Project, compiler: Compiler) -> Any:
    """What templates may be told by others than the project: its engine, its settings, and what is installed."""
    settings = project.profile.settings
    public = [field.name for field in attrs.fields(type(settings)) if not field.metadata.get("secret")]
    engines = sorted(
        [one.name, *one.aliases, one.abbreviation, one.family, one is project.engine]
        for one in (project.engine, *project.plugins.engines.values())
    )
    dialects = {project.manifest.dialect, *(node.config.dialect for node in project.manifest.nodes.values())}
    return [
        around_dialect(compiler.dialect),
        around_translator() if dialects != {None} else None,
        [[name, repr(getattr(settings, name))] for name in public],
        engines,
        sorted(project.plugins.macros),
    ]


def _around(project: Project) -> Mapping[str, Any]:
    """What the rows depend on besides the project: the engine, and those of its settings that matter."""
    return {"engine": project.engine.name, "settings": settings_that_matter(project.profile.settings)}


def settings_that_matter(settings: Any) -> Mapping[str, str]:
    """Those of an engine's settings on which rows depend."""
    return {
        field.name: repr(getattr(settings, field.name))
        for field in attrs.fields(type(settings))
        if field.metadata.get("affects_data")
    }


def _source_state(project: Project, source: Source, compiler: Compiler, open_session: OpenSession) -> str | None:
    """A token for the rows of a source, or ``None``. Trouble is left to the node that reads the source."""
    executor = project.executor
    try:
        with open_session("sources") as session:
            if source.loaded_at is not None:
                dialect = executor.dialect
                column = dialect.quote(source.loaded_at)
                sql = f"SELECT MAX({column}) AS newest FROM {compiler.source(source)}"
                return f"loaded at {session.query(sql).read_all().column(0)[0].as_py()}"
            if source.files is not None:
                return state_of_files(project, session, source)
            if not project.engine.support(Capability.SOURCE_STATE):
                return None
            return session.source_state(source.relation.within(executor.namespace))
    except Exception as problem:
        if isinstance(problem, EngineError | ConfigFileError) or executor.error(problem) is not None:
            return None
        raise
