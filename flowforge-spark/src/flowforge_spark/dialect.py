"""Spark's text rules: names, literals, column types. Pure; needs no driver and no session."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import UnsupportedError
from flowforge_spark.functions import FUNCTIONS

if TYPE_CHECKING:
    import pyarrow as pa

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\u0027",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\0": "\\u0000",
        "\x1a": "\\u001a",
    }
)
_MAX_DIGITS = 38
_MOMENT = "'yyyy-MM-dd HH:mm:ss.SSSSSS'"
_JSON = f"map('timeZone', 'UTC', 'timestampFormat', {_MOMENT}, 'timestampNTZFormat', {_MOMENT})"
"""As it leaves out no digit of a time."""
_NAMED = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "SMALLINT",
    "uint16": "INT",
    "uint32": "BIGINT",
    "uint64": "DECIMAL(20,0)",
    "halffloat": "FLOAT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date32[day]": "DATE",
    "date64[ms]": "DATE",
    "string": "STRING",
    "large_string": "STRING",
    "string_view": "STRING",
    "binary": "BINARY",
    "large_binary": "BINARY",
    "binary_view": "BINARY",
    # A column of nothing but NULL has a type of its own, which no format can store.
    "null": "STRING",
}
_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P(?=<)|.", re.DOTALL)


def exactly(name: str) -> str:
    """A name from the catalogue as an identifier."""
    return "`" + name.replace("`", "``") + "`"


class SparkDialect(Dialect):
    """Spark compares names without regard to case, and keeps those of tables in lower case."""

    name = "databricks_spark"
    sqlglot = "databricks"
    max_identifier_bytes = 128
    functions = FUNCTIONS

    def fold(self, name: str) -> str:
        """All letters, as in Spark's catalogue."""
        return name.lower()

    def quote(self, name: str) -> str:
        """In backticks."""
        if not name or "\0" in name:
            raise UnsupportedError(f"{name!r} cannot be a name in Spark", help="choose another name")
        return exactly(self.fold(name))

    def literal(self, value: Any) -> str:
        """Backslashes are escapes in Spark's texts, and a timestamp says itself whether it has a zone."""
        if isinstance(value, str):
            return "'" + value.translate(_ESCAPES) + "'"
        if isinstance(value, dt.datetime):
            kind = "TIMESTAMP_LTZ" if value.tzinfo else "TIMESTAMP_NTZ"
            return f"{kind} '{value.isoformat(sep=' ')}'"
        if isinstance(value, dt.date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, float):
            return f"CAST('{super().literal(value)}' AS DOUBLE)"  # a bare 0.1 is a decimal
        return super().literal(value)

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """Bytes are written in digits, moments are counted, and what has parts is JSON, whatever a session is set to."""
        import pyarrow as pa

        types = pa.types
        if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
            return f"hex({expression})"
        if types.is_timestamp(type_) and type_.tz is not None:
            return f"CAST(unix_micros({expression}) AS STRING)"
        if types.is_list(type_) or types.is_struct(type_) or types.is_map(type_):
            return f"to_json({expression}, {_JSON})"
        return super().exact_text(expression, type_)

    def type_name(self, type_: pa.DataType) -> str:
        """The column type for an Arrow type. Nanoseconds are kept as microseconds; a load that loses digits fails."""
        import pyarrow as pa

        known = _NAMED.get(str(type_))
        if known:
            return known
        types = pa.types
        if types.is_timestamp(type_):
            return "TIMESTAMP_NTZ" if type_.tz is None else "TIMESTAMP_LTZ"
        if types.is_fixed_size_binary(type_):
            return "BINARY"
        if types.is_decimal(type_) and 0 <= type_.scale <= type_.precision <= _MAX_DIGITS:
            return f"DECIMAL({type_.precision},{type_.scale})"
        if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
            return self.type_name(type_.value_type)
        if types.is_map(type_):
            return f"MAP<{self.type_name(type_.key_type)}, {self.type_name(type_.item_type)}>"
        if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
            return f"ARRAY<{self.type_name(type_.value_type)}>"
        if types.is_struct(type_):
            fields = (f"{exactly(field.name)}: {self.type_name(field.type)}" for field in type_)
            return f"STRUCT<{', '.join(fields)}>"
        raise UnsupportedError(
            f"Spark has no column type for Arrow's {type_}",
            help="cast the column to another type first, such as text",
        )

    def regex_match(self, expression: str, pattern: str) -> str:
        """Java's regular expressions, found anywhere in the text."""
        java = "".join("(?" if piece[0] == "(?P" else piece[0] for piece in _GROUP.finditer(pattern))
        return f"regexp_like({expression}, {self.literal(java)})"

    def text_hash(self, expressions: Sequence[str]) -> str:
        """MD5 of the values as texts, each behind its length, so that no two lists of values look the same."""
        texts = (f"CAST({one} AS STRING)" for one in expressions)
        return f"md5(concat({', '.join(_measured(text) for text in texts)}))"

    def count_if(self, condition: str) -> str:
        """Spark's own."""
        return f"count_if({condition})"


def _measured(text: str) -> str:
    return f"CAST(length({text}) AS STRING), ':', {text}"
