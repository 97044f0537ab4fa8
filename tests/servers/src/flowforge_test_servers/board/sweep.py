"""Kills at moments in time, spread over the length of a run, with the state restored between them."""

from __future__ import annotations

import statistics
from collections.abc import Set

import attrs

from flowforge_test_servers.board import judge
from flowforge_test_servers.board.arena import Arena, Place, write_files
from flowforge_test_servers.board.board import Board
from flowforge_test_servers.board.process import Swept, kill_after
from flowforge_test_servers.board.scenarios import Scenario

_ATTEMPTS = 3


@attrs.frozen
class Tally:
    """What a sweep did. *killed* runs died before their end; *old* and *new* count what those had left."""

    killed: int
    finished: int
    old: int
    new: int

    def __str__(self) -> str:
        return f"{self.killed} killed ({self.old} left the old state, {self.new} more), {self.finished} ended before"


def sweep(board: Board, arena: Arena, scenario: Scenario, moments: int, *, measured: int = 3) -> Tally:
    """Kill *scenario* at so many *moments*, one after the other.

    Parameters
    ----------
    measured:
        How many runs to the end tell how long a run takes.

    Raises
    ------
    AssertionError
        At the first damage, with the moment at which it came about.
    """
    start = arena.copy(board.built(arena, scenario.old), board.new_root(f"{arena.name}-{scenario.name}-sweep"))
    write_files(start.root, scenario.new.files)
    with start.look() as look:
        earlier = judge.noted_runs(look)
    length = statistics.median(_measure(board, arena, scenario, start) for _ in range(measured))
    killed = finished = old = new = 0
    for number in range(moments):
        for _ in range(_ATTEMPTS):
            swept, untouched = _killed(board, arena, scenario, start, earlier, length * (number + 0.5) / moments)
            if swept.killed:
                killed += 1
                old += untouched
                new += not untouched
                break
            finished += 1
            length = swept.length  # the machine has become faster, because others do less
    arena.remove(start)
    return Tally(killed, finished, old, new)


def _killed(
    board: Board, arena: Arena, scenario: Scenario, start: Place, earlier: Set[str], moment: float
) -> tuple[Swept, bool]:
    """Kill at one moment, judge, and repair; also tells whether everything was old when the run had died."""
    place = arena.copy(start, board.new_root(f"{arena.name}-{scenario.name}-at"))
    try:
        swept = kill_after(place, scenario.command, moment)
        assert swept.killed or swept.code == 0, swept.stderr
        arena.wait_until_left(place)
        board.judge_dead(place, scenario, earlier)
        with place.look() as look:
            untouched = not judge.damage(look, scenario.old, scenario.old, earlier=earlier)
        board.repair(place, scenario)
    except AssertionError as error:
        raise AssertionError(f"killed {moment:.3f} s after the beginning: {error}") from error
    finally:
        arena.remove(place)
    return swept, untouched


def _measure(board: Board, arena: Arena, scenario: Scenario, start: Place) -> float:
    place = arena.copy(start, board.new_root(f"{arena.name}-{scenario.name}-measured"))
    swept = kill_after(place, scenario.command, None)
    assert swept.code == 0, swept.stderr
    judge.assert_sound(place, scenario.new)
    arena.remove(place)
    return swept.length
