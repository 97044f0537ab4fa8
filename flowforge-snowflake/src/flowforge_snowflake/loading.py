"""From Arrow to Snowflake: as JSON in the text of a statement, or as Parquet for a stage. Knows no connection."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge_snowflake.dialect import text

if TYPE_CHECKING:
    import pyarrow as pa

FEW_ROWS, FEW_BYTES = 10_000, 4_000_000
"""Up to here a statement's text is faster than a file in a stage."""
_PLAIN = re.compile(r"@[\w~.$%/]+", re.ASCII)
_MOST_BYTES = 900_000  # Snowflake's statements end at 1 MB
_BYTES_OF_FILE = 128_000_000


def check_names(names: Sequence[str], dialect: Dialect) -> None:
    """Refuse a table without columns, and names that Snowflake takes for one and the same.

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
                f"two columns are called {seen[dialect.fold(name)]!r} and {name!r}, which is one name to Snowflake",
                kind=ErrorKind.DUPLICATE,
                help="rename one of them",
            )
        seen[dialect.fold(name)] = name


def is_small(batches: Iterator[pa.RecordBatch]) -> tuple[bool, Iterator[pa.RecordBatch]]:
    """Whether there are few rows, and the same batches."""
    ahead: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        ahead.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > FEW_ROWS or size > FEW_BYTES:
            return False, itertools.chain(ahead, batches)
    return True, iter(ahead)


def plain(batch: pa.RecordBatch) -> list[pa.Array]:
    """The columns in types that Parquet and texts have alike.

    Raises
    ------
    EngineError
        For a value that would not arrive as it is.
    """
    return [_plain(column, field.name) for column, field in zip(batch.columns, batch.schema, strict=True)]


def _plain(column: pa.Array, name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    types, type_ = pa.types, column.type
    if types.is_dictionary(type_):
        return _plain(column.dictionary_decode(), name)
    if types.is_run_end_encoded(type_):
        return _plain(pc.run_end_decode(column), name)
    if types.is_floating(type_):
        return column.cast(pa.float64())
    if types.is_null(type_) or str(type_) in ("large_string", "string_view"):
        return column.cast(pa.string())
    if types.is_fixed_size_binary(type_) or str(type_) in ("large_binary", "binary_view"):
        return column.cast(pa.binary())
    if types.is_date(type_):
        return column.cast(pa.date32())
    if types.is_time(type_) or types.is_timestamp(type_):
        zone = "UTC" if types.is_timestamp(type_) and type_.tz is not None else None
        wanted = pa.time64("us") if types.is_time(type_) else pa.timestamp("us", zone)
        try:
            return column.cast(wanted)
        except pa.ArrowInvalid as exc:
            raise EngineError(
                f"a value of the column {name!r} does not fit: {str(exc).splitlines()[0]}",
                kind=ErrorKind.TYPE,
                help="round the column to microseconds in the model",
            ) from exc
    return column


# -- as text ------------------------------------------------------------------------------------------------------------


def inserts(
    target: str, names: Sequence[str], types: Sequence[str], batches: Iterator[pa.RecordBatch]
) -> Iterator[str]:
    """INSERT statements, each below the size that Snowflake takes.

    Parameters
    ----------
    target, names, types:
        As they stand in SQL.

    Raises
    ------
    UnsupportedError
        For a row that fits into no statement, and for texts with a NUL, which JSON cannot carry.
    """
    values = ", ".join(_value(index, type_) for index, type_ in enumerate(types))
    head = f"INSERT INTO {target} ({', '.join(names)}) SELECT {values} FROM TABLE(FLATTEN(INPUT => PARSE_JSON("
    rows: list[str] = []
    size = 0
    for batch in batches:
        columns = [_texts(column) for column in plain(batch)]
        for row in zip(*columns, strict=True):
            written = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            if "\\u0000" in written and any(one is not None and "\0" in one for one in row):
                raise UnsupportedError(
                    "a text holds a NUL character, which only files can carry to Snowflake",
                    help="set load: stage in the profile, or remove the NUL",
                )
            length = len(written.encode()) + written.count("\\") + written.count("'") + 1
            if length > _MOST_BYTES:
                raise UnsupportedError(
                    f"a row of {length:,} bytes fits into no statement of Snowflake",
                    help="set load: stage in the profile",
                )
            if size + length > _MOST_BYTES:
                yield _statement(head, rows)
                rows, size = [], 0
            rows.append(written)
            size += length
    if rows:
        yield _statement(head, rows)


def _statement(head: str, rows: Sequence[str]) -> str:
    return f"{head}{text('[' + ','.join(rows) + ']')}))) AS ff__rows"


def _value(index: int, type_: str) -> str:
    value = f"CAST(ff__rows.value[{index}] AS VARCHAR)"
    if type_ == "VARCHAR":
        return value
    return f"TO_BINARY({value}, 'HEX')" if type_ == "BINARY" else f"CAST({value} AS {type_})"


def _texts(column: pa.Array) -> list[str | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    types, type_ = pa.types, column.type
    if types.is_binary(type_):
        return [None if value is None else value.hex() for value in column.to_pylist()]
    if types.is_decimal(type_):
        return [None if value is None else format(value, "f") for value in column.to_pylist()]
    if types.is_timestamp(type_) and type_.tz is not None:
        moments = column.cast(pa.timestamp("us")).cast(pa.string())
        return list(pc.binary_join_element_wise(moments, "+00:00", "").to_pylist())
    return list(column.cast(pa.string()).to_pylist())


# -- as files -----------------------------------------------------------------------------------------------------------


def write_files(batches: Iterator[pa.RecordBatch], names: Sequence[str], folder: Path) -> Iterator[tuple[Path, int]]:
    """Parquet files of about 128 MB, each with its number of rows; one is complete when it is given.

    Parameters
    ----------
    names:
        Of the columns, as the table has them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    path, rows, size = folder, 0, 0
    try:
        for number, batch in enumerate(batches):
            part = pa.RecordBatch.from_arrays(plain(batch), names=list(names))
            if writer is None:
                path, rows, size = folder / f"rows{number}.parquet", 0, 0
                writer = pq.ParquetWriter(path, part.schema, version="2.6")
            writer.write_batch(part)
            rows, size = rows + part.num_rows, size + part.nbytes
            if size > _BYTES_OF_FILE:
                writer.close()
                writer = None
                yield path, rows
    finally:
        if writer is not None:
            writer.close()
    if writer is not None:
        yield path, rows


def place(stage: str) -> str:
    """A folder of a stage as it stands in SQL: bare, unless it has characters that need quotes."""
    return stage if _PLAIN.fullmatch(stage) else text(stage)


def put(file: Path, stage: str) -> str:
    """The statement that uploads a file."""
    return f"PUT {text('file://' + file.as_posix())} {place(stage)} AUTO_COMPRESS = FALSE OVERWRITE = TRUE"


def copy(target: str, stage: str) -> str:
    """The statement that loads all files of a folder of a stage; all of them or none."""
    return (
        f"COPY INTO {target} FROM {place(stage)}"
        " FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE)"
        " MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
    )
