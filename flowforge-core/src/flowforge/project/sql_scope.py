"""Which names mean what where, while a query is read: levels of parentheses, common table expressions, aliases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import attrs

from flowforge.project.sql_tokens import NAME, SqlToken

START, SELECT, FROM, OTHER, DEAD = "start", "select", "from", "other", "no query"
"""What a level is in the middle of."""

Key = tuple[bool, str]
"""A name as it can be told apart: typed without quotes (False, in lower case), or quoted."""


@attrs.define(slots=True)
class Level:
    """One level of parentheses.

    Parameters
    ----------
    closing:
        The sign that ends it.
    first:
        The number of the token that opened it.
    reads:
        True where a relation may stand instead of a query, as behind FROM.
    aliased:
        True when an alias may follow, because a relation is inside or is what they are a part of.
    callee:
        The function whose arguments these are.
    cte:
        The name that this query gets when it ends.
    clause:
        Where in a query the text is.
    fallback:
        What *clause* becomes when no query begins here after all.
    expects:
        True when the next thing is a relation.
    beside:
        True when that stands beside earlier ones, so that it may be a part of their rows.
    recursive, listing:
        In a list of common table expressions: whether they see themselves, and whether another one may follow.
    names, aliases:
        What is known until the level ends.
    """

    closing: str
    first: int = 0
    reads: bool = False
    aliased: bool = False
    callee: str = ""
    cte: frozenset[Key] = frozenset()
    clause: str = START
    fallback: str = DEAD
    expects: bool = False
    beside: bool = False
    recursive: bool = False
    listing: bool = False
    commas: int = 0
    names: list[Key] = attrs.Factory(list)
    aliases: list[Key] = attrs.Factory(list)

    def leave_start(self) -> None:
        """Something has come that begins no query."""
        if self.clause == START and not self.listing:
            self.clause = self.fallback

    def expect(self, clause: str) -> None:
        """A relation comes next."""
        self.clause, self.expects, self.listing, self.beside = clause, True, False, False


class Scope:
    """The names that are visible at one place of a text. One thread.

    Parameters
    ----------
    known:
        Parts of the names of relations, folded.
    fold:
        An unquoted name as the engine stores it.
    """

    def __init__(self, sql: str, known: frozenset[tuple[str, ...]], fold: Callable[[str], str]) -> None:
        self._sql = sql
        self._known = known
        self._fold = fold
        self._names: Counter[Key] = Counter()
        self._aliases: Counter[Key] = Counter()

    def keys(self, token: SqlToken) -> frozenset[Key]:
        """What a name can be found by: unquoted ones are equal in any case, and to quoted ones when they are folded."""
        if token.kind == NAME:
            return frozenset({(True, token.value)})
        return frozenset({(False, token.value), (True, self._fold(self._sql[token.start : token.end]))})

    def define(self, level: Level, keys: frozenset[Key]) -> None:
        """A common table expression is visible from here to the end of *level*."""
        level.names.extend(keys)
        self._names.update(keys)

    def alias(self, level: Level, token: SqlToken) -> None:
        """A relation has a name of its own from here to the end of *level*."""
        keys = self.keys(token)
        level.aliases.extend(keys)
        self._aliases.update(keys)

    def leave(self, level: Level) -> None:
        """Forget what *level* has defined."""
        self._names.subtract(level.names)
        self._aliases.subtract(level.aliases)

    def is_cte(self, token: SqlToken) -> bool:
        """Whether a common table expression of this name is visible."""
        return any(self._names[key] > 0 for key in self.keys(token))

    def is_alias(self, token: SqlToken) -> bool:
        """Whether a relation of this name stands to the left."""
        return any(self._aliases[key] > 0 for key in self.keys(token))

    def is_known(self, parts: Sequence[SqlToken]) -> bool:
        """Whether the name with these parts is one of the known relations."""
        names = tuple(
            part.value if part.kind == NAME else self._fold(self._sql[part.start : part.end]) for part in parts
        )
        if names in self._known:
            return True
        return self._sql[parts[0].start] == "`" and tuple(".".join(names).split(".")) in self._known
