"""PostgreSQL's errors in the contract's words: by SQLSTATE, never by text, which servers write in many languages.

One code covers two mistakes, a function that is not there and an operator that does not take these types. The server's
own routine tells them apart, which it names in every language alike.
"""

from __future__ import annotations

import attrs
import psycopg

from flowforge.errors import Committed, EngineError, ErrorKind

_UNDEFINED_FUNCTION = "42883"
_KINDS = {
    "08": ErrorKind.CONNECTION,
    "0A": ErrorKind.UNSUPPORTED,
    "21": ErrorKind.CONSTRAINT,
    "22": ErrorKind.TYPE,
    "23": ErrorKind.CONSTRAINT,
    "25006": ErrorKind.PERMISSION,
    "25P03": ErrorKind.CONNECTION,
    "25P04": ErrorKind.CONNECTION,
    "28": ErrorKind.AUTH,
    "2B": ErrorKind.DEPENDENT,
    "3D": ErrorKind.MISSING,
    "3F": ErrorKind.MISSING,
    "40": ErrorKind.DEADLOCK,
    "42": ErrorKind.SYNTAX,
    "42501": ErrorKind.PERMISSION,
    "42701": ErrorKind.DUPLICATE,
    "42703": ErrorKind.MISSING,
    "42704": ErrorKind.MISSING,
    "42710": ErrorKind.DUPLICATE,
    "42712": ErrorKind.DUPLICATE,
    "42723": ErrorKind.DUPLICATE,
    "42725": ErrorKind.TYPE,
    "42804": ErrorKind.TYPE,
    "42846": ErrorKind.TYPE,
    _UNDEFINED_FUNCTION: ErrorKind.MISSING,
    "42P01": ErrorKind.MISSING,
    "42P06": ErrorKind.DUPLICATE,
    "42P07": ErrorKind.DUPLICATE,
    "42P18": ErrorKind.TYPE,
    "42P22": ErrorKind.TYPE,
    "53100": ErrorKind.DISK,
    "53200": ErrorKind.MEMORY,
    "53": ErrorKind.QUOTA,
    "54": ErrorKind.UNSUPPORTED,
    "55006": ErrorKind.LOCKED,
    "55P03": ErrorKind.LOCKED,
    "57014": ErrorKind.CANCELLED,
    "57P": ErrorKind.CONNECTION,
    "58030": ErrorKind.DISK,
}
_LOOKS_FOR_OPERATORS = frozenset({"op_error", "get_sort_group_operators"})
_HELP = {
    ErrorKind.CONNECTION: "check that the server still runs, then run again",
    ErrorKind.DISK: "make room on the server's disk and run again; what was there before is untouched",
    ErrorKind.LOCKED: "wait for that session or stop it, or raise --lock-timeout",
    ErrorKind.MEMORY: "lower work_mem or --jobs, or give the server more memory",
    ErrorKind.PERMISSION: "grant the right to the role that the profile logs in as",
}
_RETRYABLE = (ErrorKind.DEADLOCK, ErrorKind.LOCKED, ErrorKind.QUOTA)


@attrs.frozen
class Attempt:
    """What was being executed when an error came.

    Parameters
    ----------
    offset:
        Characters in front of the caller's own text in the statement; ``None`` when it holds none of it.
    timeout:
        Seconds that the statement was allowed to take; ``None``: any time.
    took:
        Seconds that it took.
    stopped:
        Did we cancel it ourselves?
    commit:
        Whether what was done before the error may stay: unknown in a COMMIT and for a statement without transaction.
    blocker:
        Who held the lock that it waited for, as far as anybody saw.
    silence:
        Seconds for which the server had answered nobody, when we gave it up for that.
    """

    offset: int | None = 0
    timeout: float | None = None
    took: float = 0.0
    stopped: bool = False
    commit: Committed = Committed.NO
    blocker: str | None = None
    silence: float | None = None


def kind_of(exc: psycopg.Error) -> ErrorKind:
    """The class of trouble."""
    state = exc.sqlstate
    if state is None:
        if isinstance(exc, psycopg.DataError):
            return ErrorKind.TYPE
        return ErrorKind.CONNECTION if isinstance(exc, psycopg.OperationalError) else ErrorKind.OTHER
    if state == _UNDEFINED_FUNCTION and exc.diag.source_function in _LOOKS_FOR_OPERATORS:
        return ErrorKind.TYPE
    for length in (5, 3, 2):
        found = _KINDS.get(state[:length])
        if found is not None:
            return found
    return ErrorKind.OTHER


def translate(exc: psycopg.Error, attempt: Attempt) -> EngineError:
    """Put the driver's exception into the contract's words."""
    kind, diag = kind_of(exc), exc.diag
    message = (diag.message_primary or str(exc)).strip() or type(exc).__name__
    help_ = _HELP.get(kind) or diag.message_hint
    notes = [text for text in (diag.message_detail, diag.message_hint) if text and text != help_]
    committed = Committed.NO
    if kind is ErrorKind.CANCELLED:
        return _stopped(attempt)
    if kind is ErrorKind.CONNECTION:
        committed = attempt.commit
        cause = f"it answered nothing for {attempt.silence:.0f} seconds" if attempt.silence else message.splitlines()[0]
        message = f"the connection to the server was lost: {cause}"
    elif kind is ErrorKind.LOCKED and attempt.blocker:
        message = f"waited {attempt.took:.0f} seconds for {attempt.blocker}"
    return EngineError(
        message,
        kind=kind,
        retryable=kind in _RETRYABLE or (kind is ErrorKind.CONNECTION and committed is Committed.NO),
        committed=committed,
        position=_position(diag.statement_position, attempt.offset),
        help=help_,
        notes=[line for note in notes for line in note.splitlines()],
    )


def _stopped(attempt: Attempt) -> EngineError:
    # The server's text would tell a time limit from a request, but not in a language that we know beforehand.
    waiting = [f"it was waiting for {attempt.blocker}"] if attempt.blocker else []
    if not attempt.stopped and attempt.timeout is not None and attempt.took >= attempt.timeout * 0.95:
        text = f"stopped after {attempt.timeout:g} seconds, the time that one statement may take"
        return EngineError(text, kind=ErrorKind.TIMEOUT, notes=waiting)
    return EngineError("cancelled", kind=ErrorKind.CANCELLED, notes=waiting)


def _position(text: str | None, offset: int | None) -> int | None:
    if text is None or offset is None:
        return None
    position = int(text) - 1 - offset
    return position if position >= 0 else None
