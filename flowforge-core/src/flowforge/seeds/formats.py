"""The file types that a seed may have without further plugins.

Knows their suffixes and which reader belongs to them; imports pyarrow only when a file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.contract import SeedFormat

if TYPE_CHECKING:
    import pyarrow as pa


def _csv(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    from flowforge.seeds.csv_reader import read_csv

    return read_csv(path, types)


def _parquet(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    from flowforge.seeds.parquet_reader import read_parquet

    return read_parquet(path, types)


CSV = SeedFormat(name="csv", suffixes=(".csv",), read=_csv)
PARQUET = SeedFormat(name="parquet", suffixes=(".parquet", ".pq"), read=_parquet)
FORMATS: tuple[SeedFormat, ...] = (CSV, PARQUET)
"""Offered by the core's own plugin."""
