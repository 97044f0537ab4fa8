"""kill -9 at moments spread over a run: the old rows or the new ones, and a default run repairs (K1, K5, K14)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flowforge_test_servers.board.arena import Arena
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.large import seed_sweep, sweeps
from flowforge_test_servers.board.process import kill_after
from flowforge_test_servers.board.scenarios import CHANGE, Scenario
from flowforge_test_servers.board.sweep import sweep
from flowforge_test_servers.faults import provoked

ArenaOf = Callable[[str], Arena]
MOMENTS = 20
FAULTS = {"seed": ("K5", "K14")}


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return sweeps()


@pytest.mark.full
@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize("name", ["table", "view", "downstream", "seed", "parallel"])
def test_killed_at_any_moment(
    engine: str, name: str, arena_of: ArenaOf, board: Board, scenarios: dict[str, Scenario]
) -> None:
    arena = arena_of(engine)
    first, second = FAULTS.get(name, ("K1", "K14"))
    how = f"kill -9 at {MOMENTS} moments of a run ({name})"
    with (
        provoked(first, engine, how, "old or new", cases=MOMENTS),
        provoked(second, engine, f"{how}, then the default run", "everything is repaired", cases=MOMENTS),
    ):
        tally = sweep(board, arena, scenarios[name], MOMENTS)
    print(f"{engine}, {name}: {tally}")
    assert tally.killed >= MOMENTS * 3 // 4, "the run was too short to be hit"


@pytest.mark.full
@pytest.mark.parametrize("engine", ["duckdb", "postgres", "plain"])
def test_killed_again_and_again(engine: str, arena_of: ArenaOf, board: Board) -> None:
    """Runs that never come to their end do no harm that adds up."""
    arena = arena_of(engine)
    opening = board.opening(arena, CHANGE)
    place = arena.copy(opening.place, board.new_root(f"{engine}-again"))
    with provoked("K1", engine, f"{MOMENTS} runs killed one after the other", "old or new", cases=MOMENTS):
        for number in range(MOMENTS):
            kill_after(place, CHANGE.command, 0.02 * number)
            arena.wait_until_left(place)
            board.judge_dead(place, CHANGE, opening.earlier)
        board.repair(place, CHANGE)
    arena.remove(place)


def test_a_kill_in_the_middle_of_a_seed(arena_of: ArenaOf, board: Board) -> None:
    """The short form of the sweep: three moments, on one engine."""
    with provoked("K5", "duckdb", "kill -9 at 3 moments of a run (seed)", "old or new", cases=3):
        assert sweep(board, arena_of("duckdb"), seed_sweep(20_000), 3, measured=1).killed
