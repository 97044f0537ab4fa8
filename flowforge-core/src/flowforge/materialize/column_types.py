"""What an engine says of the columns of a query: their names and types, in its own words and in Arrow's.

Knows a session and a dialect. Reads no row, and asks for nothing twice.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowforge.config.type_words import arrow_type, same_kind, same_word
from flowforge.contract import Dialect, Session
from flowforge.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa


class ColumnTypes:
    """The columns of one query; a :class:`~flowforge.contract.Columns`. One thread.

    Parameters
    ----------
    select:
        The query, or ``SELECT * FROM`` a relation.
    """

    def __init__(self, session: Session, dialect: Dialect, select: str) -> None:
        self._session = session
        self._dialect = dialect
        self._select = select
        self._known: dict[str, str] = {}

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the query.

        Raises
        ------
        Exception
            Of the engine, when the query makes no sense.
        """
        schema = self._session.schema_of(self._select)
        assert schema is not None  # it is a query, no relation
        return schema

    @functools.cached_property
    def words(self) -> Mapping[str, str]:
        """The types by the columns' names, in order."""
        words = self._session.column_types(self._select)
        if words is not None:
            return words
        return {field.name: self._named(field.type) for field in self.schema}

    def _named(self, type_: pa.DataType) -> str:
        try:
            return self._dialect.type_name(type_)
        except UnsupportedError:
            return str(type_)

    @property
    def names(self) -> Sequence[str]:
        """All columns in order, as the engine calls them."""
        return tuple(self.words)

    def find(self, name: str) -> str | None:
        """The column that *name* means: the one of exactly this name, else the only one but for case."""
        if name in self.words:
            return name
        found = [one for one in self.words if one.casefold() == name.casefold()]
        return found[0] if len(found) == 1 else None

    def word_of(self, column: str) -> str:
        """The type of a column that :meth:`find` gave; empty, when the engine gives it none."""
        return self.words[column]

    def arrow_of(self, column: str) -> pa.DataType:
        """Its Arrow type."""
        return self.schema.field(list(self.words).index(column)).type

    def word_for(self, type_: str | pa.DataType) -> str:
        """How the engine calls a type.

        Raises
        ------
        Exception
            Of the engine, which knows no such type.
        """
        text = type_ if isinstance(type_, str) else self._dialect.type_name(type_)
        if text not in self._known:
            self._known[text] = self._asked(text)
        return self._known[text]

    def is_of(self, column: str, word: str) -> bool:
        """Whether a column is of the type that *word* means: exactly, or as exactly as the engine can say it."""
        if same_kind(word, self.arrow_of(column)):
            return True
        try:
            named = self.word_for(arrow_type(word))
        except UnsupportedError:
            return False
        return bool(named) and same_word(named, self.words[column])

    def _asked(self, text: str) -> str:
        word = self._session.type_word(text)
        if word is None:
            schema = self._session.schema_of(f"SELECT {self._dialect.cast('NULL', text)} AS ff__type")
            word = self._named(schema.field(0).type) if schema is not None else text
        return word
