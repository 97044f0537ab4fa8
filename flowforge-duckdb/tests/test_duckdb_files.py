"""How DuckDB is told to read files: the function, its literals, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from flowforge.contract import FileSource
from flowforge.errors import UnsupportedError
from flowforge_duckdb.dialect import DuckDBDialect

PLAIN = {
    "comment": "''",
    "dateformat": "'%Y-%m-%d'",
    "delim": "','",
    "escape": "'\"'",
    "header": "TRUE",
    "hive_partitioning": "FALSE",
    "quote": "'\"'",
    "skip": "0",
    "union_by_name": "TRUE",
}


def csv(path: str, **options: str) -> str:
    told = {**PLAIN, **options}
    return f"read_csv('{path}', {', '.join(f'{name} = {told[name]}' for name in sorted(told))})"


@pytest.mark.parametrize(
    ("location", "format_", "options", "expected"),
    [
        ("a.csv", None, {}, csv("a.csv")),
        ("a.CSV.gz", None, {}, csv("a.CSV.gz")),
        ("a.tsv", None, {}, csv("a.tsv", delim="'\t'")),
        ("d/", "csv", {"sep": ";"}, csv("d/**/*.csv", delim="';'")),
        ("it's.csv", None, {"quote": "'"}, csv("it''s.csv", quote="''''", escape="''''")),
        ("a.csv", None, {"types": {"id'": "INT"}}, csv("a.csv", types="{'id''': 'INT'}")),
        ("a.csv", None, {"nullstr": ["NA", "-"]}, csv("a.csv", nullstr="['NA', '-']")),
        ("a.pq", None, {}, "read_parquet('a.pq', hive_partitioning = FALSE, union_by_name = TRUE)"),
        (
            "a/*/x",
            "Parquet",
            {"hive_partitioning": True, "union_by_name": False},
            "read_parquet('a/*/x', hive_partitioning = TRUE, union_by_name = FALSE)",
        ),
        (
            "a.jsonl",
            None,
            {"sample_size": 10},
            (
                "read_json('a.jsonl', format = 'newline_delimited', hive_partitioning = FALSE,"
                " maximum_sample_files = 1000000, sample_size = 10)"
            ),
        ),
    ],
)
def test_text(location: str, format_: str | None, options: dict[str, Any], expected: str) -> None:
    assert DuckDBDialect().file_source(FileSource(location, "", format_, options)) == expected


def test_only_the_location_is_a_pattern() -> None:
    text = DuckDBDialect().file_source(FileSource("*.pq", "/a*b/[c]?'", None, {}))
    assert text.startswith("read_parquet('/a[*]b/[[]c][?]''/*.pq', ")


@pytest.mark.parametrize(
    "options",
    [
        {"header": 1},
        {"skip": True},
        {"types": {"a": 1}},
        {"names": "a"},
        {"nullstr": 5},
        {"columns": None},
        {"skip": float("inf")},
        {"nullstr": float("nan")},
    ],
)
def test_values_of_another_kind(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        DuckDBDialect().file_source(FileSource("a.csv", "", None, options))
