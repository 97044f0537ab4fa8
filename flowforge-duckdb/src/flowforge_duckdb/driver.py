"""The seam between DuckDB 1.5 and 2.x: everything that is called differently in the two stands here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 100_000
_IS_2 = hasattr(duckdb.DuckDBPyConnection, "complete")
KEEPS_UNTYPED_COLUMNS = _IS_2
"""Does a column of bare NULLs stay without a type?"""
STREAMS_HIDE_POSITIONS = _IS_2
"""Do errors in the text of a streamed query come without their place?"""
_LEADING = re.compile(r"(?:\s+|--[^\n]*\n|/\*(?:(?!/\*|\*/).)*\*/)*", re.DOTALL)


def open_stream(cursor: Any, sql: str) -> pa.RecordBatchReader:
    """Run a query and return its rows as a stream; the cursor is busy until the stream is closed."""
    if _IS_2:
        relation = cursor.sql(sql)
        if relation is None:
            import pyarrow as pa

            return pa.RecordBatchReader.from_batches(pa.schema([]), iter(()))
        return relation.to_arrow_reader(_ROWS_PER_BATCH)
    # In 1.5, sql() runs its own rewriting of the text, so positions in errors would not fit ours.
    cursor.execute(sql)
    if hasattr(cursor, "to_arrow_reader"):
        return cursor.to_arrow_reader(_ROWS_PER_BATCH)
    return cursor.fetch_record_batch(_ROWS_PER_BATCH)


def leading(sql: str) -> int:
    """How many characters of spaces and comments to leave out in front of a statement that is executed.

    DuckDB 2 leaves them out itself, and then points at wrong places.
    """
    found = _LEADING.match(sql) if _IS_2 else None
    return found.end() if found else 0


def run(cursor: Any, sql: Any, values: Sequence[Any] = ()) -> int | None:
    """Run a statement, a text or a parsed one, to its end; returns how many rows it wrote, when DuckDB says it."""
    cursor.execute(sql, values) if values else cursor.execute(sql)
    columns = cursor.description
    if columns and len(columns) == 1 and columns[0][0] == "Count":
        row = cursor.fetchone()
        drain(cursor)
        return int(row[0]) if row else None
    drain(cursor)
    return None


def drain(cursor: Any) -> None:
    """Let the open result run to its end; DuckDB computes rows only as they are asked for."""
    if _IS_2:
        cursor.complete()
        return
    while cursor.description and cursor.fetchmany(10_000):
        pass


def abandon(cursor: Any) -> None:
    """Give up the open result, if there is one."""
    if _IS_2:
        cursor.abort()
