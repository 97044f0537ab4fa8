"""CSV seeds are read exactly, or refused with a file, a line and a next step."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import assume, example, given

from flowforge.errors import FlowForgeError, ProjectErrors, SeedError
from flowforge.seeds import csv_file
from flowforge.seeds.formats import CSV
from flowforge.seeds.load import open_seed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds")


def load(folder: Path, content: bytes | str, **types: str) -> pa.Table:
    (folder / "s.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return open_seed(folder, "s.csv", CSV, types).read_all()


def refusal(folder: Path, content: bytes | str, **types: str) -> FlowForgeError:
    with pytest.raises(FlowForgeError) as caught:
        load(folder, content, **types)
    return caught.value


def column(folder: Path, *values: str, **types: str) -> tuple[pa.DataType, list[object]]:
    table = load(folder, "\n".join(["a,b", *(f"{value},x" for value in values)]), **types)
    return table.schema.field("a").type, table.column("a").to_pylist()


# -- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "type_", "read"),
    [
        (["1", "-5", "0"], pa.int64(), [1, -5, 0]),
        (["9007199254740993", "9223372036854775807"], pa.int64(), [2**53 + 1, 2**63 - 1]),
        (["-9223372036854775808"], pa.int64(), [-(2**63)]),
        (["9223372036854775808", "1"], pa.decimal128(38, 0), [Decimal(2**63), Decimal(1)]),
        (["123456789012345678901234567890"], pa.decimal128(38, 0), [Decimal("123456789012345678901234567890")]),
        (["1" * 39], pa.string(), ["1" * 39]),
        (["00123", "5"], pa.string(), ["00123", "5"]),
        (["5", "00123"], pa.string(), ["5", "00123"]),
        (["+1"], pa.string(), ["+1"]),
        (["-0", "1"], pa.string(), ["-0", "1"]),
        (["-0.0", "1.5"], pa.string(), ["-0.0", "1.5"]),
        ([" 1"], pa.string(), [" 1"]),
        (["0x1F"], pa.string(), ["0x1F"]),
        (["1_000"], pa.string(), ["1_000"]),
        (["1e5"], pa.string(), ["1e5"]),
        (["19.9", "0.5"], pa.float64(), [19.9, 0.5]),
        (["19.90", "5"], pa.float64(), [19.9, 5.0]),
        (["0.1234567890123456789"], pa.decimal128(38, 19), [Decimal("0.1234567890123456789")]),
        (["9007199254740993", "0.5"], pa.decimal128(38, 1), [Decimal("9007199254740993.0"), Decimal("0.5")]),
        (["0.5", "9007199254740993"], pa.decimal128(38, 1), [Decimal("0.5"), Decimal("9007199254740993.0")]),
        (["1" * 30 + "." + "1" * 9], pa.string(), ["1" * 30 + "." + "1" * 9]),
        (["1" * 400 + ".5"], pa.string(), ["1" * 400 + ".5"]),
        (
            ["0.1000000000000000055511151231257827"],
            pa.decimal128(38, 34),
            [Decimal("0.1000000000000000055511151231257827")],
        ),
        (["0.30000000000000004"], pa.float64(), [0.30000000000000004]),
        (["1.", ".5"], pa.string(), ["1.", ".5"]),
        (["true", "false"], pa.bool_(), [True, False]),
        (["TRUE", "FALSE"], pa.bool_(), [True, False]),
        (["true", "False"], pa.string(), ["true", "False"]),
        (["true", "1"], pa.string(), ["true", "1"]),
        (["yes", "no"], pa.string(), ["yes", "no"]),
        (["2024-02-29", "0001-01-01"], pa.date32(), [dt.date(2024, 2, 29), dt.date(1, 1, 1)]),
        (["2023-02-29"], pa.string(), ["2023-02-29"]),
        (["0000-01-01"], pa.string(), ["0000-01-01"]),
        (["2024-1-1"], pa.string(), ["2024-1-1"]),
        (["01/02/2024"], pa.string(), ["01/02/2024"]),
        (["2024-01-01", "2024-01-01 10:00:00"], pa.string(), ["2024-01-01", "2024-01-01 10:00:00"]),
        (
            ["2024-01-01 10:00:00", "2024-01-01T10:00:00.125"],
            pa.timestamp("us"),
            [dt.datetime.fromisoformat("2024-01-01 10:00"), dt.datetime.fromisoformat("2024-01-01 10:00:00.125")],
        ),
        (["2024-01-01 10:00:00.1234567"], pa.string(), ["2024-01-01 10:00:00.1234567"]),
        (["2024-01-01 25:00:00"], pa.string(), ["2024-01-01 25:00:00"]),
        (
            ["2024-01-01T10:00:00Z", "2024-01-01 10:00:00+02:00"],
            pa.timestamp("us", "UTC"),
            [dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 8, tzinfo=dt.UTC)],
        ),
        (
            ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"],
            pa.string(),
            ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00"],
        ),
        (["9999-12-31 23:59:59-01:00"], pa.string(), ["9999-12-31 23:59:59-01:00"]),
        (["NaN", "1.5"], pa.string(), ["NaN", "1.5"]),
        (["1.5", "inf"], pa.string(), ["1.5", "inf"]),
        (["", ""], pa.string(), [None, None]),
        (["", "1"], pa.int64(), [None, 1]),
        (["1", '""'], pa.string(), ["1", ""]),
        (["12\u0663"], pa.string(), ["12\u0663"]),
    ],
)
def test_a_type_is_given_only_when_no_value_changes(
    folder: Path, values: list[str], type_: pa.DataType, read: list[object]
) -> None:
    assert column(folder, *values) == (type_, read)


@pytest.mark.parametrize("word", ["NA", "null", "None", "NULL", "N/A", "nan", "\\N", "-", "#N/A"])
def test_words_for_nothing_stay_text(folder: Path, word: str) -> None:
    assert column(folder, word, "") == (pa.string(), [word, None])


def test_only_an_empty_field_without_quotes_is_null(folder: Path) -> None:
    assert load(folder, 'a,b\n,""\n"",\n').to_pylist() == [{"a": None, "b": ""}, {"a": "", "b": None}]


def test_types_depend_on_all_blocks_and_not_on_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 64)
    numbers = [str(number) for number in range(200)]
    assert column(folder, *numbers)[0] == pa.int64()
    assert column(folder, *numbers, "0.25")[0] == pa.float64()
    assert column(folder, "0.25", *numbers)[0] == pa.float64()
    assert column(folder, *numbers, "x") == (pa.string(), [*numbers, "x"])
    assert column(folder, *[""] * 100, *numbers, "9223372036854775808")[0] == pa.decimal128(38, 0)


# -- declared types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "text", "value"),
    [
        ("integer", "00123", 123),
        ("bigint", "9007199254740993", 2**53 + 1),
        ("double", "NaN", "nan"),
        ("double", "-Infinity", float("-inf")),
        ("double", "1e-5", 1e-5),
        ("numeric", "1.123456789", Decimal("1.123456789")),
        ("numeric(10, 2)", "-3.5", Decimal("-3.50")),
        ("NUMERIC(38)", "9" * 38, Decimal("9" * 38)),
        ("boolean", "1", True),
        ("boolean", "False", False),
        ("string", "00123", "00123"),
        ("date", "2024-02-29", dt.date(2024, 2, 29)),
        ("timestamp", "2024-02-29", dt.datetime.fromisoformat("2024-02-29")),
        ("timestamptz", "2024-02-29 12:00", dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)),
        ("timestamptz", "2024-02-29 12:00+01", dt.datetime(2024, 2, 29, 11, tzinfo=dt.UTC)),
    ],
)
def test_declared_types_are_taken(folder: Path, word: str, text: str, value: object) -> None:
    (read, null) = column(folder, text, "", a=word)[1]
    assert null is None
    assert str(read) == value if value == "nan" else read == value


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("integer", "2147483648"),
        ("integer", "1.0"),
        ("integer", "0x1F"),
        ("integer", " 1"),
        ("integer", '""'),
        ("bigint", "9223372036854775808"),
        ("bigint", "abc"),
        ("double", "1e999"),
        ("double", "1,5"),
        ("numeric", "0.1234567891"),
        ("numeric(5,2)", "1000"),
        ("numeric(5,2)", "1e2"),
        ("numeric", "nan"),
        ("boolean", "yes"),
        ("date", "2023-02-29"),
        ("date", "2024-01-01 00:00:00"),
        ("timestamp", "2024-01-01 10:00:00Z"),
        ("timestamp", "2024-01-01 10:00:00.1234567"),
        ("timestamptz", "2024-01-01"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_named_with_its_place(folder: Path, word: str, text: str) -> None:
    quoted = f'"{text}"' if "," in text else text
    error = refusal(folder, f'b,a\n"one\ntwo",\nü,{quoted}\n', a=word)
    assert (error.code, str(error.location)) == ("FF2205", "s.csv:4:3")
    assert f"'{text.strip(chr(34))}'" in error.message
    assert f"'a' is declared as {word}," in error.message


def test_each_bad_column_is_reported_once(folder: Path) -> None:
    error = refusal(folder, "a,b,c\n1,1,1\nx,1,1\ny,z,1\n", a="integer", b="integer", c="integer")
    assert isinstance(error, ProjectErrors)
    assert [str(one.location) for one in error.errors] == ["s.csv:3:1", "s.csv:4:3"]


def test_the_first_misfit_is_found_far_in_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 256)
    rows = [f"{index},2024-01-{index % 28 + 1:02d}" for index in range(500)]
    rows[321] = "321,2024-02-30"
    error = refusal(folder, "\n".join(["id,day", *rows]), day="date")
    assert str(error.location) == "s.csv:323:5"


def test_declared_columns_match_whatever_their_case_and_unknown_ones_are_refused(folder: Path) -> None:
    assert load(folder, "Id\n007\n", id="string").to_pylist() == [{"Id": "007"}]
    error = refusal(folder, "email,id\n", emial="string")
    assert error.code == "FF2205"
    assert error.help == "did you mean 'email'?"


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_header_alone_is_an_empty_table(folder: Path) -> None:
    for content in ("id,name", "id,name\n", "id,name\r\n\r\n", "\ufeffid,name\n"):
        table = load(folder, content)
        assert table.schema == pa.schema([("id", pa.string()), ("name", pa.string())])
        assert table.num_rows == 0
    assert load(folder, "id,name\n", id="bigint").schema.field("id").type == pa.int64()


@pytest.mark.parametrize(
    ("content", "code", "place", "says"),
    [
        (b"", "FF2204", "s.csv:1", "empty"),
        (b"\xef\xbb\xbf", "FF2204", "s.csv:1", "empty"),
        (b"\n1,2\n", "FF2204", "s.csv:1", "blank"),
        (b"  \n", "FF2204", "s.csv:1", "blank"),
        (b"a,b\n1,2\n3\n", "FF2203", "s.csv:3:1", "1 value,"),
        (b"a,b\n1,2\n3,4,5\n", "FF2203", "s.csv:3:1", "3 values,"),
        (b'a,b\n"x\ny",2\n\n3\n', "FF2203", "s.csv:5:1", "1 value,"),
        (b"a,b\r\n1,2\r\n3,\r\n4\r\n", "FF2203", "s.csv:4:1", "1 value,"),
        (b"a,b\n1,2,\n", "FF2203", "s.csv:2:1", "3 values,"),
        (b"a,a\n", "FF2204", "s.csv:1:3", "twice"),
        (b"id,x,ID\n", "FF2204", "s.csv:1:6", "twice, once as 'id'"),
        (b"a,,b\n", "FF2204", "s.csv:1:3", "column 2 has no name"),
        (b'a," "\n', "FF2204", "s.csv:1:3", "column 2 has no name"),
        (b"a,b,\n", "FF2204", "s.csv:1:5", "column 3 has no name"),
        (b"a,b\nx,caf\xe9\n", "FF2202", "s.csv:2:6", "byte 9 "),
        (b"\xef\xbb\xbfa,b\nx,caf\xe9\n", "FF2202", "s.csv:2:6", "byte 12 "),
        (b"caf\xe9,b\n", "FF2202", "s.csv:1:4", "byte 3 "),
        (b"a,b\n1,x\0y\n", "FF2202", "s.csv:2:4", "byte 7 is NUL"),
        ("a,b\n1,2\n".encode("utf-16"), "FF2202", "s.csv:1:1", "UTF-16"),
        (b'a,b\n1,x"y\n', "FF2203", "s.csv:2:4", "inside a field that is not quoted"),
        (b'a,b\n1,"xy\n2,z\n', "FF2203", "s.csv:2:3", "never closed"),
        (b'a,b\n"x"y,1\n', "FF2203", "s.csv:2:4", "follows a closing quote"),
        (b'a,b\n"x" ,1\n', "FF2203", "s.csv:2:4", "follows a closing quote"),
        (b"a\nx\ry\n", "FF2203", "s.csv:2:2", "carriage return"),
        (b"a\r\rx\n", "FF2203", "s.csv:1:2", "carriage return"),
        (b"a\n1\n\n2\n", "FF2203", "s.csv:3:1", "blank line"),
        (b"a\n\n", "FF2203", "s.csv:2:1", "blank line"),
    ],
)
def test_what_cannot_be_read_exactly_is_refused_with_its_line(
    folder: Path, content: bytes, code: str, place: str, says: str
) -> None:
    error = refusal(folder, content)
    assert isinstance(error, SeedError)
    assert (error.code, str(error.location)) == (code, place)
    assert says in error.message
    assert error.help


def test_other_separators_are_recognised_in_the_help(folder: Path) -> None:
    assert "delimiter: ';'" in (refusal(folder, "a,b\n1;2\n").help or "")
    for mark in (";", "\t", "|"):
        error = refusal(folder, f"a{mark}b\n1{mark}2\n")
        assert (error.code, str(error.location)) == ("FF2204", "s.csv:1:1")
        assert f"delimiter: {mark!r}" in (error.help or "")
    assert load(folder, '"a;b"\n1;2\n').to_pylist() == [{"a;b": "1;2"}]


def test_line_ends_and_byte_order_mark_are_no_data(folder: Path) -> None:
    rows = [{"id": 1, "name": "é😀"}, {"id": 2, "name": "x"}]
    for end in ("\n", "\r\n", "\r"):
        for start in ("", "\ufeff"):
            for last in ("", end, end + end):
                content = start + end.join(["id,name", "1,é😀", "2,x"]) + last
                assert load(folder, content).to_pylist() == rows


def test_a_quoted_value_keeps_its_line_ends(folder: Path) -> None:
    assert load(folder, b'a,b\n"1\r\n2\r3\n\n4","say ""hi"""\n').to_pylist() == [
        {"a": "1\r\n2\r3\n\n4", "b": 'say "hi"'}
    ]


