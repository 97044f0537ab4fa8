"""DuckDB's text rules: names, literals, column types. Pure; needs no database."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect, FileSource
from flowforge.errors import UnsupportedError
from flowforge_duckdb.files import table
from flowforge_duckdb.functions import FUNCTIONS

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "halffloat": "FLOAT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date32[day]": "DATE",
    "date64[ms]": "DATE",
    "time32[s]": "TIME",
    "time32[ms]": "TIME",
    "time64[us]": "TIME",
    "time64[ns]": "TIME_NS",
    "timestamp[s]": "TIMESTAMP_S",
    "timestamp[ms]": "TIMESTAMP_MS",
    "timestamp[us]": "TIMESTAMP",
    "timestamp[ns]": "TIMESTAMP_NS",
    "month_day_nano_interval": "INTERVAL",
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "string_view": "VARCHAR",
    "binary": "BLOB",
    "large_binary": "BLOB",
    "binary_view": "BLOB",
    # A column of nothing but NULL has no type of its own, and a table needs one.
    "null": "INTEGER",
    "extension<arrow.uuid>": "UUID",
    "extension<arrow.json>": "JSON",
}
_MAX_DIGITS = 38


class DuckDBDialect(Dialect):
    """DuckDB compares names without regard to case and keeps them as they were written."""

    name = "duckdb"
    sqlglot = "duckdb"
    functions = FUNCTIONS

    def quote(self, name: str) -> str:
        """As in standard SQL; DuckDB has no name that is empty or holds NUL."""
        if not name or "\0" in name:
            raise UnsupportedError(f"{name!r} cannot be a name in DuckDB", help="choose another name")
        return '"' + name.replace('"', '""') + '"'

    def literal(self, value: Any) -> str:
        """As in standard SQL, but for what DuckDB would read as something else or not at all."""
        if isinstance(value, float):
            # A bare 0.1 is a DECIMAL to DuckDB, and its way to DOUBLE is not always exact.
            return f"CAST('{super().literal(value)}' AS DOUBLE)"
        if isinstance(value, decimal.Decimal):
            return _decimal_literal(value)
        if isinstance(value, bytes):
            return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
        if isinstance(value, str) and "\0" in value:
            # DuckDB 1.5 ends the statement at a NUL.
            parts = [Dialect.literal(self, part) for part in value.split("\0")]
            return "(" + " || chr(0) || ".join(parts) + ")"
        return super().literal(value)

    def type_name(self, type_: pa.DataType) -> str:
        """The column type for an Arrow type.

        A timestamp with time zone in nanoseconds is kept in microseconds; a load that would lose digits by that
        fails.
        """
        import pyarrow as pa

        known = _NAMED.get(str(type_))
        if known:
            return known
        types = pa.types
        if types.is_timestamp(type_):
            return "TIMESTAMP WITH TIME ZONE"
        if types.is_duration(type_):
            return "INTERVAL"
        if types.is_fixed_size_binary(type_):
            return "BLOB"
        if types.is_decimal(type_) and type_.precision <= _MAX_DIGITS and 0 <= type_.scale <= type_.precision:
            return f"DECIMAL({type_.precision},{type_.scale})"
        if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
            return self.type_name(type_.value_type)
        if types.is_fixed_size_list(type_):
            return f"{self.type_name(type_.value_type)}[{type_.list_size}]"
        if types.is_map(type_):
            return f"MAP({self.type_name(type_.key_type)}, {self.type_name(type_.item_type)})"
        if types.is_struct(type_) and type_.num_fields:
            fields = (type_.field(index) for index in range(type_.num_fields))
            return "STRUCT(" + ", ".join(f"{self.quote(f.name)} {self.type_name(f.type)}" for f in fields) + ")"
        if any(
            test(type_) for test in (types.is_list, types.is_large_list, types.is_list_view, types.is_large_list_view)
        ):
            return f"{self.type_name(type_.value_type)}[]"
        raise UnsupportedError(
            f"DuckDB has no column type for Arrow's {type_}",
            help="cast the column to another type first, such as text",
        )

    def plain_type(self, word: str) -> str:
        """From the list."""
        return _NAMED[word]

    def file_source(self, files: FileSource) -> str:
        """``read_parquet``, ``read_csv`` or ``read_json``."""
        return table(files, self.literal)

    def regex_match(self, expression: str, pattern: str) -> str:
        """RE2 syntax, found anywhere in the text."""
        return f"regexp_matches({expression}, {self.literal(pattern)})"

    def text_hash(self, expressions: Sequence[str]) -> str:
        """MD5 of the values as texts, each behind its length, so that no two lists of values look the same."""
        texts = (f"CAST({one} AS VARCHAR)" for one in expressions)
        return f"md5({' || '.join(_measured(text) for text in texts)})"

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """DuckDB's own text: numbers come back from it as they were, and texts inside of other values are quoted."""
        return f"CAST({expression} AS VARCHAR)"

    def count_if(self, condition: str) -> str:
        """A filtered count."""
        return f"count(*) FILTER (WHERE {condition})"


def _decimal_literal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        raise TypeError("NaN and infinity have no literal")
    text = format(value, "f")
    digits = len(text.lstrip("-").replace(".", "").lstrip("0"))
    scale = len(text.partition(".")[2])
    if max(digits, scale) > _MAX_DIGITS:
        raise TypeError(f"DuckDB's decimals end at {_MAX_DIGITS} digits, this has {max(digits, scale)}")
    # Quoted, because a bare number of many digits would be read as DOUBLE.
    return f"CAST('{text}' AS DECIMAL({max(digits, scale, 1)},{scale}))"


def _measured(text: str) -> str:
    return f"LENGTH({text}) || ':' || {text}"
