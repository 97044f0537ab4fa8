"""Renders templates of literal calls without Jinja; most templates are. Calls of macros are somebody else's to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowforge.errors import RenderError
from flowforge.project.calls import USAGE, bind_ref, bind_source
from flowforge.project.lexer import JINJA, Kind, Token, lex
from flowforge.project.scan import SIMPLE, SimpleCall, literal_call
from flowforge.rendering.source_map import Pieces

Evaluate = Callable[[SimpleCall, int, int], str]
"""Called with a call, and the offset and length of its tag; returns the text to write."""


def render_simple(text: str, pieces: Pieces, evaluate: Evaluate, *, macros: bool = False) -> bool:
    """Write *text* with every call replaced by what *evaluate* says.

    Parameters
    ----------
    macros:
        *evaluate* knows macros too.

    Returns
    -------
    bool
        False, with nothing evaluated, when the template needs Jinja after all.
    """
    tokens = [token for token in lex(text) if token.kind in JINJA] if "{" in text else []
    calls = _calls(text, tokens)
    if calls is None or not (macros or all(call is None or call.function in SIMPLE for call in calls)):
        return False
    pos = 0
    for token, call in zip(tokens, calls, strict=True):
        before = text[pos : token.start]
        left = text[token.start + 2] == "-"
        pieces.add(before.rstrip() if left else before, pos)
        pos = token.end
        if text[pos - 3] == "-" and not (left and pos - 3 == token.start + 2):
            while pos < len(text) and text[pos].isspace():
                pos += 1
        if call is not None:
            length = token.end - token.start
            pieces.add(evaluate(call, token.start, length), token.start, length)
    pieces.add(text[pos:], pos)
    return True


def _calls(text: str, tokens: Sequence[Token]) -> list[SimpleCall | None] | None:
    """The call of each tag (``None`` for a comment); ``None`` for all when one is no simple call."""
    calls: list[SimpleCall | None] = []
    for token in tokens:
        call = literal_call(text, token) if token.kind is Kind.EXPRESSION and token.closed else None
        if call is None and (token.kind is not Kind.JINJA_COMMENT or not token.closed):
            return None
        calls.append(call)
    return calls


def template_functions(context: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a :class:`~flowforge.rendering.render.RenderContext` as a template calls them."""

    def ref(*args: Any, **kwargs: Any) -> Any:
        try:
            name = bind_ref(args, kwargs)
        except ValueError as exc:
            raise _bad_call("ref", str(exc)) from None
        if not isinstance(name, str):
            raise _bad_call("ref", "ref() takes names as text")
        return context.ref(name)

    def source(*args: Any, **kwargs: Any) -> Any:
        try:
            group, table = bind_source(args, kwargs)
        except ValueError as exc:
            raise _bad_call("source", str(exc)) from None
        if not isinstance(group, str) or not isinstance(table, str):
            raise _bad_call("source", "source() takes names as text")
        return context.source(group, table)

    def config(**settings: Any) -> str:
        return ""

    # Plain functions, so that a template never holds the objects behind them.
    return {
        **context.helpers,
        "ref": ref,
        "source": source,
        "config": config,
        "var": lambda *args, **kwargs: context.var(*args, **kwargs),
        "env": lambda *args, **kwargs: context.env(*args, **kwargs),
        "engine": lambda *args, **kwargs: context.engine(*args, **kwargs),
        "is_incremental": lambda *args, **kwargs: context.is_incremental(*args, **kwargs),
    }


def _bad_call(function: str, message: str) -> RenderError:
    return RenderError(message, code="FF1407", help=USAGE[function])


def call_value(call: SimpleCall, functions: Mapping[str, Callable[..., Any]], this: Any) -> Any:
    """The value of one simple call."""
    if call.function == "this":
        return getattr(this, call.arguments.args[0]) if call.arguments.positional else this
    return functions[call.function](*call.arguments.args, **call.arguments.kwargs)
