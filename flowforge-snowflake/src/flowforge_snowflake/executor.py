"""One account of Snowflake, shared by all sessions of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from snowflake.connector import SnowflakeConnection
from snowflake.connector import errors as driver

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace
from flowforge_snowflake import catalogue
from flowforge_snowflake.connect import reach
from flowforge_snowflake.dialect import SnowflakeDialect, text
from flowforge_snowflake.errors import Attempt, translate
from flowforge_snowflake.pool import Pool
from flowforge_snowflake.session import SnowflakeSession
from flowforge_snowflake.settings import SnowflakeSettings


class SnowflakeExecutor(Executor):
    """Connects at once; raises :class:`EngineError` when the account cannot be reached or refuses us."""

    dialect: SnowflakeDialect

    def __init__(self, settings: SnowflakeSettings) -> None:
        self.dialect = SnowflakeDialect()
        self.namespace = Namespace(settings.schema, settings.database)
        self._settings = settings
        self._pool = Pool(settings)
        reach(settings)
        self._pool.give(self._pool.take(), clean=True)
        self._guard = threading.Lock()
        self._line: SnowflakeConnection | None = None

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A connection of its own; callable from any thread."""
        return SnowflakeSession(
            self._pool.take(),
            self._settings,
            self.dialect,
            lambda connection, clean: self._pool.give(connection, clean=clean),
            self._control,
            label=label,
            timeout=timeout,
        )

    def _control(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on the executor's own connection. Any thread."""
        with self._guard:
            if self._line is None or self._line.is_closed():
                self._line = self._pool.take()
            try:
                return list(self._line.cursor().execute(sql, _statement_params={"QUERY_TAG": "flowforge"}).fetchall())
            except driver.Error as exc:
                raise translate(exc, Attempt()) from exc

    def error(self, exc: BaseException) -> EngineError | None:
        """Sessions translate their own errors, with the position; this is for those of Snowpark and of streams."""
        if isinstance(exc, EngineError):
            return exc
        if isinstance(exc, driver.Error):
            return translate(exc, Attempt())
        if type(exc).__module__.startswith("snowflake.snowpark"):
            cause = getattr(exc, "conn_error", None)
            if isinstance(cause, driver.Error):
                return translate(cause, Attempt())
            return EngineError(str(exc).splitlines()[0] if str(exc) else type(exc).__name__, kind=ErrorKind.OTHER)
        return None

    def reap(self, run_ids: Iterable[str]) -> int:
        """Cancel the queries that dead runs left working, known by their tags; those of our own user only."""
        dead = list(run_ids)
        if not dead:
            return 0
        found = [row[0] for row in self._control(catalogue.running(self.dialect.fold(self._settings.database), dead))]
        for query in found:
            self._control(f"SELECT SYSTEM$CANCEL_QUERY({text(str(query))})")
        return len(found)

    def close(self) -> None:
        """Close all connections."""
        with self._guard:
            line, self._line = self._line, None
        if line is not None:
            self._pool.give(line, clean=False)
        self._pool.close()
