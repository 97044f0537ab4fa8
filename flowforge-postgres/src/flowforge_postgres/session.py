"""One PostgreSQL connection and the primitives on it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from flowforge.contract import CreateKind, Dialect, LoadMode, Session, Stats, TableOptions
from flowforge.errors import Committed, EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_postgres import catalogue, content, loading, locks, reading, replacing
from flowforge_postgres.blockers import Monitor, Watched
from flowforge_postgres.connect import Line, check_line, described
from flowforge_postgres.dialect import PostgresDialect
from flowforge_postgres.errors import Attempt, translate
from flowforge_postgres.options import (
    StandingIndex,
    check_options,
    index_statements,
    right_statements,
    rights_asked,
)
from flowforge_postgres.stream import Stream
from flowforge_postgres.survey import standing
from flowforge_postgres.watch import Watch

if TYPE_CHECKING:
    import pyarrow as pa

_CANCEL_TIMEOUT = 2.0
_NUL = "22021"
_NO_BINARY_FORM = "42883"
_STATUS = psycopg.pq.TransactionStatus


def _equal(dialect: Dialect, key: Mapping[str, Any]) -> str:
    return " AND ".join(f"{dialect.quote(name)} = {dialect.literal(value)}" for name, value in key.items())


class PostgresSession(Session):
    """A connection of the executor's pool.

    Parameters
    ----------
    give:
        Takes the connection back.
    label:
        What it is called where others wait for it.
    timeout:
        Seconds that one statement may take; the server itself stops it.
    """

    def __init__(
        self,
        line: Line,
        dialect: PostgresDialect,
        give: Callable[[Line], None],
        monitor: Monitor,
        *,
        label: str,
        timeout: float | None,
    ) -> None:
        self._line = line
        self._connection = line.connection
        self._dialect = dialect
        self._give = give
        self._monitor = monitor
        self._timeout = timeout
        self._watch = Watch(self._interrupt)
        self._lock_wait = threading.Event()
        self._stream: Stream | None = None
        self._asked: dict[Relation, frozenset[tuple[str, str]]] = {}
        self._in_transaction = False
        self._closed = False
        monitor.add(self._watch, Watched(line.pid, label, self._cut))

    # statements

    @contextlib.contextmanager
    def _translating(self, *, offset: int | None = None, reads: bool = False) -> Iterator[None]:
        """Let the driver's errors leave the block in the contract's words."""
        if self._closed:
            raise EngineError("this session is closed")
        try:
            yield
        except psycopg.Error as exc:
            lasting = Committed.NO if self._in_transaction or reads else Committed.UNKNOWN
            watch = self._watch
            raise translate(
                exc,
                Attempt(offset, self._timeout, watch.took, watch.stopped, lasting, watch.blocker, watch.silence),
            ) from exc

    @contextlib.contextmanager
    def _attempt(self, *, offset: int | None = None, reads: bool = False) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        """Everything that calls the server happens in here: watched, and with errors in the contract's words."""
        self._abandon_stream()
        self._watch.begin()
        try:
            with self._translating(offset=offset, reads=reads):
                yield self._connection.cursor()
        finally:
            self._watch.end()

    def _run(self, sql: str, *, offset: int | None = None) -> Stats:
        with self._attempt(offset=offset) as cursor:
            # Binary results need the extended protocol, in which a text is one statement or an error.
            cursor.execute(sql.encode(), binary=True)
            return Stats(rows=cursor.rowcount if cursor.rowcount >= 0 else None)

    def run(self, sql: str) -> Stats:
        """Run a statement of our own."""
        return self._run(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query of our own."""
        with self._attempt(reads=True) as cursor:
            return cursor.execute(sql.encode()).fetchall()

    def _abandon_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def execute(self, sql: str) -> Stats:
        """Run one statement; rows are counted where PostgreSQL counts them."""
        return self._run(sql, offset=0)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one query and stream its rows; a stream that was not read to its end is given up by the next call.

        Inside a transaction, neither a query that fails nor a stream that is given up does it any harm.
        """
        import pyarrow as pa

        self._abandon_stream()
        saved = self._save()
        self._watch.begin()
        try:
            stream = self._stream = Stream(
                self._connection,
                sql,
                self._watch,
                lambda: self._translating(offset=0, reads=True),
                lambda intact: self._restore(saved, intact=intact),
            )
        except BaseException:
            self._watch.end()
            self._restore(saved, intact=False)
            raise
        if stream.schema is None:  # no rows, and so the driver never saw the columns
            self._abandon_stream()
            empty = self.schema_of(sql)
            assert empty is not None
            return pa.RecordBatchReader.from_batches(empty, iter(()))
        return pa.RecordBatchReader.from_batches(stream.schema, stream)

    def _save(self) -> bool:
        if self._in_transaction and self._connection.info.transaction_status == _STATUS.INTRANS:
            self._run("SAVEPOINT ff__reading")
            return True
        return False

    def _restore(self, saved: bool, *, intact: bool) -> None:
        if not saved or self._connection.closed or not self._in_transaction:
            return
        with self._translating(reads=True):
            if not intact:
                self._connection.execute("ROLLBACK TO SAVEPOINT ff__reading")
            self._connection.execute("RELEASE SAVEPOINT ff__reading")

    # writing

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """COPY, from CSV that Arrow writes."""
        check_options(options)
        names = reader.schema.names
        loading.check_names(names, self._dialect)
        quoted = [self._dialect.quote(name) for name in names]
        target = self._dialect.render(relation)
        types = [self._dialect.type_name(field.type) for field in reader.schema]
        rows = 0
        with self._atomically():
            if mode is LoadMode.CREATE:
                columns = ", ".join(f"{name} {type_}" for name, type_ in zip(quoted, types, strict=True))
                self._run(f"CREATE TABLE {target} ({columns})")
            with self._attempt() as cursor:
                try:
                    with cursor.copy(
                        f"COPY {target} ({', '.join(quoted)}) FROM STDIN {loading.FORMAT}".encode()
                    ) as copy:
                        for piece, count in loading.csv_of(reader):
                            if self._watch.stopped:
                                raise EngineError("cancelled", kind=ErrorKind.CANCELLED)
                            copy.write(piece)
                            rows += count
                except psycopg.Error as exc:
                    if exc.sqlstate == _NUL:
                        raise UnsupportedError(
                            f"a text holds a NUL character, which PostgreSQL cannot store: {exc.diag.message_primary}",
                            help="remove the NUL, or load the column as binary",
                        ) from exc
                    raise
            if options.named:
                self._give_options(relation, options)
        return rows

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """Create a table, a view or a temporary table, which belongs to this session and has no schema."""
        check_options(options, kind)
        word = {CreateKind.TEMP: "TEMPORARY TABLE"}.get(kind, kind.name.replace("_", " "))
        head = f"CREATE {word} {self._dialect.render(relation)} AS\n"
        with self._atomically():
            stats = self._run(head + select, offset=len(head))
            if options.named:
                self._give_options(relation, options)
        return Stats() if kind is CreateKind.VIEW else stats

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """Indexes, rights and a comment."""
        check_options(options)
        with self._atomically():
            self._give_options(relation, options)

    def _give_options(self, relation: Relation, options: TableOptions) -> None:
        (found,) = standing(self.rows, self._dialect.render(relation))
        if found is None:
            raise EngineError(f"there is no table {relation}", kind=ErrorKind.MISSING)
        if found.letter == "v":
            check_options(options, CreateKind.VIEW)
        else:
            indexes = [
                StandingIndex(row[0], row[1], row[2], tuple(row[3])) for row in self.rows(catalogue.indexes(found.oid))
            ]
            for sql in index_statements(options.indexes, indexes, found.schema, found.relation, self._dialect):
                self._run(sql)
        if options.grants:
            rights = [(right, role) for right, role in self.rows(catalogue.rights(found.oid))]
            for sql in right_statements(options, rights, found.name, self._dialect):
                self._run(sql)
        if options.comment is not None:
            self._run(f"COMMENT ON {found.word} {found.name} IS {self._dialect.literal(options.comment)}")
        self._asked[relation] = rights_asked(options, self._dialect)

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names = ", ".join(self._dialect.quote(column) for column in columns)
        head = f"INSERT INTO {self._dialect.render(relation)} ({names})\nSELECT {names} FROM (\n"
        return self._run(f"{head}{select}\n) AS ff__rows", offset=len(head))

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """One MERGE."""
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

    def find_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], key: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Without a stream and its savepoint."""
        names = ", ".join(map(dialect.quote, columns))
        return self.rows(f"SELECT {names} FROM {dialect.render(relation)} WHERE {_equal(dialect, key)}")

    def exchange_rows(
        self,
        dialect: Dialect,
        relation: Relation,
        columns: Sequence[str],
        row: Sequence[Any],
        key: Mapping[str, Any],
    ) -> None:
        """One statement for both."""
        table, names = dialect.render(relation), ", ".join(map(dialect.quote, columns))
        self._run(
            f"WITH gone AS (DELETE FROM {table} WHERE {_equal(dialect, key)})"
            f" INSERT INTO {table} ({names}) VALUES ({', '.join(map(dialect.literal, row))})"
        )

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a relation, but never one that is something else than *kind* says."""
        found = self._find(relation)
        if found is not None and catalogue.KINDS[found[1]] is kind:
            self._run(f"DROP {catalogue.WORDS[found[1]]} {self._dialect.render(relation)}")

    def replace(self, staged: Relation, target: Relation) -> None:
        """Rename, or move the rows where something is tied to the table that stands there."""
        schema, name = self._place(target)
        with self._atomically():
            new, old = standing(self.rows, self._dialect.render(staged), self._dialect.render(target))
            if new is None:
                raise EngineError(f"there is no table {staged}", kind=ErrorKind.MISSING)
            replacing.replace_table(self, new, old, schema, name, self._asked.pop(staged, frozenset()))

    def replace_view(self, target: Relation, select: str) -> Stats:
        """CREATE OR REPLACE where the columns allow it; else anew, with the views on it."""

        def create(over: bool, settings: Sequence[str]) -> Stats:
            given = f" WITH ({', '.join(settings)})" if settings else ""
            head = f"CREATE {'OR REPLACE ' if over else ''}VIEW {self._dialect.render(target)}{given} AS\n"
            self._run(head + select, offset=len(head))
            return Stats()

        with self._atomically():
            (old,) = standing(self.rows, self._dialect.render(target))
            return create(False, ()) if old is None else replacing.replace_view(self, old, create)

    def _place(self, relation: Relation) -> tuple[str, str]:
        """Schema and name as the catalogue has them."""
        name = self._dialect.fold(relation.name)
        if relation.schema:
            return self._dialect.fold(relation.schema), name
        ((schema,),) = self.rows("SELECT pg_catalog.current_schema()")
        return schema, name

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema, unless it is there: creating needs a right that using does not."""
        if not relation.schema:
            return
        name = self._dialect.fold(relation.schema)
        if self.rows(catalogue.schema_exists(name)):
            return
        with self._atomically():
            self._run("SAVEPOINT ff__schema")
            try:
                self._run(f"CREATE SCHEMA IF NOT EXISTS {self._dialect.quote(name)}")
            except EngineError as error:
                if error.kind not in (ErrorKind.DUPLICATE, ErrorKind.CONSTRAINT):
                    raise
                self._run("ROLLBACK TO SAVEPOINT ff__schema")  # another session was a moment earlier
            self._run("RELEASE SAVEPOINT ff__schema")

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """COMMENT ON."""
        found = self._find(relation)
        word = catalogue.WORDS[found[1]] if found is not None else "TABLE"
        rendered, literal = self._dialect.render(relation), self._dialect.literal
        with self._atomically():
            self._run(f"COMMENT ON {word} {rendered} IS {literal(text)}")
            for name, words in columns.items():
                self._run(f"COMMENT ON COLUMN {rendered}.{self._dialect.quote(name)} IS {literal(words)}")

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """From the catalogue."""
        found = self._find(relation)
        texts: dict[str | None, str] = dict(self.rows(catalogue.comments(found[0]))) if found is not None else {}
        own = texts.pop(None, None)
        return own, {name: words for name, words in texts.items() if name is not None}

    # looking

    def _find(self, relation: Relation) -> tuple[int, str] | None:
        found = self.rows(catalogue.find(self._dialect.render(relation)))
        return (found[0][0], found[0][1]) if found else None

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Let the server read the query and describe it; nothing is planned, and nothing runs."""
        if isinstance(what, Relation):
            if self._find(what) is None:
                return None
            what = f"SELECT * FROM {self._dialect.render(what)}"
        return reading.schema_of(self._described(what))

    def _described(self, select: str) -> psycopg.pq.abc.PGresult:
        """The columns of a query; one that makes no sense does no harm to a transaction."""
        head = "SELECT * FROM (\n"
        self._abandon_stream()
        saved = self._save()
        intact = False
        try:
            with self._attempt(offset=len(head), reads=True):
                found = described(self._connection, f"{head}{select}\n) AS ff__rows")
            intact = True
        finally:
            self._restore(saved, intact=intact)
        return found

    def column_types(self, select: str) -> Mapping[str, str]:
        """What the server says of the query, in the words of its catalogue."""
        names, types = reading.columns_of(self._described(select))
        return dict(zip(names, (word for (word,) in self.rows(catalogue.type_words(types))), strict=True))

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From the catalogue, names as they stand there."""
        schema = self._schema(namespace)
        found = [
            RelationInfo(Relation(name, namespace.schema, namespace.database), catalogue.KINDS[letter])
            for name, letter in self.rows(catalogue.list_relations(schema))
        ]
        return sorted(found, key=lambda info: info.relation.name)

    def _schema(self, namespace: Namespace) -> str:
        if namespace.schema:
            return self._dialect.fold(namespace.schema)
        ((schema,),) = self.rows("SELECT pg_catalog.current_schema()")
        return str(schema)

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """What stands under a name."""
        found = self._find(relation)
        return None if found is None else catalogue.KINDS[found[1]]

    def layout(self, relation: Relation) -> str | None:
        """Names and types as PostgreSQL writes them, with collations that are not the usual one."""
        found = self.rows(catalogue.layout(self._dialect.render(relation)))
        return found[0][0] if found else None

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """All of one schema, in one query."""
        return dict(self.rows(catalogue.layouts(self._schema(namespace))))

    def content_hash(self, relation: Relation) -> str | None:
        """One scan, by as many workers as the server likes."""
        rendered = self._dialect.render(relation)
        found = self.rows(catalogue.hashable(rendered))
        if not found:
            return None
        ((layout, binary, nested),) = found
        saved, intact = nested and self._save(), False
        try:
            ((count, total),) = self.rows(content.rows_query(rendered, binary=binary))
            intact = True
        except EngineError as error:
            if not nested or getattr(error.__cause__, "sqlstate", None) != _NO_BINARY_FORM:
                raise
            return None  # a type inside another has none
        finally:
            self._restore(saved, intact=intact)
        return content.token(layout, count, total)

    def source_state(self, relation: Relation) -> str | None:
        """The rows themselves; PostgreSQL keeps no other trace that survives a restart."""
        return self.content_hash(relation)

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN, then COMMIT or ROLLBACK."""
        if self._in_transaction:
            raise EngineError("this session has a transaction open already")
        self._run("BEGIN")
        self._in_transaction = True
        try:
            check_line(self._line)
            yield
            self._abandon_stream()
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False

    def _commit(self) -> None:
        try:
            done = self._connection.execute("COMMIT").statusmessage  # not watched: a commit is never cut short
        except psycopg.Error as exc:
            raise translate(exc, Attempt(offset=None, commit=Committed.UNKNOWN)) from exc
        if done != "COMMIT":
            raise EngineError(
                "the transaction was rolled back, because a statement in it had failed",
                help="look for the first error of this node",
            )

    def _roll_back(self) -> None:
        # Neither of them works when the connection is lost; then the server rolls back by itself.
        with contextlib.suppress(psycopg.Error, EngineError):
            self._abandon_stream()
        with contextlib.suppress(psycopg.Error):
            if not self._connection.closed:
                self._connection.execute("ROLLBACK")

    def _atomically(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._in_transaction else self.transaction()

    def lock(self, name: str, *, timeout: float | None) -> None:
        """An advisory lock; the locks of others are waited for no longer than for this one."""
        self._abandon_stream()
        locks.acquire(name, self.rows, self._lock_wait, timeout=timeout, lasting=not self._in_transaction)

    def _interrupt(self) -> None:
        # Refused when the server is gone: then the statement ends by itself.
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT)

    def _cut(self) -> None:
        """End the connection under a call that waits on it; that call then fails. Any thread."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.pgconn.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def cancel(self) -> None:
        """Ask the server to stop the statement, or end the wait for a lock."""
        self._lock_wait.set()
        self._watch.cancel()

    def close(self) -> None:
        """Give the connection back; an open transaction is rolled back and its locks are free."""
        if self._closed:
            return
        if self._in_transaction:
            self._roll_back()
        else:
            with contextlib.suppress(psycopg.Error, EngineError):
                self._abandon_stream()
        self._closed = True
        self._monitor.remove(self._watch)
        self._give(self._line)
