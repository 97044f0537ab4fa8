"""DuckDB's errors in the contract's words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from flowforge.contract import CreateKind
from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge.values import Relation, RelationKind
from flowforge_duckdb.errors import Attempt, is_driver_error, translate
from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.settings import DuckDBSettings

HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELEC 1", ErrorKind.SYNTAX),
        ("SELECT * FROM ghost", ErrorKind.MISSING),
        ("SELECT ghost FROM (SELECT 1 AS id)", ErrorKind.MISSING),
        ("SELECT ghost(1)", ErrorKind.MISSING),
        ("SELECT * FROM ghost_schema.t", ErrorKind.MISSING),
        ("SELECT t.ghost FROM (SELECT 1 AS id) t", ErrorKind.MISSING),
        ("SELECT CAST('x' AS INTEGER)", ErrorKind.TYPE),
        ("SELECT 300::TINYINT", ErrorKind.TYPE),
        ("SELECT sum('a')", ErrorKind.TYPE),
        ("SELECT date '2024-01-01' + interval '1' day + true", ErrorKind.TYPE),
        ("CREATE TABLE taken AS SELECT 1", ErrorKind.DUPLICATE),
        ("INSERT INTO taken VALUES (NULL)", ErrorKind.CONSTRAINT),
        ("INSERT INTO taken VALUES (1)", ErrorKind.CONSTRAINT),
        ("SELECT (SELECT id FROM (VALUES (1), (2)) AS v(id))", ErrorKind.CONSTRAINT),
        ("LOAD ghost_extension", ErrorKind.OTHER),
    ],
)
def test_kinds(executor: DuckDBExecutor, sql: str, kind: ErrorKind) -> None:
    with executor.session(label="test") as session:
        session.execute("CREATE TABLE taken (id INTEGER PRIMARY KEY)")
        session.execute("INSERT INTO taken VALUES (1)")
        with pytest.raises(EngineError) as caught:
            session.execute(sql)
        assert caught.value.kind is kind, caught.value.message
        assert isinstance(caught.value.__cause__, duckdb.Error)


def test_notes_that_say_nothing_are_left_out(executor: DuckDBExecutor) -> None:
    said = []
    with executor.session(label="test") as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS id")
        for sql in ("SELECT sum('a')", "SELECT x.ghost FROM t AS x"):
            with pytest.raises(EngineError) as caught:
                session.query(sql).read_all()
            said += caught.value.notes
    assert said == ['Candidate bindings: "id"']


def test_a_division_by_zero_is_about_values() -> None:
    """DuckDB 1.5 gives NULL instead of an error, so the text of DuckDB 2 stands here."""
    text = "Invalid Input Error: Division by zero in expression mod(id, 0). Use TRY(...) to return NULL."
    assert translate(duckdb.InvalidInputException(text), Attempt()).kind is ErrorKind.TYPE
    other = translate(duckdb.InvalidInputException("Invalid Input Error: something else"), Attempt())
    assert other.kind is ErrorKind.OTHER


def test_conflicting_transactions_may_be_tried_again(executor: DuckDBExecutor) -> None:
    with executor.session(label="one") as one, executor.session(label="two") as two:
        one.execute("CREATE TABLE t AS SELECT 1 AS id")
        with one.transaction():
            one.drop(Relation("t"), RelationKind.TABLE)
            with pytest.raises(EngineError) as caught, two.transaction():
                two.drop(Relation("t"), RelationKind.TABLE)
        assert caught.value.kind is ErrorKind.DEADLOCK
        assert caught.value.retryable
        assert caught.value.committed is Committed.NO
        assert "\0" not in caught.value.message


CONFLICTS = {
    "two updates": ("UPDATE t SET id = 2", "UPDATE t SET id = 3"),
    "two deletes": ("DELETE FROM t", "DELETE FROM t"),
    "dropped": ("DROP TABLE t", "INSERT INTO t VALUES (2)"),
    "altered": ("ALTER TABLE t ADD COLUMN x INTEGER", "INSERT INTO t VALUES (2)"),
    "renamed": ("ALTER TABLE t RENAME TO u", "DROP TABLE t"),
    "made twice": ("CREATE TABLE n AS SELECT 1 AS id", "CREATE TABLE n AS SELECT 2 AS id"),
    "two views": ("CREATE OR REPLACE VIEW v AS SELECT 1 AS id", "CREATE OR REPLACE VIEW v AS SELECT 2 AS id"),
    "two schemas": ("CREATE SCHEMA n", "CREATE SCHEMA IF NOT EXISTS n"),
    "schema gone": ("DROP SCHEMA s", "CREATE TABLE s.n AS SELECT 1 AS id"),
}


@pytest.mark.parametrize("committed_first", [False, True])
@pytest.mark.parametrize("conflict", list(CONFLICTS))
def test_all_conflicts_are_of_one_kind(executor: DuckDBExecutor, conflict: str, committed_first: bool) -> None:
    first, second = CONFLICTS[conflict]
    with executor.session(label="one") as one, executor.session(label="two") as two:
        one.execute("CREATE TABLE t AS SELECT 1 AS id")
        one.execute("CREATE SCHEMA s")

        def work() -> None:
            with two.transaction():
                two.query("SELECT * FROM t").read_all()  # now it sees what was before the other's commit
                with one.transaction():
                    one.execute(first)
                    if not committed_first:
                        two.execute(second)
                if committed_first:
                    two.execute(second)

        with pytest.raises(EngineError) as caught:
            work()
        assert caught.value.kind is ErrorKind.DEADLOCK, caught.value.message
        assert caught.value.retryable
        assert caught.value.committed is Committed.NO
        two.execute("CREATE OR REPLACE TABLE usable AS SELECT 1 AS id")


def test_a_doubled_key_in_the_commit_is_no_conflict(executor: DuckDBExecutor) -> None:
    with executor.session(label="one") as one, executor.session(label="two") as two:
        one.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        transaction = two.transaction()
        transaction.__enter__()
        two.execute("INSERT INTO t VALUES (1)")
        one.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(EngineError) as caught:
            transaction.__exit__(None, None, None)
        assert caught.value.kind is ErrorKind.CONSTRAINT
        assert caught.value.committed is Committed.NO
        assert not caught.value.retryable


def test_candidates_are_notes(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session:
        session.execute("CREATE TABLE customers AS SELECT 1 AS customer_id")
        with pytest.raises(EngineError) as caught:
            session.query("SELECT customr_id FROM customers")
        assert any("customer_id" in note for note in caught.value.notes)
        assert "LINE" not in caught.value.message + " ".join(caught.value.notes)
        with pytest.raises(EngineError) as caught:
            session.query("SELECT * FROM custmers")
        assert any("customers" in note for note in caught.value.notes)


def test_tables_of_the_system_are_no_suggestion(executor: DuckDBExecutor) -> None:
    with executor.session(label="test") as session, pytest.raises(EngineError) as caught:
        session.query("SELECT * FROM pg_tabels")
    assert caught.value.notes == ()


def test_another_process_has_the_file(database: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(EngineError) as caught:
            DuckDBExecutor(DuckDBSettings(path=str(database)))
        assert caught.value.kind is ErrorKind.LOCKED
        assert f"is open in another process (pid {holder.pid})" in caught.value.message
        assert str(database) in caught.value.message
        assert caught.value.retryable
        assert caught.value.help
        holder.communicate()
    DuckDBExecutor(DuckDBSettings(path=str(database))).close()


def test_a_file_that_is_no_database(database: Path) -> None:
    database.write_text("hello " * 10_000)
    with pytest.raises(EngineError, match="not a valid DuckDB"):
        DuckDBExecutor(DuckDBSettings(path=str(database)))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot create the folder"):
        DuckDBExecutor(DuckDBSettings(path=str(tmp_path / "file" / "deeper" / "x.duckdb")))


def test_too_little_memory_has_a_help(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database), memory_limit="20MB", threads=1))
    try:
        with executor.session(label="test") as session:
            session.execute("SET max_temp_directory_size = '1MB'")
            with pytest.raises(EngineError) as caught:
                session.create_as(
                    Relation("big"),
                    "SELECT i, repeat('x', 100) || i AS s FROM range(5000000) t(i) ORDER BY s",
                    CreateKind.TABLE,
                )
            assert caught.value.kind in (ErrorKind.MEMORY, ErrorKind.DISK)
            assert caught.value.help
            assert "\n" not in caught.value.message
            assert session.kind_of(Relation("big")) is None
    finally:
        executor.close()


def test_out_of_memory(database: Path) -> None:
    executor = DuckDBExecutor(DuckDBSettings(path=str(database), memory_limit="50MB"))
    try:
        with executor.session(label="test") as session:
            session.execute("CREATE TABLE t AS SELECT 1 AS id")
            with pytest.raises(EngineError) as caught, session.transaction():
                session.create_as(Relation("big"), "SELECT list(i) AS v FROM range(30000000) t(i)", CreateKind.TABLE)
            assert caught.value.kind is ErrorKind.MEMORY
            assert "memory_limit" in (caught.value.help or "")
            assert caught.value.committed is Committed.NO
            assert session.kind_of(Relation("big")) is None
            assert session.query("SELECT * FROM t").read_all().to_pylist() == [{"id": 1}]
    finally:
        executor.close()


FILL = """
import resource, sys
from flowforge.contract import CreateKind
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Relation
from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.settings import DuckDBSettings

