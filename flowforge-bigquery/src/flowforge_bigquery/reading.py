"""The rows of one query, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import attrs

from flowforge_bigquery.columns import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen
class Rows:
    """What a job gave.

    Parameters
    ----------
    found:
        The client's iterator over rows.
    storage:
        A client of the Storage Read API; ``None``: everything comes in pages.
    """

    found: Any
    storage: Any | None

    def reader(self, attempt: Callable[[], AbstractContextManager[None]]) -> pa.RecordBatchReader:
        """The rows as Arrow batches; *attempt* is entered around each question."""
        import pyarrow as pa

        schema = arrow_schema(self.found.schema or ())
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema, attempt))

    def _batches(
        self, schema: pa.Schema, attempt: Callable[[], AbstractContextManager[None]]
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        source = iter(self.found.to_arrow_iterable(bqstorage_client=self.storage))
        while True:
            with attempt():
                batch = next(source, None)
            if batch is None:
                return
            columns = [
                column if column.type == field.type else column.cast(field.type)
                for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
