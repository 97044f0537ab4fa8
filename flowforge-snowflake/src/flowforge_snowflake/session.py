"""One Snowflake connection and the primitives on it."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowflake.connector import SnowflakeConnection
from snowflake.connector import errors as driver

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions
from flowforge.errors import Committed, EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_snowflake import catalogue, frames, loading, reading
from flowforge_snowflake.dialect import SnowflakeDialect, exactly
from flowforge_snowflake.dialect import text as quoted_text
from flowforge_snowflake.errors import Attempt, translate
from flowforge_snowflake.options import (
    check_options,
    clauses,
    is_transient,
    refuse_to_clone,
    relayed,
    right_statements,
)
from flowforge_snowflake.settings import SnowflakeSettings

if TYPE_CHECKING:
    import pyarrow as pa

_NETWORK = 60
_BEFORE = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_COUNTS = re.compile(rf"{_BEFORE}(?:INSERT|UPDATE|DELETE|MERGE|COPY)\b", re.IGNORECASE | re.DOTALL)
_COMMITS = re.compile(
    rf"{_BEFORE}(?:CREATE|ALTER|DROP|UNDROP|COMMENT|GRANT|REVOKE|TRUNCATE|USE)\b", re.IGNORECASE | re.DOTALL
)


class SnowflakeSession(Session):
    """A connection of the executor's pool.

    Parameters
    ----------
    give:
        Takes the connection back, and whether it is as good as new.
    control:
        Runs a statement on another connection of the executor and gives its rows.
    label:
        Stands in the tag of each statement.
    timeout:
        Seconds that one statement may take; the server itself stops it.
    """

    def __init__(
        self,
        connection: SnowflakeConnection,
        settings: SnowflakeSettings,
        dialect: SnowflakeDialect,
        give: Callable[[SnowflakeConnection, bool], None],
        control: Callable[[str], list[tuple[Any, ...]]],
        *,
        label: str,
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._dialect = dialect
        self._give = give
        self._control = control
        limits = [one for one in (timeout, settings.statement_timeout) if one is not None]
        self._timeout = min(limits) if limits else None
        tag = f"{label} {settings.query_tag}" if settings.query_tag else label
        self._parameters: dict[str, Any] = {"QUERY_TAG": tag}
        if self._timeout is not None:
            self._parameters["STATEMENT_TIMEOUT_IN_SECONDS"] = max(1, math.ceil(self._timeout))
        # The server keeps the limit; the connector would also stop trying to reach a server that is gone.
        self._patience = None if self._timeout is None else math.ceil(self._timeout) + _NETWORK
        self._guard = threading.Lock()
        self._running = self._stopped = False
        self._begun = self._inside = self._closed = False
        self._clean = True
        self._transient: dict[Relation, bool] = {}

    # statements

    @contextlib.contextmanager
    def _attempt(
        self, own: str | None = None, head: int = 0, *, reads: bool = False, ends: bool = False
    ) -> Iterator[None]:
        """Everything that calls the server happens in here, and errors leave it in the contract's words."""
        if self._closed:
            raise EngineError("this session is closed")
        with self._guard:
            self._running, self._stopped = True, False
        try:
            yield
        except driver.Error as exc:
            if self._connection.is_closed():
                self._clean = False
            lasting = Committed.NO if reads or (self._begun and not ends) else Committed.UNKNOWN
            raise translate(exc, Attempt(own, head, self._timeout, self._stopped, lasting)) from exc
        finally:
            with self._guard:
                self._running = False

    def _cursor(self, sql: str) -> Any:
        return self._connection.cursor().execute(sql, timeout=self._patience, _statement_params=self._parameters)

    def _run(self, sql: str, own: str | None = None, head: int = 0) -> Stats:
        with self._attempt(own, head):
            cursor = self._cursor(sql)
            return Stats(rows=cursor.rowcount if _COUNTS.match(sql) else None)

    def _ddl(self, sql: str, own: str | None = None, head: int = 0) -> None:
        """Run a statement that commits what was begun before it, as Snowflake would do by itself."""
        if self._begun:
            self._end_transaction("COMMIT")
        self._run(sql, own, head)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._attempt(reads=True):
            return list(self._cursor(sql).fetchall())

    def _shown(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SHOW, by the names of its columns, which move about between versions."""
        with self._attempt(reads=True):
            cursor = self._cursor(sql)
            names = [column.name.lower() for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute(self, sql: str) -> Stats:
        """Run one statement; rows are counted where it changes some."""
        if _COMMITS.match(sql):
            self._ddl(sql, sql)
            return Stats()
        return self._run(sql, sql)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one query and stream its rows; several streams may be open."""
        import pyarrow as pa

        with self._attempt(sql, reads=True):
            cursor = self._cursor(sql)
            schema = reading.schema_of(cursor.description)

        def batches() -> Iterator[pa.RecordBatch]:
            rows = reading.batches_of(cursor, schema)
            while True:
                with self._attempt(sql, reads=True):
                    batch = next(rows, None)
                    if batch is None:
                        return
                yield batch

        return pa.RecordBatchReader.from_batches(schema, batches())

    # writing

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """Text in statements for few rows, files in a stage for many; the profile may decide for one of them."""
        check_options(options)
        names = reader.schema.names
        loading.check_names(names, self._dialect)
        types = [self._dialect.type_name(field.type) for field in reader.schema]
        quoted = [self._dialect.quote(name) for name in names]
        target = self._dialect.render(relation)
        if mode is LoadMode.CREATE:
            columns = ", ".join(f"{name} {type_}" for name, type_ in zip(quoted, types, strict=True))
            self._ddl(f"CREATE {self._word(relation, options)} {target} ({columns}){clauses(options, self._dialect)}")
        else:
            self._refuse_other_columns(relation, names)
        batches: Iterator[pa.RecordBatch] = iter(reader)
        small = self._settings.load == "insert"
        if self._settings.load == "auto":
            small, batches = loading.is_small(batches)
        rows = self._insert(target, quoted, types, batches) if small else self._copy(target, names, batches)
        self._furnish(relation, options)
        return rows

    def _refuse_other_columns(self, relation: Relation, names: Sequence[str]) -> None:
        """COPY would pass over columns that the table does not have."""
        schema = self.schema_of(relation)
        if schema is None:
            raise EngineError(f"there is no table {relation}", kind=ErrorKind.MISSING)
        for name in names:
            if self._dialect.fold(name) not in schema.names:
                raise EngineError(f"{relation} has no column {name!r}", kind=ErrorKind.MISSING)

    def _insert(
        self, target: str, quoted: Sequence[str], types: Sequence[str], batches: Iterator[pa.RecordBatch]
    ) -> int:
        rows = 0
        with self._together():
            for sql in loading.inserts(target, quoted, types, batches):
                rows += self._run(sql).rows or 0
        return rows

    def _copy(self, target: str, names: Sequence[str], batches: Iterator[pa.RecordBatch]) -> int:
        stage = f"@{self._settings.stage or '~'}/flowforge/{uuid.uuid4().hex}"
        sent = 0
        folded = [self._dialect.fold(name) for name in names]
        with tempfile.TemporaryDirectory(prefix="flowforge-") as folder:
            try:
                for file, rows in loading.write_files(batches, folded, Path(folder)):
                    self._run(loading.put(file, stage))
                    file.unlink()
                    sent += rows
                if not sent:
                    return 0
                loaded = sum(int(row.get("rows_loaded") or 0) for row in self._shown(loading.copy(target, stage)))
            finally:
                with contextlib.suppress(EngineError):  # what is left over in a stage of ours is in nobody's way
                    self._run(f"REMOVE {loading.place(stage)}")
        if loaded != sent:
            raise EngineError(f"{sent} rows were sent to {target}, and Snowflake loaded {loaded}")
        return loaded

    def _word(self, relation: Relation, options: TableOptions) -> str:
        transient = is_transient(options, self._settings.transient)
        self._transient[relation] = transient
        return "TRANSIENT TABLE" if transient else "TABLE"

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """Create a table, a view or a temporary table, which belongs to this session and has no schema."""
        check_options(options, kind)
        words = {CreateKind.VIEW: "VIEW", CreateKind.TEMP: "TEMPORARY TABLE"}
        word = words.get(kind) or self._word(relation, options)
        rendered = self._dialect.render(relation)
        self._clean = self._clean and kind is not CreateKind.TEMP
        self._ddl(f"CREATE {word} {rendered}{clauses(options, self._dialect)} AS\n{select}", select, 1)
        self._furnish(relation, options)
        if kind is CreateKind.VIEW:
            return Stats()
        return Stats(rows=int(self._rows(f"SELECT COUNT(*) FROM {rendered}")[0][0]))

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """Rights and a comment; clustering follows the model, what else is laid down at creation stays."""
        kind = self.kind_of(relation)
        check_options(options, CreateKind.VIEW if kind is RelationKind.VIEW else CreateKind.TABLE)
        if kind is None:
            raise EngineError(f"there is no table {relation}", kind=ErrorKind.MISSING)
        self._furnish(relation, options, kind)

    def _furnish(self, relation: Relation, options: TableOptions, kind: RelationKind = RelationKind.TABLE) -> None:
        rendered, word = self._dialect.render(relation), kind.name.replace("_", " ")
        if options.grants:
            shown = self._shown(f"SHOW GRANTS ON {word} {rendered}")
            standing = [
                (str(row["privilege"]).upper(), str(row["grantee_name"]))
                for row in shown
                if str(row["granted_to"]).upper() == "ROLE"
            ]
            for sql in right_statements(options, standing, rendered, self._dialect, word):
                self._ddl(sql)
        if options.comment is not None:
            self._ddl(f"COMMENT ON {word} {rendered} IS {quoted_text(options.comment)}")

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names = ", ".join(self._dialect.quote(column) for column in columns)
        head = f"INSERT INTO {self._dialect.render(relation)} ({names})\nSELECT {names} FROM (\n"
        return self._run(f"{head}{select}\n) AS ff__rows", select, 2)

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """One MERGE; a key that the staged rows have twice is an error of Snowflake's."""
        quote = self._dialect.quote
        on = " AND ".join(f"target.{quote(name)} = staged.{quote(name)}" for name in key)
        known = {quote(name) for name in key}
        updates = ", ".join(f"{quote(name)} = staged.{quote(name)}" for name in columns if quote(name) not in known)
        names = ", ".join(quote(name) for name in columns)
        values = ", ".join(f"staged.{quote(name)}" for name in columns)
        return self._run(
            f"MERGE INTO {self._dialect.render(relation)} AS target USING {self._dialect.render(staged)} AS staged"
            f" ON ({on})"
            + (f" WHEN MATCHED THEN UPDATE SET {updates}" if updates else "")
            + f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a relation, but never one that is something else than *kind* says."""
        if self.kind_of(relation) is kind:
            self._ddl(f"DROP {kind.name.replace('_', ' ')} IF EXISTS {self._dialect.render(relation)}")

    def replace(self, staged: Relation, target: Relation) -> None:
        """Clone over a table that stands there, which is one statement and copies no rows; else rename."""
        new, old = self._dialect.render(staged), self._dialect.render(target)
        standing = self.kind_of(target)
        if standing is RelationKind.TABLE:
            word = "TRANSIENT TABLE" if self._is_transient(staged) else "TABLE"
            grants = " COPY GRANTS" if self._settings.copy_grants else ""
            self._ddl(f"CREATE OR REPLACE {word} {old} CLONE {new}{grants}")
            self._ddl(f"DROP TABLE IF EXISTS {new}")
            return
        if standing is not None:
            if self.kind_of(staged) is None:
                raise EngineError(f"there is no table {staged}", kind=ErrorKind.MISSING)
            self.drop(target, standing)
        self._ddl(f"ALTER TABLE {new} RENAME TO {old}")

    def clone(self, source: Relation, target: Relation, options: TableOptions = TableOptions()) -> None:
        """CREATE TABLE ... CLONE; by what it is clustered is said of the copy, which moves no rows."""
        check_options(options)
        shown = self._shown_table(source)
        if shown is None:
            if self.kind_of(source) is not None:
                raise UnsupportedError(f"{source} is no table")
            raise EngineError(f"there is no table {source}", kind=ErrorKind.MISSING)
        refuse_to_clone(options, shown, transient=is_transient(options, self._settings.transient))
        copy = self._dialect.render(target)
        self._ddl(f"CREATE {self._word(target, options)} {copy} CLONE {self._dialect.render(source)}")
        for sql in relayed(options, shown, copy, self._dialect):
            self._ddl(sql)
        self._furnish(target, options)

    def _is_transient(self, staged: Relation) -> bool:
        """A table without fail-safe can be cloned to another of that kind only."""
        known = self._transient.pop(staged, None)
        if known is not None:
            return known
        shown = self._shown_table(staged)
        return shown is not None and str(shown["kind"]).upper() == "TRANSIENT"

    def _shown_table(self, relation: Relation) -> dict[str, Any] | None:
        """What SHOW TABLES says of a table."""
        sql = catalogue.show_objects(self._schema(relation), relation.name).replace("OBJECTS", "TABLES", 1)
        name = self._dialect.fold(relation.name)
        return next((row for row in self._shown(sql) if row["name"] == name), None)

    def replace_view(self, target: Relation, select: str) -> Stats:
        """CREATE OR REPLACE, which Snowflake refuses where a table stands: that one goes when the query is known good."""
        standing = self.kind_of(target)
        if standing not in (None, RelationKind.VIEW):
            self.schema_of(select)
            self.drop(target, standing)
        grants = " COPY GRANTS" if self._settings.copy_grants else ""
        self._ddl(f"CREATE OR REPLACE VIEW {self._dialect.render(target)}{grants} AS\n{select}", select, 1)
        return Stats()

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema on another connection, because whoever creates one is in it from then on."""
        if not relation.schema:
            return
        database, schema = self._place(relation)
        found = self._shown(f"SHOW SCHEMAS LIKE {quoted_text(schema)} IN DATABASE {exactly(database)}")
        if not any(row["name"] == schema for row in found):
            if not self._settings.allow_create_schema:
                raise EngineError(
                    f"there is no schema {schema} in the database {database}",
                    kind=ErrorKind.MISSING,
                    help="create it, correct schema in the profile (FF_SF_SCHEMA), or set allow_create_schema: true",
                )
            self._control(f"CREATE SCHEMA IF NOT EXISTS {exactly(database)}.{exactly(schema)}")
        if (database, schema) == self._place(Relation("")) and self._connection.schema != schema:
            self._run(f"USE SCHEMA {exactly(database)}.{exactly(schema)}")

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """COMMENT ON."""
        kind = self.kind_of(relation) or RelationKind.TABLE
        rendered = self._dialect.render(relation)
        self._ddl(f"COMMENT ON {kind.name.replace('_', ' ')} {rendered} IS {quoted_text(text or '')}")
        for name, words in columns.items():
            self._ddl(f"COMMENT ON COLUMN {rendered}.{self._dialect.quote(name)} IS {quoted_text(words)}")

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """From the catalogue; a comment without text is none."""
        database, schema = self._place(relation)
        name = self._dialect.fold(relation.name)
        own = [row[1] for row in self._rows(catalogue.table(database, schema, name))]
        texts = {row[1]: row[-1] for row in self._rows(catalogue.columns(database, schema, name)) if row[-1]}
        return (own[0] or None) if own else None, texts

    # looking

    def _place(self, relation: Relation) -> tuple[str, str]:
        """Database and schema as the catalogue has them."""
        fold = self._dialect.fold
        return fold(relation.database or self._settings.database), fold(relation.schema or self._settings.schema)

    def _schema(self, relation: Relation) -> str:
        return ".".join(map(exactly, self._place(relation)))

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Let the server read the query and describe it; nothing runs."""
        if isinstance(what, Relation):
            try:
                return self._described(f"SELECT * FROM {self._dialect.render(what)}")
            except EngineError as error:
                if error.kind is ErrorKind.MISSING and self.kind_of(what) is None:
                    return None
                raise
        return self._described(f"SELECT * FROM (\n{what}\n) AS ff__rows", what, 1)

    def _described(self, sql: str, own: str | None = None, head: int = 0) -> pa.Schema:
        with self._attempt(own, head, reads=True):
            described = self._connection.cursor().describe(sql, _statement_params=self._parameters)
            return reading.schema_of(described or [])

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """By SHOW, which needs no warehouse; names as they stand in the catalogue."""
        schema = self._schema(Relation("", namespace.schema, namespace.database))
        found: dict[str, RelationKind] = {}
        after: str | None = None
        while True:
            try:
                rows = self._shown(catalogue.show_objects(schema, after=after))
            except EngineError as error:
                if error.kind is ErrorKind.MISSING:
                    return []
                raise
            for row in rows:
                kind = catalogue.kind(row)
                if kind is not None:
                    found[row["name"]] = kind
            if len(rows) < catalogue.PAGE:
                break
            after = str(rows[-1]["name"])
        return [
            RelationInfo(Relation(name, namespace.schema, namespace.database), kind)
            for name, kind in sorted(found.items())
        ]

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """What stands under a name."""
        name = self._dialect.fold(relation.name)
        try:
            rows = self._shown(catalogue.show_objects(self._schema(relation), name))
        except EngineError as error:
            if error.kind is ErrorKind.MISSING:
                return None
            raise
        kinds = (catalogue.kind(row) for row in rows if row["name"] == name)
        return next((kind for kind in kinds if kind is not None), None)

    def layout(self, relation: Relation) -> str | None:
        """Names and types as the information schema has them."""
        name = self._dialect.fold(relation.name)
        return self._layouts(relation, name).get(name)

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """All of one schema, in one query."""
        return self._layouts(Relation("", namespace.schema, namespace.database))

    def _layouts(self, relation: Relation, name: str | None = None) -> dict[str, str]:
        return catalogue.layouts(self._rows(catalogue.columns(*self._place(relation), name)))

    def source_state(self, relation: Relation) -> str | None:
        """When a table was last changed, by DML or DDL; nothing is known of views and of tables elsewhere."""
        rows = self._rows(catalogue.table(*self._place(relation), self._dialect.fold(relation.name)))
        if not rows or rows[0][0] != "BASE TABLE":
            return None
        return "|".join(map(str, rows[0][2:]))

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """Snowpark's own: nothing is computed before somebody asks for rows, on this connection."""
        if kind != frames.KIND:
            return super().frame(relation, columns, kind, select)
        with self._attempt(select, reads=True):
            return frames.frame_of(self._connection, select)

    def load_frame(self, relation: Relation, frame: Any, options: TableOptions = TableOptions()) -> int | None:
        """Let Snowflake compute a frame of Snowpark into a table."""
        if not frames.is_frame(frame):
            return None
        check_options(options)
        self._word(relation, options)
        if self._begun:
            self._end_transaction("COMMIT")
        with self._attempt():
            frames.save(frame, relation, self._dialect, options, transient=self._settings.transient)
        self._furnish(relation, options)
        return int(self._rows(f"SELECT COUNT(*) FROM {self._dialect.render(relation)}")[0][0])

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN, then COMMIT or ROLLBACK. DDL inside commits what was done before it, and ends the transaction."""
        if self._inside:
            raise EngineError("this session has a transaction open already")
        self._run("BEGIN")
        self._inside = self._begun = True
        try:
            yield
            if self._begun:
                self._end_transaction("COMMIT")
        except BaseException:
            if self._begun and not self._closed:
                with contextlib.suppress(EngineError):  # refused when the connection is lost: nothing was committed
                    self._end_transaction("ROLLBACK")
            raise
        finally:
            self._inside = self._begun = False

    def _end_transaction(self, word: str) -> None:
        try:
            with self._attempt(ends=word == "COMMIT"):
                self._cursor(word)
        except EngineError:
            self._clean = False  # nobody knows what is still open there
            raise
        finally:
            self._begun = False

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Statements that only change rows are all done, or none is."""
        if self._inside:
            yield
            return
        with self.transaction():
            yield

    def cancel(self) -> None:
        """Stop what runs in this session of the server, by another connection."""
        with self._guard:
            running, self._stopped = self._running, self._stopped or self._running
        if running and self._connection.session_id is not None:
            with contextlib.suppress(EngineError):  # it may have ended meanwhile
                self._control(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(self._connection.session_id)})")

    def close(self) -> None:
        """Give the connection back; an open transaction is rolled back."""
        if self._closed:
            return
        if self._begun:
            with contextlib.suppress(EngineError):
                self._end_transaction("ROLLBACK")
        self._closed = True
        self._give(self._connection, self._clean)
