"""The exit code of a run follows from how its nodes and checks ended."""

from __future__ import annotations

import datetime as dt

import pytest

from flowforge.errors import InterruptedRunError
from flowforge.events import Status
from flowforge.run.result import CheckResult, NodeResult, RunResult

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def result(*statuses: Status, checks: tuple[Status, ...] = (), error: InterruptedRunError | None = None) -> RunResult:
    nodes = tuple(NodeResult(f"n{i}", "sql", "table", None, status, NOW, 0.0) for i, status in enumerate(statuses))
    found = tuple(
        CheckResult(f"c{i}", "unique", "n0", "n0", None, "error", status, 0.0) for i, status in enumerate(checks)
    )
    return RunResult("run", "build", NOW, 0.0, nodes, found, error)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((), 0),
        ((Status.SUCCESS, Status.CACHED), 0),
        ((Status.SUCCESS, Status.ERROR, Status.SKIPPED), 1),
        ((Status.FAIL, Status.SKIPPED), 2),
        ((Status.FAIL, Status.ERROR), 1),
        ((Status.ERROR, Status.CANCELLED), 1),
        ((Status.FAIL, Status.CANCELLED), 2),
        ((Status.SUCCESS, Status.CANCELLED), 1),
        ((Status.CANCELLED, Status.SKIPPED), 1),
        ((Status.SKIPPED,), 1),
    ],
)
def test_a_run_is_good_only_when_all_of_its_nodes_are(statuses: tuple[Status, ...], code: int) -> None:
    assert result(*statuses).exit_code == code
    assert result(*statuses).ok == (code == 0)


def test_checks_and_interrupts_count() -> None:
    assert result(Status.SUCCESS, checks=(Status.WARN, Status.SUCCESS)).exit_code == 0
    assert result(Status.SUCCESS, checks=(Status.FAIL,)).exit_code == 2
    assert result(Status.SUCCESS, checks=(Status.FAIL, Status.ERROR)).exit_code == 1
    assert result(Status.ERROR, error=InterruptedRunError("cancelled", signum=2)).exit_code == 130
    assert result(error=InterruptedRunError("cancelled", signum=15)).exit_code == 143
