"""Reads a template with Jinja's parser: the tree only, all of its branches, nothing is compiled or run.

Called by :mod:`flowforge.project.scan` for templates that hold more than literal calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes

from flowforge.errors import RenderError
from flowforge.project.asked import Asked
from flowforge.project.calls import RESERVED, bind_ref, bind_source, reserved_name
from flowforge.project.elsewhere import replacement
from flowforge.project.jinja_source import TemplateProblem, parse, parser_environment, start_offset, walk
from flowforge.project.lexer import Kind, lex
from flowforge.project.literals import NotLiteral
from flowforge.project.manifest import RefCall, SourceCall
from flowforge.project.scan import Findings

ALLOWED_STATEMENTS = (
    nodes.Template,
    nodes.Output,
    nodes.For,
    nodes.If,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
    nodes.With,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.ExprStmt,
    nodes.Scope,  # a frame around others
    nodes.Break,
    nodes.Continue,
)
"""What a model's template may consist of; Jinja's inheritance and inclusion are not among it."""
_TAGS: Mapping[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Block: "block",
    nodes.ScopedEvalContextModifier: "autoescape",
}
_FUNCTIONS = frozenset({"ref", "source", "config", "var", "env"})


def refused_statement(node: nodes.Node) -> str | None:
    """The tag of a statement that templates may not hold; ``None`` when *node* is fine."""
    if isinstance(node, nodes.Stmt) and not isinstance(node, ALLOWED_STATEMENTS):
        return _TAGS.get(type(node), type(node).__name__.lower())
    return None


def syntax_error(text: str, problem: TemplateProblem, found: Findings) -> RenderError:
    """The error for a template that Jinja's parser refuses."""
    hidden = any(
        token.kind is Kind.COMMENT and ("{%" in text[token.start : token.end] or "{{" in text[token.start : token.end])
        for token in lex(text)
    )
    tag = re.search(r"unknown tag '(\w+)'", problem.message)
    return RenderError(
        f"the template cannot be read: {problem.message[:1].lower()}{problem.message[1:].rstrip('.')}",
        code="FF1401",
        location=found.at(problem.offset),
        help=(replacement("tags", tag[1]) if tag else None) or "correct the Jinja tag",
        notes=("Jinja inside SQL comments is not evaluated; use {# ... #} around tags",) if hidden else (),
    )


def literal(node: nodes.Node, *, asked: bool = False) -> Any:
    """The value of a literal; with *asked*, calls of ``var`` and ``env`` are kept to be answered later.

    Raises
    ------
    NotLiteral
        When the expression has to be computed.
    """
    if isinstance(node, nodes.Const):
        return node.value
    if isinstance(node, nodes.List):
        return [literal(item, asked=asked) for item in node.items]
    if isinstance(node, nodes.Tuple):
        return tuple(literal(item, asked=asked) for item in node.items)
    if isinstance(node, nodes.Dict):
        pairs = [(literal(pair.key), literal(pair.value, asked=asked)) for pair in node.items]
        if all(isinstance(key, str) for key, _ in pairs):
            return dict(pairs)
    if isinstance(node, (nodes.Neg, nodes.Pos)) and isinstance(node.node, nodes.Const):
        value = node.node.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return -value if isinstance(node, nodes.Neg) else value
    if (
        asked
        and isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in ("var", "env")
    ):
        args, kwargs = _bound(node)
        return Asked(node.node.name, tuple(map(literal, args)), {key: literal(value) for key, value in kwargs.items()})
    raise NotLiteral


def _choices(node: nodes.Node) -> Iterator[nodes.Const]:
    """The text literals that an argument can be: itself, or both sides of an inline ``if``."""
    if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        yield from _choices(node.expr1)
        yield from _choices(node.expr2)
    elif isinstance(node, nodes.Const):
        yield node
    else:
        raise NotLiteral


def read_tree(found: Findings) -> None:
    """Parse the template in *found* and add what it holds."""
    try:
        tree = parse(parser_environment(), found.text)
    except TemplateProblem as problem:
        found.problems.append(syntax_error(found.text, problem, found))
        return
    read_nodes(found, tree)


def read_nodes(found: Findings, tree: nodes.Node) -> None:
    """Add what a tree, or a part of one, holds."""
    callees: set[int] = set()
    for node in walk(tree):
        if isinstance(node, nodes.Name) and node.ctx == "load":
            found.names.add(node.name)
        tag = refused_statement(node)
        if tag is not None:
            found.problems.append(
                RenderError(
                    f"{{% {tag} %}} is not allowed in templates",
                    code="FF1411",
                    location=found.at(start_offset(node)),
                    help="write the text itself, or a macro in the same file",
                )
            )
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in _FUNCTIONS:
            callees.add(id(node.node))
            _READERS[node.node.name](found, node, node.node)
        elif isinstance(node, nodes.Macro) and node.name in RESERVED:
            found.problems.append(
                reserved_name(node.name, found.at(found.text.find(node.name, node.lineno - 1), len(node.name)))
            )
        elif isinstance(node, nodes.Filter) and node.name in ("var", "env"):
            _read_filter(found, node)
        elif _is_passed_on(node) and id(node) not in callees:
            assert isinstance(node, nodes.Name)
            found.problems.append(
                RenderError(
                    f"{node.name} can only be called, not passed on",
                    code="FF1407",
                    location=found.at(node.lineno - 1, len(node.name)),
                    help=f"call it here: {node.name}(...)",
                )
            )


