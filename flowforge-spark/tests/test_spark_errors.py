"""Errors of Spark in the contract's words, by stand-ins that say what Spark says."""

from __future__ import annotations

import pytest

from flowforge.errors import Committed, ErrorKind
from flowforge_spark.errors import Attempt, is_ours, translate


class PySparkError(Exception):
    """An error of a driver."""

    __module__ = "pyspark.errors.stand_in"

    def __init__(self, text: str, state: str | None = None, start: int | None = None, view: bool = False) -> None:
        super().__init__(text)
        self._state, self._start, self._view = state, start, view

    def getSqlState(self) -> str | None:
        return self._state

    def getQueryContext(self) -> list[PySparkError]:
        return [] if self._start is None else [self]

    def startIndex(self) -> int | None:
        return self._start

    def objectType(self) -> str:
        return "VIEW" if self._view else ""


@pytest.mark.parametrize(
    ("text", "state", "kind"),
    [
        ("[TABLE_OR_VIEW_NOT_FOUND] The table ...", "42P01", ErrorKind.MISSING),
        ("[PARSE_SYNTAX_ERROR] Syntax error", "42601", ErrorKind.SYNTAX),
        ("[CAST_INVALID_INPUT] The value ...", "22018", ErrorKind.TYPE),
        ("[X] ...", "42501", ErrorKind.PERMISSION),
        ("[DELTA_CONCURRENT_APPEND] ...", "2D521", ErrorKind.DEADLOCK),
        ("Failed to commit transaction: 0", None, ErrorKind.DEADLOCK),
        ("Missing commit file: expected version 0, found 8", None, ErrorKind.DEADLOCK),
        ("invalid argument: operation not found: 1-2", None, ErrorKind.CANCELLED),
        ("Table not found: [TABLE_OR_VIEW_NOT_FOUND] ...", None, ErrorKind.MISSING),
        ("View already exists: v", None, ErrorKind.DUPLICATE),
        ("invalid argument: found selec at 0:5 expected something else", None, ErrorKind.SYNTAX),
        ("Cannot cast string 'x' to value of Int32 type", None, ErrorKind.TYPE),
        ("something new", None, ErrorKind.OTHER),
    ],
)
def test_kinds(text: str, state: str | None, kind: ErrorKind) -> None:
    assert translate(PySparkError(text, state), Attempt()).kind is kind


def test_a_collision_can_be_tried_again_and_a_lost_server_leaves_doubt() -> None:
    assert translate(PySparkError("Failed to commit transaction: 0"), Attempt()).retryable
    lost = translate(PySparkError("UNAVAILABLE: failed to connect"), Attempt())
    assert (lost.kind, lost.committed) == (ErrorKind.CONNECTION, Committed.UNKNOWN)


def test_messages_are_one_short_line() -> None:
    text = "[UNRESOLVED_COLUMN] A column `x`\n cannot be resolved. SQLSTATE: 42703; line 1 pos 7;\n'Project ['x]\n\n\tat org.a"
    assert translate(PySparkError(text, "42703"), Attempt()).message == "A column `x` cannot be resolved."
    assert len(translate(PySparkError("x" * 5000), Attempt()).message) < 300


@pytest.mark.parametrize(
    ("error", "sql", "position"),
    [
        (PySparkError("...", "42703", 17), "select '🦆' as a, ghost", 17),
        (PySparkError("...", "42703", 7), "select ghost", 7),
        (PySparkError("...", "42703", 7, view=True), "select ghost", None),
        (PySparkError("Syntax error at or near 'FROM'. (line 2, pos 5)", "42601"), "SELECT 1 AS a\nFROM FROM x", 19),
        (PySparkError("invalid argument: found selec at 0:5 expected"), "selec 1", 0),
        (PySparkError("..."), "select 1", None),
    ],
    ids=str,
)
def test_positions_count_characters_of_the_callers_text(error: PySparkError, sql: str, position: int | None) -> None:
    assert translate(error, Attempt(sql)).position == position
    assert translate(error, Attempt(None)).position is None


def test_what_we_stopped_ourselves_is_called_so() -> None:
    error = PySparkError("invalid argument: operation not found: 1-2")
    assert translate(error, Attempt(stopped=ErrorKind.CANCELLED)).kind is ErrorKind.CANCELLED
    late = translate(error, Attempt(stopped=ErrorKind.TIMEOUT, timeout=2))
    assert late.kind is ErrorKind.TIMEOUT
    assert "2 seconds" in late.message


def test_other_peoples_errors_are_not_ours() -> None:
    assert is_ours(PySparkError("x"))
    assert not is_ours(ValueError("x"))
