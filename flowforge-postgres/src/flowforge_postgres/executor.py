"""One PostgreSQL database, shared by all sessions of a run."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError
from flowforge.values import Namespace
from flowforge_postgres.blockers import PATIENT, Monitor, Patience
from flowforge_postgres.catalogue import text
from flowforge_postgres.connect import address_of
from flowforge_postgres.dialect import PostgresDialect
from flowforge_postgres.errors import Attempt, translate
from flowforge_postgres.pool import Pool
from flowforge_postgres.session import PostgresSession
from flowforge_postgres.settings import PostgresSettings


class PostgresExecutor(Executor):
    """Connects at once; raises :class:`EngineError` when the server cannot be reached or refuses us.

    Parameters
    ----------
    patience:
        How long the server may be silent.
    """

    dialect: PostgresDialect

    def __init__(self, settings: PostgresSettings, patience: Patience = PATIENT) -> None:
        self.dialect = PostgresDialect()
        self.namespace = Namespace(settings.schema)
        self._pool = Pool(address_of(settings), settings)
        self._pool.give(self._pool.take("flowforge", None))
        self._monitor = Monitor(lambda: self._pool.take("flowforge locks", 5.0).connection, patience)

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A connection of its own; callable from any thread."""
        line = self._pool.take(label, timeout)
        return PostgresSession(line, self.dialect, self._pool.give, self._monitor, label=label, timeout=timeout)

    def error(self, exc: BaseException) -> EngineError | None:
        """Sessions translate their own errors, with the position; this is for the rest."""
        if isinstance(exc, EngineError):
            return exc
        return translate(exc, Attempt(offset=None)) if isinstance(exc, psycopg.Error) else None

    def reap(self, run_ids: Iterable[str]) -> int:
        """End the sessions that dead runs left on the server; those of our own role only."""
        names = [f"pg_catalog.starts_with(application_name, {text(f'flowforge/{run_id}/')})" for run_id in run_ids]
        if not names:
            return 0
        sql = (
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE datname = pg_catalog.current_database() AND usename IN (current_user, session_user)"
            f" AND pid <> pg_catalog.pg_backend_pid() AND ({' OR '.join(names)})"
        )
        line = self._pool.take("flowforge", 10.0)
        try:
            return sum(done for (done,) in line.connection.execute(sql.encode()))
        except psycopg.Error as exc:
            raise translate(exc, Attempt(offset=None)) from exc
        finally:
            self._pool.give(line)

    def close(self) -> None:
        """Close all connections."""
        self._monitor.close()
        self._pool.close()
