"""Hands the results of a run's checks to the project's memory, once, when the run has ended."""

from __future__ import annotations

from flowforge.events import Status
from flowforge.run.result import RunResult
from flowforge.state.check_results import CheckRecord
from flowforge.state.store import StateStore

_ACCEPTED = (Status.SUCCESS, Status.WARN, Status.INFO)
_STANDING = (Status.SUCCESS, Status.CACHED)


def remember_checks(store: StateStore, env: str, engine: str, result: RunResult) -> None:
    """Note all checks of *result*. What cannot be written makes nobody fail: the store says it itself.

    What was measured counts as usual later when the check accepted it, and when the rows stand there: those that a build
    did not publish say nothing about the table.

    Parameters
    ----------
    env, engine:
        The profile and the engine, whose history it is.
    """
    ended = {node.node: node.status for node in result.nodes}
    records = [
        CheckRecord(
            check=check.check,
            at=check.at or result.started_at,
            status=check.status,
            severity=check.severity,
            failures=check.failures,
            rows=check.rows,
            measure=check.measure,
            counts=check.status in _ACCEPTED and ended.get(check.node or "", Status.SUCCESS) in _STANDING,
            duration=check.duration,
            message=check.message,
        )
        for check in result.checks
    ]
    store.checks.note(env, engine, result.run_id, result.command, records)
