"""From a template to SQL: the room's front door.

A template of literal calls is filled in directly, with macros by way of :mod:`flowforge.rendering.flat`; any other is
parsed, instrumented, compiled and run by Jinja in the sandbox of :mod:`flowforge.rendering.environment`, which is
imported only then. All ways give the same text, keep SQL comments as they are, and say for every character of the
result where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from flowforge.errors import FlowForgeError, RenderError
from flowforge.frozen import frozen
from flowforge.project.lexer import JINJA, code_spans, leading_keyword, lex, position, statements
from flowforge.project.macros import MacroFile, MacroLibrary
from flowforge.project.scan import SimpleCall, normalize
from flowforge.project.single_query import FORBIDDEN, forbidden_statement, no_query, several_statements
from flowforge.rendering.limits import to_text
from flowforge.rendering.simple import call_value, render_simple, template_functions
from flowforge.rendering.source_map import Locates, Pieces
from flowforge.values import Location


@frozen
class RenderContext:
    """What a template may see.

    Parameters
    ----------
    ref, source:
        Give the rendered relation of a model (by name), or of a source (by group and table).
    var, env, engine, is_incremental:
        Called as the template calls them.
    this:
        The relation that the model becomes: ``str(this)``, ``name``, ``schema``, ``database``, ``relation``,
        ``materialized``.
    extra:
        Further names, such as macros of plugins.
    library:
        The project's macros.
    functions:
        Macros in Python, which templates call or use as filters.
    helpers:
        FlowForge's own further functions.
    filters:
        FlowForge's own further filters.
    run_query:
        Asks the database; ``None`` where no template may.
    """

    ref: Callable[[str], str]
    source: Callable[[str, str], str]
    var: Callable[..., Any]
    env: Callable[..., str]
    engine: Callable[..., str]
    this: Any
    is_incremental: Callable[[], bool]
    extra: Mapping[str, Any] = attrs.field(factory=dict)
    library: MacroLibrary = attrs.field(factory=MacroLibrary)
    functions: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    helpers: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    filters: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    run_query: Callable[[str], Any] | None = None


@frozen
class Rendered:
    """SQL, without space around it and without a semicolon at its end, and where it comes from.

    Parameters
    ----------
    macros:
        The macro files that its template mentions.
    """

    sql: str
    source_map: Locates
    macros: tuple[MacroFile, ...] = ()


def render(template: str, ctx: RenderContext, *, path: str, model: str, simple: bool) -> Rendered:
    """Render one template. Safe from any thread.

    Parameters
    ----------
    path:
        The file, relative to the project, for locations.
    model:
        The model's name, for messages.
    simple:
        What the scan said. It only saves a look: a template that needs Jinja gets it anyway.

    Raises
    ------
    RenderError
        With the place in the file. Errors of *ctx* pass through, and get a place when they have none.
    """
    text = normalize(template)
    pieces = Pieces(path, text)
    macros: tuple[MacroFile, ...] = ()
    functions = template_functions(ctx)

    def evaluate(call: SimpleCall, offset: int, length: int) -> str:
        try:
            return to_text(call_value(call, functions, ctx.this))
        except FlowForgeError as exc:
            raise placed(exc, _at(path, text, offset, length)) from None
        except Exception as exc:  # noqa: BLE001 - whatever a call raises is an error of this template
            raise failed(exc, model, _at(path, text, offset, length)) from None

    if not (simple and render_simple(text, pieces, evaluate)):
        if "{{" in text or "{%" in text or "{#" in text:
            from flowforge.rendering.flat import render_flat
            from flowforge.rendering.jinja import render_jinja

            macros = ctx.library.files_of(words_of(text)) if ctx.library.macros else ()
            flat = Pieces(path, text)
            if render_flat(text, ctx, functions, flat, macros):
                pieces = flat
            else:
                render_jinja(text, ctx, functions, pieces, path=path, model=model, macros=macros)
        else:
            pieces.add(text, 0)
    sql, trimmed = _trimmed(pieces.text())
    return Rendered(sql, pieces.source_map(trimmed=trimmed), macros)


_WORD = re.compile(r"[^\W\d]\w*")


def words_of(text: str) -> set[str]:
    """All words in the tags of a template."""
    return {word for token in lex(text) if token.kind in JINJA for word in _WORD.findall(text, token.start, token.end)}


def placed(error: FlowForgeError, location: Location) -> FlowForgeError:
    """*error* with a place, if it had none."""
    if error.location is None:
        error.location = location
    return error


def failed(error: BaseException, model: str, location: Location) -> RenderError:
    """The error for an exception that an expression raised."""
    what = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {what[0]}" if what else type(error).__name__
    return RenderError(
        f"the template of model '{model}' fails here: {reason}",
        code="FF1413",
        location=location,
        help="correct the expression",
    )


def _at(path: str, text: str, offset: int, length: int) -> Location:
    line, column = position(text, offset)
    return Location(path, line, column, max(length, 1))


def _trimmed(sql: str) -> tuple[str, int]:
    """*sql* without space around it and without semicolons around its only statement, and how much went in front."""
    if ";" in sql and len(statements(sql)) <= 1:
        marks = [
            at for start, end in code_spans(sql, lex(sql, jinja=False)) for at in range(start, end) if sql[at] == ";"
        ]
        characters = list(sql)
        for at in marks:
            characters[at] = " "
        sql = "".join(characters)
    body = sql.lstrip()
    return body.rstrip(), len(sql) - len(body)


def check_statement(sql: str, path: str, source_map: Locates, what: str = "model") -> None:
    """Refuse rendered SQL that is not one query.

    Raises
    ------
    RenderError
        For no statement, for several, and for one that changes something.
    """
    found = statements(sql)
    if not found:
        raise no_query(path, "every branch of the template has to end up with a SELECT", what)
    if len(found) > 1:
        raise several_statements(source_map.locate(found[1][0]), what)
    keyword, at = leading_keyword(sql)
    if keyword in FORBIDDEN:
        where = source_map.locate(at)
        raise forbidden_statement(keyword, attrs.evolve(where, length=max(where.length, len(keyword))), what)
