from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.errors import Note
from flowforge.events import Status
from flowforge.state import store_schema
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore
from flowforge.state.store_schema import ForeignSchemaError, NewerSchemaError, migrate

NOW = dt.datetime.now(dt.UTC)


def record(run_id: str) -> RunRecord:
    return RunRecord(run_id, "p", "dev", "e", "run", {}, ("a", "b"), NOW, None, None, "here", 1)


def use(store: StateStore, run_id: str = "new") -> None:
    """Everything a run does; and it is read back."""
    store.begin_run(record(run_id))
    store.note_node(run_id, NodeRecord("a", Status.SUCCESS, NOW, 2.0))
    store.note_check(run_id, "c", Status.SUCCESS)
    store.end_run(run_id, 0, NOW)
    last = store.last_run("dev")
    assert last is not None
    assert (last.run_id, last.exit_code, len(last.nodes), len(last.checks)) == (run_id, 0, 1, 1)
    assert store.durations("dev")["a"] == 2.0
    assert store.unfinished_runs("here") == ()
    assert store.last_builds("dev") == {}


def filled(folder: Path) -> Path:
    with StateStore.open(folder, print) as store:
        use(store, "old")
        store.begin_run(record("older"))
        for number in range(500):
            store.note_node("older", NodeRecord(f"n{number}", Status.SUCCESS, NOW, 1.0, message="x" * 50))
        store.end_run("older", 0, NOW)
    assert sorted(file.name for file in folder.iterdir()) == [".gitignore", "state.db"]
    return folder / "state.db"


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (x)")
    connection.close()


def half_ours(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE nodes")
    connection.close()


BREAKS: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(os.urandom(5_000)),
    "text": lambda path: path.write_text("{}"),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut in the header": lambda path: os.truncate(path, 50),
    "another program's": foreign,
    "a table is missing": half_ours,
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, how: str) -> None:
    path = filled(tmp_path / ".flowforge")
    BREAKS[how](path)
    broken = path.read_bytes()
    notes: list[Note] = []
    with StateStore.open(path.parent, notes.append) as store:
        assert store.lasting
        assert store.last_run("dev") is None
        use(store)
    assert [note.code for note in notes] == ["FF2312"]
    assert "state.db.broken-1" in notes[0].message
    assert (path.parent / "state.db.broken-1").read_bytes() == broken
    with StateStore.open(path.parent, notes.append) as store:
        assert store.last_run("dev") is not None
    assert len(notes) == 1


