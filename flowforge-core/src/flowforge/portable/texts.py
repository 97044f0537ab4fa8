"""Texts, and patterns of texts, that dialects read in another way.

Each function is a rule: it changes a part of a query in place, refuses it, or says what it cannot know.
"""

from __future__ import annotations

from typing import Any

from flowforge.portable.kinds import DOUBLE, TEXT, kind_of
from flowforge.portable.patterns import translated_pattern
from flowforge.portable.refusal import Refused
from flowforge.portable.traits import Pair


def text_cast(node: Any, pair: Pair) -> None:
    """Lengths of texts count or not, and doubles are written in two ways."""
    from sqlglot import exp

    if node.to.this not in exp.DataType.TEXT_TYPES:
        return
    if pair.differs("double_as_text") and kind_of(node.this, pair) == DOUBLE:
        raise Refused(
            f"a double is written another way in {pair.source} than in {pair.target}",
            "cast it to a decimal first: cast(cast(x as decimal(18, 6)) as varchar)",
        )
    if not node.to.expressions or not pair.differs("varchar"):
        return
    if pair.of_source("varchar") == "ignored":
        node.to.set("expressions", [])
        return
    if node.to.this in (exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR):
        raise Refused(f"char(n) of {pair.source} is filled up with spaces", "use varchar(n), or text")
    length = node.to.expressions[0].this.copy()
    whole = exp.cast(node.this.copy(), "TEXT")
    node.replace(exp.Substring(this=whole, start=exp.Literal.number(1), length=length))


def concat(node: Any, pair: Pair) -> None:
    """Values that are no texts are joined as texts, or refused."""
    from sqlglot import exp

    if pair.differs("concat") and pair.of_target("concat") == "texts":
        for part in node.expressions:
            if kind_of(part, pair) != TEXT:
                part.replace(exp.cast(part.copy(), "TEXT"))


def substring(node: Any, pair: Pair) -> str | None:
    """Starts below 1 count from another place."""
    start = node.args.get("start")
    if start is None or not (pair.differs("substring") or pair.differs("substring_zero")):
        return None
    if not start.is_int:
        return "a substring whose start is computed: one below 1 means something else"
    if start.to_py() == 0 or (start.to_py() < 0 and pair.differs("substring")):
        raise Refused(
            f"a start below 1 means another part of the text in {pair.source} than in {pair.target}",
            "use left(...) or right(...)",
        )
    return None


def trim(node: Any, pair: Pair) -> None:
    """Spaces are taken away, or all white space."""
    from sqlglot import exp

    if node.args.get("expression") is None and pair.differs("trim"):
        node.set("expression", exp.Literal.string(" " if pair.of_source("trim") == "spaces" else " \t\n\r\f\v"))


def pattern(node: Any, pair: Pair) -> str | None:
    """A regular expression that is searched for, or replaced."""
    replaced = type(node).__name__ != "RegexpLike"
    pattern = node.expression
    if not pair.differs("regex_dot"):
        return None
    if not pattern.is_string:
        return "a regular expression that is computed: not all of them mean the same"
    text, unsafe = translated_pattern(pattern.this, pair, replaced=replaced)
    if unsafe is not None:
        raise Refused(
            f"{unsafe} means something else in a regular expression of {pair.target}",
            "use signs, classes in brackets, and the repetitions * + ?",
        )
    pattern.set("this", text)
    return None


def like(node: Any, pair: Pair) -> None:
    """A backslash in LIKE has a meaning, or none."""
    from sqlglot import exp

    pattern = node.expression
    if not pair.differs("like_escape") or isinstance(node.parent, exp.Escape):
        return
    if pattern.is_string and "\\" not in pattern.this:
        return
    escape = exp.Literal.string("\\" if pair.of_source("like_escape") else "")
    node.replace(exp.Escape(this=node.copy(), expression=escape))


def regex(node: Any, pair: Pair) -> None:
    """A regular expression fits the whole text, or a part of it."""
    if pair.differs("regex"):
        raise Refused(
            f"a pattern has to fit the {pair.of_source('regex')} text in {pair.source}, and not so in {pair.target}",
            "use LIKE, or write the model once for each engine: config(engines=[...])",
        )


def similar(node: Any, pair: Pair) -> None:
    """Patterns of SIMILAR TO."""
    if pair.of_source("similar_to") is None or pair.differs("similar_to"):
        raise Refused("SIMILAR TO is another language of patterns in each dialect", "use LIKE")


def formatted(node: Any, pair: Pair) -> None:
    """The function format()."""
    raise Refused(
        "format() fills in its values another way in each dialect", "join the texts: a || '-' || cast(b as varchar)"
    )
