"""Strict inference of a column's type from its texts: a type is given only when no value changes by it.

Knows texts as Arrow arrays, nothing of files. A column is seen block by block: :func:`shape_of` describes one
block, :func:`join` puts two descriptions together, :func:`type_for` turns the last one into an Arrow type.

What counts as unchanged: integers are canonical (no leading zeros, no plus sign, no negative zero); a number becomes
a 64-bit float only if the float's shortest decimal form has the same value, otherwise an exact decimal if 38 digits
hold it; everything else stays text.
"""

from __future__ import annotations

import enum
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from flowforge.frozen import frozen
from flowforge.seeds import patterns, proofs

if TYPE_CHECKING:
    import pyarrow as pa

FLOAT_SAFE_DIGITS = 15
"""Any decimal number of so many digits comes back unchanged from a 64-bit float."""
FLOAT_SAFE_INTEGER = 2**53
DECIMAL_DIGITS = 38

_YEAR_1, _YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000  # microseconds since 1970


class Kind(enum.Enum):
    """What all values of a column look like."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"
    """A timestamp with its zone."""
    TEXT = "text"


@frozen
class Shape:
    """What is known of a column so far.

    Parameters
    ----------
    spelling:
        Which of :data:`patterns.BOOLEANS` all values follow.
    digits, scale:
        The longest part before and after the decimal point.
    int64, float64:
        Whether every number survives in that type.
    """

    kind: Kind
    spelling: str = ""
    digits: int = 0
    scale: int = 0
    int64: bool = False
    float64: bool = False


TEXT = Shape(Kind.TEXT)


def join(one: Shape | None, other: Shape | None) -> Shape | None:
    """The shape of both blocks together; ``None`` is a block without values. Commutative and associative."""
    if one is None or other is None:
        return one or other
    if one.kind is Kind.NUMBER and other.kind is Kind.NUMBER:
        return Shape(
            Kind.NUMBER,
            digits=max(one.digits, other.digits),
            scale=max(one.scale, other.scale),
            int64=one.int64 and other.int64,
            float64=one.float64 and other.float64,
        )
    return one if one == other else TEXT


def shape_of(values: pa.Array) -> Shape | None:
    """The shape of one block of texts, NULLs left aside; ``None`` when there is nothing else."""
    values = values.drop_null()
    if len(values) == 0:
        return None
    # The first value says which one pattern is worth running over the whole block.
    first = values[0].as_py()
    if re.fullmatch(patterns.NUMBER, first):
        return _numbers(values)
    for spelling in patterns.BOOLEANS:
        if re.fullmatch(spelling, first):
            return Shape(Kind.BOOLEAN, spelling) if patterns.all_match(values, spelling) else TEXT
    for kind, pattern in (
        (Kind.DATE, patterns.DATE),
        (Kind.TIMESTAMP, patterns.TIMESTAMP),
        (Kind.INSTANT, patterns.INSTANT),
    ):
        if re.fullmatch(pattern, first, re.ASCII):
            return Shape(kind) if _are_moments(values, kind, pattern) else TEXT
    return TEXT


def type_for(shape: Shape | None) -> pa.DataType:
    """The Arrow type of a column; text when nothing is known or nothing else is exact."""
    import pyarrow as pa

    if shape is None or shape.kind is Kind.TEXT:
        return pa.string()
    if shape.kind is Kind.NUMBER:
        if shape.scale == 0 and shape.int64:
            return pa.int64()
        if shape.scale > 0 and shape.float64:
            return pa.float64()
        fits = shape.digits + shape.scale <= DECIMAL_DIGITS
        return pa.decimal128(DECIMAL_DIGITS, shape.scale) if fits else pa.string()
    return {
        Kind.BOOLEAN: pa.bool_(),
        Kind.DATE: pa.date32(),
        Kind.TIMESTAMP: pa.timestamp("us"),
        Kind.INSTANT: pa.timestamp("us", "UTC"),
    }[shape.kind]


def _numbers(values: pa.Array) -> Shape:
    import pyarrow.compute as pc

    bounds = proofs.are_integers(values)
    if bounds is not None:
        digits = max(len(str(abs(bound))) for bound in bounds)
        return Shape(Kind.NUMBER, digits=digits, int64=True, float64=_within_floats(*bounds))
    if not proofs.are_numbers(values) and (
        not patterns.all_match(values, patterns.NUMBER)
        or pc.any(patterns.matching(values, patterns.NEGATIVE_ZERO)).as_py()
    ):
        return TEXT
    unsigned = pc.ascii_ltrim(values, "-")
    has_point = patterns.holding(unsigned, ".")
    parted = unsigned.filter(has_point)
    digits = pc.max(pc.binary_length(unsigned.filter(pc.invert(has_point)))).as_py() or 0
    scale = 0
    if len(parted):
        point = pc.find_substring(parted, ".")
        digits = max(digits, pc.max(point).as_py())
        scale = pc.max(pc.subtract(pc.binary_length(parted), point)).as_py() - 1
    if scale == 0:
        return Shape(Kind.NUMBER, digits=digits)  # more than 64 bits hold
    float64 = digits + scale <= FLOAT_SAFE_DIGITS or _survives_as_float(
        values.filter(patterns.matching(unsigned, rf".{{{FLOAT_SAFE_DIGITS + 1},}}"))
    )
    return Shape(Kind.NUMBER, digits=digits, scale=scale, float64=float64)


def _within_floats(least: int, greatest: int) -> bool:
    return least >= -FLOAT_SAFE_INTEGER and greatest <= FLOAT_SAFE_INTEGER


def _survives_as_float(values: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    shortest = pc.cast(pc.cast(values, pa.float64()), pa.string())
    # Trailing zeros and exponents make texts differ whose values do not: those few are compared as numbers.
    doubtful = values.filter(pc.not_equal(shortest, values))
    return all(Decimal(repr(float(text))) == Decimal(text) for text in (value.as_py() for value in doubtful))


def _are_moments(values: pa.Array, kind: Kind, pattern: str) -> bool:
    """Whether all texts are of *kind*."""
    import pyarrow as pa

    if kind is Kind.DATE and proofs.fits(values, pa.date32()):
        return True
    if kind is Kind.TIMESTAMP and proofs.are_timestamps(values):
        return True
    return patterns.all_match(values, pattern) and _in_calendar(values, kind)


def _in_calendar(values: pa.Array, kind: Kind) -> bool:
    """Whether all dates exist, within the years 1 to 9999 (of UTC)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        moments = pc.cast(values, type_for(Shape(kind)))
    except pa.ArrowInvalid:
        return False
    if kind is Kind.DATE:
        moments = pc.cast(moments, pa.timestamp("us"))
    bounds = pc.min_max(pc.cast(moments, pa.int64())).as_py()
    return bool(bounds["min"] >= _YEAR_1 and bounds["max"] < _YEAR_10000)
