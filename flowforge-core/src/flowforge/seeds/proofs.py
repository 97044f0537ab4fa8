"""Cheap proofs that a block of texts is what it should be, before anybody looks at each value.

Knows texts as Arrow arrays, nothing of files. What is proved here is so; what is not may be right nevertheless, and is
looked at exactly by :mod:`flowforge.seeds.cast` and :mod:`flowforge.seeds.infer`. Arrow's parsers do most of the work:
where the bytes of a block are of a small alphabet, what they accept leaves few doubts. Constants that go into Arrow's
functions are no objects of Python, for those would make Arrow import pandas where it is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.seeds import patterns

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = b"0123456789"
_YEAR_1 = -719_162  # days since 1970
_DAY = 86_400_000_000  # microseconds
_DATE_ONLY, _HOURS_ONLY = 10, 13  # characters of `2024-01-31`, and with ` 12` behind it, which is no moment here


def written_with(values: pa.Array, alphabet: bytes) -> bool:
    """Whether texts without NULL or with it hold nothing but bytes of *alphabet*."""
    return not _bytes(values).translate(None, alphabet)


def _bytes(values: pa.Array) -> bytes:
    """All texts, one behind the other."""
    _, places, data = values.buffers()
    if data is None or not len(values):
        return b""
    offsets = memoryview(places).cast("i")
    begin, end = offsets[values.offset], offsets[values.offset + len(values)]
    return bytes(data.slice(begin, end - begin))


def fits(values: pa.Array, type_: pa.DataType) -> bool:
    """Whether it is proved that every text is a value of *type_*, as :func:`flowforge.seeds.cast.misfit` means it."""
    return proved(values, type_) is not None


def proved(values: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """*values* in *type_*, as :func:`flowforge.seeds.cast.convert` makes them; ``None`` unless it is proved that they fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if type_ == pa.string():
        return values
    if types.is_integer(type_) and not written_with(values, _DIGITS + b"-"):  # a cast takes hexadecimal digits, too
        return None
    numeric = types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_)
    if not (numeric or types.is_date32(type_) or type_ == pa.timestamp("us")):
        return None
    try:
        made = pc.cast(values, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    sound = True
    if types.is_floating(type_):
        sound = written_with(values, _DIGITS + b"+-.eE") and pc.all(pc.is_finite(made)).as_py() is not False
    elif types.is_decimal(type_):
        sound = written_with(values, _DIGITS + b"-.") and not _starts_with_point(values)
    elif types.is_date32(type_):
        sound = _since_year_1(pc.cast(made, pa.int32()), 1)
    elif types.is_timestamp(type_):
        sound = _since_year_1(pc.cast(made, pa.int64()), _DAY) and _HOURS_ONLY not in _lengths(values)
    return made if sound else None


def are_integers(values: pa.Array) -> tuple[int, int] | None:
    """The least and the greatest of texts without NULL, when all are what 64-bit integers look like as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not written_with(values, _DIGITS + b"-"):  # asked first: a cast words an error for each value that it refuses
        return None
    try:
        numbers = pc.cast(values, pa.int64())
    except pa.ArrowInvalid:
        return None
    if not pc.cast(numbers, pa.string()).equals(values):
        return None
    bounds = pc.min_max(numbers).as_py()
    return bounds["min"], bounds["max"]


def are_numbers(values: pa.Array) -> bool:
    """Whether it is proved that texts without NULL are numbers in their usual form, none of them a negative zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not written_with(values, _DIGITS + b"-."):
        return False
    try:
        pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return False
    # What is left are digits with at most one point anywhere, and a sign in front.
    doubts = pc.or_(pc.or_(pc.starts_with(values, "0"), pc.starts_with(values, ".")), pc.ends_with(values, "."))
    if b"-" in _bytes(values):
        doubts = pc.or_(doubts, pc.or_(pc.starts_with(values, "-0"), pc.starts_with(values, "-.")))
    doubtful = values.filter(doubts)
    return (
        patterns.all_match(doubtful, patterns.NUMBER)
        and pc.any(patterns.matching(doubtful, patterns.NEGATIVE_ZERO)).as_py() is not True
    )


def are_timestamps(values: pa.Array) -> bool:
    """Whether it is proved that all texts are moments without a zone, each with hours and minutes."""
    import pyarrow as pa

    return fits(values, pa.timestamp("us")) and _DATE_ONLY not in _lengths(values)


def _starts_with_point(values: pa.Array) -> bool:
    import pyarrow.compute as pc

    return b"-." in _bytes(values) or pc.any(pc.starts_with(values, ".")).as_py() is True


def _since_year_1(numbers: pa.Array, day: int) -> bool:
    import pyarrow.compute as pc

    first = pc.min(numbers).as_py()
    return first is None or first >= _YEAR_1 * day


def _lengths(values: pa.Array) -> set[int]:
    import pyarrow.compute as pc

    return set(pc.unique(pc.binary_length(values)).to_pylist())
