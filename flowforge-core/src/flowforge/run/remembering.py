"""Hands the results of a run's checks to the project's memory, once, when the run has ended; and tells what is in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from flowforge.contract import Past
from flowforge.events import Status
from flowforge.project.manifest import Node
from flowforge.run.result import CheckResult, RunResult
from flowforge.state.check_results import CheckRecord
from flowforge.state.store import StateStore

_ACCEPTED = (Status.SUCCESS, Status.WARN, Status.INFO)
_STANDING = (Status.SUCCESS, Status.CACHED)
_STORED = ("table", "incremental", "snapshot", "seed")


def past_of(store: StateStore, env: str, engine: str) -> Callable[[str], Past]:
    """By what is measured, what earlier runs measured; the answers raise ``StateError`` where nobody knows."""

    def of(measured: str) -> Past:
        def tell(limit: int, since: dt.date | None = None) -> Sequence[float]:
            start = dt.datetime(since.year, since.month, since.day, tzinfo=dt.UTC) if since is not None else None
            return store.checks.measures(env, engine, measured, limit, start)

        return tell

    return of


def remember_checks(store: StateStore, env: str, engine: str, result: RunResult, nodes: Mapping[str, Node]) -> None:
    """Note all checks of *result*. What cannot be written makes nobody fail: the store says it itself.

    What was measured counts as usual later when the check accepted it, and when the rows stand there: those that a build
    did not publish say nothing about the table. Rows that were not built anew since they were measured count once.

    Parameters
    ----------
    env, engine:
        The profile and the engine, whose history it is.
    """
    ended = {node.node: node.status for node in result.nodes}
    repeats = _repeats(store, env, engine, result, nodes)

    def stands(check: CheckResult) -> bool:
        node = nodes.get(check.node or "")
        if node is not None and node.materialized == "ephemeral":  # its rows were those of some node of the build
            return all(status in _STANDING for status in ended.values())
        return ended.get(check.node or "", Status.SUCCESS) in _STANDING

    records = [
        CheckRecord(
            check=check.check,
            at=check.at or result.started_at,
            status=check.status,
            severity=check.severity,
            failures=check.failures,
            rows=check.rows,
            measure=check.measure,
            counts=check.status in _ACCEPTED and stands(check) and check.check not in repeats,
            duration=check.duration,
            message=check.message or check.remark,
            measured=check.measured,
        )
        for check in result.checks
    ]
    store.checks.note(env, engine, result.run_id, result.command, records)


def _repeats(store: StateStore, env: str, engine: str, result: RunResult, nodes: Mapping[str, Node]) -> frozenset[str]:
    """The checks that measured the same number of the same rows as before.

    As far as this memory knows of builds: who else builds the table changes the number too, most of the time.
    """
    compared = [check for check in result.checks if check.measured and check.measure is not None]
    if not compared:
        return frozenset()
    built = store.assets.nodes(env, engine)

    def is_repeat(check: CheckResult) -> bool:
        node = nodes.get(check.node or "")
        note = built.get(check.node or "")
        if node is None or node.materialized not in _STORED or note is None or note.built_at is None:
            return False
        if note.built_run == result.run_id:
            return False
        last = store.checks.last_counted(env, engine, check.measured)
        if last is None or last.measure != check.measure:
            return False
        return last.run_id == note.built_run or last.at >= note.built_at

    return frozenset(check.check for check in compared if is_repeat(check))
