"""What a session knows of tables that its transaction made, and how little it asks the catalogue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, Index, LoadMode, TableOptions
from flowforge.materialize.publish import Publication, Publisher
from flowforge.state.meta import ensure_meta, read_meta
from flowforge.values import Relation, RelationKind
from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.plugin import ENGINE
from flowforge_duckdb.session import DuckDBSession
from flowforge_duckdb.settings import DuckDBSettings

STAGED, TARGET = Relation("ff__staged", "main"), Relation("t", "main")


@pytest.fixture
def executor() -> Iterator[DuckDBExecutor]:
    executor = DuckDBExecutor(DuckDBSettings())
    yield executor
    executor.close()


class Heard:
    """A cursor that notes what it is asked."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.statements: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cursor, name)
        if name not in ("execute", "sql"):
            return found

        def heard(sql: Any, *args: Any) -> Any:
            self.statements.append(sql if isinstance(sql, str) else sql.query)
            return found(sql, *args)

        return heard


def one_row(**columns: object) -> pa.RecordBatchReader:
    table = pa.table({name: [value] for name, value in columns.items()})
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())


@pytest.mark.parametrize("before", ["nothing", "a table", "a view"])
def test_publishing_a_table_scans_no_catalogue(executor: DuckDBExecutor, before: str) -> None:
    """Which would take time in proportion to all that stands there, once for each model."""
    with executor.session(label="before") as session:
        if before != "nothing":
            session.execute(f"CREATE {before.split()[1].upper()} main.t AS SELECT 0 AS id")
    cursor = Heard(executor._root.cursor())
    with DuckDBSession(executor, cursor, label="test", timeout=None) as session, session.transaction():
        session.create_as(STAGED, "SELECT 1 AS id", CreateKind.TABLE)
        session.content_hash(STAGED)
        session.replace(STAGED, TARGET)
        assert session.layout(TARGET) == '"id" INTEGER'
    assert any("RENAME" in sql for sql in cursor.statements)
    assert not [sql for sql in cursor.statements if "duckdb_" in sql]


@pytest.mark.parametrize("before", ["nothing", "a view", "a broken view"])
def test_publishing_a_view_scans_no_catalogue(executor: DuckDBExecutor, before: str) -> None:
    with executor.session(label="before") as session:
        if before != "nothing":
            session.execute("CREATE TABLE main.below AS SELECT 0 AS id")
            session.execute("CREATE VIEW main.t AS SELECT * FROM main.below")
        if before == "a broken view":
            session.execute("DROP TABLE main.below")
    cursor = Heard(executor._root.cursor())
    with DuckDBSession(executor, cursor, label="test", timeout=None) as session, session.transaction():
        session.replace_view(TARGET, "SELECT 1 AS id")
    assert not [sql for sql in cursor.statements if "duckdb_" in sql]
    with executor.session(label="after") as session:
        assert session.fetch("FROM main.t") == [(1,)]


@pytest.mark.parametrize("kind", [RelationKind.TABLE, RelationKind.VIEW])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_first_build_sends_what_it_must(executor: DuckDBExecutor, kind: RelationKind, hashed: bool) -> None:
    """Each statement of a model costs about as much as making a small table."""
    with executor.session(label="before") as session:
        meta = ensure_meta(session, executor.dialect, executor.namespace)
    publisher = Publisher(ENGINE, executor.dialect, executor.namespace, "run1", meta)
    publication = Publication("t.ff", TARGET, kind, "", "d1", "SELECT 1 AS id", hash_rows=hashed, vacant=True)
    sent: list[str] = []
    for _ in (1, 2):  # of the first, the statement for the note is parsed, and the schema looked for
        cursor = Heard(executor._root.cursor())
        with DuckDBSession(executor, cursor, label="test", timeout=None) as session:
            row = publisher.publish(session, publication, None).row
            assert read_meta(session, executor.dialect, meta) == {"t": row}
            session.execute(f"DROP {kind.name} main.t")
            session.execute("DELETE FROM main._ff_meta")
        sent = [" ".join(sql.split()[:2]) for sql in cursor.statements[:-3]]
    made = [f"CREATE {kind.name}", 'FROM "main"."t"']
    looked = ["SELECT count(*),"] if hashed and kind is RelationKind.TABLE else []
    assert sent == ["BEGIN TRANSACTION", *made, *looked, "INSERT INTO", "COMMIT"]


@pytest.mark.parametrize("kind", [RelationKind.TABLE, RelationKind.VIEW])
def test_a_table_takes_the_place_of_a_broken_view(executor: DuckDBExecutor, kind: RelationKind) -> None:
    with executor.session(label="test") as session:
        session.execute("CREATE SCHEMA other")
        session.execute("CREATE TABLE other.t AS SELECT 0 AS id")
        session.execute("CREATE VIEW main.t AS FROM other.t")
        session.execute("DROP TABLE other.t")  # what is missing now is called as the view is
        assert session.kind_of(TARGET) is RelationKind.VIEW
        with session.transaction():
            session.drop(TARGET, RelationKind.TABLE)
            if kind is RelationKind.VIEW:
                session.drop(TARGET, kind)
            session.create_as(STAGED, "SELECT 1 AS id", CreateKind.TABLE)
            session.replace(STAGED, TARGET)
        assert session.kind_of(TARGET) is RelationKind.TABLE


