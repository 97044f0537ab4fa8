"""What is sent to Snowflake where the emulator cannot follow: stages, clones, tags, cancelling, rights, comments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector import errors as driver

from flowforge.contract import CreateKind, LoadMode, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationKind
from flowforge_snowflake import catalogue
from flowforge_snowflake.dialect import SnowflakeDialect
from flowforge_snowflake.session import SnowflakeSession
from flowforge_snowflake.settings import SnowflakeSettings

LEAST: dict[str, Any] = {"account": "a", "user": "u", "database": "shop", "schema": "work", "load": "stage"}
T = Relation("orders", "work", "shop")
STAGED = Relation("ff__orders", "work", "shop")
NAME = '"SHOP"."WORK"."ORDERS"'
Rows = list[dict[str, Any]]


def column(name: str) -> Any:
    return SimpleNamespace(name=name, type_code=2, precision=None, scale=None)


@attrs.define
class Script:
    """A connection that answers statements by how they begin, and keeps what it was told."""

    answers: dict[str, Rows | BaseException | Callable[[], Rows]] = attrs.field(factory=dict)
    sent: list[str] = attrs.field(factory=list)
    parameters: list[dict[str, Any]] = attrs.field(factory=list)
    files: list[pa.Table] = attrs.field(factory=list)
    session_id: int | None = 4711
    schema: str | None = "WORK"

    def is_closed(self) -> bool:
        return False

    def cursor(self) -> Cursor:
        return Cursor(self)

    def rows(self, sql: str) -> Rows:
        self.sent.append(sql)
        if sql.startswith("PUT"):
            self.files.append(pq.read_table(sql.split("'")[1].removeprefix("file://")))
        found = next((answer for head, answer in self.answers.items() if sql.startswith(head)), [])
        if isinstance(found, BaseException):
            raise found
        return found if isinstance(found, list) else found()

    def heads(self, *words: str) -> list[str]:
        return [sql for sql in self.sent if sql.startswith(words)]


@attrs.define
class Cursor:
    """What the connector's cursors do."""

    script: Script
    _rows: Rows = attrs.field(factory=list)

    def execute(self, sql: str, *, timeout: int | None, _statement_params: dict[str, Any]) -> Cursor:
        self.script.parameters.append(_statement_params)
        self._rows = self.script.rows(sql)
        return self

    def describe(self, sql: str, *, _statement_params: dict[str, Any]) -> list[Any]:
        return [column(name) for name in self.script.rows(sql)[0]]

    @property
    def description(self) -> list[Any]:
        return [column(name) for name in (self._rows[0] if self._rows else {})]

    @property
    def rowcount(self) -> int:
        return len(self._rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self._rows]


def opened(
    script: Script, *, control: list[str] | None = None, timeout: float | None = None, **settings: Any
) -> SnowflakeSession:
    told = control if control is not None else []

    def run(sql: str) -> list[tuple[Any, ...]]:
        told.append(sql)
        return []

    return SnowflakeSession(
        script,
        SnowflakeSettings(**{**LEAST, **settings}),
        SnowflakeDialect(),
        lambda connection, clean: None,
        run,
        label="flowforge/run1/orders.ff",
        timeout=timeout,
    )


def stands(kind: str, name: str = "ORDERS") -> Rows:
    return [{"name": name, "kind": kind}]


# -- loading ------------------------------------------------------------------------------------------------------------


def test_many_rows_go_through_the_users_stage() -> None:
    script = Script({"COPY INTO": [{"file": "a", "rows_loaded": 2}]})
    rows = pa.table({"id": [1, 2], "two words": ["a", None]})
    assert opened(script).load(T, rows.to_reader(), LoadMode.CREATE) == 2
    create, put, copy, remove = script.sent
    assert create == f'CREATE TABLE {NAME} ("ID" BIGINT, "two words" VARCHAR)'
    stage = put.split()[2]
    assert stage.startswith("@~/flowforge/")
    assert copy.startswith(f"COPY INTO {NAME} FROM {stage} ")
    assert "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT" in copy
    assert remove == f"REMOVE {stage}"
    (sent,) = script.files
    assert sent.to_pydict() == {"ID": [1, 2], "two words": ["a", None]}