def test_a_byte_order_mark_after_the_header_belongs_to_the_value(folder: Path) -> None:
    assert load(folder, "a\n\ufeff\nb\n").to_pylist() == [{"a": "\ufeff"}, {"a": "b"}]


def test_a_line_end_inside_quotes_may_lie_across_two_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": "x" * n + "\r\n" + "y"} for n in range(40)]
    content = "a\n" + "".join(f'"{row["a"]}"\n' for row in rows)
    for block in range(43, 90):
        monkeypatch.setattr(csv_file, "BLOCK", block)
        assert load(folder, content).to_pylist() == rows


def test_awkward_headers_are_kept(folder: Path) -> None:
    names = ["select", "a b", "naïve", "😀", 'x"y', "a.b", "new\nline", "x; drop table y; --", "1"]
    text = io.StringIO()
    csv.writer(text).writerow(names)
    assert load(folder, text.getvalue()).column_names == names


def test_a_value_may_be_longer_than_a_block(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 64)
    rows = [("1", "x"), ("2", "y" * 5000), ("3", "z\n" * 4000), *((str(n), "w") for n in range(300))]
    text = io.StringIO()
    csv.writer(text).writerows([("a", "b"), *rows])
    assert load(folder, text.getvalue(), a="string").to_pylist() == [{"a": a, "b": b} for a, b in rows]


