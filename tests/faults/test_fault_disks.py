"""K10, K11: no room, and no right to write. What stood before stays, and the user is told what to do."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from breaking.disks import filled, read_only, small_disk
from breaking.projects import PLAIN, assert_right, assert_standing, program, project, run_to_end
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import Ended
from flowforge_test_servers.faults import provoked

LARGE = {
    "duckdb": "select {edition} as edition, md5(range::text) as filler from range(2000000)\n",
    "postgres": "select {edition} as edition, repeat(md5(i::text), 40) as filler from generate_series(1, 400000) i\n",
}


def assert_full(ended: Ended) -> None:
    """The run failed, says what is full, at which model, and what to do."""
    assert ended.code == 1, ended.stderr
    assert "middle" in ended.stderr
    assert "make room on the" in ended.stderr
    # Both at once would contradict each other.
    assert ("is not known" in ended.stderr) != ("what was there before is untouched" in ended.stderr), ended.stderr


def assert_readable(duck: Place) -> None:
    """Anybody can read the old rows while there is no room."""
    import duckdb

    with duckdb.connect(str(duck.root / "board.db"), read_only=True) as connection:
        assert connection.execute('SELECT edition FROM "middle"').fetchall() == [(1,)]


LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))\n"


def test_duckdb_may_not_grow(duck: Place) -> None:
    """What a quota does, on any machine."""
    project(duck, LARGE["duckdb"], 2)
    with provoked("K10", "duckdb", "files may grow to 4 MB", "exit 1, old rows; then right"):
        ended = run_to_end(duck, command=program(duck.root, LIMIT))
        assert_full(ended)
        assert_standing(duck, 1)
        project(duck, PLAIN, 2)
        assert_right(run_to_end(duck), duck, 2)


@pytest.mark.full
@pytest.mark.parametrize("from_the_start", [False, True], ids=["while it writes", "from the start"])
def test_duckdb_on_a_full_disk(built_on_duck: Place, tmp_path: Path, from_the_start: bool) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        duck = built_on_duck.arena.copy(built_on_duck, disk / "project")
        project(duck, PLAIN if from_the_start else LARGE["duckdb"], 2)
        when = "from the start" if from_the_start else "while a table is written"
        with provoked("K10", "duckdb", f"no room on the disk, {when}", "exit 1, old rows; then right"):
            if from_the_start:
                with filled(disk):
                    ended = run_to_end(duck)
                    assert_readable(duck)
            else:
                ballast = disk / "ballast"
                ballast.write_bytes(b"\0" * (4 << 20))
                ended = run_to_end(duck)
                assert_readable(duck)
                ballast.unlink()
            assert_full(ended)
            project(duck, PLAIN, 2)
            assert_right(run_to_end(duck), duck, 2)


@pytest.fixture
def tight(postgres: Place) -> Iterator[Place]:
    """A database on a small disk of its own, on the server of the session."""
    import psycopg

    name = f"tight_{uuid.uuid4().hex[:8]}"
    with (
        small_disk(
            Path(tempfile.gettempdir()) / name, 32
        ) as disk,  # the server's user cannot look into folders of tests
        psycopg.connect(postgres.env["BOARD_DSN"], dbname="postgres", autocommit=True) as admin,
    ):
        owner = Path(admin.execute("SHOW data_directory").fetchone()[0])
        if not owner.exists():
            pytest.skip("the server runs on another machine")
        os.chown(disk, owner.stat().st_uid, owner.stat().st_gid)
        try:
            admin.execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'")
            admin.execute(f"ALTER DATABASE {postgres.database} SET TABLESPACE {name}")
            yield postgres
        finally:
            admin.execute(f"ALTER DATABASE {postgres.database} SET TABLESPACE pg_default")
            admin.execute(f"DROP TABLESPACE IF EXISTS {name}")


def test_postgres_on_a_full_disk(tight: Place) -> None:
    project(tight, LARGE["postgres"], 2)
    with provoked("K10", "postgres", "no room on the server's disk", "exit 1, old rows; then right"):
        assert_full(run_to_end(tight))
        assert_standing(tight, 1)
        project(tight, PLAIN, 2)
        assert_right(run_to_end(tight), tight, 2)


def moved(place: Place, root: Path) -> Place:
    """The same database, with a project folder elsewhere."""
    shutil.copytree(place.root, root)
    return attrs.evolve(place, root=root)


def test_a_full_disk_under_the_project_alone(postgres: Place, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        place = moved(postgres, disk / "project")
        project(place, PLAIN, 2)
        with provoked("K10", "postgres", "no room on the project's disk", "one warning, the run is right"):
            with filled(disk):
                ended = run_to_end(place)
            assert_right(ended, place, 2)
            assert ended.stderr.count("warning[") == 1, ended.stderr
            assert "(the disk is full)" in ended.stderr


@pytest.mark.parametrize("memory", [True, pytest.param(False, marks=pytest.mark.full)], ids=["with", "without"])
def test_a_project_that_may_not_be_written(postgres: Place, memory: bool) -> None:
    project(postgres, PLAIN, 2)
    if not memory:
        shutil.rmtree(postgres.root / ".flowforge")
    what = "with" if memory else "without"
    with provoked("K11", "postgres", f"read-only project {what} earlier runs", "one warning, the run is right"):
        with read_only(postgres.root):
            ended = run_to_end(postgres)
        assert_right(ended, postgres, 2)
        assert ended.stderr.count("warning[") == 1, ended.stderr
        assert "FF2310" in ended.stderr


def test_a_database_that_may_not_be_written(duck: Place) -> None:
    project(duck, PLAIN, 2)
    with provoked("K11", "duckdb", "read-only project with the database in it", "exit 1, file named, old rows"):
        with read_only(duck.root):
            ended = run_to_end(duck)
        assert ended.code == 1, ended.stderr
        assert "board.db" in ended.stderr
        assert_standing(duck, 1)
        assert_right(run_to_end(duck), duck, 2)
