"""Both engines as bare drivers see them, with one small table."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from flowforge.contract import Dialect

sys.path.insert(0, str(Path(__file__).parent))  # the cases are read by a module beside the tests

TABLE = (Path(__file__).resolve().parent / "cases" / "table.sql").read_text("utf-8")
Rows = list[list[Any]]


@pytest.fixture(scope="session")
def dialects() -> dict[str, Dialect]:
    """The text rules of the engines that run here."""
    from flowforge_duckdb.dialect import DuckDBDialect
    from flowforge_postgres.dialect import PostgresDialect

    return {"duckdb": DuckDBDialect(), "postgres": PostgresDialect()}


@pytest.fixture(scope="session")
def portable_database(postgres_admin_dsn: str) -> Iterator[str]:
    """The address of a database on the server, dropped at the end."""
    psycopg = pytest.importorskip("psycopg")
    name = f"ff_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield str(urlsplit(postgres_admin_dsn)._replace(path=f"/{name}").geturl())
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def run_on(portable_database: str) -> Iterator[Callable[[str, str], Rows]]:
    """Runs a query on an engine, by name, with sessions in UTC as FlowForge opens them."""
    import duckdb
    import psycopg

    ours = duckdb.connect()
    ours.execute("set TimeZone = 'UTC'")
    ours.execute(TABLE)
    with psycopg.connect(portable_database, autocommit=True) as theirs:
        theirs.execute("set timezone = 'UTC'")
        theirs.execute(TABLE)

        def run(engine: str, sql: str) -> Rows:
            connection: Any = ours if engine == "duckdb" else theirs
            return [list(row) for row in connection.execute(sql).fetchall()]

        yield run
    ours.close()