executor = DuckDBExecutor(DuckDBSettings(path=sys.argv[1]))
session = executor.session(label="test")
session.execute("CREATE TABLE kept AS SELECT 1 AS id")
session.execute("CHECKPOINT")
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    with session.transaction():
        session.create_as(Relation("kept2"), "SELECT i, hash(i) AS h FROM range(3000000) t(i)", CreateKind.TABLE)
        session.replace(Relation("kept2"), Relation("kept"))
except EngineError as error:
    assert error.kind is ErrorKind.DISK, error
    assert error.help
    assert session.query("SELECT * FROM kept").read_all().to_pylist() == [{"id": 1}]
    print("refused")
"""


def test_a_file_that_cannot_grow(database: Path) -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(database)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "refused\n", done.stderr
    executor = DuckDBExecutor(DuckDBSettings(path=str(database)))
    with executor.session(label="test") as session:
        assert session.query("SELECT * FROM kept").read_all().to_pylist() == [{"id": 1}]
    executor.close()


def test_a_full_disk() -> None:
    exc = duckdb.IOException('IO Error: Could not write all bytes to file "x.duckdb": No space left on device')
    error = translate(exc, Attempt(commit=True))
    assert error.kind is ErrorKind.DISK
    assert error.committed is Committed.UNKNOWN
    assert error.help


def test_a_conflict_in_the_commit_changed_nothing() -> None:
    exc = duckdb.TransactionException('TransactionContext Error: Failed to commit: write-write conflict on key: "1"')
    assert translate(exc, Attempt(commit=True)).committed is Committed.NO


def test_whose_errors_they_are() -> None:
    assert is_driver_error(duckdb.BinderException("Binder Error: x"))
    assert is_driver_error(OSError("INTERRUPT Error: Interrupted!"))
    assert not is_driver_error(OSError(2, "No such file or directory"))
    assert not is_driver_error(ValueError("Binder Error: x"))
