"""K21: file systems that are not like others. It works, or is explained."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from breaking.preload import NO_LOCKS, library
from breaking.projects import PLAIN, assert_right, assert_standing, project, run_to_end
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.faults import provoked


@pytest.fixture
def other_device(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the tests' own, where the machine has one."""
    for candidate in ("/dev/shm", "/var/tmp", tempfile.gettempdir(), str(Path.home())):
        folder = Path(candidate)
        if folder.is_dir() and folder.stat().st_dev != tmp_path.stat().st_dev:
            made = Path(tempfile.mkdtemp(prefix="ff-faults-", dir=folder))
            yield made
            shutil.rmtree(made)
            return
    pytest.skip("this machine has one file system only")


def test_the_memory_is_on_another_file_system(duck: Place, other_device: Path) -> None:
    shutil.move(duck.root / ".flowforge", other_device / "memory")
    (duck.root / ".flowforge").symlink_to(other_device / "memory")
    project(duck, PLAIN, 2)
    with provoked("K21", "duckdb", ".flowforge on another file system", "no difference"):
        ended = run_to_end(duck)
        assert_right(ended, duck, 2)
        assert "1 unchanged" in ended.stderr
        assert "warning" not in ended.stderr
        (other_device / "memory/state.db").write_bytes(b"garbage")  # which is put aside by renaming
        project(duck, PLAIN, 3)
        again = run_to_end(duck)
        assert_right(again, duck, 3)
        assert again.stderr.count("warning[FF2312]") == 1, again.stderr


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library that, loaded before others, lets no file be locked."""
    return library(tmp_path_factory.mktemp("no-locks"), NO_LOCKS)


def test_memory_where_nothing_can_be_locked(postgres: Place, no_locks: str) -> None:
    project(postgres, PLAIN, 2)
    with provoked("K21", "postgres", "files cannot be locked", "one warning, the run is right"):
        ended = run_to_end(postgres, LD_PRELOAD=no_locks)
        assert_right(ended, postgres, 2)
        assert ended.stderr.count("warning[") == 1, ended.stderr
        assert "state.db" in ended.stderr


def test_a_database_that_cannot_be_locked(duck: Place, no_locks: str) -> None:
    """DuckDB needs the lock of its file: without it two processes would write at once."""
    project(duck, PLAIN, 2)
    with provoked("K21", "duckdb", "files cannot be locked", "exit 1, file named, old rows"):
        ended = run_to_end(duck, LD_PRELOAD=no_locks)
        assert ended.code == 1, ended.stderr
        assert "board.db" in ended.stderr
        assert_standing(duck, 1)
