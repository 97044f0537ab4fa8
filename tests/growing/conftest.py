"""Databases in files, on engines of both branches of the publishing protocol, and a server where there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge_plain.place import Place, open_place

sys.path.insert(0, str(Path(__file__).parent))  # the reference stands beside the tests


@pytest.fixture(params=["duckdb", "sqlite", "plain"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each engine."""
    place = open_place(request.param, tmp_path)
    yield place
    place.close()
