"""Who reads a setting: attributes that the product's source looks at, as far as the text alone can tell.

A field counts as read when some module looks at an attribute of its name on something that is called like an instance
of its class (``node.config.alias`` for a field of ``ModelConfig``). Modules that only carry the values from files into
the class do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import attrs


@attrs.frozen
class Looks:
    """How instances of a class are called where they are read, and the modules that only fill them in."""

    called: Collection[str]
    filled_by: Collection[str] = ()


def attributes(paths: Iterable[Path]) -> dict[Path, set[tuple[str, str]]]:
    """For each file, the pairs of what something is called and of the attribute that is looked at.

    ``node.config.alias`` gives ``("node", "config")`` and ``("config", "alias")``; a call counts by its function.
    """
    found: dict[Path, set[tuple[str, str]]] = {}
    for path in paths:
        found[path] = {
            (_called(node.value), node.attr)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
        }
    return found


def _called(value: ast.expr) -> str:
    if isinstance(value, ast.Call):
        value = value.func
    if isinstance(value, ast.Subscript):
        value = value.value
    if isinstance(value, ast.Attribute):
        return value.attr
    return value.id if isinstance(value, ast.Name) else ""


def unread(fields: Iterable[str], looks: Looks, seen: Mapping[Path, set[tuple[str, str]]]) -> list[str]:
    """The fields that nobody reads."""
    pairs = {pair for path, found in seen.items() if path.stem not in looks.filled_by for pair in found}
    return [name for name in fields if not any((called, name) in pairs for called in looks.called)]
