"""Reads a CSV seed: first everything is examined, then it is streamed in the types that were found or declared.

Knows how a CSV file becomes texts and how texts become types. Where all types are declared, what was converted to be
examined is kept and handed out, as long as it is not too much; else there is a second walk. Both walks see the same
bytes, so the second one meets no surprise: every error is raised before the first row is handed out.
"""

from __future__ import annotations

import collections
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
from flowforge.seeds.proofs import proved
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 256 * 1024 * 1024
"""Up to so many bytes of parsed columns are kept; a file with more is parsed a second time."""


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
    kept = _Kept(worth_it=len(declared) == len(file.names))
    found = _examine(file, declared, kept)
    schema = pa.schema([pa.field(name, type_) for name, type_ in zip(file.names, found, strict=True)])

    # Every value was seen: where Arrow's own reader makes the same of it, it may parse straight from the bytes.
    direct = {index: type_ for index, type_ in enumerate(found) if _parsed_alike(type_)}

    def rows() -> Iterator[pa.RecordBatch]:
        for columns in (batch.columns for batch in file.batches(direct)) if kept.blocks is None else kept.handed_out():
            typed = [
                column if column.type == type_ else convert(file.plain(column, type_), type_)
                for column, type_ in zip(columns, found, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(typed, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, rows())


class _Kept:
    """Blocks of the file as they were parsed and examined.

    Worth it where all types are declared: what was converted to be examined is what is handed out. Texts of which the
    type is not known before the end take so much more memory that to parse them again is as cheap.
    """

    def __init__(self, *, worth_it: bool) -> None:
        self.blocks: collections.deque[list[pa.Array]] | None = collections.deque() if worth_it else None
        """``None``: they are not worth it, or were too many."""
        self._bytes = 0

    def add(self, columns: list[pa.Array]) -> None:
        """Keep one more block, or forget them all."""
        if self.blocks is None:
            return
        self._bytes += sum(column.nbytes for column in columns)
        self.blocks.append(columns)
        if self._bytes > KEPT:
            self.blocks = None

    def handed_out(self) -> Iterator[list[pa.Array]]:
        """The blocks, once; none stays in memory longer than it is needed."""
        while self.blocks:
            yield self.blocks.popleft()


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


def _examine(file: CsvFile, declared: Mapping[int, pa.DataType], kept: _Kept) -> list[pa.DataType]:
    """The type of each column, after every value was seen; what is right is given to *kept*."""
    shapes: list[Shape | None] = [None] * len(file.names)
    wrong: dict[int, SeedError] = {}
    row = 0
    for texts in file.batches({}):
        columns = texts.columns
        for index, values in enumerate(texts.columns):
            if index not in declared:
                if shapes[index] is not TEXT:
                    shapes[index] = join(shapes[index], _shape(file, values))
            elif index not in wrong:
                plain = file.plain(values, declared[index])
                made = proved(plain, declared[index])
                bad = misfit(plain, declared[index]) if made is None else None
                if bad is not None:
                    wrong[index] = _misfit_error(file, index, row + bad, values[bad].as_py(), declared[index])
                elif made is not None:
                    columns[index] = made
        kept.add(columns)
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
