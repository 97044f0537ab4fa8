"""One SQLite file, and its errors in the contract's words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace
from flowforge_sqlite.dialect import SQLiteDialect
from flowforge_sqlite.session import SQLiteSession
from flowforge_sqlite.settings import SQLiteSettings

_WORDS = {
    "no such table": ErrorKind.MISSING,
    "no such column": ErrorKind.MISSING,
    "has no column named": ErrorKind.MISSING,
    "unknown database": ErrorKind.MISSING,
    "already exists": ErrorKind.DUPLICATE,
    "already another table": ErrorKind.DUPLICATE,
    "duplicate column name": ErrorKind.DUPLICATE,
    "syntax error": ErrorKind.SYNTAX,
    "incomplete input": ErrorKind.SYNTAX,
    "unrecognized token": ErrorKind.SYNTAX,
    "interrupted": ErrorKind.CANCELLED,
    "is locked": ErrorKind.LOCKED,
    "constraint failed": ErrorKind.CONSTRAINT,
    "readonly": ErrorKind.PERMISSION,
    "disk is full": ErrorKind.DISK,
    "unable to open": ErrorKind.CONNECTION,
}


class SQLiteExecutor(Executor):
    """Knows where the file is; every session opens it for itself."""

    dialect: SQLiteDialect

    def __init__(self, settings: SQLiteSettings) -> None:
        self.dialect = SQLiteDialect()
        self.namespace = Namespace()
        self._path = Path(settings.path)
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A connection; *label* has nowhere to go in SQLite."""
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA legacy_alter_table = ON")  # a rename asks no view whether it agrees
        return SQLiteSession(connection, self.dialect, timeout)

    def error(self, exc: BaseException) -> EngineError | None:
        """Told apart by SQLite's own words; its codes say less."""
        if isinstance(exc, EngineError):
            return exc
        if not isinstance(exc, sqlite3.Error):
            return None
        text = str(exc)
        kind = next((kind for words, kind in _WORDS.items() if words in text), ErrorKind.OTHER)
        return EngineError(text, kind=kind, retryable=kind is ErrorKind.LOCKED)

    def close(self) -> None:
        """Nothing is open but the sessions."""