def _is_passed_on(node: nodes.Node) -> bool:
    """Whether a function that makes dependencies is used without a call, where no scan could follow it."""
    return isinstance(node, nodes.Name) and node.ctx == "load" and node.name in ("ref", "source")


def _bound(call: nodes.Call) -> tuple[list[nodes.Expr], dict[str, nodes.Expr]]:
    """The argument nodes of a call.

    Raises
    ------
    NotLiteral
        When ``*`` or ``**`` hides them.
    """
    if call.dyn_args is not None or call.dyn_kwargs is not None:
        raise NotLiteral
    return list(call.args), {keyword.key: keyword.value for keyword in call.kwargs}


def _read_ref(found: Findings, call: nodes.Call, name: nodes.Name) -> None:
    offset = name.lineno - 1
    try:
        args, kwargs = _bound(call)
        chosen = bind_ref(args, kwargs)
        choices = list(_choices(chosen))
    except NotLiteral:
        found.dynamic_ref("ref", found.at(start_offset(call.args[-1]) if call.args else offset))
        return
    except ValueError as exc:
        found.bad_call("ref", str(exc), offset)
        return
    if not all(isinstance(choice.value, str) for choice in choices):
        found.bad_call("ref", "ref() takes names as text", offset)
        return
    found.refs += [RefCall(choice.value, found.literal_at(choice.lineno - 1, choice.value)) for choice in choices]


def _read_source(found: Findings, call: nodes.Call, name: nodes.Name) -> None:
    offset = name.lineno - 1
    try:
        args, kwargs = _bound(call)
        group, table = bind_source(args, kwargs)
        pairs = [(left, right) for left in _choices(group) for right in _choices(table)]
    except NotLiteral:
        found.dynamic_ref("source", found.at(start_offset(call.args[0]) if call.args else offset))
        return
    except ValueError as exc:
        found.bad_call("source", str(exc), offset)
        return
    for left, right in pairs:
        if not isinstance(left.value, str) or not isinstance(right.value, str):
            found.bad_call("source", "source() takes names as text", offset)
            return
        found.sources.append(SourceCall(left.value, right.value, found.literal_at(right.lineno - 1, right.value)))


_KEYWORD = re.compile(r"[A-Za-z_]\w*")


def _read_config(found: Findings, call: nodes.Call, name: nodes.Name) -> None:
    from flowforge.errors import ModelConfigError

    offset = name.lineno - 1
    if call.args or call.dyn_args is not None or call.dyn_kwargs is not None:
        found.bad_call("config", "config() takes keywords only", offset)
        return
    values: dict[str, Any] = {}
    names: dict[str, int] = {}
    deps: list[int] = []
    for keyword in call.kwargs:
        at = _keyword_offset(found.text, keyword)
        names[keyword.key] = at
        try:
            values[keyword.key] = literal(keyword.value, asked=True)
        except NotLiteral:
            found.problems.append(
                ModelConfigError(
                    f"the value of {keyword.key!r} in config() must be a literal",
                    code="FF1121",
                    location=found.at(at, len(keyword.key)),
                    help="settings are read without running the template; write the value itself, var(...) or env(...)",
                )
            )
            continue
        if keyword.key == "deps" and isinstance(keyword.value, (nodes.List, nodes.Tuple)):
            deps = [item.lineno - 1 for item in keyword.value.items]
    found.set_config(values, offset, names, deps)


def _keyword_offset(text: str, keyword: nodes.Keyword) -> int:
    """Where the keyword's name stands; Jinja remembers only its value's place."""
    at = text.rfind(keyword.key, 0, start_offset(keyword.value))
    return at if at >= 0 else keyword.lineno - 1


def _read_var(found: Findings, call: nodes.Call, name: nodes.Name) -> None:
    _read_name(call, found.vars)


def _read_env(found: Findings, call: nodes.Call, name: nodes.Name) -> None:
    _read_name(call, found.envs)


def _read_name(call: nodes.Call, names: set[str]) -> None:
    candidates = [*call.args[:1], *(keyword.value for keyword in call.kwargs if keyword.key == "name")]
    try:
        names.update(str(choice.value) for node in candidates for choice in _choices(node))
    except NotLiteral:
        return


def _read_filter(found: Findings, node: nodes.Filter) -> None:
    """``'name' | var`` is another way to write ``var('name')``."""
    if isinstance(node.node, nodes.Const):
        (found.vars if node.name == "var" else found.envs).add(str(node.node.value))


_READERS: Mapping[str, Callable[[Findings, nodes.Call, nodes.Name], None]] = {
    "ref": _read_ref,
    "source": _read_source,
    "config": _read_config,
    "var": _read_var,
    "env": _read_env,
}