@pytest.mark.parametrize("name", ["rowid", "ROWID"])
def test_columns_called_rowid(executor: DuckDBExecutor, name: str) -> None:
    with executor.session(label="test") as session:
        session.execute(f'CREATE TABLE main.a AS SELECT 1 AS "{name}"')
        session.execute("CREATE VIEW main.v AS FROM main.a")
        assert session.kind_of(Relation("a", "main")) is RelationKind.TABLE
        assert session.kind_of(Relation("v", "main")) is RelationKind.VIEW
        session.drop(Relation("a", "main"), RelationKind.VIEW)
        session.drop(Relation("v", "main"), RelationKind.TABLE)
        assert session.kind_of(Relation("a", "main")) is RelationKind.TABLE
        for relation in ("a", "v"):
            session.create_as(STAGED, "SELECT 2 AS id", CreateKind.TABLE)
            session.replace(STAGED, Relation(relation, "main"))
            assert session.fetch(f"SELECT id FROM main.{relation}") == [(2,)]


def test_a_name_that_means_another_table_now_has_its_columns(executor: DuckDBExecutor) -> None:
    loud = Relation("T", "MAIN", "memory")
    with executor.session(label="test") as session, session.transaction():
        session.create_as(TARGET, "SELECT 1 AS id", CreateKind.TABLE)
        assert session.layout(loud) == '"id" INTEGER'
        session.drop(loud, RelationKind.TABLE)
        assert session.layout(TARGET) is None
        session.load(TARGET, one_row(name="a"), LoadMode.CREATE)
        assert session.layout(TARGET) == session.layout(loud) == '"name" VARCHAR'
        session.create_as(STAGED, "SELECT DATE '2020-01-01' AS day", CreateKind.TABLE)
        session.replace(STAGED, loud)
        assert session.layout(TARGET) == '"day" DATE'
        assert session.layout(STAGED) is None


@pytest.mark.parametrize("way", ["execute", "query"])
def test_what_statements_of_others_change_is_seen(executor: DuckDBExecutor, way: str) -> None:
    with executor.session(label="test") as session, session.transaction():
        session.create_as(STAGED, "SELECT 1 AS id", CreateKind.TABLE)
        alter = 'ALTER TABLE main.ff__staged RENAME COLUMN "id" TO "nr"'
        index = 'CREATE INDEX "i" ON main.ff__staged ("nr")'
        for sql in (alter, index):
            if way == "execute":
                session.execute(sql)
            else:
                session.query(sql).read_all()
        assert session.layout(STAGED) == '"nr" INTEGER'
        session.replace(STAGED, TARGET)
        assert session.layout(TARGET) == '"nr" INTEGER'


def test_nothing_is_known_of_what_was_rolled_back(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        with contextlib.suppress(ZeroDivisionError), session.transaction():
            session.create_as(TARGET, "SELECT 1 AS id", CreateKind.TABLE)
            raise ZeroDivisionError
        assert session.layout(TARGET) is None
        session.create_as(TARGET, "SELECT 1 AS id", CreateKind.TABLE)
        with executor.session(label="another") as other:
            other.execute('ALTER TABLE main.t ADD COLUMN "more" INTEGER')
        assert session.layout(TARGET) == '"id" INTEGER, "more" INTEGER'


def test_a_temporary_table_hides_one_that_was_just_made(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session, session.transaction():
        session.create_as(TARGET, "SELECT 1 AS id", CreateKind.TABLE)
        session.create_as(Relation("t"), "SELECT 'a' AS name", CreateKind.TEMP)
        assert session.layout(TARGET) == '"id" INTEGER'
        assert session.layout(Relation("t")) == '"name" VARCHAR'


def test_a_staged_table_with_indexes_is_put_in_place(executor: DuckDBExecutor) -> None:
    options = TableOptions(indexes=(Index(("id",)),))
    with executor.session(label="test") as session, session.transaction():
        session.create_as(STAGED, "SELECT 1 AS id", CreateKind.TABLE, options)
        session.replace(STAGED, TARGET)
        session.apply_options(TARGET, options)
        assert session.layout(TARGET) == '"id" INTEGER'


def test_a_cursor_stands_in_the_schema_of_the_profile() -> None:
    executor = DuckDBExecutor(DuckDBSettings(schema="analytics"))
    with executor.session(label="test") as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS id")
        assert session.kind_of(Relation("t", "analytics")) is RelationKind.TABLE
        assert session.kind_of(TARGET) is None
    executor.close()
