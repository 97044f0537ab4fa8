"""Cuts rendered SQL into words, names, strings, numbers and signs; comments and hints are left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from flowforge.project.lexer import Kind, lex
from flowforge.project.sql_words import STRING_PREFIXES

WORD, NAME, STRING, NUMBER, SIGN, END = "word", "name", "string", "number", "sign", "end"

_CODE = re.compile(r"(?P<word>[^\W\d][\w$]*)|(?P<number>\d[\w.]*)|(?P<hint>/\*\+.*?\*/)|\S", re.S)


class SqlToken(NamedTuple):
    """One token from *start* to *end*.

    *value* is the text in lower case for a word, the text inside of the quotes for a quoted name or a string, and the
    text itself for everything else.
    """

    kind: str
    value: str
    start: int
    end: int


def sql_tokens(sql: str) -> list[SqlToken]:
    """All tokens of a rendered query, and two of kind ``END`` behind them."""
    found: list[SqlToken] = []
    add, new = found.append, tuple.__new__  # half the time of calling the class, for a hundred tokens a model
    pos = 0
    for start, end, quoted in [*_quoted(sql), (len(sql), len(sql), False)]:
        for match in _CODE.finditer(sql, pos, start):
            kind = match.lastgroup
            text = match.group()
            if kind == WORD:
                add(new(SqlToken, (WORD, text.lower(), *match.span())))
            elif kind != "hint":
                add(new(SqlToken, (kind or SIGN, text, *match.span())))
        if quoted:
            add(_text(sql, start, end, found))
        pos = end
    add(SqlToken(END, "", pos, pos))
    add(found[-1])
    return found


def _quoted(sql: str) -> Iterator[tuple[int, int, bool]]:
    """Start and end of what is no code, and whether it is a text: pieces of one text are put together."""
    begin = stop = -1
    for token in lex(sql, jinja=False):
        if token.kind is Kind.STRING and token.start == stop and sql[begin] == sql[stop] != "$":
            stop = token.end  # a doubled quote inside of it
            continue
        if begin >= 0:
            yield begin, stop, True
        begin, stop = (token.start, token.end) if token.kind is Kind.STRING else (-1, -1)
        if begin < 0:
            yield token.start, token.end, False
    if begin >= 0:
        yield begin, stop, True


def _text(sql: str, start: int, end: int, found: list[SqlToken]) -> SqlToken:
    """The string or quoted name from *start* to *end*; a prefix as in ``E'...'`` is taken out of *found* for it."""
    quote = sql[start]
    if quote == "$":
        tag = sql.index("$", start + 1) + 1 - start
        return SqlToken(STRING, sql[start + tag : end - tag], start, end)
    value = sql[start + 1 : end - 1].replace(quote + quote, quote)
    if quote != "'":
        return SqlToken(NAME, value, start, end)
    if found and found[-1].end == start and found[-1].kind == WORD and found[-1].value in STRING_PREFIXES:
        start = found.pop().start
    return SqlToken(STRING, value, start, end)
