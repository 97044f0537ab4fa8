"""What is DuckDB's own about sessions and executors; the rest is proved by the conformance suite."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, LoadMode
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace, Relation, RelationKind
from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.locks import LockTable, locks_of
from flowforge_duckdb.settings import DuckDBSettings
from flowforge_duckdb.watch import Watch


def rows(executor: DuckDBExecutor, sql: str) -> list[dict[str, object]]:
    with executor.session(label="rows") as session:
        found: list[dict[str, object]] = session.query(sql).read_all().to_pylist()
        return found


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(tmp_path / "a" / "b" / "x.duckdb")))
    executor.close()
    assert (tmp_path / "a" / "b" / "x.duckdb").exists()


def test_in_memory_every_executor_is_alone() -> None:
    one, two = DuckDBExecutor(DuckDBSettings()), DuckDBExecutor(DuckDBSettings())
    with one.session(label="one") as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS id")
        session.lock("t", timeout=1)
        assert session.source_state(Relation("t")) is not None
        with two.session(label="two") as other:
            assert other.kind_of(Relation("t")) is None
            other.lock("t", timeout=0.1)
    one.close()
    two.close()


def test_rows_stay_after_closing(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database)))
    with executor.session(label="test") as session:
        session.create_as(Relation("t", "main"), "SELECT 1 AS id", CreateKind.TABLE)
    executor.close()
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("SELECT * FROM main.t").fetchall() == [(1,)]


@pytest.mark.parametrize("schema", ["analytics", "Mixed Case", "select", "test"])
def test_the_schema_of_the_profile(tmp_path: Path, schema: str) -> None:
    """Also when it has the name that DuckDB gives to the database itself, which is ambiguous in two parts."""
    executor = DuckDBExecutor(DuckDBSettings(path=str(tmp_path / "test.duckdb"), schema=schema))
    assert executor.namespace.schema == schema
    relation = Relation("t").within(executor.namespace)
    with executor.session(label="test") as session:
        session.create_as(relation, "SELECT 1 AS id", CreateKind.TABLE)
        assert session.kind_of(relation) is RelationKind.TABLE
        assert [info.relation.name for info in session.relations(executor.namespace)] == ["t"]
        assert session.query("SELECT * FROM t").read_all().num_rows == 1
        session.replace(relation, relation.renamed("u"))
        assert session.kind_of(relation.renamed("u")) is RelationKind.TABLE
    executor.close()


def test_the_catalog_has_to_exist(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database), catalog="test"))
    assert executor.namespace == Namespace("main", "test")
    executor.close()
    with pytest.raises(EngineError, match="no catalog 'other'") as caught:
        DuckDBExecutor(DuckDBSettings(path=str(database), catalog="other"))
    assert "test" in (caught.value.help or "")


def test_settings_reach_duckdb(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database), threads=1, memory_limit="100MB", extensions=("json",)))
    (found,) = rows(executor, "SELECT current_setting('threads') AS t, current_setting('memory_limit') AS m")
    assert found["t"] == 1
    assert str(found["m"]).startswith("95.")  # DuckDB counts in MiB
    executor.close()


@pytest.mark.parametrize(
    "settings", [{"memory_limit": "much"}, {"extensions": ("ghost",)}, {"memory_limit": "1GB'; DROP TABLE x; --"}]
)
def test_settings_that_duckdb_refuses(database: Path, settings: dict[str, object]) -> None:
    with pytest.raises(EngineError):
        DuckDBExecutor(DuckDBSettings(path=str(database), **settings))  # type: ignore[arg-type]
    DuckDBExecutor(DuckDBSettings(path=str(database))).close()


def test_threads_have_to_be_some() -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        DuckDBSettings(threads=0)


def test_times_are_utc(executor: DuckDBExecutor) -> None:
    (found,) = rows(executor, "SELECT TIMESTAMPTZ '2024-07-01 12:00:00+02:00'::VARCHAR AS t")
    assert found["t"] == "2024-07-01 10:00:00+00"


def test_a_python_variable_is_no_table(executor: DuckDBExecutor) -> None:
    secret = pa.table({"id": [1]})
    with pytest.raises(EngineError) as caught:
        rows(executor, "SELECT * FROM secret")
    assert caught.value.kind is ErrorKind.MISSING
    assert secret.num_rows == 1


def test_the_name_used_while_loading_is_free_again(executor: DuckDBExecutor) -> None:
    table = pa.table({"id": [1]})
    with executor.session(label="test") as session:
        session.load(Relation("t"), table.to_reader(), LoadMode.CREATE)
        with pytest.raises(EngineError), session.transaction():
            session.load(Relation("t"), table.to_reader(), LoadMode.CREATE)
        session.load(Relation("t"), table.to_reader(), LoadMode.APPEND)
        session.load(Relation("u"), table.to_reader(), LoadMode.CREATE)
        assert [info.relation.name for info in session.relations(Namespace())] == ["t", "u"]
        assert session.query("SELECT * FROM t").read_all().num_rows == 2


def test_nanoseconds_with_a_zone_are_kept_or_refused(executor: DuckDBExecutor) -> None:
    type_ = pa.timestamp("ns", "UTC")
    with executor.session(label="test") as session:
        exact = pa.table({"t": pa.array([1_000, None], type_)})
        session.load(Relation("exact"), exact.to_reader(), LoadMode.CREATE)
        found = session.query("SELECT * FROM exact").read_all().column(0)
        assert found.cast(pa.int64()).to_pylist() == [1, None]
        with pytest.raises(EngineError, match="does not fit") as caught:
            session.load(Relation("lossy"), pa.table({"t": pa.array([1], type_)}).to_reader(), LoadMode.CREATE)
        assert caught.value.kind is ErrorKind.TYPE
        assert session.kind_of(Relation("lossy")) is None


def test_half_floats_inside_of_lists(executor: DuckDBExecutor) -> None:
    table = pa.table({"v": pa.array([[0.5, None], None], pa.list_(pa.float16()))})
    with executor.session(label="test") as session:
        session.load(Relation("t"), table.to_reader(), LoadMode.CREATE)
        assert session.query("SELECT * FROM t").read_all().column(0).to_pylist() == [[0.5, None], None]


def test_names_that_differ_only_by_case_are_one_name(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        with pytest.raises(EngineError) as caught:
            session.load(Relation("t"), pa.table({"id": [1], "ID": [2]}).to_reader(), LoadMode.CREATE)
        assert caught.value.kind is ErrorKind.DUPLICATE
        session.execute("CREATE TABLE Users AS SELECT 1 AS id")
        assert session.kind_of(Relation("USERS", "MAIN")) is RelationKind.TABLE


def test_a_column_called_rowid_does_not_hide_what_a_relation_is(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS rowid")
        session.execute("CREATE TABLE plain AS SELECT 1 AS id")
        session.execute("CREATE VIEW v AS SELECT rowid, * FROM plain")
        assert session.kind_of(Relation("t")) is RelationKind.TABLE
        assert session.kind_of(Relation("v")) is RelationKind.VIEW


def test_columns_of_nothing_get_a_type_also_when_nested(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        session.create_as(Relation("t"), "SELECT NULL AS n, [] AS l, {'NULL': NULL} AS s", CreateKind.TABLE)
        session.execute("INSERT INTO t VALUES (1, [2], {'NULL': 3})")
        schema = session.schema_of(Relation("t"))
        assert schema is not None
        assert str(schema.field(0).type) == "int32"


def test_a_schema_that_was_rolled_back_is_made_again(executor: DuckDBExecutor) -> None:
    place = Relation("t", "later")
    with executor.session(label="test") as session:
        transaction = session.transaction()
        transaction.__enter__()
        session.ensure_schema(place)
        transaction.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        session.ensure_schema(place)
        session.create_as(place, "SELECT 1 AS id", CreateKind.TABLE)


def test_a_transaction_inside_of_another(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session, session.transaction():
        with pytest.raises(EngineError, match="open already"), session.transaction():
            pytest.fail("began")
        session.execute("CREATE TABLE t AS SELECT 1 AS id")
    assert rows(executor, "SELECT * FROM t") == [{"id": 1}]


def test_options_are_refused_by_name(executor: DuckDBExecutor) -> None:
    from flowforge.contract import TableOptions

    with executor.session(label="test") as session:
        with pytest.raises(EngineError, match="no partition_by"):
            session.create_as(Relation("t"), "SELECT 1 AS id", CreateKind.TABLE, TableOptions(partition_by=("id",)))
        session.create_as(Relation("t"), "SELECT 1 AS id", CreateKind.TABLE, TableOptions(comment="it's new"))
        assert session.comments(Relation("t"))[0] == "it's new"


def test_replacing_across_schemas(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        session.ensure_schema(Relation("t", "other"))
        session.create_as(Relation("staged", "other"), "SELECT 2 AS id", CreateKind.TABLE)
        session.create_as(Relation("t", "main"), "SELECT 1 AS id", CreateKind.TABLE)
        session.replace(Relation("staged", "other"), Relation("t", "main"))
        assert session.kind_of(Relation("staged", "other")) is None
    assert rows(executor, "SELECT * FROM main.t") == [{"id": 2}]


def test_executors_of_one_file_share_its_locks(database: Path) -> None:
    one = DuckDBExecutor(DuckDBSettings(path=str(database)))
    two = DuckDBExecutor(DuckDBSettings(path=str(database.parent / "." / database.name)))
    with one.session(label="first run") as session, two.session(label="second run") as other:
        session.lock('"main"."T"', timeout=1)
        with pytest.raises(EngineError, match="first run"):
            other.lock('"MAIN"."t"', timeout=0.05)
    one.close()
    two.close()


def test_a_lock_table_lives_as_long_as_somebody_needs_it() -> None:
    table = locks_of("/somewhere/x.duckdb")
    assert locks_of("/somewhere/x.duckdb") is table
    assert locks_of("/elsewhere/x.duckdb") is not table
    assert locks_of(None) is not locks_of(None)


def test_only_the_owner_gives_a_lock_back() -> None:
    table, mine, other = LockTable(), object(), object()
    assert table.acquire("t", owner=mine, label="mine", timeout=0)
    assert not table.acquire("t", owner=mine, label="mine", timeout=0)
    table.release({"t"}, other)
    with pytest.raises(EngineError, match="mine"):
        table.acquire("t", owner=other, label="other", timeout=0)
    table.release({"t"}, mine)
    assert table.acquire("t", owner=other, label="other", timeout=0)


def test_a_wake_before_the_wait_does_no_harm() -> None:
    table, mine = LockTable(), object()
    table.wake(mine)
    assert table.acquire("t", owner=mine, label="mine", timeout=0)


def test_a_stop_is_repeated_until_the_statement_ends() -> None:
    """DuckDB forgets an interrupt that comes before the statement has really begun."""
    calls = []
    enough = threading.Event()

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == 3:
            enough.set()

    watch = Watch(interrupt, None)
    watch.begin()
    thread = threading.Thread(target=watch.cancel)
    thread.start()
    assert enough.wait(10)
    watch.end()
    thread.join(10)
    seen = len(calls)
    watch.cancel()
    watch.begin()
    assert len(calls) == seen
    assert not watch.stopped
    watch.end()


def test_a_time_limit_counts_while_rows_are_read(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database), threads=1))
    with executor.session(label="test", timeout=0.2) as session:
        with pytest.raises(EngineError) as caught:
            session.query("SELECT i FROM range(100000000000) t(i) WHERE i % 1000 = 7").read_all()
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert session.query("SELECT 1 AS id").read_all().num_rows == 1
    executor.close()


def test_several_sessions_make_one_schema(executor: DuckDBExecutor) -> None:
    ready = threading.Barrier(4, timeout=30)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with executor.session(label=str(number)) as session:
                ready.wait()
                session.ensure_schema(Relation("t", "fresh"))
                with session.transaction():
                    session.create_as(Relation(f"t{number}", "fresh"), "SELECT 1 AS id", CreateKind.TABLE)
        except BaseException as exc:  # noqa: BLE001 - shown by the assertion
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


@pytest.mark.parametrize(
    "before", ["nothing", "a whole query", "half a query", "a schema", "a hash", "an error", "a load"]
)
def test_no_transaction_is_left_open(executor: DuckDBExecutor, before: str) -> None:
    """DuckDB writes nothing from its log into the file, and forgets no old row, while one is."""
    with executor.session(label="writer") as writer, executor.session(label="other") as session:
        writer.create_as(Relation("t"), "SELECT i FROM range(300000) t(i)", CreateKind.TABLE)
        if before == "a whole query":
            session.query("SELECT * FROM t").read_all()
        elif before == "half a query":
            reader = session.query("SELECT * FROM t")
            reader.read_next_batch()
            reader.close()
            session.kind_of(Relation("t"))
        elif before == "a schema":
            assert session.schema_of(Relation("t")) is not None
            assert session.layout(Relation("t"))
        elif before == "a hash":
            assert session.content_hash(Relation("t"))
        elif before == "an error":
            with pytest.raises(EngineError):
                session.query("SELECT ghost FROM t")
        elif before == "a load":
            session.load(Relation("u"), pa.table({"id": [1]}).to_reader(), LoadMode.CREATE)
        writer.execute("CHECKPOINT")


def test_rows_are_counted(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        assert session.execute("CREATE TABLE t AS SELECT * FROM range(5) t(id)").rows == 5
        assert session.execute("INSERT INTO t SELECT 7").rows == 1
        assert session.execute("UPDATE t SET id = 0").rows == 6
        assert session.execute("DELETE FROM t").rows == 6
        assert session.execute("SELECT 1").rows is None
