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
import pytest

from flowforge.errors import Note
from flowforge.events import Status
from flowforge.state import store as store_module
from flowforge.state.process import birth_of
from flowforge.state.records import BuildRecord, NodeRecord, RunRecord
from flowforge.state.store import StateStore

MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=dt.UTC)


def run(run_id: str = "r1", **changes: Any) -> RunRecord:
    plain = RunRecord(
        run_id=run_id,
        project="shop",
        env="dev",
        engine="some",
        command="run",
        options={"select": ["+orders"], "jobs": 4},
        planned=("raw", "orders.ff", "report.ff"),
        started_at=MOMENT,
        finished_at=None,
        exit_code=None,
        host="here",
        pid=os.getpid(),
        birth=birth_of(os.getpid()),
    )
    return attrs.evolve(plain, **changes)


def node(name: str, status: Status = Status.SUCCESS, duration: float = 1.0, **changes: Any) -> NodeRecord:
    return attrs.evolve(NodeRecord(name, status, MOMENT, duration), **changes)


@pytest.fixture
def notes() -> list[Note]:
    return []


@pytest.fixture
def store(tmp_path: Path, notes: list[Note]) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / ".flowforge", notes.append) as opened:
        yield opened
    assert notes == []


def test_a_run_is_remembered_as_it_was_and_by_another_process_too(tmp_path: Path, store: StateStore) -> None:
    nodes = [
        node("raw", rows=3),
        node("report.ff", Status.SKIPPED, 0.0, message="blocked by orders"),
        node("orders.ff", Status.ERROR, 0.5, message="no such column", code="FF2101"),
        node("days.ff", Status.ERROR, windows=((MOMENT, MOMENT + dt.timedelta(days=1)),)),
    ]
    store.begin_run(run())
    for one in nodes:
        store.note_node("r1", one)
    store.note_check("r1", "not_null_orders_id", Status.WARN)
    store.end_run("r1", 1, MOMENT + dt.timedelta(seconds=2))
    expected = run(
        finished_at=MOMENT + dt.timedelta(seconds=2),
        exit_code=1,
        nodes={one.node: one for one in nodes},
        checks={"not_null_orders_id": Status.WARN},
    )
    assert store.last_run("dev") == expected
    with StateStore.open(tmp_path / ".flowforge", print) as other:
        found = other.last_run("dev")
    assert found == expected
    assert found is not None
    assert list(found.nodes) == ["raw", "report.ff", "orders.ff", "days.ff"]


def test_what_a_killed_run_had_done_is_known_and_what_it_had_not(store: StateStore) -> None:
    store.begin_run(run())
    store.note_node("r1", node("raw"))
    last = store.last_run("dev")
    assert last is not None
    assert (last.finished_at, last.exit_code) == (None, None)
    assert last.never_finished == ("orders.ff", "report.ff")


def test_the_last_run_is_the_one_that_began_last_whatever_the_clock_said(store: StateStore) -> None:
    store.begin_run(run("first", started_at=MOMENT))
    store.begin_run(run("second", started_at=MOMENT - dt.timedelta(days=30)))
    store.begin_run(run("elsewhere", env="prod"))
    store.begin_run(run("check", command="test"))
    assert [one.run_id for one in (store.last_run("dev"), store.last_run("prod")) if one] == ["check", "elsewhere"]
    last = store.last_run("dev", ("run", "build"))
    assert last is not None
    assert last.run_id == "second"
    assert store.last_run("dev", ()) is None
    assert store.last_run("nowhere") is None


def test_a_duration_is_the_median_of_the_last_five_successes(store: StateStore) -> None:
    for number, seconds in enumerate([100.0, 1.0, 9.0, 2.0, 4.0, 3.0]):
        store.begin_run(run(f"r{number}"))
        store.note_node(f"r{number}", node("a", duration=seconds))
        store.note_node(f"r{number}", node("failing", Status.ERROR, 50.0))
        store.note_node(f"r{number}", node("cached", Status.CACHED, 0.0))
        if number < 2:
            store.note_node(f"r{number}", node("twice", duration=seconds))
    assert store.durations("dev") == {"a": 3.0, "twice": 50.5}
    assert store.durations("prod") == {}


