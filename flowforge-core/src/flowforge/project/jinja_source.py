"""Jinja's own parser, with exact positions and with SQL comments left alone.

Imports jinja2, so import this module only where a template needs it. In the trees made here ``lineno`` is not a line:
it is the offset of the node's first character in the source, plus one. All of Jinja (syntax errors, tree,
line table of compiled code) carries it along, which gives columns without a parser of our own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream

from flowforge.project.lexer import Kind, lex
from flowforge.project.literals import decode_string

EXTENSIONS = ("jinja2.ext.do", "jinja2.ext.loopcontrols")
RESERVED = re.compile("[\U000ff800-\U000fffff]")
"""Private-use characters that FlowForge keeps for itself; no template may hold one."""
SHIELD = "\U000ff800"
"""Stands for ``{`` inside SQL comments while Jinja works on the text."""
MAX_TEMPLATE = 1_000_000
"""Characters of a template that Jinja may be given; far more than anybody writes, and its parser is slow."""
MAX_DEPTH = 400
"""How deep a template may be nested; more would be too deep for Jinja's compiler."""
_LIVE_BRACE = re.compile(r"\{(?=[{%#])")


class TemplateProblem(Exception):
    """The template cannot be parsed. *offset* is a position in the source text, in characters from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def shield_comments(text: str) -> str:
    """*text* with the braces of Jinja tags inside SQL comments replaced, one character for one."""
    pieces = []
    pos = 0
    for token in lex(text):
        if token.kind is Kind.COMMENT and _LIVE_BRACE.search(text, token.start, token.end):
            pieces += [text[pos : token.start], _LIVE_BRACE.sub(SHIELD, text[token.start : token.end])]
            pos = token.end
    return "".join([*pieces, text[pos:]]) if pieces else text


def unshield(text: str) -> str:
    """The inverse of :func:`shield_comments`."""
    return text.replace(SHIELD, "{")


class OffsetEnvironment(Environment):
    """An environment whose parser counts characters instead of lines."""

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        stream = self._offsets(source, name, filename)
        return TokenStream(self.lexer.wrap(stream, name, filename), name, filename)

    def _offsets(self, source: str, name: str | None, filename: str | None) -> Iterator[tuple[int, str, str]]:
        pos = 0
        tokens = self.lexer.tokeniter(source, name, filename)
        while True:
            try:
                token = next(tokens, None)
            except TemplateSyntaxError as exc:
                exc.lineno = min(pos, max(len(source) - 1, 0)) + 1
                raise
            if token is None:
                return
            _, kind, value = token
            # Whitespace control drops text without yielding it, so the next value may stand further on.
            pos = source.index(value, pos)
            start, pos = pos, pos + len(value)
            if kind == "string" and "\\" in value:
                value = _quote_again(value, start)
            yield start + 1, kind, value


def _quote_again(raw: str, offset: int) -> str:
    """A literal that Jinja decodes to what :func:`decode_string` says."""
    try:
        text = decode_string(raw)
    except ValueError as exc:
        raise TemplateSyntaxError(str(exc), offset + 1) from exc
    return '"' + text.encode("unicode_escape").decode("ascii") + '"'


def parse(environment: Environment, text: str, parts: Sequence[str] = ()) -> nodes.Template:
    """The syntax tree of *text* (line breaks ``\\n`` only) with offsets for line numbers and shielded comments.

    Parameters
    ----------
    parts:
        What *text* consists of, when SQL quotes and comments of one part do not reach into the next.

    Raises
    ------
    TemplateProblem
        For anything that Jinja refuses.
    """
    from jinja2.parser import Parser

    if len(text) > MAX_TEMPLATE:
        raise TemplateProblem(f"the template is larger than {MAX_TEMPLATE:,} characters", 0)
    reserved = RESERVED.search(text)
    if reserved:
        raise TemplateProblem(f"the character U+{ord(reserved.group()):X} is reserved", reserved.start())
    try:
        tree = Parser(environment, "".join(map(shield_comments, parts or (text,))), None, "<template>").parse()
    except TemplateSyntaxError as exc:
        raise TemplateProblem(exc.message or "invalid syntax", max(exc.lineno, 1) - 1) from None
    except RecursionError:
        raise TemplateProblem("the template is nested too deeply", 0) from None
    except (ValueError, OverflowError, MemoryError) as exc:
        raise TemplateProblem(str(exc) or "invalid syntax", 0) from None
    for node, depth in _with_depth(tree):
        if depth > MAX_DEPTH:
            raise TemplateProblem("the template is nested too deeply", max(node.lineno or 1, 1) - 1)
    return tree


def walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    """All nodes below and including *tree*, in the order of the text; for trees of any depth."""
    return (node for node, _ in _with_depth(tree))


def _with_depth(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack.extend(reversed([(child, depth + 1) for child in node.iter_child_nodes()]))


def start_offset(node: nodes.Node) -> int:
    """The offset of the leftmost part of a node; its own position may be that of an operator."""
    return min((part.lineno for part in walk(node) if part.lineno), default=1) - 1


@functools.cache
def parser_environment() -> Environment:
    """The environment for reading trees at load time. It runs nothing, and nothing changes it."""
    return OffsetEnvironment(extensions=list(EXTENSIONS), keep_trailing_newline=True, cache_size=0)
