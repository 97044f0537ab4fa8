"""Reads a macro file with Jinja's parser: which macros it defines, and what they refer to."""

from __future__ import annotations

from jinja2 import nodes

from flowforge.errors import Problems, ProjectError
from flowforge.project.jinja_source import TemplateProblem, parse, parser_environment, start_offset, walk
from flowforge.project.macros import Macro
from flowforge.project.scan import Findings
from flowforge.project.scan_jinja import read_nodes, syntax_error


def scan_macros(text: str, path: str, problems: Problems) -> tuple[Macro, ...]:
    """The macros of one file; what is wrong goes to *problems*."""
    found = Findings(text, path)
    try:
        tree = parse(parser_environment(), text)
    except TemplateProblem as problem:
        problems.add(syntax_error(text, problem, found))
        return ()
    macros = []
    for node in tree.body:
        if isinstance(node, nodes.Macro):
            macros.append(_macro(node, node.name, text, path, problems))
        elif isinstance(node, (nodes.Assign, nodes.AssignBlock)) and isinstance(node.target, nodes.Name):
            macros.append(_macro(node, node.target.name, text, path, problems))
        elif not (isinstance(node, nodes.Output) and all(_is_blank(part) for part in node.nodes)):
            where = next((part for part in walk(node) if not _is_blank(part) and part is not node), node)
            problems.add(
                ProjectError(
                    "a macro file holds macros and nothing else",
                    code="FF1416",
                    location=found.at(start_offset(where)),
                    help="put it into a macro: {% macro name() %} ... {% endmacro %}, or into a comment {# ... #}",
                )
            )
    return tuple(macros)


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


def _macro(node: nodes.Node, name: str, text: str, path: str, problems: Problems) -> Macro:
    found = Findings(text, path)
    location = found.at(text.find(name, start_offset(node)), len(name))
    read_nodes(found, node)
    for problem in found.problems:
        problems.add(problem)
    if found.config is not None:
        problems.add(
            ProjectError(
                "config() belongs into the model, where it can be read without running anything",
                code="FF1416",
                location=found.config_location,
                help="move it to the models that need it, or to project.yml for all models of a folder",
            )
        )
    computed = tuple(problem.location for problem in found.dynamic if problem.location is not None)
    return Macro(name, location, tuple(found.refs), tuple(found.sources), frozenset(found.names), computed)