def test_an_empty_file_is_begun_anew_with_a_note(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    path.write_bytes(b"")
    notes: list[Note] = []
    with StateStore.open(path.parent, notes.append) as store:
        use(store)
    assert [note.code for note in notes] == ["FF2312"]
    assert not (path.parent / "state.db.broken-1").exists()


def test_damaged_files_do_not_pile_up(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    for number in range(12):
        path.write_bytes(b"nonsense %d" % number)
        StateStore.open(path.parent, lambda note: None).close()
    kept = sorted(file.name for file in path.parent.glob("*.broken-*"))
    assert kept == [f"state.db.broken-{number}" for number in range(1, 10)]
    assert (path.parent / "state.db.broken-9").read_bytes() == b"nonsense 11"


def test_the_log_of_a_damaged_file_never_meets_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / ".flowforge"
    live = StateStore.open(folder, print)
    live.begin_run(record("old"))
    crashed = tmp_path / "crashed"
    shutil.copytree(folder, crashed)  # as a kill leaves it: with its log
    live.close()
    assert (crashed / "state.db-wal").stat().st_size > 0
    (crashed / "state.db").write_bytes(b"nonsense" * 1000)
    notes: list[Note] = []
    with StateStore.open(crashed, notes.append) as store:
        assert store.last_run("dev") is None
        use(store)
        assert store._file.rows("SELECT run_id FROM runs", ()) == [("new",)]
    assert [note.code for note in notes] == ["FF2312"]


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_nonsense_beside_a_good_file_does_no_harm(tmp_path: Path, suffix: str) -> None:
    path = filled(tmp_path / ".flowforge")
    path.with_name(path.name + suffix).write_bytes(b"nonsense" * 1000)
    with StateStore.open(path.parent, print) as store:
        last = store.last_run("dev")
        assert last is not None
        assert last.run_id == "older"
        use(store)


def test_damage_that_shows_later_is_handled_too(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))  # the first page, which opening reads, is fine
    notes: list[Note] = []
    with StateStore.open(path.parent, notes.append) as store:
        store.begin_run(record("lost"))
        store.last_run("dev")
        use(store)
    assert [note.code for note in notes] == ["FF2312"]


def test_damage_that_sqlite_quotes_in_a_message_that_is_no_text(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE checks", b"CREATE T\x80BLE checks"))
    notes: list[Note] = []
    with StateStore.open(path.parent, notes.append) as store:
        use(store)
    assert [note.code for note in notes] == ["FF2312"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled(tmp_path_factory.mktemp("good") / ".flowforge").read_bytes()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damage_ever_raises(tmp_path_factory: pytest.TempPathFactory, good: bytes, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("s") / ".flowforge"
    folder.mkdir()
    path = folder / "state.db"
    content = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1)))
        piece = data.draw(st.binary(min_size=1, max_size=60))
        content[start : start + len(piece)] = piece
    path.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    notes: list[Note] = []
    with StateStore.open(folder, notes.append) as store:
        store.last_run("dev")
        store.durations("dev")
        store.unfinished_runs("here")
        store.begin_run(record("new"))
        store.note_node("new", NodeRecord("a", Status.SUCCESS, NOW, 2.0))
        store.end_run("new", 0, NOW)
        store.last_builds("dev")
        store.last_definitions("dev")
    assert len(notes) <= 2  # what opening says, and what comes to light later
    shutil.rmtree(folder)


def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {store_schema.VERSION + 1}")
    connection.close()
    before, notes = path.read_bytes(), list[Note]()
    with StateStore.open(path.parent, notes.append) as store:
        assert not store.lasting
        use(store)
    assert [note.code for note in notes] == ["FF2311"]
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [".gitignore", "state.db"]


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / ".flowforge" / "state.db").mkdir(parents=True)
    notes: list[Note] = []
    with StateStore.open(tmp_path / ".flowforge", notes.append) as store:
        use(store)
    assert [note.code for note in notes] == ["FF2310"]
    assert (tmp_path / ".flowforge" / "state.db").is_dir()


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".flowforge").write_text("mine")
    notes: list[Note] = []
    with StateStore.open(tmp_path / ".flowforge", notes.append) as store:
        use(store)
    assert [note.code for note in notes] == ["FF2310"]
    assert (tmp_path / ".flowforge").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody may write")
def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    notes: list[Note] = []
    with StateStore.open(Path("/proc/self/fd/.flowforge"), notes.append) as store:
        use(store)
    assert [note.code for note in notes] == ["FF2310"]


def test_a_disk_that_fills_up_while_the_run_goes_on(tmp_path: Path) -> None:
    notes, said = list[Note](), threading.Event()

    def warn(note: Note) -> None:
        notes.append(note)
        said.set()

    with StateStore.open(tmp_path / ".flowforge", warn) as store:
        use(store)
        connection = store._file._connection
        assert connection is not None
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says that the disk is full
        store.begin_run(record("full"))
        for number in range(500):
            store.note_node("full", NodeRecord(f"n{number}", Status.ERROR, NOW, 1.0, message="x" * 500))
        assert said.wait(10)
        assert [note.code for note in notes] == ["FF2313"]
        assert "full" in notes[0].message
        with store._file._lock:
            connection.execute("PRAGMA max_page_count = 1000000")
        store.end_run("full", 1, NOW)  # space is free again: nothing was lost
        last = store.last_run("dev")
        assert last is not None
        assert (len(last.nodes), last.exit_code) == (500, 1)
    assert len(notes) == 1


