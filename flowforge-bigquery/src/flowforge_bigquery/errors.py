"""BigQuery's errors in the contract's words: by HTTP status and reason, and where those say too little, by text.

Nearly all that is wrong with a query has the reason ``invalidQuery``; what it is stands in the message only, which is
in English for everybody. The place stands there as well: ``at [line:column]``, counted from 1, with tabs that reach to
the next multiple of eight.
"""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Mapping
from typing import Any

import attrs
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from flowforge.errors import Committed, EngineError, ErrorKind

_LIMIT = re.compile(r"timeout=([\d.]+)")
_PLACE = re.compile(r"\s*\bat \[(\d+):(\d+)\]")
_TAIL = re.compile(r"; reason: .*", re.DOTALL)
_CALL = re.compile(r"^(?:\d{3} )?(?:GET|POST|PUT|PATCH|DELETE) https?://\S+: ")
_TAB = 8

_REASONS = {
    "accessDenied": ErrorKind.PERMISSION,
    "authError": ErrorKind.AUTH,
    "backendError": ErrorKind.CONNECTION,
    "billingNotEnabled": ErrorKind.QUOTA,
    "billingTierLimitExceeded": ErrorKind.QUOTA,
    "blocked": ErrorKind.QUOTA,
    "bytesBilledLimitExceeded": ErrorKind.QUOTA,
    "duplicate": ErrorKind.DUPLICATE,
    "jobRateLimitExceeded": ErrorKind.QUOTA,
    "notFound": ErrorKind.MISSING,
    "quotaExceeded": ErrorKind.QUOTA,
    "rateLimitExceeded": ErrorKind.QUOTA,
    "resourceInUse": ErrorKind.LOCKED,
    "resourcesExceeded": ErrorKind.MEMORY,
    "responseTooLarge": ErrorKind.QUOTA,
    "stopped": ErrorKind.CANCELLED,
    "tableUnavailable": ErrorKind.CONNECTION,
    "timeout": ErrorKind.TIMEOUT,
}
_STATUS = {
    401: ErrorKind.AUTH,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.MISSING,
    409: ErrorKind.DUPLICATE,
    412: ErrorKind.DEADLOCK,
    429: ErrorKind.QUOTA,
    500: ErrorKind.CONNECTION,
    502: ErrorKind.CONNECTION,
    503: ErrorKind.CONNECTION,
    504: ErrorKind.TIMEOUT,
}
_WORDS: Mapping[str, ErrorKind] = {
    r"could not serialize access": ErrorKind.DEADLOCK,
    r"too many DML statements outstanding": ErrorKind.DEADLOCK,
    r"already exists": ErrorKind.DUPLICATE,
    r"duplicate column name": ErrorKind.DUPLICATE,
    r"unrecognized name|(function|column \S+|field \S+|name \S+) not found|not found: (table|dataset)": ErrorKind.MISSING,
    r"column \S+ is not present in table|does not have a (column|field)|no such field": ErrorKind.MISSING,
    r"^syntax error": ErrorKind.SYNTAX,
    r"no matching signature|parameterized types are not allowed|could not cast|invalid cast|cannot coerce|incompatible types": ErrorKind.TYPE,
    r"(bad|invalid) (int64|bool|double|float64|numeric|bignumeric|date|datetime|timestamp|time)\b": ErrorKind.TYPE,
    r"division by zero|overflow|out of range|which cannot be (inserted|coerced)": ErrorKind.TYPE,
    r"at most one source row|produced more than one element|cannot be null": ErrorKind.CONSTRAINT,
    r"exceeded limit for bytes billed": ErrorKind.QUOTA,
    r"not supported|unsupported": ErrorKind.UNSUPPORTED,
}
_KNOWN = tuple((re.compile(words, re.IGNORECASE), kind) for words, kind in _WORDS.items())
_HELP = {
    ErrorKind.AUTH: "check the profile's keyfile, or log in again: gcloud auth application-default login",
    ErrorKind.CONNECTION: "check the network, and api_endpoint of the profile if it is set, then run again",
    ErrorKind.PERMISSION: "give the profile's account the right on this project, dataset or table",
    ErrorKind.QUOTA: "wait, lower --jobs, or ask for more quota; maximum_bytes_billed of the profile is a limit of yours",
}
_PASSES = ("jobRateLimitExceeded", "rateLimitExceeded", "backendError", "tableUnavailable")


@attrs.frozen
class Attempt:
    """What was being done when an exception came.

    Parameters
    ----------
    sql:
        The statement as BigQuery saw it; ``None`` when there was none.
    offset:
        Characters in front of the caller's own text in *sql*.
    timeout:
        Seconds after which we gave the statement up; ``None`` when we did not.
    stopped:
        Did we cancel it?
    writes:
        Whether it may have changed something when its answer got lost.
    """

    sql: str | None = None
    offset: int = 0
    timeout: float | None = None
    stopped: bool = False
    writes: bool = False


