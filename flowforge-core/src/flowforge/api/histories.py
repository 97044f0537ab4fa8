"""Runs of snapshots alone, and what pruning their histories would remove."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flowforge.contract import Session
from flowforge.events import Event
from flowforge.materialize.history import refuse_what_is_no_history
from flowforge.materialize.pruning import old_versions
from flowforge.run.histories import history_of
from flowforge.run.plan import PlanNode

if TYPE_CHECKING:
    from flowforge.api.project import Project
    from flowforge.run.options import RunOptions
    from flowforge.run.result import RunResult


def run_snapshots(
    project: Project,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    *,
    options: RunOptions | None = None,
    listener: Callable[[Event], None] | None = None,
    changed_since: str | None = None,
) -> RunResult:
    """Bring the histories of the selected snapshots up to date; build nothing else.

    Parameters
    ----------
    options:
        With ``keep_last``, old versions are removed from each history afterwards, whether it changed or not.
    listener, changed_since:
        As for :meth:`Project.run`.

    Raises
    ------
    NothingSelectedError
        When no snapshot is selected.
    """
    from flowforge.api.asking import execute, names_for

    wanted, unwanted = ([one] if isinstance(one, str) else list(one) for one in (select, exclude))
    names = names_for(project, "snapshot", wanted, unwanted, changed_since)
    return execute(project, "snapshot", names, options, listener)


def count_old(project: Project, session: Session, step: PlanNode, keep_last: int | None) -> int | None:
    """How many versions that stand now are older than the newest *keep_last*; ``None`` where nothing is pruned.

    Raises
    ------
    ModelExecutionError
        When what stands there is no history.
    """
    history = history_of(step.node, dt.datetime.now(dt.UTC), keep_last=keep_last)
    if keep_last is None or history is None:
        return None
    dialect = project.executor.dialect
    if refuse_what_is_no_history(session, dialect, step.relation, step.node.name) is None:
        return 0
    return old_versions(session, dialect, step.relation, history)
