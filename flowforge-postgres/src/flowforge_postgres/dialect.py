"""PostgreSQL's text rules: names, literals, column types. Pure; needs no database."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import UnsupportedError
from flowforge_postgres.functions import FUNCTIONS

if TYPE_CHECKING:
    import pyarrow as pa

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MAX_DIGITS = 1000
_NAMED = {
    "bool": "boolean",
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "integer",
    "uint32": "bigint",
    "uint64": "numeric(20,0)",
    "halffloat": "real",
    "float": "real",
    "double": "double precision",
    "date32[day]": "date",
    "date64[ms]": "date",
    "time32[s]": "time",
    "time32[ms]": "time",
    "time64[us]": "time",
    "time64[ns]": "time",
    "month_day_nano_interval": "interval",
    "string": "text",
    "large_string": "text",
    "string_view": "text",
    "binary": "bytea",
    "large_binary": "bytea",
    "binary_view": "bytea",
    # A column of nothing but NULL has no type of its own; PostgreSQL makes text of it in a query, too.
    "null": "text",
    "extension<arrow.uuid>": "uuid",
    "extension<arrow.json>": "json",
}
# Python's word boundaries, where PostgreSQL reads \b as a backspace; a class in brackets is left alone.
_PIECES = re.compile(r"\\(.)|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P|.", re.DOTALL)
_BOUNDARIES = {r"\b": r"\y", r"\B": r"\Y"}


def exactly(name: str) -> str:
    """A name from the catalogue as an identifier, in the case in which it stands there."""
    return '"' + name.replace('"', '""') + '"'


class PostgresDialect(Dialect):
    """PostgreSQL stores names that are typed without quotes in lower case: the letters A to Z, no others."""

    name = "postgres"
    sqlglot = "postgres"
    max_identifier_bytes = 63
    functions = FUNCTIONS

    def fold(self, name: str) -> str:
        """Only ASCII letters change, as in the server."""
        return name.translate(_LOWER)

    def quote(self, name: str) -> str:
        """As in standard SQL; what the server would refuse, or cut without an error, is refused here."""
        if not name or "\0" in name:
            raise UnsupportedError(f"{name!r} cannot be a name in PostgreSQL", help="choose another name")
        size = len(name.encode())
        if size > self.max_identifier_bytes:
            raise UnsupportedError(
                f"{name!r} is {size} bytes long, and names in PostgreSQL end at {self.max_identifier_bytes}",
                help="choose a shorter name",
            )
        return exactly(self.fold(name))

    def literal(self, value: Any) -> str:
        """As in standard SQL, but for what PostgreSQL would read as something else or not at all."""
        if isinstance(value, float):
            return f"CAST('{super().literal(value)}' AS double precision)"  # a bare 0.1 is a numeric
        if isinstance(value, bytes):
            return f"CAST('\\x{value.hex()}' AS bytea)"
        if isinstance(value, str) and "\0" in value:
            raise UnsupportedError("PostgreSQL has no text with a NUL character in it", help="remove the NUL")
        return super().literal(value)

    def plain_type(self, word: str) -> str:
        """From the list, which has no timestamps."""
        return _NAMED.get(word, "timestamp")

    def type_name(self, type_: pa.DataType) -> str:
        """The column type for an Arrow type.

        Timestamps and times in nanoseconds are kept in microseconds; a load that would lose digits by that fails.
        """
        import pyarrow as pa

        known = _NAMED.get(str(type_))
        if known:
            return known
        types = pa.types
        if types.is_timestamp(type_):
            return "timestamp" if type_.tz is None else "timestamp with time zone"
        if types.is_duration(type_):
            return "interval"
        if types.is_fixed_size_binary(type_):
            return "bytea"
        if types.is_decimal(type_) and 0 <= type_.scale <= type_.precision <= _MAX_DIGITS:
            return f"numeric({type_.precision},{type_.scale})"
        if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
            return self.type_name(type_.value_type)
        if is_list(type_) and not is_list(type_.value_type):
            return f"{self.type_name(type_.value_type)}[]"
        raise UnsupportedError(
            f"PostgreSQL has no column type for Arrow's {type_}",
            help="cast the column to another type first, such as JSON text, or make several columns of it",
        )

    def regex_match(self, expression: str, pattern: str) -> str:
        """PostgreSQL's own regular expressions, found anywhere in the text; word boundaries as in Python."""
        return f"({expression} ~ {self.literal(_translated(pattern))})"

    def text_hash(self, expressions: Sequence[str]) -> str:
        """MD5 of the values as texts, each behind its length, so that no two lists of values look the same."""
        texts = (f"CAST({one} AS VARCHAR)" for one in expressions)
        return f"md5({' || '.join(_measured(text) for text in texts)})"

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """The server's own text; this plugin's sessions pin the settings that could change it."""
        return f"CAST({expression} AS text)"

    def count_if(self, condition: str) -> str:
        """A filtered count."""
        return f"count(*) FILTER (WHERE {condition})"


def is_list(type_: pa.DataType) -> bool:
    """Is it a list of any kind?"""
    import pyarrow as pa

    types = pa.types
    tests = (
        *(types.is_list, types.is_large_list, types.is_fixed_size_list),
        *(types.is_list_view, types.is_large_list_view),
    )
    return any(test(type_) for test in tests)


def _translated(pattern: str) -> str:
    parts = []
    for piece in _PIECES.finditer(pattern):
        if piece[0] == "(?P":
            raise UnsupportedError(
                "PostgreSQL's regular expressions have no named groups", help="write (...) instead of (?P<name>...)"
            )
        parts.append(_BOUNDARIES.get(piece[0], piece[0]))
    return "".join(parts)


def _measured(text: str) -> str:
    return f"LENGTH({text}) || ':' || {text}"