def test_a_stage_can_be_named() -> None:
    script = Script({"COPY INTO": [{"rows_loaded": "1"}]})
    opened(script, stage="db.raw.files").load(T, pa.table({"id": [1]}).to_reader(), LoadMode.CREATE)
    assert " @db.raw.files/flowforge/" in script.heads("PUT")[0]


def test_rows_that_get_lost_on_the_way_are_an_error() -> None:
    script = Script({"COPY INTO": [{"rows_loaded": 1}]})
    with pytest.raises(EngineError, match=r"2 rows were sent .* loaded 1"):
        opened(script).load(T, pa.table({"id": [1, 2]}).to_reader(), LoadMode.CREATE)
    assert script.heads("REMOVE")


def test_a_copy_that_fails_leaves_no_files() -> None:
    script = Script({"COPY INTO": driver.ProgrammingError(msg="Numeric value 'x'", errno=100038, sqlstate="22018")})
    with pytest.raises(EngineError) as caught:
        opened(script).load(T, pa.table({"id": [1]}).to_reader(), LoadMode.CREATE)
    assert caught.value.kind is ErrorKind.TYPE
    assert script.heads("REMOVE")


def test_no_rows_are_not_copied() -> None:
    script = Script()
    empty = pa.table({"id": pa.array([], pa.int64())})
    assert opened(script).load(T, empty.to_reader(), LoadMode.CREATE) == 0
    assert not script.heads("PUT", "COPY")


def test_copy_would_pass_over_columns_that_the_table_lacks() -> None:
    script = Script({"SELECT * FROM": [{"ID": 1}]})
    with pytest.raises(EngineError, match="no column 'ghost'"):
        opened(script).load(T, pa.table({"id": [1], "ghost": [1]}).to_reader(), LoadMode.APPEND)
    assert not script.heads("PUT", "COPY")


@pytest.mark.parametrize(("rows", "word"), [(10_000, "INSERT"), (10_001, "COPY")])
def test_the_number_of_rows_decides(rows: int, word: str) -> None:
    script = Script({"COPY INTO": [{"rows_loaded": rows}], "INSERT": [{}] * rows})
    assert opened(script, load="auto").load(T, pa.table({"id": range(rows)}).to_reader(), LoadMode.CREATE) == rows
    assert script.heads("INSERT", "COPY")[0].startswith(word)


def test_several_statements_are_one_transaction() -> None:
    script = Script({"INSERT": [{}]})
    rows = pa.table({"t": ["x" * 600_000, "y" * 600_000]})
    opened(script, load="insert").load(T, rows.to_reader(), LoadMode.CREATE)
    assert [sql.split()[0] for sql in script.sent] == ["CREATE", "BEGIN", "INSERT", "INSERT", "COMMIT"]


# -- replacing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "profile", "copies", "word"),
    [
        ({}, False, True, "TABLE"),
        ({}, True, True, "TRANSIENT TABLE"),
        ({"transient": True}, False, False, "TRANSIENT TABLE"),
        ({"transient": False}, True, False, "TABLE"),
    ],
)
def test_a_table_is_replaced_by_a_clone_of_its_kind(
    made: dict[str, Any], profile: bool, copies: bool, word: str
) -> None:
    script = Script({"SHOW OBJECTS": stands("TABLE"), "SELECT COUNT": [{"n": 1}]})
    session = opened(script, transient=profile, copy_grants=copies)
    session.create_as(STAGED, "SELECT 1 AS id", CreateKind.TABLE, TableOptions(options=made))
    session.replace(STAGED, T)
    grants = " COPY GRANTS" if copies else ""
    assert script.heads("CREATE")[0].startswith(f"CREATE {word} ")
    assert script.sent[-2:] == [
        f'CREATE OR REPLACE {word} {NAME} CLONE "SHOP"."WORK"."FF__ORDERS"{grants}',
        'DROP TABLE IF EXISTS "SHOP"."WORK"."FF__ORDERS"',
    ]


