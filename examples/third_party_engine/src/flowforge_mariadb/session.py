"""One connection, and the primitives on it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions
from flowforge.errors import Committed, EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_mariadb.dialect import MariaDBDialect

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1_000  # of one INSERT, and of one batch that is read
_KEPT = re.compile(r"(tinyint\(1\)|decimal\(\d+,\d+\)|date)( unsigned)?")
_WORDS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "BIGINT"),
    **dict.fromkeys(("float", "double"), "DOUBLE"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"), "LONGTEXT"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "LONGBLOB"),
    **dict.fromkeys(("datetime", "timestamp"), "DATETIME(6)"),
}
_PROBE = '"ff__probe"'


class MariaDBSession(Session):
    """A connection in autocommit mode."""

    def __init__(
        self,
        connect: Callable[[str], pymysql.Connection[Any]],
        label: str,
        timeout: float | None,
        dialect: MariaDBDialect,
        namespace: Namespace,
    ) -> None:
        self._connect = connect
        self._connection = connect(label)
        self._dialect = dialect
        self._namespace = namespace
        self._locks: list[str] = []
        self._reading: SSCursor | None = None
        self._inside = False
        self._stopped = threading.Event()
        if timeout is not None:
            self._run(f"SET max_statement_time = {timeout:f}")
        self._is_home = False
        self._use()

    def _go_home(self) -> None:
        """A temporary table needs a schema to be in, even before there is a model."""
        if not self._is_home:
            self.ensure_schema(Relation("", self._namespace.schema))

    def _use(self) -> None:
        """Let temporary tables, which have no schema in their names, live in the profile's own, once it is there."""
        with contextlib.suppress(pymysql.OperationalError):
            self._connection.select_db(self._namespace.schema)
            self._is_home = True

    # statements

    def _run(self, sql: str) -> int:
        self._finish()
        with self._connection.cursor() as cursor:
            return int(cursor.execute(sql))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        self._finish()
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def execute(self, sql: str) -> Stats:
        """Run one statement."""
        return Stats(self._run(sql))

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Rows come as they are read from the connection."""
        import pyarrow as pa

        self._finish()
        cursor = self._reading = self._connection.cursor(SSCursor)
        cursor.execute(sql)
        schema = _schema(cursor)

        def batches() -> Iterator[pa.RecordBatch]:
            while rows := cursor.fetchmany(_ROWS):
                columns = zip(zip(*rows, strict=True), schema.types, strict=True)
                arrays = [_array(values, kind) for values, kind in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _finish(self) -> None:
        """Rows that nobody has read stand in the way of the next statement."""
        cursor, self._reading = self._reading, None
        if cursor is not None:
            with contextlib.suppress(pymysql.MySQLError):
                cursor.close()

    # writing

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """Many rows in one INSERT: files of the client are refused by many servers."""
        self.apply_options(relation, options)
        types, count = {field.name: self._dialect.type_name(field.type) for field in reader.schema}, 0
        if len(types) < len(reader.schema):
            raise EngineError("two columns have one name", kind=ErrorKind.DUPLICATE)
        if mode is LoadMode.CREATE:
            self._create(relation, types)
        names = ", ".join(map(self._dialect.quote, types))
        with self._atomically():
            for batch in reader:
                columns = [_values(column, kind) for column, kind in zip(batch.columns, types.values(), strict=True)]
                rows = iter(zip(*columns, strict=True))
                while some := list(itertools.islice(rows, _ROWS)):
                    lines = ", ".join(f"({', '.join(map(self._dialect.literal, row))})" for row in some)
                    count += self._run(f"INSERT INTO {self._dialect.render(relation)} ({names}) VALUES {lines}")
        return count

    def _create(self, relation: Relation, types: Mapping[str, str], word: str = "TABLE") -> None:
        columns = ", ".join(f"{self._dialect.quote(name)} {kind} NULL" for name, kind in types.items())
        self._run(f"CREATE {word} {self._dialect.render(relation)} ({columns}) {_COLLATED}")

    def create_table(self, dialect: Any, relation: Relation, columns: Mapping[str, str]) -> None:
        """In the collation in which no two texts are the same."""
        self._create(relation, columns, "TABLE IF NOT EXISTS")

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """MariaDB's own CREATE TABLE AS makes columns as short as the rows of today, so the table is made first."""
        self.apply_options(relation, options)
        if kind is CreateKind.VIEW:
            return Stats(
                self._run(f"CREATE VIEW {self._dialect.render(relation)} AS SELECT * FROM (\n{select}\n) AS ff")
            )
        if kind is CreateKind.MATERIALIZED_VIEW:
            raise UnsupportedError("MariaDB has no materialized views")
        self._go_home()
        self._create(relation, self.column_types(select), "TEMPORARY TABLE" if kind is CreateKind.TEMP else "TABLE")
        try:
            return Stats(self._run(f"INSERT INTO {self._dialect.render(relation)} SELECT * FROM (\n{select}\n) AS ff"))
        except pymysql.MySQLError:
            with contextlib.suppress(pymysql.MySQLError):
                self._run(f"DROP TABLE IF EXISTS {self._dialect.render(relation)}")
            raise

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names, target = ", ".join(map(self._dialect.quote, columns)), self._dialect.render(relation)
        return Stats(self._run(f"INSERT INTO {target} ({names}) SELECT {names} FROM (\n{select}\n) AS ff"))

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Only what is of that kind."""
        if self.kind_of(relation) is kind:
            self._run(f"DROP {kind.name} IF EXISTS {self._dialect.render(relation)}")

    def replace(self, staged: Relation, target: Relation) -> None:
        """One RENAME of all names; what stood there takes the name of *staged* for a moment."""
        standing = self.kind_of(target)
        new, old = self._dialect.render(staged), self._dialect.render(target)
        aside = self._dialect.render(target.renamed(f"ff__{hashlib.md5(new.encode()).hexdigest()}"))
        swap = f"{old} TO {aside}, {new} TO {old}, {aside} TO {new}" if standing else f"{new} TO {old}"
        self._run(f"RENAME TABLE {swap}")
        if standing:
            self.drop(staged, standing)

    def replace_view(self, target: Relation, select: str) -> Stats:
        """A view is replaced by one statement, and a table by the view beside it."""
        if self.kind_of(target) is RelationKind.TABLE:
            beside = target.renamed(f"ff__{hashlib.md5(target.name.encode()).hexdigest()}__view")
            self.drop(beside, RelationKind.VIEW)
            self.create_as(beside, select, CreateKind.VIEW)
            self.replace(beside, target)
            return Stats()
        name = self._dialect.render(target)
        return Stats(self._run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM (\n{select}\n) AS ff"))

    def ensure_schema(self, relation: Relation) -> None:
        """MariaDB's word for it is a database."""
        if relation.schema:
            self._run(f"CREATE DATABASE IF NOT EXISTS {self._dialect.quote(relation.schema)} {_COLLATED}")
            self._use()

    # looking

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """From the description of no rows."""
        if isinstance(what, Relation):
            if self.kind_of(what) is None:
                return None
            what = f"SELECT * FROM {self._dialect.render(what)}"
        self._finish()
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM (\n{what}\n) AS ff LIMIT 0")
            return _schema(cursor)

    def column_types(self, select: str) -> Mapping[str, str]:
        """The types of the table that we would make of it."""
        self._go_home()
        self._run(f"CREATE OR REPLACE TEMPORARY TABLE {_PROBE} AS SELECT * FROM (\n{select}\n) AS ff LIMIT 0")
        try:
            return {name: _word(declared) for name, declared, *_ in self._rows(f"SHOW COLUMNS FROM {_PROBE}")}
        finally:
            self._run(f"DROP TEMPORARY TABLE {_PROBE}")

    def type_word(self, type_: str) -> str:
        """As a column of that type is called."""
        self._go_home()
        self._run(f"CREATE OR REPLACE TEMPORARY TABLE {_PROBE} (c {type_})")
        try:
            return _word(self._rows(f"SHOW COLUMNS FROM {_PROBE}")[0][1])
        finally:
            self._run(f"DROP TEMPORARY TABLE {_PROBE}")

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From the catalogue."""
        schema = self._dialect.literal(namespace.schema or self._namespace.schema)
        rows = self._rows(
            f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {schema} ORDER BY 1"
        )
        return [RelationInfo(Relation(name, namespace.schema, namespace.database), _kind(word)) for name, word in rows]

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """A temporary table is no entry of the catalogue, so it is asked for by itself."""
        name, schema = (
            self._dialect.literal(one) for one in (relation.name, relation.schema or self._namespace.schema)
        )
        sql = f"SELECT table_type FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {name}"
        rows = self._rows(sql)
        return _kind(rows[0][0]) if rows else None

    def layout(self, relation: Relation) -> str | None:
        """The declared types; ``None`` also for a view that reads what is gone."""
        return self._layouts(Namespace(relation.schema), relation.name).get(relation.name)

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """One look for all of them."""
        return self._layouts(namespace, None)

    def _layouts(self, namespace: Namespace, name: str | None) -> Mapping[str, str]:
        conditions = [f"table_schema = {self._dialect.literal(namespace.schema or self._namespace.schema)}"]
        if name is not None:
            conditions.append(f"table_name = {self._dialect.literal(name)}")
        found: dict[str, list[str]] = {}
        for table, column, declared in self._rows(
            "SELECT table_name, column_name, column_type FROM information_schema.columns "
            f"WHERE {' AND '.join(conditions)} ORDER BY table_name, ordinal_position"
        ):
            found.setdefault(table, []).append(f"{self._dialect.quote(column)} {declared}")
        return {table: ", ".join(columns) for table, columns in found.items()}

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Of rows: whatever creates, drops or renames commits what came before it."""
        if self._inside:
            raise EngineError("a transaction is open already")
        self._inside = True
        self._connection.begin()
        try:
            yield
            self._commit()
        except BaseException:
            with contextlib.suppress(pymysql.MySQLError):
                self._connection.rollback()
            raise
        finally:
            self._inside = False
            for name in self._locks:
                with contextlib.suppress(pymysql.MySQLError):
                    self._run(f"DO RELEASE_LOCK({name})")
            self._locks.clear()

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except (pymysql.OperationalError, pymysql.InterfaceError) as exc:
            raise EngineError(str(exc), kind=ErrorKind.CONNECTION, committed=Committed.UNKNOWN) from exc

    def _atomically(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._inside else self.transaction()

    def lock(self, name: str, *, timeout: float | None) -> None:
        """A lock of the server's, which all its databases share."""
        if not self._inside:
            raise EngineError("a lock ends with a transaction, and there is none")
        mine = self._dialect.literal(f"ff:{hashlib.md5(name.encode()).hexdigest()}")
        if mine in self._locks:
            return
        self._stopped.clear()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.2 if deadline is None else max(min(deadline - time.monotonic(), 0.2), 0)
            if self._rows(f"SELECT GET_LOCK({mine}, {left:f})")[0][0]:
                self._locks.append(mine)
                return
            if self._stopped.is_set():
                raise EngineError("cancelled while waiting for the lock", kind=ErrorKind.CANCELLED)
            if deadline is not None and time.monotonic() >= deadline:
                holder = self._rows(f"SELECT IS_USED_LOCK({mine})")[0][0]
                raise EngineError(
                    f"waited {timeout:g} seconds for {name}, which connection {holder} of MariaDB holds",
                    kind=ErrorKind.LOCKED,
                    retryable=True,
                )

    def cancel(self) -> None:
        """From another connection."""
        self._stopped.set()
        with (
            contextlib.suppress(pymysql.MySQLError),
            self._connect("flowforge/cancel") as other,
            other.cursor() as cursor,
        ):
            cursor.execute(f"KILL QUERY {self._connection.thread_id()}")

    def close(self) -> None:
        """An open transaction is rolled back, and locks are given back, by the server."""
        if self._reading is not None and self._reading.rownumber is not None:
            self.cancel()
            self._finish()
        with contextlib.suppress(pymysql.MySQLError):
            self._connection.close()


_COLLATED = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


def _kind(word: str) -> RelationKind:
    return RelationKind.VIEW if word.endswith("VIEW") else RelationKind.TABLE


def _word(declared: str) -> str:
    """The column type in which a value of a query is kept: as wide as it may ever be."""
    if _KEPT.fullmatch(declared):
        return declared.upper()
    if declared == "binary(0)":  # NULL, and nothing else is known
        return "LONGTEXT"
    if declared.startswith("bigint") and declared.endswith("unsigned"):
        return "BIGINT UNSIGNED"
    base = re.split(r"\W", declared, maxsplit=1)[0]
    if base not in _WORDS:
        raise UnsupportedError(f"a column of the type {declared} cannot be kept", help="cast the column in the model")
    return _WORDS[base]


def _schema(cursor: Any) -> pa.Schema:
    """Arrow's types; the driver's public description does not tell texts from bytes."""
    import pyarrow as pa

    def type_of(field: Any) -> pa.DataType:
        code, unsigned, is_text = field.type_code, field.flags & 32, field.charsetnr != 63
        if code == FIELD_TYPE.TINY and field.length == 1:
            return pa.bool_()
        if code in (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.YEAR):
            return pa.int64()
        if code == FIELD_TYPE.NEWDECIMAL:
            digits = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
            return pa.decimal128(digits, field.scale) if digits <= 38 else pa.decimal256(digits, field.scale)
        return {
            FIELD_TYPE.LONGLONG: pa.uint64() if unsigned else pa.int64(),
            FIELD_TYPE.FLOAT: pa.float64(),
            FIELD_TYPE.DOUBLE: pa.float64(),
            FIELD_TYPE.DATE: pa.date32(),
            FIELD_TYPE.NEWDATE: pa.date32(),
            FIELD_TYPE.DATETIME: pa.timestamp("us"),
            FIELD_TYPE.TIMESTAMP: pa.timestamp("us"),
            FIELD_TYPE.NULL: pa.null(),
        }.get(code, pa.string() if is_text else pa.binary())

    return pa.schema([(field.name, type_of(field)) for field in cursor._result.fields])


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_boolean(kind) else pa.array(values, kind)


def _values(column: pa.Array, kind: str) -> list[Any]:
    """Arrow's values as Python's; what MariaDB would change is refused."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kind == "DOUBLE":
        column = column.cast(pa.float64())
        if not pc.all(pc.is_finite(column)).as_py() and column.null_count < len(column):
            raise UnsupportedError("MariaDB has neither NaN nor infinity", help="use NULL in the model")
    elif kind == "DATETIME(6)":
        column = column.cast(pa.timestamp("us"))
    elif kind == "DATE":
        column = column.cast(pa.date32())
    return list(column.to_pylist())
