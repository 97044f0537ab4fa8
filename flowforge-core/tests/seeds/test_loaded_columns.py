"""The columns that say where rows come from, on engines with and without time zones or times at all."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from flowforge.contract import Dialect
from flowforge.errors import SeedError, UnsupportedError
from flowforge.project.manifest import ModelConfig, Node, NodeKind, SeedBody
from flowforge.seeds.loaded import NAMES, Origin
from flowforge.values import Relation


def dialect(*, zones: bool = True, times: bool = True) -> Dialect:
    class Known(Dialect):
        def type_name(self, type_: pa.DataType) -> str:
            if pa.types.is_timestamp(type_) and (not times or (type_.tz is not None and not zones)):
                raise UnsupportedError("no such times")
            return "X"

    return Known()


def node(*, loaded_columns: bool = True) -> Node:
    body = SeedBody(".csv", loaded_columns=loaded_columns, id="raw/a")
    return Node("a", NodeKind.SEED, "seeds/raw/a.csv", Relation("a"), ModelConfig(materialized="seed"), body)


def made(**kinds: bool) -> Origin:
    origin = Origin.of(node(), dialect(**kinds))
    assert origin is not None
    return origin


def test_a_seed_that_does_not_ask_gets_none() -> None:
    assert Origin.of(node(loaded_columns=False), dialect()) is None


@pytest.mark.parametrize(
    ("kinds", "type_"),
    [
        ({}, pa.timestamp("us", "UTC")),
        ({"zones": False}, pa.timestamp("us")),
        ({"times": False}, pa.string()),
    ],
    ids=["zones", "times", "texts"],
)
def test_the_time_has_the_best_type_that_the_engine_has(kinds: dict[str, bool], type_: pa.DataType) -> None:
    before = dt.datetime.now(dt.UTC)
    origin = made(**kinds)
    table = origin.beside(pa.table({"x": [1, 2]}).to_reader()).read_all()
    assert table.column_names == ["x", *NAMES]
    assert table.schema.field(NAMES[0]).type == type_
    (first, second) = table.to_pylist()
    assert (first["_ff_seed_id"], first["_ff_seed_file"]) == ("raw/a", "seeds/raw/a.csv")
    assert first["_ff_loaded_at"] == second["_ff_loaded_at"]
    at = first["_ff_loaded_at"]
    at = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
    assert before <= (at if at.tzinfo else at.replace(tzinfo=dt.UTC)) <= dt.datetime.now(dt.UTC)


def test_a_query_is_put_inside_and_the_place_of_errors_is_known() -> None:
    select = "select 1 as x -- the end"
    text, before = made(times=False).around(select, dialect())
    assert text[before:].startswith(select + "\n")
    assert "'seeds/raw/a.csv' AS \"_ff_seed_file\"" in text[:before]


def test_a_column_of_that_name_is_refused() -> None:
    with pytest.raises(SeedError) as caught:
        made().beside(pa.table({"_FF_LOADED_AT": [1]}).to_reader())
    assert (caught.value.code, str(caught.value.location)) == ("FF2215", "seeds/raw/a.csv")
