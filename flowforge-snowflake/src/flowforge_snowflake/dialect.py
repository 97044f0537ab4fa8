"""Snowflake's text rules: names, literals, column types. Pure; needs no database."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import UnsupportedError
from flowforge_snowflake.functions import FUNCTIONS

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DIGITS = 38
_INTEGER = "decimal128(38, 0)"
_TYPED_WITHOUT_QUOTES = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_NAMED = {
    "bool": "BOOLEAN",
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"), "BIGINT"),
    "uint64": "NUMBER(20,0)",
    **dict.fromkeys(("halffloat", "float", "double"), "FLOAT"),
    **dict.fromkeys(("date32[day]", "date64[ms]"), "DATE"),
    **dict.fromkeys(("time32[s]", "time32[ms]", "time64[us]", "time64[ns]"), "TIME(6)"),
    **dict.fromkeys(("string", "large_string", "string_view"), "VARCHAR"),
    **dict.fromkeys(("binary", "large_binary", "binary_view"), "BINARY"),
    # A column of nothing but NULL has no type of its own; Snowflake makes text of it in a query, too.
    "null": "VARCHAR",
}


def exactly(name: str) -> str:
    """A name from the catalogue as an identifier, in the case in which it stands there."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """*value* as a literal; a backslash escapes in Snowflake's texts."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


class SnowflakeDialect(Dialect):
    """Names that can be typed without quotes are stored in upper case; others as they were written."""

    name = "snowflake_snowpark"
    sqlglot = "snowflake"
    max_identifier_bytes = 255
    functions = FUNCTIONS

    def fold(self, name: str) -> str:
        """In upper case, if *name* can be typed without quotes; else people have to write it as it stands."""
        return name.upper() if _TYPED_WITHOUT_QUOTES.fullmatch(name) else name

    def quote(self, name: str) -> str:
        """As in standard SQL; what the server would refuse is refused here."""
        if not name or "\0" in name:
            raise UnsupportedError(f"{name!r} cannot be a name in Snowflake", help="choose another name")
        size = len(name.encode())
        if size > self.max_identifier_bytes:
            raise UnsupportedError(
                f"{name!r} is {size} bytes long, and names in Snowflake end at {self.max_identifier_bytes}",
                help="choose a shorter name",
            )
        return exactly(self.fold(name))

    def literal(self, value: Any) -> str:
        """As in standard SQL, but for what Snowflake would read as something else or not at all."""
        if isinstance(value, str):
            return text(value)
        if isinstance(value, float):
            return f"CAST('{super().literal(value)}' AS FLOAT)"  # a bare 0.1 is a NUMBER
        if isinstance(value, decimal.Decimal):
            return _decimal(value)
        if isinstance(value, bytes):
            return f"TO_BINARY('{value.hex()}', 'HEX')"
        if isinstance(value, dt.datetime):
            if value.tzinfo is None:
                return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP_NTZ(6))"
            moment = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ")
            return f"CAST('{moment}+00:00' AS TIMESTAMP_TZ(6))"
        return super().literal(value)

    def type_name(self, type_: pa.DataType) -> str:
        """The column type for an Arrow type; moments and times are kept in microseconds.

        A decimal of 38 digits without a fraction is refused, because Snowflake's INTEGER is the same type, which is
        read as a number of 64 bits.
        """
        import pyarrow as pa

        known = _NAMED.get(str(type_))
        if known:
            return known
        types = pa.types
        if types.is_timestamp(type_):
            return "TIMESTAMP_TZ(6)" if type_.tz else "TIMESTAMP_NTZ(6)"
        if types.is_fixed_size_binary(type_):
            return "BINARY"
        if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
            return self.type_name(type_.value_type)
        if types.is_decimal(type_) and 0 <= type_.scale <= type_.precision <= MAX_DIGITS and str(type_) != _INTEGER:
            return f"NUMBER({type_.precision},{type_.scale})"
        raise UnsupportedError(
            f"Snowflake has no column type that keeps Arrow's {type_} exactly",
            help="cast the column to another type first: a smaller decimal, or text",
        )

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """Snowflake's text of a FLOAT may leave digits out, so what is left of the number stands behind it.

        Bytes are written in digits, moments in UTC, and times with all their digits, whatever a session's formats are.
        """
        import pyarrow as pa

        types = pa.types
        if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
            return f"HEX_ENCODE({expression})"
        if types.is_time(type_):
            return f"TO_CHAR({expression}, 'HH24:MI:SS.FF9')"
        if types.is_timestamp(type_) and type_.tz is not None:
            return f"TO_CHAR(CONVERT_TIMEZONE('UTC', {expression}), 'YYYY-MM-DD HH24:MI:SS.FF9')"
        if types.is_timestamp(type_) and type_.unit == "ns":
            return f"TO_CHAR({expression}, 'YYYY-MM-DD HH24:MI:SS.FF9')"
        if not types.is_floating(type_):
            return super().exact_text(expression, type_)
        written = f"CAST({expression} AS VARCHAR)"
        rest = f"CAST({expression} - TRY_CAST({written} AS FLOAT) AS VARCHAR)"
        return f"({written} || ':' || COALESCE({rest}, ''))"

    def regex_match(self, expression: str, pattern: str) -> str:
        """POSIX syntax, found anywhere in the text."""
        return f"(REGEXP_INSTR({expression}, {text(pattern)}) > 0)"

    def text_hash(self, expressions: Sequence[str]) -> str:
        """MD5 of the values as texts, each behind its length, so that no two lists of values look the same."""
        texts = (f"CAST({one} AS VARCHAR)" for one in expressions)
        return f"MD5({' || '.join(f'LENGTH({one}) || {chr(39)}:{chr(39)} || {one}' for one in texts)})"


def _decimal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        raise TypeError("NaN and infinity have no literal")
    written = format(value, "f")
    digits = written.lstrip("-").replace(".", "").lstrip("0")
    scale = len(written.partition(".")[2])
    if max(len(digits), scale) > MAX_DIGITS:
        raise TypeError(f"numbers in Snowflake end at {MAX_DIGITS} digits, this has {max(len(digits), scale)}")
    return f"CAST('{written}' AS NUMBER({MAX_DIGITS},{scale}))"
