"""A model is one query: what else it could be, and how that is refused.

Read before rendering, as far as a template shows it, and again by ``flowforge.rendering`` on the finished SQL.
"""

from __future__ import annotations

import re

from flowforge.errors import RenderError
from flowforge.project.lexer import Kind, Token, body_start, code_spans, keyword_at, position, skip_leading
from flowforge.values import Location

FORBIDDEN = frozenset(
    [
        "alter",
        "analyze",
        "attach",
        "begin",
        "cache",
        "call",
        "checkpoint",
        "cluster",
        "comment",
        "commit",
        "copy",
        "create",
        "deallocate",
        "declare",
        "delete",
        "detach",
        "discard",
        "do",
        "drop",
        "end",
        "exec",
        "execute",
        "explain",
        "export",
        "get",
        "grant",
        "import",
        "insert",
        "install",
        "kill",
        "listen",
        "load",
        "lock",
        "merge",
        "msck",
        "notify",
        "optimize",
        "pragma",
        "prepare",
        "put",
        "refresh",
        "reindex",
        "release",
        "rename",
        "repair",
        "replace",
        "reset",
        "revoke",
        "rollback",
        "savepoint",
        "set",
        "start",
        "truncate",
        "uncache",
        "undrop",
        "unload",
        "update",
        "upsert",
        "use",
        "vacuum",
    ]
)
"""First words of statements that a model must not be: they change something, or are no query."""

_INLINE_SET = re.compile(r"\{%[-+]?\s*set\s+[^=%]+=")
_NO_SQL = frozenset({Kind.COMMENT, Kind.JINJA_COMMENT})


def forbidden_statement(keyword: str, location: Location, what: str = "model") -> RenderError:
    """The error for a model, or *what* it is, whose statement begins with *keyword*."""
    return RenderError(
        f"a {what} is one query, but this one is a {keyword.upper()} statement",
        code="FF1124",
        location=location,
        help="leave only the SELECT: FlowForge creates and fills the table itself"
        if what == "model"
        else f"write a SELECT: a {what} reads and changes nothing",
    )


def several_statements(location: Location, what: str = "model") -> RenderError:
    """The error for a model, or *what* it is, with a second statement, which begins at *location*."""
    return RenderError(
        f"a {what} is one query, but a second statement begins here",
        code="FF1125",
        location=location,
        help=f"move it to a {what} of its own, or remove it",
    )


def no_query(path: str, help: str, what: str = "model") -> RenderError:
    """The error for a model, or *what* it is, without any statement."""
    return RenderError(f"the {what} holds no query", code="FF1123", location=Location(path, 1, 1), help=help)


def query_problems(text: str, tokens: list[Token], path: str, what: str = "model") -> list[RenderError]:
    """What of a template is no single query, as far as that can be seen before rendering."""

    def at(offset: int, length: int = 1) -> Location:
        return Location(path, *position(text, offset), length)

    only_comments = all(token.kind in _NO_SQL for token in tokens)
    if only_comments and not any(text[start:end].strip(" \t\n\r\f\v;") for start, end in code_spans(text, tokens)):
        return [no_query(path, "write a SELECT, or delete the file", what)]
    start = body_start(text, tokens)
    if start is not None:
        keyword, offset = keyword_at(text, tokens, skip_leading(text, tokens, _NO_SQL, start))
        if keyword in FORBIDDEN:
            return [forbidden_statement(keyword, at(offset, len(keyword)), what)]
    if ";" not in text:
        return []
    blocks = (token for token in tokens if token.kind is Kind.STATEMENT)
    if any(not _INLINE_SET.match(text, token.start) for token in blocks):
        return []
    second = _second_statement(text, tokens)
    return [] if second is None else [several_statements(at(second), what)]


def _second_statement(text: str, tokens: list[Token]) -> int | None:
    """Where SQL goes on behind a ``;`` that ended some; ``None`` when it does not."""
    strings = [(token.start, token.end, False) for token in tokens if token.kind is Kind.STRING]
    code = [(start, end, True) for start, end in code_spans(text, tokens)]
    seen = ended = False
    for start, end, cuttable in sorted([*code, *strings]):
        pos = start
        while pos < end:
            cut = text.find(";", pos, end) if cuttable else -1
            piece = text[pos : cut if cut >= 0 else end]
            if piece.strip():
                if ended:
                    return pos + len(piece) - len(piece.lstrip())
                seen = True
            if cut < 0:
                break
            ended = ended or seen
            pos = cut + 1
    return None
