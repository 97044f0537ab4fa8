"""What the template of a check in SQL shows before it is rendered: that its rows are whole rows, or that it is a condition.

Text in, text out; knows the lexer and no engine.
"""

from __future__ import annotations

import re

from flowforge.checks.expressions import flaw
from flowforge.project.lexer import JINJA, Kind, Token, blank, lex

_HEAD = "SELECT 1 WHERE "
_HEADER = re.compile(r"\{\{[-+]?\s*config\s*\(")
_TABLE, _REF = "\ue000", "\ue001"
_ANY_TABLE = re.compile(r"\{\{[-+]?\s*(?:table|model)\s*[-+]?\}\}")
_ANY_REF = re.compile(r"\{\{[-+]?\s*ref\s*\(\s*(?:'(?P<one>[^'\\]+)'|\"(?P<two>[^\"\\]+)\")\s*\)\s*[-+]?\}\}")
_WHOLE = re.compile(
    rf"\s*select\s+(?:distinct\s+|all\s+)?(?:\w+\s*\.\s*)?\*\s*(?:,[^()]*?)?\s*from\s+(?P<what>[{_TABLE}{_REF}])(?!\s*\.)",
    re.IGNORECASE,
)
_OTHER_ROWS = re.compile(
    r"\b(?:union|join|intersect|except|minus|group\s+by|pivot|unpivot|lateral|unnest)\b", re.IGNORECASE
)


def rows_of(template: str) -> str | None:
    """Whose whole rows a query gives, as far as its first words tell: ``table``, a model's name, or ``None``.

    Seen are ``select * from {{ table }} ...`` and ``select * from {{ ref('model') }} ...`` without a join or a union.
    """
    refs: list[str] = []
    parts, at = [], 0
    for token in lex(template):
        parts.append(template[at : token.start])
        parts.append(_stand_in(template, token, refs))
        at = token.end
    code = "".join([*parts, template[at:]])
    found = _WHOLE.match(code)
    if found is None or _OTHER_ROWS.search(code):
        return None
    return "table" if found["what"] == _TABLE else refs[code[: found.end()].count(_REF) - 1]


def _stand_in(template: str, token: Token, refs: list[str]) -> str:
    text = template[token.start : token.end]
    if token.kind in (Kind.COMMENT, Kind.JINJA_COMMENT) or _HEADER.match(text):
        return " "
    if _ANY_TABLE.fullmatch(text):
        return _TABLE
    ref = _ANY_REF.fullmatch(text)
    if ref is not None:
        refs.append(ref["one"] or ref["two"])
        return _REF
    return "''" if token.kind is Kind.STRING else "(x)" if token.kind in JINJA else " "


def as_query(template: str) -> str:
    """The template of a condition as that of a query, so that it is rendered and said in other dialects like one.

    The header gives way to the query's first words, so that no place in the text moves.
    """
    header = next(token for token in lex(template) if _HEADER.match(template, token.start))
    blanked = blank(template, header.start, header.end)
    return blanked[: header.start] + _HEAD + blanked[header.start + len(_HEAD) :]


def condition_in(sql: str) -> str:
    """The condition in the text that :func:`as_query` was rendered to, without comments.

    Raises
    ------
    ValueError
        Saying why there is none.
    """
    for token in reversed(lex(sql, jinja=False)):
        if token.kind is Kind.COMMENT:
            sql = blank(sql, token.start, token.end)
    found = re.match(r"\s*select\s+1\s+where\s", sql, re.IGNORECASE)
    if found is None:
        raise ValueError("it reads a model that has no table of its own (materialized='ephemeral')")
    condition = sql[found.end() :].strip()
    why = flaw(condition)
    if why is not None:
        raise ValueError(why)
    return condition
