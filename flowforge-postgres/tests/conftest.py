"""A fresh database for each test, and what a test needs to look into it from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from flowforge.contract import LoadMode, Session
from flowforge.values import Relation
from flowforge_postgres.executor import PostgresExecutor
from flowforge_postgres.settings import PostgresSettings


@pytest.fixture
def outside(postgres_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that is not ours, of the database's owner."""
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def new_executor(postgres_dsn: str) -> Iterator[Callable[..., PostgresExecutor]]:
    """Opens executors on this test's database; settings as keywords."""
    opened = []

    def make(**settings: Any) -> PostgresExecutor:
        opened.append(PostgresExecutor(PostgresSettings(**{"dsn": postgres_dsn, **settings})))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


@pytest.fixture
def executor(new_executor: Callable[..., PostgresExecutor]) -> PostgresExecutor:
    """An executor with the usual settings."""
    return new_executor()


@pytest.fixture
def session(executor: PostgresExecutor) -> Iterator[Session]:
    """A session of it."""
    with executor.session(label="flowforge/run1/test") as opened:
        yield opened


@pytest.fixture
def table(session: Session) -> Callable[..., Relation]:
    """Loads a table: name, then columns as keywords."""
    import pyarrow as pa

    def make(name: str, /, **columns: Any) -> Relation:
        relation = Relation(name, "public")
        session.load(relation, pa.table(columns).to_reader(), LoadMode.CREATE)
        return relation

    return make


@pytest.fixture
def rows(session: Session) -> Callable[[str], list[tuple[Any, ...]]]:
    """The rows of a query of the session."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        table = session.query(sql).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return ask
