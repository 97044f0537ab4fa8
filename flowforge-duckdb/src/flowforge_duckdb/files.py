"""How DuckDB reads files in place of a table: its functions, their options, and patterns. Pure text."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from flowforge.contract import FileSource
from flowforge.errors import UnsupportedError

Literal = Callable[[Any], str]

_TEXT, _FLAG, _NUMBER, _NAMES, _TYPES, _ANY = "a text", "true or false", "a number", "a list of texts", "a mapping", ""
_COMMON = {
    "filename": _FLAG,
    "hive_partitioning": _FLAG,
    "hive_types": _TYPES,
    "hive_types_autocast": _FLAG,
    "union_by_name": _FLAG,
}
_TEXT_FILES = {
    "auto_detect": _FLAG,
    "columns": _TYPES,
    "compression": _TEXT,
    "dateformat": _TEXT,
    "ignore_errors": _FLAG,
    "sample_size": _NUMBER,
    "timestampformat": _TEXT,
}
_CSV = {
    **_COMMON,
    **_TEXT_FILES,
    "all_varchar": _FLAG,
    "allow_quoted_nulls": _FLAG,
    "auto_type_candidates": _NAMES,
    "comment": _TEXT,
    "decimal_separator": _TEXT,
    "delim": _TEXT,
    "encoding": _TEXT,
    "escape": _TEXT,
    "force_not_null": _NAMES,
    "header": _FLAG,
    "max_line_size": _NUMBER,
    "names": _NAMES,
    "new_line": _TEXT,
    "normalize_names": _FLAG,
    "null_padding": _FLAG,
    "nullstr": _ANY,
    "quote": _TEXT,
    "skip": _NUMBER,
    "strict_mode": _FLAG,
    "thousands": _TEXT,
    "types": _ANY,
}
_JSON = {
    **_COMMON,
    **_TEXT_FILES,
    "convert_strings_to_integers": _FLAG,
    "field_appearance_threshold": _NUMBER,
    "format": _TEXT,
    "map_inference_threshold": _NUMBER,
    "maximum_depth": _NUMBER,
    "maximum_object_size": _NUMBER,
    "maximum_sample_files": _NUMBER,
    "records": _ANY,
}
_PARQUET = {**_COMMON, "binary_as_string": _FLAG, "file_row_number": _FLAG}
_SAME = {"delimiter": "delim", "sep": "delim", "separator": "delim", "dtypes": "types", "column_types": "types"}
_PATTERN = re.compile(r"[*?\[]")


@attrs.frozen
class _Reader:
    """A function of DuckDB, the options that it takes, the suffix of files, and the options that count if none is said."""

    function: str
    options: Mapping[str, str]
    suffix: str
    own: Mapping[str, Any] = attrs.field(factory=dict)


# What DuckDB would guess from the first lines: of a file with a ragged line it makes one column, or no row at all. Dates
# are recognised when nobody can read them in two ways.
_PLAIN_CSV = {
    "comment": "",
    "dateformat": "%Y-%m-%d",
    "delim": ",",
    "escape": '"',
    "header": True,
    "quote": '"',
    "skip": 0,
    "union_by_name": True,
}
# All of it is looked through, because a key that is not seen would not be a column.
_ALL_JSON = {"maximum_sample_files": 1_000_000, "sample_size": -1}
_LINES = {**_ALL_JSON, "format": "newline_delimited"}
FORMATS: Mapping[str, _Reader] = {
    "csv": _Reader("read_csv", _CSV, "csv", _PLAIN_CSV),
    "json": _Reader("read_json", _JSON, "json", _ALL_JSON),
    "jsonl": _Reader("read_json", _JSON, "jsonl", _LINES),
    "ndjson": _Reader("read_json", _JSON, "ndjson", _LINES),
    "parquet": _Reader("read_parquet", _PARQUET, "parquet", {"union_by_name": True}),
    "tsv": _Reader("read_csv", _CSV, "tsv", {**_PLAIN_CSV, "delim": "\t"}),
}
"""By the word behind ``format:``."""
_SUFFIX = re.compile(r"\.(csv|json|jsonl|ndjson|parquet|pq|tsv)(?:\.(?:gz|zst))?$", re.IGNORECASE)


def pattern(files: FileSource) -> str:
    """The text that DuckDB takes for the path: its own pattern, with what is none of ours made harmless."""
    location = files.location
    if location.endswith("/"):
        location += f"**/*.{_reader(files).suffix}"
    if not files.base:
        return location
    return f"{_PATTERN.sub(lambda found: f'[{found[0]}]', files.base.rstrip('/'))}/{location}"


def table(files: FileSource, literal: Literal) -> str:
    """A call of the function that reads *files*; *literal* writes plain values."""
    reader = _reader(files)
    given: dict[str, Any] = {}
    for name, value in files.options.items():
        plain = _SAME.get(name, name)
        if plain not in reader.options:
            raise _unknown(name, reader)
        if plain in given:
            raise UnsupportedError(f"the option {name!r} means the same as another one", help="keep one of them")
        if not _fits(reader.options[plain], value):
            raise UnsupportedError(f"the option {name!r} should be {reader.options[plain]}", help=None)
        given[plain] = value
    # DuckDB would look for key=value in the whole path, and that of the project is none of the data's business.
    told = {"hive_partitioning": False, **reader.own, **given}
    if "quote" in given and "escape" not in given:
        told["escape"] = given["quote"]
    arguments = [literal(pattern(files)), *(f"{name} = {_written(told[name], literal)}" for name in sorted(told))]
    return f"{reader.function}({', '.join(arguments)})"


def _reader(files: FileSource) -> _Reader:
    word = files.format
    if word is None:
        suffix = _SUFFIX.search(files.location)
        if suffix is None:
            raise UnsupportedError(
                f"the name {files.location!r} does not tell the format", help="say it: format: parquet"
            )
        word = {"pq": "parquet"}.get(suffix[1].lower(), suffix[1].lower())
    if word.lower() not in FORMATS:
        raise UnsupportedError(
            f"DuckDB reads no files of the format {word!r}",
            help=_nearest(word, FORMATS) or f"one of {', '.join(FORMATS)}",
        )
    return FORMATS[word.lower()]


def _unknown(name: str, reader: _Reader) -> UnsupportedError:
    known = sorted({*reader.options, *(same for same, plain in _SAME.items() if plain in reader.options)})
    return UnsupportedError(
        f"{reader.function} is not given the option {name!r}",
        help=_nearest(name, known) or f"options: {', '.join(sorted(reader.options))}",
    )


def _nearest(word: str, known: Any) -> str | None:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else None


def _fits(kind: str, value: Any) -> bool:
    if kind == _FLAG:
        return isinstance(value, bool)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == _TEXT:
        return isinstance(value, str)
    texts = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if kind == _NAMES:
        return texts
    mapping = isinstance(value, Mapping) and all(isinstance(one, str) for pair in value.items() for one in pair)
    if kind == _TYPES:
        return mapping
    return isinstance(value, str | bool) or texts or mapping


def _written(value: Any, literal: Literal) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    return literal(value)
