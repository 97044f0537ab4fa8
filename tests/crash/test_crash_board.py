"""Kills a run at every named crash point in turn: what stands is old or new, and the next run repairs the rest (K1b)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flowforge_test_servers.board.arena import Arena, DuckArena, PlainArena
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.scenarios import CHANGE, SCENARIOS, Scenario
from flowforge_test_servers.faults import provoked

ArenaOf = Callable[[str], Arena]
ENGINES = ("duckdb", "plain", "postgres")
BETWEEN = {"publish.replaced", "publish.noted", "publish.committed", "open.replaced", "open.noted", "state.node_noted"}
"""Between a publication and the note of it, in the database or in a file."""
OUTCOME = "old or new; the next run repairs all"


def _plays(*, short: bool) -> list[object]:
    """Engine, scenario and point; the *short* ones are each point once, on one engine."""
    found: list[object] = []
    for engine in ENGINES[:1] if short else ENGINES:
        arena = PlainArena() if engine == "plain" else DuckArena()
        for scenario in SCENARIOS:
            found.extend(
                pytest.param(engine, scenario, point, id=f"{engine}-{scenario.name}-{point}")
                for point in sorted(scenario.points(arena))
                if not short or scenario is CHANGE or point in scenario.special
            )
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_comes_to_its_points(engine: str, scenario: Scenario, arena_of: ArenaOf, board: Board) -> None:
    """A crash point that is never reached would prove nothing; one that nobody expected would not be visited."""
    arena = arena_of(engine)
    assert set(board.opening(arena, scenario).counts) == scenario.points(arena)


def play(arena: Arena, scenario: Scenario, point: str, board: Board, *, every: bool) -> None:
    count = board.opening(arena, scenario).counts.get(point, 0)
    assert count, f"{point} was not reached"
    times = set(range(1, count + 1))
    if not every:
        turn = 5 * sorted(scenario.points(arena)).index(point)  # other nodes for other points
        times = {turn % count + 1, (turn + count // 2) % count + 1}
    fault = "K15" if point in BETWEEN else "K1b"
    with provoked(fault, arena.name, f"killed at `{point}`", OUTCOME, cases=len(times)):
        board.kill_at_all(arena, scenario, [(point, nth) for nth in sorted(times)])


@pytest.mark.parametrize(("engine", "scenario", "point"), _plays(short=True))
def test_killed_there_all_is_old_or_new(
    engine: str, scenario: Scenario, point: str, arena_of: ArenaOf, board: Board
) -> None:
    play(arena_of(engine), scenario, point, board, every=False)


@pytest.mark.full
@pytest.mark.parametrize(("engine", "scenario", "point"), _plays(short=False))
def test_killed_there_on_every_engine(
    engine: str, scenario: Scenario, point: str, arena_of: ArenaOf, board: Board
) -> None:
    """The change from one version to the other dies there at every node, the other scenarios at two of them."""
    play(arena_of(engine), scenario, point, board, every=scenario is CHANGE)
