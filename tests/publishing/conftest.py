"""Databases in files, on engines of both branches of the publishing protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowforge_plain.place import Place, open_place


@pytest.fixture
def make_place(tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Opens the test's database by an engine's name."""
    places: list[Place] = []

    def make(engine: str) -> Place:
        places.append(open_place(engine, tmp_path))
        return places[-1]

    yield make
    for place in places:
        place.close()


@pytest.fixture(params=["duckdb", "sqlite", "plain"])
def place(request: pytest.FixtureRequest, make_place: Callable[[str], Place]) -> Place:
    """A database of each engine."""
    return make_place(request.param)


@pytest.fixture
def plain(make_place: Callable[[str], Place]) -> Place:
    """A database of the engine that has neither transactions nor locks."""
    return make_place("plain")
