"""Runs a template in the sandbox and turns whatever happens into text with a map, or an error with a place.

Imports jinja2; :mod:`flowforge.rendering.render` imports this module only for templates that need it.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import CodeType
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.compiler import generate
from jinja2.exceptions import SecurityError

from flowforge.errors import FlowForgeError, RenderError
from flowforge.project.elsewhere import replacement
from flowforge.project.jinja_source import TemplateProblem, parse, start_offset, unshield, walk
from flowforge.project.lexer import Token
from flowforge.project.macros import MacroFile
from flowforge.project.scan_jinja import refused_statement, syntax_error
from flowforge.rendering.environment import SqlEnvironment, UndefinedName
from flowforge.rendering.limits import MAX_TEXT, Budget, TooExpensive
from flowforge.rendering.question import one_query
from flowforge.rendering.render import failed, placed
from flowforge.rendering.source_map import Pieces
from flowforge.rendering.splice import Splice
from flowforge.rendering.weave import add_markers, harden
from flowforge.values import Location

_FILENAME = "<template>"


_NAME = "set it in the template, or read it by var() or env()"
_MACRO = "macros are read from the folder macros/ within the folder of the models: define it there, or in the template"


def render_jinja(
    text: str,
    ctx: Any,
    functions: Mapping[str, Callable[..., Any]],
    pieces: Pieces,
    *,
    path: str,
    model: str,
    macros: Sequence[MacroFile] = (),
) -> None:
    """Render *text* and append the result to *pieces*.

    Parameters
    ----------
    ctx:
        A :class:`~flowforge.rendering.render.RenderContext`.
    functions:
        Its functions as templates call them.
    macros:
        Files that are put in front.

    Raises
    ------
    RenderError
        For everything that goes wrong in the template.
    """
    rendering = Rendering(Splice.of(path, text, macros), model)
    rendering.offer_filters({**ctx.functions, **ctx.filters, "var": functions["var"], "env": functions["env"]})
    rendering.run(rendering.names(ctx, functions), pieces)


class Rendering:
    """One rendering of one template. One thread."""

    def __init__(self, splice: Splice, model: str) -> None:
        self._splice = splice
        self._model = model
        self._found = splice.findings()
        self._text = self._found.text
        self._tags: list[Token] = splice.tags()
        self._starts = [token.start for token in self._tags]
        self._names: set[str] = set()
        self.environment = SqlEnvironment(Budget())

    def offer_filters(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Let templates use *functions* as filters, under the limits of all calls."""
        budget = self.environment.budget

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                budget.step()
                return budget.take(function(*args, **kwargs))

            return call

        self.environment.filters.update({name: counted(function) for name, function in functions.items()})

    def names(self, ctx: Any, functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
        """All names of a :class:`~flowforge.rendering.render.RenderContext`; *functions* as templates call them."""
        values = {"this": ctx.this, "execute": ctx.run_query is not None, "run_query": self._asking(ctx.run_query)}
        return {**ctx.extra, **ctx.functions, **functions, **values}

    def _asking(self, run_query: Callable[[str], Any] | None) -> Callable[..., Any]:
        """``run_query`` as templates call it; the time that a database takes does not count."""
        budget = self.environment.budget

        def ask(sql: Any) -> Any:
            text = one_query(sql)
            if run_query is None:
                raise RenderError(
                    "run_query() asks the database, and this command asks nothing",
                    code="FF1419",
                    help="put it behind {% if execute %}, with {% else %} for what stands there meanwhile; "
                    "`flowforge show` asks",
                )
            with budget.untimed():
                return run_query(text)

        return ask

    def run(self, names: Mapping[str, Any], pieces: Pieces) -> None:
        """Render into *pieces*."""
        code, origins = self.compiled(names)
        pieces.add_marked(unshield(self._execute(self.template(code, names))), origins)

    def compiled(self, names: Iterable[str]) -> tuple[CodeType, list[tuple[int, int]]]:
        """The template as code, and where its pieces come from; *names* are for messages."""
        tree = self._parse()
        self._names = {*names, *self.environment.globals, *_assigned(tree)}
        try:
            origins = add_markers(tree, self._origin)
            tree = harden(tree)
            source = generate(tree, self.environment, None, _FILENAME, optimized=False)
            return compile(source or "", _FILENAME, "exec"), origins
        except TemplateSyntaxError as exc:
            raise self._not_compiled(exc) from None
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError):
            raise self._error("is nested too deeply", "FF1412", 0, "take it apart into macros or models") from None

    def template(self, code: CodeType, names: Mapping[str, Any]) -> Template:
        """Code that :meth:`compiled` gave, with its *names*."""
        return Template.from_code(self.environment, code, {**self.environment.globals, **names})

    def _parse(self) -> nodes.Template:
        try:
            tree = parse(self.environment, self._text, self._splice.texts)
        except TemplateProblem as problem:
            raise syntax_error(self._text, problem, self._found) from None
        for node in walk(tree):
            tag = refused_statement(node)
            if tag is not None:
                raise self._refused(f"{{% {tag} %}}", start_offset(node))
        self._silence(tree)
        return tree

    def _silence(self, tree: nodes.Template) -> None:
        """Take out what stands between the macros in front: empty lines and comments."""
        own = self._splice.own
        for node in tree.body:
            if isinstance(node, nodes.Output):
                node.nodes = [part for part in node.nodes if start_offset(part) >= own]
        tree.body = [node for node in tree.body if not isinstance(node, nodes.Output) or node.nodes]

    def _execute(self, template: Template) -> str:
        chunks: list[str] = []
        size = 0
        try:
            for chunk in template.root_render_func(template.new_context({})):
                size += len(chunk)
                if size > MAX_TEXT:
                    raise TooExpensive("its result is too large")
                chunks.append(chunk)
        except FlowForgeError as exc:
            raise placed(exc, self._tag_at(_offset(exc, template))) from exc.__cause__
        except SecurityError as exc:
            raise self._refused(str(exc), _offset(exc, template)) from None
        except UndefinedName as exc:
            raise self._undefined(exc, _offset(exc, template)) from None
        except TooExpensive as exc:
            raise self._too_much(str(exc), _offset(exc, template)) from None
        except (RecursionError, MemoryError) as exc:
            raise self._too_much("it calls itself too deeply", _offset(exc, template)) from None
        except TemplateError as exc:
            raise failed(exc, self._model, self._tag_at(_offset(exc, template))) from None
        except Exception as exc:  # noqa: BLE001 - a template can raise whatever its operations raise
            raise failed(exc, self._model, self._tag_at(_offset(exc, template))) from None
        return "".join(chunks)

    # places

    def _tag(self, offset: int) -> Token | None:
        """The Jinja tag that the character at *offset* belongs to."""
        index = bisect.bisect_right(self._starts, offset) - 1
        return self._tags[index] if index >= 0 and offset < self._tags[index].end else None

    def _origin(self, node: nodes.Node) -> tuple[int, int]:
        own = self._splice.own
        if isinstance(node, nodes.TemplateData):
            return node.lineno - 1 - own, 0
        offset = node.lineno - 1 if isinstance(node, nodes.Stmt) else start_offset(node)
        tag = self._tag(offset)
        return (tag.start - own, tag.end - tag.start) if tag else (offset - own, 1)

    def _tag_at(self, offset: int) -> Location:
        tag = self._tag(offset)
        return self._found.at(tag.start, tag.end - tag.start) if tag else self._found.at(offset)

    def _word_at(self, word: str, offset: int) -> Location:
        """The first place of *word* from *offset* to the end of its tag."""
        tag = self._tag(offset)
        if tag is not None:
            match = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(self._text, offset, tag.end)
            if match:
                return self._found.at(match.start(), len(word))
        return self._tag_at(offset)

    # errors

    def _error(self, what: str, code: str, offset: int, help: str) -> RenderError:
        where = self._tag_at(offset)
        return RenderError(f"the template of model '{self._model}' {what}", code=code, location=where, help=help)

    def _refused(self, what: str, offset: int) -> RenderError:
        return RenderError(
            f"{what} is not allowed in templates",
            code="FF1411",
            location=self._tag_at(offset),
            help="templates read values and call the functions they are given, nothing behind them",
            notes=(f"model '{self._model}'",),
        )

    def _too_much(self, what: str, offset: int) -> RenderError:
        return self._error(
            f"does too much: {what}", "FF1412", offset, "make it smaller; large results belong into SQL or a seed"
        )

    def _undefined(self, error: UndefinedName, offset: int) -> RenderError:
        name = str(error.name)
        tag = self._tag(offset)
        where = self._word_at(name, tag.start if tag else offset)
        if not error.is_name:
            return RenderError(
                f"{type(error.owner).__name__} has no {name!r}",
                code="FF1410",
                location=where,
                help=replacement("parts", name) or "check the spelling, or test it with `is defined`",
            )
        near = difflib.get_close_matches(name, sorted(self._names), n=1)
        return RenderError(
            f"{name!r} is not defined",
            code="FF1410",
            location=where,
            help=replacement("names", name)
            or (f"did you mean {near[0]!r}?" if near else _MACRO if self._is_called(name) else _NAME),
        )

    def _is_called(self, name: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(name)}\s*\(", self._text) is not None

    def _not_compiled(self, error: TemplateSyntaxError) -> RenderError:
        found = re.match(r"No (filter|test) named '(.*?)'", error.message or "")
        if found is None:
            return syntax_error(self._text, TemplateProblem(error.message or "", error.lineno - 1), self._found)
        kind, name = found.groups()
        known = self.environment.filters if kind == "filter" else self.environment.tests
        near = difflib.get_close_matches(name, sorted(known), n=1)
        return RenderError(
            f"there is no {kind} {name!r}",
            code="FF1410",
            location=self._word_at(name, error.lineno - 1),
            help=replacement("filters", name)
            or (f"did you mean {near[0]!r}?" if near else f"write it without this {kind}"),
        )


def _offset(error: BaseException, template: Template) -> int:
    """Where in the source the template was when *error* came up."""
    line = 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return template.get_corresponding_lineno(line) - 1


def _assigned(tree: nodes.Template) -> set[str]:
    """Names that the template itself defines."""
    return {
        node.name
        for node in walk(tree)
        if isinstance(node, nodes.Macro) or (isinstance(node, nodes.Name) and node.ctx != "load")
    }
