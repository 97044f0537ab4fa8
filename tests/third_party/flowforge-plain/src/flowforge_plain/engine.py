"""SQLite, but every statement commits by itself."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Relation, RelationKind
from flowforge_plain.settings import PlainSettings
from flowforge_sqlite.dialect import SQLiteDialect
from flowforge_sqlite.executor import SQLiteExecutor
from flowforge_sqlite.session import SQLiteSession, check_options
from flowforge_sqlite.settings import SQLiteSettings

if TYPE_CHECKING:
    import pyarrow as pa


class PlainDialect(SQLiteDialect):
    """The same text rules."""

    name = "plain"


class CloningDialect(SQLiteDialect):
    """The same text rules."""

    name = "cloning"


class PlainSession(SQLiteSession):
    """A replacement is one step, and so is each statement; nothing else holds together."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """No transaction at all."""
        yield

    def _atomically(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._inside else super().transaction()

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """First the table, then its rows: who dies in between leaves an empty table."""
        check_options(options)
        if mode is LoadMode.CREATE:
            types = [self._dialect.type_name(field.type) for field in reader.schema]
            self._create_table(relation, list(zip(reader.schema.names, types, strict=True)))
        return super().load(relation, reader, LoadMode.APPEND, options)

    def content_hash(self, relation: Relation) -> str | None:
        """Every row as text, in order: slow, but the tables of tests are small."""
        rows = sorted(map(repr, self._rows(f"SELECT * FROM {self._dialect.render(relation)}")))
        return hashlib.blake2b(repr((self.layout(relation), rows)).encode(), digest_size=16).hexdigest()

    def lock(self, name: str, *, timeout: float | None) -> None:
        """Not to be had."""
        raise UnsupportedError("this engine has no locks")


class CloningSession(PlainSession):
    """What many warehouses have beyond that: copies of tables, and MERGE."""

    def clone(self, source: Relation, target: Relation, options: TableOptions = TableOptions()) -> None:
        """SQLite copies the rows, which nobody can see from outside of one step."""
        if self.kind_of(source) is not RelationKind.TABLE:
            raise EngineError(f"there is no table {source}", kind=ErrorKind.MISSING)
        self.create_as(target, f"SELECT * FROM {self._dialect.render(source)}", CreateKind.TABLE, options)

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """Update, then insert, in one step."""
        quote, old, new = self._dialect.quote, self._dialect.render(relation), self._dialect.render(staged)
        on = " AND ".join(f"ff_new.{quote(name)} = {old}.{quote(name)}" for name in key)
        sets = ", ".join(f"{quote(name)} = ff_new.{quote(name)}" for name in columns if name not in key)
        names = ", ".join(map(quote, columns))
        with self._atomically():
            known = f"SELECT 1 FROM {old} WHERE {on}"
            select = f"SELECT {names} FROM {new} AS ff_new WHERE NOT EXISTS ({known})"
            self._run(f"CREATE TEMP TABLE ff__fresh AS {select}")
            if sets:
                self._run(f"UPDATE {old} SET {sets} FROM {new} AS ff_new WHERE {on}")
            self._run(f"INSERT INTO {old} ({names}) SELECT {names} FROM temp.ff__fresh")
            self._run("DROP TABLE temp.ff__fresh")
        return Stats()


class PlainExecutor(SQLiteExecutor):
    """Opens the file so that readers and a writer do not wait for each other."""

    session_type: type[PlainSession] = PlainSession

    def __init__(self, settings: PlainSettings) -> None:
        super().__init__(SQLiteSettings(path=settings.path))
        self.dialect = PlainDialect()

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A connection; writers wait for each other, one statement long."""
        connection = sqlite3.connect(self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
        _write_ahead(connection)
        connection.execute("PRAGMA legacy_alter_table = ON")
        return self.session_type(connection, self.dialect, timeout)


class CloningExecutor(PlainExecutor):
    """The same for the engine that clones."""

    session_type = CloningSession

    def __init__(self, settings: PlainSettings) -> None:
        super().__init__(settings)
        self.dialect = CloningDialect()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on. Whoever finds another at it is refused at once, whatever the connection's patience."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                connection.close()
                raise
            time.sleep(0.01)
