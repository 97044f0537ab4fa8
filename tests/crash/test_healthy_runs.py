"""Run after run with four nodes at a time, nothing goes wrong: nothing is lost, nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flowforge_test_servers.board import judge
from flowforge_test_servers.board.arena import Arena, Place, write_files
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.process import run
from flowforge_test_servers.board.world import NEW, OLD, Version
from flowforge_test_servers.faults import provoked

from flowforge import Project
from flowforge.run.options import RunOptions
from flowforge.state.policy import CacheMode

ArenaOf = Callable[[str], Arena]


@pytest.fixture
def place(request: pytest.FixtureRequest, arena_of: ArenaOf, board: Board) -> Iterator[Place]:
    """The old version on the engine that the test names."""
    arena = arena_of(request.param)
    copy = arena.copy(board.built(arena, OLD), board.new_root(f"{arena.name}-healthy"))
    yield copy
    arena.remove(copy)


def in_process(place: Place, version: Version, cache: CacheMode) -> None:
    """Build by the Python API."""
    with Project.load(place.root, environ=dict(place.env)) as project:
        result = project.build(options=RunOptions(jobs=4, cache=cache))
    assert result.ok, [str(node.error) for node in result.nodes if node.error] or result.error
    assert len(result.nodes) == len(version.relations) - 1  # the table under the Python view is no node


def play(place: Place, runs: int) -> None:
    """So many runs: what is built changes every time, every second time, or not at all."""
    for number in range(runs):
        version = (OLD, NEW, NEW, OLD)[number % 4]
        write_files(place.root, version.files)
        in_process(place, version, CacheMode.WO if number % 3 else CacheMode.RW)
        place.arena.wait_until_left(place)
        with place.look() as look:
            wrong = judge.differences(look, version)
        assert not wrong, f"run {number}: " + "; ".join(wrong)
        with place.look() as look:
            meta = look.meta()
        assert len(meta) == len(version.relations) - 1, f"run {number}: {[row['relation'] for row in meta]}"


@pytest.mark.full
@pytest.mark.parametrize("place", ["duckdb", "postgres", "plain"], indirect=True)
def test_two_hundred_runs_lose_nothing(place: Place) -> None:
    with provoked("H200", place.arena.name, "200 runs in a row, 4 nodes at a time", "nothing lost or left", cases=200):
        play(place, 200)


@pytest.mark.full
@pytest.mark.parametrize("place", ["duckdb", "postgres"], indirect=True)
def test_twenty_processes_in_a_row_lose_nothing(place: Place) -> None:
    with provoked("H200", place.arena.name, "20 processes in a row, 4 nodes at a time", "nothing lost", cases=20):
        for number in range(20):
            version = NEW if number % 2 else OLD
            write_files(place.root, version.files)
            ended = run(place, "build", "--jobs", "4", "--no-cache")
            assert ended.code == 0, ended.stderr
            judge.assert_sound(place, version)


@pytest.mark.parametrize("place", ["duckdb"], indirect=True)
def test_twelve_runs_lose_nothing(place: Place) -> None:
    """The short form."""
    play(place, 12)
