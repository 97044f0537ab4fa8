"""MariaDB's text rules, for sessions with the modes that :mod:`flowforge_mariadb.executor` sets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect, unsupported
from flowforge.contract.functions import FunctionText
from flowforge.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa


def _format(pattern: str) -> str:
    return f"CAST(DATE_FORMAT({{expr}}, '{pattern}') AS DATETIME(6))"


_MONDAY = "(DATE({expr}) - INTERVAL WEEKDAY({expr}) DAY)"
_TRUNC = {
    "second": _format("%Y-%m-%d %H:%i:%s"),
    "minute": _format("%Y-%m-%d %H:%i:00"),
    "hour": _format("%Y-%m-%d %H:00:00"),
    "day": _format("%Y-%m-%d"),
    "week": f"CAST({_MONDAY} AS DATETIME(6))",
    "month": _format("%Y-%m-01"),
    "quarter": "CAST(MAKEDATE(YEAR({expr}), 1) + INTERVAL QUARTER({expr}) - 1 QUARTER AS DATETIME(6))",
    "year": _format("%Y-01-01"),
}


def _between(text: str, sides: tuple[str, str] = ("start", "end")) -> tuple[str, str]:
    return text.replace("{expr}", f"{{{sides[0]}}}"), text.replace("{expr}", f"{{{sides[1]}}}")


def _difference(part: str) -> str:
    start, end = _between(_TRUNC[part])
    return f"TIMESTAMPDIFF({part.upper()}, {start}, {end})"


def _calendar(count: str) -> str:
    start, end = _between(count)
    return f"(({end}) - ({start}))"


FUNCTIONS: Mapping[str, FunctionText] = {
    **{f"date_trunc.{part}": text for part, text in _TRUNC.items()},
    "date_add": "(CAST({expr} AS DATETIME(6)) + INTERVAL {amount} {part})",
    **{f"date_diff.{part}": _difference(part) for part in ("second", "minute", "hour", "day", "week")},
    "date_diff.month": _calendar("YEAR({expr}) * 12 + MONTH({expr})"),
    "date_diff.quarter": _calendar("YEAR({expr}) * 4 + QUARTER({expr})"),
    "date_diff.year": _calendar("YEAR({expr})"),
    "current_timestamp": "UTC_TIMESTAMP(6)",
    "type.string": "CHAR",
    "type.integer": "INT",
    "type.bigint": "INT",
    "type.double": "DOUBLE",
    "type.boolean": "INT",
    "type.timestamp": "DATETIME(6)",
    "text": "CAST({expr} AS CHAR)",
    "text.date": "DATE_FORMAT({expr}, '%Y-%m-%d')",
    "text.timestamp": "DATE_FORMAT({expr}, '%Y-%m-%d %H:%i:%s.%f')",
    "text.numeric": "CAST(CAST({expr} AS DECIMAL({precision},{scale})) AS CHAR)",
    "md5": "MD5({text})",
    "string_agg": "GROUP_CONCAT({expr} ORDER BY {order_by} SEPARATOR {separator})",
    "safe_cast": unsupported("MariaDB has no cast that gives NULL"),
}
_IN_CASTS = {
    "BIGINT": "SIGNED",
    "BIGINT UNSIGNED": "UNSIGNED",
    "TINYINT(1)": "SIGNED",
    "LONGTEXT": "CHAR",
    "LONGBLOB": "BINARY",
}


class MariaDBDialect(Dialect):
    """Names are kept as they are written: of tables, MariaDB on Linux takes their case seriously."""

    name = "mariadb"
    sqlglot = "mysql"
    max_identifier_bytes = 64
    functions = FUNCTIONS

    def quote(self, name: str) -> str:
        """MariaDB's names hold no NUL, nothing beyond the Basic Multilingual Plane, and end with no space."""
        if not name or name.endswith(" ") or any(char == "\0" or char > "\uffff" for char in name):
            raise UnsupportedError(f"{name!r} cannot be a name in MariaDB")
        return super().quote(name)

    def literal(self, value: Any) -> str:
        """Timestamps have a literal of their own here, because a cast knows another word for them."""
        if isinstance(value, dt.datetime):
            if value.tzinfo is not None:
                raise UnsupportedError("MariaDB keeps no time zones")
            return f"TIMESTAMP'{value.isoformat(sep=' ', timespec='microseconds')}'"
        if isinstance(value, float):
            return f"{super().literal(value)}{'' if 'e' in repr(value) else 'e0'}"  # without it, it is a decimal
        return super().literal(value)

    def cast(self, expression: str, type_: str) -> str:
        """The words of types in casts are other ones than in tables."""
        return super().cast(expression, _IN_CASTS.get(type_, type_))

    def type_name(self, type_: pa.DataType) -> str:
        """The column type; whole numbers of all lengths are 64 bits long."""
        import pyarrow as pa

        types = pa.types
        if types.is_dictionary(type_):
            return self.type_name(type_.value_type)
        if types.is_decimal(type_) and 0 <= type_.scale <= min(38, type_.precision) and type_.precision <= 65:
            return f"DECIMAL({type_.precision},{type_.scale})"
        for is_it, word in (
            (types.is_boolean, "TINYINT(1)"),
            (types.is_uint64, "BIGINT UNSIGNED"),
            (types.is_integer, "BIGINT"),
            (types.is_floating, "DOUBLE"),
            (types.is_string, "LONGTEXT"),
            (types.is_large_string, "LONGTEXT"),
            (types.is_null, "LONGTEXT"),
            (types.is_binary, "LONGBLOB"),
            (types.is_large_binary, "LONGBLOB"),
            (types.is_fixed_size_binary, "LONGBLOB"),
            (types.is_date, "DATE"),
            (lambda one: types.is_timestamp(one) and one.tz is None, "DATETIME(6)"),
        ):
            if is_it(type_):
                return word
        raise UnsupportedError(f"MariaDB cannot hold {type_} exactly", help="cast the column in the model")

    def regex_match(self, expression: str, pattern: str) -> str:
        """By PCRE, which reads what Python writes."""
        return f"({expression} REGEXP {self.literal(pattern)})"

    def ordered(self, expression: str, *, descending: bool) -> str:
        """Without NULLS LAST."""
        return f"{expression} IS NULL, {expression} {'DESC' if descending else 'ASC'}"

    def same(self, left: str, right: str) -> str:
        """Without IS DISTINCT FROM."""
        return f"({left} <=> {right})"

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """Bytes as their digits."""
        import pyarrow as pa

        if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
            return f"HEX({expression})"
        return super().exact_text(expression, type_)
