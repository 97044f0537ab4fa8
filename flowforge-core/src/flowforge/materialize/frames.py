"""DataFrames in and out of an engine, through Arrow and without work per row.

pandas itself is never imported here: pyarrow makes pandas frames when pandas is installed.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import LoadMode, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.values import Relation

if TYPE_CHECKING:
    import pyarrow as pa


def read_frame(session: Session, relation: Relation, select: str, kind: str, fold: Callable[[str], str] = str) -> Any:
    """The rows of *select* as a frame of *kind*: ``arrow`` (a table), ``pandas``, ``polars``, or one of the engine's.

    Parameters
    ----------
    fold:
        How the engine stores names that are typed without quotes. Where that is in upper case, columns arrive in lower
        case all the same, so that a model finds them on every engine; in the engine's own frames they stay as they are.

    Raises
    ------
    ImportError
        When the library of that kind is not installed.
    """
    if kind not in ("arrow", "pandas", "polars"):
        return session.frame(relation, None, kind, select)
    table = session.query(select).read_all()
    table = table.rename_columns(_as_typed(table.column_names, fold))
    if kind == "arrow":
        return table
    return to_pandas(table) if kind == "pandas" else importlib.import_module(kind).from_arrow(table)


def _as_typed(names: Sequence[str], fold: Callable[[str], str]) -> list[str]:
    """Names as people type them: in lower case, if an engine would find them by that; never two that are the same."""
    typed = [name.lower() if fold(name.lower()) == name else name for name in names]
    return typed if len(set(typed)) == len(set(names)) else list(names)


def to_pandas(table: pa.Table) -> Any:
    """*table* as a pandas frame; its memory is handed over, so *table* must not be used afterwards.

    Whole numbers with gaps become pandas' nullable integers: as floats, numbers above 2**53 would change.
    """
    import pyarrow as pa

    gappy = [
        {
            "name": field.name,
            "field_name": field.name,
            "pandas_type": str(field.type),
            "numpy_type": str(field.type).replace("uint", "UInt").replace("int", "Int").replace("UInt", "UInt"),
            "metadata": None,
        }
        for field, column in zip(table.schema, table.columns, strict=True)
        if pa.types.is_integer(field.type) and column.null_count
    ]
    if gappy:
        described = json.dumps(
            {"index_columns": [], "column_indexes": [], "columns": gappy, "creator": {"library": "flowforge"}}
        )
        table = table.replace_schema_metadata({"pandas": described})
    return table.to_pandas(split_blocks=True, self_destruct=True)


def write_frame(
    session: Session,
    target: Relation,
    value: Any,
    *,
    node: str,
    path: str,
    options: TableOptions = TableOptions(),
) -> int | None:
    """Create the table *target* from what a Python model returned, and return its number of rows.

    Raises
    ------
    ModelExecutionError
        When the value is no frame, or its columns cannot be told apart.
    """
    rows = session.load_frame(target, value, options)
    if rows is not None:
        return rows
    reader = _reader(value, node, path)
    _check_columns(reader.schema.names, node, path)
    return session.load(target, reader, LoadMode.CREATE, options)


def as_table(value: Any, *, node: str, path: str) -> pa.Table:
    """What a Python model returned, as one Arrow table.

    Raises
    ------
    ModelExecutionError
        When the value is no frame, or its columns cannot be told apart.
    """
    reader = _reader(value, node, path)
    _check_columns(reader.schema.names, node, path)
    return reader.read_all()


def _reader(value: Any, node: str, path: str) -> pa.RecordBatchReader:
    import pyarrow as pa

    if isinstance(value, Generator):
        return _joined(value, node, path)
    if isinstance(value, pa.RecordBatchReader):
        return value
    if isinstance(value, pa.Table):
        return value.to_reader()
    if isinstance(value, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(value.schema, [value])
    kind = type(value)
    if kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas":
        _check_columns(list(value.columns), node, path)
        try:
            table = pa.Table.from_pandas(value, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ModelExecutionError(
                f"the frame that the model returned mixes types: {'; '.join(str(part) for part in error.args)}",
                node=node,
                code="FF2006",
                help="give each column one type, for example with astype()",
            ) from error
        return table.replace_schema_metadata(None).to_reader()
    if hasattr(value, "__arrow_c_stream__") and not isinstance(value, type):
        try:
            return pa.RecordBatchReader.from_stream(value)
        except pa.ArrowInvalid as error:
            raise ModelExecutionError(
                f"the {kind.__name__} that the model returned is a column, not a table: {error}",
                node=node,
                code="FF2006",
                help="return a table; for one column of pandas, add `.to_frame('name')`",
            ) from error
    what = "nothing (None)" if value is None else f"a {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")
    raise ModelExecutionError(
        f"the model returned {what} instead of a frame",
        node=node,
        code="FF2006",
        help="return a pandas DataFrame, an Arrow table, or anything that speaks the Arrow stream protocol",
    )


def _joined(frames: Generator[Any, Any, Any], node: str, path: str) -> pa.RecordBatchReader:
    """One stream of all frames that a model yields; each is let go before the next is asked for."""
    import pyarrow as pa

    first = next(frames, None)
    if first is None:
        raise ModelExecutionError(
            "the model yielded no frame, so nobody knows its columns",
            node=node,
            code="FF2006",
            help="yield at least one frame; it may be empty",
        )
    beginning = _reader(first, node, path)
    schema = beginning.schema

    def batches() -> Iterator[pa.RecordBatch]:
        yield from beginning
        for number, frame in enumerate(frames, 2):
            reader = _reader(frame, node, path)
            if reader.schema.remove_metadata() != schema.remove_metadata():
                raise ModelExecutionError(
                    f"frame {number} that the model yielded has other columns than the first: {_difference(schema, reader.schema)}",
                    node=node,
                    code="FF2006",
                    help="give all frames the same columns, in one order and of the same types",
                )
            yield from reader

    return pa.RecordBatchReader.from_batches(schema, batches())


def _difference(first: pa.Schema, other: pa.Schema) -> str:
    if first.names != other.names:
        return f"{', '.join(other.names)} instead of {', '.join(first.names)}"
    return "; ".join(
        f"{mine.name!r} is {yours.type} instead of {mine.type}"
        for mine, yours in zip(first, other, strict=True)
        if mine.type != yours.type
    )


def _check_columns(names: list[Any], node: str, path: str) -> None:
    if not names:
        raise ModelExecutionError("the frame that the model returned has no columns", node=node, code="FF2006")
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name:
            raise ModelExecutionError(
                f"the frame that the model returned has a column called {name!r}; names are text",
                node=node,
                code="FF2006",
            )
        if name.casefold() in seen:
            raise ModelExecutionError(
                f"the frame that the model returned has two columns called {name!r}", node=node, code="FF2006"
            )
        seen[name.casefold()] = name