def test_a_thousand_columns(folder: Path) -> None:
    names = [f"c{index}" for index in range(1000)]
    table = load(folder, "\n".join([",".join(names), ",".join("1" * 1000)]))
    assert table.column_names == names
    assert table.num_rows == 1


def test_columns_of_different_types_stream_in_many_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "BLOCK", 512)
    (folder / "s.csv").write_text("i,f,d,t\n" + "".join(f"{n},{n}.5,2024-01-01,n{n}\n" for n in range(1000)))
    reader = open_seed(folder, "s.csv", CSV, {})
    assert reader.schema.types == [pa.int64(), pa.float64(), pa.date32(), pa.string()]
    batches = list(reader)
    assert len(batches) > 5
    assert [row["f"] for batch in batches for row in batch.to_pylist()] == [n + 0.5 for n in range(1000)]


def test_a_seed_that_is_gone_or_no_file(folder: Path) -> None:
    for path in ("none.csv", "."):
        with pytest.raises(SeedError) as caught:
            open_seed(folder, path, CSV, {})
        assert caught.value.code == "FF2201"
        assert str(folder) not in str(caught.value)


# -- properties ----------------------------------------------------------------------------------------------------

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", '"', '""', ",", "\n", "\r", "\r\n", "'", " ", "NA", "null", "00", "1", "\ufeff", "\u2028", "\x1a", "a,b", "\\"]
)
NAMES = st.lists(VALUES.filter(str.strip), min_size=1, max_size=4, unique_by=str.casefold)


