"""What has to be done to Arrow rows before DuckDB can read them, without losing anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowforge.errors import EngineError, ErrorKind, UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa


def readable(type_: pa.DataType) -> pa.DataType:
    """The type to give to DuckDB for *type_*: itself, where DuckDB reads it."""
    import pyarrow as pa

    types = pa.types
    if types.is_float16(type_):
        return pa.float32()
    if types.is_timestamp(type_) and type_.tz is not None and type_.unit == "ns":
        return pa.timestamp("us", type_.tz)
    if types.is_duration(type_) and type_.unit == "ns":
        return pa.duration("us")
    if types.is_decimal256(type_) and type_.precision <= 38:
        return pa.decimal128(type_.precision, type_.scale)
    if types.is_list(type_):
        return pa.list_(_readable_field(type_.value_field))
    if types.is_large_list(type_):
        return pa.large_list(_readable_field(type_.value_field))
    if types.is_fixed_size_list(type_):
        return pa.list_(_readable_field(type_.value_field), type_.list_size)
    if types.is_struct(type_):
        return pa.struct([_readable_field(type_.field(index)) for index in range(type_.num_fields)])
    if types.is_map(type_):
        return pa.map_(_readable_field(type_.key_field), _readable_field(type_.item_field))
    return type_


def _readable_field(field: pa.Field) -> pa.Field:
    return field.with_type(readable(field.type))


def readable_schema(schema: pa.Schema) -> pa.Schema:
    """*schema* as DuckDB reads it.

    Raises
    ------
    EngineError
        For no columns at all, and for names that DuckDB takes for one and the same.
    """
    import pyarrow as pa

    if not len(schema):
        raise UnsupportedError("a table needs at least one column")
    seen: dict[str, str] = {}
    for name in schema.names:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise EngineError(
                f"two columns are called {other!r} and {name!r}, which DuckDB takes for the same name",
                kind=ErrorKind.DUPLICATE,
                help="rename one of them",
            )
    return pa.schema([_readable_field(field) for field in schema])


def convert(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The batches of *reader* in *schema*, as made by :func:`readable_schema`; exact or an error."""
    import pyarrow as pa

    same = reader.schema.equals(schema)
    for batch in reader:
        if same:
            yield batch
            continue
        try:
            yield batch.cast(schema)
        except pa.ArrowInvalid as exc:
            raise EngineError(
                f"a value does not fit: {str(exc).splitlines()[0]}",
                kind=ErrorKind.TYPE,
                help="round or cast the column in the model",
            ) from exc
