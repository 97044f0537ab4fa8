"""An open database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.settings import DuckDBSettings


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the file of this test is."""
    return tmp_path / "test.duckdb"


@pytest.fixture
def executor(database: Path) -> Iterator[DuckDBExecutor]:
    """A database in a file."""
    executor = DuckDBExecutor(DuckDBSettings(path=str(database)))
    yield executor
    executor.close()