@given(st.data(), NAMES, st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]))
def test_any_text_table_written_by_the_csv_module_comes_back(
    folder: Path, data: st.DataObject, names: list[str], quoting: int
) -> None:
    assume(not names[0].startswith("\ufeff"))  # at the start of a file it is a byte order mark
    # One name that holds what often separates names is refused, unless there are quotes around it.
    assume(len(names) > 1 or quoting != csv.QUOTE_MINIMAL or not set(names[0]) & set("|;\t"))
    rows = data.draw(st.lists(st.tuples(*[VALUES] * len(names)), max_size=6))
    # With "\n" some versions of the csv module leave a carriage return unquoted, so that nobody can read it back.
    end = "\r\n" if quoting == csv.QUOTE_MINIMAL else data.draw(st.sampled_from(["\n", "\r\n"]))
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerow(names)
    writer.writerows(rows)
    quotes_empty = quoting != csv.QUOTE_MINIMAL or len(names) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK", data.draw(st.sampled_from([csv_file.BLOCK, 8, 24])))
        table = load(folder, text.getvalue(), **dict.fromkeys(names, "string"))
    assert table.column_names == names
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        tuple(value if value or quotes_empty else None for value in row) for row in rows
    ]


LOOKALIKES = st.one_of(
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})\Z"),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,18})\.[0-9]{1,19}\Z"),
    st.from_regex(r"\A[+-]?[0-9.eE]{1,6}\Z"),
    st.floats(allow_nan=True).map(repr),
    st.dates().map(dt.date.isoformat),
    st.datetimes().map(lambda moment: moment.isoformat(sep=" ")),
    st.datetimes(timezones=st.just(dt.UTC)).map(dt.datetime.isoformat),
    st.from_regex(
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?\Z"
    ),
    st.sampled_from(["true", "false", "TRUE", "False", "", "NA", "x", "-0", "0.0", "-0.0", "1e3", "inf"]),
)


