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
        ("SELECT date '2024-01-01' + interval '1' day + true", ErrorKind.TYPE),
        ("CREATE TABLE taken AS SELECT 1", ErrorKind.DUPLICATE),
        ("INSERT INTO taken VALUES (NULL)", ErrorKind.CONSTRAINT),
        ("INSERT INTO taken VALUES (1)", ErrorKind.CONSTRAINT),
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
        assert str(holder.pid) in caught.value.message
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
