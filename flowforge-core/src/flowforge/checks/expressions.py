"""SQL conditions that a project writes into a check: is the text one expression that stays inside its parentheses?

Knows how SQL texts and comments look, no engine and no grammar. It is no protection against the project's own
author; it keeps a slip (a semicolon, a comment, a stray parenthesis) from changing the statement around the condition.
"""

from __future__ import annotations

import re
from typing import Any

_PARTS = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)"""
    r"""|(?P<comment>--|/\*|\*/)"""
    r"""|(?P<dollar>\$\w*\$)"""
    r"""|(?P<template>\{\{|\{%|\{\#)"""
    r"""|(?P<mark>[;'"`()\#])""",
    re.VERBOSE,
)


def flaw(sql: str) -> str | None:
    """What keeps *sql* from being one expression; ``None`` when nothing does."""
    if not sql.strip():
        return "it is empty"
    if "\0" in sql:
        return "it holds a NUL character"
    depth = 0
    for part in _PARTS.finditer(sql):
        kind, text = part.lastgroup, part[0]
        if kind == "text" and "\\" + text[0] in text:
            return "a backslash before a quote means different things to engines; double the quote instead"
        if kind == "comment":
            return f"a comment ({text}) is not allowed"
        if kind == "dollar":
            return f"texts in {text} are not allowed; use single quotes"
        if kind == "template":
            return "templates are not evaluated here"
        if text == ";":
            return "a semicolon is not allowed"
        if text in ("'", '"', "`"):
            return f"the quote {text} is never closed"
        if text == "#" and "\n" in sql.strip():
            return "a # may begin a comment; write the condition on one line"
        depth += {"(": 1, ")": -1}.get(text, 0)
        if depth < 0:
            return "it closes a parenthesis that it did not open"
    return "a parenthesis is never closed" if depth else None


def one_expression(_instance: Any, _attribute: Any, value: Any) -> None:
    """An attrs validator for fields that hold a condition, or ``None``.

    Raises
    ------
    ValueError
        Saying why the text is no single expression.
    """
    problem = flaw(value) if value is not None else None
    if problem is not None:
        raise ValueError(f"{problem}; a condition is one SQL expression")
