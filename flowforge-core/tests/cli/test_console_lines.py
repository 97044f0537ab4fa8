"""What a run's events and log lines look like on stderr."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging

import pytest

from flowforge.cli.console import Console
from flowforge.cli.context import logging_through
from flowforge.cli.options import Globals
from flowforge.cli.output import Output
from flowforge.cli.summary import report
from flowforge.errors import FlowForgeError, InterruptedRunError, ModelExecutionError
from flowforge.events import NodeFinished, RunStarted, Status
from flowforge.run.result import NodeResult, RunResult


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def finished(status: Status, message: str | None = None) -> NodeFinished:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return NodeFinished(
        "run", now, "id", "orders", "sql", "table", None, status, 3, 9, now, 0.5, rows=7, message=message
    )


def output(verbosity: int = 0, log_format: str = "text") -> tuple[Output, io.StringIO]:
    made, stream = Output(color="never", verbosity=verbosity, log_format=log_format), io.StringIO()
    made.stderr, made.unicode = stream, True
    return made, stream


def said(status: Status, message: str | None = None, verbosity: int = 0) -> str:
    made, stream = output(verbosity)
    Console(made)(finished(status, message))
    return " ".join(stream.getvalue().split())


def lines_of(monkeypatch: pytest.MonkeyPatch, columns: int, *names: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    made, stream = output()
    console = Console(made)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    console(RunStarted("run", now, "run", "demo", "dev", "duckdb", "main", tuple(f"{name}.ff" for name in names), 2))
    for name in names:
        console(
            NodeFinished("run", now, "id", name, "sql", "table", None, Status.SUCCESS, 3, 9, now, 0.5, rows=len(name))
        )
    return stream.getvalue().splitlines()


def test_lines_are_aligned_by_the_longest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = lines_of(monkeypatch, 120, "a", "a_rather_long_name_of_a_model")
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("rows") for line in lines}) == 1
    assert len(lines_of(monkeypatch, 120, "a", "b")[0]) < len(lines[0])


def test_on_a_narrow_terminal_nothing_is_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines_of(monkeypatch, 40, "orders") == ["✓ 3/9 orders table 6 rows 500ms"]


def test_a_node_that_is_up_to_date_is_told_only_with_v() -> None:
    assert said(Status.CACHED) == ""
    assert said(Status.CACHED, verbosity=1) == "= 3/9 orders unchanged"


def test_rows_that_stay_are_told_with_the_success() -> None:
    assert said(Status.SUCCESS, "same rows") == "✓ 3/9 orders table 7 rows 500ms same rows"
    assert said(Status.SUCCESS) == "✓ 3/9 orders table 7 rows 500ms"


def test_warnings_of_loggers_are_plain_notes() -> None:
    made, stream = output()
    with logging_through(Globals(), made):
        logging.getLogger("flowforge.locks").warning("waiting for %s\x1b[2J", "orders")
        logging.getLogger("flowforge.run").info("not told")
    assert stream.getvalue() == "note: waiting for orders\\x1b[2J\n"


def test_quiet_hides_them_and_json_makes_records_of_them() -> None:
    made, stream = output(-1)
    with logging_through(Globals(quiet=1), made):
        logging.getLogger("flowforge.run").warning("cleaned")
    assert stream.getvalue() == ""
    made, stream = output(0, "json")
    with logging_through(Globals(), made):
        logging.getLogger("flowforge.run").warning("cleaned")
    record = json.loads(stream.getvalue())
    assert (record["event"], record["level"], record["message"]) == ("log", "warning", "cleaned")


def test_what_is_said_during_a_live_table_goes_above_it() -> None:
    made = Output(color="always")
    stream = Terminal()
    made.stderr = stream
    console = Console(made)
    with logging_through(Globals(), made), console.show():
        assert made.above is not None
        logging.getLogger("flowforge.locks").warning("waiting for a lock")
        console(finished(Status.SUCCESS))
    assert made.above is None
    assert "waiting for a lock" in stream.getvalue()
    assert "orders" in stream.getvalue()


def ended(*nodes: NodeResult, error: FlowForgeError | None = None) -> str:
    made, stream = output()
    report(RunResult("run", "run", nodes[0].started_at, 1.0, nodes, (), error), made)
    return stream.getvalue()


def node(name: str, status: Status, message: str | None = None) -> NodeResult:
    error = ModelExecutionError(message, node=name, relation=name) if message else None
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return NodeResult(name, "sql", "table", None, status, now, 0.0, error=error)


def test_a_cancel_of_ours_is_no_news_and_one_of_others_is() -> None:
    stopped = node("b", Status.CANCELLED, "gone")
    assert "gone" not in ended(stopped, error=InterruptedRunError("cancelled: 1 running, 0 not started", signum=2))
    with_failure = ended(node("a", Status.ERROR, "bad column"), stopped)
    assert "bad column" in with_failure
    assert "gone" not in with_failure
    from_outside = ended(stopped, node("c", Status.SKIPPED))
    assert "gone" in from_outside
    assert "run failed in 1.0s: 1 cancelled, 1 not run" in from_outside
