"""One DuckDB connection and the primitives on it."""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from flowforge.contract import CreateKind, Dialect, LoadMode, Stats, TableOptions
from flowforge.errors import EngineError
from flowforge.values import Relation, RelationKind
from flowforge_duckdb import arrow, driver, indexes
from flowforge_duckdb.errors import Attempt, translating
from flowforge_duckdb.reader import UNTYPED, DuckDBReader
from flowforge_duckdb.settings import FRAME

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge_duckdb.executor import DuckDBExecutor

_INCOMING = "ff__incoming"
_FEW = 20


@functools.lru_cache(maxsize=16)
def _named(dialect: Dialect, columns: tuple[str, ...]) -> str:
    return ", ".join(dialect.quote(name) for name in columns)


def _equal(dialect: Dialect, key: Mapping[str, Any]) -> str:
    return " AND ".join(f"{dialect.quote(name)} = ?" for name in key)


class DuckDBSession(DuckDBReader):
    """A cursor of the executor's connection.

    Parameters
    ----------
    label:
        What other sessions are told when they wait for this one's locks.
    timeout:
        Seconds that one statement may take.
    """

    carries_indexes = False

    def __init__(self, executor: DuckDBExecutor, cursor: Any, *, label: str, timeout: float | None) -> None:
        super().__init__(executor, cursor, timeout=timeout)
        self._label = label
        self._in_transaction = False
        self._transaction_locks: set[str] = set()
        self._session_locks: set[str] = set()
        self._made: dict[tuple[str | None, ...], list[tuple[str, Any]]] = {}
        """The columns of the tables that this transaction has made, and given nothing since."""
        self._closed = False

    # writing

    def execute(self, sql: str) -> Stats:
        """Run one statement; whatever it makes, nothing is known of tables any more."""
        self._made.clear()
        return super().execute(sql)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """The same, with rows."""
        self._made.clear()
        return super().query(sql)

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """Let DuckDB read the Arrow stream itself."""
        indexes.check_options(options)
        if not options.named:
            return self._load(relation, reader, mode)
        with self._atomically():
            rows = self._load(relation, reader, mode)
            self.apply_options(relation, options)
        return rows

    def _load(self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode) -> int:
        import pyarrow as pa

        schema = arrow.readable_schema(reader.schema)
        source = self._dialect.quote(_INCOMING)
        quoted = [self._dialect.quote(name) for name in schema.names]
        names = ", ".join(quoted)
        if mode is LoadMode.CREATE:
            types = (self._dialect.type_name(field.type) for field in schema)
            columns = ", ".join(f"CAST({name} AS {type_}) AS {name}" for name, type_ in zip(quoted, types, strict=True))
            sql = f"CREATE TABLE {self._dialect.render(relation)} AS SELECT {columns} FROM {source}"
        else:
            sql = f"INSERT INTO {self._dialect.render(relation)} ({names}) SELECT {names} FROM {source}"
        failures: list[Exception] = []

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield from arrow.convert(reader, schema)
            except Exception as exc:
                failures.append(exc)  # DuckDB would only keep its text
                raise

        try:
            with self._attempt(sql) as cursor:
                # A registered stream is known to this cursor only, so its name collides with nobody's.
                cursor.register(_INCOMING, pa.RecordBatchReader.from_batches(schema, batches()))
                rows = driver.run(cursor, sql)
                cursor.unregister(_INCOMING)
            if mode is LoadMode.CREATE and rows == 0:
                self._begin_rows(relation)
        except EngineError:
            with contextlib.suppress(
                duckdb.Error
            ):  # refused in a transaction that failed; registering anew replaces it
                self._cursor.unregister(_INCOMING)
            if failures:
                raise failures[0] from None
            raise
        return rows or 0

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """Create a table, a view or a temporary table, which belongs to this session and has no schema."""
        indexes.check_options(options, kind)
        word = {CreateKind.TABLE: "TABLE", CreateKind.VIEW: "VIEW", CreateKind.TEMP: "TEMPORARY TABLE"}[kind]
        head = f"CREATE {word} {self._dialect.render(relation)} AS\n"
        with self._atomically():
            stats = self._run(head + select, offset=len(head))
            if kind is not CreateKind.VIEW and stats.rows == 0:
                self._begin_rows(relation)
            if kind is not CreateKind.VIEW:
                self._settle(relation)
            if options.named:
                self.apply_options(relation, options)
        return Stats() if kind is CreateKind.VIEW else stats

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """Indexes and a comment; there is nothing else to be had."""
        self._made.pop(self._place(relation), None)
        view = self.kind_of(relation) is RelationKind.VIEW
        indexes.check_options(options, CreateKind.VIEW if view else CreateKind.TABLE)
        with self._atomically():
            if not view:
                standing = self._indexes(relation)
                for sql in indexes.statements(relation, options.indexes, standing, self._dialect):
                    self._run(sql)
            if options.comment is not None:
                self.comment(relation, options.comment, {})

    def _indexes(self, relation: Relation) -> list[str]:
        """The names of a table's indexes; asking for them is dear, and most tables have none."""
        if self._place(relation) in self._made:
            return []
        return [str(name) for (name,) in self._rows(indexes.of_table(relation, self._dialect))]

    def _begin_rows(self, relation: Relation) -> None:
        """Let rows be added to a new table of none in the transaction that made it.

        DuckDB 2.0.0 loses sight of all rows of such a table when 122,880 or more are inserted at once and others after
        them: whatever the transaction then makes of the table is made of nothing. A table that had a row is spared.
        """
        if self._in_transaction:
            self._run(f"INSERT INTO {self._dialect.render(relation)} DEFAULT VALUES")
            self._run(f"DELETE FROM {self._dialect.render(relation)}")

    def _settle(self, relation: Relation) -> None:
        """Make columns of type "NULL", which could never hold a value, what DuckDB 1.5 makes of them."""
        rendered = self._dialect.render(relation)
        columns = self._bound(f"FROM {rendered}") or []
        untyped = [
            (name, str(found)) for name, found in columns if driver.KEEPS_UNTYPED_COLUMNS and UNTYPED.search(str(found))
        ]
        for name, type_ in untyped:
            self._run(
                f"ALTER TABLE {rendered} ALTER COLUMN {self._dialect.quote(name)}"
                f" SET DATA TYPE {UNTYPED.sub('INTEGER', type_)}"
            )
        if self._in_transaction and relation.schema and not untyped:  # a temporary table has none
            self._made[self._place(relation)] = columns

    def _columns(self, relation: Relation) -> list[tuple[str, Any]] | None:
        """As they are known of a table that this transaction made."""
        return self._made.get(self._place(relation)) or super()._columns(relation)

    def _place(self, relation: Relation) -> tuple[str | None, ...]:
        """One value for all ways to write a relation's name; none that could stand for a temporary table is one."""
        placed = relation.within(self._executor.home) if relation.schema else relation
        return tuple(part and part.lower() for part in (placed.database, placed.schema, placed.name))

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names = ", ".join(self._dialect.quote(column) for column in columns)
        head = f"INSERT INTO {self._dialect.render(relation)} ({names})\nSELECT {names} FROM (\n"
        return self._run(f"{head}{select}\n) AS ff__rows", offset=len(head))

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """One MERGE."""
        quote = self._dialect.quote
        on = " AND ".join(f"target.{quote(name)} = staged.{quote(name)}" for name in key)
        known = {name.lower() for name in key}
        updates = ", ".join(f"{quote(name)} = staged.{quote(name)}" for name in columns if name.lower() not in known)
        names = ", ".join(quote(name) for name in columns)
        values = ", ".join(f"staged.{quote(name)}" for name in columns)
        sql = (
            f"MERGE INTO {self._dialect.render(relation)} AS target USING {self._dialect.render(staged)} AS staged"
            f" ON ({on})"
            + (f" WHEN MATCHED THEN UPDATE SET {updates}" if updates else "")
            + f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )
        return self._run(sql)

    def add_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """With the values of few rows beside the statement: to plan literals takes longer than to carry it out."""
        if len(rows) > _FEW:
            super().add_rows(dialect, relation, columns, rows)
            return
        names, line = _named(dialect, tuple(columns)), f"({', '.join('?' * len(columns))})"
        sql = f"INSERT INTO {dialect.render(relation)} ({names}) VALUES {', '.join([line] * len(rows))}"
        self._run_parsed(sql, [value for row in rows for value in row])

    def find_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], key: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """With the values beside the statement."""
        sql = f"SELECT {_named(dialect, tuple(columns))} FROM {dialect.render(relation)} WHERE {_equal(dialect, key)}"
        with self._attempt(sql) as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(
                self._executor.parsed(cursor, sql), list(key.values())
            ).fetchall()
            return rows

    def exchange_rows(
        self,
        dialect: Dialect,
        relation: Relation,
        columns: Sequence[str],
        row: Sequence[Any],
        key: Mapping[str, Any],
    ) -> None:
        """With the values beside the statements."""
        self._run_parsed(f"DELETE FROM {dialect.render(relation)} WHERE {_equal(dialect, key)}", list(key.values()))
        self.add_rows(dialect, relation, columns, [row])

    def _run_parsed(self, sql: str, values: Sequence[Any]) -> None:
        with self._attempt(sql) as cursor:
            driver.run(cursor, self._executor.parsed(cursor, sql), values)

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a table or a view, but never one that is something else than *kind* says."""
        # IF EXISTS alone would fail on a relation of another kind, and a failure ends the transaction.
        is_table = self._is_table(relation)
        if kind is RelationKind.TABLE and is_table:
            self._made.pop(self._place(relation), None)
            self._run(f"DROP TABLE {self._dialect.render(relation)}")
        elif kind is RelationKind.VIEW and not is_table:
            self._run(f"DROP VIEW IF EXISTS {self._dialect.render(relation)}")

    def replace(self, staged: Relation, target: Relation) -> None:
        """Drop what stands there and rename; views on it bind by name and go on working."""
        with self._atomically():
            word = "TABLE" if self._is_table(target) else "VIEW"
            self._made.pop(self._place(target), None)
            self._run(f"DROP {word} IF EXISTS {self._dialect.render(target)}")
            if (staged.schema, staged.database) == (target.schema, target.database):
                for name in self._indexes(staged):  # with them, DuckDB renames no table
                    self._run(indexes.drop(staged, name, self._dialect))
                self._run(f"ALTER TABLE {self._dialect.render(staged)} RENAME TO {self._dialect.quote(target.name)}")
                self._renamed(staged, target)
                return
            self._run(f"CREATE TABLE {self._dialect.render(target)} AS FROM {self._dialect.render(staged)}")
            self._made.pop(self._place(staged), None)
            self._run(f"DROP TABLE {self._dialect.render(staged)}")

    def _renamed(self, staged: Relation, target: Relation) -> None:
        columns = self._made.pop(self._place(staged), None)
        if columns is not None:
            self._made[self._place(target)] = columns

    def replace_view(self, target: Relation, select: str) -> Stats:
        """CREATE OR REPLACE, which DuckDB refuses where a table stands."""
        head = f"CREATE OR REPLACE VIEW {self._dialect.render(target)} AS\n"
        with self._atomically():
            self.drop(target, RelationKind.TABLE)
            self._run(head + select, offset=len(head))
        return Stats()

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema once; safe when several sessions want it at the same time."""
        if relation.schema:
            self._executor.ensure_schema(
                Relation(relation.schema, relation.database), self._run, lasting=not self._in_transaction
            )

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """COMMENT ON."""
        kind = self.kind_of(relation) or RelationKind.TABLE
        rendered = self._dialect.render(relation)
        self._run(f"COMMENT ON {kind.name} {rendered} IS {self._dialect.literal(text)}")
        for name, words in columns.items():
            self._run(f"COMMENT ON COLUMN {rendered}.{self._dialect.quote(name)} IS {self._dialect.literal(words)}")

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """A relation of DuckDB's own: nothing is read before somebody asks for rows, on this connection."""
        if kind != FRAME:
            return super().frame(relation, columns, kind, select)
        with self._attempt(select) as cursor:
            return cursor.sql(select)

    def load_frame(self, relation: Relation, frame: Any, options: TableOptions = TableOptions()) -> int | None:
        """Let DuckDB compute a relation into a table. One of another connection is read as any other stream."""
        if not isinstance(frame, duckdb.DuckDBPyRelation):
            return None
        name = f"ff__frame_{uuid.uuid4().hex}"
        with self._atomically():
            with self._attempt(name):
                frame.create_view(name)
            if not self._rows(f"SELECT 1 FROM duckdb_views() WHERE view_name = '{name}'"):
                return None
            rows = self.create_as(relation, f"SELECT * FROM {name}", CreateKind.TABLE, options).rows
            self._run(f"DROP VIEW {name}")
        return rows or 0

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN, then COMMIT or ROLLBACK."""
        if self._in_transaction:
            raise EngineError("this session has a transaction open already")
        self._run("BEGIN TRANSACTION")
        self._in_transaction = True
        try:
            yield
            self._abandon_stream()
            with translating(lambda: Attempt(commit=True)):
                self._cursor.execute("COMMIT")  # not watched: a commit is never cut short
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False
            self._made.clear()
            self._executor.locks.release(self._transaction_locks, self)
            self._transaction_locks = set()

    def _roll_back(self) -> None:
        self._abandon_stream()
        # Refused after a failed commit and after a close: then there is nothing left to undo.
        with contextlib.suppress(duckdb.Error):
            self._cursor.execute("ROLLBACK")

    def _atomically(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._in_transaction else self.transaction()

    def lock(self, name: str, *, timeout: float | None) -> None:
        """A lock between the sessions of this process; the lock on the file keeps other processes out."""
        name = name.lower()  # as DuckDB compares names
        if self._executor.locks.acquire(name, owner=self, label=self._label, timeout=timeout):
            (self._transaction_locks if self._in_transaction else self._session_locks).add(name)

    def cancel(self) -> None:
        """Interrupt the statement, or end the wait for a lock."""
        self._executor.locks.wake(self)
        self._watch.cancel()

    def close(self) -> None:
        """Close the cursor; an open transaction is rolled back and its locks are free."""
        if self._closed:
            return
        self._closed = True
        self._abandon_stream()
        if self._in_transaction:
            self._roll_back()
        self._cursor.close()
        self._executor.locks.release(self._transaction_locks | self._session_locks, self)
