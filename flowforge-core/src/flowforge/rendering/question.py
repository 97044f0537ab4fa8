"""What a template may ask the database: one query that changes nothing."""

from __future__ import annotations

import re

from flowforge.errors import RenderError
from flowforge.project.lexer import Kind, leading_keyword, lex, statements
from flowforge.project.single_query import FORBIDDEN

_WRITES = re.compile(r"(?<!\w)as\s+(?:(?:not\s+)?materialized\s*)?\(\s*(insert|update|delete|merge)(?!\w)")


def one_query(sql: object) -> str:
    """*sql*, when it is one query; a semicolon at its end is cut.

    Raises
    ------
    RenderError
        ``FF1422`` for everything else.
    """
    if not isinstance(sql, str):
        raise RenderError(
            f"run_query() takes a query as text, not {str(sql)!r}", code="FF1417", help="write run_query('select ...')"
        )
    found = statements(sql)
    if len(found) != 1:
        raise _refused("no query" if not found else "several statements")
    start, end = found[0]
    text = sql[start:end].strip().rstrip(";")
    keyword, _ = leading_keyword(text)
    writing = _WRITES.search(_bare(text))
    if keyword in FORBIDDEN or writing is not None:
        raise _refused(f"a {(writing[1] if writing else keyword).upper()} statement")
    return text


def _refused(what: str) -> RenderError:
    return RenderError(
        f"run_query() runs one query that reads, and this is {what}",
        code="FF1422",
        help="ask for rows only; what changes something belongs into a model",
    )


def _bare(sql: str) -> str:
    """*sql* without comments and what stands in quotes, in small letters."""
    pieces, pos = [], 0
    for token in lex(sql, jinja=False):
        if token.kind in (Kind.COMMENT, Kind.STRING):
            pieces.append(sql[pos : token.start])
            pos = token.end
    return " ".join([*pieces, sql[pos:]]).lower()
