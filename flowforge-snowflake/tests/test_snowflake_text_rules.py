"""Names, literals and types, without a database or a driver."""

from __future__ import annotations

import datetime as dt
import decimal
import sys

import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.errors import UnsupportedError
from flowforge.values import Relation
from flowforge_snowflake.dialect import SnowflakeDialect

DIALECT = SnowflakeDialect()


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("orders", "ORDERS"),
        ("MixedCase", "MIXEDCASE"),
        ("_ff_meta", "_FF_META"),
        ("a$1", "A$1"),
        ("select", "SELECT"),
        ("two words", "two words"),
        ("2024", "2024"),
        ("naïve", "naïve"),
        ("kebab-Case", "kebab-Case"),
    ],
)
def test_what_can_be_typed_without_quotes_is_stored_in_upper_case(name: str, stored: str) -> None:
    assert DIALECT.fold(name) == stored
    assert DIALECT.quote(name) == f'"{stored}"'


def test_a_relation_has_three_parts() -> None:
    assert DIALECT.render(Relation("Orders", "analytics", "shop")) == '"SHOP"."ANALYTICS"."ORDERS"'


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 256, "é" * 128])
def test_names_that_snowflake_would_refuse(name: str) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.quote(name)


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        ("it's", "'it''s'"),
        ("back\\slash", "'back\\\\slash'"),
        ("nul\0", "'nul\\0'"),
        (0.1, "CAST('0.1' AS FLOAT)"),
        (b"\x00\xff", "TO_BINARY('00ff', 'HEX')"),
        (decimal.Decimal("1.50"), "CAST('1.50' AS NUMBER(38,2))"),
        (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "CAST('2024-02-29 01:02:03.000004' AS TIMESTAMP_NTZ(6))"),  # noqa: DTZ001
        (
            dt.datetime(2024, 2, 29, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            "CAST('2024-02-28 23:00:00+00:00' AS TIMESTAMP_TZ(6))",
        ),
        (dt.date(1, 1, 1), "CAST('0001-01-01' AS DATE)"),
        (None, "NULL"),
        (True, "TRUE"),
    ],
    ids=repr,
)
def test_literals(value: object, sql: str) -> None:
    assert DIALECT.literal(value) == sql


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_texts_cannot_leave_their_quotes(value: str) -> None:
    found = sqlglot.parse_one(f"SELECT {DIALECT.literal(value)}", read="snowflake")
    assert isinstance(found, sqlglot.exp.Select)
    (only,) = found.expressions
    assert isinstance(only, sqlglot.exp.Literal)
    assert only.this == value


@pytest.mark.parametrize("value", [decimal.Decimal("NaN"), decimal.Decimal("1e40"), float("inf"), object()])
def test_what_has_no_literal(value: object) -> None:
    with pytest.raises(TypeError):
        DIALECT.literal(value)


@pytest.mark.parametrize(
    ("arrow", "column"),
    [
        (pa.int64(), "BIGINT"),
        (pa.uint64(), "NUMBER(20,0)"),
        (pa.float32(), "FLOAT"),
        (pa.decimal128(18, 4), "NUMBER(18,4)"),
        (pa.decimal128(37, 0), "NUMBER(37,0)"),
        (pa.timestamp("ns"), "TIMESTAMP_NTZ(6)"),
        (pa.timestamp("us", "Europe/Berlin"), "TIMESTAMP_TZ(6)"),
        (pa.time64("ns"), "TIME(6)"),
        (pa.binary(16), "BINARY"),
        (pa.dictionary(pa.int32(), pa.string()), "VARCHAR"),
        (pa.null(), "VARCHAR"),
    ],
    ids=str,
)
def test_column_types(arrow: pa.DataType, column: str) -> None:
    assert DIALECT.type_name(arrow) == column


@pytest.mark.parametrize(
    "arrow",
    [
        pa.list_(pa.int64()),
        pa.struct([("a", pa.int64())]),
        pa.decimal256(76, 10),
        pa.decimal128(38, 0),
        pa.duration("s"),
    ],
    ids=str,
)
def test_types_that_would_not_come_back_are_refused(arrow: pa.DataType) -> None:
    with pytest.raises(UnsupportedError, match="exactly"):
        DIALECT.type_name(arrow)


def test_a_pattern_is_a_text() -> None:
    assert DIALECT.regex_match("v", r"^\d'$") == r"(REGEXP_INSTR(v, '^\\d''$') > 0)"


def test_texts_of_floats_tell_what_their_digits_leave_out() -> None:
    written = DIALECT.exact_text("v", pa.float64())
    assert (
        written
        == "(CAST(v AS VARCHAR) || ':' || COALESCE(CAST(v - TRY_CAST(CAST(v AS VARCHAR) AS FLOAT) AS VARCHAR), ''))"
    )
    assert DIALECT.exact_text("v", pa.int64()) == "CAST(v AS VARCHAR)"


def test_no_driver_was_needed() -> None:
    import flowforge_snowflake.plugin

    assert flowforge_snowflake.plugin.ENGINE.aliases == ("snowflake", "snowpark")
    assert not [name for name in sys.modules if name.startswith("snowflake.")]


EXACT: list[tuple[pa.DataType, str]] = [
    (pa.binary(), "HEX_ENCODE(x)"),
    (pa.time64("us"), "TO_CHAR(x, 'HH24:MI:SS.FF9')"),
    (pa.timestamp("us", "UTC"), "TO_CHAR(CONVERT_TIMEZONE('UTC', x), 'YYYY-MM-DD HH24:MI:SS.FF9')"),
    (pa.timestamp("ns"), "TO_CHAR(x, 'YYYY-MM-DD HH24:MI:SS.FF9')"),
    (pa.string(), "x"),
]


@pytest.mark.parametrize(("type_", "sql"), EXACT, ids=str)
def test_exact_texts_depend_on_no_session(type_: pa.DataType, sql: str) -> None:
    assert DIALECT.exact_text("x", type_) == sql
