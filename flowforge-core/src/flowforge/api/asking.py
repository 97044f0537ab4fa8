"""From what a caller asks for (selectors, a git revision, options) to what a run or a plan gets: names of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.api.execution import plan_nodes, run_nodes
from flowforge.api.retry import remember
from flowforge.errors import Note, NothingSelectedError, UsageError
from flowforge.events import Event
from flowforge.project.manifest import NodeKind
from flowforge.run.options import RunOptions
from flowforge.run.plan import Plan
from flowforge.run.result import RunResult

if TYPE_CHECKING:
    from flowforge.api.project import Project

_MODELS = frozenset((NodeKind.SQL, NodeKind.PYTHON))
_KINDS: Mapping[str, frozenset[NodeKind]] = {
    "run": _MODELS,
    "snapshot": _MODELS,
    "seed": frozenset((NodeKind.SEED,)),
    "build": frozenset(NodeKind),
}


def names_for(
    project: Project, command: str, select: Sequence[str], exclude: Sequence[str], changed_since: str | None
) -> tuple[str, ...]:
    """The nodes that *command* would build, parents first.

    Raises
    ------
    NothingSelectedError
        When there are none.
    """
    nodes = project.select(select, exclude, changed_since=changed_since)
    wanted = tuple(node for node in nodes if node.kind in _KINDS[command])
    if command == "snapshot":
        wanted = tuple(node for node in wanted if node.config.snapshot is not None)
    names = tuple(node.name for node in wanted)
    if not names:
        if command == "snapshot":
            where = "the selection" if select or exclude else "the project"
            raise NothingSelectedError(
                f"nothing to do: there is no snapshot in {where}", help="`flowforge ls -s type:snapshot` shows them"
            )
        why = "the selection is empty" if select or exclude else "the project is empty"
        if changed_since is not None:
            why = f"nothing that is selected changed since {changed_since}"
        raise NothingSelectedError(f"nothing to do: {why}", help="`flowforge ls` shows what there is")
    return names


def execute(
    project: Project,
    command: str,
    names: Sequence[str],
    options: RunOptions | None,
    listener: Callable[[Event], None] | None,
    jobs: int | None = None,
) -> RunResult:
    """Run *command* for exactly these nodes."""
    options = _resolved(project, options or RunOptions())
    _refuse_time(project, names, options)
    if jobs is not None:
        options = attrs.evolve(options, jobs=jobs)
    result = run_nodes(project, names, listener, options, jobs=None, command=command, record=remember(project, options))
    return attrs.evolve(result, notes=(*_unselected(names, options), *result.notes))


def plan(project: Project, names: Sequence[str], options: RunOptions | None) -> Plan:
    """What :func:`execute` would do with these nodes; writes nothing."""
    options = _resolved(project, options or RunOptions())
    _refuse_time(project, names, options)
    with project.looking():
        return plan_nodes(project, names, options)


def _refuse_time(project: Project, names: Sequence[str], options: RunOptions) -> None:
    """Windows are named of models that have some.

    Raises
    ------
    UsageError
        When none of *names* is built in windows, or all of them are to be built anew.
    """
    if options.event_time_start is None and options.event_time_end is None:
        return
    if options.full_refresh:
        raise UsageError("a full refresh builds all windows, and some are named", code="FF6425", help="choose one")
    settings = [project.manifest.nodes[name].config.incremental for name in names]
    if not any(one is not None and one.in_windows for one in settings):
        raise UsageError(
            "--event-time-start and --event-time-end name windows, and no selected model is built in windows",
            code="FF6424",
            help="select a model with incremental_strategy='microbatch', or leave the options out",
        )


def _unselected(names: Sequence[str], options: RunOptions) -> tuple[Note, ...]:
    """A warning when nodes were named to be built, and none of them is among *names*."""
    forced = [name.removesuffix(".ff") for name in options.rebuild]
    if not forced or set(options.rebuild).intersection(names):
        return ()
    some = ", ".join(forced[:3]) + (" and others" if len(forced) > 3 else "")
    are = "is" if len(forced) == 1 else "are"
    return (
        Note(
            f"--rebuild asks for {some}, which {are} not selected, so nothing was built for that reason",
            "FF2345",
            help=f"select {some} too, or build nothing else: -R {forced[0]}",
        ),
    )


def _resolved(project: Project, options: RunOptions) -> RunOptions:
    """The options with names of nodes in place of selectors."""
    exact = [name for name in options.rebuild if name in project.manifest.nodes]
    others = [text for text in options.rebuild if text not in project.manifest.nodes]
    meant = [node.name for node in project.select(others)] if others else []
    return attrs.evolve(options, rebuild=tuple(dict.fromkeys((*exact, *meant))))
