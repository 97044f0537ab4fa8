"""Renders templates of literal calls, some of which are macros, with macro files that are compiled once.

Macros that such a template calls see nothing of it but their arguments, so their files can be compiled by themselves
and used again. Whatever goes wrong here is left to :func:`flowforge.rendering.jinja.render_jinja`, which gives the same
text and knows the place of everything that can fail. Imports jinja2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from flowforge.project.jinja_source import unshield
from flowforge.project.macros import MacroFile
from flowforge.project.scan import SIMPLE, SimpleCall
from flowforge.rendering.environment import SqlEnvironment, written
from flowforge.rendering.jinja import Rendering
from flowforge.rendering.limits import MAX_TEXT, to_text
from flowforge.rendering.simple import call_value, render_simple
from flowforge.rendering.source_map import Pieces
from flowforge.rendering.splice import Splice


def render_flat(
    text: str,
    ctx: Any,
    functions: Mapping[str, Callable[..., Any]],
    pieces: Pieces,
    macros: Sequence[MacroFile],
) -> bool:
    """Render *text* and append the result to *pieces*, which are worth nothing afterwards if that did not do.

    Parameters
    ----------
    ctx:
        A :class:`~flowforge.rendering.render.RenderContext`.
    functions:
        Its functions as templates call them.
    macros:
        The files that the template needs.
    """
    if ctx.run_query is not None and any("run_query" in part for part in (text, *(file.text for file in macros))):
        return False  # nothing is asked twice
    called = _Called(ctx, functions, macros)

    def evaluate(call: SimpleCall, offset: int, length: int) -> str:
        return called.value(call)

    try:
        return render_simple(text, pieces, evaluate, macros=True) and len(pieces) <= MAX_TEXT
    except Exception:  # noqa: BLE001 - the other way tells what it was
        return False


class _Called:
    """The macros of one rendering. One thread."""

    def __init__(self, ctx: Any, functions: Mapping[str, Callable[..., Any]], macros: Sequence[MacroFile]) -> None:
        self._ctx = ctx
        self._functions = functions
        self._macros = macros

    def value(self, call: SimpleCall) -> str:
        """What a call writes."""
        if call.function in SIMPLE:
            return to_text(call_value(call, self._functions, self._ctx.this))
        environment, context = self._module
        made = environment.call(context, context.resolve(call.function), *call.arguments.args, **call.arguments.kwargs)
        return unshield(written(context, made))

    @functools.cached_property
    def _module(self) -> tuple[SqlEnvironment, Any]:
        """The macros, defined and ready."""
        ctx, functions = self._ctx, self._functions
        filters = {**ctx.functions, **ctx.filters, "var": functions["var"], "env": functions["env"]}
        rendering = Rendering(Splice.of("", "", ()), "")
        rendering.offer_filters(filters)
        code = _compiled(tuple((file.path, file.text) for file in self._macros), frozenset(filters))
        template = rendering.template(code, rendering.names(ctx, functions))
        context = template.new_context({})
        for _ in template.root_render_func(context):
            """Macro files write nothing; running them defines what is in them."""
        return rendering.environment, context


@functools.lru_cache(maxsize=64)
def _compiled(files: tuple[tuple[str, str], ...], filters: frozenset[str]) -> CodeType:
    """Macro files as code, which runs in any environment that has these *filters*."""
    rendering = Rendering(Splice.of("", "", [MacroFile(path, text, ()) for path, text in files]), "")
    rendering.offer_filters(dict.fromkeys(filters, to_text))
    code, _ = rendering.compiled(())
    return code
