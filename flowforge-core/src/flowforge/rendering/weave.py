"""Changes to a template's tree before it is compiled: counting, and signs that tell where output comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from flowforge.rendering.source_map import marker


def add_markers(tree: nodes.Template, origin: Callable[[nodes.Node], tuple[int, int]]) -> list[tuple[int, int]]:
    """Put a sign in front of everything that the template writes straight into its result.

    What a macro, a block or a recursive loop writes gets none: the template could look at that text.

    Parameters
    ----------
    origin:
        Where a node stands: offset, and length (0 for text of the template).

    Returns
    -------
    list
        The origins; a sign's number is the index.
    """
    origins: list[tuple[int, int]] = []

    def sign(node: nodes.Node) -> nodes.TemplateData:
        origins.append(origin(node))
        return nodes.TemplateData(marker(len(origins) - 1), lineno=node.lineno)

    def visit(body: list[nodes.Node]) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        for node in body:
            if isinstance(node, nodes.Output):
                node.nodes = [part for child in node.nodes for part in (sign(child), child)]
            elif isinstance(node, (nodes.CallBlock, nodes.FilterBlock)) or (
                isinstance(node, nodes.For) and node.recursive
            ):
                result.append(nodes.Output([sign(node)], lineno=node.lineno))
            elif isinstance(node, nodes.If):
                branches = [node]
                while branches:
                    branch = branches.pop()
                    branch.body = visit(branch.body)
                    branch.else_ = visit(branch.else_)
                    branches.extend(branch.elif_)
            elif isinstance(node, nodes.For):
                node.body = visit(node.body)
                node.else_ = visit(node.else_)
            elif isinstance(node, nodes.With):
                node.body = visit(node.body)
            result.append(node)
        return result

    tree.body = visit(tree.body)
    return origins


def harden(tree: nodes.Template) -> nodes.Template:
    """Make every loop, macro and large construction of *tree* count; see ``SqlEnvironment.call``."""
    hardened: nodes.Template = _Harden().visit(tree)
    return hardened


class _Harden(NodeTransformer):
    """Puts counting calls where a template could repeat or build without end."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.body.insert(0, _step(node))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:
        self.generic_visit(node)
        node.body.insert(0, _step(node))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:
        self.generic_visit(node)
        node.body.insert(0, _step(node))
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Getitem:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice) and isinstance(node.node, nodes.Literal):
            # A slice of a literal would be compiled as it stands, and Python warns about some of them.
            node.node = _call("ff_take", node, node.node)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("ff_concat", node, *node.nodes)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        # Two large containers take long to compare; what they hold was counted, how often they are compared was not.
        return _call("ff_take", node, node)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _counted(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return node if node.ctx != "load" else _counted(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _counted(node, [part for pair in node.items for part in (pair.key, pair.value)])


def _counted(node: nodes.Expr, parts: list[Any]) -> nodes.Node:
    """A container of more than constants can hold others many times over."""
    return node if all(isinstance(part, nodes.Const) for part in parts) else _call("ff_take", node, node)


def _call(hook: str, at: nodes.Node, *args: Any) -> nodes.Call:
    target = nodes.EnvironmentAttribute(hook, lineno=at.lineno)
    return nodes.Call(target, list(args), [], None, None, lineno=at.lineno)


def _step(node: Any) -> nodes.ExprStmt:
    """A statement that counts one round of *node*'s body and the text that stands in it."""
    return nodes.ExprStmt(_call("ff_step", node, nodes.Const(_written(node.body))), lineno=node.lineno)


def _written(body: list[nodes.Node]) -> int:
    """Characters of template text that one round writes at most; loops inside count for themselves."""
    total = 0
    stack = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, nodes.TemplateData):
            total += len(node.data)
        elif not isinstance(node, (nodes.For, nodes.Macro, nodes.CallBlock)):
            stack.extend(node.iter_child_nodes())
    return total
