"""What a result's columns are in Arrow, and its rows as batches. Knows no connection.

Snowflake sends whole numbers in whatever width fits the values of a chunk, so types come from the description of the
result and never from its rows: an empty result has the same columns as a full one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from snowflake.connector import errors as driver

from flowforge.errors import EngineError, ErrorKind

if TYPE_CHECKING:
    import pyarrow as pa

_FIXED, _NTZ = 0, 8
_ROWS_PER_BATCH = 50_000
_DIGITS_OF_64_BITS = 18
_ANY_INTEGER = 38


def schema_of(description: Sequence[Any]) -> pa.Schema:
    """The Arrow schema of a result, from the driver's description of it.

    NUMBER(38,0), which is what INTEGER and BIGINT mean in Snowflake, becomes a number of 64 bits.
    """
    import pyarrow as pa

    return pa.schema([(column.name, _type(column)) for column in description])


def _type(column: Any) -> pa.DataType:
    import pyarrow as pa

    if column.type_code == _FIXED:
        precision = 38 if column.precision is None else column.precision
        scale = column.scale or 0
        if scale == 0 and (precision <= _DIGITS_OF_64_BITS or precision == _ANY_INTEGER):
            return pa.int64()
        return pa.decimal128(precision, scale)
    return {
        1: pa.float64(),
        3: pa.date32(),
        4: pa.timestamp("us"),
        6: pa.timestamp("us", "UTC"),
        7: pa.timestamp("us", "UTC"),
        _NTZ: pa.timestamp("us"),
        11: pa.binary(),
        12: pa.time64("us"),
        13: pa.bool_(),
    }.get(column.type_code, pa.string())


def batches_of(cursor: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of an executed query, as they come.

    Raises
    ------
    EngineError
        For a whole number that does not fit into 64 bits.
    """
    import pyarrow as pa

    try:
        tables = cursor.fetch_arrow_batches(force_microsecond_precision=True)
    except driver.NotSupportedError:  # SHOW and the like answer in rows of Python
        rows = cursor.fetchall()
        columns = list(zip(*rows, strict=True)) or [()] * len(schema)
        arrays = [_array(values, field) for values, field in zip(columns, schema, strict=True)]
        yield from pa.Table.from_arrays(arrays, schema=schema).to_batches(_ROWS_PER_BATCH)
        return
    for table in tables:
        arrays = [_cast(column, field) for column, field in zip(table.columns, schema, strict=True)]
        yield from pa.Table.from_arrays(arrays, schema=schema).to_batches(_ROWS_PER_BATCH)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_string(field.type):
        values = [None if value is None else str(value) for value in values]
    return pa.array(values, field.type)


def _cast(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    import pyarrow as pa

    # Digits of a second behind the sixth are cut, and only those.
    safe = not (pa.types.is_temporal(field.type))
    try:
        return column.cast(field.type, safe=safe)
    except pa.ArrowInvalid as exc:
        raise EngineError(
            f"a value of the column {field.name!r} does not fit into {field.type}: {str(exc).splitlines()[0]}",
            kind=ErrorKind.TYPE,
            help="cast the column to NUMBER(37,0), VARCHAR or FLOAT in the query",
        ) from exc
