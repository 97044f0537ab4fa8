"""Columns of BigQuery as Arrow fields, as text, and as what a Parquet file for them has to hold. Knows no service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge_bigquery.dialect import is_list

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


def arrow_type(field: Any) -> pa.DataType:
    """The Arrow type of a column's values; texts for what Arrow has no type for."""
    import pyarrow as pa

    word = _word(field)
    if word == "STRUCT":
        single = pa.struct([pa.field(one.name, arrow_type(one)) for one in field.fields])
    else:
        single = {
            "INT64": pa.int64(),
            "FLOAT64": pa.float64(),
            "BOOL": pa.bool_(),
            "NUMERIC": pa.decimal128(38, 9),
            "BIGNUMERIC": pa.decimal256(76, 38),
            "BYTES": pa.binary(),
            "DATE": pa.date32(),
            "DATETIME": pa.timestamp("us"),
            "TIMESTAMP": pa.timestamp("us", "UTC"),
            "TIME": pa.time64("us"),
        }.get(word, pa.string())
    return pa.list_(single) if field.mode == "REPEATED" else single


def arrow_schema(fields: Iterable[Any]) -> pa.Schema:
    """The schema of a table's rows, or of a query's."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, arrow_type(field)) for field in fields])


def _word(field: Any) -> str:
    word: str = field.field_type
    return _WORDS.get(word, word)


def type_text(field: Any) -> str:
    """A column's type as ``INFORMATION_SCHEMA`` writes it, without spaces behind commas."""
    word = _word(field)
    if word == "STRUCT":
        word = "STRUCT<" + ",".join(f"{one.name} {type_text(one)}" for one in field.fields) + ">"
    elif field.precision is not None:
        word += f"({field.precision},{field.scale})" if field.scale else f"({field.precision})"
    elif field.max_length is not None:
        word += f"({field.max_length})"
    return f"ARRAY<{word}>" if field.mode == "REPEATED" else word


def layout_text(columns: Iterable[tuple[str, str]]) -> str:
    """Columns, each with its type, as one text."""
    return "; ".join(f"`{name}` {type_.replace(', ', ',')}" for name, type_ in columns)


def storable(type_: pa.DataType) -> pa.DataType:
    """What a Parquet file holds for BigQuery in place of an Arrow type."""
    import pyarrow as pa

    types = pa.types
    if types.is_null(type_) or types.is_integer(type_):
        return pa.int64()
    if types.is_floating(type_):
        return pa.float64()
    if types.is_date(type_):
        return pa.date32()
    if types.is_time(type_):
        return pa.time64("us")
    if types.is_timestamp(type_):
        return pa.timestamp("us", "UTC" if type_.tz else None)
    if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
        return storable(type_.value_type)
    if types.is_fixed_size_binary(type_) or types.is_large_binary(type_):
        return pa.binary()
    if types.is_large_string(type_) or isinstance(type_, pa.BaseExtensionType):
        return pa.string()
    if types.is_struct(type_):
        return pa.struct([one.with_type(storable(one.type)) for one in type_])
    if is_list(type_):
        return pa.list_(storable(type_.value_type))
    return type_


def storable_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a Parquet file for rows of *schema*.

    Raises
    ------
    EngineError
        For no columns at all, and for names that BigQuery takes for one and the same.
    """
    import pyarrow as pa

    if not len(schema):
        raise UnsupportedError("a table needs at least one column")
    seen: dict[str, str] = {}
    for name in schema.names:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise EngineError(
                f"two columns are called {other!r} and {name!r}, which BigQuery takes for the same name",
                kind=ErrorKind.DUPLICATE,
                help="rename one of them",
            )
    return pa.schema([pa.field(field.name, storable(field.type)) for field in schema])


def converted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """*batch* in a schema made by :func:`storable_schema`; exact, or an error."""
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        _refuse_null_lists(column, field.name)
        try:
            columns.append(_cast(column, field.type))
        except pa.ArrowInvalid as exc:
            raise UnsupportedError(
                f"a value of column {field.name} does not fit: {str(exc).splitlines()[0]}",
                help="round or cast the column in the model",
            ) from exc
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if column.type == wanted else column.cast(wanted)


def _refuse_null_lists(column: pa.Array, name: str) -> None:
    """BigQuery would make an empty ARRAY of one that is NULL, and refuses NULL in one."""
    import pyarrow as pa

    types = pa.types
    if types.is_struct(column.type):
        standing = column.drop_null()  # what is inside of one that is NULL is nothing
        for index in range(column.type.num_fields):
            _refuse_null_lists(standing.field(index), name)
    elif is_list(column.type):
        values = column.flatten()
        if column.null_count or values.null_count:
            raise UnsupportedError(
                f"column {name} has a list that is NULL, or holds NULL, and an ARRAY of BigQuery cannot",
                help="use an empty list, or leave the NULL out of it",
            )
        _refuse_null_lists(values, name)
