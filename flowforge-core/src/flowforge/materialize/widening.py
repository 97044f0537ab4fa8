"""Which column types hold every value of which others, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def widens(narrow: pa.DataType, wide: pa.DataType) -> bool:
    """Whether each value of the type *narrow* is a value of the type *wide* too, and means the same there."""
    import pyarrow as pa

    types = pa.types
    if narrow == wide or types.is_null(narrow):
        return True
    if types.is_integer(narrow):
        signed = types.is_signed_integer(narrow)
        bits = narrow.bit_width - (1 if signed else 0)
        if types.is_integer(wide):
            wide_signed = types.is_signed_integer(wide)
            return bool((wide_signed or not signed) and bits <= wide.bit_width - (1 if wide_signed else 0))
        if types.is_floating(wide):
            return bool(bits <= {16: 11, 32: 24, 64: 53}[wide.bit_width])
        return bool(types.is_decimal(wide) and len(str(2**bits)) <= wide.precision - wide.scale)
    if types.is_floating(narrow):
        return bool(types.is_floating(wide) and narrow.bit_width <= wide.bit_width)
    if types.is_decimal(narrow):
        whole = narrow.precision - narrow.scale <= wide.precision - wide.scale if types.is_decimal(wide) else False
        return whole and narrow.scale <= wide.scale
    if types.is_timestamp(narrow) and types.is_timestamp(wide):
        units = ("s", "ms", "us")  # the years of nanoseconds are few
        both = narrow.unit in units and wide.unit in units
        return both and narrow.tz == wide.tz and units.index(narrow.unit) <= units.index(wide.unit)
    for same in (_is_text, _is_bytes):
        if same(narrow):
            return same(wide)
    return False


def _is_text(type_: pa.DataType) -> bool:
    return str(type_) in ("string", "large_string", "string_view")


def _is_bytes(type_: pa.DataType) -> bool:
    return str(type_) in ("binary", "large_binary", "binary_view")
