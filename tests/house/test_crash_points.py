"""Every crash point stands at one place of the source, and the crash board visits each of them."""

from __future__ import annotations

import ast
import collections
from pathlib import Path

import pytest

from flowforge.crash import CRASH_POINTS

scenarios = pytest.importorskip(
    "flowforge_test_servers.board.scenarios", reason="the distribution in tests/servers is not installed"
)


def _calls(module: Path) -> list[ast.Call]:
    """The calls of ``crash_point`` in *module*, under whatever path it was imported."""
    return [
        node
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")) == "crash_point"
    ]


def test_every_point_stands_at_one_place(repository: Path) -> None:
    named: collections.Counter[str] = collections.Counter()
    for module in sorted((repository / "flowforge-core/src").rglob("*.py")):
        for call in _calls(module):
            (argument,) = call.args
            assert isinstance(argument, ast.Constant), f"{module}:{call.lineno}: the name has to be a literal"
            named[argument.value] += 1
    assert dict(named) == dict.fromkeys(CRASH_POINTS, 1)


def test_names_are_unique() -> None:
    assert len(set(CRASH_POINTS)) == len(CRASH_POINTS)


def test_engines_have_no_points_of_their_own(repository: Path) -> None:
    """The board kills at steps of the protocol, which all engines share; no engine may hide one in its own code."""
    engines = [path for path in repository.glob("flowforge-*/src") if path.parent.name != "flowforge-core"]
    assert engines
    assert not [module for folder in engines for module in folder.rglob("*.py") if _calls(module)]


def test_the_board_visits_every_point() -> None:
    """What a scenario promises to come to is checked by the board itself, in a run."""
    from flowforge_test_servers.board.arena import CloningArena, DuckArena, PlainArena

    arenas = (DuckArena(), PlainArena(), CloningArena())  # one for each branch of the protocol
    visited = {point for arena in arenas for scenario in scenarios.SCENARIOS for point in scenario.points(arena)}
    assert visited == set(CRASH_POINTS)
