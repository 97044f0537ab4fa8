"""Kills a run at every named crash point in turn: what stands is old or new, and the next run repairs the rest (K1b)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from flowforge_test_servers.board.arena import Arena, CloningArena, DuckArena, PlainArena
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.scenarios import CHANGE, SCENARIOS, Scenario
from flowforge_test_servers.faults import provoked

ArenaOf = Callable[[str], Arena]
ENGINES = ("duckdb", "plain", "cloning", "postgres")
BETWEEN = {"publish.replaced", "publish.noted", "publish.committed", "open.replaced", "open.noted", "state.node_noted"}
"""Between a publication and the note of it, in the database or in a file."""
OUTCOME = "old or new; the next run repairs all"


def _plays(*, short: bool) -> list[tuple[str, Scenario, str]]:
    """Engine, scenario and point; the *short* ones are each point once, wherever it is met first."""
    found: list[tuple[str, Scenario, str]] = []
    met: set[str] = set()
    arenas = {"plain": PlainArena(), "cloning": CloningArena()}
    for engine, scenario in itertools.product(ENGINES, SCENARIOS):
        # PostgreSQL takes the same branch of the protocol as DuckDB, and there may be no server here.
        arena = arenas.get(engine, DuckArena())
        points = scenario.points(arena)
        if arena.clones and "open.cloned" not in points:
            continue  # nothing is cloned in it, so it goes as on the engine that cannot
        deadly = scenario.special & points if scenario.like_another else points
        found.extend((engine, scenario, point) for point in sorted(deadly - met if short else deadly))
        met |= deadly
    return found


def _runs(plays: list[tuple[str, Scenario, str]]) -> list[tuple[str, Scenario]]:
    return list({(engine, scenario.name): (engine, scenario) for engine, scenario, _ in plays}.values())


SHORT, LONG = _plays(short=True), _plays(short=False)


def _named(part: object) -> str:
    return part.name if isinstance(part, Scenario) else str(part)


def _comes_to_its_points(arena: Arena, scenario: Scenario, board: Board) -> None:
    """A crash point that is never reached would prove nothing; one that nobody expected would not be visited."""
    assert set(board.opening(arena, scenario).counts) == scenario.points(arena)


@pytest.mark.parametrize(("engine", "scenario"), _runs(SHORT), ids=_named)
def test_a_run_comes_to_its_points(engine: str, scenario: Scenario, arena_of: ArenaOf, board: Board) -> None:
    _comes_to_its_points(arena_of(engine), scenario, board)


@pytest.mark.full
@pytest.mark.parametrize(("engine", "scenario"), _runs(LONG), ids=_named)
def test_every_run_comes_to_its_points(engine: str, scenario: Scenario, arena_of: ArenaOf, board: Board) -> None:
    _comes_to_its_points(arena_of(engine), scenario, board)


def play(arena: Arena, scenario: Scenario, point: str, board: Board, nodes: int | None) -> None:
    """Kill there at every node, or at so many *nodes*; at other ones for every point."""
    count = board.opening(arena, scenario).counts.get(point, 0)
    assert count, f"{point} was not reached"
    times = list(range(1, count + 1))
    if nodes is not None:
        turn = 5 * sorted(scenario.points(arena)).index(point)
        times = sorted({(turn + count * number // nodes) % count + 1 for number in range(nodes)})
    fault = "K15" if point in BETWEEN else "K1b"
    with provoked(fault, arena.name, f"killed at `{point}`", OUTCOME, cases=len(times)):
        board.kill_at_all(arena, scenario, [(point, nth) for nth in times])


@pytest.mark.parametrize(("engine", "scenario", "point"), SHORT, ids=_named)
def test_killed_there_all_is_old_or_new(
    engine: str, scenario: Scenario, point: str, arena_of: ArenaOf, board: Board
) -> None:
    play(arena_of(engine), scenario, point, board, 1)


@pytest.mark.full
@pytest.mark.parametrize(("engine", "scenario", "point"), LONG, ids=_named)
def test_killed_there_on_every_engine(
    engine: str, scenario: Scenario, point: str, arena_of: ArenaOf, board: Board
) -> None:
    """The change from one version to the other dies there at every node, the other scenarios at one of them."""
    play(arena_of(engine), scenario, point, board, None if scenario is CHANGE else 1)
