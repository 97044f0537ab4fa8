"""Reads a CSV seed: first everything is examined, then it is streamed in the types that were found or declared.

Knows how a CSV file becomes texts and how texts become types. Both walks see the same bytes, so the second one meets
no surprise: every error is raised before the first row is handed out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.config.type_words import word_for
from flowforge.errors import Problems, SeedError
from flowforge.seeds import csv_places
from flowforge.seeds.cast import convert, misfit
from flowforge.seeds.csv_file import CsvFile
from flowforge.seeds.csv_options import PLAIN, CsvOptions
from flowforge.seeds.infer import TEXT, Kind, Shape, join, shape_of, type_for
from flowforge.seeds.proofs import fits
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa


def read_csv(
    path: Path, types: Mapping[str, pa.DataType], options: CsvOptions = PLAIN, *, delimiter: str = ","
) -> pa.RecordBatchReader:
    """A reader over the exact rows of *path*.

    Parameters
    ----------
    types:
        Declared types by column; the other columns get the type that changes none of their values.
    delimiter:
        What separates values unless *options* says so.

    Raises
    ------
    SeedError, ProjectErrors
        For everything that cannot be read exactly: one error for each column with a value that is not of its
        declared type.
    OSError
        When the file cannot be opened.
    """
    import pyarrow as pa

    file = CsvFile.open(path, options, delimiter=delimiter)
    declared = match_declared(file.source.shown, file.names, types)
    found = _examine(file, declared)
    schema = pa.schema([pa.field(name, type_) for name, type_ in zip(file.names, found, strict=True)])

    # Every value was seen: where Arrow's own reader makes the same of it, it may parse straight from the bytes.
    direct = {index: type_ for index, type_ in enumerate(found) if _parsed_alike(type_)}

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in file.batches(direct):
            columns = [
                batch.column(index) if index in direct else convert(file.plain(batch.column(index), type_), type_)
                for index, type_ in enumerate(found)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, rows())


def _parsed_alike(type_: pa.DataType) -> bool:
    """Whether Arrow's CSV reader makes the same of a text that fits as its cast does. Decimals may grow too long there."""
    import pyarrow as pa

    types = pa.types
    same = (types.is_integer, types.is_floating, types.is_date32)
    return any(is_it(type_) for is_it in same) or bool(type_ == pa.timestamp("us"))


def match_declared(shown: str, names: tuple[str, ...], types: Mapping[str, pa.DataType]) -> Mapping[int, pa.DataType]:
    """The declared types by the position of their columns; upper and lower case do not matter.

    Raises
    ------
    SeedError, ProjectErrors
        When a declared column is not in the file.
    """
    positions = {name.casefold(): index for index, name in enumerate(names)}
    problems = Problems()
    declared: dict[int, pa.DataType] = {}
    for name, type_ in types.items():
        index = positions.get(name.casefold())
        if index is None:
            close = difflib.get_close_matches(name, names, n=1)
            problems.add(
                SeedError(
                    f"a type is declared for column {name!r}, which the seed does not have",
                    code="FF2205",
                    location=Location(shown, 1),
                    help=f"did you mean {close[0]!r}?" if close else f"its columns are {', '.join(names)}",
                )
            )
        else:
            declared[index] = type_
    problems.raise_if_any()
    return declared


def _examine(file: CsvFile, declared: Mapping[int, pa.DataType]) -> list[pa.DataType]:
    """The type of each column, after every value was seen."""
    shapes: list[Shape | None] = [None] * len(file.names)
    wrong: dict[int, SeedError] = {}
    row = 0
    for texts in file.batches({}):
        for index in range(len(file.names)):
            values = texts.column(index)
            if index not in declared:
                if shapes[index] is not TEXT:
                    shapes[index] = join(shapes[index], _shape(file, values))
            elif index not in wrong:
                plain = file.plain(values, declared[index])
                bad = None if fits(plain, declared[index]) else misfit(plain, declared[index])
                if bad is not None:
                    wrong[index] = _misfit_error(file, index, row + bad, values[bad].as_py(), declared[index])
        row += len(texts)
    problems = Problems()
    for error in wrong.values():
        problems.add(error)
    problems.raise_if_any()
    return [declared[index] if index in declared else type_for(shape) for index, shape in enumerate(shapes)]


def _shape(file: CsvFile, values: pa.Array) -> Shape | None:
    if file.options.decimal == ".":
        return shape_of(values)
    import pyarrow as pa

    # Where a comma stands in front of decimals, a point makes no number, but it does make fractions of a second.
    shape = shape_of(file.plain(values, pa.float64()))
    if shape is None or shape.kind is Kind.NUMBER:
        return shape
    shape = shape_of(values)
    return TEXT if shape is not None and shape.kind is Kind.NUMBER else shape


def _misfit_error(file: CsvFile, index: int, row: int, value: str, type_: pa.DataType) -> SeedError:
    return SeedError(
        f"column {file.names[index]!r} is declared as {word_for(type_)}, but {csv_places.quote_value(value)} does not fit",
        code="FF2205",
        location=csv_places.value_at(file.source, file.body, row, index),
        help="correct the value, or declare a type that holds it",
    )
