"""The file types that a seed may have without further plugins.

Knows their suffixes and which reader belongs to them; imports pyarrow only when a file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.contract import SeedFormat
from flowforge.seeds.csv_options import PLAIN, CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa


def _csv(path: Path, types: Mapping[str, pa.DataType], options: CsvOptions = PLAIN) -> pa.RecordBatchReader:
    from flowforge.seeds.csv_reader import read_csv

    return read_csv(path, types, options)


def _tsv(path: Path, types: Mapping[str, pa.DataType], options: CsvOptions = PLAIN) -> pa.RecordBatchReader:
    from flowforge.seeds.csv_reader import read_csv

    return read_csv(path, types, options, delimiter="\t")


def _json_lines(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    from flowforge.seeds.json_reader import read_json_lines

    return read_json_lines(path, types)


def _parquet(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    from flowforge.seeds.parquet_reader import read_parquet

    return read_parquet(path, types)


CSV = SeedFormat(name="csv", suffixes=(".csv",), read=_csv, options=CsvOptions)
TSV = SeedFormat(name="tsv", suffixes=(".tsv",), read=_tsv, options=CsvOptions)
JSON_LINES = SeedFormat(name="json_lines", suffixes=(".jsonl", ".ndjson"), read=_json_lines)
PARQUET = SeedFormat(name="parquet", suffixes=(".parquet", ".pq"), read=_parquet)
FORMATS: tuple[SeedFormat, ...] = (CSV, TSV, PARQUET, JSON_LINES)
"""Offered by the core's own plugin."""
