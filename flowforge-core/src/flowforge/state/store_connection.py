"""One connection to the state file, shared by all threads: writes are gathered and never fail, reads come back empty.

Knows how to write and when to give up, nothing of what the rows mean.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from flowforge.errors import Note, shown
from flowforge.state.store_file import Opened, begin_anew, damaged, in_memory

DELAY = 0.05
"""Seconds that a statement waits for others to come along; a kill loses no more than these."""

_PAUSE = 5.0  # seconds before another attempt, after a write has failed
_WAITING = 100_000  # statements that wait for the file to be writable again

Statement = tuple[str, tuple[Any, ...]]


def storable(text: str) -> str:
    """*text* as SQLite can hold it: half a surrogate pair is no text."""
    return text.encode("utf-8", "backslashreplace").decode()


class StoreConnection:
    """Safe from any thread.

    Parameters
    ----------
    warn:
        Told of the first failure, from any thread.
    write:
        False: what should be written is ignored.
    """

    def __init__(self, opened: Opened, warn: Callable[[Note], None], *, write: bool) -> None:
        self._connection: sqlite3.Connection | None = opened.connection
        self._path = opened.path
        self._may_write = write
        self._warn = warn
        self._warned = False
        self._lock = threading.Lock()  # of the connection
        self._queue_lock = threading.Lock()  # of what waits to be written; never held while the disk is waited for
        self._waiting: list[Statement] = []
        self._whole = opened.note is None
        self._not_before = 0.0
        self._writer: threading.Thread | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()

    @property
    def lasting(self) -> bool:
        """Whether there is a file."""
        return self._path is not None

    @property
    def whole(self) -> bool:
        """Whether all that was written before can be read, as far as anybody has looked."""
        return self._whole

    def write(self, *statements: Statement) -> None:
        """Commit *statements* and all that wait, however short ago an attempt has failed."""
        if self._enqueue(statements):
            with self._lock:
                self._not_before = 0.0
                note = self._flush()
            self._tell(note)

    def write_soon(self, *statements: Statement) -> None:
        """Have *statements* committed within :data:`DELAY`, without waiting for it."""
        if self._enqueue(statements):
            self._wake.set()

    def rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query, which sees all that was to be written; none when it fails."""
        found: list[tuple[Any, ...]] = []
        with self._lock:
            note = self._flush()
            if self._connection is not None:
                try:
                    found = self._connection.execute(sql, values).fetchall()
                except (sqlite3.Error, UnicodeDecodeError) as error:
                    self._whole = False
                    note, _ = self._failed(self._connection, error)
        self._tell(note)
        return found

    def close(self) -> None:
        """Try a last time to write what waits, and let go of the file; quiet when called twice."""
        self._closing.set()
        self._wake.set()
        with self._lock:
            self._not_before = 0.0
            note = self._flush()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        self._tell(note)
        if self._writer is not None:
            self._writer.join()

    def _enqueue(self, statements: Sequence[Statement]) -> bool:
        if not self._may_write or self._closing.is_set() or not statements:
            return False
        with self._queue_lock:
            if len(self._waiting) < _WAITING:
                self._waiting += statements
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="flowforge-memory", daemon=True)
                self._writer.start()
        return True

    def _write_on(self) -> None:
        """Write what waits, again and again. On a thread of its own, so that nodes do not wait for the disk."""
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(DELAY)
            self._wake.clear()
            with self._lock:
                note = self._flush()
            self._tell(note)

    def _flush(self) -> Note | None:
        """Write what waits in one transaction; the lock of the connection is held."""
        connection = self._connection
        if connection is None or not self._waiting or time.monotonic() < self._not_before:
            return None
        with self._queue_lock:
            batch, self._waiting = self._waiting, []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement in batch:
                connection.execute(*statement)
            connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            note, again = self._failed(connection, error)
            if again:
                with self._queue_lock:
                    self._waiting[:0] = batch
            return note
        return None

    def _failed(self, connection: sqlite3.Connection, error: Exception) -> tuple[Note | None, bool]:
        """Go on after *error*, and say whether the same may succeed later; the lock of the connection is held."""
        if damaged(error) and self._path is not None:
            self._whole = False
            connection.close()
            opened = begin_anew(self._path) if self._may_write else in_memory(None)
            self._connection, self._path = opened.connection, opened.path
            return opened.note, True
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the transaction is over in any case: it ended by itself with the error
        self._not_before = time.monotonic() + _PAUSE
        note = Note(
            f"the history of this run cannot be written: {shown(str(error))}",
            "FF2313",
            help="the run itself is not affected; `retry` and the order of nodes may know less",
        )
        return note, isinstance(error, sqlite3.OperationalError)  # others are about values that will never fit

    def _tell(self, note: Note | None) -> None:
        if note is not None and not self._warned:
            self._warned = True
            self._warn(note)