def test_what_another_session_staged_is_looked_up() -> None:
    script = Script({"SHOW OBJECTS": stands("TABLE"), "SHOW TABLES": stands("TRANSIENT", "FF__ORDERS")})
    opened(script).replace(STAGED, T)
    assert script.heads("CREATE OR REPLACE TRANSIENT TABLE")


def test_where_nothing_stands_the_table_is_renamed() -> None:
    script = Script()
    opened(script).replace(STAGED, T)
    assert script.sent[-1] == f'ALTER TABLE "SHOP"."WORK"."FF__ORDERS" RENAME TO {NAME}'


def test_a_table_goes_only_for_a_view_that_is_known_good() -> None:
    wrong = driver.ProgrammingError(msg="syntax error line 2 at position 0", errno=1003, sqlstate="42000")
    script = Script({"SHOW OBJECTS": stands("TABLE"), "SELECT * FROM": wrong})
    with pytest.raises(EngineError) as caught:
        opened(script).replace_view(T, "SELEC 1")
    assert (caught.value.kind, caught.value.position) == (ErrorKind.SYNTAX, 0)
    assert not script.heads("DROP", "CREATE")


def test_ddl_ends_the_transaction_that_it_commits() -> None:
    script = Script({"SELECT COUNT": [{"n": 1}]})
    session = opened(script)
    with session.transaction():
        session.execute("INSERT INTO x SELECT 1")
        session.create_as(T, "SELECT 1 AS id", CreateKind.TABLE)
        session.execute("-- a note\nDROP TABLE y")
    assert [sql.split()[0] for sql in script.sent] == ["BEGIN", "INSERT", "COMMIT", "CREATE", "SELECT", "--"]


# -- cloning ------------------------------------------------------------------------------------------------------------


def shown(kind: str = "TABLE", **more: str) -> Rows:
    return [{"name": "ORDERS", "kind": kind, "cluster_by": "", "retention_time": "1", **more}]


@pytest.mark.parametrize(
    ("standing", "options", "profile", "statements"),
    [
        ({}, {}, False, ["CREATE TABLE {copy} CLONE {source}"]),
        ({}, {}, True, ["CREATE TRANSIENT TABLE {copy} CLONE {source}"]),
        ({"kind": "TRANSIENT"}, {"options": {"transient": True}}, False, ["CREATE TRANSIENT TABLE {copy} CLONE {source}"]),
        (
            {"cluster_by": 'LINEAR(DAY, "two words")'},
            {"cluster_by": ("day", "two words")},
            False,
            ["CREATE TABLE {copy} CLONE {source}"],
        ),
        (
            {"cluster_by": "LINEAR(DAY)"},
            {"cluster_by": ("id", "day")},
            False,
            ["CREATE TABLE {copy} CLONE {source}", 'ALTER TABLE {copy} CLUSTER BY ("ID", "DAY")'],
        ),
        (
            {"cluster_by": "LINEAR(DAY)"},
            {},
            False,
            ["CREATE TABLE {copy} CLONE {source}", "ALTER TABLE {copy} DROP CLUSTERING KEY"],
        ),
        (
            {},
            {"options": {"data_retention_time_in_days": 7}},
            False,
            ["CREATE TABLE {copy} CLONE {source}", "ALTER TABLE {copy} SET DATA_RETENTION_TIME_IN_DAYS = 7"],
        ),
        ({"retention_time": "7"}, {"options": {"data_retention_time_in_days": 7}}, False, ["CREATE TABLE {copy} CLONE {source}"]),
    ],
)  # fmt: skip
def test_a_clone_is_as_the_options_say(
    standing: dict[str, str], options: dict[str, Any], profile: bool, statements: list[str]
) -> None:
    script = Script({"SHOW TABLES": shown(**standing)})
    opened(script, transient=profile).clone(T, STAGED, TableOptions(**options))
    copy = '"SHOP"."WORK"."FF__ORDERS"'
    assert script.heads("CREATE", "ALTER", "DROP") == [one.format(copy=copy, source=NAME) for one in statements]


