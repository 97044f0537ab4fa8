"""One open DuckDB database, shared by all sessions of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace, Relation
from flowforge_duckdb.dialect import DuckDBDialect
from flowforge_duckdb.errors import Attempt, is_driver_error, translate, translating
from flowforge_duckdb.locks import locks_of
from flowforge_duckdb.session import DuckDBSession
from flowforge_duckdb.settings import MEMORY, DuckDBSettings

_MAIN = "main"


class DuckDBExecutor(Executor):
    """Opens the database; raises :class:`EngineError` when that fails (of kind ``LOCKED`` when a process has it)."""

    dialect: DuckDBDialect

    def __init__(self, settings: DuckDBSettings) -> None:
        self.dialect = DuckDBDialect()
        file = None if settings.path.startswith(MEMORY) or not settings.path else _file_of(settings.path)
        with translating():
            self._root: Any = duckdb.connect(settings.path)
        try:
            with translating():
                self._prepare(settings)
        except BaseException:
            self._root.close()
            raise
        self.locks = locks_of(file)
        self._parsed: dict[str, Any] = {}
        self._schemas: set[str] = set()
        self._schemas_guard = threading.Lock()

    def _prepare(self, settings: DuckDBSettings) -> None:
        root, quote, literal = self._root, self.dialect.quote, self.dialect.literal
        for name in settings.extensions:
            root.execute(f"LOAD {literal(name)}")
        # Same rows on every machine; and a table's name never means a Python variable.
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        root.execute("SET GLOBAL python_enable_replacements = false")
        if settings.threads is not None:
            root.execute(f"SET GLOBAL threads = {settings.threads}")
        if settings.memory_limit is not None:
            root.execute(f"SET GLOBAL memory_limit = {literal(settings.memory_limit)}")
        # To the end: an unread result keeps its transaction open, and the log would grow until the database is closed.
        ((current,),) = root.execute("SELECT current_database()").fetchall()
        database = settings.catalog
        if database is not None:
            known = [name for (name,) in root.execute("SELECT database_name FROM duckdb_databases()").fetchall()]
            if database.lower() not in (name.lower() for name in known):
                raise EngineError(
                    f"there is no catalog {database!r} here",
                    kind=ErrorKind.MISSING,
                    help=f"DuckDB calls this database {current!r}; write that, or remove the setting",
                )
        elif settings.schema.lower() == current.lower():
            database = current  # two parts would be ambiguous: a schema, or the database itself
        self.namespace = Namespace(settings.schema, database)
        self.home = Namespace(settings.schema, database or current)
        place = self.dialect.render(Relation(settings.schema, self.home.database))
        if settings.schema.lower() != _MAIN:
            root.execute(f"CREATE SCHEMA IF NOT EXISTS {place}")
        at_home = self.home == Namespace(_MAIN, current)
        self._entry = None if at_home else f"USE {quote(self.home.database or current)}.{quote(settings.schema)}"

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A cursor of its own; callable from any thread."""
        with translating():
            cursor = self._cursor()
        return DuckDBSession(self, cursor, label=label, timeout=timeout)

    def _cursor(self) -> Any:
        """A new cursor that stands in the profile's schema; new ones stand in ``main`` of the database that was opened."""
        cursor = self._root.cursor()
        if self._entry is not None:
            cursor.execute(self._entry)
        return cursor

    def parsed(self, cursor: Any, sql: str) -> Any:
        """A statement of our own that is sent for every node, parsed once; it belongs to no cursor, and may be shared."""
        known = self._parsed.get(sql)
        if known is None:  # two threads may make the same
            (known,) = cursor.extract_statements(sql)
            self._parsed[sql] = known
        return known

    def ensure_schema(self, place: Relation, run: Callable[[str], object], *, lasting: bool) -> None:
        """Create a schema, one session after the other.

        Parameters
        ----------
        place:
            The schema's name and its database.
        run:
            Executes the statement.
        lasting:
            False inside a transaction, which may still be rolled back.
        """
        rendered = self.dialect.render(place)
        with self._schemas_guard:
            if rendered not in self._schemas:
                run(f"CREATE SCHEMA IF NOT EXISTS {rendered}")
                if lasting:
                    self._schemas.add(rendered)

    def position_of(self, sql: str, error: EngineError) -> int | None:
        """Where in the query *sql* the mistake is that *error* speaks of; ``None`` when another cursor cannot tell.

        Explaining a query binds it, does not run it, and a failure does no harm to the session's transaction.
        """
        if error.kind not in (ErrorKind.SYNTAX, ErrorKind.MISSING, ErrorKind.TYPE):
            return None
        head = "EXPLAIN "
        with translating():
            cursor = self._cursor()
        try:
            with translating(lambda: Attempt(head + sql, len(head))):
                cursor.execute(head + sql)
        except EngineError as again:
            return again.position if again.message == error.message else None
        finally:
            cursor.close()
        return None

    def error(self, exc: BaseException) -> EngineError | None:
        """Sessions translate their own errors, with the position; this is for the rest."""
        if isinstance(exc, EngineError):
            return exc
        return translate(exc, Attempt()) if is_driver_error(exc) else None

    def close(self) -> None:
        """Close the database; the file is free for other processes then."""
        self._root.close()


def _file_of(path: str) -> str:
    file = Path(path).absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise EngineError(
            f"cannot create the folder of the database file: {exc.strerror}: {file.parent}", kind=ErrorKind.DISK
        ) from exc
    return str(file.resolve())