def test_what_builds_were_made_from_is_replaced_by_the_next_and_kept_by_environment(store: StateStore) -> None:
    first = BuildRecord("a.ff", "d1", "select 1", {"materialized": "view"}, {"b": "id1"}, {"models/a.ff.sql": "h1"})
    second = attrs.evolve(first, definition="d2", sql=None, config={}, inputs={}, files={})
    store.note_build("dev", first)
    store.note_build("prod", first)
    store.note_build("dev", second)
    assert store.last_builds("dev") == {"a.ff": second}
    assert store.last_builds("prod") == {"a.ff": first}
    assert store.last_definitions("dev") == {"a.ff": "d2"}
    assert store.last_definitions("test") == {}


def test_texts_that_are_hard_to_store_are_stored(store: StateStore) -> None:
    odd = "a\x00b \ud800 'quoted' \U0001f9ea"
    store.begin_run(run(options={"where": Path("x"), odd: odd}, planned=(odd,)))
    store.note_node("r1", node(odd, Status.ERROR, message=odd * 1000))
    store.note_check("r1", odd, Status.FAIL)
    store.note_build("dev", BuildRecord(odd, odd, odd, {odd: odd}, {odd: odd}, {odd: odd}))
    last = store.last_run("dev")
    assert last is not None
    assert last.options == {"where": "x", odd: odd}
    assert len(last.nodes) == len(last.checks) == len(store.last_builds("dev")) == 1
    assert len(next(iter(last.nodes.values())).message or "") <= 2_000


