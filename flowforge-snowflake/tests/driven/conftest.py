"""The emulator's settings, and a database of its own for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flowforge_test_servers.snowflake import VARIABLES, snowflake_server

from flowforge.contract import Session
from flowforge_snowflake.executor import SnowflakeExecutor
from flowforge_snowflake.settings import SnowflakeSettings


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, Any]]:
    """The settings of the server that the environment names, or of our own."""
    named = {key.removeprefix(VARIABLES).lower(): text for key, text in os.environ.items() if key.startswith(VARIABLES)}
    if named:
        yield {**named, "port": int(named["port"])}
        return
    with snowflake_server() as started:
        yield started.settings


@pytest.fixture
def place(server: dict[str, Any]) -> dict[str, Any]:
    """The settings of a fresh database."""
    return {**server, "database": f"ff_{uuid.uuid4().hex[:12]}", "schema": "work"}


@pytest.fixture
def new_executor(place: dict[str, Any]) -> Iterator[Callable[..., SnowflakeExecutor]]:
    """Opens executors on this test's database; settings as keywords."""
    opened = []

    def make(**settings: Any) -> SnowflakeExecutor:
        opened.append(SnowflakeExecutor(SnowflakeSettings(**{**place, **settings})))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


@pytest.fixture
def session(new_executor: Callable[..., SnowflakeExecutor]) -> Iterator[Session]:
    """A session of an executor with the usual settings."""
    with new_executor().session(label="flowforge/run1/test") as opened:
        yield opened