def is_driver_error(exc: BaseException) -> bool:
    """Does *exc* come from Google's libraries, or from what they send requests with?"""
    return isinstance(exc, api.GoogleAPIError | auth.GoogleAuthError | requests.exceptions.RequestException)


def is_conflict(exc: BaseException) -> bool:
    """Whether a statement failed only because others wrote the same table; it has changed nothing then."""
    return isinstance(exc, api.GoogleAPICallError) and _kind(exc) is ErrorKind.DEADLOCK


def translate(exc: BaseException, attempt: Attempt) -> EngineError:
    """Put an exception of Google's libraries into the contract's words."""
    if attempt.stopped:
        return EngineError("cancelled", kind=ErrorKind.CANCELLED)
    kind = _kind(exc)
    if attempt.timeout is not None or (kind is ErrorKind.TIMEOUT and isinstance(exc, api.GoogleAPICallError)):
        limit = f"{attempt.timeout:g} seconds, " if attempt.timeout is not None else ""
        return EngineError(f"stopped after {limit}the time that one statement may take", kind=ErrorKind.TIMEOUT)
    text = _text(exc)
    place = _PLACE.search(text)
    message = _PLACE.sub("", text, count=1).splitlines()[0].strip()
    lost = kind is ErrorKind.CONNECTION
    committed = Committed.UNKNOWN if lost and attempt.writes and not _never_sent(exc) else Committed.NO
    return EngineError(
        message,
        kind=kind,
        retryable=committed is Committed.NO and (kind is ErrorKind.DEADLOCK or lost or _reason(exc) in _PASSES),
        committed=committed,
        position=_position(place, attempt),
        help=_HELP.get(kind),
    )


def _kind(exc: BaseException) -> ErrorKind:
    if isinstance(exc, api.RetryError) and exc.cause is not None:
        return _kind(exc.cause)
    if isinstance(exc, auth.TransportError):
        return ErrorKind.CONNECTION
    if isinstance(exc, auth.GoogleAuthError):
        return ErrorKind.AUTH
    if isinstance(exc, concurrent.futures.TimeoutError):
        return ErrorKind.TIMEOUT
    if isinstance(exc, requests.exceptions.RequestException):
        return ErrorKind.CONNECTION
    if not isinstance(exc, api.GoogleAPICallError):
        return ErrorKind.OTHER
    text, reason = _text(exc), _reason(exc)
    if reason in _REASONS and not (reason == "quotaExceeded" and "DML" in text):
        return _REASONS[reason]
    found = next((kind for words, kind in _KNOWN if words.search(text)), None)
    return found or _STATUS.get(exc.code or 0, ErrorKind.OTHER)


def _reason(exc: BaseException) -> str:
    errors: Any = getattr(exc, "errors", None)
    first = errors[0] if errors else None
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def _text(exc: BaseException) -> str:
    if isinstance(exc, api.RetryError) and exc.cause is not None:
        return _text(exc.cause)
    if isinstance(exc, api.GoogleAPICallError):
        text = _CALL.sub("", str(exc.message or exc))
        return _TAIL.sub("", text).strip() or type(exc).__name__
    if isinstance(exc, requests.exceptions.Timeout):
        limit = _LIMIT.search(str(exc))
        return f"the service does not answer{f' within {float(limit[1]):g} seconds' if limit else ''}"
    if isinstance(exc, requests.exceptions.ConnectionError):
        return f"the service cannot be reached: {_innermost(exc)}"
    if isinstance(exc, auth.GoogleAuthError) and exc.args:
        return str(exc.args[0]) or type(exc).__name__
    return str(exc).strip() or type(exc).__name__


def _innermost(exc: BaseException) -> str:
    """What the operating system said, which hides below several layers of the same text."""
    while True:
        reason = getattr(exc, "reason", None) or (exc.args[0] if exc.args else None)
        if not isinstance(reason, BaseException):
            return str(exc).rpartition(": ")[2].strip("') ") or type(exc).__name__
        exc = reason


def _never_sent(exc: BaseException) -> bool:
    """Whether the request did not even reach the service."""
    cause = exc.cause if isinstance(exc, api.RetryError) and exc.cause is not None else exc
    return "refused" in str(cause) or "resolve" in str(cause) or isinstance(cause, auth.GoogleAuthError)


def _position(place: re.Match[str] | None, attempt: Attempt) -> int | None:
    if place is None or attempt.sql is None:
        return None
    position = offset_of(attempt.sql, int(place[1]), int(place[2]))
    if position is None or position < attempt.offset:
        return None
    return position - attempt.offset


def offset_of(sql: str, line: int, column: int) -> int | None:
    """The offset in *sql* of a place that is counted from 1, with tabs of eight; ``None``: there is no such place."""
    lines = sql.split("\n")
    if not 1 <= line <= len(lines):
        return None
    shown, index, text = 1, 0, lines[line - 1]
    while index < len(text) and shown < column:
        shown = (shown - 1) // _TAB * _TAB + _TAB + 1 if text[index] == "\t" else shown + 1
        index += 1
    return sum(len(one) + 1 for one in lines[: line - 1]) + index
