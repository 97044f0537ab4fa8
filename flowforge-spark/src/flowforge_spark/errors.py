"""Spark's errors in the contract's words: by condition and SQLSTATE where there are some, else by class and text.

Servers that speak Spark Connect without being Spark send neither conditions nor positions; their texts are known for
what matters.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from flowforge.errors import Committed, EngineError, ErrorKind

_STATES = {
    "08": ErrorKind.CONNECTION,
    "0A": ErrorKind.UNSUPPORTED,
    "21": ErrorKind.TYPE,
    "22": ErrorKind.TYPE,
    "23": ErrorKind.CONSTRAINT,
    "28": ErrorKind.AUTH,
    "2D521": ErrorKind.DEADLOCK,
    "40": ErrorKind.DEADLOCK,
    "42": ErrorKind.SYNTAX,
    "42501": ErrorKind.PERMISSION,
    "42602": ErrorKind.UNSUPPORTED,
    "42703": ErrorKind.MISSING,
    "42704": ErrorKind.MISSING,
    "42710": ErrorKind.DUPLICATE,
    "42711": ErrorKind.DUPLICATE,
    "42734": ErrorKind.DUPLICATE,
    "42809": ErrorKind.UNSUPPORTED,
    "42846": ErrorKind.TYPE,
    "42883": ErrorKind.MISSING,
    "42K02": ErrorKind.UNSUPPORTED,
    "42K03": ErrorKind.MISSING,
    "42K09": ErrorKind.TYPE,
    "42P01": ErrorKind.MISSING,
    "42P06": ErrorKind.DUPLICATE,
    "42P07": ErrorKind.DUPLICATE,
    "42P08": ErrorKind.MISSING,
    "53": ErrorKind.MEMORY,
    "54": ErrorKind.UNSUPPORTED,
    "56": ErrorKind.UNSUPPORTED,
    "57": ErrorKind.CONNECTION,
    "HY008": ErrorKind.CANCELLED,
    "KD000": ErrorKind.TYPE,
}
_LOST = ErrorKind.CONNECTION
# Looked for one after the other: some speak of several things.
_TEXTS = (
    (r"operation not found|OPERATION_CANCELED|cancelled because", ErrorKind.CANCELLED),
    (r"Failed to commit transaction|Missing commit file|Concurrent\w*Exception|DELTA_CONCURRENT", ErrorKind.DEADLOCK),
    (r"UNAUTHENTICATED|invalid access token|Unauthorized", ErrorKind.AUTH),
    (r"PERMISSION_DENIED|INSUFFICIENT_PERMISSIONS|AccessControlException|Permission denied", ErrorKind.PERMISSION),
    (r"UNAVAILABLE|Connection refused|failed to connect|DEADLINE_EXCEEDED|Stream removed|RETRIES_EXCEEDED", _LOST),
    (r"Channel closed|Socket closed|Connection reset|INVALID_HANDLE|Py4JNetworkError|Cannot invoke RPC", _LOST),
    (r"No space left on device", ErrorKind.DISK),
    (r"OutOfMemoryError|RESOURCE_EXHAUSTED", ErrorKind.MEMORY),
    (r"\S+ not found|cannot be found|is missing from|unknown function|cannot resolve|No field", ErrorKind.MISSING),
    (r"already exists", ErrorKind.DUPLICATE),
    (r"invalid argument: found .* expected", ErrorKind.SYNTAX),
    (r"[Cc]annot cast|[Cc]ast error|divide by zero|overflow|[Cc]an't cast|cannot be cast|Parser error", ErrorKind.TYPE),
)  # fmt: skip
_CLASSES = {
    "ParseException": ErrorKind.SYNTAX,
    "NumberFormatException": ErrorKind.TYPE,
    "ArithmeticException": ErrorKind.TYPE,
    "DateTimeException": ErrorKind.TYPE,
    "UnsupportedOperationException": ErrorKind.UNSUPPORTED,
}
_RETRYABLE = (ErrorKind.DEADLOCK, ErrorKind.LOCKED)
_HELP = {
    ErrorKind.CONNECTION: "check that Spark still runs, then run again",
    ErrorKind.PERMISSION: "grant the right to whoever the profile logs in as",
    ErrorKind.AUTH: "check token in the profile, or FF_DBR_TOKEN",
    ErrorKind.DISK: "make room on the disk and run again; what was there before is untouched",
    ErrorKind.MEMORY: "raise spark.driver.memory or spark.executor.memory in extra_conf, or lower --jobs",
}
_LENGTH = 280
_PLACE = re.compile(r"\(line (\d+), pos (\d+)\)")
_SPAN = re.compile(r"invalid argument: found .*? at (\d+):\d+ expected")
_STREAM = re.compile(r'details = "(.*?)"', re.DOTALL)


@attrs.frozen
class Attempt:
    """What was being executed when an error came.

    Parameters
    ----------
    sql:
        The caller's own text, if it is what Spark was given.
    stopped:
        Why we stopped it ourselves: ``CANCELLED`` or ``TIMEOUT``.
    timeout:
        Seconds that it was allowed to take.
    """

    sql: str | None = None
    stopped: ErrorKind | None = None
    timeout: float | None = None


def is_ours(exc: BaseException) -> bool:
    """Is it an error of Spark, or of the ways to it?"""
    return any(one.__module__.partition(".")[0] in ("pyspark", "py4j", "grpc") for one in type(exc).__mro__)


def translate(exc: BaseException, attempt: Attempt) -> EngineError:
    """The error in the contract's words."""
    if attempt.stopped is ErrorKind.CANCELLED:
        return EngineError("the statement was cancelled", kind=ErrorKind.CANCELLED)
    if attempt.stopped is ErrorKind.TIMEOUT:
        limit = f"{attempt.timeout:g} seconds" if attempt.timeout is not None else "its limit"
        return EngineError(
            f"the statement took longer than {limit}",
            kind=ErrorKind.TIMEOUT,
            help="raise the timeout of the model, or make its query faster",
        )
    kind = _kind(exc)
    position = None if attempt.sql is None else _position(exc, attempt.sql)
    lost = kind is ErrorKind.CONNECTION
    return EngineError(
        _message(exc),
        kind=kind,
        retryable=kind in _RETRYABLE,
        committed=Committed.UNKNOWN if lost else Committed.NO,
        position=position,
        help=_HELP.get(kind),
    )


