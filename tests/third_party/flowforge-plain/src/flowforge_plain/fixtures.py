"""Fixtures for tests that ask several engines the same; a conftest.py imports what it wants. The only module that knows pytest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge.plugins import load_plugins
from flowforge_plain.place import Place, open_place


def _opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "postgres":
        spec = load_plugins().engine("postgres")
        dsn = request.getfixturevalue("postgres_dsn")
        place = Place(spec, spec.load()(spec.settings(dsn=dsn)), tmp_path)
    else:
        place = open_place(request.param, tmp_path)
    yield place
    place.close()


@pytest.fixture(params=["duckdb", "sqlite", "plain", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each engine: both branches of the publishing protocol, and a server where there is one."""
    yield from _opened(request, tmp_path)


@pytest.fixture(name="place", params=["duckdb", "sqlite", "plain", "cloning", "postgres"])
def growing_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The same for what grows, which takes a way of its own where tables can be cloned."""
    yield from _opened(request, tmp_path)
