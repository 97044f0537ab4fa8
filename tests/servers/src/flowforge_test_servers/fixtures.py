"""Fixtures for tests that need a server; a pytest plugin, found by its entry point. The driver is imported when used."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from flowforge_test_servers.binaries import NoServerError
from flowforge_test_servers.postgres import DSN_VARIABLE, PostgresServer, postgres_server


@pytest.fixture(scope="session", name="postgres_server")
def postgres_server_fixture() -> Iterator[PostgresServer]:
    """One server for the whole session; tests that need it are skipped where there is none."""
    try:
        with postgres_server() as server:
            yield server
    except NoServerError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def postgres_admin_dsn(request: pytest.FixtureRequest) -> str:
    """A database in which databases can be created: of the server that the environment names, or of our own."""
    named = os.environ.get(DSN_VARIABLE)
    if named:
        return named
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.dsn


@pytest.fixture
def postgres_dsn(postgres_admin_dsn: str) -> Iterator[str]:
    """The address of a fresh database, which is dropped after the test."""
    psycopg = pytest.importorskip("psycopg")
    name = f"ff_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield urlsplit(postgres_admin_dsn)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
