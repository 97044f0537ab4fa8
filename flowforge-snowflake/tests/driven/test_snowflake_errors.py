"""The driver's errors in the contract's words; no server is asked."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import errors as driver

from flowforge.errors import Committed, ErrorKind
from flowforge_snowflake.errors import Attempt, translate


def error(message: str, number: int, state: str, kind: type[driver.Error] = driver.ProgrammingError) -> driver.Error:
    return kind(msg=message, errno=number, sqlstate=state, sfqid="01b2c3d4-0000-0000-0000-000000000001")


@pytest.mark.parametrize(
    ("exc", "kind", "retryable"),
    [
        (error("SQL compilation error:\nObject 'X' does not exist or not authorized.", 2003, "42S02"), "missing", False),
        (error("SQL compilation error: error line 1 at position 7\ninvalid identifier 'X'", 904, "42000"), "missing", False),
        (error("SQL compilation error:\nsyntax error line 1 at position 0 unexpected 'SELEC'.", 1003, "42000"), "syntax", False),
        (error("SQL compilation error:\nObject 'X' already exists.", 2002, "42710"), "duplicate", False),
        (error("SQL access control error:\nInsufficient privileges to operate on schema 'S'", 3001, "42501"), "permission", False),
        (error("Numeric value 'x' is not recognized", 100038, "22018"), "type", False),
        (error("Division by zero", 100051, "22012"), "type", False),
        (error("NULL result in a non-nullable column", 100072, "22000"), "constraint", False),
        (error("Duplicate row detected during DML action", 100090, "42P18"), "constraint", False),
        (error("SQL execution canceled", 604, "57014"), "cancelled", False),
        (error("Statement reached its statement or warehouse timeout of 1 second(s) and was canceled.", 630, "57014"), "timeout", False),
        (error("Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.", 90073, "22000"), "quota", False),
        (error("No active warehouse selected in the current session.", 606, "57P03"), "missing", False),
        (error("Authentication token has expired.", 390114, "08001", driver.DatabaseError), "auth", False),
        (error("Role 'R' specified in the connect string does not exist or not authorized.", 390189, "08001"), "auth", False),
        (error("Statement has locked table 'T' in a transaction", 625, "57014"), "locked", True),
        (error("Failed to execute request", 250003, "", driver.OperationalError), "connection", True),
        (error("HTTP 503: Service Unavailable", 290503, "n/a", driver.ServiceUnavailableError), "connection", True),
        (error("Feature 'X' is not supported", 2, "0A000"), "unsupported", False),
        (error("Something new", 999999, "XX000"), "other", False),
    ],
    ids=lambda value: str(value.errno) if isinstance(value, driver.Error) else None,
)  # fmt: skip
def test_kinds(exc: driver.Error, kind: str, retryable: bool) -> None:
    found = translate(exc, Attempt())
    assert (found.kind, found.retryable) == (ErrorKind(kind), retryable)
    assert "\n" not in found.message
    assert "SQL compilation error" not in found.message


def test_the_query_can_be_found_again() -> None:
    found = translate(
        error("SQL compilation error:\nObject 'X' does not exist or not authorized.", 2003, "42S02"), Attempt()
    )
    assert found.message == "Object 'X' does not exist or not authorized."
    assert found.notes == ("query 01b2c3d4-0000-0000-0000-000000000001",)


@pytest.mark.parametrize(
    ("own", "head", "line", "column", "position"),
    [
        ("select ghost", 0, 1, 7, 7),
        ("select\n  ghost", 1, 3, 2, 9),
        ("select ghost", 2, 1, 3, None),
        ("select ghost", 0, 5, 0, None),
        (None, 0, 1, 7, None),
    ],
)
def test_positions_count_in_the_callers_own_text(
    own: str | None, head: int, line: int, column: int, position: int | None
) -> None:
    exc = error(
        f"SQL compilation error: error line {line} at position {column}\ninvalid identifier 'GHOST'", 904, "42000"
    )
    assert translate(exc, Attempt(own, head)).position == position


def test_a_lost_connection_may_have_committed() -> None:
    exc = error("gone", 250003, "", driver.OperationalError)
    known: Any = translate(exc, Attempt(committed=Committed.NO))
    unknown = translate(exc, Attempt(committed=Committed.UNKNOWN))
    assert (known.committed, known.retryable) == (Committed.NO, True)
    assert (unknown.committed, unknown.retryable) == (Committed.UNKNOWN, False)


def test_our_own_cancel_is_no_timeout() -> None:
    exc = error("SQL execution canceled", 604, "57014")
    assert translate(exc, Attempt(stopped=True, timeout=1)).kind is ErrorKind.CANCELLED
    late = error("Statement reached its statement or warehouse timeout of 1 second(s) and was canceled.", 630, "57014")
    assert "after 1 seconds" in translate(late, Attempt(timeout=1)).message
