from __future__ import annotations

from pathlib import Path

import pytest

from flowforge_duckdb.executor import DuckDBExecutor
from flowforge_duckdb.plugin import ENGINE
from flowforge_duckdb.settings import DuckDBSettings


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("a.b.duckdb", "a"),
        ("a.b.duckdb", "A"),
        ("my-db.duckdb", "main"),
        ("main.duckdb", "main"),
        ("temp.db", "temp_db"),
        (".hid.duckdb", "hid"),
        ("plain", "other"),
        (":memory:", "memory"),
        (":memory:", "main"),
    ],
)
def test_offline_text_rules_are_those_of_the_executor(tmp_path: Path, file: str, schema: str) -> None:
    settings = DuckDBSettings(path=file if file.startswith(":") else str(tmp_path / file), schema=schema)
    assert ENGINE.offline is not None
    dialect, namespace = ENGINE.offline(settings)
    assert not list(tmp_path.iterdir())
    executor = DuckDBExecutor(settings)
    assert (type(dialect), namespace) == (type(executor.dialect), executor.namespace)
    executor.close()
