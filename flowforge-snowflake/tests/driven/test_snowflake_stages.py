"""Files through a stage, by the connector's own upload. The emulator has no stage of a user's own, so one is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from flowforge.contract import LoadMode
from flowforge.values import Relation
from flowforge_snowflake.executor import SnowflakeExecutor


def test_rows_arrive_through_a_stage(new_executor: Callable[..., SnowflakeExecutor], place: dict[str, Any]) -> None:
    stage = f"{place['database']}.{place['schema']}.files".upper()
    executor = new_executor(load="stage", stage=stage)
    with executor.session(label="flowforge/run1/test") as session:
        session.execute(f"CREATE STAGE {stage}")
        rows = {"id": [1, 2, None], "name": ["a", "it's", None]}
        moments = pa.array([dt.datetime(2024, 1, 1, 2, 3, 4, 5), None, None], pa.timestamp("us"))  # noqa: DTZ001
        relation = Relation("orders").within(executor.namespace)
        assert session.load(relation, pa.table({**rows, "at": moments}).to_reader(), LoadMode.CREATE) == 3
        assert session.load(relation, pa.table({"id": [4]}).to_reader(), LoadMode.APPEND) == 1
        found = session.query(f"SELECT * FROM {executor.dialect.render(relation)}").read_all().to_pydict()
    assert sorted(found["ID"], key=str) == [1, 2, 4, None]
    assert found["AT"].count(dt.datetime(2024, 1, 1, 2, 3, 4, 5)) == 1  # noqa: DTZ001
