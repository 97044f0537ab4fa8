"""Reads a Parquet seed, row group by row group, in the file's own types or in declared ones.

Knows Parquet through pyarrow only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.config.type_words import word_for
from flowforge.errors import SeedError
from flowforge.seeds.csv_reader import match_declared
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    """A reader over the rows of *path*.

    Parameters
    ----------
    types:
        Declared types by column. A value that the declared type cannot hold exactly is an error; as Parquet has
        types of its own, that is found while rows are read.

    Raises
    ------
    SeedError
        When the file is no Parquet, or two of its columns differ only in upper and lower case.
    OSError
        When the file cannot be opened.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shown = str(path)
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as problem:
        raise SeedError(
            f"the seed is not a Parquet file that can be read: {problem}",
            code="FF2201",
            location=Location(shown),
            help="write it again; a download or copy may have been cut",
        ) from None
    schema = file.schema_arrow.remove_metadata()
    _refuse_doubles(shown, schema.names)
    declared = match_declared(shown, tuple(schema.names), types)
    target = pa.schema([pa.field(field.name, declared.get(index, field.type)) for index, field in enumerate(schema)])

    def rows() -> Iterator[pa.RecordBatch]:
        with file:
            for batch in file.iter_batches():
                columns = [_converted(shown, batch.column(index), field) for index, field in enumerate(target)]
                yield pa.RecordBatch.from_arrays(columns, schema=target)

    return pa.RecordBatchReader.from_batches(target, rows())


def _refuse_doubles(shown: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise SeedError("a column has no name", code="FF2204", location=Location(shown))
        if name.casefold() in seen:
            raise SeedError(
                f"column {name!r} is there twice",
                code="FF2204",
                location=Location(shown),
                help="rename one of them; upper and lower case do not make names different",
            )
        seen.add(name.casefold())


def _converted(shown: str, values: pa.Array, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    if values.type == field.type:
        return values
    try:
        return values.cast(field.type, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        raise SeedError(
            f"column {field.name!r} is declared as {word_for(field.type)}, but holds {values.type}: {problem}",
            code="FF2205",
            location=Location(shown),
            help="declare a type that holds every value, or none",
        ) from None
