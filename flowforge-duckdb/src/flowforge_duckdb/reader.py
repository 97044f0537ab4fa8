"""What a session does before it writes anything: run statements, and look around in the database."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import FileSource, Session, Stats
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_duckdb import content, driver
from flowforge_duckdb.errors import Attempt, is_driver_error, translate
from flowforge_duckdb.files import pattern
from flowforge_duckdb.stream import Stream
from flowforge_duckdb.watch import Watch

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge_duckdb.executor import DuckDBExecutor


UNTYPED = re.compile(r'"NULL"(?=$|[\[\],)])')
"""The type of a column that holds nothing but NULL, as DuckDB writes it."""


class DuckDBReader(Session):
    """The half of a session that only reads.

    Parameters
    ----------
    timeout:
        Seconds that one statement may take.
    """

    def __init__(self, executor: DuckDBExecutor, cursor: Any, *, timeout: float | None) -> None:
        self._executor = executor
        self._dialect = executor.dialect
        self._cursor = cursor
        self._watch = Watch(cursor.interrupt, timeout)
        self._stream: Stream | None = None

    # statements

    @contextlib.contextmanager
    def _attempt(self, sql: str, *, offset: int = 0) -> Iterator[Any]:
        """Everything that calls DuckDB happens in here: watched, and with errors in the contract's words."""
        self._abandon_stream()
        self._watch.begin()
        try:
            yield self._cursor
        except Exception as exc:
            if isinstance(exc, EngineError) or not is_driver_error(exc):
                raise
            raise translate(exc, Attempt(sql, offset, self._watch.expired)) from exc
        finally:
            self._watch.end()

    def _point(self, error: BaseException, sql: str, *, offset: int = 0) -> None:
        """Find the place of an error of which DuckDB has not told it, by asking in another way."""
        if driver.STREAMS_HIDE_POSITIONS and isinstance(error, EngineError) and error.position is None:
            position = self._executor.position_of(sql, error)
            if position is not None and position >= offset:
                error.position = position - offset

    def _abandon_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _run(self, sql: str, *, offset: int = 0) -> Stats:
        blank = driver.leading(sql)
        sql, offset = sql[blank:], offset - blank
        with self._attempt(sql, offset=offset) as cursor:
            return Stats(rows=driver.run(cursor, sql))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._attempt(sql) as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(sql).fetchall()
            return rows

    def execute(self, sql: str) -> Stats:
        """Run one statement; rows are counted where DuckDB counts them."""
        return self._run(sql)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one query and stream its rows; a stream that was not read to its end is given up by the next call."""
        import pyarrow as pa

        self._abandon_stream()
        self._watch.begin()
        try:
            stream = self._stream = Stream(self._cursor, sql, self._watch)
        except BaseException as exc:
            self._watch.end()
            self._point(exc, sql)
            raise
        return pa.RecordBatchReader.from_batches(stream.schema, stream)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Without Arrow between, which takes three times as long for a row or two."""
        return self._rows(sql)

    # looking

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Let DuckDB bind the query; ``LIMIT 0`` keeps it from reading rows."""
        import pyarrow as pa

        if isinstance(what, Relation):
            if self.kind_of(what) is None:
                return None
            what = f"FROM {self._dialect.render(what)}"
        head = "SELECT * FROM (\n"
        sql = f"{head}{what}\n) AS ff__rows LIMIT 0"
        try:
            with self._attempt(sql, offset=len(head)) as cursor:
                schema = driver.open_stream(cursor, sql).schema
                driver.abandon(cursor)
        except EngineError as error:
            self._point(error, sql, offset=len(head))
            raise
        return pa.schema([field.with_type(pa.int32()) if field.type == pa.null() else field for field in schema])

    def column_types(self, select: str) -> Mapping[str, str]:
        """Let DuckDB bind the query; a column without a type gets the one that a table would give it."""
        head = "SELECT * FROM (\n"
        sql = f"{head}{select}\n) AS ff__rows"
        try:
            with self._attempt(sql, offset=len(head)) as cursor:
                found = cursor.sql(sql)
                names, types = found.columns, found.types
        except EngineError as error:
            self._point(error, sql, offset=len(head))
            raise
        return {name: UNTYPED.sub("INTEGER", str(type_)) for name, type_ in zip(names, types, strict=True)}

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From DuckDB's catalogue, names as they were written when they were created."""
        found: list[RelationInfo] = []
        for table, column, kind in (
            ("duckdb_tables()", "table_name", RelationKind.TABLE),
            ("duckdb_views()", "view_name", RelationKind.VIEW),
        ):
            where = self._where(Relation("", namespace.schema, namespace.database))
            for (name,) in self._rows(f"SELECT {column} FROM {table} WHERE {where} AND NOT internal"):
                found.append(RelationInfo(Relation(name, namespace.schema, namespace.database), kind))
        return sorted(found, key=lambda info: info.relation.name)

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """What stands under a name.

        The catalogue's tables take time in proportion to all that it holds, so this only binds: a table has a
        ``rowid``, a view has none. Binding, unlike executing, does no harm to a transaction when it fails.
        """
        is_table = self._is_table(relation)
        return RelationKind.TABLE if is_table else RelationKind.VIEW if self._is_view(relation) else None

    def _is_table(self, relation: Relation) -> bool:
        """Whether a table stands under a name, by binding alone unless it has a column called ``rowid``."""
        found = self._bound(f"SELECT rowid, * FROM {self._dialect.render(relation)}")
        if found is None:
            return False
        return not any(name.lower() == "rowid" for name, _ in found[1:]) or not self._is_view(relation)

    def _is_view(self, relation: Relation) -> bool:
        where = f"{self._where(relation)} AND {self._named('view_name', relation)}"
        return bool(self._rows(f"SELECT 1 FROM duckdb_views() WHERE {where}"))

    def _bound(self, sql: str) -> list[tuple[str, Any]] | None:
        """Names and types of a query's columns, or ``None`` when it makes no sense here."""
        try:
            with self._attempt(sql) as cursor:
                found = cursor.sql(sql)
                return list(zip(found.columns, found.types, strict=True))
        except EngineError as error:
            if error.kind in (ErrorKind.MISSING, ErrorKind.SYNTAX, ErrorKind.TYPE):
                return None
            raise

    def _where(self, relation: Relation) -> str:
        placed = relation.within(self._executor.home)
        literal = self._dialect.literal
        return (
            f"lower(database_name) = lower({literal(placed.database)})"
            f" AND lower(schema_name) = lower({literal(placed.schema)})"
        )

    def _named(self, column: str, relation: Relation) -> str:
        return f"lower({column}) = lower({self._dialect.literal(relation.name)})"

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """From DuckDB's catalogue."""
        where = self._where(relation)
        texts = self._rows(
            f"SELECT comment FROM duckdb_tables() WHERE {where} AND {self._named('table_name', relation)}"
            f" UNION ALL SELECT comment FROM duckdb_views() WHERE {where} AND {self._named('view_name', relation)}"
        )
        columns = self._rows(
            f"SELECT column_name, comment FROM duckdb_columns() WHERE {where}"
            f" AND {self._named('table_name', relation)} AND comment IS NOT NULL ORDER BY column_index"
        )
        return (texts[0][0] if texts else None), dict(columns)

    def layout(self, relation: Relation) -> str | None:
        """Columns and types as DuckDB writes them; ``None`` also for a view whose query has come to make no sense."""
        columns = self._columns(relation)
        return None if columns is None else self._layout_text(columns)

    def _columns(self, relation: Relation) -> list[tuple[str, Any]] | None:
        """Names and types; ``None``: there is no such relation, or a view whose query has come to make no sense."""
        return self._bound(f"FROM {self._dialect.render(relation)}")

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """Of the tables from the catalogue at one go; what it says about a view may be out of date."""
        columns: dict[str, list[tuple[str, Any]]] = {}
        where = self._where(Relation("", namespace.schema, namespace.database))
        for table, column, type_ in self._rows(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            f" WHERE {where} AND NOT internal ORDER BY table_name, column_index"
        ):
            columns.setdefault(table, []).append((column, type_))
        found = {name: self._layout_text(listed) for name, listed in columns.items()}
        for (name,) in self._rows(f"SELECT view_name FROM duckdb_views() WHERE {where} AND NOT internal"):
            text = self.layout(Relation(name, namespace.schema, namespace.database))
            if text is None:
                found.pop(name, None)
            else:
                found[name] = text
        return found

    def _layout_text(self, columns: Sequence[tuple[str, Any]]) -> str:
        return ", ".join(f"{self._dialect.quote(name)} {type_}" for name, type_ in columns)

    def content_hash(self, relation: Relation) -> str | None:
        """One scan; ``None`` for VARIANT, GEOMETRY and types that are newer than this."""
        source = self._dialect.render(relation)
        columns = self._columns(relation)
        query = None if columns is None else content.summary(source, columns, self._dialect.quote)
        if columns is None or query is None:
            return None
        ((count, *sums),) = self._rows(query)
        return content.token(self._layout_text(columns), count, *sums)

    def source_state(self, relation: Relation) -> str | None:
        """What the rows say themselves: neither a file's time nor its log tells who wrote what."""
        return self.content_hash(relation)

    def source_files(self, files: FileSource) -> Sequence[str] | None:
        """By DuckDB's own search for files, so that none is read that this does not find."""
        if files.remote:
            return None
        return [path for (path,) in self._rows(f"SELECT file FROM glob({self._dialect.literal(pattern(files))})")]
