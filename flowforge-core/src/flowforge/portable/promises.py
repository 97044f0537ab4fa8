"""Which constructs give the same rows in another dialect: those that cases are run for, and nothing else.

``promises.toml`` is written from the case files by ``tests/portable/portable_cases.py``; a test compares them.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from flowforge.portable.traits import Pair

if TYPE_CHECKING:
    from sqlglot import exp


def constructs(tree: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    """What a parsed query is made of: the name of each kind of part, and the part."""
    for node in tree.walk():
        name = construct(node)
        if name:
            yield name, node


def construct(node: exp.Expr) -> str:
    """The name of what *node* is; empty for what is told by the part around it."""
    from sqlglot import exp

    kind = type(node).__name__
    if isinstance(node, exp.Var | exp.DataTypeParam | exp.Identifier):
        return ""
    if isinstance(node, exp.DataType):
        return f"type {node.this.name if hasattr(node.this, 'name') else node.this}" + "()" * bool(node.expressions)
    if isinstance(node, exp.Anonymous):
        return f"function {node.name.lower()}"
    if isinstance(node, exp.Literal):
        return "text" if node.is_string else "number"
    if isinstance(node, exp.Join):
        words = [str(node.args.get(key) or "").upper() for key in ("method", "side", "kind")]
        using = "USING" if node.args.get("using") else ""
        return " ".join(word for word in ("Join", *words, using) if word not in ("", "INNER", "OUTER"))
    unit = node.args.get("unit")
    if isinstance(node, exp.Extract):
        return f"Extract {node.name.upper()}"
    tail = f" {str(unit.name or unit).upper()}" if unit is not None else ""
    if isinstance(node, exp.Func):
        return f"{kind}({', '.join(_given(node))}){tail}"
    if isinstance(node, exp.Interval):
        return kind
    return kind + tail


def _given(node: exp.Func) -> list[str]:
    """The arguments that a function is called with; the parser's own flags are none."""
    given = {key for key, value in node.args.items() if value not in (None, []) and not isinstance(value, bool)}
    return sorted(given - {"unit"})


@functools.cache
def _promised() -> dict[str, frozenset[str]]:
    read = tomllib.loads(files("flowforge.portable").joinpath("promises.toml").read_text("utf-8"))
    return {pair: frozenset(entry["constructs"]) for pair, entry in read.items()}


def promised(pair: Pair) -> frozenset[str] | None:
    """The constructs that keep their rows between two dialects; ``None`` when nothing is promised for these two."""
    return _promised().get(f"{pair.source} to {pair.target}")


def pairs() -> tuple[str, ...]:
    """All pairs of dialects for which something is promised."""
    return tuple(sorted(_promised()))
