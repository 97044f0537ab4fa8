"""An engine's text rules: names, literals, types. No database is needed."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowforge.contract.files import FileSource
from flowforge.contract.functions import FunctionText, write
from flowforge.errors import UnsupportedError
from flowforge.values import Relation

if TYPE_CHECKING:
    import pyarrow as pa


class Dialect(ABC):
    """An engine's pure text rules; no database needed, safe from any thread.

    The defaults are standard SQL. Names are *folded to the engine's own case, then quoted*, so that
    ``select * from Users`` typed by hand finds what a model called ``Users`` built.
    """

    name: ClassVar[str]
    """The engine's name."""
    sqlglot: ClassVar[str | None] = None
    """The dialect's name in sqlglot, when it has one."""
    max_identifier_bytes: ClassVar[int | None] = None
    """Longer names are cut or refused by the engine, so they are refused at load."""
    functions: ClassVar[Mapping[str, FunctionText]] = {}
    """How the engine writes the portable functions, by their keys in :mod:`flowforge.contract.functions`."""

    def fold(self, name: str) -> str:
        """*name* in the case in which the engine stores it when it is typed without quotes."""
        return name

    def quote(self, name: str) -> str:
        """*name* as an identifier: folded, quoted, safe whatever it contains."""
        return '"' + self.fold(name).replace('"', '""') + '"'

    def render(self, relation: Relation) -> str:
        """*relation* as it stands in SQL."""
        parts = (relation.database, relation.schema, relation.name)
        return ".".join(self.quote(part) for part in parts if part)

    def literal(self, value: Any) -> str:
        """A Python value as a SQL literal: None, bool, int, float, Decimal, str, bytes, date, datetime.

        Raises
        ------
        TypeError
            For any other type, and for NaN and infinity.
        """
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, decimal.Decimal):
            if not value.is_finite():
                raise TypeError("NaN and infinity have no portable literal")
            return format(value, "f")
        if isinstance(value, float):
            if not math.isfinite(value):
                raise TypeError("NaN and infinity have no portable literal")
            return repr(value)
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        if isinstance(value, dt.datetime):
            kind = "TIMESTAMP WITH TIME ZONE" if value.tzinfo else "TIMESTAMP"
            return f"CAST('{value.isoformat(sep=' ')}' AS {kind})"
        if isinstance(value, dt.date):
            return f"CAST('{value.isoformat()}' AS DATE)"
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        raise TypeError(f"no SQL literal for {type(value).__name__}")

    @abstractmethod
    def type_name(self, type_: pa.DataType) -> str:
        """The column type that holds an Arrow type exactly.

        Raises
        ------
        UnsupportedError
            When the engine has none.
        """

    def plain_type(self, word: str) -> str:
        """:meth:`type_name` of one of Arrow's types by its name: ``string``, ``int64`` or ``timestamp[us]``.

        FlowForge's own tables have no other types. An engine that knows the answer without Arrow spares a run the
        time to import it.
        """
        import pyarrow as pa

        return self.type_name({"string": pa.string(), "int64": pa.int64(), "timestamp[us]": pa.timestamp("us")}[word])

    def cast(self, expression: str, type_: str) -> str:
        """*expression* as a value of a column type, in the words of :meth:`type_name` or of ``Session.column_types``.

        For engines whose casts call types by other words than their tables. Those whose casts take no lengths and no
        digits do without them: no value may become another one but by rounding to the digits.
        """
        return f"CAST({expression} AS {type_})"

    def function(self, key: str, **fields: str) -> str:
        """The SQL of a portable function.

        Parameters
        ----------
        key:
            One of :data:`flowforge.contract.functions.FUNCTIONS`, or ``name.variant`` of one.
        fields:
            SQL, safe to be put anywhere in an expression.

        Raises
        ------
        UnsupportedError
            When the engine does not have it.
        """
        return write(self.functions, self.name, key, fields)

    def file_source(self, files: FileSource) -> str:
        """What stands behind FROM to read *files* as a table; needs ``FILE_SOURCES``.

        The options become literals, never SQL. Two sources that differ only in their base differ only in it.

        Raises
        ------
        UnsupportedError
            For a format or an option that the engine does not know, with a suggestion.
        """
        raise UnsupportedError(f"{self.name} reads no files in place of a table")

    def regex_match(self, expression: str, pattern: str) -> str:
        """A boolean expression: does the text *expression* contain a match of *pattern* (a Python string)?"""
        raise UnsupportedError(f"{self.name} has no regular expressions")

    def text_hash(self, expressions: Sequence[str]) -> str | None:
        """A text expression: a hash that is equal for equal values of *expressions*; ``None``: the engine has none.

        None of the values is NULL. Nothing is decided by it: people use it to name a version of a snapshot's history.
        """
        return None

    def ordered(self, expression: str, *, descending: bool) -> str:
        """*expression* as an item of the order inside of an aggregate, with NULL at the end."""
        return f"{expression} {'DESC' if descending else 'ASC'} NULLS LAST"

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """A text expression: two values of one column have one text exactly when they are the same value.

        It may not depend on anything that a session or a server can be set to. NULL may stay NULL.

        Parameters
        ----------
        expression:
            SQL that may stand anywhere in an expression.
        type_:
            Its Arrow type, as ``Session.schema_of`` tells it.

        Raises
        ------
        UnsupportedError
            For a type of which no exact text is known.
        """
        import pyarrow as pa

        types = pa.types
        if types.is_string(type_) or types.is_large_string(type_) or types.is_null(type_):
            return expression
        if types.is_boolean(type_):
            return self.function("text.boolean", expr=expression)
        if types.is_date(type_):
            return self.function("text.date", expr=expression)
        if types.is_timestamp(type_) and type_.tz is None and type_.unit != "ns":
            return self.function("text.timestamp", expr=expression)
        if types.is_integer(type_) or types.is_decimal(type_) or types.is_floating(type_):
            return self.function("text", expr=expression)
        raise UnsupportedError(
            f"{self.name} has no exact text for values of the type {type_}", help="cast the column to text"
        )

    def row_hash(self, columns: Mapping[str, pa.DataType]) -> str:
        """A text expression of at most 64 characters that tells rows apart, wherever and whenever it is computed.

        Rows with the same values in all *columns* have one hash, in every session and every run; others have another
        one. NULL is a value like any other, and the order of *columns* does not matter. Decisions about rows are kept
        by it, so what it gives must never change. It may stand anywhere in an expression over one relation that has
        the columns.

        Parameters
        ----------
        columns:
            Arrow types by name, as ``Session.schema_of`` tells them.

        Raises
        ------
        UnsupportedError
            When the engine has no hash, or no exact text for a type.
        """
        return self.function("md5", text=self.row_text(columns))

    def row_text(self, columns: Mapping[str, pa.DataType]) -> str:
        """The text that :meth:`row_hash` is the hash of: every value, and where it ends."""
        parts = []
        for name in sorted(columns):
            column = self.quote(name)
            text = self.exact_text(column, columns[name])
            for old, new in (("~", "~~"), ("|", "~p")):
                text = self.function("replace", expr=text, old=self.literal(old), new=self.literal(new))
            value = f"CASE WHEN {column} IS NULL THEN {self.literal('~n')} ELSE {text} END"
            parts.append(self.function("concat", left=f"({value})", right=self.literal("|")))
        while len(parts) > 1:  # in pairs of pairs, because engines end at some depth of parentheses
            pairs = [parts[at : at + 2] for at in range(0, len(parts), 2)]
            parts = [self.function("concat", left=two[0], right=two[1]) if len(two) > 1 else two[0] for two in pairs]
        return parts[0] if parts else self.literal("")

    def same(self, left: str, right: str) -> str:
        """A condition that is never NULL: have both expressions one value, or are both NULL?"""
        return f"{left} IS NOT DISTINCT FROM {right}"

    def count_if(self, condition: str) -> str:
        """An aggregate: in how many rows is *condition* true? NULL counts as false."""
        return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"
