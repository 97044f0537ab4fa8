"""Parquet seeds keep their own types unless others are declared."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowforge.errors import SeedError
from flowforge.seeds.formats import PARQUET
from flowforge.seeds.load import open_seed


def write(folder: Path, table: pa.Table) -> str:
    pq.write_table(table, folder / "s.parquet", row_group_size=2)
    return "s.parquet"


def test_types_and_values_come_back(tmp_path: Path) -> None:
    table = pa.table(
        {
            "i": pa.array([1, None, 2**63 - 1], pa.int64()),
            "small": pa.array([1, 2, 3], pa.int16()),
            "d": pa.array([Decimal("1.10"), None, Decimal("-9.99")], pa.decimal128(10, 2)),
            "t": pa.array([dt.datetime(2024, 1, 1), None, None], pa.timestamp("us")),  # noqa: DTZ001
            "tz": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None, None], pa.timestamp("us", "UTC")),
            "s": pa.array(["", None, "é😀"]),
            "l": pa.array([[1], [], None], pa.list_(pa.int32())),
        }
    )
    assert open_seed(tmp_path, write(tmp_path, table), PARQUET, {}).read_all().equals(table)


def test_declared_types_are_taken_when_every_value_fits(tmp_path: Path) -> None:
    path = write(tmp_path, pa.table({"id": [1, 2, 3], "x": ["a", "b", "c"]}))
    table = open_seed(tmp_path, path, PARQUET, {"ID": "integer"}).read_all()
    assert table.schema.field("id").type == pa.int32()


@pytest.mark.parametrize(("values", "word"), [([2**40], "integer"), ([1.5], "bigint"), (["x"], "double")])
def test_a_value_that_does_not_fit_is_an_error(tmp_path: Path, values: list[object], word: str) -> None:
    path = write(tmp_path, pa.table({"id": values}))
    reader = open_seed(tmp_path, path, PARQUET, {"id": word})
    with pytest.raises(SeedError) as caught:
        reader.read_all()
    assert caught.value.code == "FF2205"
    assert str(caught.value.location) == "s.parquet"


def test_columns_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, pa.table({"id": [1], "ID": [2]}))
    with pytest.raises(SeedError, match="twice") as caught:
        open_seed(tmp_path, path, PARQUET, {})
    assert caught.value.code == "FF2204"


@pytest.mark.parametrize("cut", [0, 3, 50, -1])
def test_a_damaged_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path, pa.table({"id": [1, 2, 3]}))
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:cut])
    with pytest.raises(SeedError) as caught:
        open_seed(tmp_path, path, PARQUET, {})
    assert caught.value.code == "FF2201"
    assert str(tmp_path) not in str(caught.value)


def test_damage_in_the_middle_is_found_while_reading(tmp_path: Path) -> None:
    path = write(tmp_path, pa.table({"id": [f"value {n}" for n in range(5000)]}))
    content = bytearray((tmp_path / path).read_bytes())
    content[100:3000] = bytes(2900)
    (tmp_path / path).write_bytes(content)
    reader = open_seed(tmp_path, path, PARQUET, {})
    with pytest.raises(SeedError) as caught:
        reader.read_all()
    assert caught.value.code == "FF2201"
