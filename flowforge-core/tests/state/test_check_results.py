"""The results of checks are kept over many runs, within bounds, whatever happens to the file."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from flowforge.errors import Note, StateError
from flowforge.events import Status
from flowforge.state import check_results
from flowforge.state.assets import AgeNote
from flowforge.state.check_results import CheckRecord
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore
from flowforge.state.store_schema import MIGRATIONS, migrate

MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def record(check: str = "c", status: Status = Status.SUCCESS, **changes: Any) -> CheckRecord:
    return attrs.evolve(CheckRecord(check, MOMENT, status, "error"), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    notes: list[Note] = []
    with StateStore.open(tmp_path, notes.append) as opened:
        yield opened
    assert notes == []


def note(store: StateStore, run: str, *records: CheckRecord, env: str = "dev", engine: str = "duck") -> None:
    store.checks.note(env, engine, run, "test", records)


def ids(store: StateStore, limit: int = 10, check: str = "c", **place: str) -> list[str]:
    found = store.checks.results(place.get("env", "dev"), place.get("engine", "duck"), limit, [check])
    return [past.run_id for past in found.get(check, ())]


def counted(store: StateStore, table: str) -> int:
    return int(store._file.rows(f"SELECT count(*) FROM {table}", ())[0][0])


def test_a_result_is_remembered_as_it_was_by_another_process_too(tmp_path: Path, store: StateStore) -> None:
    one = record("c", Status.WARN, severity="warn", failures=3, rows=9, measure=2.5, counts=False, duration=0.25,
                 message="has 3 doubles \ud800")  # fmt: skip
    note(store, "r1", one, record("other"))
    with StateStore.open(tmp_path, print, write=False) as other:
        (past,) = other.checks.results("dev", "duck", 5, ["c", "ghost"])["c"]
    assert attrs.asdict(past) == {
        "run_id": "r1", "command": "test", "at": MOMENT, "status": Status.WARN, "severity": "warn", "failures": 3,
        "rows": 9, "measure": 2.5, "counts": False, "duration": 0.25, "message": "has 3 doubles \\ud800",
    }  # fmt: skip


def test_histories_of_profiles_and_engines_are_apart(store: StateStore) -> None:
    note(store, "here", record())
    note(store, "there", record(), env="prod")
    note(store, "post", record(), engine="pg")
    assert (ids(store), ids(store, env="prod"), ids(store, engine="pg")) == (["here"], ["there"], ["post"])


def test_the_last_results_come_in_the_order_of_the_runs_whatever_the_clock_said(store: StateStore) -> None:
    for number in range(6):
        note(store, f"r{number}", record(at=MOMENT - number * DAY))
    assert ids(store, 4) == ["r2", "r3", "r4", "r5"]
    assert ids(store, 1) == ["r5"]


def test_a_streak_begins_with_its_first_failure_and_looks_past_checks_that_were_not_asked(store: StateStore) -> None:
    ends = [Status.FAIL, Status.SUCCESS, Status.SKIPPED, Status.FAIL, Status.SKIPPED, Status.ERROR]
    for number, status in enumerate(ends):
        note(store, f"r{number}", record(status=status))
    since, passed = store.checks.streak("dev", "duck", "c")
    assert (since and since.run_id, passed and passed.run_id) == ("r3", "r1")
    note(store, "bad", record("never", Status.FAIL))
    since, passed = store.checks.streak("dev", "duck", "never")
    assert (since and since.run_id, passed) == ("bad", None)


def test_of_each_check_only_the_newest_results_are_kept(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_results, "KEPT", 60)
    for number in range(70):
        note(store, f"r{number}", record(), *([record("rare")] if number < 3 else []))
    assert ids(store, 1_000) == [f"r{number}" for number in range(10, 70)]
    assert ids(store, 1_000, "rare") == ["r0", "r1", "r2"]


def test_a_project_with_very_many_checks_keeps_fewer_of_each(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_results, "KEPT_IN_ALL", 120)
    for number in range(60):
        note(store, f"r{number}", record(), record("b"))
    assert counted(store, "check_results") == 120
    note(store, "few", *(record(f"n{number}") for number in range(100)), record())
    assert len(ids(store, 1_000)) == 50


def test_old_results_go_and_with_them_checks_that_nobody_runs_any_more(store: StateStore) -> None:
    for number in range(12):
        note(store, f"old{number}", record(at=MOMENT), record("gone", at=MOMENT))
    later = MOMENT + (check_results.KEPT_DAYS + 1) * DAY
    note(store, "new", record(at=later))
    # However far a clock jumps, a few are left.
    assert ids(store, 1_000) == ["", "", "", "", "new"]
    assert ids(store, 1_000, "gone") == []
    assert (counted(store, "check_series"), counted(store, "check_results"), counted(store, "check_runs")) == (1, 5, 1)


def test_what_was_measured_is_told_of_accepted_rows_only_and_once_a_run(store: StateStore) -> None:
    def measured(value: float | None, check: str = "c", **changes: Any) -> CheckRecord:
        return record(check, measured="rows of orders", measure=value, **changes)

    note(store, "r1", measured(1.0), measured(1.0, "the same under another name"), record("else", measure=99.0))
    note(store, "r2", measured(2.0, counts=False))
    note(store, "r3", measured(None))
    note(store, "r4", measured(4.0, at=MOMENT + DAY), record("other", measured="rows of shops", measure=7.0))
    note(store, "r5", measured(5.0, at=MOMENT + 2 * DAY))
    note(store, "r6", measured(6.0), env="prod")
    tell = store.checks.measures
    assert tell("dev", "duck", "rows of orders", 10) == [1.0, 4.0, 5.0]
    assert tell("dev", "duck", "rows of orders", 2) == [4.0, 5.0]
    assert tell("dev", "duck", "rows of orders", 10, MOMENT + DAY) == [4.0, 5.0]
    assert tell("dev", "duck", "nothing", 10) == []


RESULTS = st.lists(
    st.tuples(st.sampled_from(["dev", "prod"]), st.none() | st.integers(0, 9), st.booleans(), st.integers(0, 3)),
    max_size=12,
)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(RESULTS, st.integers(1, 5), st.none() | st.integers(0, 3))
def test_what_is_told_is_what_a_list_would_tell(
    tmp_path_factory: pytest.TempPathFactory,
    results: list[tuple[str, int | None, bool, int]],
    limit: int,
    since: int | None,
) -> None:
    with StateStore.open(tmp_path_factory.mktemp("told"), print) as store:
        for number, (env, value, counts, day) in enumerate(results):
            measure = None if value is None else float(value)
            one = record(measured="m", measure=measure, counts=counts, at=MOMENT + day * DAY)
            note(store, f"r{number}", one, env=env)
        first = None if since is None else MOMENT + since * DAY
        wanted = [
            float(value)
            for env, value, counts, day in results
            if env == "dev" and value is not None and counts and (since is None or day >= since)
        ]
        assert store.checks.measures("dev", "duck", "m", limit, first) == wanted[-limit:]
        mine = [f"r{number}" for number, (env, *_) in enumerate(results) if env == "dev"]
        assert ids(store, limit) == mine[-limit:]


def test_a_named_check_that_measures_something_else_begins_anew_but_keeps_its_history(store: StateStore) -> None:
    note(store, "r1", record(measured="all", measure=1.0))
    note(store, "r2", record(measured="some", measure=50.0))
    note(store, "r3", record(measured="some", measure=51.0))
    assert store.checks.measures("dev", "duck", "some", 10) == [50.0, 51.0]
    assert ids(store, 10) == ["r1", "r2", "r3"]
    assert ids(store, 2) == ["r2", "r3"]


def test_a_memory_that_was_lost_says_nothing_of_what_is_usual(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"nonsense" * 999)
    notes: list[Note] = []
    with StateStore.open(tmp_path, notes.append) as store:
        with pytest.raises(StateError) as caught:
            store.checks.measures("dev", "duck", "rows", 5)
        assert caught.value.code == "FF3080"
        note(store, "r1", record(measured="rows", measure=3.0))
    assert [one.code for one in notes] == ["FF2312"]
    with StateStore.open(tmp_path, notes.append) as store:
        assert store.checks.measures("dev", "duck", "rows", 5) == [3.0]


def test_damage_that_shows_while_it_is_read_is_no_empty_history(tmp_path: Path) -> None:
    with StateStore.open(tmp_path, print) as store:
        for number in range(300):
            note(store, f"r{number}", record(measured="rows", measure=1.0, message="x" * 400))
    notes: list[Note] = []
    with StateStore.open(tmp_path, notes.append) as store:
        with (tmp_path / "state.db").open("r+b") as file:
            file.seek(4096 * 4)
            file.write(os.urandom((tmp_path / "state.db").stat().st_size - 4096 * 4))
        with pytest.raises(StateError):
            store.checks.measures("dev", "duck", "rows", 5)
    assert notes


@pytest.mark.parametrize("how", ["a newer version", "a folder in its place"])
def test_a_memory_that_cannot_be_used_fails_no_run(tmp_path: Path, how: str) -> None:
    if how == "a newer version":
        StateStore.open(tmp_path, print).close()
        connection = sqlite3.connect(tmp_path / "state.db")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA user_version = 999")
        connection.close()
    else:
        (tmp_path / "state.db").mkdir()
    notes: list[Note] = []
    with StateStore.open(tmp_path, notes.append) as store:
        note(store, "r1", record(measured="rows", measure=3.0))
        assert ids(store) == ["r1"]
        with pytest.raises(StateError):
            store.checks.measures("dev", "duck", "rows", 5)
    assert [one.code for one in notes] == ["FF2311" if how == "a newer version" else "FF2310"]


def test_rows_written_by_another_hand_are_passed_over(store: StateStore) -> None:
    for number in range(8):
        note(store, f"r{number}", record(measured="rows", measure=float(number)))
    connection = store._file._connection
    assert connection is not None
    for number, change in enumerate(
        ("status = 'odd'", "at = 'never'", "at = 1e300", "measure = 'much'", "measure = 9e999", "duration = 'long'"), 1
    ):
        connection.execute(f"UPDATE check_results SET {change} WHERE n = {number}")
    connection.execute("UPDATE assets SET status = 'odd'")
    assert ids(store) == ["r3", "r4", "r6", "r7"]
    assert store.checks.measures("dev", "duck", "rows", 10) == [0.0, 1.0, 2.0, 5.0, 6.0, 7.0]
    since, passed = store.checks.streak("dev", "duck", "c")
    assert (since, passed and passed.run_id) == (None, "r7")


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with StateStore.open(tmp_path, lambda note: errors.append(AssertionError(note))) as store:
                for number in range(20):
                    note(store, f"{name}{number}", *(record(f"c{one}", measured="m") for one in range(5)))
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with StateStore.open(tmp_path, print) as store:
        assert sorted(ids(store, 100, "c3")) == sorted(f"{name}{number}" for name in "ab" for number in range(20))
        assert store._file.rows("SELECT DISTINCT n FROM check_series", ()) == [(40,)]


_KILLED = """
import datetime as dt, os, sys
from pathlib import Path
from flowforge.events import Status
from flowforge.state.check_results import CheckRecord
from flowforge.state.store import StateStore
store = StateStore.open(Path(sys.argv[1]), print)
records = [CheckRecord(f"c{number}", dt.datetime.now(dt.UTC), Status.SUCCESS, "error") for number in range(100)]
store.checks.note("dev", "duck", "whole", "test", records)
seen = 0
def trace(sql):
    global seen
    seen += "check_results" in sql
    if seen > 50:
        os._exit(9)
