"""Puts the SQL of ephemeral models in front of a query as common table expressions."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Sequence

from flowforge.frozen import frozen
from flowforge.project.lexer import Kind, Token, code_spans, lex, skip_leading

_WITH = re.compile(r"with(?![\w$])", re.I)
_RECURSIVE = re.compile(r"recursive(?![\w$])", re.I)
_COMMENT = frozenset({Kind.COMMENT})


@frozen
class WithCtes:
    """A query with others in front of it.

    Parameters
    ----------
    sql:
        The whole text.
    parts:
        Rows ``(start, end, index, inner)``, ascending: the text from *start* to *end* is that of query number
        *index* (``None``: the query itself) from its offset *inner* on.
    """

    sql: str
    parts: tuple[tuple[int, int, int | None, int], ...]

    def locate(self, offset: int) -> tuple[int | None, int] | None:
        """Which query the character at *offset* belongs to, and its offset there; ``None`` for words in between.

        Behind the last character is the end of the query itself: engines point there when something is missing.
        """
        at = bisect.bisect_right([part[0] for part in self.parts], offset) - 1
        if at < 0:
            return None
        start, end, index, inner = self.parts[at]
        return (index, inner + offset - start) if offset < end or offset == len(self.sql) else None


def with_ctes(sql: str, ctes: Sequence[tuple[str, str]], quote: Callable[[str], str] | None = None) -> WithCtes:
    """Make each of *ctes* readable in *sql* under its name.

    Parameters
    ----------
    sql:
        One query, which may begin with comments and with a ``WITH`` of its own.
    ctes:
        Names and queries; each may read those before it.
    quote:
        Quotes a name for the engine; without it the names are taken as they are.
    """
    if not ctes:
        return WithCtes(sql, ((0, len(sql), None, 0),))
    at, own = _insertion(sql)
    out = [sql[:at], "" if own else "with "]
    parts: list[tuple[int, int, int | None, int]] = [(0, at, None, 0)] if at else []
    size = sum(map(len, out))

    def put(text: str) -> int:
        nonlocal size
        out.append(text)
        size += len(text)
        return size

    for index, (name, query) in enumerate(ctes):
        # The closing parenthesis needs a line of its own: the query may end in a line comment.
        start = put(f"{', ' if index else ''}{quote(name) if quote else name} as (\n")
        parts.append((start, put(query), index, 0))
        put("\n)")
    start = put(", " if own else "\n")
    parts.append((start, put(sql[at:]), None, at))
    return WithCtes("".join(out), tuple(parts))


def _insertion(sql: str) -> tuple[int, bool]:
    """Where the first of them goes, and whether the query has a ``WITH`` of its own in front of that place."""
    tokens = lex(sql, jinja=False)
    match = _WITH.match(sql, skip_leading(sql, tokens, _COMMENT))
    if match is None or "(" in _code(sql, tokens, match.start()):
        return 0, False
    pos = skip_leading(sql, tokens, _COMMENT, match.end())
    recursive = _RECURSIVE.match(sql, pos)
    return (skip_leading(sql, tokens, _COMMENT, recursive.end()) if recursive else pos), True


def _code(sql: str, tokens: Sequence[Token], end: int) -> str:
    """The code before *end*, without comments."""
    return "".join(sql[start : min(stop, end)] for start, stop in code_spans(sql, tokens) if start < end)
