"""One connection, and the primitives on it."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions, is_our_index
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_sqlite.dialect import STORED_AS, SQLiteDialect

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 10_000
_STEPS_BETWEEN_LOOKS = 10_000
_PROBE = "temp.ff__probe"


class SQLiteSession(Session):
    """A connection in autocommit mode; a transaction begins with the first statement inside of its block."""

    def __init__(self, connection: sqlite3.Connection, dialect: SQLiteDialect, timeout: float | None) -> None:
        self._connection = connection
        self._dialect = dialect
        self._timeout = timeout
        self._deadline: float | None = None
        self._expired = False
        self._stopped = threading.Event()
        self._inside = False
        connection.create_function("ff_md5", 1, _md5, deterministic=True)
        if timeout is not None:
            connection.set_progress_handler(self._look_at_the_clock, _STEPS_BETWEEN_LOOKS)

    # statements

    @contextlib.contextmanager
    def _statement(self) -> Iterator[sqlite3.Connection]:
        """Everything that calls SQLite happens in here."""
        self._expired, self._deadline = False, self._timeout and time.monotonic() + self._timeout
        try:
            if self._inside and not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
        except sqlite3.OperationalError as exc:
            if self._expired:
                raise EngineError(f"stopped after {self._timeout} seconds", kind=ErrorKind.TIMEOUT) from exc
            raise
        finally:
            self._deadline = None

    def _look_at_the_clock(self) -> bool:
        self._expired = self._deadline is not None and time.monotonic() > self._deadline
        return self._expired

    def _run(self, sql: str, values: Iterable[Sequence[Any]] | None = None) -> int | None:
        with self._statement() as connection:
            cursor = connection.execute(sql) if values is None else connection.executemany(sql, values)
            for _ in cursor:  # SQLite computes rows only as they are asked for
                pass
            return cursor.rowcount if cursor.rowcount >= 0 else None

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._statement() as connection:
            return connection.execute(sql, parameters).fetchall()

    def execute(self, sql: str) -> Stats:
        """Run one statement."""
        return Stats(rows=self._run(sql))

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Columns that come from a table's column have its type; the others take it from their values."""
        import pyarrow as pa

        columns = self._columns_of(sql)
        names = [name for name, _ in columns]
        with self._statement() as connection:
            cursor = connection.execute(sql)
            if all(declared in STORED_AS for _, declared in columns):
                schema = pa.schema([(name, _arrow_type(declared)) for name, declared in columns])
                return pa.RecordBatchReader.from_batches(schema, self._batches(cursor, schema))
            values = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(columns)
        arrays = [_array(list(found), declared) for found, (_, declared) in zip(values, columns, strict=True)]
        return pa.Table.from_arrays(arrays, names=names).to_reader()

    def _batches(self, cursor: sqlite3.Cursor, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        with self._statement():
            while rows := cursor.fetchmany(_ROWS_PER_BATCH):
                columns = [
                    _array(list(values), field.type)
                    for values, field in zip(zip(*rows, strict=True), schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _columns_of(self, select: str) -> list[tuple[str, str]]:
        """Names and declared types of a query's columns, without running it: SQLite tells them of views."""
        self._run(f"CREATE TEMP VIEW {_PROBE.removeprefix('temp.')} AS SELECT * FROM (\n{select}\n)")
        try:
            return self._rows("SELECT name, upper(type) FROM pragma_table_info('ff__probe', 'temp')")
        finally:
            self._run(f"DROP VIEW {_PROBE}")

    # writing

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """One INSERT for many rows; SQLite has no bulk path."""
        check_options(options)
        quote, rows = self._dialect.quote, 0
        types = [self._dialect.type_name(field.type) for field in reader.schema]
        marks = ", ".join("?" for _ in types)
        with self._atomically():
            if mode is LoadMode.CREATE:
                self._create_table(relation, list(zip(reader.schema.names, types, strict=True)))
            names = ", ".join(quote(name) for name in reader.schema.names)
            sql = f"INSERT INTO {self._dialect.render(relation)} ({names}) VALUES ({marks})"
            for batch in reader:
                columns = [_storable(column, declared) for column, declared in zip(batch.columns, types, strict=True)]
                self._run(sql, zip(*columns, strict=True))
                rows += batch.num_rows
            self.apply_options(relation, options)
        return rows

    def _create_table(self, relation: Relation, columns: Sequence[tuple[str, str]], word: str = "TABLE") -> None:
        lines = []
        for name, declared in columns:
            column, stored = self._dialect.quote(name), STORED_AS.get(declared)
            check = f" CHECK (typeof({column}) IN ('{stored}', 'null'))" if stored else ""
            lines.append(f"{column} {declared if stored else ''}{check}")
        self._run(f"CREATE {word} {self._dialect.render(relation)} ({', '.join(lines)})")

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """SQLite's own CREATE TABLE AS forgets the types of the columns, so the table is made first."""
        check_options(options, CreateKind.TABLE if kind is CreateKind.TEMP else kind)
        if kind is CreateKind.VIEW:
            self._run(f"CREATE VIEW {self._dialect.render(relation)} AS SELECT * FROM (\n{select}\n)")
            return Stats()
        with self._atomically():
            columns = self._columns_of(select)
            self._create_table(relation, columns, "TEMP TABLE" if kind is CreateKind.TEMP else "TABLE")
            rows = self._run(f"INSERT INTO {self._dialect.render(relation)} SELECT * FROM (\n{select}\n)")
            self.apply_options(relation, options)
            return Stats(rows)

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """Indexes, and nothing else."""
        check_options(options, CreateKind.VIEW if self.kind_of(relation) is RelationKind.VIEW else CreateKind.TABLE)
        quote, limit = self._dialect.quote, self._dialect.max_identifier_bytes
        wanted = {index.name_on(relation.name, limit): index for index in options.indexes}
        found = self._rows("SELECT name FROM pragma_index_list(?)", relation.name)
        standing = {name for (name,) in found if is_our_index(name)}
        with self._atomically():
            for name in sorted(standing - wanted.keys()):
                self._run(f"DROP INDEX {quote(name)}")
            for name, index in wanted.items():
                if name not in standing:
                    columns, word = ", ".join(map(quote, index.columns)), "UNIQUE INDEX" if index.unique else "INDEX"
                    self._run(f"CREATE {word} {quote(name)} ON {quote(relation.name)} ({columns})")

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names = ", ".join(self._dialect.quote(column) for column in columns)
        target = self._dialect.render(relation)
        return Stats(self._run(f"INSERT INTO {target} ({names}) SELECT {names} FROM (\n{select}\n)"))

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Only what is of that kind."""
        if self.kind_of(relation) is kind:
            self._run(f"DROP {kind.name} {self._dialect.render(relation)}")

    def replace(self, staged: Relation, target: Relation) -> None:
        """Views on the target bind by name and go on working."""
        with self._atomically():
            standing = self.kind_of(target)
            if standing is not None:
                self.drop(target, standing)
            self._run(f"ALTER TABLE {self._dialect.render(staged)} RENAME TO {self._dialect.quote(target.name)}")

    def replace_view(self, target: Relation, select: str) -> Stats:
        """Both steps or none; SQLite has no CREATE OR REPLACE."""
        with self._atomically():
            return super().replace_view(target, select)

    # looking

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """A column without a declared type, such as an expression, has the type null until there are values."""
        import pyarrow as pa

        if isinstance(what, Relation):
            if self.kind_of(what) is None:
                return None
            what = f"SELECT * FROM {self._dialect.render(what)}"
        return pa.schema([(name, _arrow_type(declared)) for name, declared in self._columns_of(what)])

    def column_types(self, select: str) -> Mapping[str, str]:
        """The declared types; an expression has none."""
        return {name: declared if declared in STORED_AS else "" for name, declared in self._columns_of(select)}

    def type_word(self, type_: str) -> str:
        """SQLite takes any word for a type, so the dialect says what it means."""
        return self._dialect.declared(type_)

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From SQLite's catalogue."""
        if namespace != Namespace():
            return []
        rows = self._rows("SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name")
        return [RelationInfo(Relation(name), RelationKind(kind)) for name, kind in rows]

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """As SQLite compares names: without regard to the case of plain letters."""
        if relation.schema or relation.database:
            return None
        sql = (
            "SELECT type FROM (SELECT * FROM sqlite_schema UNION ALL SELECT * FROM sqlite_temp_schema)"
            " WHERE lower(name) = lower(?) AND type IN ('table', 'view')"
        )
        rows = self._rows(sql, relation.name)
        return RelationKind(rows[0][0]) if rows else None

    def layout(self, relation: Relation) -> str | None:
        """The declared types, which tell more than Arrow's do; ``None`` also for a view that reads what is gone."""
        if self.kind_of(relation) is None:
            return None
        try:
            columns = self._rows("SELECT name, type FROM pragma_table_info(?)", relation.name)
        except sqlite3.OperationalError:
            return None
        return ", ".join(f"{self._dialect.quote(name)} {declared}".rstrip() for name, declared in columns)

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Begins late, so that a lock can be the first thing in it."""
        if self._inside:
            raise EngineError("a transaction is open already")
        self._inside = True
        try:
            yield
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # closed, or rolled back by SQLite itself
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    def _atomically(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._inside else self.transaction()

    def lock(self, name: str, *, timeout: float | None) -> None:
        """The right to write the file: there is only one, whatever *name* says."""
        if not self._inside:
            raise UnsupportedError("SQLite has locks only inside of a transaction")
        self._stopped.clear()
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._connection.in_transaction:
            try:
                self._connection.execute("PRAGMA busy_timeout = 50")
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                if deadline is not None and time.monotonic() > deadline:
                    raise EngineError(
                        f"waited {timeout:g} seconds for another process or session that writes this file",
                        kind=ErrorKind.LOCKED,
                        retryable=True,
                    ) from None
                if self._stopped.is_set():
                    raise EngineError("cancelled while waiting for the lock", kind=ErrorKind.CANCELLED) from None
            finally:
                self._connection.execute("PRAGMA busy_timeout = 5000")

    def cancel(self) -> None:
        """SQLite's own way, which is made for other threads."""
        self._stopped.set()
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed meanwhile
            self._connection.interrupt()

    def close(self) -> None:
        """An open transaction is rolled back by SQLite."""
        self._connection.close()


def check_options(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what SQLite has not."""
    if kind is CreateKind.MATERIALIZED_VIEW:
        raise UnsupportedError("SQLite has no materialized views")
    for name in options.named:
        if name != "indexes" or kind is CreateKind.VIEW:
            raise UnsupportedError(f"a {kind.value} of SQLite has no {name}")
    for index in options.indexes:
        if index.type is not None:
            raise UnsupportedError("SQLite has one type of indexes, without a name")


def _arrow_type(declared: str) -> pa.DataType:
    import pyarrow as pa

    return {
        "BOOLEAN": pa.bool_(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "TEXT": pa.string(),
        "BLOB": pa.binary(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }.get(declared, pa.null())


def _array(values: list[Any], declared: str | pa.DataType) -> pa.Array:
    """SQLite's values as an Arrow array; without a declared type, of the type that the values have."""
    import pyarrow as pa

    type_ = _arrow_type(declared) if isinstance(declared, str) else declared
    if pa.types.is_null(type_):
        return pa.array(values)
    if pa.types.is_temporal(type_):
        return pa.array(values, pa.string()).cast(type_)
    if pa.types.is_boolean(type_):
        return pa.array(values, pa.int64()).cast(type_)
    return pa.array(values, type_)


def _storable(column: pa.Array, declared: str) -> list[Any]:
    """An Arrow array as values that SQLite keeps; what it would change is refused."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if declared == "DOUBLE":
        column = column.cast(pa.float64())
        if pc.any(pc.is_nan(column)).as_py():
            raise UnsupportedError("SQLite would make NULL of NaN", help="use NULL in the model")
    elif declared in ("DATE", "TIMESTAMP"):
        column = column.cast(_arrow_type(declared)).cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def _md5(text: str | None) -> str | None:
    return None if text is None else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
