"""Reads a seed of JSON Lines: first everything is examined, then it is streamed in the types that were found or declared.

Both walks see the same bytes, so the second one meets no surprise. A key that a row lacks is NULL. Texts stay texts,
whatever they look like; numbers become what changes none of them, by the rules of :mod:`flowforge.seeds.infer`; lists
and objects become Arrow's. A column of values that have no type in common is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.type_words import word_for
from flowforge.errors import Problems, SeedError
from flowforge.seeds import json_types, patterns
from flowforge.seeds.cast import convert, misfit
from flowforge.seeds.csv_places import quote_value
from flowforge.seeds.csv_reader import match_declared
from flowforge.seeds.infer import Kind, Shape, shape_of
from flowforge.seeds.json_lines import JsonLines
from flowforge.seeds.json_types import ClashError, JsonType, arrow_of, as_text, fitted, together, type_of, words

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 8192
"""Rows that are handled at once."""

LINE = b"flowforge.line"
"""Metadata of a nested column: the first line that holds a list or an object there."""

_NUMBERS = frozenset((int, Decimal))
_TEXTS = frozenset((str,))
_BOOLEANS = frozenset((bool,))


def read_json_lines(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    """A reader over the exact rows of *path*.

    Parameters
    ----------
    types:
        Declared types by column. Texts and numbers may both say a value of a declared type.

    Raises
    ------
    SeedError, ProjectErrors
        For everything that cannot be read exactly, before the first row is handed out.
    OSError
        When the file cannot be opened.
    """
    import pyarrow as pa

    file = JsonLines.open(path)
    columns = _examine(file, types)
    schema = pa.schema([column.field for column in columns])

    def rows() -> Iterator[pa.RecordBatch]:
        for _, block in file.blocks(BLOCK):
            arrays = [column.array([row.get(column.name) for row in block]) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, rows())


@attrs.define
class _Column:
    """What is known of one column so far. One thread."""

    name: str
    declared: pa.DataType | None = None
    known: JsonType = None
    first: int = 0
    """The line that told the kind of value."""
    nested: int = 0

    @property
    def type(self) -> pa.DataType:
        return self.declared if self.declared is not None else arrow_of(self.known)

    @property
    def field(self) -> pa.Field:
        import pyarrow as pa

        nested = pa.types.is_nested(self.type)
        return pa.field(self.name, self.type, metadata={LINE: str(self.nested).encode()} if nested else None)

    def array(self, values: list[Any]) -> pa.Array:
        import pyarrow as pa

        type_ = self.type
        if self.declared is not None:
            return convert(_texts(values), type_)
        if pa.types.is_nested(type_):
            return pa.array([fitted(value, type_) for value in values], type_)
        if pa.types.is_floating(type_):
            return pa.array([None if value is None else float(value) for value in values], type_)
        if pa.types.is_integer(type_):
            return pa.array([None if value is None else int(value) for value in values], type_)
        if pa.types.is_string(type_) or pa.types.is_decimal(type_):
            return convert(_texts(values), type_)
        return pa.array(values, type_)


def _examine(file: JsonLines, types: Mapping[str, pa.DataType]) -> list[_Column]:
    """The columns in the order in which they come, after every value was seen."""
    columns: dict[str, _Column] = {}
    declared = {name.casefold(): type_ for name, type_ in types.items()}
    folded: dict[str, str] = {}
    wrong: dict[str, SeedError] = {}
    for numbers, block in file.blocks(BLOCK):
        for line, row in zip(numbers, block, strict=True):
            if not columns.keys() >= row.keys():
                for name in row:
                    if name not in columns:
                        _refuse_name(file, line, name, folded)
                        columns[name] = _Column(name, declared.get(name.casefold()))
        for name, column in columns.items():
            if name not in wrong:
                problem = _look(file, column, numbers, [row.get(name) for row in block])
                if problem is not None:
                    wrong[name] = problem
    if not columns:  # no rows: what is declared is all that is known
        columns = {name: _Column(name, type_) for name, type_ in types.items()}
    if not columns:
        raise SeedError(
            "the seed names no columns: it has no rows, or they are empty",
            code="FF2204",
            location=file.at(1),
            help="write one object a line, or declare the columns with their types in seeds/schema.yml",
        )
    match_declared(file.shown, tuple(columns), types)
    problems = Problems()
    for error in wrong.values():
        problems.add(error)
    problems.raise_if_any()
    return list(columns.values())


def _refuse_name(file: JsonLines, line: int, name: str, folded: dict[str, str]) -> None:
    if not name.strip() or "\0" in name:
        raise SeedError("a key has no name", code="FF2204", location=file.at(line), help="give every key a name")
    if name.casefold() in folded:
        raise SeedError(
            f"column {name!r} is there twice, once as {folded[name.casefold()]!r}",
            code="FF2204",
            location=file.at(line),
            help="write the key in one way; upper and lower case do not make names different",
        )
    folded[name.casefold()] = name


def _look(file: JsonLines, column: _Column, numbers: Sequence[int], values: list[Any]) -> SeedError | None:
    """Learn from a block of values; what is wrong with one of them is the answer."""
    found = frozenset(map(type, values)) - {type(None)}
    if not found:
        return None
    if found & {str, list, dict}:
        problem = _unfit_text(file, column, numbers, values)
        if problem is not None:
            return problem
    if column.declared is not None:
        return _misfit(file, column, numbers, values)
    if found <= _NUMBERS:
        here: JsonType = _number_shape(values, whole=Decimal not in found)
    elif found == _TEXTS:
        here = Shape(Kind.TEXT)
    elif found == _BOOLEANS:
        here = Shape(Kind.BOOLEAN)
    else:
        return _one_by_one(file, column, numbers, values)
    try:
        column.known = together(column.known, here)
    except ClashError:
        return _one_by_one(file, column, numbers, values)
    column.first = column.first or _first_line(numbers, values)
    return None


def _one_by_one(file: JsonLines, column: _Column, numbers: Sequence[int], values: list[Any]) -> SeedError | None:
    for line, value in zip(numbers, values, strict=True):
        if value is None:
            continue
        here: JsonType = None
        try:
            here = type_of(value)
            column.known = together(column.known, here)
        except ClashError:
            before = f"the one on line {column.first} is {words(column.known)}" if column.first else ""
            same = here is None or words(here) == words(column.known)
            return SeedError(
                f"the values of {column.name!r} have no type in common: this one is {words(here)}, {before}"
                if not same
                else f"the values inside of {column.name!r} have no type in common",
                code="FF2212",
                location=file.at(line),
                help="write them alike, or declare the column as string in seeds/schema.yml to keep it as text",
            )
        column.first = column.first or line
        if isinstance(value, (list, dict)):
            column.nested = column.nested or line
    return None


def _first_line(numbers: Sequence[int], values: Sequence[Any]) -> int:
    return next(line for line, value in zip(numbers, values, strict=True) if value is not None)


def _number_shape(values: list[Any], *, whole: bool) -> Shape:
    """As CSV has it, but for zeros with a sign: those are numbers here. *whole*: all of them are integers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if not whole:
            raise OverflowError
        bounds = pc.min_max(pa.array(values, pa.int64())).as_py()
    except OverflowError:
        texts = pa.array([str(value) for value in values if value is not None], pa.string())
        if pc.any(patterns.holding(texts, "E")).as_py():
            texts = _texts(values)
        texts = pc.replace_substring_regex(texts, r"\A-(0(?:\.0+)?)\z", r"\1")
        shape = shape_of(texts)
        huge = Shape(Kind.NUMBER, digits=json_types.LONGEST, scale=1)
        return shape if shape is not None and shape.kind is Kind.NUMBER else huge
    longest = max(len(str(abs(bounds["min"]))), len(str(abs(bounds["max"]))))
    safe = max(abs(bounds["min"]), abs(bounds["max"])) <= 2**53
    return Shape(Kind.NUMBER, digits=longest, int64=True, float64=safe)


