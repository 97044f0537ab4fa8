"""Names, literals, types and clauses of BigQuery: pure text, and no driver."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlglot

from flowforge.contract import CreateKind, TableOptions
from flowforge.errors import UnsupportedError
from flowforge.values import Relation
from flowforge_bigquery import columns, options
from flowforge_bigquery.dialect import BigQueryDialect

DIALECT = BigQueryDialect()


@pytest.mark.parametrize(
    "name", ["id", "select", "two words", "UPPER", "ünïcödé", "2024", "100%", "it's", "a-b", "日本語"]
)
def test_columns_keep_their_names(name: str) -> None:
    assert DIALECT.quote(name) == f"`{name}`"


@pytest.mark.parametrize("name", ["", "a.b", "back`tick", 'quo"te', "back\\slash", "a;b", "🦆", "a\nb", "n" * 301])
def test_what_no_column_is_called_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.quote(name)


def test_relations_are_rendered_part_by_part() -> None:
    assert DIALECT.render(Relation("Orders 2024", "shop", "my-project")) == "`my-project`.`shop`.`Orders 2024`"
    assert DIALECT.render(Relation("scratch")) == "`scratch`"


@pytest.mark.parametrize(
    "relation", [Relation("it's"), Relation("t", "d`; DROP"), Relation("t", "d", "p q"), Relation("")]
)
def test_what_no_relation_is_called_is_refused(relation: Relation) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.render(relation)


LITERALS: list[tuple[Any, str]] = [
    (None, "NULL"),
    (True, "TRUE"),
    (7, "7"),
    (-(2**63), "CAST('-9223372036854775808' AS INT64)"),
    (2**63, "NUMERIC '9223372036854775808'"),
    (0.1, "0.1"),
    ("it's", '"it\'s"'),
    ("it's \\", '"it\'s \\\\"'),
    ('it\'s "it"', "'it\\'s \"it\"'"),
    ("a\\b\n\t\r\0", "'a\\\\b\\n\\t\\r\\x00'"),
    (b"\x00'", "FROM_HEX('0027')"),
    (decimal.Decimal("1.50"), "NUMERIC '1.50'"),
    (decimal.Decimal("-0.0000000001"), "BIGNUMERIC '-0.0000000001'"),
    (dt.date(2024, 2, 29), "DATE '2024-02-29'"),
    (dt.datetime(2024, 2, 29, 1, 2, 3, 4), "DATETIME '2024-02-29 01:02:03.000004'"),  # noqa: DTZ001
    (
        dt.datetime(2024, 2, 29, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "TIMESTAMP '2024-02-28 23:00:00+00:00'",
    ),
]


@pytest.mark.parametrize(("value", "text"), LITERALS, ids=lambda one: repr(one)[:30])
def test_literals(value: Any, text: str) -> None:
    assert DIALECT.literal(value) == text
    sqlglot.parse_one(f"SELECT {text}", read="bigquery")


CASTS = [
    ("x", "INT64", "CAST(x AS INT64)"),
    ("x", "NUMERIC", "CAST(x AS NUMERIC)"),
    ("x", "NUMERIC(18, 4)", "CAST(ROUND(CAST(x AS BIGNUMERIC), 4) AS NUMERIC)"),
    ("x", "bignumeric(38)", "CAST(ROUND(CAST(x AS BIGNUMERIC), 0) AS bignumeric)"),
    ("NULL", "NUMERIC(18,4)", "CAST(NULL AS NUMERIC)"),
    ("x", "STRING(3)", "CAST(x AS STRING)"),
    ("x", "STRUCT<`a` ARRAY<NUMERIC(5, 2)>>", "CAST(x AS STRUCT<`a` ARRAY<NUMERIC>>)"),
]


@pytest.mark.parametrize(("expression", "type_", "text"), CASTS)
def test_casts_have_no_digits_because_bigquery_refuses_them(expression: str, type_: str, text: str) -> None:
    assert DIALECT.cast(expression, type_) == text


def test_numbers_that_fit_into_nothing_have_no_literal() -> None:
    with pytest.raises(TypeError):
        DIALECT.literal(decimal.Decimal("1" * 40))


TYPES = [
    (pa.int8(), "INT64"),
    (pa.uint64(), "INT64"),
    (pa.float16(), "FLOAT64"),
    (pa.large_string(), "STRING"),
    (pa.dictionary(pa.int32(), pa.string()), "STRING"),
    (pa.timestamp("ns"), "DATETIME"),
    (pa.timestamp("us", "Europe/Berlin"), "TIMESTAMP"),
    (pa.decimal128(18, 4), "NUMERIC(18, 4)"),
    (pa.decimal128(38, 9), "NUMERIC(38, 9)"),
    (pa.decimal128(38, 10), "BIGNUMERIC(38, 10)"),
    (pa.decimal128(38, 0), "BIGNUMERIC(38)"),
    (
        pa.list_(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
        "ARRAY<STRUCT<`a` INT64, `b` ARRAY<STRING>>>",
    ),
]


@pytest.mark.parametrize(("type_", "name"), TYPES, ids=lambda one: str(one))
def test_types(type_: pa.DataType, name: str) -> None:
    assert DIALECT.type_name(type_) == name


@pytest.mark.parametrize(
    "type_", [pa.decimal256(76, 10), pa.list_(pa.list_(pa.int64())), pa.map_(pa.string(), pa.int64()), pa.duration("s")]
)
def test_types_that_nothing_holds_are_refused(type_: pa.DataType) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.type_name(type_)


CLAUSES: list[tuple[TableOptions, str]] = [
    (TableOptions(), ""),
    (TableOptions(partition_by=("d",), cluster_by=("a", "b")), " PARTITION BY `d` CLUSTER BY `a`, `b`"),
    (TableOptions(partition_by=("at",)), " PARTITION BY DATETIME_TRUNC(`at`, DAY)"),
    (
        TableOptions(partition_by=("ts",), options={"partition_granularity": "hour", "partition_expiration_days": 7}),
        " PARTITION BY TIMESTAMP_TRUNC(`ts`, HOUR) OPTIONS(partition_expiration_days=7)",
    ),
    (
        TableOptions(partition_by=("n",), options={"partition_range": [0, 100, 10]}),
        " PARTITION BY RANGE_BUCKET(`n`, GENERATE_ARRAY(0, 100, 10))",
    ),
    (
        TableOptions(options={"labels": {"team": "x"}}, comment="it's"),
        " OPTIONS(labels=[('team', 'x')], description=\"it's\")",
    ),
]
OF_COLUMNS = {"d": "DATE", "at": "DATETIME", "ts": "TIMESTAMP", "n": "INT64", "text": "STRING"}


@pytest.mark.parametrize(("wanted", "text"), CLAUSES, ids=lambda one: str(one)[:40])
def test_clauses(wanted: TableOptions, text: str) -> None:
    assert options.clauses(wanted, OF_COLUMNS, DIALECT) == text
    sqlglot.parse_one(f"CREATE TABLE t{text} AS SELECT 1", read="bigquery")


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (TableOptions(grants={"select": ("anna",)}), "grants"),
        (TableOptions(partition_by=("d", "at")), "one column"),
        (TableOptions(partition_by=("text",)), "STRING"),
        (TableOptions(partition_by=("ghost",)), "no column"),
        (TableOptions(partition_by=("n",)), "range"),
        (TableOptions(partition_by=("d",), options={"partition_granularity": "hour"}), "no hours"),
        (TableOptions(partition_by=("d",), options={"partition_granularity": "week"}), "week"),
        (TableOptions(cluster_by=("a", "b", "c", "d", "e")), "4 columns"),
        (TableOptions(options={"partition_granularity": "day"}), "partition_by"),
        (TableOptions(options={"sort": "x"}), "sort"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_cannot_be_had_is_refused(wanted: TableOptions, word: str) -> None:
    with pytest.raises(UnsupportedError, match=word):
        options.clauses(wanted, OF_COLUMNS, DIALECT)


def test_views_have_no_partitions() -> None:
    with pytest.raises(UnsupportedError, match="view"):
        options.check_options(TableOptions(partition_by=("d",)), CreateKind.VIEW)


def test_lists_that_an_array_cannot_hold_are_refused() -> None:
    for values in ([None], [[1, None]]):
        table = pa.table({"v": pa.array(values, pa.list_(pa.int64()))})
        with pytest.raises(UnsupportedError, match="ARRAY"):
            columns.converted(table.to_batches()[0], columns.storable_schema(table.schema))
    inside = pa.table({"v": pa.array([{"a": [None]}], pa.struct([("a", pa.list_(pa.int64()))]))})
    with pytest.raises(UnsupportedError, match="ARRAY"):
        columns.converted(inside.to_batches()[0], columns.storable_schema(inside.schema))


def test_values_that_a_column_cannot_hold_are_refused() -> None:
    for array in (pa.array([2**63], pa.uint64()), pa.array([1], pa.timestamp("ns"))):
        table = pa.table({"v": array})
        with pytest.raises(UnsupportedError, match="column v"):
            columns.converted(table.to_batches()[0], columns.storable_schema(table.schema))


def test_names_that_differ_by_case_are_one_column() -> None:
    with pytest.raises(Exception, match="same name"):
        columns.storable_schema(pa.schema([("id", pa.int64()), ("ID", pa.int64())]))


EXACT: list[tuple[pa.DataType, str]] = [
    (pa.binary(), "TO_HEX(x)"),
    (pa.time64("us"), "FORMAT_TIME('%H:%M:%E6S', x)"),
    (pa.timestamp("us", "UTC"), "FORMAT_TIMESTAMP('%F %H:%M:%E6S', x, 'UTC')"),
    (pa.list_(pa.int64()), "TO_JSON_STRING(x)"),
    (pa.struct([("a", pa.int64())]), "TO_JSON_STRING(x)"),
    (pa.string(), "x"),
]


@pytest.mark.parametrize(("type_", "sql"), EXACT, ids=str)
def test_exact_texts_depend_on_no_session(type_: pa.DataType, sql: str) -> None:
    assert DIALECT.exact_text("x", type_) == sql
