"""K12: what earlier runs have left for later ones is damaged. That is said, and nothing is skipped that is not right."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from breaking.projects import PLAIN, assert_right, assert_standing, project, run_to_end
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import finish, start
from flowforge_test_servers.faults import provoked

FILE = ".flowforge/state.db"


def sql(root: Path, *statements: str) -> None:
    """Change the file as another program would."""
    connection = sqlite3.connect(root / FILE, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def tables(root: Path) -> list[str]:
    connection = sqlite3.connect(root / FILE)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    finally:
        connection.close()


def empty(root: Path) -> None:
    (root / FILE).write_bytes(b"")


def cut(root: Path) -> None:
    content = (root / FILE).read_bytes()
    (root / FILE).write_bytes(content[: len(content) // 3])


def garbage(root: Path) -> None:
    (root / FILE).write_bytes(b"\x80\x04\x95garbage" * 999)


def garbage_inside(root: Path) -> None:
    content = bytearray((root / FILE).read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (root / FILE).write_bytes(content)


def newer(root: Path) -> None:
    sql(root, "PRAGMA user_version = 99")


def other_columns(root: Path) -> None:
    sql(root, *(f"ALTER TABLE {name} RENAME TO x_{name}" for name in tables(root)))


def other_types(root: Path) -> None:
    columns = ("definition", "sql", "config", "inputs", "files")
    sql(root, "UPDATE builds SET " + ", ".join(f"{column} = x'ff00'" for column in columns))
    sql(root, "UPDATE runs SET options = 7, planned = '[', started_at = 'once', pid = 'many', finished_at = NULL")
    sql(root, "UPDATE timings SET d1 = 'soon', d2 = x'00'")


def a_folder(root: Path) -> None:
    (root / FILE).unlink()
    (root / FILE).mkdir()


def a_file_in_place_of_the_folder(root: Path) -> None:
    shutil.rmtree(root / ".flowforge")
    (root / ".flowforge").write_text("")


def another_log(root: Path) -> None:
    (root / f"{FILE}-wal").write_bytes(b"\x37\x7f\x06\x82" + b"garbage" * 999)


DAMAGES: list[tuple[Callable[[Path], None], bool]] = [
    (empty, True),
    (cut, True),
    (garbage, True),
    (garbage_inside, True),
    (newer, True),
    (other_columns, True),
    (other_types, False),  # hints that cannot be read are none
    (a_folder, True),
    (a_file_in_place_of_the_folder, True),
    (another_log, False),  # SQLite sees that it belongs to another file
]


QUICK = (cut, newer, a_file_in_place_of_the_folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(damage, said, id=damage.__name__, marks=[] if damage in QUICK else [pytest.mark.full])
        for damage, said in DAMAGES
    ],
)
def test_files_of_earlier_runs(duck: Place, damage: Callable[[Path], None], said: bool) -> None:
    """The middle was changed, so it must be built; the first was not, so nothing is lost if it is not."""
    project(duck, PLAIN, 2)
    damage(duck.root)
    with provoked(
        "K12", "duckdb", f"memory of runs: {damage.__name__.replace('_', ' ')}", "said, and the run is right"
    ):
        ended = run_to_end(duck)
        assert_right(ended, duck, 2)
        assert "1 unchanged" in ended.stderr
        assert ended.stderr.count("warning[") == int(said), ended.stderr
        if said:
            assert "state.db" in ended.stderr


NOTES: dict[str, tuple[str, ...]] = {
    "dropped": ("DROP TABLE _ff_meta",),
    "emptied": ("DELETE FROM _ff_meta",),
    "without values": ("UPDATE _ff_meta SET fingerprint = NULL, built_at = NULL, rows = NULL, sequence = NULL",),
    "garbage": ("UPDATE _ff_meta SET fingerprint = 'ff:' || repeat('x', 500), data_id = '', content = '\u2603'",),
    "doubled": ("INSERT INTO _ff_meta SELECT * REPLACE ('other' AS data_id) FROM _ff_meta",),
    "without a column": ("ALTER TABLE _ff_meta DROP COLUMN content",),
    "of other types": (
        "ALTER TABLE _ff_meta ALTER sequence TYPE VARCHAR",
        "ALTER TABLE _ff_meta ALTER rows TYPE VARCHAR",
        "ALTER TABLE _ff_meta ALTER built_at TYPE VARCHAR",
        "UPDATE _ff_meta SET sequence = 'many', rows = 'some', built_at = 'once'",
    ),
}


@pytest.mark.parametrize(
    "damage", [pytest.param(damage, marks=[] if "types" in damage else [pytest.mark.full]) for damage in NOTES]
)
def test_notes_in_the_database(duck: Place, damage: str) -> None:
    """Without the notes nobody knows what stands there, so it is built."""
    project(duck, PLAIN, 2)
    with duck.look(keep=True) as look:
        for statement in NOTES[damage]:
            look.execute(statement)
    with provoked("K12", "duckdb", f"_ff_meta: {damage}", "built again, right"):
        assert_right(run_to_end(duck), duck, 2)
        again = run_to_end(duck)
        assert_right(again, duck, 2)
        assert "3 unchanged" in again.stderr  # the notes are in order again


MANIFESTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "garbage": lambda text: b"\x80\x04\x95garbage" * 99,
    "of another type": lambda text: b'["a", "list"]',
    "newer": lambda text: re.sub(rb'"(version|schema_version|format)": *\d+', rb'"\1": 99', text),
    "changed by hand": lambda text: text.replace(b"one", b"two"),
}


@pytest.mark.parametrize(
    "damage", [pytest.param(damage, marks=[] if damage == "cut" else [pytest.mark.full]) for damage in MANIFESTS]
)
def test_a_manifest_to_compare_with(duck: Place, damage: str) -> None:
    """It decides what is built, so what cannot be trusted is not used."""
    written = finish(start(duck, "compile", "--manifest", "main.json"))
    assert written.code == 0, written.stderr
    file = duck.root / "main.json"
    before = file.read_bytes()
    file.write_bytes(MANIFESTS[damage](before))
    assert file.read_bytes() != before
    project(duck, PLAIN, 2)
    with provoked("K12", "duckdb", f"manifest: {damage}", "refused by name, nothing is built"):
        ended = run_to_end(duck, "-s", "state:modified", "--state", "main.json")
        assert ended.code == 1, ended.stderr
        assert "main.json" in ended.stderr
        assert "help:" in ended.stderr
        assert_standing(duck, 1)
