"""Sees which sessions wait for the locks of others, and says who holds them, so that no wait is silent.

A session that waits cannot ask. So one thread of the executor looks after all of them, on a connection that it opens
when the first statement has run for a while.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

import psycopg

from flowforge.errors import EngineError
from flowforge_postgres.watch import Watch

_log = logging.getLogger("flowforge.locks")
AFTER = 1.0
"""Seconds of waiting after which somebody is told."""


def described(pid: int, application: str | None, role: str | None, since: str | None) -> str:
    """A session of the server in words; what others may not see of it is left out."""
    words = [application] if application else []
    words.append(f"pid {pid}" if not words else f"(pid {pid})")
    if role:
        words.append(f"of {role}")
    if since:
        words.append(f"since {since[:19]} UTC")
    return " ".join(words)


class Monitor:
    """Looks after the statements of an executor's sessions. Safe from any thread.

    Parameters
    ----------
    connect:
        Opens a connection for the monitor's own questions.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[tuple[Any, ...]]]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._watched: weakref.WeakKeyDictionary[Watch, tuple[int, str]] = weakref.WeakKeyDictionary()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch, pid: int, label: str) -> None:
        """Look after a session whose process on the server is *pid*."""
        with self._guard:
            self._watched[watch] = (pid, label)
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._work, name="flowforge-postgres-locks", daemon=True)
                self._thread.start()

    def remove(self, watch: Watch) -> None:
        """Look after it no longer."""
        with self._guard:
            self._watched.pop(watch, None)

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(5)
        if self._connection is not None:
            self._connection.close()

    def _work(self) -> None:
        while not self._over.wait(AFTER / 2):
            with self._guard:
                everybody = list(self._watched.items())
            slow = {pid: (watch, label) for watch, (pid, label) in everybody if (watch.waiting() or 0.0) >= AFTER}
            if not slow:
                continue
            try:
                self._look(slow)
            except (psycopg.Error, EngineError) as exc:
                _log.debug("cannot see who waits for whom: %s", exc)
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

    def _look(self, slow: dict[int, tuple[Watch, str]]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        for waiting, what, *holder in self._connection.execute(_waits(list(slow)).encode()):
            watch, label = slow[waiting]
            text = f"a lock on {what or 'a row'} that is held by {described(*holder)}"
            if watch.waiting() is None:
                continue
            if watch.blocker != text:
                _log.warning("%s is waiting for %s", label, text)
            watch.blocker = text


def _waits(pids: list[int]) -> str:
    listed = ", ".join(map(str, pids))
    return (
        "SELECT w.pid,"
        " (SELECT l.relation::pg_catalog.regclass::text FROM pg_catalog.pg_locks l"
        "  WHERE l.pid = w.pid AND NOT l.granted AND l.relation IS NOT NULL LIMIT 1),"
        " b.pid, b.application_name, b.usename::text, b.xact_start::text"
        " FROM pg_catalog.pg_stat_activity w"
        " CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS x(pid)"
        " JOIN pg_catalog.pg_stat_activity b ON b.pid = x.pid"
        f" WHERE w.pid IN ({listed}) AND w.wait_event_type = 'Lock'"
    )
