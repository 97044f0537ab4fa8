"""CSV files that are written differently: what the settings say is what is read, and nothing else."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from flowforge.errors import FlowForgeError, SeedError
from flowforge.seeds import csv_file
from flowforge.seeds.csv_options import CsvOptions
from flowforge.seeds.formats import CSV, TSV
from flowforge.seeds.load import open_seed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("options")


def load(folder: Path, content: bytes | str, types: dict[str, str] | None = None, **options: Any) -> pa.Table:
    (folder / "s.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return open_seed(folder, "s.csv", CSV, types or {}, CsvOptions(**options) if options else None).read_all()


def refusal(folder: Path, content: bytes | str, types: dict[str, str] | None = None, **options: Any) -> FlowForgeError:
    with pytest.raises(FlowForgeError) as caught:
        load(folder, content, types, **options)
    return caught.value


@pytest.mark.parametrize("mark", [";", "\t", "|", " ", "^", "]", "\\", "a", "-"])
def test_any_character_may_separate(folder: Path, mark: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows([["x", f"y{mark}z"], ["1", f"v{mark}w"], ["2", 'say "hi"\r\n']])
    assert load(folder, text.getvalue(), delimiter=mark).to_pylist() == [
        {"x": 1, f"y{mark}z": f"v{mark}w"},
        {"x": 2, f"y{mark}z": 'say "hi"\r\n'},
    ]


def test_tabs_separate_in_tsv_files(folder: Path) -> None:
    (folder / "s.tsv").write_text('a\tb\n1,5\t"x\ty"\n')
    assert open_seed(folder, "s.tsv", TSV, {}).read_all().to_pylist() == [{"a": "1,5", "b": "x\ty"}]
    (folder / "s.tsv").write_text("a;b\n1;2\n")
    options = CsvOptions(delimiter=";")
    assert open_seed(folder, "s.tsv", TSV, {}, options).read_all().to_pylist() == [{"a": 1, "b": 2}]


def test_words_for_delimiters() -> None:
    assert CsvOptions(delimiter="tab").delimiter == CsvOptions(delimiter="\\t").delimiter == "\t"
    assert CsvOptions(quote="none").quote == CsvOptions(quote=None).quote == CsvOptions(quote="").quote == ""
    assert CsvOptions(encoding="Latin1").encoding == CsvOptions(encoding="latin-1").encoding


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ";;"},
        {"delimiter": ""},
        {"delimiter": "\n"},
        {"delimiter": "§"},
        {"quote": "ab"},
        {"quote": "x"},
        {"quote": " "},
        {"quote": ","},
        {"delimiter": "'", "quote": "'"},
        {"encoding": "utf9"},
        {"encoding": "rot13"},
        {"encoding": "base64"},
        {"encoding": "idna"},
        {"encoding": ""},
        {"header": False},
        {"names": ("a",)},
        {"header": False, "names": ("a", "A")},
        {"header": False, "names": ("a", " ")},
        {"decimal": ";"},
        {"null_values": ("a\nb",)},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CsvOptions(**options)


def test_another_quote_and_none_at_all(folder: Path) -> None:
    assert load(folder, "a,b\n'x,''y',\"\n", quote="'").to_pylist() == [{"a": "x,'y", "b": '"'}]
    assert load(folder, 'a,b\n"x,5" tall\n,""\n', quote="none").to_pylist() == [
        {"a": '"x', "b": '5" tall'},
        {"a": None, "b": '""'},
    ]
    error = refusal(folder, "a,b\n'x'y,1\n", quote="'")
    assert (error.code, str(error.location)) == ("FF2203", "s.csv:2:4")
    assert "'say ''hi'''" in (error.help or "")
    assert "quote: none" in (error.help or "")


def test_ragged_rows_of_other_delimiters_are_found(folder: Path) -> None:
    error = refusal(folder, "a;b\n1;2\n1,2\n", delimiter=";")
    assert (error.code, str(error.location)) == ("FF2203", "s.csv:3:1")
    assert "delimiter: ','" in (error.help or "")
    error = refusal(folder, "a;b\n1;2\n1;2;3\n", delimiter=";")
    assert "a semicolon" in (error.help or "")


def test_declared_words_are_null_unless_they_are_quoted(folder: Path) -> None:
    content = 'a,b\nNA,1\n"NA",\\N\n,3\nnone,"\\N"\n'
    assert load(folder, content, null_values=("NA", "\\N")).to_pylist() == [
        {"a": None, "b": "1"},
        {"a": "NA", "b": None},
        {"a": None, "b": "3"},
        {"a": "none", "b": "\\N"},
    ]
    numbers = load(folder, "a,b\n1,x\nNA,y\n", null_values=("NA",))
    assert numbers.column("a").to_pylist() == [1, None]
    assert load(folder, "a,b\n1,x\nNA,y\n", {"a": "integer"}, null_values=("NA",))["a"].to_pylist() == [1, None]


def test_a_declared_encoding_is_decoded_exactly(folder: Path) -> None:
    text = "name;größe\nJürgen;ä\n"
    for encoding in ("latin-1", "windows-1252", "iso-8859-15", "utf-16", "utf-16-le", "cp850", "utf-32"):
        content = text.encode(encoding)
        assert load(folder, content, delimiter=";", encoding=encoding).to_pylist() == [
            {"name": "Jürgen", "größe": "ä"}
        ], encoding
    assert load(folder, "a,b\n€,1\n".encode("cp1252"), encoding="cp1252")["a"].to_pylist() == ["€"]
    assert load(folder, "ab,b\nя,1\n".encode("koi8-r"), encoding="koi8-r")["ab"].to_pylist() == ["я"]


def test_latin_1_is_refused_with_its_line_and_says_how_to_declare_it(folder: Path) -> None:
    error = refusal(folder, b"a,b\n1,x\n2,caf\xe9\n")
    assert (error.code, str(error.location)) == ("FF2202", "s.csv:3:6")
    assert "encoding: windows-1252" in (error.help or "")


def test_a_byte_that_is_not_of_the_declared_encoding_is_named(folder: Path) -> None:
    error = refusal(folder, b"a,b\r\n1,2\r\n\x81,x\n", encoding="cp1252")
    assert isinstance(error, SeedError)
    assert (error.code, str(error.location)) == ("FF2202", "s.csv:3")
    assert "byte 10 " in error.message
    error = refusal(folder, b"a,b\n1,\x83", encoding="cp932")
    assert (error.code, str(error.location)) == ("FF2202", "s.csv:2")


def test_other_encodings_are_decoded_across_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": "é" * n, "b": f"ü{n}"} for n in range(50)]
    content = ("a,b\n" + "".join(f"{row['a']}_,{row['b']}\n" for row in rows)).encode("utf-16")
    wanted = [{"a": f"{row['a']}_", "b": row["b"]} for row in rows]
    monkeypatch.setattr("flowforge.seeds.encodings._PIECE", 7)
    assert load(folder, content, encoding="utf-16").to_pylist() == wanted
    monkeypatch.setattr(csv_file, "IN_MEMORY", 10)
    assert load(folder, content, encoding="utf-16").to_pylist() == wanted
    assert load(folder, b"\xff\xfe", encoding="utf-16", header=False, names=("a",)).num_rows == 0


def test_a_file_without_a_header(folder: Path) -> None:
    table = load(folder, "1,x\n2,y\n", header=False, names=("id", "name"))
    assert table.to_pylist() == [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]
    assert load(folder, "\ufeff1,x\n", header=False, names=("id", "name")).to_pylist() == [{"id": 1, "name": "x"}]
    assert load(folder, "", header=False, names=("id", "name")).num_rows == 0
    assert str(refusal(folder, "1\n", header=False, names=("id", "name")).location) == "s.csv:1:1"
    for text in ("\n1\n", "1\n\n"):
        error = refusal(folder, text, header=False, names=("id",))
        assert "blank line" in error.message


def test_a_comma_in_front_of_decimals(folder: Path) -> None:
    options: dict[str, Any] = {"delimiter": ";", "decimal": ","}
    table = load(folder, "a;b;c;d;e\n1,5;1.5;2;0,1234567890123456789;2024-01-01 10:00:00.5\n-2;x;3;1;\n", **options)
    assert table.schema.types[:4] == [pa.float64(), pa.string(), pa.int64(), pa.decimal128(38, 19)]
    assert pa.types.is_timestamp(table.schema.types[4])
    assert table.column("a").to_pylist() == [1.5, -2.0]
    assert table.column("b").to_pylist() == ["1.5", "x"]
    assert table.column("d").to_pylist() == [Decimal("0.1234567890123456789"), Decimal(1)]
    assert load(folder, "b\n1.500\n2.250\n", **options)["b"].to_pylist() == ["1.500", "2.250"]
    declared = load(folder, "a;b\n1,50;-3,25\n", {"a": "numeric(5,2)", "b": "double"}, **options)
    assert declared.to_pylist() == [{"a": Decimal("1.50"), "b": -3.25}]
    error = refusal(folder, "a;b\n1.50;x\n", {"a": "numeric"}, **options)
    assert (error.code, str(error.location)) == ("FF2205", "s.csv:2:1")
    assert load(folder, "a;b\n1,5;x,y\n", {"b": "string"}, **options)["b"].to_pylist() == ["x,y"]


def test_a_large_file_behind_a_byte_order_mark_is_not_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "IN_MEMORY", 4)
    content = "\ufeffa,b\n1,x\n"
    assert load(folder, content).to_pylist() == [{"a": 1, "b": "x"}]
    assert isinstance(csv_file.CsvFile.open(folder / "s.csv").source.content, csv_file.mmap.mmap)
    assert str(refusal(folder, content + "2\n").location) == "s.csv:3:1"


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)
PLAIN_TEXT = st.text(st.sampled_from("ab1.,;|\t' é-\"😀"), max_size=5)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.data())
def test_what_is_written_is_read_whatever_the_marks(folder: Path, data: st.DataObject) -> None:
    delimiter = data.draw(st.sampled_from([",", ";", "\t", "|", "^"]))
    quote = data.draw(st.sampled_from(['"', "'", "~", "`"]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16", "utf-32-le"]))
    width = data.draw(st.integers(1, 3))
    words = data.draw(st.sampled_from([(), ("NA",), ("NA", "é")]))
    value = st.one_of(st.none(), TEXT, PLAIN_TEXT, st.sampled_from(["NA", "007", "1", ""]))
    rows = data.draw(st.lists(st.lists(value, min_size=width, max_size=width), max_size=6))
    names = [f"c{index}" for index in range(width)]

    def written(text: str | None) -> str:
        if text is None:
            # A file with one column cannot hold an empty line for NULL.
            return words[0] if words else "" if width > 1 else f"{quote}{quote}"
        return quote + text.replace(quote, quote * 2) + quote

    content = end.join(delimiter.join(row) for row in [names, *([written(one) for one in row] for row in rows)]) + end
    types = dict.fromkeys(names, "string")
    options = {"delimiter": delimiter, "quote": quote, "encoding": encoding, "null_values": words}
    table = load(folder, content.encode(encoding), types, **options)
    lost = "" if width == 1 and not words else None
    assert table.to_pylist() == [
        {name: lost if one is None else one for name, one in zip(names, row, strict=True)} for row in rows
    ]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(data=st.data())
def test_files_without_quotes_are_read_as_they_stand(folder: Path, data: st.DataObject) -> None:
    mark = data.draw(st.sampled_from([",", "\t", "|"]))
    value = st.text(
        st.characters(exclude_characters=f"\0\r\n{mark}", exclude_categories=("Cs",)), min_size=1, max_size=5
    )
    rows = data.draw(st.lists(st.tuples(value, value), max_size=6))
    content = "".join(f"{one}{mark}{other}\n" for one, other in rows)
    types = {"a": "string", "b": "string"}
    table = load(folder, content, types, delimiter=mark, quote=None, header=False, names=("a", "b"))
    start = 1 if content.startswith("\ufeff") else 0  # a mark at the start of a file is no data
    wanted = [{"a": one, "b": other} for one, other in rows]
    if start:
        wanted[0]["a"] = wanted[0]["a"][1:] or None  # type: ignore[assignment]
    assert table.to_pylist() == wanted
