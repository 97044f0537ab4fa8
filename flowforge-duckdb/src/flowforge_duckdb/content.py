"""The SQL that sums up the rows of a relation so that no two different ones look alike.

DuckDB's ``hash()`` is fast, and made for joins: it gives one number for values that compare as equal (``0.0`` and
``-0.0``, one month and thirty days, all NaNs), and also for some that do not (the HUGEINTs 0 and -1, an empty list and
NULL). So each column is first taken apart into values of which ``hash()`` is exact. Pure; needs no database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

Quote = Callable[[str], str]

_HASH_IS_EXACT = frozenset(
    [
        "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint",
        "varchar", "blob", "bit", "bignum", "varint", "enum", "date", "time", "time_ns", "time with time zone",
        "timestamp", "timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns", "timestamp with time zone",
        "timestamptz_ns", "null",
    ]
)  # fmt: skip
_WIDE = {"hugeint": "BIGINT", "uhugeint": "UBIGINT"}
_DIGITS_OF_64_BITS = 18
# Any number will do, as long as it stays the same: with it, the second sum is another function of the same rows.
_SALT = 0x9E3779B97F4A7C15


class _InexactError(Exception):
    """A type of which no exact hash is known."""


def summary(source: str, columns: Sequence[tuple[str, Any]], quote: Quote) -> str | None:
    """A query of one row (count and two sums of hashes) over *source*; ``None``: a column's type cannot be hashed.

    Parameters
    ----------
    source:
        A relation, as it stands in SQL.
    columns:
        Names, and types as DuckDB's Python module has them.
    """
    try:
        parts = [part for name, type_ in columns for part in _parts(quote(name), type_, quote, 0)]
    except _InexactError:
        return None
    rows = f"SELECT hash({', '.join(parts)}) AS ff__row FROM {source}"
    return f"SELECT count(*), sum(hash(ff__row)), sum(hash(xor(ff__row, {_SALT}::UBIGINT))) FROM ({rows}) AS ff__rows"


def token(layout: str, count: int, *sums: int | None) -> str:
    """What stands for rows with these sums, in columns of this layout."""
    columns = hashlib.blake2b(layout.encode(), digest_size=8).hexdigest()
    return "-".join([columns, str(count), *(f"{total or 0:x}" for total in sums)])


def _parts(value: str, type_: Any, quote: Quote, depth: int) -> list[str]:
    """Expressions that together differ whenever *value* does, and of which ``hash()`` is exact."""
    kind = type_.id
    if kind in _HASH_IS_EXACT:
        return [value]
    if kind in ("float", "double"):
        # The bits of a zero would be those of 0.0, the sign is not; of a NaN it is the other way round.
        return [value, f"signbit({value})", f"CASE WHEN isnan({value}) THEN CAST({value} AS BIT) END"]
    if kind in _WIDE:
        return _narrowed(value, _WIDE[kind])
    if kind == "decimal":
        precision, scale = (number for _, number in type_.children)
        if precision <= _DIGITS_OF_64_BITS:
            return [value]
        return _narrowed(value, f"DECIMAL({_DIGITS_OF_64_BITS},{scale})" if scale <= _DIGITS_OF_64_BITS else None)
    if kind == "uuid":
        return [f"CAST({value} AS BLOB)"]
    if kind == "interval":
        return [f"CAST({value} AS VARCHAR)"]
    return _nested(value, kind, type_, quote, depth)


def _narrowed(value: str, type_: str | None) -> list[str]:
    """A number of 128 bits: as one of 64 bits where it fits, because the text of a number takes long to make."""
    if type_ is None:
        return [f"CAST({value} AS VARCHAR)"]
    narrow = f"TRY_CAST({value} AS {type_})"
    return [narrow, f"CASE WHEN {narrow} IS NULL THEN CAST({value} AS VARCHAR) END"]


def _nested(value: str, kind: str, type_: Any, quote: Quote, depth: int) -> list[str]:
    if kind in ("list", "array"):
        return [
            f"len({value})" if kind == "list" else f"{value} IS NULL",
            _each(value, type_.children[0][1], quote, depth),
        ]
    if kind == "map":
        name = f"ff__{depth}"
        entry = ", ".join(
            part
            for field, child in type_.children
            for part in _parts(f"struct_extract({name}, '{field}')", child, quote, depth + 1)
        )
        entries = f"list_transform(map_entries({value}), lambda {name}: hash({entry}))"
        return [f"{value} IS NULL", f"cardinality({value})", f"hash({entries})"]
    if kind == "struct":
        fields = enumerate((child for _, child in type_.children), 1)
        return [
            f"{value} IS NULL",
            *(
                part
                for index, child in fields
                for part in _parts(f"struct_extract_at({value}, {index})", child, quote, depth)
            ),
        ]
    if kind == "union":
        members = [(name, child) for name, child in type_.children if name]
        return [
            f"CAST(union_tag({value}) AS VARCHAR)",
            *(
                part
                for name, child in members
                for part in _parts(f"union_extract({value}, {_text(name)})", child, quote, depth)
            ),
        ]
    raise _InexactError(kind)


def _each(value: str, child: Any, quote: Quote, depth: int) -> str:
    """One hash of the elements of a list, in their order."""
    name = f"ff__{depth}"
    parts = _parts(name, child, quote, depth + 1)
    if parts == [name]:
        return value
    return f"list_transform({value}, lambda {name}: hash({', '.join(parts)}))"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
