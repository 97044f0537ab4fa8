"""Names, literals, types, pointers and hashes: what needs no driver."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, Index, TableOptions
from flowforge.errors import UnsupportedError
from flowforge_spark import arrow
from flowforge_spark.content import content_query
from flowforge_spark.dialect import SparkDialect
from flowforge_spark.options import check
from flowforge_spark.pointers import Pointer, is_rows, new_rows, pointer_in

DIALECT = SparkDialect()


def test_names_are_folded_and_quoted() -> None:
    assert DIALECT.quote("Some `Name`") == "`some ``name```"
    for name in ("", "a\0b"):
        with pytest.raises(UnsupportedError):
            DIALECT.quote(name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("it's", "'it\\u0027s'"),
        ("back\\slash", "'back\\\\slash'"),
        ("two\nlines", "'two\\nlines'"),
        (0.1, "CAST('0.1' AS DOUBLE)"),
        (dt.date(2024, 2, 29), "DATE '2024-02-29'"),
        (dt.datetime(2024, 2, 29, 1, 2), "TIMESTAMP_NTZ '2024-02-29 01:02:00'"),  # noqa: DTZ001
        (dt.datetime(2024, 2, 29, 1, 2, tzinfo=dt.UTC), "TIMESTAMP_LTZ '2024-02-29 01:02:00+00:00'"),
        (b"\x00\xff", "X'00ff'"),
    ],
    ids=repr,
)
def test_literals(value: Any, expected: str) -> None:
    assert DIALECT.literal(value) == expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (pa.timestamp("us"), "TIMESTAMP_NTZ"),
        (pa.timestamp("ns", "Europe/Berlin"), "TIMESTAMP_LTZ"),
        (pa.uint64(), "DECIMAL(20,0)"),
        (pa.null(), "STRING"),
        (pa.map_(pa.string(), pa.list_(pa.int8())), "MAP<STRING, ARRAY<TINYINT>>"),
        (pa.struct([("a b", pa.decimal128(5, 2))]), "STRUCT<`a b`: DECIMAL(5,2)>"),
    ],
    ids=str,
)
def test_types(type_: pa.DataType, expected: str) -> None:
    assert DIALECT.type_name(type_) == expected


@pytest.mark.parametrize("type_", [pa.time64("us"), pa.decimal256(76, 10), pa.duration("s")], ids=str)
def test_types_that_spark_has_not_are_refused(type_: pa.DataType) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.type_name(type_)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("(?P<a>b)", "(?<a>b)"), (r"\(?P<a>", r"\(?P<a>"), ("[(?P<a]", "[(?P<a]"), (r"\bw\b", r"\bw\b")],
)
def test_named_groups_are_written_as_in_java(pattern: str, expected: str) -> None:
    assert DIALECT.regex_match("x", pattern) == f"regexp_like(x, {DIALECT.literal(expected)})"


def test_a_pointer_is_read_back_from_the_text_of_its_view() -> None:
    for pointer in (
        Pointer("ff__rows__0123456789__r1"),
        Pointer("ff__rows__0123456789__r1", "ff__rows__1123456789__r0"),
    ):
        for place in ("", "`main`.", "`cat`.`main`."):
            assert pointer_in(pointer.text(place)) == pointer


@pytest.mark.parametrize(
    "text", ["", "SELECT * FROM `a`.`b`", "SELECT /* rows by flowforge */ * FROM `a`.`b` WHERE 1 = 1"]
)
def test_other_views_are_no_pointers(text: str) -> None:
    assert pointer_in(text) is None


def test_tables_of_rows_name_their_run_as_staging_relations_do() -> None:
    from flowforge.materialize.staging import STAGED, run_word

    name = new_rows("flowforge/2024-01-31_Ab/orders.ff")
    found = STAGED.fullmatch(name)
    assert found is not None
    assert found["run"] == run_word("2024-01-31_Ab")
    assert is_rows(name)
    assert is_rows(new_rows("conformance"))
    assert not is_rows("ff__orders__0123456789__run")
    assert new_rows("x") != new_rows("x")


@pytest.mark.parametrize(
    "type_",
    [pa.dictionary(pa.int32(), pa.large_string()), pa.list_(pa.uint8()), pa.struct([("a", pa.timestamp("s"))])],
    ids=str,
)
def test_what_is_stored_has_a_column_type(type_: pa.DataType) -> None:
    assert DIALECT.type_name(arrow.storable(type_)) == DIALECT.type_name(type_)


def test_rows_come_in_chunks_under_other_names() -> None:
    batches = [pa.RecordBatch.from_pydict({"A": [1, 2]}), pa.RecordBatch.from_pydict({"A": [3]})]
    reader = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    (table,) = arrow.chunks(reader, ["a"])
    assert table.to_pydict() == {"a": [1, 2, 3]}
    nothing = pa.RecordBatchReader.from_batches(batches[0].schema, [])
    assert list(arrow.chunks(nothing, ["a"])) == []


@attrs.frozen
class Type:
    """A type of Spark, as far as it is asked."""

    name: str
    elementType: Any = None  # noqa: N815

    def typeName(self) -> str:
        return self.name


@attrs.frozen
class Field:
    """A column of Spark."""

    name: str
    dataType: Type  # noqa: N815


def test_hashes_tell_null_and_the_sign_of_zero() -> None:
    query = content_query([Field("a", Type("long")), Field("b", Type("double"))], "t")
    assert query is not None
    assert "`a`, `a` IS NULL, CAST(`b` AS STRING), `b` IS NULL" in query


def test_what_has_no_exact_text_has_no_hash() -> None:
    assert content_query([Field("a", Type("array", Type("long")))], "t") is not None
    assert content_query([Field("a", Type("array", Type("timestamp")))], "t") is None


@pytest.mark.parametrize(
    "options",
    [
        TableOptions(format="parkett"),
        TableOptions(indexes=(Index(("id",)),)),
        TableOptions(grants={"select": ("x",)}),
        TableOptions(partition_by=("a",), cluster_by=("b",)),
        TableOptions(options={"a'b": "x"}),
        TableOptions(location="ff://nowhere"),
    ],
    ids=str,
)
def test_options_that_cannot_be_had_are_refused(options: TableOptions) -> None:
    with pytest.raises(UnsupportedError):
        check(options)


def test_a_view_has_a_comment_and_nothing_else() -> None:
    check(TableOptions(comment="x"), CreateKind.VIEW)
    with pytest.raises(UnsupportedError):
        check(TableOptions(format="delta"), CreateKind.VIEW)


def test_an_unknown_format_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnsupportedError, match="did you mean parquet"):
        check(TableOptions(format="parqet"))


EXACT: list[tuple[pa.DataType, str]] = [
    (pa.binary(), "hex(x)"),
    (pa.timestamp("us", "UTC"), "CAST(unix_micros(x) AS STRING)"),
    (
        pa.list_(pa.int64()),
        "to_json(x, map('timeZone', 'UTC', 'timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS', 'timestampNTZFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS'))",
    ),
    (pa.string(), "x"),
]


@pytest.mark.parametrize(("type_", "sql"), EXACT, ids=str)
def test_exact_texts_depend_on_no_session(type_: pa.DataType, sql: str) -> None:
    assert DIALECT.exact_text("x", type_) == sql