def _texts(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([as_text(value) for value in values], pa.string())


def _unfit_text(file: JsonLines, column: _Column, numbers: Sequence[int], values: list[Any]) -> SeedError | None:
    """The error for a text that no engine keeps: with NUL, or with half of a surrogate pair."""
    import pyarrow.compute as pc

    try:
        if not pc.any(patterns.holding(_texts(values), "\0")).as_py():
            return None
    except UnicodeEncodeError:
        pass  # found again below, with its line
    for line, value in zip(numbers, values, strict=True):
        text = as_text(value) or ""
        what = (
            "NUL" if "\0" in text else "half of a character" if any("\ud800" <= one <= "\udfff" for one in text) else ""
        )
        if what:
            return SeedError(
                f"a text in {column.name!r} holds {what}",
                code="FF2202",
                location=file.at(line),
                help="remove it; engines do not keep it in text",
            )
    return None


def _misfit(file: JsonLines, column: _Column, numbers: Sequence[int], values: list[Any]) -> SeedError | None:
    import pyarrow as pa

    type_ = column.declared
    assert type_ is not None
    bad: int | None = None
    if type_ != pa.string():
        nested = [index for index, value in enumerate(values) if isinstance(value, (list, dict))]
        bad = nested[0] if nested else misfit(_texts(values), type_)
    if bad is None:
        return None
    shown = words(type_of(values[bad])) if isinstance(values[bad], (list, dict)) else quote_value(str(values[bad]))
    return SeedError(
        f"column {column.name!r} is declared as {word_for(type_)}, but {shown} does not fit",
        code="FF2205",
        location=file.at(numbers[bad]),
        help="correct the value, or declare a type that holds it",
    )
