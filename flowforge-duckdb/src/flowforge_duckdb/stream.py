"""The rows of one query, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowforge.errors import EngineError, ErrorKind
from flowforge_duckdb import driver
from flowforge_duckdb.errors import Attempt, translating

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge_duckdb.watch import Watch


class Stream:
    """An iterator over Arrow batches that keeps the watch on the statement until it ends.

    Parameters
    ----------
    watch:
        Was begun for this statement; it is ended by :meth:`close`, or by the last batch.
    """

    def __init__(self, cursor: Any, sql: str, watch: Watch) -> None:
        self._cursor = cursor
        self._sql = sql
        self._watch = watch
        self._open = True
        with translating(self._attempt):
            self._reader: pa.RecordBatchReader = driver.open_stream(cursor, sql)
        self.schema: pa.Schema = self._reader.schema
        watch.pause()

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> pa.RecordBatch:
        if not self._open:
            raise StopIteration
        self._watch.resume()
        try:
            with translating(self._attempt):
                if self._watch.stopped:
                    raise self._stopped()
                batch = self._reader.read_next_batch()
        except BaseException:
            self.close()
            raise
        self._watch.pause()
        return batch

    def _attempt(self) -> Attempt:
        return Attempt(self._sql, timeout=self._watch.expired)

    def _stopped(self) -> EngineError:
        if self._watch.expired is None:
            return EngineError("cancelled", kind=ErrorKind.CANCELLED)
        return EngineError(
            f"stopped after {self._watch.expired:g} seconds, the time that one statement may take",
            kind=ErrorKind.TIMEOUT,
        )

    def close(self) -> None:
        """Give up the rest; quiet when called twice."""
        if self._open:
            self._open = False
            self._reader.close()
            driver.abandon(self._cursor)
            self._watch.end()