def test_a_clone_takes_the_place_of_its_source_as_what_it_is() -> None:
    script = Script({"SHOW OBJECTS": stands("TABLE"), "SHOW TABLES": shown("TRANSIENT")})
    session = opened(script)
    session.clone(T, STAGED, TableOptions(options={"transient": True}))
    session.replace(STAGED, T)
    assert script.heads("CREATE OR REPLACE")[0].startswith(f"CREATE OR REPLACE TRANSIENT TABLE {NAME} CLONE")


@pytest.mark.parametrize(
    "standing", [{"kind": "TRANSIENT"}, {"is_dynamic": "Y"}, {"is_iceberg": "Y"}, {"is_external": "Y"}], ids=str
)
def test_what_cannot_be_cloned_is_refused_before_anything_is_made(standing: dict[str, str]) -> None:
    script = Script({"SHOW TABLES": shown(**standing)})
    with pytest.raises(UnsupportedError):
        opened(script).clone(T, STAGED)
    assert not script.heads("CREATE")


def test_nothing_is_cloned_where_nothing_stands() -> None:
    script = Script()
    with pytest.raises(EngineError) as caught:
        opened(script).clone(T, STAGED)
    assert caught.value.kind is ErrorKind.MISSING
    with pytest.raises(UnsupportedError, match="is no table"):
        opened(Script({"SHOW OBJECTS": stands("VIEW")})).clone(T, STAGED)


# -- tags, limits, cancelling -------------------------------------------------------------------------------------------


def test_each_statement_carries_its_model_and_its_limit() -> None:
    script = Script()
    session = opened(script, timeout=0.5, query_tag="team=shop", statement_timeout=30)
    session.execute("SELECT 1")
    session.kind_of(T)
    assert (
        script.parameters
        == [{"QUERY_TAG": "flowforge/run1/orders.ff team=shop", "STATEMENT_TIMEOUT_IN_SECONDS": 1}] * 2
    )
    other = Script()
    opened(other).execute("SELECT 1")
    assert other.parameters == [{"QUERY_TAG": "flowforge/run1/orders.ff"}]


def test_what_runs_is_cancelled_from_another_connection() -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow() -> Rows:
        running.set()
        assert go_on.wait(30)
        raise driver.ProgrammingError(msg="SQL execution canceled", errno=604, sqlstate="57014")

    told: list[str] = []
    session = opened(Script({"SELECT slow": slow}), control=told)
    session.cancel()
    assert told == []
    caught: list[EngineError] = []

    def work() -> None:
        try:
            session.execute("SELECT slow()")
        except EngineError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(30)
    session.cancel()
    go_on.set()
    thread.join(30)
    assert told == ["SELECT SYSTEM$CANCEL_ALL_QUERIES(4711)"]
    assert [error.kind for error in caught] == [ErrorKind.CANCELLED]


def test_the_queries_of_dead_runs_are_found_by_their_tags() -> None:
    sql = catalogue.running("SHOP", ["run1", "it's"])
    assert "STARTSWITH(query_tag, 'flowforge/run1/') OR STARTSWITH(query_tag, 'flowforge/it''s/')" in sql


# -- rights and comments ------------------------------------------------------------------------------------------------


