"""Words for types: which Arrow types they mean, which texts can name a type, and when two of them are the same."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flowforge.config.type_words import WORDS, arrow_type, same_kind, same_word, type_flaw


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_its_own_kind_and_no_other(word: str) -> None:
    own = arrow_type(word)
    also = {"numeric"} if pa.types.is_decimal(own) else set()
    assert {other for other in WORDS if same_kind(other, own)} == {word} | also


@pytest.mark.parametrize(
    ("word", "type_", "same"),
    [
        ("string", pa.large_string(), True),
        ("string", pa.binary(), False),
        ("numeric", pa.decimal256(50, 3), True),
        ("numeric(10,2)", pa.decimal128(10, 2), True),
        ("numeric(10,2)", pa.decimal128(12, 2), False),
        ("numeric(10,2)", pa.float64(), False),
        ("timestamp", pa.timestamp("ns"), True),
        ("timestamp", pa.timestamp("us", "UTC"), False),
        ("timestamptz", pa.timestamp("us", "Europe/Berlin"), True),
        ("integer", pa.int64(), False),
        ("double", pa.float32(), False),
    ],
)
def test_kinds(word: str, type_: pa.DataType, same: bool) -> None:
    assert same_kind(word, type_) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("DECIMAL(10,2)", "decimal ( 10, 2 )", True),
        ("character varying(10)", "CHARACTER  VARYING(10)", True),
        ("ENUM('a', 'B')", "enum('a','B')", True),
        ("ENUM('a b')", "ENUM('a  b')", False),
        ("ENUM('a')", "ENUM('A')", False),
        ("numeric(10,2)", "numeric(10,3)", False),
    ],
)
def test_the_same_words(one: str, other: str, same: bool) -> None:
    assert same_word(one, other) is same


@pytest.mark.parametrize(
    "text",
    [
        "int",
        "numeric(10, 2)",
        'STRUCT(a INTEGER, "b c" TEXT)',
        "ARRAY<STRUCT<a: INT64>>",
        "ENUM('it''s', 'x;y')",
        "x.y",
    ],
)
def test_texts_that_may_name_a_type(text: str) -> None:
    assert type_flaw(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "int); drop table x",
        "int) as a, (1",
        "int -- no",
        "int /* no */",
        "numeric(10",
        "array<int",
        "a]",
        "'open",
        "a;b",
    ],
)
def test_texts_that_name_none(text: str) -> None:
    assert type_flaw(text) is not None
