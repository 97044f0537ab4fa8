"""The rows of one query, as they come."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import psycopg

from flowforge.errors import EngineError, ErrorKind
from flowforge_postgres import reading
from flowforge_postgres.watch import Watch

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 20_000
_ROWS_PER_CHUNK = 2_000 if psycopg.capabilities.has_stream_chunked() else 1


class Stream:
    """An iterator over Arrow batches that keeps the watch on the statement until it ends.

    Parameters
    ----------
    watch:
        Was begun for this statement; it is ended by :meth:`close`, or by the last batch.
    translating:
        A block out of which the driver's errors come in the contract's words.
    ending:
        Called once when the stream ends: with True when the transaction around it is as it was before.
    """

    def __init__(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        sql: str,
        watch: Watch,
        translating: Callable[[], AbstractContextManager[None]],
        ending: Callable[[bool], None],
    ) -> None:
        self._cursor = connection.cursor()
        self._watch = watch
        self._translating = translating
        self._ending = ending
        self._open = True
        with translating():
            self._rows: Iterator[tuple[Any, ...]] = self._cursor.stream(sql.encode(), size=_ROWS_PER_CHUNK)
            self._ahead = self._fetch()
        result = self._cursor.pgresult
        self.schema: pa.Schema | None = reading.schema_of(result) if result is not None else None
        self._types = reading.types_of(result) if result is not None else []
        watch.pause()

    def _fetch(self) -> list[tuple[Any, ...]]:
        return list(itertools.islice(self._rows, _ROWS_PER_BATCH))

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> pa.RecordBatch:
        if not self._open:
            raise StopIteration
        if not self._ahead:
            self._end(intact=True)
            raise StopIteration
        self._watch.resume()
        try:
            with self._translating():
                assert self.schema is not None
                batch = reading.batch_of(self._ahead, self.schema, self._types)
                self._ahead = self._fetch()
                if self._watch.stopped:  # before or between two fetches, where nothing ran on the server
                    raise EngineError("cancelled", kind=ErrorKind.CANCELLED)
        except BaseException:
            self.close()
            raise
        self._watch.pause()
        return batch

    def close(self) -> None:
        """Give up the rest; quiet when called twice."""
        if self._open:
            self._rows.close()  # type: ignore[attr-defined]  # a generator: it cancels what still runs
            self._end(intact=False)

    def _end(self, *, intact: bool) -> None:
        self._open = False
        self._watch.end()
        self._ending(intact)
