from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from flowforge.state import process
from flowforge.state.process import birth_of, is_gone
from flowforge.state.records import RunRecord
from flowforge.state.store import StateStore

NOW = dt.datetime.now(dt.UTC)
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")


def ended() -> int:
    """The id of a process that was, and is no more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@posix
def test_a_process_that_lives_is_not_gone_and_one_that_ended_is() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    birth = birth_of(child.pid)
    assert not is_gone(child.pid, birth)
    assert not is_gone(child.pid, "")
    child.communicate(b"\n")
    assert is_gone(child.pid, birth)
    assert is_gone(child.pid, "")


@needs_proc
def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    birth = birth_of(child.pid)
    assert child.stdout is not None
    child.stdout.read()  # returns when the process has let go of everything
    child.stdout.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(child.pid, birth)
    assert is_gone(child.pid, "")
    child.wait()


@needs_proc
def test_an_id_that_went_to_another_process_a_boot_and_another_container() -> None:
    boot, space, started = birth_of(os.getpid()).split()
    assert not is_gone(os.getpid(), f"{boot} {space} {started}")
    assert is_gone(os.getpid(), f"{boot} {space} {int(started) - 1}")
    assert is_gone(os.getpid(), f"another-boot {space} {started}")
    assert not is_gone(ended(), f"{boot} pid:[1] {started}")  # its ids mean nothing here


@posix
def test_without_proc_the_id_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    birth = birth_of(os.getpid())
    monkeypatch.setattr(process, "_PROC", tmp_path)
    assert birth_of(os.getpid()) == ""
    assert not is_gone(os.getpid(), birth)
    assert is_gone(ended(), birth)


@pytest.mark.parametrize("pid", [0, -1, 2**70])
def test_ids_that_are_none_are_not_asked_about(pid: int) -> None:
    assert not is_gone(pid, "")


@posix
def test_unfinished_runs_are_those_whose_process_is_gone(tmp_path: Path) -> None:
    def record(run_id: str, pid: int, host: str = "here") -> RunRecord:
        return RunRecord(run_id, "p", "dev", "e", "run", {}, ("a",), NOW, None, None, host, pid)

    with StateStore.open(tmp_path / ".flowforge", print) as store:
        store.begin_run(record("dead", ended()))
        store.begin_run(record("mine", os.getpid()))
        store.begin_run(record("done", ended()))
        store.end_run("done", 0, NOW)
        store.begin_run(record("elsewhere", ended(), "there"))
        store.begin_run(record("dead too", ended()))
        assert [run.run_id for run in store.unfinished_runs("here")] == ["dead", "dead too"]
        store.forget_dead(["dead"])
        assert [run.run_id for run in store.unfinished_runs("here")] == ["dead too"]
        store.forget_dead([])
        store.forget_dead(["dead too"])
        assert store.unfinished_runs("here") == ()
        last = store.last_run("dev")
        assert last is not None
        assert attrs.evolve(last, birth="") == record("dead too", last.pid)  # history keeps it, for retry