store._file._connection.set_trace_callback(trace)
store.checks.note("dev", "duck", "half", "test", records)
"""


def test_a_run_that_is_killed_while_it_notes_leaves_all_or_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (9, b"", b"")
    with StateStore.open(tmp_path, print) as store:
        assert counted(store, "check_results") == 100
        note(store, "after", record("c7"))
        assert ids(store, 10, "c7") == ["whole", "after"]


def test_ten_thousand_checks_are_one_transaction(store: StateStore) -> None:
    transactions: list[str] = []
    connection = store._file._connection
    assert connection is not None
    connection.set_trace_callback(lambda sql: transactions.append(sql) if sql.startswith(("BEGIN", "COMMIT")) else None)
    note(store, "r1", *(record(f"c{number}") for number in range(10_000)))
    connection.set_trace_callback(None)
    assert transactions == ["BEGIN IMMEDIATE", "COMMIT"]
    assert counted(store, "check_results") == 10_000


# -- how nodes stand


def begin(store: StateStore, run: str) -> None:
    store.begin_run(RunRecord(run, "p", "dev", "duck", "build", {}, (), MOMENT, None, None, "here", os.getpid()))


def test_the_last_build_of_a_node_is_known_long_after_its_run_is_forgotten(store: StateStore) -> None:
    begin(store, "r1")
    store.note_node("r1", NodeRecord("orders.ff", Status.SUCCESS, MOMENT, 2.0, rows=7))
    begin(store, "r2")
    store.note_node("r2", NodeRecord("orders.ff", Status.ERROR, MOMENT + DAY, 1.0, message="no disk", code="FF2001"))
    noted = store.assets.nodes("dev", "duck")["orders.ff"]
    assert (noted.built_at, noted.built_run, noted.rows) == (MOMENT + dt.timedelta(seconds=2), "r1", 7)
    assert (noted.ended_run, noted.status, noted.message, noted.code) == ("r2", Status.ERROR, "no disk", "FF2001")
    begin(store, "r3")
    store.note_node("r3", NodeRecord("orders.ff", Status.SUCCESS, MOMENT + 2 * DAY, 1.0, same_data=True))
    noted = store.assets.nodes("dev", "duck")["orders.ff"]
    assert (noted.changed_at, noted.built_at) == (MOMENT + dt.timedelta(seconds=2), noted.ended_at)
    assert (noted.built_run, noted.rows, noted.message, noted.code) == ("r3", None, None, None)
    assert store.assets.nodes("dev", "pg") == store.assets.nodes("prod", "duck") == {}


def test_the_age_of_a_source_is_the_last_one_that_was_looked_at(store: StateStore) -> None:
    first = AgeNote("shop.orders", MOMENT, "pass", MOMENT - DAY, 86_400.0)
    second = AgeNote("shop.orders", MOMENT + DAY, "failed", message="no such table")
    store.assets.note_ages("dev", "duck", [first, AgeNote("shop.items", MOMENT, "warn")])
    store.assets.note_ages("dev", "duck", [second])
    assert store.assets.ages("dev", "duck") == {
        "shop.orders": second,
        "shop.items": AgeNote("shop.items", MOMENT, "warn"),
    }


def test_what_an_older_file_knows_of_builds_is_carried_over() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS[:3])
    run = "INSERT INTO runs VALUES (?, ?, 'p', 'dev', 'duck', 'run', '', '', 1, '', NULL, 0, '', 1, '', 0)"
    for number in (1, 2, 3):
        connection.execute(run, (number, f"r{number}"))
        status = "error" if number == 3 else "success"
        connection.execute(
            "INSERT INTO nodes VALUES (?, 'orders', 0, ?, ?, 1.0, ?, NULL, NULL, NULL)",
            (number, status, MOMENT.isoformat(), number),
        )
    migrate(connection)
    assert connection.execute("SELECT node, built_run, rows FROM assets").fetchall() == [("orders", "r2", 2)]
