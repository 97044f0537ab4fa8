"""The crash board: engines to play on, and the places of one test session."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from flowforge_test_servers.board.arena import Arena, CloningArena, DuckArena, PlainArena, PostgresArena
from flowforge_test_servers.board.board import Board

ArenaOf = Callable[[str], Arena]


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """The places of this session."""
    return Board(tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="session")
def arena_of(request: pytest.FixtureRequest) -> ArenaOf:
    """Gives the arena of an engine; skips where the engine is not installed."""
    known: dict[str, Arena] = {}

    def give(name: str) -> Arena:
        if name not in known:
            needed = {"postgres": ["flowforge_postgres", "psycopg"], "duckdb": []}
            for module in needed.get(name, ["flowforge_plain"]):
                if importlib.util.find_spec(module) is None:
                    pytest.skip(f"{module} is not installed")
            if name == "postgres":
                known[name] = PostgresArena(request.getfixturevalue("postgres_server").dsn)
            else:
                known[name] = {"duckdb": DuckArena, "plain": PlainArena, "cloning": CloningArena}[name]()
        return known[name]

    return give