def test_old_runs_are_forgotten_but_durations_are_not(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEPT_RUNS", 3)
    store.begin_run(run("prod", env="prod"))
    for number in range(6):
        store.begin_run(run(f"r{number}"))
        store.note_node(f"r{number}", node("a" if number else "only once"))
        store.end_run(f"r{number}", 0, MOMENT)
    assert [run_id for (run_id,) in store._file.rows("SELECT run_id FROM runs ORDER BY id", ())] == [
        "prod",
        "r3",
        "r4",
        "r5",
    ]
    assert store._file.rows("SELECT count(*) FROM nodes", ()) == [(3,)]
    assert set(store.durations("dev")) == {"a", "only once"}


def test_runs_of_a_huge_project_are_forgotten_sooner(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "KEPT_NODES", 21)
    for number in range(10):
        store.begin_run(run(f"r{number}"))  # each plans three nodes
        store.end_run(f"r{number}", 0, MOMENT)
    assert store._file.rows("SELECT count(*) FROM runs", ()) == [(7,)]
    monkeypatch.setattr(store_module, "KEPT_NODES", 1)
    store.end_run("r9", 0, MOMENT)
    assert store._file.rows("SELECT count(*) FROM runs", ()) == [(5,)]


def test_events_of_a_run_that_is_not_known_are_no_trouble(store: StateStore) -> None:
    store.note_node("nobody", node("a"))
    store.note_check("nobody", "c", Status.FAIL)
    store.end_run("nobody", 0, MOMENT)
    assert store.durations("dev") == {}


def test_a_closed_store_is_quiet(tmp_path: Path) -> None:
    notes: list[Note] = []
    store = StateStore.open(tmp_path / ".flowforge", notes.append)
    store.close()
    store.close()
    store.begin_run(run())
    assert store.last_run("dev") is None
    assert notes == []


def test_many_threads_write_at_once(store: StateStore) -> None:
    store.begin_run(run())

    def write(part: int) -> None:
        for number in range(50):
            store.note_node("r1", node(f"n{part}_{number}"))

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = store.last_run("dev")
    assert last is not None
    assert len(last.nodes) == 200


_WRITER = """
import datetime as dt, sys
from pathlib import Path
from flowforge.events import Status
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore
name, now = sys.argv[2], dt.datetime.now(dt.UTC)
store = StateStore.open(Path(sys.argv[1]), lambda note: print(note.message))
store.begin_run(RunRecord(name, "p", name, "e", "run", {}, (), now, None, None, "here", 1))
for number in range(300):
    store.note_node(name, NodeRecord(f"n{number}", Status.SUCCESS, now, 1.0))
if len(sys.argv) > 3:
    import os, signal, sqlite3, time
    other = sqlite3.connect(Path(sys.argv[1]) / "state.db")
    deadline = time.monotonic() + 30
    while other.execute("SELECT count(*) FROM nodes").fetchone() != (300,):
        assert time.monotonic() < deadline, "nobody writes"
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
store.end_run(name, 0, now)
store.close()
"""


def test_several_processes_begin_and_write_at_once(tmp_path: Path) -> None:
    folder = tmp_path / ".flowforge"
    processes = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(folder), f"p{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [""] * 4
    with StateStore.open(folder, print) as store:
        for number in range(4):
            last = store.last_run(f"p{number}")
            assert last is not None
            assert len(last.nodes) == 300
            assert last.exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_loses_nothing_of_what_was_noted_a_moment_before(tmp_path: Path) -> None:
    folder = tmp_path / ".flowforge"
    killed = subprocess.run([sys.executable, "-c", _WRITER, str(folder), "k", "kill"], check=False, timeout=60)
    assert killed.returncode == -9
    notes: list[Note] = []
    with StateStore.open(folder, notes.append) as store:
        last = store.last_run("k")
        assert last is not None
        assert len(last.nodes) == 300
        assert last.finished_at is None
    assert notes == []


def test_the_folder_is_private_and_ignored_by_git(tmp_path: Path, store: StateStore) -> None:
    folder = tmp_path / ".flowforge"
    assert (folder / ".gitignore").read_text() == "*\n"
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o700


def test_another_process_that_holds_the_file_delays_notes_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowforge.state.store_file.BUSY", 0.05)
    notes, said = list[Note](), threading.Event()

    def warn(note: Note) -> None:
        notes.append(note)
        said.set()

    store = StateStore.open(tmp_path / ".flowforge", warn)
    store.begin_run(run())
    holder = sqlite3.connect(tmp_path / ".flowforge" / "state.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for number in range(20):
        store.note_node("r1", node(f"n{number}"))
    assert said.wait(10)
    store.note_check("r1", "c", Status.SUCCESS)
    assert [note.code for note in notes] == ["FF2313"]
    holder.execute("ROLLBACK")
    holder.close()
    store.end_run("r1", 0, MOMENT)
    last = store.last_run("dev")
    assert last is not None
    assert (len(last.nodes), len(last.checks), last.exit_code) == (20, 1, 0)
    store.close()
    assert len(notes) == 1


def test_values_that_no_database_can_hold_do_not_stop_the_others(tmp_path: Path) -> None:
    notes: list[Note] = []
    with StateStore.open(tmp_path / ".flowforge", notes.append) as store:
        store.begin_run(run())
        store.note_node("r1", node("huge", rows=2**80))
        assert store.last_run("dev") is not None  # written, or given up, before it is read
        store.note_node("r1", node("usual"))
        store.end_run("r1", 0, MOMENT)
        last = store.last_run("dev")
    assert last is not None
    assert set(last.nodes) == {"usual"}
    assert [note.code for note in notes] == ["FF2313"]


def test_threads_that_note_do_not_wait_for_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    store = StateStore.open(tmp_path / ".flowforge", lambda note: None)
    store.begin_run(run())
    with store._file._lock:  # as the writer holds it while the disk works
        worker = threading.Thread(target=lambda: [store.note_node("r1", node(f"n{number}")) for number in range(100)])
        worker.start()
        worker.join(10)
        assert not worker.is_alive()
    last = store.last_run("dev")
    assert last is not None
    assert len(last.nodes) == 100
    store.close()
