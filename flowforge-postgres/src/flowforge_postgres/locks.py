"""Named locks between sessions of all processes: advisory locks of the server, which end with the transaction.

They are asked for again and again instead of waited for in the server, so that a wait can be cancelled, and does not end
the transaction when it was in vain.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from flowforge.errors import EngineError, ErrorKind
from flowforge_postgres.blockers import AFTER, described

_log = logging.getLogger("flowforge.locks")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25


@attrs.frozen
class LockKey:
    """The number that stands for a name. Databases have their locks apart."""

    name: str

    @property
    def number(self) -> int:
        """64 bits, signed."""
        digest = hashlib.blake2b(f"flowforge\0{self.name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    def attempt(self, *, lasting: bool, timeout: float | None = None) -> str:
        """SQL that takes the lock, or says that it is taken; *lasting* beyond the transaction.

        The same statement says how many seconds the rest of the transaction may wait for the locks of others.
        """
        function = "pg_try_advisory_lock" if lasting else "pg_try_advisory_xact_lock"
        taken = f"SELECT pg_catalog.{function}({self.number})"
        if lasting or timeout is None:
            return taken
        return f"{taken}, pg_catalog.set_config('lock_timeout', '{max(1, round(timeout * 1000))}', true)"

    @property
    def holders(self) -> str:
        """SQL that tells who has it: process, application, role, since when."""
        bits = self.number & 0xFFFFFFFFFFFFFFFF
        return (
            "SELECT l.pid, a.application_name, a.usename::text, a.xact_start::text"
            " FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
            " JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()"
            f" WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            f" AND l.classid = '{bits >> 32}' AND l.objid = '{bits & 0xFFFFFFFF}'"
        )


def acquire(
    name: str,
    rows: Callable[[str], Sequence[tuple[Any, ...]]],
    stop: threading.Event,
    *,
    timeout: float | None,
    lasting: bool,
) -> None:
    """Take a lock, waiting up to *timeout* seconds (``None``: for ever); unless it is *lasting*, so do others after it.

    Parameters
    ----------
    rows:
        Runs a query in the session that is to have the lock.
    stop:
        Set by whoever wants the wait to end.

    Raises
    ------
    EngineError
        Of kind ``LOCKED`` after the timeout, of kind ``CANCELLED`` after *stop*.
    """
    key = LockKey(name)
    stop.clear()
    started, pause, told = time.monotonic(), _FIRST_PAUSE, False
    while True:
        ((taken, *_),) = rows(key.attempt(lasting=lasting, timeout=timeout))
        if taken:
            return
        waited = time.monotonic() - started
        left = None if timeout is None else timeout - waited
        if left is not None and left <= 0:
            raise EngineError(
                f"waited {timeout:g} seconds for the lock on {name}, which is held by {_holder(rows, key)}",
                kind=ErrorKind.LOCKED,
                retryable=True,
                help="wait for that run, or raise --lock-timeout",
            )
        if waited >= AFTER and not told:
            told = True
            _log.warning("waiting for the lock on %s, held by %s", name, _holder(rows, key))
        if stop.wait(pause if left is None else min(pause, left)):
            raise EngineError(f"cancelled while waiting for the lock on {name}", kind=ErrorKind.CANCELLED)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _holder(rows: Callable[[str], Sequence[tuple[Any, ...]]], key: LockKey) -> str:
    found = rows(key.holders)
    return " and ".join(described(*row) for row in found) or "a session that has just ended"
