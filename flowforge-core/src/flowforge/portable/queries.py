"""Parts of queries, and functions, that a dialect does not have.

Each function is a rule: it changes a part of a query in place, refuses it, or says what it cannot know.
"""

from __future__ import annotations

from typing import Any

from flowforge.portable.refusal import Refused
from flowforge.portable.times import part_of_time
from flowforge.portable.traits import Pair


def try_cast(node: Any, pair: Pair) -> None:
    """A cast that gives NULL for what it cannot read."""
    from sqlglot import exp

    if pair.of_source("try_cast") == "implied" and pair.of_target("try_cast") != "implied":
        node.replace(exp.Cast(this=node.this.copy(), to=node.to.copy()))
    elif pair.of_target("try_cast") is False:
        raise Refused(
            f"{pair.target} has no cast that gives NULL for what it cannot read",
            "look first, in a CASE, and cast what is sure to fit",
        )


def qualified(node: Any, pair: Pair) -> None:
    """QUALIFY beside a star, where it becomes a subquery."""
    if node.args.get("qualify") is not None and pair.of_target("qualify") is False and node.is_star:
        raise Refused(
            f"{pair.target} has no QUALIFY, and in its place a * would give one column more", "name the columns"
        )


def star(node: Any, pair: Pair) -> None:
    """A star with exceptions."""
    exceptions = any(node.args.get(key) for key in ("except_", "except", "replace", "rename"))
    if exceptions and pair.of_target("star_except") is False:
        raise Refused(f"{pair.target} has no * with exceptions", "name the columns")


def is_true(node: Any, pair: Pair) -> None:
    """Whether something is TRUE or FALSE, which is never unknown itself."""
    from sqlglot import exp

    if pair.of_target("is_true") is False and isinstance(node.expression, exp.Boolean):
        value = exp.Paren(this=node.this.copy())
        asked = value if node.expression.this else exp.Not(this=value)
        node.replace(exp.Coalesce(this=asked, expressions=[exp.false()]))


def unknown(node: Any, pair: Pair) -> None:
    """A function that the translator does not know."""
    from sqlglot import exp

    if node.name.lower() == "date_part" and len(node.expressions) == 2 and node.expressions[0].is_string:
        unit, value = node.expressions
        extract = exp.Extract(this=exp.var(unit.name.upper()), expression=value.copy())
        node.replace(extract)
        part_of_time(extract, pair)
        return
    raise Refused(
        f"the function {node.name} of {pair.source} is not known to the translator",
        "write the model once for each engine, with config(engines=[...]), or find other words",
    )