def _asked(exc: BaseException, method: str) -> Any:
    """What a method of newer drivers says; older ones lack it, and errors of the way to Spark have nothing to say."""
    try:
        return getattr(exc, method)()
    except Exception:  # noqa: BLE001 - an error about an error helps nobody
        return None


def _kind(exc: BaseException) -> ErrorKind:
    state = _asked(exc, "getSqlState") or ""
    for length in (5, 2):
        if len(state) == 5 and state[:length] in _STATES:
            return _STATES[state[:length]]
    text = str(exc)
    for pattern, kind in _TEXTS:
        if re.search(pattern, text):
            return kind
    for one in type(exc).__mro__:
        if one.__name__ in _CLASSES:
            return _CLASSES[one.__name__]
    return ErrorKind.OTHER


def _message(exc: BaseException) -> str:
    """One line without what only Spark's developers read."""
    text = str(exc).strip()
    details = _STREAM.search(text)
    if details:
        text = details[1]
    text = re.sub(r"^\((?:org|java)[\w.]+\)\s*", "", text)
    text = re.sub(r"^\[[A-Z_.\d]+\]\s*", "", text)
    text = re.split(r"\s*SQLSTATE: \w+|\n\s*\n|\nJVM stacktrace|\n== SQL|;\s*line \d+ pos \d+", text)[0]
    text = " ".join(text.split()) or type(exc).__name__
    return text if len(text) < _LENGTH else text[: _LENGTH - 4].rstrip() + " ..."


def _position(exc: BaseException, sql: str) -> int | None:
    """Where in *sql* the mistake is, in characters from 0."""
    for context in _asked(exc, "getQueryContext") or ():
        if _asked(context, "objectType"):  # the text of a view, which nobody sees here
            continue
        start = _asked(context, "startIndex")
        if isinstance(start, int) and start >= 0:
            return min(start, len(sql))
    text = str(exc)
    if place := _PLACE.search(text):
        lines = sql.splitlines(keepends=True)
        line, column = int(place[1]) - 1, int(place[2])
        if line < len(lines):
            return min(sum(len(one) for one in lines[:line]) + column, len(sql))
    if span := _SPAN.search(text):
        return min(int(span[1]), len(sql))
    return None
