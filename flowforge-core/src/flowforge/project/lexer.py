"""Tells SQL apart from Jinja, strings and comments, fast enough for thousands of files.

Knows nothing of models, files or engines: text in, spans out. Positions are offsets in characters from 0;
:func:`position` turns one into line and column.

The rules: Jinja is live in SQL code and in SQL strings. It is not live in SQL comments, whose text stays as it is.
Optimizer hints (``/*+ ... */``) count as code. Quotes follow standard SQL (``''`` inside a string); only when that
reading leaves a string open, or a backslash outside of one, is the text read again with backslash escapes.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A group that repeats possessively is atomic itself: Python before 3.11.5 goes wrong where it could go back into one.
_STRING = r"'(?>[^'\\]++|\\.)*+'|\"(?>[^\"\\]++|\\.)*+\""


class Kind(enum.Enum):
    """What a :class:`Token` is. Everything between tokens is SQL code."""

    STRING = "string"
    """A piece of a quoted string or quoted name; Jinja inside of it is a token of its own."""
    COMMENT = "comment"
    EXPRESSION = "expression"
    """``{{ ... }}``"""
    STATEMENT = "statement"
    """``{% ... %}``"""
    JINJA_COMMENT = "jinja comment"
    """``{# ... #}``"""
    RAW = "raw"
    """``{% raw %} ... {% endraw %}``, whole."""


JINJA = frozenset({Kind.EXPRESSION, Kind.STATEMENT, Kind.JINJA_COMMENT, Kind.RAW})


class Token(NamedTuple):
    """A span of text that is not plain SQL code. *closed* is False when its end is missing."""

    kind: Kind
    start: int
    end: int
    closed: bool = True


_CODE = re.compile(r"'|\"|`|\$(?:[^\W\d]\w*)?\$|--[^\n]*|/\*|\{[{%#]", re.S)
_CODE_PLAIN = re.compile(r"'|\"|`|\$(?:[^\W\d]\w*)?\$|--[^\n]*|/\*", re.S)
_QUICK = {  # a whole quoted piece without Jinja in it
    "'": re.compile(r"'[^'{]*+'"),
    '"': re.compile(r'"[^"{]*+"'),
    "`": re.compile(r"`[^`{]*+`"),
}
_JINJA_OPEN = r"\{[{%#]"
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_RAW_BEGIN = re.compile(r"\{%[-+]?\s*raw\s*-?%\}")
_RAW_END = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_QUICK_EXPRESSION = re.compile(rf"\{{\{{(?>[^'\"{{}}]++|{_STRING})*+\}}\}}", re.S)
_QUICK_STATEMENT = re.compile(rf"\{{%(?>[^'\"{{}}%]++|%(?!\}})|{_STRING})*+%\}}", re.S)
_INSIDE = re.compile(rf"{_STRING}|[\[({{]|[\])}}]|%\}}", re.S)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at *offset*."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def lex(text: str, *, jinja: bool = True) -> list[Token]:
    """All tokens of *text*, in order and without overlap.

    Parameters
    ----------
    jinja:
        False for text that was rendered already, where ``{{`` is nothing special.
    """
    return list(_read(text, jinja))


@functools.lru_cache(maxsize=8)  # one text is read several times in a row, by those who ask different things of it
def _read(text: str, jinja: bool) -> tuple[Token, ...]:
    tokens, doubtful = _lex(text, jinja=jinja, backslash=False)
    if doubtful and ("\\'" in text or '\\"' in text):
        other, still_doubtful = _lex(text, jinja=jinja, backslash=True)
        if not still_doubtful:
            return tuple(other)
    return tuple(tokens)


def _lex(text: str, *, jinja: bool, backslash: bool) -> tuple[list[Token], bool]:
    """The tokens, and whether a string stays open or code holds a backslash."""
    tokens: list[Token] = []
    append = tokens.append
    search = (_CODE if jinja else _CODE_PLAIN).search
    doubtful = False
    watch = "\\" in text
    pos = 0
    while match := search(text, pos):
        start, pos = match.span()
        if watch and not doubtful and text.find("\\", tokens[-1].end if tokens else 0, start) >= 0:
            doubtful = True
        first = text[start]
        if first == "{":
            token = jinja_token(text, start)
            append(token)
            pos = token.end
        elif first == "-":
            append(Token(Kind.COMMENT, start, pos))
        elif first == "/":
            if text.startswith("+", pos):
                continue
            end = _block_comment_end(text, start)
            append(Token(Kind.COMMENT, start, end if end >= 0 else len(text), end >= 0))
            pos = tokens[-1].end
        elif first == "$":
            if start and (text[start - 1].isalnum() or text[start - 1] in "_$"):
                pos = start + 1
                continue
            pos = _quoted(text, start, pos, re.escape(match.group()), jinja, tokens)
        else:
            escapes = first == "'" and _escape_prefix(text, start)
            if not (backslash and first != "`") and not escapes and (quick := _QUICK[first].match(text, start)):
                pos = quick.end()
                append(Token(Kind.STRING, start, pos))
                continue
            closing = rf"\\.|{first}" if escapes or (backslash and first != "`") else first
            pos = _quoted(text, start, pos, closing, jinja, tokens)
        if not tokens[-1].closed:
            doubtful = True
    if watch and text.find("\\", tokens[-1].end if tokens else 0) >= 0:
        doubtful = True
    return tokens, doubtful


def _escape_prefix(text: str, quote: int) -> bool:
    """Whether the quote belongs to an ``E'...'`` string, which has backslash escapes."""
    if quote == 0 or text[quote - 1] not in "eE":
        return False
    return quote == 1 or not (text[quote - 2].isalnum() or text[quote - 2] in "_$")


def _quoted(text: str, start: int, pos: int, closing: str, jinja: bool, tokens: list[Token]) -> int:
    """Append the pieces of a quoted string and the Jinja inside of it; return where it ends."""
    add = tokens.append
    search = re.compile(f"{closing}|{_JINJA_OPEN}" if jinja else closing, re.S).search
    piece = start
    while match := search(text, pos):
        found = match.group()
        if found[0] == "\\":
            pos = match.end()
        elif jinja and len(found) == 2 and found in ("{{", "{%", "{#"):
            if match.start() > piece:
                add(Token(Kind.STRING, piece, match.start()))
            token = jinja_token(text, match.start())
            add(token)
            piece = pos = token.end
        else:
            add(Token(Kind.STRING, piece, match.end()))
            return match.end()
    if piece < len(text):
        add(Token(Kind.STRING, piece, len(text), closed=False))
    return len(text)


def _block_comment_end(text: str, start: int) -> int:
    """The end of the comment that begins at *start*; -1 when there is none.

    Comments nest where that makes them end at all; engines differ.
    """
    first = text.find("*/", start + 2)
    if first < 0 or text.find("/*", start + 2, first) < 0:
        return first + 2 if first >= 0 else -1
    depth = 1
    for match in _COMMENT_EDGE.finditer(text, start + 2):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return first + 2


def jinja_token(text: str, start: int) -> Token:
    """The Jinja token that begins at *start*, where ``{{``, ``{%`` or ``{#`` stands."""
    sign = text[start + 1]
    if sign == "#":
        end = text.find("#}", start + 2)
        return Token(Kind.JINJA_COMMENT, start, end + 2 if end >= 0 else len(text), end >= 0)
    if sign == "%":
        if begin := _RAW_BEGIN.match(text, start):
            finish = _RAW_END.search(text, begin.end())
            return Token(Kind.RAW, start, finish.end() if finish else len(text), finish is not None)
        kind, quick = Kind.STATEMENT, _QUICK_STATEMENT.match(text, start)
    else:
        kind, quick = Kind.EXPRESSION, _QUICK_EXPRESSION.match(text, start)
    if quick:
        return Token(kind, start, quick.end())
    depth, pos, closing = 0, start + 2, f"{'%' if sign == '%' else '}'}}}"
    while match := _INSIDE.search(text, pos):
        found = match.group()
        pos = match.end()
        if depth == 0 and text.startswith(closing, match.start()):
            return Token(kind, start, match.start() + 2)
        if found in "[({":
            depth += 1
        elif found in "])}":
            if depth == 0:
                break
            depth -= 1
        elif found == "%}":
            pos -= 1
    return Token(kind, start, len(text), closed=False)


# -- statements ------------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"[\s(]+")
_WORD = re.compile(r"[^\W\d]\w*")
_PARENS_AND_WORDS = re.compile(r"[()]|[^\W\d][\w$]*")


def code_spans(text: str, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """The spans of plain SQL code between *tokens*."""
    pos = 0
    for token in tokens:
        if token.start > pos:
            yield pos, token.start
        pos = token.end
    if pos < len(text):
        yield pos, len(text)


def statements(text: str, *, jinja: bool = False) -> list[tuple[int, int]]:
    """Start and end of each statement of *text*, without its ``;`` and the space around it.

    Pieces that hold nothing but space and comments are left out.
    """
    tokens = lex(text, jinja=jinja)
    cuts = []
    for start, end in code_spans(text, tokens):
        at = text.find(";", start, end)
        while at >= 0:
            cuts.append(at)
            at = text.find(";", at + 1, end)
    found = []
    begin = 0
    for cut in [*cuts, len(text)]:
        span = _filled(text, tokens, begin, cut)
        if span:
            found.append(span)
        begin = cut + 1
    return found


def _filled(text: str, tokens: list[Token], start: int, end: int) -> tuple[int, int] | None:
    """The part of a piece that is neither space nor comment at its edges; ``None`` when nothing is left."""
    first = last = -1
    pos = start
    for token in tokens:
        if token.end <= start or token.start >= end:
            continue
        head = text[pos : token.start]
        if head.strip():
            first = pos + len(head) - len(head.lstrip()) if first < 0 else first
            last = pos + len(head.rstrip())
        if token.kind is not Kind.COMMENT and token.kind is not Kind.JINJA_COMMENT:
            first = token.start if first < 0 else first
            last = token.end
        pos = token.end
    tail = text[pos:end]
    if tail.strip():
        first = pos + len(tail) - len(tail.lstrip()) if first < 0 else first
        last = pos + len(tail.rstrip())
    return (first, last) if first >= 0 else None


def skip_leading(text: str, tokens: list[Token], kinds: frozenset[Kind], pos: int = 0) -> int:
    """The first offset from *pos* on that is not space, opening parenthesis or a token of *kinds*."""
    for token in tokens:
        if token.start < pos:
            continue
        space = _SPACE.match(text, pos)
        pos = space.end() if space else pos
        if token.start != pos or token.kind not in kinds:
            return pos
        pos = token.end
    space = _SPACE.match(text, pos)
    return space.end() if space else pos


_COMMENTS = frozenset({Kind.COMMENT})


def leading_keyword(text: str, *, jinja: bool = False) -> tuple[str, int]:
    """The first word of a statement in lower case and its offset; ``""`` when something else comes first.

    Comments and opening parentheses are skipped. For ``WITH`` it is the word that follows the list of queries
    (``select``, ``insert`` ...), since that is what the statement does.
    """
    tokens = lex(text, jinja=jinja)
    return keyword_at(text, tokens, skip_leading(text, tokens, _COMMENTS))


_AFTER_WITH = frozenset({"select", "insert", "update", "delete", "merge", "from", "values", "table"})


def keyword_at(text: str, tokens: list[Token], pos: int) -> tuple[str, int]:
    """As :func:`leading_keyword`, for a statement that begins exactly at *pos*."""
    word = _WORD.match(text, pos)
    if word is None:
        return "", pos
    keyword = word.group().lower()
    if keyword == "with":
        depth = 0
        for start, end in code_spans(text, tokens):
            if end <= word.end():
                continue
            for match in _PARENS_AND_WORDS.finditer(text, max(start, word.end()), end):
                found = match.group()
                if found == "(":
                    depth += 1
                elif found == ")":
                    depth -= 1
                elif depth == 0 and found.lower() in _AFTER_WITH:
                    return found.lower(), match.start()
    return keyword, pos


# -- CREATE ... AS in front -------------------------------------------------------------------------------------------


class Create(NamedTuple):
    """A ``CREATE TABLE|VIEW name AS`` in front of a query.

    *kind* is ``table`` or ``view``; *name* is the last part of the name, ``None`` when Jinja makes it. The span
    covers ``CREATE`` to ``AS``.
    """

    kind: str
    name: str | None
    start: int
    end: int


_GAP = r"(?>\s|--[^\n]*\n|/\*(?>(?!\*/).)*+\*/)"
_PART = rf"(?:[^\W\d][\w$]*+|\"(?>[^\"]|\"\")++\"|`[^`]++`|(?>[\w$]|{_QUICK_EXPRESSION.pattern})++)"
_CREATE = re.compile(
    rf"create{_GAP}++(?:or{_GAP}++replace{_GAP}++)?(?:temp(?:orary)?{_GAP}++)?(?P<kind>table|view){_GAP}++"
    rf"(?:if{_GAP}++not{_GAP}++exists{_GAP}++)?(?P<name>{_PART}(?>{_GAP}*+\.{_GAP}*+{_PART})*+)"
    rf"{_GAP}++as(?![\w$])",
    re.S | re.I,
)
_NAME_PART = re.compile(_PART, re.S)
_SETTING = re.compile(r"\{\{[-+]?\s*config\s*\(|\{%[-+]?\s*set\s+[^=%]+=")


def body_start(text: str, tokens: list[Token]) -> int | None:
    """Where the query of a template begins; ``None`` when Jinja hides it.

    Space, comments, ``{{ config(...) }}`` and ``{% set x = ... %}`` in front are skipped.
    """
    pos = 0
    for token in tokens:
        if text[pos : token.start].strip():
            break
        if token.kind in (Kind.COMMENT, Kind.JINJA_COMMENT) or _SETTING.match(text, token.start):
            pos = token.end
            continue
        if token.kind is not Kind.STRING:
            return None
        break
    rest = text[pos:]
    return pos + len(rest) - len(rest.lstrip())


def leading_create(text: str, tokens: list[Token] | None = None) -> Create | None:
    """The ``CREATE [OR REPLACE] [TEMP] TABLE|VIEW [IF NOT EXISTS] name AS`` that a template begins with, if it does."""
    start = body_start(text, lex(text) if tokens is None else tokens)
    match = _CREATE.match(text, start) if start is not None else None
    if match is None:
        return None
    last = list(_NAME_PART.finditer(match["name"]))[-1].group()
    name: str | None = last
    if "{{" in last:
        name = None
    elif last[0] == '"':
        name = last[1:-1].replace('""', '"')
    elif last[0] == "`":
        name = last[1:-1]
    return Create(match["kind"].lower(), name, match.start(), match.end())


def blank(text: str, start: int, end: int) -> str:
    """*text* with a span replaced by spaces; its line breaks stay, so that every position stays valid."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
