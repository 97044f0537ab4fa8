"""JSON Lines are read exactly, or refused with a line and a next step."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.seeds import csv_file, json_reader
from flowforge.seeds.formats import JSON_LINES
from flowforge.seeds.load import open_seed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


def load(folder: Path, content: bytes | str, nested: bool = True, **types: str) -> pa.Table:
    (folder / "s.jsonl").write_bytes(content.encode() if isinstance(content, str) else content)
    return open_seed(folder, "s.jsonl", JSON_LINES, types, nested=nested).read_all()


def refusal(folder: Path, content: bytes | str, nested: bool = True, **types: str) -> FlowForgeError:
    with pytest.raises(FlowForgeError) as caught:
        load(folder, content, nested, **types)
    return caught.value


def column(folder: Path, *values: str, **types: str) -> tuple[pa.DataType, list[object]]:
    table = load(folder, "".join(f'{{"a": {value}}}\n' for value in values), **types)
    return table.schema.field("a").type, table.column("a").to_pylist()


@pytest.mark.parametrize(
    ("values", "type_", "read"),
    [
        (["1", "-5", "null"], pa.int64(), [1, -5, None]),
        (["9007199254740993", "9223372036854775807"], pa.int64(), [2**53 + 1, 2**63 - 1]),
        (["9223372036854775808", "1"], pa.decimal128(38, 0), [Decimal(2**63), Decimal(1)]),
        (["1" * 39], pa.string(), ["1" * 39]),
        (["1.5", "2"], pa.float64(), [1.5, 2.0]),
        (["2", "1.5"], pa.float64(), [2.0, 1.5]),
        (["1.5", "9007199254740993"], pa.decimal128(38, 1), [Decimal("1.5"), Decimal("9007199254740993.0")]),
        (["9007199254740993", "1.5"], pa.decimal128(38, 1), [Decimal("9007199254740993.0"), Decimal("1.5")]),
        (["0.1234567890123456789"], pa.decimal128(38, 19), [Decimal("0.1234567890123456789")]),
        (["0.30000000000000004"], pa.float64(), [0.30000000000000004]),
        (["1e3", "2.5"], pa.float64(), [1000.0, 2.5]),
        (["1e3"], pa.int64(), [1000]),
        (["1e400", "1"], pa.string(), ["1E+400", "1"]),
        (["true", "false", "null"], pa.bool_(), [True, False, None]),
        (['"00123"', '"NA"', '""'], pa.string(), ["00123", "NA", ""]),
        (['"1"', '"2"'], pa.string(), ["1", "2"]),
        (['"2024-01-01"'], pa.string(), ["2024-01-01"]),
        (['"a\\nb\\u00e9\\ud83d\\ude00"'], pa.string(), ["a\nbé😀"]),
        (["null"], pa.string(), [None]),
        (["[1, 2]", "[]", "null"], pa.list_(pa.int64()), [[1, 2], [], None]),
        (["[1]", "[0.5]"], pa.list_(pa.float64()), [[1.0], [0.5]]),
        (["[9007199254740993, 0.5]"], pa.list_(pa.decimal128(38, 1)), [[Decimal(2**53 + 1), Decimal("0.5")]]),
        (["{}", "null"], pa.string(), ["{}", None]),
        (["[[1], null]"], pa.list_(pa.list_(pa.int64())), [[[1], None]]),
        (
            ['{"x": 1}', '{"y": "t"}'],
            pa.struct([("x", pa.int64()), ("y", pa.string())]),
            [{"x": 1, "y": None}, {"x": None, "y": "t"}],
        ),
    ],
)
def test_a_type_is_given_only_when_no_value_changes(
    folder: Path, values: list[str], type_: pa.DataType, read: list[object]
) -> None:
    assert column(folder, *values) == (type_, read)


def test_a_fraction_among_whole_numbers_is_never_cut_off(folder: Path) -> None:
    """Arrow would turn a decimal into an integer without a word."""
    for block in (1, 2, 3, 8):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_reader, "BLOCK", block)
            assert column(folder, "1", "2", "3", "0.75", "4")[1] == [1.0, 2.0, 3.0, 0.75, 4.0]


def test_a_zero_with_a_sign_stays_a_number(folder: Path) -> None:
    type_, values = column(folder, "-0.0", "1.5")
    assert (type_, str(values)) == (pa.float64(), "[-0.0, 1.5]")


def test_missing_keys_are_null_and_their_order_is_free(folder: Path) -> None:
    assert load(folder, '{"a": 1, "b": "x"}\n{"b": "y"}\n{"c": 2, "a": 3}\n').to_pylist() == [
        {"a": 1, "b": "x", "c": None},
        {"a": None, "b": "y", "c": None},
        {"a": 3, "b": None, "c": 2},
    ]


def test_a_key_that_comes_late_is_a_column_of_all_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reader, "BLOCK", 4)
    content = "".join(f'{{"a": {n}}}\n' for n in range(10)) + '{"b": true}\n'
    table = load(folder, content)
    assert table.column_names == ["a", "b"]
    assert table.column("b").to_pylist() == [None] * 10 + [True]


@pytest.mark.parametrize(
    ("word", "text", "value"),
    [
        ("bigint", '"9007199254740993"', 2**53 + 1),
        ("integer", "5", 5),
        ("integer", "1e2", 100),
        ("double", "5", 5.0),
        ("numeric(5,2)", '"19.90"', Decimal("19.90")),
        ("numeric(5,2)", "19.90", Decimal("19.90")),
        ("boolean", "true", True),
        ("boolean", '"false"', False),
        ("date", '"2024-02-29"', dt.date(2024, 2, 29)),
        ("timestamptz", '"2024-02-29T12:00:00+01:00"', dt.datetime(2024, 2, 29, 11, tzinfo=dt.UTC)),
        ("string", "1.50", "1.50"),
        ("string", "true", "true"),
        ("string", '[1, {"a": 2.50, "b": null}]', '[1, {"a": 2.50, "b": null}]'),
        ("string", '{"é": "\\"x\\""}', '{"é": "\\"x\\""}'),
    ],
)
def test_declared_types_are_taken(folder: Path, word: str, text: str, value: object) -> None:
    assert column(folder, "null", text, a=word)[1] == [None, value]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("integer", "2147483648"),
        ("bigint", "1.5"),
        ("bigint", '"x"'),
        ("numeric(5,2)", "1.234"),
        ("date", '"2023-02-29"'),
        ("date", "20240101"),
        ("boolean", '"yes"'),
        ("bigint", "[1]"),
        ("double", "1e999"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_named_with_its_line(folder: Path, word: str, text: str) -> None:
    error = refusal(folder, f'{{"a": null}}\n\n{{"a": {text}}}\n', a=word)
    assert (error.code, str(error.location)) == ("FF2205", "s.jsonl:3")


def test_each_bad_column_is_reported(folder: Path) -> None:
    error = refusal(folder, '{"a": 1, "b": "x"}\n{"a": "1", "b": 1}\n')
    assert isinstance(error, ProjectErrors)
    assert [(one.code, str(one.location)) for one in error.errors] == [("FF2212", "s.jsonl:2")] * 2


@pytest.mark.parametrize(
    ("content", "code", "place", "says"),
    [
        (b"", "FF2204", "s.jsonl:1", "no columns"),
        (b"\n \n", "FF2204", "s.jsonl:1", "no columns"),
        (b"{}\n", "FF2204", "s.jsonl:1", "no columns"),
        (b'{"a": 1}\n{"a": 1, "a": 2}\n', "FF2211", "s.jsonl:2", "'a' is there twice"),
        (b'{"a": {"b": 1, "b": 1}}\n', "FF2211", "s.jsonl:1", "'b' is there twice"),
        (b'{"a": 1}\n{"a": \n', "FF2211", "s.jsonl:2:6", "no JSON"),
        (b'{"a": 1}\n{"a": 2', "FF2211", "s.jsonl:2:8", "no JSON"),
        (b"{'a': 1}\n", "FF2211", "s.jsonl:1:2", "no JSON"),
        (b'{"a": 1} {"a": 2}\n', "FF2211", "s.jsonl:1:10", "extra data"),
        (b'[\n{"a": 1}\n]\n', "FF2211", "s.jsonl:1:2", "no JSON"),
        (b"[1]\n", "FF2211", "s.jsonl:1", "a list, not an object"),
        (b'"x"\n', "FF2211", "s.jsonl:1", "a text, not an object"),
        (b"null\n", "FF2211", "s.jsonl:1", "null, not an object"),
        (b'{"a": NaN}\n', "FF2211", "s.jsonl:1", "NaN"),
        (b'{"a": -Infinity}\n', "FF2211", "s.jsonl:1", "-Infinity"),
        (b'{"a": "x\ty"}\n', "FF2211", "s.jsonl:1:9", "no JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "FF2211", "s.jsonl:1", "too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "FF2211", "s.jsonl:1", "too large"),
        (b'{"a": 1e9999999999999999999}', "FF2211", "s.jsonl:1", "too large"),
        (b'{"a": "x"}\n{"a": "caf\xe9"}\n', "FF2202", "s.jsonl:2:11", "not UTF-8"),
        (b'\xff\xfe{\0"\0', "FF2202", "s.jsonl:1:1", "UTF-16"),
        (b'{"a": "x"}\n{"a": "\\u0000"}\n', "FF2202", "s.jsonl:2", "NUL"),
        (b'{"a": "\\ud800"}\n', "FF2202", "s.jsonl:1", "half of a character"),
        (b'{"a": ["\\udc00"]}\n', "FF2202", "s.jsonl:1", "half of a character"),
        (b'{"a": 1}\n{"": 1}\n', "FF2204", "s.jsonl:2", "no name"),
        (b'{"a": 1}\n{"A": 1}\n', "FF2204", "s.jsonl:2", "twice, once as 'a'"),
        (b'{"a": 1}\n{"a": null}\n{"a": "1"}\n', "FF2212", "s.jsonl:3", "a text, the one on line 1 is a number"),
        (b'{"a": true}\n{"a": 1}\n', "FF2212", "s.jsonl:2", "the one on line 1 is true or false"),
        (b'{"a": [1]}\n{"a": {"x": 1}}\n', "FF2212", "s.jsonl:2", "an object, the one on line 1 is a list"),
        (b'{"a": 1}\n{"a": [1, "x"]}\n', "FF2212", "s.jsonl:2", "no type in common"),
        (b'{"a": {"x": 1}}\n{"a": {"x": "1"}}\n', "FF2212", "s.jsonl:2", "no type in common"),
    ],
    ids=lambda one: repr(one)[:30],
)
def test_what_cannot_be_read_exactly_is_refused_with_its_line(
    folder: Path, content: bytes, code: str, place: str, says: str
) -> None:
    error = refusal(folder, content)
    assert (error.code, str(error.location)) == (code, place)
    assert says in error.message
    assert error.help


def test_blocks_do_not_hide_a_clash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reader, "BLOCK", 2)
    content = '{"a": 1}\n{"a": 2}\n\n{"a": "x"}\n{"a": "y"}\n'
    error = refusal(folder, content)
    assert (error.code, str(error.location)) == ("FF2212", "s.jsonl:4")
    assert "the one on line 1 is a number" in error.message


def test_line_ends_blank_lines_and_byte_order_mark_are_no_data(folder: Path) -> None:
    for text in ('\ufeff{"a": 1}\r\n{"a": 2}\r\n', '{"a": 1}\n\n  \n{"a": 2}', ' {"a": 1} \n\t{"a": 2}\n\n'):
        assert load(folder, text).to_pylist() == [{"a": 1}, {"a": 2}]
    # These end lines elsewhere, and not in JSON.
    assert load(folder, '{"a": "x\u2028\u0085y"}\n').to_pylist() == [{"a": "x\u2028\u0085y"}]


def test_declared_columns_make_an_empty_file_a_table(folder: Path) -> None:
    assert load(folder, "", a="bigint", b="date").schema == pa.schema([("a", pa.int64()), ("b", pa.date32())])
    error = refusal(folder, '{"email": 1}\n', emial="string")
    assert (error.code, error.help) == ("FF2205", "did you mean 'email'?")


def test_an_engine_without_lists_and_objects_is_told_the_line(folder: Path) -> None:
    content = '{"a": 1}\n{"b": [1]}\n{"c": {"x": 1}}\n'
    error = refusal(folder, content, nested=False)
    assert isinstance(error, ProjectErrors)
    assert [(one.code, str(one.location)) for one in error.errors] == [("FF2214", "s.jsonl:2"), ("FF2214", "s.jsonl:3")]
    assert load(folder, content, nested=False, b="string", c="string").column("b").to_pylist() == [None, "[1]", None]
    assert load(folder, content).schema.field("b").metadata is None


def test_a_very_large_file_is_mapped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "IN_MEMORY", 4)
    assert load(folder, '{"a": 1}\n{"a": 2}').to_pylist() == [{"a": 1}, {"a": 2}]


NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**12), max_value=10**12),
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), NUMBERS), max_size=7),
    st.lists(st.one_of(st.none(), TEXTS), max_size=7),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=7),
    st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), TEXTS), max_size=3)), max_size=7),
    st.lists(st.one_of(st.none(), st.lists(NUMBERS, max_size=3)), max_size=7),
)


def written(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def same(read: Any, wrote: Any) -> bool:
    if isinstance(wrote, list):
        return len(read) == len(wrote) and all(map(same, read, wrote))
    if isinstance(wrote, (int, float, Decimal)) and not isinstance(wrote, bool):
        exact = Decimal(repr(wrote)) if isinstance(wrote, float) else Decimal(wrote)
        return Decimal(repr(read) if isinstance(read, float) else str(read)) == exact
    return bool(read == wrote)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(columns=st.lists(COLUMNS, min_size=1, max_size=3), block=st.sampled_from([1, 3, 100]))
def test_what_is_written_is_read(folder: Path, columns: list[list[Any]], block: int) -> None:
    rows = max(map(len, columns))
    lines = [
        "{" + ",".join(f'"c{n}":{written(one[row])}' for n, one in enumerate(columns) if row < len(one)) + "}"
        for row in range(rows)
    ]
    if not rows:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "BLOCK", block)
        table = load(folder, "\n".join(lines))
    for n, one in enumerate(columns):
        if one:
            for read, wrote in zip(table.column(f"c{n}").to_pylist(), one, strict=False):
                assert same(read, wrote), (read, wrote, table.schema)
