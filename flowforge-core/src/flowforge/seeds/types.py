"""The words for column types that ``seeds/schema.yml`` understands, and the Arrow types behind them.

Knows pyarrow, which it imports only when it is asked for a type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = (
    "string",
    "integer",
    "bigint",
    "double",
    "numeric",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
)
"""Every word, in the order in which messages list them. ``numeric`` may carry ``(precision, scale)``."""

NUMERIC_PRECISION, NUMERIC_SCALE = 38, 9
"""What plain ``numeric`` means; a value with more decimals is refused, never rounded."""

_NUMERIC = re.compile(r"numeric\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")


def normal_word(word: str) -> str:
    """*word* as it is kept in the manifest: lower case, single form.

    Raises
    ------
    ValueError
        When it is no type that a seed's column can have; the message says which there are.
    """
    plain = word.strip().lower()
    if plain in WORDS:
        return plain
    match = _NUMERIC.fullmatch(plain)
    if match is None:
        raise ValueError(f"unknown column type {word!r}; known are {', '.join(WORDS)} and numeric(precision, scale)")
    precision, scale = int(match[1]), int(match[2] or 0)
    if not 1 <= precision <= NUMERIC_PRECISION or scale > precision:
        raise ValueError(f"{word!r} needs a precision from 1 to {NUMERIC_PRECISION} and a scale up to the precision")
    return f"numeric({precision},{scale})"


def arrow_type(word: str) -> pa.DataType:
    """The Arrow type that *word* stands for.

    Raises
    ------
    ValueError
        As :func:`normal_word`.
    """
    import pyarrow as pa

    plain = normal_word(word)
    match = _NUMERIC.fullmatch(plain)
    if match is not None:
        return pa.decimal128(int(match[1]), int(match[2]))
    return {
        "string": pa.string(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "numeric": pa.decimal128(NUMERIC_PRECISION, NUMERIC_SCALE),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }[plain]


def word_for(type_: pa.DataType) -> str:
    """What messages call *type_*: its word, or Arrow's name for types that have none."""
    import pyarrow as pa

    for word in WORDS:
        if arrow_type(word) == type_:
            return word
    if pa.types.is_decimal128(type_):
        return f"numeric({type_.precision},{type_.scale})"
    return str(type_)