def says_the_same(text: str, value: object) -> bool:
    """Whether a typed value and the text it was read from are the same value, by Python's own reading of the text."""
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int):
        return text == str(value)
    if isinstance(value, float):
        return Decimal(repr(value)) == Decimal(text) and "e" not in text.lower()
    if isinstance(value, Decimal):
        return value == Decimal(text) and "e" not in text.lower()
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(text) == value
    if isinstance(value, dt.date):
        return value.isoformat() == text
    return text == value


@given(st.lists(LOOKALIKES, min_size=1, max_size=5), st.booleans())
@example(["9007199254740993", "1.5"], False)
@example(["0.1", "-0.0"], False)
def test_inferred_values_say_what_the_text_said(folder: Path, texts: list[str], repeat: bool) -> None:
    texts = texts * 2 if repeat else texts
    type_, values = column(folder, *texts)
    for text, value in zip(texts, values, strict=True):
        if text == "":
            assert value is None
        else:
            assert says_the_same(text, value), (type_, text, value)


@given(st.binary(max_size=60) | st.text('a1,"\n\r\ufeff-.:é', max_size=40).map(str.encode))
@example(b'a\n"')
@example(b"a,b\n1,2\n\xff")
@example(b"\xef\xbb\xbf\n")
def test_any_bytes_are_read_or_refused_inside_the_file(folder: Path, content: bytes) -> None:
    try:
        load(folder, content)
    except SeedError as error:
        assert error.location is not None
        assert error.location.path == "s.csv"
        lines = content.count(b"\n") + content.count(b"\r") + 1
        assert 1 <= (error.location.line or 1) <= lines
        assert error.code in {"FF2202", "FF2203", "FF2204"}, error
