"""Several runs on one target at once: nothing is doubled or mixed, and who has to give way says to whom (K7)."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from flowforge_test_servers.board import judge
from flowforge_test_servers.board.arena import Arena, Place, write_files
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.process import Ended, finish, kill_after, run, start
from flowforge_test_servers.board.world import NEW, OLD
from flowforge_test_servers.faults import provoked

ArenaOf = Callable[[str], Arena]
OFFSETS = ((0.0, 0.0), (0.0, 0.1), (0.0, 0.3), (0.0, 0.05, 0.1, 0.2), (0.0, 0.0, 0.3))
"""Seconds between the starts."""
HELD = {
    "duckdb": r"(?s)another process.*\d+",
    "postgres": r"(?s)held by.*flowforge",
    "plain": r"(?s)held by.*pid",
}


@pytest.fixture
def place(request: pytest.FixtureRequest, arena_of: ArenaOf, board: Board) -> Iterator[Place]:
    """The old version on the engine that the test names."""
    arena = arena_of(request.param)
    copy = arena.copy(board.built(arena, OLD), board.new_root(f"{arena.name}-together"))
    yield copy
    arena.remove(copy)


def together(place: Place, offsets: tuple[float, ...]) -> list[Ended]:
    """Start one run after the other, and wait for all of them."""
    running = []
    pause = threading.Event()  # never set: starting late is the fault that is provoked
    before = 0.0
    for offset in offsets:
        pause.wait(offset - before)
        before = offset
        running.append(start(place, "build", "--jobs", "2", "--lock-timeout", "60"))
    return [finish(one) for one in running]


def play(place: Place, rounds: int) -> None:
    """So many rounds, each from one version of the project to the other."""
    engine = place.arena.name
    for number, offsets in enumerate(itertools.islice(itertools.cycle(OFFSETS), rounds)):
        version = OLD if number % 2 else NEW
        write_files(place.root, version.files)
        ended = together(place, offsets)
        codes = sorted(one.code for one in ended)
        assert codes[0] == 0, [one.stderr for one in ended]
        for one in ended:
            if one.code:
                assert one.code == 1, one.stderr
                assert re.search(HELD[engine], one.stderr), f"round {number}: {one.stderr}"
            assert "Traceback" not in one.stderr
        place.arena.wait_until_left(place)
        with place.look() as look:
            wrong = judge.differences(look, version)
        assert not wrong, f"round {number}, {codes}: " + "; ".join(wrong)


@pytest.mark.full
@pytest.mark.parametrize("place", ["duckdb", "postgres", "plain"], indirect=True)
def test_runs_at_once_neither_double_nor_mix(place: Place) -> None:
    with provoked(
        "K7", place.arena.name, "2 to 4 runs started 0 to 0.3 s apart, 20 rounds", "rows exactly right", cases=20
    ):
        play(place, 20)


@pytest.mark.parametrize("place", ["postgres", "plain"], indirect=True)
def test_two_runs_at_once(place: Place) -> None:
    """The short form: two rounds."""
    with provoked("K7", place.arena.name, "2 runs started 0 to 0.1 s apart", "rows exactly right", cases=2):
        play(place, 2)


@pytest.mark.full
@pytest.mark.parametrize("place", ["postgres", "plain"], indirect=True)
def test_one_of_two_runs_is_killed(place: Place) -> None:
    """The other one takes over what the dead one held, without waiting for a lock to grow old."""
    rounds = 12
    with provoked(
        "K7", place.arena.name, "2 runs at once, one is killed with -9", "the other one ends well", cases=rounds
    ):
        for number in range(rounds):
            version = OLD if number % 2 else NEW
            write_files(place.root, version.files)
            other = start(place, "build", "--jobs", "2", "--lock-timeout", "60")
            kill_after(place, ("build", "--jobs", "2"), 0.04 * number)
            ended = finish(other)
            assert ended.code == 0, ended.stderr
            assert ended.duration < 30, f"waited for a dead run: {ended.stderr}"  # a lease lasts 30 s
            place.arena.wait_until_left(place)
            assert run(place, "build").code == 0  # clears away what the dead run staged, if the other began before
            judge.assert_sound(place, version, killed=True)


@pytest.mark.parametrize("place", ["duckdb"], indirect=True)
def test_a_file_that_another_process_has_open_is_refused(place: Place) -> None:
    """One process at a time may have the file: who comes second is told which process that is."""
    code = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(place.root / place.database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    write_files(place.root, NEW.files)
    with provoked("K7", "duckdb", "a second process while the first has the file open", "refused, holder named"):
        refused = run(place, "build")
        assert refused.code == 1, refused.stderr
        assert str(holder.pid) in refused.stderr
        assert "Traceback" not in refused.stderr
        holder.communicate()
        judge.assert_sound(place, OLD)
        assert run(place, "build").code == 0
        judge.assert_sound(place, NEW)
