"""Turns the rows of a unit test into a query that makes them, with exact types; no table of the warehouse is asked.

Values of one column decide its type: whole numbers, numbers, truth values, dates and times written in ISO form, texts.
What they leave open (a column of NULLs, texts that look like dates) is said under ``columns:``.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.config.files import inside
from flowforge.config.type_words import arrow_type, word_for
from flowforge.contract import Dialect
from flowforge.errors import CheckConfigError
from flowforge.frozen import frozen
from flowforge.utest.files import Fixture, Given
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = 2**63
_TOGETHER = 100


@frozen
class Rows:
    """Named columns and rows of plain values; those of a CSV are texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    texts: bool = False


def rows_of(fixture: Fixture, root: Path, path: str, location: Location) -> Rows:
    """The rows that a fixture lists, or that its CSV holds.

    Parameters
    ----------
    path:
        The test's file; a CSV's file is named relative to it, or to the project.

    Raises
    ------
    CheckConfigError
        When the CSV cannot be read, or lies outside the project.
    """
    if isinstance(fixture, Given) and fixture.generate is not None:
        return Rows(tuple(fixture.generate.columns), fixture.generate.table())
    if fixture.csv is not None:
        return _from_csv(fixture.csv, root, path, location)
    listed = fixture.rows or ()
    columns = tuple(dict.fromkeys([*(str(name) for row in listed for name in row), *fixture.columns]))
    return Rows(columns, tuple(tuple(row.get(name) for name in columns) for row in listed))


def _from_csv(text: str, root: Path, path: str, location: Location) -> Rows:
    if "\n" not in text.strip() and text.strip().lower().endswith((".csv", ".tsv")):
        text = _read(text.strip(), root, path, location)
    lines = list(csv.reader(io.StringIO(text.strip("\n")), strict=True))
    if not lines:
        raise CheckConfigError(
            "the CSV is empty", code="FF3010", location=location, help="begin with the columns' names"
        )
    header, body = lines[0], [line for line in lines[1:] if line]
    for number, line in enumerate(body, 2):
        if len(line) != len(header):
            raise CheckConfigError(
                f"row {number} of the CSV has {len(line)} fields, the header has {len(header)}",
                code="FF3010",
                location=location,
            )
    names = tuple(name.strip() for name in header)
    return Rows(names, tuple(tuple(field or None for field in line) for line in body), texts=True)


def _read(name: str, root: Path, path: str, location: Location) -> str:
    beside = f"{Path(path).parent.as_posix()}/{name}"
    try:
        for candidate in (beside, name):
            file = inside(root, candidate)
            if file.is_file():
                return file.read_text(encoding="utf-8")
        problem = f"there is no file {name!r} beside the test or in the project"
    except ValueError as error:
        problem = f"{name!r} {error}"
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{name!r} cannot be read: {error}"
    raise CheckConfigError(problem, code="FF3010", location=location, help="name a CSV file of the project, in UTF-8")


def with_types(rows: Rows, types: Mapping[str, str], location: Location) -> Rows:
    """*rows* with values of the declared types in the columns that have one.

    Raises
    ------
    CheckConfigError
        When a value does not fit.
    """
    if not types:
        return rows
    columns: list[list[Any]] = [[row[index] for row in rows.rows] for index in range(len(rows.columns))]
    for index, name in enumerate(rows.columns):
        if name in types:
            array = _typed("expect", name, columns[index], types[name], location, texts=rows.texts)
            columns[index] = array.to_pylist()
    return Rows(rows.columns, tuple(zip(*columns, strict=True)), rows.texts)


def select_of(rows: Rows, types: Mapping[str, str], dialect: Dialect, location: Location, name: str) -> str:
    """A query that makes *rows*. Many are put together in groups: engines limit how many queries a union may have.

    Parameters
    ----------
    types:
        Declared types by column.
    name:
        Of the input, for messages.

    Raises
    ------
    CheckConfigError
        When the values of a column have no type in common, or do not fit the declared one.
    """
    typed = [
        _typed(name, column, [row[index] for row in rows.rows], types.get(column), location, texts=rows.texts)
        for index, column in enumerate(rows.columns)
    ]
    return _select(rows.columns, typed, dialect)