def test_rights_and_a_comment_are_given_to_what_stands() -> None:
    granted = [
        {"privilege": "SELECT", "granted_to": "ROLE", "grantee_name": "OLD"},
        {"privilege": "SELECT", "granted_to": "SHARE", "grantee_name": "PARTNER"},
        {"privilege": "OWNERSHIP", "granted_to": "ROLE", "grantee_name": "BUILDER"},
    ]
    script = Script({"SHOW OBJECTS": stands("VIEW"), "SHOW GRANTS": granted})
    opened(script).apply_options(T, TableOptions(grants={"select": ("reader",)}, comment="it's"))
    assert script.sent[1:] == [
        f"SHOW GRANTS ON VIEW {NAME}",
        f'REVOKE SELECT ON VIEW {NAME} FROM ROLE "OLD"',
        f'GRANT SELECT ON VIEW {NAME} TO ROLE "READER"',
        f"COMMENT ON VIEW {NAME} IS 'it''s'",
    ]


def test_comments_on_columns() -> None:
    script = Script({"SHOW OBJECTS": stands("TABLE")})
    opened(script).comment(T, None, {"two words": "a\\b"})
    assert script.sent[1:] == [
        f"COMMENT ON TABLE {NAME} IS ''",
        f"COMMENT ON COLUMN {NAME}.\"two words\" IS 'a\\\\b'",
    ]


# -- the catalogue ------------------------------------------------------------------------------------------------------


def test_large_schemas_are_listed_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PAGE", 2)
    pages: list[Sequence[str]] = [("A", "B"), ("C",)]
    script = Script({"SHOW OBJECTS": lambda: [row for name in pages.pop(0) for row in stands("TABLE", name)]})
    found = opened(script).relations(Namespace("work", "shop"))
    assert [info.relation.name for info in found] == ["A", "B", "C"]
    assert script.sent[1] == 'SHOW OBJECTS IN SCHEMA "SHOP"."WORK" LIMIT 2 FROM \'B\''


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("TABLE", RelationKind.TABLE),
        ("TRANSIENT", RelationKind.TABLE),
        ("DYNAMIC_TABLE", RelationKind.TABLE),
        ("VIEW", RelationKind.VIEW),
        ("MATERIALIZED VIEW", RelationKind.MATERIALIZED_VIEW),
        ("TEMPORARY", None),
    ],
)
def test_kinds_of_relations(word: str, kind: RelationKind | None) -> None:
    assert opened(Script({"SHOW OBJECTS": stands(word)})).kind_of(T) is kind


def test_a_pattern_is_no_name() -> None:
    script = Script({"SHOW OBJECTS": [*stands("TABLE", "A%B"), *stands("VIEW", "AXB")]})
    session = opened(script)
    assert session.kind_of(Relation("a%b", "work", "shop")) is None
    assert session.kind_of(Relation("A%B", "work", "shop")) is RelationKind.TABLE
    assert script.sent[0].startswith("SHOW OBJECTS LIKE 'a_b' IN SCHEMA")


def test_a_missing_schema_is_made_elsewhere_or_refused() -> None:
    told: list[str] = []
    script = Script(schema="WORK")
    opened(script, control=told).ensure_schema(Relation("t", "other", "shop"))
    assert told == ['CREATE SCHEMA IF NOT EXISTS "SHOP"."OTHER"']
    assert not script.heads("USE", "CREATE")
    opened(Script(schema=None), control=told).ensure_schema(T)
    fresh = Script(schema=None)
    opened(fresh, control=told).ensure_schema(T)
    assert fresh.heads("USE") == ['USE SCHEMA "SHOP"."WORK"']
    with pytest.raises(EngineError, match="no schema OTHER") as caught:
        opened(Script(), allow_create_schema=False).ensure_schema(Relation("t", "other", "shop"))
    assert "allow_create_schema" in (caught.value.help or "")


def test_files_are_written_where_nobody_finds_them_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    script = Script({"COPY INTO": [{"rows_loaded": 1}]})
    opened(script).load(T, pa.table({"id": [1]}).to_reader(), LoadMode.CREATE)
    assert str(tmp_path) in script.heads("PUT")[0]
    assert list(tmp_path.iterdir()) == []
