"""Named locks between the sessions of one process.

DuckDB's own file lock keeps other processes out. Inside one process several executors may have the same file open,
so the table of locks belongs to the file, not to the executor: it is the one thing here that a whole process shares,
as the file itself is.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import weakref

import attrs

from flowforge.errors import EngineError, ErrorKind


@attrs.frozen
class Holder:
    """Who has a lock. *owner* is the session object's identity, *label* what it is called."""

    owner: object
    label: str
    since: dt.datetime


class LockTable:
    """The locks of one database; safe from any thread."""

    def __init__(self) -> None:
        self._held: dict[str, Holder] = {}
        self._changed = threading.Condition()
        self._woken: set[object] = set()

    def acquire(self, name: str, *, owner: object, label: str, timeout: float | None) -> bool:
        """Take a lock, waiting up to *timeout* seconds (``None``: for ever).

        Returns
        -------
        False when *owner* has it already.

        Raises
        ------
        EngineError
            Of kind ``LOCKED`` after the timeout, of kind ``CANCELLED`` after :meth:`wake`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            self._woken.discard(owner)
            while (holder := self._held.get(name)) is not None:
                if holder.owner is owner:
                    return False
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise EngineError(
                        f"waited {timeout:g} seconds for the lock on {name}, which is held by {holder.label}"
                        f" since {holder.since:%Y-%m-%d %H:%M:%S} UTC",
                        kind=ErrorKind.LOCKED,
                        retryable=True,
                        help="wait for that run, or raise --lock-timeout",
                    )
                self._changed.wait(left)
                if owner in self._woken:
                    self._woken.discard(owner)
                    raise EngineError(f"cancelled while waiting for the lock on {name}", kind=ErrorKind.CANCELLED)
            self._held[name] = Holder(owner, label, dt.datetime.now(dt.UTC))
            return True

    def release(self, names: set[str], owner: object) -> None:
        """Give back those of *names* that *owner* holds."""
        with self._changed:
            for name in names:
                if name in self._held and self._held[name].owner is owner:
                    del self._held[name]
            self._changed.notify_all()

    def wake(self, owner: object) -> None:
        """Let *owner* stop waiting; nothing happens when it does not wait."""
        with self._changed:
            self._woken.add(owner)
            self._changed.notify_all()


_TABLES: weakref.WeakValueDictionary[str, LockTable] = weakref.WeakValueDictionary()
_GUARD = threading.Lock()


def locks_of(path: str | None) -> LockTable:
    """The lock table of a database file; a database in memory (``None``) has one of its own."""
    if path is None:
        return LockTable()
    with _GUARD:
        table = _TABLES.get(path)
        if table is None:
            table = _TABLES[path] = LockTable()
        return table