_MOUNTED = """
import datetime as dt, subprocess, sys
from pathlib import Path
from flowforge.events import Status
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore
place, how = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(place)], check=True)
if how == "full":
    (place / "ballast").write_bytes(b"x" * 150_000)
elif how == "filled":
    StateStore.open(place / ".flowforge", print).close()
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
else:
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
now = dt.datetime.now(dt.UTC)
with StateStore.open(place / ".flowforge", lambda note: print(note.code)) as store:
    store.begin_run(RunRecord("r", "p", "dev", "e", "run", {}, (), now, None, None, "here", 1))
    for number in range(2_000):
        store.note_node("r", NodeRecord(f"n{number}", Status.SUCCESS, now, 1.0, message="x" * 200))
    store.end_run("r", 0, now)
    store.last_run("dev")
"""


@pytest.mark.parametrize(("how", "code"), [("full", "FF2313"), ("filled", "FF2310"), ("empty", "FF2310")])
def test_file_systems_that_are_full_or_read_only(tmp_path: Path, how: str, code: str) -> None:
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("needs unshare and mount")
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", _MOUNTED, str(tmp_path), how],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == ([code], "", 0)


def test_looking_creates_nothing_and_repairs_nothing(tmp_path: Path) -> None:
    notes: list[Note] = []
    with StateStore.open(tmp_path / ".flowforge", notes.append, write=False) as store:
        assert store.last_run("dev") is None
    assert not (tmp_path / ".flowforge").exists()
    path = filled(tmp_path / ".flowforge")
    before = path.read_bytes()
    with StateStore.open(path.parent, notes.append, write=False) as store:
        store.begin_run(record("ignored"))
        last = store.last_run("dev")
        assert last is not None
        assert last.run_id == "older"
    assert path.read_bytes() == before
    assert notes == []
    path.write_bytes(b"nonsense")
    with StateStore.open(path.parent, notes.append, write=False) as store:
        assert store.last_run("dev") is None
    assert path.read_bytes() == b"nonsense"
    assert [note.code for note in notes] == ["FF2310"]
    assert sorted(file.name for file in path.parent.iterdir()) == [".gitignore", "state.db"]


def test_rows_written_by_another_hand_are_passed_over(tmp_path: Path) -> None:
    path = filled(tmp_path / ".flowforge")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE runs SET started_at = 'yesterday', planned = X'80ff'")
        connection.execute("INSERT INTO builds VALUES ('dev', 'a', 'd', NULL, '[]', '{}', 'no json')")
        connection.execute("INSERT INTO timings (env, node, d1) VALUES ('dev', 'odd', 'long')")
    connection.close()
    notes: list[Note] = []
    with StateStore.open(path.parent, notes.append) as store:
        assert store.last_run("dev") is None
        assert store.last_builds("dev") == {}
        assert "odd" not in store.durations("dev")
        use(store)
    assert notes == []


def test_older_files_are_brought_forward_in_one_transaction() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    assert migrate(connection)
    assert not migrate(connection)
    connection.execute("INSERT INTO builds VALUES ('dev', 'a', 'd', NULL, '{}', '{}', '{}')")
    broken = (*store_schema.MIGRATIONS, ("ALTER TABLE builds ADD COLUMN note TEXT", "ALTER TABLE nowhere ADD x"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert len(connection.execute("SELECT * FROM builds").fetchall()[0]) == 7
    later = (*store_schema.MIGRATIONS, ("ALTER TABLE builds ADD COLUMN note TEXT",), ("UPDATE builds SET note = 'n'",))
    migrate(connection, later)
    assert connection.execute("SELECT node, note FROM builds").fetchall() == [("a", "n")]
    assert store_schema.version_of(connection) == len(later)
    with pytest.raises(NewerSchemaError):
        migrate(connection)
    connection.close()


def test_a_database_of_somebody_else_is_not_migrated() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE mine (x)")
    with pytest.raises(ForeignSchemaError):
        migrate(connection)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    connection.close()