def select_of_table(table: pa.Table, dialect: Dialect) -> str:
    """A query that makes the rows of an Arrow table, as the engine gave it or as a model in Python made it."""
    import pyarrow as pa

    columns = []
    for column in table.combine_chunks().columns:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        columns.append(column)
    return _select(table.column_names, columns, dialect)


def _select(columns: Sequence[str], typed: Sequence[Any], dialect: Dialect) -> str:
    names = [dialect.quote(column) for column in columns]
    kinds = [dialect.type_name(array.type) for array in typed]
    if not len(typed[0] if typed else ()):
        nothing = ", ".join(
            f"{dialect.cast('NULL', kind)} AS {column}" for column, kind in zip(names, kinds, strict=True)
        )
        return f"SELECT {nothing} FROM (SELECT 1 AS ff_one) AS ff_nothing WHERE 1 = 0"
    values = [array.to_pylist() for array in typed]
    lines = []
    for row in zip(*values, strict=True):
        cells = (
            f"{dialect.cast(dialect.literal(value), kind)} AS {column}"
            for value, kind, column in zip(row, kinds, names, strict=True)
        )
        lines.append(f"SELECT {', '.join(cells)}")
    if len(lines) <= _TOGETHER:
        return " UNION ALL ".join(lines)
    groups = [" UNION ALL ".join(lines[start : start + _TOGETHER]) for start in range(0, len(lines), _TOGETHER)]
    return " UNION ALL ".join(f"SELECT * FROM ({group}) AS ff_{number}" for number, group in enumerate(groups))


def _typed(
    name: str, column: str, values: Sequence[Any], word: str | None, location: Location, *, texts: bool
) -> pa.Array:
    import pyarrow as pa

    def wrong(reason: str) -> CheckConfigError:
        return CheckConfigError(
            f"the column {column!r} of {name!r} {reason}",
            code="FF3010",
            location=location,
            help=f"write its values alike, or declare it: columns: {{{column}: string}}",
        )

    wanted = arrow_type(word) if word is not None else None
    if texts:
        array = pa.array(values, pa.string())
        wanted = wanted or _type_of_texts(array)
        try:
            return array.cast(wanted)
        except pa.ArrowInvalid as error:
            raise wrong(f"does not hold {word}: {error}") from None
    known = [value for value in values if value is not None]
    if wanted is None:
        wanted = _type_of(known)
        if wanted is None:
            raise wrong(f"mixes {' and '.join(sorted({type(value).__name__ for value in known}))}")
    try:
        return pa.array([_as(value, wanted) for value in values], wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError, decimal.InvalidOperation):
        raise wrong(f"does not hold {word_for(wanted)}") from None


def _type_of_texts(array: pa.Array) -> pa.DataType:
    from flowforge.seeds.infer import shape_of, type_for

    return type_for(shape_of(array))


def _type_of(values: Sequence[Any]) -> pa.DataType | None:
    """The type that all values have; a column of NULLs is one of texts."""
    import pyarrow as pa

    kinds = {type(value) for value in values}
    if kinds <= {str}:
        type_ = _type_of_texts(pa.array(values, pa.string()))
        return type_ if pa.types.is_date(type_) or pa.types.is_timestamp(type_) else pa.string()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64() if all(-_INT64 <= value < _INT64 for value in values) else pa.decimal128(38, 0)
    if kinds <= {int, float}:
        return pa.float64()
    return None


def _as(value: Any, type_: pa.DataType) -> Any:
    """A value of YAML as one of a type."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_date(type_) and isinstance(value, str):
        return dt.date.fromisoformat(value)
    if pa.types.is_timestamp(type_) and isinstance(value, str):
        moment = dt.datetime.fromisoformat(value)
        if type_.tz is not None and moment.tzinfo is None:
            return moment.replace(tzinfo=dt.UTC)
        return moment
    if pa.types.is_decimal(type_):
        return decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-type_.scale), context=_EXACT)
    if pa.types.is_string(type_) and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    if pa.types.is_integer(type_) and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{value!r} is no whole number")
    if pa.types.is_floating(type_) and not isinstance(value, bool):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{value!r} has no portable literal")
        return number
    return value


_EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation])
