"""Places at which things are broken: a project and a database of its own for each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flowforge_test_servers.board.arena import DuckArena, Place, PostgresArena
from flowforge_test_servers.postgres import PostgresServer

sys.path.insert(0, str(Path(__file__).parent))  # the means to break things live beside the tests


from breaking.projects import built


def postgres_place(dsn: str, root: Path) -> Place:
    """A project and a fresh database on a server, built in edition 1."""
    for module in ("flowforge_postgres", "psycopg"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    place = PostgresArena(dsn).empty(root)
    built(place)
    return place


@pytest.fixture(scope="session")
def built_on_postgres(postgres_admin_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """What :func:`postgres` is a copy of."""
    place = postgres_place(postgres_admin_dsn, tmp_path_factory.mktemp("built") / "project")
    yield place
    place.arena.remove(place)


@pytest.fixture
def postgres(built_on_postgres: Place, tmp_path: Path) -> Iterator[Place]:
    """Edition 1 of the project, on the PostgreSQL server of the session."""
    place = built_on_postgres.arena.copy(built_on_postgres, tmp_path / "project")
    yield place
    place.arena.remove(place)


@pytest.fixture(scope="session")
def built_on_duck(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What :func:`duck` is a copy of."""
    place = DuckArena().empty(tmp_path_factory.mktemp("built") / "project")
    built(place)
    return place


@pytest.fixture
def duck(built_on_duck: Place, tmp_path: Path) -> Place:
    """Edition 1 of the project, on a DuckDB file inside the project."""
    return built_on_duck.arena.copy(built_on_duck, tmp_path / "project")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """The place that the test names, ``postgres`` or ``duck``."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that a test may crash."""
    from flowforge_test_servers.binaries import NoServerError
    from flowforge_test_servers.postgres import postgres_server

    try:
        with postgres_server() as server:
            yield server
    except NoServerError as exc:
        pytest.skip(str(exc))


@pytest.fixture
def crashable(own_server: PostgresServer, tmp_path: Path) -> Iterator[Place]:
    """Edition 1 of the project on a server that the test may crash; it runs again afterwards."""
    yield postgres_place(own_server.dsn, tmp_path / "project")
    own_server.restart(immediate=True)
