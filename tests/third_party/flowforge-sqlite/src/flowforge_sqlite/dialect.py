"""SQLite's text rules, and which Arrow values its columns hold exactly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge_sqlite.functions import FUNCTIONS

if TYPE_CHECKING:
    import pyarrow as pa

STORED_AS = {
    "BOOLEAN": "integer",
    "BIGINT": "integer",
    "DOUBLE": "real",
    "TEXT": "text",
    "BLOB": "blob",
    "DATE": "text",
    "TIMESTAMP": "text",
}
"""The column types that we declare, and the kind of value that SQLite really keeps in them."""
_SYNONYMS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "INTEGER", "INT4", "INT8"), "BIGINT"),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE PRECISION"), "DOUBLE"),
    **dict.fromkeys(("VARCHAR", "CHAR", "STRING", "CLOB"), "TEXT"),
    "BOOL": "BOOLEAN",
    "DATETIME": "TIMESTAMP",
}


class SQLiteDialect(Dialect):
    """Names are compared without regard to case and kept as they were written, so there is nothing to fold."""

    name = "sqlite"
    sqlglot = "sqlite"
    functions = FUNCTIONS

    def quote(self, name: str) -> str:
        """In backticks: a misspelt name in double quotes would be taken for a text."""
        if not name or "\0" in name:
            raise UnsupportedError(f"{name!r} cannot be a name in SQLite")
        return "`" + name.replace("`", "``") + "`"

    def literal(self, value: Any) -> str:
        """Dates and timestamps are texts, in the form in which they are stored."""
        if isinstance(value, dt.datetime):
            if value.tzinfo is not None:
                raise UnsupportedError("SQLite has no time zones")
            return f"'{value.isoformat(sep=' ', timespec='microseconds')}'"
        if isinstance(value, dt.date):
            return f"'{value.isoformat()}'"
        if isinstance(value, str) and "\0" in value:
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        return super().literal(value)

    def declared(self, type_: str) -> str:
        """Which of our column types a word means: lengths and digits are nothing that SQLite would keep.

        Raises
        ------
        EngineError
            Of kind ``TYPE``, for a word that names none.
        """
        word = " ".join(type_.upper().partition("(")[0].split())
        meant = word if word in STORED_AS else _SYNONYMS.get(word)
        if meant is None:
            known = ", ".join(STORED_AS)
            raise EngineError(f"there is no column type {type_!r}", kind=ErrorKind.TYPE, help=f"known are {known}")
        return meant

    def type_name(self, type_: pa.DataType) -> str:
        """The declared type of a column; the session reads it to make Arrow types again."""
        import pyarrow as pa

        types = pa.types
        if types.is_dictionary(type_):
            return self.type_name(type_.value_type)
        if types.is_boolean(type_):
            return "BOOLEAN"
        if types.is_null(type_) or (types.is_integer(type_) and not types.is_uint64(type_)):
            return "BIGINT"
        if types.is_floating(type_):
            return "DOUBLE"
        if types.is_string(type_) or types.is_large_string(type_):
            return "TEXT"
        if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
            return "BLOB"
        if types.is_date(type_):
            return "DATE"
        if types.is_timestamp(type_) and type_.tz is None:
            return "TIMESTAMP"
        raise UnsupportedError(f"SQLite cannot hold {type_} exactly", help="cast the column in the model")

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """What is really in the row, whatever the column was declared as."""
        return (
            f"CASE typeof({expression}) WHEN 'text' THEN 't' || hex({expression}) "
            f"WHEN 'blob' THEN 'b' || hex({expression}) ELSE quote({expression}) END"
        )

    def row_hash(self, columns: Mapping[str, pa.DataType]) -> str:
        """By a function that every session of this engine brings along: SQLite itself has none."""
        return f"ff_md5({self.row_text(columns)})"
