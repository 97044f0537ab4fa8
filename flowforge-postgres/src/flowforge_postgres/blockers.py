"""Sees which sessions wait for the locks of others, and says who holds them, so that no wait is silent.

A session that waits cannot ask. So one thread of the executor looks after all of them, on a connection that it opens
when the first statement has run for a while. When the server answers nobody any more, although the network says that all
is well, it ends the waits: nothing else would.
"""

from __future__ import annotations

import logging
import select
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import attrs
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


@attrs.frozen
class Patience:
    """How long a server may be silent.

    Parameters
    ----------
    answer:
        Seconds for the answer to a question of ours.
    refusal:
        A refused connection that took this many seconds was no refusal, but silence.
    silence:
        Seconds without any answer after which waiting sessions are cut off.
    """

    answer: float = 10.0
    refusal: float = 1.5
    silence: float = 20.0


PATIENT = Patience()


@attrs.frozen
class Watched:
    """A session that is looked after: its process on the server, its name, and how to end its connection."""

    pid: int
    label: str
    cut: Callable[[], None]


class Monitor:
    """Looks after the statements of an executor's sessions. Safe from any thread.

    Parameters
    ----------
    connect:
        Opens a connection for the monitor's own questions.
    """

    def __init__(
        self, connect: Callable[[], psycopg.Connection[tuple[Any, ...]]], patience: Patience = PATIENT
    ) -> None:
        self._connect = connect
        self._patience = patience
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._watched: weakref.WeakKeyDictionary[Watch, Watched] = weakref.WeakKeyDictionary()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._silent_since: float | None = None

    def add(self, watch: Watch, watched: Watched) -> None:
        """Look after a session."""
        with self._guard:
            self._watched[watch] = watched
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
        self._hang_up()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _work(self) -> None:
        while not self._over.wait(AFTER / 2):
            with self._guard:
                everybody = list(self._watched.items())
            slow = {each.pid: (watch, each) for watch, each in everybody if (watch.waiting() or 0.0) >= AFTER}
            if not slow:
                self._silent_since = None
                continue
            started = time.monotonic()
            try:
                self._look(slow)
            except (psycopg.Error, EngineError, TimeoutError) as exc:
                _log.debug("cannot see who waits for whom: %s", exc)
                self._hang_up()
                if isinstance(exc, TimeoutError) or time.monotonic() - started >= self._patience.refusal:
                    self._silent_since = self._silent_since or started
                    self._cut_off(slow)
                    continue
            self._silent_since = None

    def _cut_off(self, slow: dict[int, tuple[Watch, Watched]]) -> None:
        assert self._silent_since is not None
        silence = time.monotonic() - self._silent_since
        for watch, each in slow.values():
            if silence >= self._patience.silence and (watch.waiting() or 0.0) >= silence:
                _log.warning("%s: the server has answered nothing for %.0f seconds", each.label, silence)
                watch.silence = silence
                each.cut()

    def _look(self, slow: dict[int, tuple[Watch, Watched]]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        for row in _ask(self._connection, _waits(list(slow)), self._patience.answer):
            waiting, what, pid, application, role, since = row
            watch, each = slow[int(waiting or 0)]
            text = f"a lock on {what or 'a row'} that is held by {described(int(pid or 0), application, role, since)}"
            if watch.waiting() is None:
                continue
            if watch.blocker != text:
                _log.warning("%s is waiting for %s", each.label, text)
            watch.blocker = text


def _ask(connection: psycopg.Connection[tuple[Any, ...]], sql: str, seconds: float) -> list[tuple[str | None, ...]]:
    """The rows of a query as text, or :class:`TimeoutError`: the driver itself would wait for ever."""
    pgconn = connection.pgconn
    ends = time.monotonic() + seconds
    pgconn.send_query(sql.encode())
    rows: list[tuple[str | None, ...]] = []
    while True:
        pgconn.flush()
        while pgconn.is_busy():
            if not select.select([pgconn.socket], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise TimeoutError(f"no answer within {seconds:g} seconds")
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return rows
        for row in range(result.ntuples):
            cells = [result.get_value(row, column) for column in range(result.nfields)]
            rows.append(tuple(None if cell is None else cell.decode() for cell in cells))


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
