"""The words for column types that project files understand, the Arrow types behind them, and texts that name a type.

Knows pyarrow, which it imports only when it is asked for a type.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = (
    "string",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "double",
    "numeric",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
"""Every word, in the order in which messages list them. ``numeric`` may carry ``(precision, scale)``."""

NUMERIC_PRECISION, NUMERIC_SCALE = 38, 9
"""What plain ``numeric`` means; a value with more decimals is refused, never rounded."""

SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("text", "varchar", "str"), "string"),
    **dict.fromkeys(("int", "int32"), "integer"),
    **dict.fromkeys(("int64", "long"), "bigint"),
    **dict.fromkeys(("float", "float8", "float64", "double precision"), "double"),
    "decimal": "numeric",
    "bool": "boolean",
    "datetime": "timestamp",
    "timestamp with time zone": "timestamptz",
}
"""Other spellings of words, as databases have them."""

_DTYPES: Mapping[str, str] = {
    **dict.fromkeys(("object", "str", "string", "category"), "string"),
    **dict.fromkeys(("int64", "int"), "bigint"),
    "int32": "integer",
    "int16": "smallint",
    "int8": "tinyint",
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64")},
    **dict.fromkeys(("float", "float64", "float32"), "double"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
}
"""What pandas calls types, in lower case (``Int64`` and ``int64`` differ in how pandas keeps NULL), as our words."""

_MOMENT = re.compile(r"datetime64(?:\[(?:ns|us|ms|s|d)(?:,\s*(?P<zone>[^\]]+))?\])?")
_NUMERIC = re.compile(r"numeric\s*\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")


def normal_word(word: str) -> str:
    """*word* as it is kept in the manifest: lower case, single form.

    Raises
    ------
    ValueError
        When it is no type that a seed's column can have; the message says which there are.
    """
    plain = " ".join(word.lower().split())
    plain = SYNONYMS.get(plain, plain)
    if plain in WORDS:
        return plain
    match = _NUMERIC.fullmatch(re.sub(r"\Adecimal(?=\s*\()", "numeric", plain))
    if match is None:
        raise ValueError(
            f"unknown column type {word!r}; {_meant(plain, (*WORDS, *SYNONYMS))}"
            f"known are {', '.join(WORDS)} and numeric(precision, scale)"
        )
    precision, scale = int(match[1]), int(match[2] or 0)
    if not 1 <= precision <= NUMERIC_PRECISION or scale > precision:
        raise ValueError(f"{word!r} needs a precision from 1 to {NUMERIC_PRECISION} and a scale up to the precision")
    return f"numeric({precision},{scale})"


def word_of_dtype(dtype: str) -> str:
    """The word for what pandas calls *dtype*.

    Raises
    ------
    ValueError
        When there is none; the message says which there are.
    """
    plain = re.sub(r"\Astring\[\w+\]\Z", "string", dtype.strip().lower())
    moment = _MOMENT.fullmatch(plain)
    if moment is not None:
        if moment["zone"] is None:
            return "timestamp"
        if moment["zone"].strip() in ("utc", "+00:00"):
            return "timestamptz"
        raise ValueError(f"{dtype!r} has a zone other than UTC; declare timestamptz under `columns:`")
    if plain not in _DTYPES:
        known = ", ".join([*dict.fromkeys(_DTYPES), "datetime64[ns]", "datetime64[ns, UTC]"])
        raise ValueError(f"unknown dtype {dtype!r}; {_meant(plain, _DTYPES)}known are {known}")
    return _DTYPES[plain]


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


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
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "numeric": pa.decimal128(NUMERIC_PRECISION, NUMERIC_SCALE),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
        "uint8": pa.uint8(),
        "uint16": pa.uint16(),
        "uint32": pa.uint32(),
        "uint64": pa.uint64(),
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


def same_kind(word: str, type_: pa.DataType) -> bool:
    """Whether an Arrow type is what *word* stands for.

    Plain ``numeric`` is any decimal, a text is a text however it is stored, and times are of one kind whatever their
    unit is, with a zone or without.
    """
    import pyarrow as pa

    types, plain = pa.types, normal_word(word)
    if plain == "numeric":
        return bool(types.is_decimal(type_))
    if plain == "string":
        return str(type_) in ("string", "large_string", "string_view")
    if plain in ("timestamp", "timestamptz"):
        return bool(types.is_timestamp(type_)) and (type_.tz is not None) == (plain == "timestamptz")
    wanted = arrow_type(plain)
    if types.is_decimal(wanted):
        return bool(types.is_decimal(type_)) and (type_.precision, type_.scale) == (wanted.precision, wanted.scale)
    return bool(type_ == wanted)


def same_word(one: str, other: str) -> bool:
    """Whether two names of types are the same but for case and space; in texts, such as values of an enum, these count."""
    return _folded(one) == _folded(other)


def _folded(word: str) -> str:
    parts = re.split(r"('(?:[^']|'')*')", word)
    return "".join(
        part if index % 2 else re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(part.casefold().split()))
        for index, part in enumerate(parts)
    )


_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`""")
_PLAIN = re.compile(r"[\w\s(),.:<>\[\]-]*")
_PAIRS = {")": "(", "]": "[", ">": "<"}


def type_flaw(text: str) -> str | None:
    """Why *text* cannot name a column type of some engine; ``None``: it may."""
    bare = _QUOTED.sub("x", text)
    if not bare.strip():
        return "it is empty"
    if "--" in bare or not _PLAIN.fullmatch(bare):
        return "it holds what no name of a type can hold"
    opened: list[str] = []
    for char in bare:
        if char in _PAIRS.values():
            opened.append(char)
        elif char in _PAIRS and (not opened or opened.pop() != _PAIRS[char]):
            return f"it closes a {char} that it did not open"
    return f"a {opened[-1]} is never closed" if opened else None


def is_type_text(_instance: Any, _attribute: Any, value: Any) -> None:
    """An attrs validator for a column type in an engine's own words, or by engine; ``None`` is good.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    named = value if isinstance(value, Mapping) else {"": value}
    if not named:
        raise ValueError("it is empty")
    for engine, text in named.items():
        flaw = type_flaw(text) if isinstance(text, str) else None
        if flaw is not None:
            raise ValueError(f"{f'the type for {engine} ' if engine else ''}{text!r} names no type: {flaw}")
