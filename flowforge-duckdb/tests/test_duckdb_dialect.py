"""Text rules, compared with what DuckDB makes of them."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.errors import UnsupportedError
from flowforge_duckdb.dialect import DuckDBDialect

DIALECT = DuckDBDialect()
CONNECTION = duckdb.connect()


def one(sql: str) -> Any:
    row = CONNECTION.execute(sql).fetchone()
    assert row is not None
    return row[0]


@given(st.text(st.characters(codec="utf-8")))
def test_texts(value: str) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value


@given(st.binary())
def test_bytes(value: bytes) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats(value: float) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value
    assert one(f"SELECT typeof({DIALECT.literal(value)})") == "DOUBLE"


@given(st.integers(-(2**127), 2**127 - 1))
def test_integers(value: int) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_decimals(value: decimal.Decimal) -> None:
    found = one(f"SELECT {DIALECT.literal(value)}")
    assert isinstance(found, decimal.Decimal)
    assert found == value


@pytest.mark.parametrize("text", ["1E+5", "1E-38", "0", "-0.10", "99999999999999999999999999999999999999"])
def test_decimals_in_other_forms(text: str) -> None:
    value = decimal.Decimal(text)
    assert one(f"SELECT {DIALECT.literal(value)}") == value


def test_decimals_of_too_many_digits() -> None:
    with pytest.raises(TypeError, match="38 digits"):
        DIALECT.literal(decimal.Decimal("1." + "1" * 38))


@given(st.dates())
def test_dates(value: dt.date) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value


@given(st.datetimes(min_value=dt.datetime(1, 1, 1)))  # noqa: DTZ001
def test_timestamps(value: dt.datetime) -> None:
    assert one(f"SELECT {DIALECT.literal(value)}") == value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_names(name: str) -> None:
    quoted = DIALECT.quote(name)
    relation = CONNECTION.sql(f"SELECT 1 AS {quoted}")
    assert relation.columns == [name]


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_duckdb_cannot_have(name: str) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.quote(name)


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (pa.int8(), "TINYINT"),
        (pa.uint64(), "UBIGINT"),
        (pa.float16(), "FLOAT"),
        (pa.decimal128(38, 38), "DECIMAL(38,38)"),
        (pa.timestamp("s"), "TIMESTAMP_S"),
        (pa.timestamp("ns"), "TIMESTAMP_NS"),
        (pa.timestamp("ms", "Europe/Berlin"), "TIMESTAMP WITH TIME ZONE"),
        (pa.time64("ns"), "TIME_NS"),
        (pa.duration("s"), "INTERVAL"),
        (pa.large_list(pa.int8()), "TINYINT[]"),
        (pa.list_(pa.string(), 3), "VARCHAR[3]"),
        (pa.struct([("a b", pa.int32()), ('c"d', pa.list_(pa.date32()))]), 'STRUCT("a b" INTEGER, "c""d" DATE[])'),
        (pa.map_(pa.string(), pa.float64()), "MAP(VARCHAR, DOUBLE)"),
        (pa.dictionary(pa.int8(), pa.large_string()), "VARCHAR"),
        (pa.null(), "INTEGER"),
        (pa.binary(16), "BLOB"),
    ],
)
def test_column_types(type_: pa.DataType, expected: str) -> None:
    assert DIALECT.type_name(type_) == expected
    CONNECTION.execute(f"SELECT CAST(NULL AS {expected})")


@pytest.mark.parametrize(
    "type_",
    [
        pa.decimal256(40, 2),
        pa.decimal128(5, -2),
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.struct([]),
        pa.list_(pa.decimal256(76, 0)),
    ],
    ids=str,
)
def test_types_that_duckdb_has_not(type_: pa.DataType) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.type_name(type_)
