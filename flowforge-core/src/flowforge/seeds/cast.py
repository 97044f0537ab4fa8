"""Strict conversion of texts into a type: a value that does not say exactly that type's value is refused.

Knows texts as Arrow arrays, nothing of files. NULL stays NULL in every type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.seeds import patterns

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGER = r"-?[0-9]+"
_DECIMAL = r"[+-]?[0-9]+(?:\.[0-9]*)?"
_NOT_FINITE = r"(?i:-?(?:nan|inf|infinity))"
_FLOAT = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|" + _NOT_FINITE
_BOOLEAN = r"(?i:true|false)|0|1"


def convert(values: pa.Array, type_: pa.DataType) -> pa.Array:
    """*values* in *type_*; timestamps that should have a zone and have none are taken as UTC.

    Raises
    ------
    pyarrow.ArrowInvalid
        When a value does not fit; :func:`misfit` finds it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if type_ == pa.string():
        return values
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        unzoned = patterns.matching(values, patterns.TIMESTAMP)
        if pc.any(unzoned).as_py():
            values = pc.if_else(unzoned, pc.replace_substring_regex(values, r"\z", "Z"), values)
    return pc.cast(values, type_)


def misfit(values: pa.Array, type_: pa.DataType) -> int | None:
    """The index of the first text that is no value of *type_*; ``None`` when all are."""
    import pyarrow.compute as pc

    pattern = _pattern(type_)
    candidates = values
    bad: int | None = None
    if pattern is not None:
        matches = patterns.matching(values, pattern)
        if pc.all(matches).as_py() is False:
            bad = pc.index(matches, False).as_py()
            candidates = values.slice(0, bad)
    if _converts(candidates, type_):
        return bad
    # All texts before `low` convert, those before `high` do not.
    low, high = 0, len(candidates)
    while high - low > 1:
        middle = (low + high) // 2
        if _converts(candidates.slice(low, middle - low), type_):
            low = middle
        else:
            high = middle
    return low


def _converts(values: pa.Array, type_: pa.DataType) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        converted = convert(values, type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    if not pa.types.is_floating(type_):
        return True
    # A number beyond the type's range must not quietly become infinity.
    finite = pc.is_finite(converted)
    return pc.all(pc.or_(finite, patterns.matching(values, _NOT_FINITE))).as_py() is not False


def _pattern(type_: pa.DataType) -> str | None:
    """What texts of *type_* look like; ``None`` leaves it to Arrow."""
    import pyarrow as pa

    if pa.types.is_integer(type_):
        return _INTEGER
    if pa.types.is_floating(type_):
        return _FLOAT
    if pa.types.is_decimal(type_):
        return _DECIMAL
    if pa.types.is_boolean(type_):
        return _BOOLEAN
    if pa.types.is_date(type_):
        return patterns.DATE
    if pa.types.is_timestamp(type_):
        if type_.tz is not None:
            return rf"{patterns.TIMESTAMP}{patterns.ZONE}?"
        return rf"{patterns.TIMESTAMP}|{patterns.DATE}"
    return None
