"""Idle connections of one executor, so that a node does not have to log in. Safe from any thread."""

from __future__ import annotations

import threading
from typing import Any

import psycopg

from flowforge.errors import EngineError
from flowforge_postgres.connect import Address, Line, connect, looks_after_clients, prepare
from flowforge_postgres.settings import PostgresSettings

_KEPT = 8
_IDLE = psycopg.pq.TransactionStatus.IDLE


class Pool:
    """Hands out connections that are as good as new."""

    def __init__(self, address: Address, settings: PostgresSettings) -> None:
        self._address = address
        self._settings = settings
        self._idle: list[psycopg.Connection[tuple[Any, ...]]] = []
        self._guard = threading.Lock()
        self._looked_after: bool | None = None
        self._closed = False

    def take(self, label: str, timeout: float | None) -> Line:
        """A connection for one session.

        Parameters
        ----------
        label:
            What the server shows as the client's name.
        timeout:
            Seconds that one statement may take.

        Raises
        ------
        EngineError
            When the server cannot be reached or refuses us.
        """
        while True:
            with self._guard:
                kept = self._idle.pop() if self._idle else None
            connection = kept if kept is not None else connect(self._address)
            try:
                if self._looked_after is None:
                    self._looked_after = looks_after_clients(connection)
                return prepare(connection, self._settings, label, timeout, looked_after=self._looked_after)
            except BaseException as exc:
                connection.close()
                if kept is None or not isinstance(exc, EngineError):
                    raise
                continue  # it died while it lay here, as after a restart of the server

    def give(self, line: Line) -> None:
        """Take a connection back; one that is not idle or has lost its server is closed."""
        connection = line.connection
        try:
            if not connection.closed and connection.info.transaction_status == _IDLE:
                connection.execute("DISCARD ALL")  # temporary tables, locks, settings
                with self._guard:
                    if not self._closed and len(self._idle) < _KEPT:
                        self._idle.append(connection)
                        return
        except psycopg.Error:
            connection.close()
            return
        connection.close()

    def close(self) -> None:
        """Close what is idle, and from now on what comes back."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
