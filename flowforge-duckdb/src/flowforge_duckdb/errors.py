"""DuckDB's exceptions in the contract's words.

DuckDB says what class of error it is, and where in the statement, only in its message; and errors inside an Arrow
stream arrive as ``OSError`` with the same text. So the text is what is read here, the same way for both.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import attrs
import duckdb

from flowforge.errors import Committed, EngineError, ErrorKind

# Patterns are texts: they are compiled when an error is looked at, not whenever the driver is imported.
_HEAD = r"^(?P<family>[A-Za-z][A-Za-z ]*?) Error: "
_CARET = r"(?m)^LINE (?P<line>\d+): (?P<text>.*)\n(?P<pad> *)\^+[ \t]*$"
_LOCKED = r'Could not set lock on file "(?P<file>[^"\n]+)"'
_HOLDER = r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)"
_CONFLICT = ("conflict", "another transaction", "different transaction", "could not commit creation of dependency")
_NAMED = r'"(?P<quoted>[^"\n]+)"|\bname (?P<bare>\S+)'
# Letters of which everybody knows how wide they are. For others, DuckDB's tables and Python's are of different ages.
_PLAIN = r"[\t -~\u00a1-\u00ac\u00ae-\u017f\u0391-\u03a1\u03b1-\u03c9\u0400-\u045f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]*"
_SYSTEM_NAME = r'"(pg_|sqlite_|duckdb_)'

_KINDS = {
    "Parser": ErrorKind.SYNTAX,
    "Syntax": ErrorKind.SYNTAX,
    "Conversion": ErrorKind.TYPE,
    "Out of Range": ErrorKind.TYPE,
    "Mismatch Type": ErrorKind.TYPE,
    "Invalid type": ErrorKind.TYPE,
    "Constraint": ErrorKind.CONSTRAINT,
    "Dependency": ErrorKind.DEPENDENT,
    "Permission": ErrorKind.PERMISSION,
    "Connection": ErrorKind.CONNECTION,
    "HTTP": ErrorKind.CONNECTION,
    "INTERRUPT": ErrorKind.CANCELLED,
    "Out of Memory": ErrorKind.MEMORY,
    "Not implemented": ErrorKind.UNSUPPORTED,
}
_UNFIT = ("no function matches", "best candidate function", "cannot compare", "cannot mix", "explicit cast")
_INPUT = {
    "division by zero": ErrorKind.TYPE,
    "more than one row returned by a subquery": ErrorKind.CONSTRAINT,
}
_HELP = {
    ErrorKind.LOCKED: "wait until it is done or stop it, or give this run a database file of its own",
    ErrorKind.MEMORY: "raise memory_limit, lower threads or --jobs, or give DuckDB more room on disk",
    ErrorKind.DISK: "make room on the disk and run again; what was there before is untouched",
}
# When nobody knows whether a COMMIT was done, nothing can be said of what was there before.
_HELP_UNKNOWN = {**_HELP, ErrorKind.DISK: "make room on the disk and run again"}
_DISK_FULL = (
    "no space left on device",
    "file too large",
    "quota exceeded",
    "disk is full",
    "max_temp_directory_size",
    "temp_directory",
)


@attrs.frozen
class Attempt:
    """What was being executed when an exception came.

    Parameters
    ----------
    sql:
        The statement as DuckDB saw it; ``None`` when there was none.
    offset:
        Characters in front of the caller's own text in *sql*.
    timeout:
        Seconds after which our own timer interrupted the statement; ``None`` when it did not.
    commit:
        True when the statement was the COMMIT.
    """

    sql: str | None = None
    offset: int = 0
    timeout: float | None = None
    commit: bool = False


def is_driver_error(exc: BaseException) -> bool:
    """Does *exc* come from DuckDB?"""
    return isinstance(exc, duckdb.Error) or (isinstance(exc, OSError) and bool(re.match(_HEAD, str(exc))))


def translate(exc: BaseException, attempt: Attempt) -> EngineError:
    """Put DuckDB's exception into the contract's words."""
    text = str(exc)
    family, body = _split(text)
    kind = _kind(family, body)
    if attempt.timeout is not None and kind is ErrorKind.CANCELLED:
        return EngineError(
            f"stopped after {attempt.timeout:g} seconds, the time that one statement may take", kind=ErrorKind.TIMEOUT
        )
    message, notes = _locked(body) if kind is ErrorKind.LOCKED else _prose(body)
    retryable = kind in (ErrorKind.DEADLOCK, ErrorKind.LOCKED)
    settled = retryable or kind is ErrorKind.CONSTRAINT
    committed = Committed.UNKNOWN if attempt.commit and not settled else Committed.NO
    position = find_position(text, attempt.sql) if attempt.sql is not None else None
    if position is not None:
        position = position - attempt.offset if position >= attempt.offset else None
    return EngineError(
        "cancelled" if kind is ErrorKind.CANCELLED else message,
        kind=kind,
        retryable=retryable,
        committed=committed,
        position=position,
        help=_HELP.get(kind) if committed is Committed.NO else _HELP_UNKNOWN.get(kind),
        notes=notes,
    )


def find_position(message: str, sql: str) -> int | None:
    """Where in *sql* the caret of *message* points, in characters from 0; ``None`` when that is not certain.

    DuckDB shows one line of the statement, cuts long ones on both sides, and counts columns as a terminal shows them.
    """
    caret = re.search(_CARET, message)
    if not caret:
        return None
    lines = sql.split("\n")
    number = int(caret["line"]) - 1
    if number >= len(lines):
        return None
    line, shown = lines[number], caret["text"]
    column = len(caret["pad"]) - len(f"LINE {caret['line']}: ")
    start = 0
    if line.rstrip() != shown.rstrip():
        left_cut = shown.startswith("...") and not line.startswith(shown.removesuffix("..."))
        piece = shown[3:] if left_cut else shown
        if piece not in line:
            piece = piece.removesuffix("...")
        start = line.find(piece)
        if not piece or start < 0 or line.find(piece, start + 1) >= 0:
            return None  # not our text, or it stands there twice
        if left_cut:
            start, column = start, column - 3
        elif start:
            return None
    if re.fullmatch(_PLAIN, line):
        at = _index_at(line, start, column)
    else:
        at = _index_of_word(line, message)
    if at is None:
        return None
    return sum(len(earlier) + 1 for earlier in lines[:number]) + at


def _index_at(line: str, start: int, column: int) -> int | None:
    for index in range(start, len(line)):
        width = _width(line[index])
        if column <= 0 and width:
            return index
        column -= width
    return len(line) if column <= 0 else None


def _index_of_word(line: str, message: str) -> int | None:
    """Where the one word stands that the message names."""
    word = re.search(_NAMED, message)
    text = (word["quoted"] or word["bare"]) if word else None
    return line.index(text) if text and line.count(text) == 1 else None


def _width(character: str) -> int:
    if character == "\t":
        return 0
    return 1 if character < "\u1100" else 2


def _split(text: str) -> tuple[str, str]:
    head = re.match(_HEAD, text)
    return (head["family"], text[head.end() :]) if head else ("", text)


def _kind(family: str, body: str) -> ErrorKind:
    lower = body.lower()
    if any(word in lower for word in _DISK_FULL):
        return ErrorKind.DISK
    if family == "Catalog":
        if "already exists" in lower:
            return ErrorKind.DUPLICATE
        return ErrorKind.MISSING if "does not exist" in lower else ErrorKind.OTHER
    if family == "Binder":
        if any(word in lower for word in ("not found", "does not exist", "does not have a column")):
            return ErrorKind.MISSING
        if any(words in lower for words in _UNFIT):
            return ErrorKind.TYPE
        return ErrorKind.SYNTAX
    if family == "TransactionContext":
        if "constraint violation" in lower:
            return ErrorKind.CONSTRAINT
        return ErrorKind.DEADLOCK if any(words in lower for words in _CONFLICT) else ErrorKind.OTHER
    if family == "Invalid Input":
        return next((kind for words, kind in _INPUT.items() if words in lower), ErrorKind.OTHER)
    if family == "IO" and re.search(_LOCKED, body):
        return ErrorKind.LOCKED
    return _KINDS.get(family, ErrorKind.OTHER)


def _locked(body: str) -> tuple[str, list[str]]:
    file, holder = re.search(_LOCKED, body), re.search(_HOLDER, body)
    name = f"the database {file['file']!r}" if file else "the database"
    if holder is None:
        return f"{name} is open in another process", []
    return f"{name} is open in another process (pid {holder['pid']})", [f"that process is {holder['program']}"]


def _prose(body: str) -> tuple[str, list[str]]:
    lines = [line.strip() for line in re.sub(_CARET, "", body).replace("\0", ".").splitlines()]
    lines = [line for line in lines if line]
    notes = [line for line in lines[1:] if line.startswith(("Candidate", "Did you mean"))]
    # Its own catalogue is never what was meant, and the head of a list says nothing without the list.
    notes = [
        note.replace(": : ", ": ") for note in notes if not re.search(_SYSTEM_NAME, note) and not note.endswith(":")
    ]
    first = lines[0].rstrip("!. ") if lines else "DuckDB gives no reason"
    return first, notes


@contextlib.contextmanager
def translating(attempt: Callable[[], Attempt] = Attempt) -> Iterator[None]:
    """Let DuckDB's exceptions leave the block as :class:`EngineError`; all others pass.

    Parameters
    ----------
    attempt:
        Asked, when an exception came, what was being executed.
    """
    try:
        yield
    except Exception as exc:
        if isinstance(exc, EngineError) or not is_driver_error(exc):
            raise
        raise translate(exc, attempt()) from exc
