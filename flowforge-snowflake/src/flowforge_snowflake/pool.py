"""Idle connections of one executor, so that a node does not have to log in. Safe from any thread."""

from __future__ import annotations

import contextlib
import threading

from snowflake.connector import SnowflakeConnection
from snowflake.connector import errors as driver

from flowforge_snowflake.connect import connect
from flowforge_snowflake.settings import SnowflakeSettings

_KEPT = 8


class Pool:
    """Hands out connections on which nothing is begun. What a session is called is told with each statement."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._idle: list[SnowflakeConnection] = []
        self._guard = threading.Lock()
        self._closed = False

    def take(self) -> SnowflakeConnection:
        """A connection for one session.

        Raises
        ------
        EngineError
            When the server cannot be reached or refuses us.
        """
        with self._guard:
            if self._idle:
                return self._idle.pop()
        return connect(self._settings)

    def give(self, connection: SnowflakeConnection, *, clean: bool) -> None:
        """Take a connection back; one that is not *clean* is closed, and so are its temporary tables."""
        if clean and not connection.is_closed():
            with self._guard:
                if not self._closed and len(self._idle) < _KEPT:
                    self._idle.append(connection)
                    return
        self._end(connection)

    def close(self) -> None:
        """Close what is idle, and from now on what comes back."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            self._end(connection)

    def _end(self, connection: SnowflakeConnection) -> None:
        with contextlib.suppress(driver.Error):  # its session ends by itself
            connection.close(retry=False)
