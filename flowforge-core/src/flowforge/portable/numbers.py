"""Numbers that dialects reckon with in another way.

Each function is a rule: it changes a part of a query in place, refuses it, or says what it cannot know.
"""

from __future__ import annotations

from typing import Any

from flowforge.portable.kinds import DECIMAL, DOUBLE, NUMBERS_WITH_FRACTIONS, TEXT, WHOLE, kind_of
from flowforge.portable.refusal import Refused
from flowforge.portable.traits import Pair


def division(node: Any, pair: Pair) -> None:
    """A slash between whole numbers cuts off the fraction, or does not."""
    from sqlglot import exp

    ours = pair.of_source("integer_division")
    if not pair.differs("integer_division") or ours == "fraction":
        return
    kinds = {kind_of(node.left, pair), kind_of(node.right, pair)}
    if ours == "cut" and kinds & NUMBERS_WITH_FRACTIONS:
        return
    if ours == "cut" and kinds == {WHOLE}:
        node.replace(exp.IntDiv(this=node.left.copy(), expression=node.right.copy()))
        return
    if ours == "scaled" and DOUBLE in kinds:
        return
    what = "cuts off the fraction if both are whole numbers" if ours == "cut" else "keeps few digits"
    raise Refused(
        f"nobody can tell here what this division divides: {pair.source} {what}, {pair.target} does not",
        "say which division is meant, by a cast: cast(a as double precision) / b, or cast(a as bigint) / cast(b as bigint)",
    )


def rounding(node: Any, pair: Pair) -> None:
    """The half of a double is rounded to one side or the other."""
    from sqlglot import exp

    kind = kind_of(node.this, pair)
    if not pair.differs("round") or kind in (WHOLE, DECIMAL):
        return
    if pair.of_source("round") == "away":
        node.this.replace(exp.cast(node.this.copy(), "DECIMAL"))
    elif node.args.get("decimals") is None:
        raise Refused(
            f"{pair.source} rounds the half of a double to the even neighbour, {pair.target} away from zero",
            "round a decimal: round(cast(x as numeric(18, 6)))",
        )


def whole_cast(node: Any, pair: Pair) -> str | None:
    """A cast to a whole number rounds, or cuts off."""
    from sqlglot import exp

    if not pair.differs("cast_to_integer") or node.to.this not in exp.DataType.INTEGER_TYPES:
        return None
    kind, ours = kind_of(node.this, pair), pair.of_source("cast_to_integer")
    if kind == TEXT and ours == "cut" and not node.this.name.strip().lstrip("+-").isdigit():
        return f"a cast of a text to a whole number: {pair.source} cuts off a fraction, {pair.target} does not"
    if kind is not None and kind not in NUMBERS_WITH_FRACTIONS:
        return None
    if ours == "cut":
        if kind is None:
            raise Refused(
                f"{pair.source} cuts off the fraction of what is cast to a whole number, {pair.target} rounds it",
                "say which is meant: cast(trunc(x) as int), or cast(round(x) as int)",
            )
        node.this.replace(exp.Trunc(this=node.this.copy()))
        return None
    if kind is None:
        return f"a cast to a whole number: {pair.source} rounds the half of a double to another side than {pair.target}"
    if pair.of_target("cast_to_integer") == "cut" and (kind == DECIMAL or ours == "away"):
        node.this.replace(exp.Round(this=node.this.copy()))
        return None
    if pair.of_target("cast_to_integer") == "cut":
        return f"a cast to a whole number: {pair.source} rounds a double, {pair.target} cuts off its fraction"
    if ours == "away" and kind != DECIMAL:
        node.this.replace(exp.Round(this=exp.cast(node.this.copy(), "DECIMAL(38, 12)")))
    return None


def decimal_cast(node: Any, pair: Pair) -> None:
    """A decimal that names no digits has others in each dialect."""
    from sqlglot import exp

    if node.to.this != exp.DataType.Type.DECIMAL or node.to.expressions or not pair.differs("decimal"):
        return
    ours = pair.of_source("decimal")
    if ours:
        node.set("to", exp.DataType.build(f"DECIMAL({ours[0]}, {ours[1]})"))
    elif isinstance(node.parent, exp.Round) and node.parent.args.get("decimals") is not None:
        node.set("to", exp.DataType.build("DECIMAL(38, 15)"))
    else:
        digits = ", ".join(str(number) for number in pair.of_target("decimal"))
        raise Refused(
            f"a decimal without digits is as long as it needs to be in {pair.source}, and ({digits}) in {pair.target}",
            "say how many digits: numeric(18, 6)",
        )


def digits(node: Any, pair: Pair) -> None:
    """Digits in the type of a cast round; where there may be none, the rounding is said."""
    from sqlglot import exp

    given = node.to.expressions
    if node.to.this != exp.DataType.Type.DECIMAL or not given or pair.of_target("cast_digits") is not False:
        return
    precision, scale = given[0].this.to_py(), given[1].this.to_py() if len(given) > 1 else 0
    # A rounding to fewer digits in between would be another one.
    wide = type(node)(this=node.this.copy(), to=exp.DataType.build("BIGDECIMAL"))
    node.this.replace(exp.Round(this=wide, decimals=exp.Literal.number(scale)))
    longest, behind = pair.of_target("decimal")
    fits = scale <= behind and precision - scale <= longest - behind
    node.set("to", exp.DataType.build("DECIMAL" if fits else "BIGDECIMAL"))


def greatest(node: Any, pair: Pair) -> None:
    """NULLs are left out, or make the answer NULL."""
    from sqlglot import exp

    if not pair.differs("greatest"):
        return
    if pair.of_source("greatest") == "skip":
        raise Refused(
            f"{pair.source} leaves out the NULLs of greatest and least, {pair.target} gives NULL for them",
            "write a CASE",
        )
    parts = [part.copy() for part in (node.this, *node.expressions)]
    bare = node.copy()
    bare.set("ignore_nulls", True)
    missing = exp.or_(*(part.is_(exp.null()) for part in parts))
    node.replace(exp.Case().when(missing, exp.null()).else_(bare))


def count_if(node: Any, pair: Pair) -> None:
    """Nothing but NULLs gives NULL, or 0."""
    from sqlglot import exp

    if not pair.differs("count_if"):
        return
    condition = exp.Paren(this=node.this.copy())
    counted = exp.Case().when(condition, "1")
    if pair.of_source("count_if") == "sum":
        node.replace(exp.Sum(this=counted.when(exp.Not(this=condition.copy()), "0")))
    else:
        node.replace(exp.Count(this=counted))


def spread(node: Any, pair: Pair) -> None:
    """The spread of whole numbers is a double, or a short decimal."""
    from sqlglot import exp

    if pair.differs("spread") and pair.of_source("spread") == "double":
        node.this.replace(exp.cast(node.this.copy(), "DOUBLE"))
