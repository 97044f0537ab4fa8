"""Arrow rows as a Parquet file for a load job. The file is on disk, so that a long stream needs no memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from google.cloud import bigquery

from flowforge.errors import EngineError, ErrorKind
from flowforge_bigquery.columns import converted, storable_schema

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 50_000
"""Rows in one page of a result that is read without the Storage Read API."""


@contextlib.contextmanager
def parquet_file(reader: pa.RecordBatchReader) -> Iterator[tuple[IO[bytes], int, pa.Schema]]:
    """The rows of *reader* in a file, from its beginning; how many they are, and their columns.

    Raises
    ------
    Exception
        What the reader raises; nothing was sent then.
    """
    import pyarrow.parquet as pq

    schema, rows = storable_schema(reader.schema), 0
    with tempfile.TemporaryFile(prefix="flowforge-") as file:
        with pq.ParquetWriter(file, schema, compression="snappy", coerce_timestamps="us") as writer:
            for batch in reader:
                if batch.num_rows:
                    writer.write_batch(converted(batch, schema))
                    rows += batch.num_rows
        file.seek(0)
        yield file, rows, schema


def config(labels: Mapping[str, str]) -> Any:
    """How the file is to be loaded into a table that stands."""
    parquet = bigquery.ParquetOptions()
    parquet.enable_list_inference = True  # else a list would be a struct of a struct
    job = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        parquet_options=parquet,
    )
    job.labels = dict(labels)
    return job


def refuse_misfit(field: pa.Field, standing: pa.DataType) -> None:
    """Refuse to append texts to numbers and the like, which a load job may do its own way.

    Raises
    ------
    EngineError
        Of kind ``TYPE``.
    """
    import pyarrow as pa

    def family(type_: pa.DataType) -> str:
        tests = ("is_integer", "is_floating", "is_decimal", "is_boolean", "is_date", "is_time", "is_nested")
        return next((test for test in tests if getattr(pa.types, test)(type_)), str(type_))

    numbers = ("is_integer", "is_decimal")
    one, other = family(field.type), family(standing)
    if (
        one != other
        and not (one in numbers and other in (*numbers, "is_floating"))
        and not pa.types.is_string(standing)
    ):
        raise EngineError(
            f"column {field.name} holds {field.type} and the table {standing}",
            kind=ErrorKind.TYPE,
            help="cast the column in the model",
        )
