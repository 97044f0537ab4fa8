"""Arrow on the way in and out of Spark: the types that tables can keep, and schemas in one form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from flowforge.errors import UnsupportedError

_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.large_string(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.null(): pa.string(),
}
_NAMED = {
    "void": pa.null(),
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "char": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "daytimeinterval": pa.duration("us"),
}
_CHUNK = 64 * 1024 * 1024
_ROWS = 65_536


def storable(type_: pa.DataType) -> pa.DataType:
    """The type in which Spark takes values of *type_*; every value stays the same."""
    types = pa.types
    if type_ in _WIDER:
        return _WIDER[type_]
    if types.is_timestamp(type_):
        return pa.timestamp("us", None if type_.tz is None else "UTC")
    if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
        return storable(type_.value_type)
    if types.is_fixed_size_binary(type_) or types.is_binary_view(type_):
        return pa.binary()
    if types.is_string_view(type_):
        return pa.string()
    if types.is_map(type_):
        return pa.map_(storable(type_.key_type), storable(type_.item_type))
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return pa.list_(storable(type_.value_type))
    if types.is_struct(type_):
        return pa.struct([(field.name, storable(field.type)) for field in type_])
    return type_


def plain(type_: pa.DataType) -> pa.DataType:
    """*type_* as Spark's results have it, without what differs between its ways of giving them."""
    return type_ if pa.types.is_null(type_) else storable(type_)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Names and types only: whether a column may hold NULL depends on how it was asked for."""
    return pa.schema([(field.name, plain(field.type)) for field in schema])


def chunks(reader: pa.RecordBatchReader, names: list[str]) -> Iterator[pa.Table]:
    """The rows under other names in tables of some 64 MB; none for a stream without rows."""
    schema = pa.schema([(name, storable(field.type)) for name, field in zip(names, reader.schema, strict=True)])
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        if batch.num_rows:
            held.append(batch)
            size += batch.nbytes
        if size > _CHUNK:
            yield _table(held, schema)
            held, size = [], 0
    if held:
        yield _table(held, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches).rename_columns(schema.names).cast(schema)


def reader_of(table: pa.Table) -> pa.RecordBatchReader:
    """A result as a stream of small batches, in plain types."""
    return table.cast(plain_schema(table.schema)).to_reader(max_chunksize=_ROWS)


def schema_of(fields: Any) -> pa.Schema:
    """Spark's schema as Arrow's, in plain types."""
    return pa.schema([(field.name, _type_of(field.dataType)) for field in fields])


def _type_of(type_: Any) -> pa.DataType:
    word = type_.typeName()
    if word in _NAMED:
        return _NAMED[word]
    if word == "decimal":
        return pa.decimal128(type_.precision, type_.scale)
    if word == "array":
        return pa.list_(_type_of(type_.elementType))
    if word == "map":
        return pa.map_(_type_of(type_.keyType), _type_of(type_.valueType))
    if word == "struct":
        return pa.struct([(field.name, _type_of(field.dataType)) for field in type_])
    raise UnsupportedError(f"a column of Spark's type {type_.simpleString()} cannot be read", help="cast it to a text")
