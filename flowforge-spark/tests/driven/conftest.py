"""A server of Spark Connect that is not Spark, and executors on it; each test has a schema of its own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flowforge_test_servers.binaries import NoServerError
from flowforge_test_servers.spark import MASTER_VARIABLE, WAREHOUSE_VARIABLE, sail_server

from flowforge.contract import EngineSpec
from flowforge_spark.executor import SparkExecutor
from flowforge_spark.plugin import ENGINE
from flowforge_spark.settings import SparkSettings


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[str, str]]:
    """The address of a server and its warehouse: those of the environment, or of our own."""
    if MASTER_VARIABLE in os.environ:
        yield os.environ[MASTER_VARIABLE], os.environ[WAREHOUSE_VARIABLE]
        return
    pytest.importorskip("pysail")
    try:
        with sail_server() as (master, root):
            yield master, str(root / "warehouse")
    except NoServerError as exc:
        pytest.skip(str(exc))


@pytest.fixture
def settings(server: tuple[str, str]) -> SparkSettings:
    """A profile with a schema that nobody else uses."""
    return SparkSettings(
        master=server[0],
        database=f"ff_{uuid.uuid4().hex[:12]}",
        extra_conf={"spark.sql.warehouse.dir": server[1]},
    )


@pytest.fixture
def new_executor() -> Iterator[Callable[[SparkSettings], SparkExecutor]]:
    """Opens executors that are closed after the test."""
    opened: list[Any] = []

    def make(settings: SparkSettings) -> SparkExecutor:
        opened.append(SparkExecutor(settings))
        return opened[-1]  # type: ignore[no-any-return]

    yield make
    for executor in opened:
        executor.close()


@pytest.fixture
def executor(new_executor: Callable[[SparkSettings], SparkExecutor], settings: SparkSettings) -> SparkExecutor:
    """An executor with the usual settings."""
    return new_executor(settings)


@pytest.fixture
def engine() -> EngineSpec:
    """What the distribution offers."""
    return ENGINE
