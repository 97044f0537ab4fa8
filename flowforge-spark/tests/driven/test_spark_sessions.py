"""What only a server can show: frames, layouts, options, ends of statements, and two runs that change one row."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Iterator

import attrs
import pyarrow as pa
import pytest
from flowforge_test_servers.mute import mute_server

from flowforge.contract import CreateKind, LoadMode, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.state.lease import Leases
from flowforge.values import Relation
from flowforge_spark.executor import SparkExecutor
from flowforge_spark.session import SparkSession
from flowforge_spark.settings import SparkSettings

SLOW = "SELECT count(*) AS c FROM range(3000000) AS a JOIN range(3000) AS b ON a.id > b.id"


@pytest.fixture
def session(executor: SparkExecutor) -> Iterator[SparkSession]:
    with executor.session(label="flowforge/r1/test") as session:
        session.ensure_schema(relation(executor, "any"))
        yield session  # type: ignore[misc]


def test_somebody_is_there_and_says_nothing() -> None:
    with mute_server() as port, pytest.raises(EngineError, match="it takes connections only") as caught:
        SparkExecutor(SparkSettings(master=f"sc://127.0.0.1:{port}", connect_timeout=0.5))
    assert caught.value.kind is ErrorKind.CONNECTION


def relation(executor: SparkExecutor, name: str) -> Relation:
    return Relation(name).within(executor.namespace)


def rows(session: SparkSession, executor: SparkExecutor, name: str) -> list[dict[str, object]]:
    sql = f"SELECT * FROM {executor.dialect.render(relation(executor, name))}"
    return session.query(sql).read_all().to_pylist()  # type: ignore[no-any-return]


def stop_soon(session: SparkSession, done: threading.Event) -> None:
    while not done.wait(0.1):
        session.cancel()


def test_a_query_is_stopped_from_another_thread(session: SparkSession) -> None:
    done = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(stop_soon, session, done)
        try:
            with pytest.raises(EngineError) as refused:
                session.query(SLOW)
        finally:
            done.set()
        stopping.result(30)
    assert refused.value.kind is ErrorKind.CANCELLED
    assert session.query("SELECT 1 AS x").read_all().to_pylist() == [{"x": 1}]


def test_a_query_that_takes_too_long_is_stopped(executor: SparkExecutor) -> None:
    with executor.session(label="flowforge/r1/slow", timeout=0.5) as session, pytest.raises(EngineError) as refused:
        session.query(SLOW)
    assert refused.value.kind is ErrorKind.TIMEOUT


def test_a_stopped_table_leaves_nothing(session: SparkSession, executor: SparkExecutor) -> None:
    done = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(stop_soon, session, done)
        try:
            with pytest.raises(EngineError):
                session.create_as(relation(executor, "t"), SLOW, CreateKind.TABLE)
        finally:
            done.set()
        stopping.result(30)
    assert session.relations(executor.namespace) == []


def test_frames_of_spark_are_neither_fetched_nor_sent(session: SparkSession, executor: SparkExecutor) -> None:
    source = relation(executor, "source")
    session.load(source, pa.table({"id": [1, 2, 3]}).to_reader(), LoadMode.CREATE)
    select = f"SELECT * FROM {executor.dialect.render(source)}"
    frame = session.frame(source, None, "spark", select)
    assert session.load_frame(relation(executor, "made"), frame.filter("id > 1")) == 2
    assert sorted(row["id"] for row in rows(session, executor, "made")) == [2, 3]  # type: ignore[type-var]
    assert session.load_frame(relation(executor, "other"), [1, 2]) is None
    with pytest.raises(UnsupportedError, match="frame='spark'"):
        session.frame(source, None, "polars", select)


def test_a_table_keeps_its_partitions_when_it_is_replaced(session: SparkSession, executor: SparkExecutor) -> None:
    target, staged = relation(executor, "target"), relation(executor, "staged")
    for value in (1, 2):
        session.create_as(
            staged, f"SELECT {value} AS id, 'a' AS p", CreateKind.TABLE, TableOptions(partition_by=("p",))
        )
        session.replace(staged, target)
        columns = session.spark.catalog.listColumns(executor.dialect.render(target))
        assert {column.name: column.isPartition for column in columns} == {"id": False, "p": True}
        assert rows(session, executor, "target") == [{"id": value, "p": "a"}]


def test_two_that_change_one_row_at_once_do_so_one_after_the_other(executor: SparkExecutor) -> None:
    with executor.session(label="flowforge/r1/any") as session:
        session.ensure_schema(relation(executor, "any"))
    start = threading.Barrier(4, timeout=30)

    def count(worker: int) -> int:
        leases = Leases(
            executor.dialect, executor.namespace, f"run{worker}", lambda label: executor.session(label=label)
        )
        held = 0
        with executor.session(label=f"flowforge/run{worker}/x") as session:
            start.wait()
            for _ in range(3):
                with leases.hold(session, "orders", timeout=60):
                    inside.append(worker)
                    assert inside == [worker]
                    time.sleep(0.01)
                    inside.clear()
                    held += 1
        return held

    inside: list[int] = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert [future.result(120) for future in [pool.submit(count, worker) for worker in range(4)]] == [3] * 4


def test_notes_in_a_format_without_changes_are_refused_where_others_could_write(
    executor: SparkExecutor, settings: SparkSettings
) -> None:
    unsafe = SparkExecutor(attrs.evolve(settings, table_format="parquet"))
    with unsafe.session(label="flowforge/r1/any") as session:
        session.ensure_schema(relation(unsafe, "any"))
        with pytest.raises(UnsupportedError, match="keep two runs apart") as refused:
            session.create_table(unsafe.dialect, relation(unsafe, "_ff_meta"), {"a": "STRING"})
        assert session.kind_of(relation(unsafe, "_ff_meta")) is None
    assert "state_format" in (refused.value.help or "")
    unsafe.close()


def test_a_format_that_needs_views_is_refused_where_their_text_is_forgotten(
    session: SparkSession, executor: SparkExecutor
) -> None:
    """Sail does not keep the text of a view; real Spark does, see the conformance suite on it."""
    target = relation(executor, "target")
    with pytest.raises(UnsupportedError, match="tables of parquet cannot be replaced"):
        session.create_as(target, "SELECT 1 AS id", CreateKind.TABLE, TableOptions(format="parquet"))
    assert session.relations(executor.namespace) == []


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT * FROM ghost", ErrorKind.MISSING),
        ("SELEC 1", ErrorKind.SYNTAX),
        ("SELECT CAST('x' AS INT)", ErrorKind.TYPE),
    ],
)
def test_errors_are_in_the_contracts_words(session: SparkSession, sql: str, kind: ErrorKind) -> None:
    with pytest.raises(EngineError) as refused:
        session.query(sql)
    assert refused.value.kind is kind
    assert "JVM" not in refused.value.message
