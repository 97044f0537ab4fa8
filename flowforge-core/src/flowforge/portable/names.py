"""Names in a query that is translated.

Relations of the project stand as placeholders while a query is translated, and become what the engine's text rules
make of them afterwards, so that no name, however strange, passes through a parser. Other names keep the meaning that
they have where they were written: what is one name there is one name afterwards, and two are two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowforge.contract import Dialect

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect as Grammar

_PLACEHOLDER = re.compile(r"__ff_relation_(\d+)__")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUES = frozenset(
    [
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "system_user",
        "user",
    ]
)
"""Words that are values in some engines when nobody quotes them."""


class Placeholders:
    """Stand-ins for the relations of one query. One thread."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def put(self, text: str) -> str:
        """A name to write in the place of *text*, which is SQL for the engine."""
        if text not in self._texts:
            self._texts.append(text)
        return f"__ff_relation_{self._texts.index(text)}__"

    def fill(self, sql: str) -> str:
        """*sql* with the texts in it again."""
        return _PLACEHOLDER.sub(lambda match: self._texts[int(match[1])], sql)

    def spans(self, sql: str) -> list[tuple[int, int]]:
        """Of each placeholder in *sql* where it ends, and how much longer its text is."""
        found = _PLACEHOLDER.finditer(sql)
        return [(match.end(), len(self._texts[int(match[1])]) - len(match[0])) for match in found]


def is_placeholder(name: str) -> bool:
    """Whether *name* stands for a relation of the project."""
    return _PLACEHOLDER.fullmatch(name) is not None


class Names:
    """Says each name of a query for another engine."""

    def __init__(self, source: Grammar, dialect: Dialect, target: Grammar) -> None:
        strategy = source.normalization_strategy.name
        self._fold_quoted = strategy.startswith("CASE_INSENSITIVE")
        self._upper = strategy == "UPPERCASE"
        self._cased = strategy == "CASE_SENSITIVE"
        self._dialect = dialect
        self._blind = target.normalization_strategy.name.startswith("CASE_INSENSITIVE")
        self._careful = {
            *target.tokenizer_class.KEYWORDS,
            *target.generator_class.RESERVED_KEYWORDS,
            *(word.upper() for word in _VALUES),
        }

    def meaning(self, identifier: exp.Identifier) -> str:
        """What makes two names one where the query was written."""
        name: str = identifier.this
        if self._fold_quoted:
            return name.casefold()
        if identifier.quoted or self._cased:
            return name
        return name.upper() if self._upper else name.lower()

    def say(self, identifier: exp.Identifier) -> tuple[str, bool]:
        """The name for the engine, and whether it has to be quoted."""
        name: str = identifier.this
        if is_placeholder(name):
            return name, False
        plain = _PLAIN.fullmatch(name) is not None and name.upper() not in self._careful
        if not identifier.quoted:
            return (name, False) if plain else (self._dialect.fold(name), True)
        if self._fold_quoted or name == (name.upper() if self._upper else name.lower()):
            return self._dialect.fold(name), True
        return name, True

    def stored(self, said: tuple[str, bool]) -> str:
        """What makes two names one for the engine."""
        name, quoted = said
        folded = name if quoted else self._dialect.fold(name)
        return folded.casefold() if self._blind else folded


def clashes(names: Mapping[str, set[str]]) -> list[str]:
    """Of names by what the engine makes of them, those that were different ones; in order."""
    return sorted(" and ".join(sorted(meant)) for meant in names.values() if len(meant) > 1)
