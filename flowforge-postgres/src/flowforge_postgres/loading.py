"""From Arrow to COPY: rows as CSV text, written by Arrow itself. Knows no connection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge_postgres.dialect import PostgresDialect, is_list

if TYPE_CHECKING:
    import pyarrow as pa

# Every text is quoted, and NULL is not. So NULL and '' differ, and no value can look like the end of the data. Numbers
# and moments are not quoted: nothing in them could be taken for anything else, and the server reads them faster.
FORMAT = "(FORMAT csv, ENCODING 'UTF8')"
_ROWS_AT_ONCE = 50_000


def check_names(names: Sequence[str], dialect: PostgresDialect) -> None:
    """Refuse a table without columns, and names that PostgreSQL takes for one and the same.

    Raises
    ------
    EngineError
        Naming both columns.
    """
    if not names:
        raise UnsupportedError("a table needs at least one column")
    seen: dict[str, str] = {}
    for name in names:
        if dialect.fold(name) in seen:
            raise EngineError(
                f"two columns are called {seen[dialect.fold(name)]!r} and {name!r}, which is one name to PostgreSQL",
                kind=ErrorKind.DUPLICATE,
                help="rename one of them",
            )
        seen[dialect.fold(name)] = name


def csv_of(reader: pa.RecordBatchReader) -> Iterator[tuple[bytes, int]]:
    """Pieces of CSV, and how many rows each has.

    Raises
    ------
    EngineError
        For values that would not arrive as they are.
    """
    import pyarrow as pa
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for whole in reader:
        for start in range(0, whole.num_rows, _ROWS_AT_ONCE):
            batch = whole.slice(start, _ROWS_AT_ONCE)
            arrays = [_writable(column, field) for column, field in zip(batch.columns, batch.schema, strict=True)]
            sink = pa.BufferOutputStream()
            csv.write_csv(
                pa.RecordBatch.from_arrays(arrays, names=[str(index) for index in range(len(arrays))]), sink, options
            )
            yield sink.getvalue().to_pybytes(), batch.num_rows


def _writable(column: pa.Array, field: pa.Field) -> pa.Array:
    """*column* as something that Arrow's CSV writes in a form that PostgreSQL reads."""
    import pyarrow as pa

    types, type_ = pa.types, field.type
    if isinstance(column, pa.ExtensionArray):
        return (
            _texts(column, str)
            if str(type_) == "extension<arrow.uuid>"
            else _writable(column.storage, field.with_type(column.storage.type))
        )
    if types.is_dictionary(type_):
        return _writable(column.dictionary_decode(), field.with_type(type_.value_type))
    if types.is_run_end_encoded(type_):
        import pyarrow.compute as pc

        return _writable(pc.run_end_decode(column), field.with_type(type_.value_type))
    if types.is_float16(type_):
        return column.cast(pa.float32())
    if (types.is_timestamp(type_) or types.is_time(type_)) and type_.unit == "ns":
        return _cast(column, pa.timestamp("us", type_.tz) if types.is_timestamp(type_) else pa.time64("us"), field)
    if types.is_timestamp(type_) and type_.tz is not None:
        return column.cast(pa.timestamp(type_.unit, "UTC"))
    if types.is_duration(type_):
        return _microseconds(_cast(column, pa.duration("us"), field))
    if types.is_null(type_) or str(type_) == "string_view":
        return column.cast(pa.string())
    if is_list(type_):
        return _lists(column, field)
    if types.is_fixed_size_binary(type_) or str(type_) in ("binary", "large_binary", "binary_view"):
        return _texts(column, _hex)
    return _texts(column, _interval) if types.is_interval(type_) else column


def _texts(column: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else write(value) for value in column.to_pylist()], pa.string())


def _hex(value: bytes) -> str:
    return "\\x" + value.hex()


def _interval(value: Any) -> str:
    if value.nanoseconds % 1000:
        raise EngineError(
            f"{value} has nanoseconds, and intervals in PostgreSQL end at microseconds", kind=ErrorKind.TYPE
        )
    return f"{value.months} mons {value.days} days {value.nanoseconds // 1000} microseconds"


def _microseconds(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), "microseconds", " ")


def _lists(column: pa.Array, field: pa.Field) -> pa.Array:
    """As PostgreSQL writes arrays: the elements are texts in quotes."""
    import pyarrow as pa

    element = field.type.value_type
    flat = _writable(column.flatten(), pa.field(field.name, element)).cast(pa.string())
    texts = iter(["NULL" if text is None else _quoted(text) for text in flat.to_pylist()])
    return pa.array(
        ["{" + ",".join(itertools.islice(texts, len(value))) + "}" if value.is_valid else None for value in column],
        pa.string(),
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cast(column: pa.Array, type_: pa.DataType, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    try:
        return column.cast(type_)
    except pa.ArrowInvalid as exc:
        raise EngineError(
            f"a value of the column {field.name!r} does not fit: {str(exc).splitlines()[0]}",
            kind=ErrorKind.TYPE,
            help="round the column to microseconds in the model",
        ) from exc
