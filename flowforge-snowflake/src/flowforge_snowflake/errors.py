"""Snowflake's errors in the contract's words: by its own numbers first, by SQLSTATE where the number is unknown."""

from __future__ import annotations

import re

import attrs
from snowflake.connector import errors as driver

from flowforge.errors import Committed, EngineError, ErrorKind

_KINDS = {
    604: ErrorKind.CANCELLED,
    606: ErrorKind.MISSING,  # no warehouse is chosen
    625: ErrorKind.LOCKED,
    630: ErrorKind.TIMEOUT,
    707: ErrorKind.CANCELLED,
    904: ErrorKind.MISSING,
    1044: ErrorKind.TYPE,
    2002: ErrorKind.DUPLICATE,
    2003: ErrorKind.MISSING,
    2025: ErrorKind.DUPLICATE,  # two columns of one name
    2043: ErrorKind.MISSING,
    2140: ErrorKind.MISSING,
    2141: ErrorKind.MISSING,
    3001: ErrorKind.PERMISSION,
    3003: ErrorKind.PERMISSION,
    3041: ErrorKind.DUPLICATE,
    90073: ErrorKind.QUOTA,
    90105: ErrorKind.MISSING,
    90106: ErrorKind.MISSING,
    100069: ErrorKind.TYPE,
    100072: ErrorKind.CONSTRAINT,
    100090: ErrorKind.CONSTRAINT,
    390112: ErrorKind.AUTH,
    390114: ErrorKind.AUTH,
    390189: ErrorKind.AUTH,
    390201: ErrorKind.MISSING,
    390422: ErrorKind.PERMISSION,  # the address may not log in
}
_STATES = {
    "02000": ErrorKind.MISSING,
    "08": ErrorKind.CONNECTION,
    "0A": ErrorKind.UNSUPPORTED,
    "22": ErrorKind.TYPE,
    "23": ErrorKind.CONSTRAINT,
    "28": ErrorKind.AUTH,
    "40": ErrorKind.DEADLOCK,
    "42": ErrorKind.SYNTAX,
    "42501": ErrorKind.PERMISSION,
    "42710": ErrorKind.DUPLICATE,
    "42S01": ErrorKind.DUPLICATE,
    "42S02": ErrorKind.MISSING,
    "42S22": ErrorKind.MISSING,
    "57014": ErrorKind.CANCELLED,
    "57": ErrorKind.QUOTA,
}
_HELP = {
    ErrorKind.CONNECTION: "check the network, then run again",
    ErrorKind.PERMISSION: "grant the right to the role of the profile (setting role, FF_SF_ROLE)",
    ErrorKind.QUOTA: "raise the quota of the resource monitor, or name another warehouse in the profile",
    ErrorKind.LOCKED: "wait for the other transaction or end it, then run again",
    ErrorKind.AUTH: "log in again: check the credentials of the profile",
}
_HELP_BY_NUMBER = {
    606: "name a warehouse in the profile (setting warehouse, FF_SF_WAREHOUSE)",
    90105: "name a database in the profile (setting database, FF_SF_DATABASE)",
    90106: "create the profile's schema, or correct its name (setting schema, FF_SF_SCHEMA)",
}
_CONNECTION_NUMBERS = range(250000, 256000)
# The answer was an error of HTTP; the connector adds its own number to that of the status, once or twice.
_SERVER_NUMBERS = frozenset([*range(290000, 291000), *range(580000, 581000)])
_LOGIN_NUMBERS = range(390100, 395000)
_PLACE = re.compile(r"(?:error )?line (\d+) at position (\d+)")
_HEAD = re.compile(r"^\d{6} \([0-9A-Z]{5}\): (?:[0-9a-f]{8}-[0-9a-f-]{27}: )?")
_LOST = (
    driver.OperationalError,
    driver.InterfaceError,
)


@attrs.frozen
class Attempt:
    """What was being executed when an error came.

    Parameters
    ----------
    own, head:
        The caller's own text, and how many lines of the statement stand in front of it; ``None``: it holds none.
    timeout:
        Seconds that the statement was allowed to take; ``None``: any time.
    stopped:
        Did we cancel it ourselves?
    committed:
        Whether what was done may stay, if the connection is lost.
    """

    own: str | None = None
    head: int = 0
    timeout: float | None = None
    stopped: bool = False
    committed: Committed = Committed.NO


def kind_of(exc: driver.Error) -> ErrorKind:
    """The class of trouble."""
    number = exc.errno if isinstance(exc.errno, int) else -1
    if number in _KINDS:
        return _KINDS[number]
    if number in _LOGIN_NUMBERS:
        return ErrorKind.AUTH
    if number in _CONNECTION_NUMBERS or number in _SERVER_NUMBERS:
        return ErrorKind.CONNECTION
    state = exc.sqlstate if isinstance(exc.sqlstate, str) else ""
    for length in (5, 2):
        found = _STATES.get(state[:length])
        if found is not None:
            return found
    return ErrorKind.CONNECTION if isinstance(exc, _LOST) else ErrorKind.OTHER


def translate(exc: driver.Error, attempt: Attempt) -> EngineError:
    """Put the driver's exception into the contract's words."""
    kind = kind_of(exc)
    lines = message_lines(exc)
    notes = [f"query {exc.sfqid}"] if getattr(exc, "sfqid", None) else []
    if kind is ErrorKind.TIMEOUT or (kind is ErrorKind.CANCELLED and not attempt.stopped and "timeout" in str(exc)):
        limit = f" after {attempt.timeout:g} seconds, the time that one statement may take" if attempt.timeout else ""
        return EngineError(f"stopped{limit}", kind=ErrorKind.TIMEOUT, notes=[*lines, *notes])
    if kind is ErrorKind.CANCELLED:
        return EngineError("cancelled", kind=kind, notes=notes)
    message = "; ".join(lines)
    committed = Committed.NO
    if kind is ErrorKind.CONNECTION:
        committed = attempt.committed
        message = f"the connection to Snowflake was lost: {message}"
    lost = kind is ErrorKind.CONNECTION and committed is Committed.NO
    return EngineError(
        message,
        kind=kind,
        retryable=lost or kind in (ErrorKind.LOCKED, ErrorKind.DEADLOCK),
        committed=committed,
        position=_position(str(exc.raw_msg or exc), attempt),
        help=_HELP_BY_NUMBER.get(exc.errno or 0) or _HELP.get(kind),
        notes=notes,
    )


def message_lines(exc: driver.Error) -> list[str]:
    """What the driver says, without numbers and empty phrases."""
    lines = [line.strip() for line in _HEAD.sub("", str(exc.raw_msg or exc.msg or exc)).splitlines()]
    kept = [line.removeprefix("SQL compilation error: ") for line in lines if line and line != "SQL compilation error:"]
    return kept or [type(exc).__name__]


def _position(message: str, attempt: Attempt) -> int | None:
    """Snowflake counts lines from 1 and characters of a line from 0."""
    found = _PLACE.search(message)
    if found is None or attempt.own is None:
        return None
    line, column = int(found[1]) - 1 - attempt.head, int(found[2])
    lines = attempt.own.splitlines(keepends=True)
    if not 0 <= line < len(lines):
        return None
    return sum(map(len, lines[:line])) + min(column, len(lines[line]))
