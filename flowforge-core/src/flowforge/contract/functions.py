"""The portable SQL functions: what each of them means, and how an engine's dialect writes it.

Templates call them as ``ff_*``. :data:`FUNCTIONS` says what an engine is asked for; ``Dialect.functions`` answers with
a text for each key: SQL with fields in braces, such as ``md5({text})``. ``{{`` and ``}}`` stand for single braces.
A field that holds an expression comes in parentheses where it needs them, so a text can put it anywhere.

A key ``name.variant`` is looked up first and ``name`` after it, so ``date_trunc`` is for all parts that have no text of
their own. A field may stand in a text twice, although once is better: the expression may be slow. What an engine cannot
do is a :class:`~flowforge.contract.Support` with the reason, and nobody may write something that is nearly the same:
the conformance suite compares the rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowforge.contract.capabilities import Support
from flowforge.errors import UnsupportedError
from flowforge.frozen import frozen

PARTS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
"""Parts of a moment, from the shortest to the longest. A week begins on Monday."""
TYPES = ("string", "integer", "bigint", "double", "numeric", "boolean", "date", "timestamp")
"""Types that every engine has, in words that no engine need know."""

FunctionText = str | Support
"""How an engine writes a function, or why it cannot."""


@frozen
class PortableFunction:
    """What an engine is asked for.

    Parameters
    ----------
    fields:
        What its text may hold in braces.
    meaning:
        What it has to give, for every engine the same.
    standard:
        The text for engines that say nothing; ``None`` when standard SQL has none.
    """

    fields: tuple[str, ...]
    meaning: str
    standard: str | None = None


_LIMITS = ("precision", "scale", "limit")
_FLAG = "CASE WHEN {expr} THEN 1 WHEN NOT {expr} THEN 0 END"

FUNCTIONS: Mapping[str, PortableFunction] = {
    "date_trunc": PortableFunction(
        ("expr", "part"),
        "The first moment of the second ... year that `expr` is in, as a timestamp without time zone.",
    ),
    "date_add": PortableFunction(
        ("expr", "part", "amount"),
        "The timestamp `amount` (a whole number, perhaps negative) parts later. A day that the month does not have "
        "becomes its last one.",
    ),
    "date_diff": PortableFunction(
        ("start", "end", "part"),
        "How many beginnings of a part lie between the two, as a 64-bit integer; negative when `end` is the earlier one.",
    ),
    "current_timestamp": PortableFunction((), "The present moment in UTC, as a timestamp without time zone."),
    "type": PortableFunction(
        ("precision", "scale"),
        "`type.string` ...: the column type for one of the words for types; `precision` and `scale` for numeric.",
    ),
    "text": PortableFunction(("expr",), "The text of a value, as the engine writes it.", "CAST({expr} AS VARCHAR)"),
    "text.boolean": PortableFunction(
        ("expr",),
        "`true` or `false`.",
        "CASE {expr} WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END",
    ),
    "text.date": PortableFunction(("expr",), "`2024-01-31`, of a date or a timestamp."),
    "text.timestamp": PortableFunction(
        ("expr",), "`2024-01-31 13:05:00.000000`, always with six digits of a second; midnight for a date."
    ),
    "text.numeric": PortableFunction(
        ("expr", "precision", "scale"),
        "The number with exactly `scale` digits behind the point, rounded away from zero at the half, and at least one "
        "digit in front of it.",
        "CAST(CAST({expr} AS DECIMAL({precision},{scale})) AS VARCHAR)",
    ),
    "replace": PortableFunction(
        ("expr", "old", "new"), "The text with every `old` in it replaced.", "replace({expr}, {old}, {new})"
    ),
    "concat": PortableFunction(
        ("left", "right"), "Both texts one after the other; NULL when one of them is.", "({left} || {right})"
    ),
    "md5": PortableFunction(("text",), "The MD5 digest of the text's UTF-8 bytes, as 32 digits of 0-9a-f."),
    "string_agg": PortableFunction(
        ("expr", "separator", "order_by"),
        "An aggregate: the texts that are not NULL, in order, with the separator between them; NULL without any.",
    ),
    "bool_or": PortableFunction(
        ("expr",),
        "An aggregate: is a condition true in any row? Rows in which it is NULL do not count; NULL without others.",
        f"(MAX({_FLAG}) = 1)",
    ),
    "bool_and": PortableFunction(
        ("expr",),
        "An aggregate: is a condition true in all rows? Rows in which it is NULL do not count; NULL without others.",
        f"(MIN({_FLAG}) = 1)",
    ),
    "safe_cast": PortableFunction(
        ("expr", "type"), "The value as one of the engine's own types, by its own rules; NULL where it cannot be."
    ),
    "safe_cast.string": PortableFunction(("expr",), "The text of a value, as the engine writes it."),
    "safe_cast.integer": PortableFunction(
        ("expr",), "A whole number from -2147483648 to 2147483647, see the reference page of templates; else NULL."
    ),
    "safe_cast.bigint": PortableFunction(
        ("expr",), "A whole number from -9223372036854775808 to 9223372036854775807, else NULL."
    ),
    "safe_cast.double": PortableFunction(("expr",), "A floating-point number of 64 bits that is finite, else NULL."),
    "safe_cast.numeric": PortableFunction(
        ("expr", *_LIMITS),
        "A decimal number, rounded away from zero at the half; NULL when it is none or reaches `limit`, which is 1 and "
        "as many zeros as may stand in front of the point.",
    ),
    "safe_cast.boolean": PortableFunction(
        ("expr",), "True for true, t, yes, y and 1, false for false, f, no, n and 0, in any case, else NULL."
    ),
    "safe_cast.date": PortableFunction(("expr",), "The day of a text like one of a date or timestamp, else NULL."),
    "safe_cast.timestamp": PortableFunction(
        ("expr",), "A text like `2024-01-31 13:05:00.5` as a timestamp without time zone, else NULL."
    ),
}
"""Everything that an engine may be asked for, by key. ``safe_cast`` is for types that are none of :data:`TYPES`."""

_STANDARD_TYPES = {
    "string": "VARCHAR",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE PRECISION",
    "numeric": "DECIMAL({precision},{scale})",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
STANDARD: Mapping[str, str] = {
    **{key: function.standard for key, function in FUNCTIONS.items() if function.standard is not None},
    **{f"type.{word}": text for word, text in _STANDARD_TYPES.items()},
}
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")


def write(functions: Mapping[str, FunctionText], engine: str, key: str, fields: Mapping[str, str]) -> str:
    """The SQL of one function.

    Parameters
    ----------
    functions:
        What the engine's dialect says.
    engine:
        Its name, for the error.

    Raises
    ------
    UnsupportedError
        When the engine does not have the function.
    """
    name = key.partition(".")[0]
    text = next((table[one] for one in (key, name) for table in (functions, STANDARD) if one in table), None)
    if not isinstance(text, str):
        reason = f": {text.reason}" if text is not None else ""
        raise UnsupportedError(f"{engine} has no {key.replace('.', ' ')}{reason}")
    return _FIELD.sub(lambda found: fields[found[1]] if found[1] else found[0][0], text)
