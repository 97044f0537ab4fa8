"""Snowpark's frames: by the emulator where it runs SQL, by Snowpark's local testing where rows come from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import LoadMode, TableOptions
from flowforge.errors import EngineError, UnsupportedError
from flowforge.values import Relation
from flowforge_snowflake import frames
from flowforge_snowflake.dialect import SnowflakeDialect
from flowforge_snowflake.executor import SnowflakeExecutor

snowpark = pytest.importorskip("snowflake.snowpark")


@pytest.fixture
def local() -> Any:
    """A session of Snowpark that has no server."""
    session = snowpark.Session.builder.config("local_testing", True).create()
    yield session
    session.close()


@pytest.mark.filterwarnings("ignore")
def test_a_frame_is_saved_under_the_name_that_sql_finds(local: Any) -> None:
    frame = local.create_dataframe([[1, "a"], [2, "b"]], schema=["id", '"two words"'])
    target = Relation("orders", "work", "shop")
    frames.save(frame, target, SnowflakeDialect(), TableOptions(), transient=False)
    saved = local.table(["SHOP", "WORK", "ORDERS"])
    assert saved.columns == ["ID", '"two words"']
    assert sorted(map(tuple, saved.collect())) == [(1, "a"), (2, "b")]
    with pytest.raises(Exception, match=r"(?i)already exists"):
        frames.save(frame, target, SnowflakeDialect(), TableOptions(), transient=False)


def test_options_reach_the_table() -> None:
    told: dict[str, Any] = {}

    class Writer:
        def save_as_table(self, name: list[str], **words: Any) -> None:
            told.update(words, name=name)

    class Frame:
        write = Writer()

    options = TableOptions(cluster_by=("day",), options={"transient": True, "data_retention_time_in_days": 1})
    frames.save(Frame(), Relation("orders", "work", "shop"), SnowflakeDialect(), options, transient=False)
    assert told == {
        "name": ['"SHOP"', '"WORK"', '"ORDERS"'],
        "mode": "errorifexists",
        "table_type": "transient",
        "clustering_keys": ['"DAY"'],
        "data_retention_time": 1,
    }


def test_a_frame_of_the_session_goes_in_and_out(new_executor: Callable[..., SnowflakeExecutor]) -> None:
    executor = new_executor()
    with executor.session(label="flowforge/run1/test") as session:
        source, target = (Relation(name).within(executor.namespace) for name in ("source", "target"))
        session.load(source, pa.table({"id": [1, 2, 3]}).to_reader(), LoadMode.CREATE)
        select = f"SELECT * FROM {executor.dialect.render(source)}"
        frame = session.frame(source, None, "snowpark", select)
        assert session.load_frame(target, frame.filter(frame["id"] > 1)) == 2
        found = session.query(f"SELECT * FROM {executor.dialect.render(target)}").read_all()
        assert sorted(found.column("ID").to_pylist()) == [2, 3]
        assert session.load_frame(target, object()) is None
        with pytest.raises(UnsupportedError):
            session.frame(source, None, "spark", select)


def test_errors_of_snowpark_are_errors_of_the_engine(new_executor: Callable[..., SnowflakeExecutor]) -> None:
    executor = new_executor()
    with executor.session(label="flowforge/run1/test") as session:
        frame = session.frame(Relation("x"), None, "snowpark", "SELECT * FROM ghost")
        with pytest.raises(Exception, match=r"(?i)ghost") as caught:
            session.load_frame(Relation("target").within(executor.namespace), frame)
    error = caught.value if isinstance(caught.value, EngineError) else executor.error(caught.value)
    assert error is not None
    assert "GHOST" in error.message.upper()
