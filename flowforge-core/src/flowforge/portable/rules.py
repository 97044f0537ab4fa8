"""Where a translated query would run and give other rows: said in other words, or refused.

The translator knows the grammar of dialects. What it does not know is kept here, each difference in a function of its
own, and the facts in ``traits.toml``. A correction changes the parsed query in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.portable.formats import unsafe_format
from flowforge.portable.kinds import DATE, DECIMAL, DOUBLE, NUMBERS_WITH_FRACTIONS, TIMESTAMP, WHOLE, kind_of
from flowforge.portable.patterns import translated_pattern
from flowforge.portable.traits import Pair

if TYPE_CHECKING:
    from sqlglot import exp


class Refused(Exception):
    """A part of a query that would mean something else. Never leaves this room."""

    def __init__(self, text: str, help: str) -> None:
        super().__init__(text)
        self.text = text
        self.help = help


@attrs.frozen
class Doubt:
    """A part of a query that may mean something else, depending on what nobody knows here."""

    text: str
    node: exp.Expr


def correct(tree: exp.Expr, pair: Pair, refused: Callable[[Refused, exp.Expr], None]) -> list[Doubt]:
    """Change *tree* so that it means the same in the other dialect.

    Parameters
    ----------
    refused:
        Called with each part for which there are no such words.
    """
    doubts: list[Doubt] = []
    for node in reversed(list(tree.walk())):
        for rule in _RULES.get(type(node).__name__, ()):
            try:
                doubt = rule(node, pair)
            except Refused as refusal:
                refused(refusal, node)
                break
            if doubt:
                doubts.append(Doubt(doubt, node))
    return doubts


# -- numbers ----------------------------------------------------------------------------------------------------------


def _division(node: Any, pair: Pair) -> None:
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


def _round(node: Any, pair: Pair) -> None:
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


def _whole_cast(node: Any, pair: Pair) -> str | None:
    from sqlglot import exp

    if not pair.differs("cast_to_integer") or node.to.this not in exp.DataType.INTEGER_TYPES:
        return None
    kind, ours = kind_of(node.this, pair), pair.of_source("cast_to_integer")
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
    if ours == "away" and kind != DECIMAL:
        node.this.replace(exp.Round(this=exp.cast(node.this.copy(), "DECIMAL(38, 12)")))
    return None


def _decimal_cast(node: Any, pair: Pair) -> None:
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


def _greatest(node: Any, pair: Pair) -> None:
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


def _count_if(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if not pair.differs("count_if"):
        return
    condition = exp.Paren(this=node.this.copy())
    counted = exp.Case().when(condition, "1")
    if pair.of_source("count_if") == "sum":
        node.replace(exp.Sum(this=counted.when(exp.Not(this=condition.copy()), "0")))
    else:
        node.replace(exp.Count(this=counted))


def _spread(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if pair.differs("spread") and pair.of_source("spread") == "double":
        node.this.replace(exp.cast(node.this.copy(), "DOUBLE"))


# -- texts ------------------------------------------------------------------------------------------------------------


def _text_cast(node: Any, pair: Pair) -> None:
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


def _substring(node: Any, pair: Pair) -> str | None:
    start = node.args.get("start")
    if start is None or not pair.differs("substring"):
        return None
    if not start.is_int:
        return "a substring whose start is computed: one below 1 means something else"
    if start.to_py() < 1:
        raise Refused(
            f"a start below 1 means another part of the text in {pair.source} than in {pair.target}",
            "use left(...) or right(...)",
        )
    return None


def _pattern(node: Any, pair: Pair) -> str | None:
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


def _like(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    pattern = node.expression
    if not pair.differs("like_escape") or isinstance(node.parent, exp.Escape):
        return
    if pattern.is_string and "\\" not in pattern.this:
        return
    escape = exp.Literal.string("\\" if pair.of_source("like_escape") else "")
    node.replace(exp.Escape(this=node.copy(), expression=escape))


def _regex(node: Any, pair: Pair) -> None:
    if pair.differs("regex"):
        raise Refused(
            f"a pattern has to fit the {pair.of_source('regex')} text in {pair.source}, and not so in {pair.target}",
            "use LIKE, or write the model once for each engine: config(engines=[...])",
        )


def _similar(node: Any, pair: Pair) -> None:
    if pair.of_source("similar_to") is None or pair.differs("similar_to"):
        raise Refused("SIMILAR TO is another language of patterns in each dialect", "use LIKE")


def _formatted(node: Any, pair: Pair) -> None:
    raise Refused(
        "format() fills in its values another way in each dialect", "join the texts: a || '-' || cast(b as varchar)"
    )


# -- dates and times ----------------------------------------------------------------------------------------------------


def _second(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    unit = node.name.upper()
    if unit in ("WEEK", "DOW", "DAYOFWEEK"):
        _week(node, pair, unit)
        if unit != "WEEK":
            _weekday(node, pair)
    if unit not in ("SECOND", "MILLISECOND", "MILLISECONDS") or not pair.differs("second"):
        return
    if unit == "SECOND" and pair.of_source("second") == "whole":
        node.replace(exp.cast(exp.Floor(this=node.copy()), "BIGINT"))
    elif unit == "SECOND" and pair.of_target("microsecond") == "all":
        small = exp.Extract(this=exp.var("MICROSECOND"), expression=node.expression.copy())
        node.replace(exp.Paren(this=exp.Div(this=small, expression=exp.Literal.number("1000000.0"))))
    else:
        raise Refused(
            f"the part {unit.lower()} of a time has a fraction in {pair.source} or {pair.target}, and not in both",
            "take the microseconds, or the seconds",
        )


def _truncated(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    _week(node, pair, _unit(node))
    if pair.of_source("trunc") == "date" and type(node).__name__ == "DateTrunc":
        node.replace(exp.cast(node.copy(), "DATE"))
    elif pair.of_source("trunc") == "timestamp" and pair.of_target("trunc") == "zone":
        kind = kind_of(node.this, pair)
        if kind == DATE:
            node.this.replace(exp.cast(node.this.copy(), "TIMESTAMP"))
        elif kind != TIMESTAMP:  # a date becomes a timestamp by this, and everything else stays what it is
            nothing = exp.Interval(this=exp.Literal.string("0"), unit=exp.var("DAY"))
            inner = node.this if isinstance(node.this, exp.Column) else exp.Paren(this=node.this.copy())
            node.this.replace(exp.Add(this=inner.copy(), expression=nothing))


def _unit(node: Any) -> str:
    unit = node.args.get("unit")
    return "" if unit is None else "WEEK" if type(unit).__name__ == "WeekStart" else unit.name.upper()


def _week(node: Any, pair: Pair, unit: str) -> None:
    if unit.startswith("WEEK") and pair.differs("week"):
        raise Refused(
            f"a week begins on a {pair.of_source('week')} in {pair.source}, and on a {pair.of_target('week')}"
            f" in {pair.target}",
            "count in days",
        )


def _difference(node: Any, pair: Pair) -> None:
    unit = _unit(node)
    _week(node, pair, unit)
    if unit.startswith("WEEK") and pair.differs("weeks_between"):
        raise Refused(f"the weeks between two days are counted another way in {pair.target}", "count in days")


def _weekday(node: Any, pair: Pair) -> None:
    if pair.differs("day_numbers"):
        raise Refused(
            f"the days of a week have other numbers in {pair.source} than in {pair.target}",
            "write the model once for each engine: config(engines=[...])",
        )


def _added(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if pair.differs("date_add") and pair.of_source("date_add") == "date":
        node.replace(exp.cast(node.copy(), "DATE"))


def _by_format(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if not pair.differs("formats"):
        return
    unsafe = unsafe_format(node.args.get("format"))
    if unsafe is not None:
        raise Refused(
            f"{unsafe} means something else in {pair.target}",
            "use the parts year, month, day, hour, minute and second, with signs between them",
        )
    if isinstance(node, exp.StrToTime) and (pair.of_source("parsed_time"), pair.of_target("parsed_time")) == (
        "timestamp",
        "zone",
    ):
        node.replace(exp.cast(node.copy(), "TIMESTAMP"))


# -- queries ------------------------------------------------------------------------------------------------------------


def _try(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if pair.of_source("try_cast") == "implied" and pair.of_target("try_cast") != "implied":
        node.replace(exp.Cast(this=node.this.copy(), to=node.to.copy()))
    elif pair.of_target("try_cast") is False:
        raise Refused(
            f"{pair.target} has no cast that gives NULL for what it cannot read",
            "look first, in a CASE, and cast what is sure to fit",
        )


def _qualified(node: Any, pair: Pair) -> None:
    if node.args.get("qualify") is not None and pair.of_target("qualify") is False and node.is_star:
        raise Refused(
            f"{pair.target} has no QUALIFY, and in its place a * would give one column more", "name the columns"
        )


def _star(node: Any, pair: Pair) -> None:
    exceptions = any(node.args.get(key) for key in ("except_", "except", "replace", "rename"))
    if exceptions and pair.of_target("star_except") is False:
        raise Refused(f"{pair.target} has no * with exceptions", "name the columns")


def _unknown(node: Any, pair: Pair) -> None:
    from sqlglot import exp

    if node.name.lower() == "date_part" and len(node.expressions) == 2 and node.expressions[0].is_string:
        unit, value = node.expressions
        extract = exp.Extract(this=exp.var(unit.name.upper()), expression=value.copy())
        node.replace(extract)
        _second(extract, pair)
        return
    raise Refused(
        f"the function {node.name} of {pair.source} is not known to the translator",
        "write the model once for each engine, with config(engines=[...]), or find other words",
    )


Rule = Callable[[Any, Pair], str | None]

_RULES: Mapping[str, tuple[Rule, ...]] = {
    "Anonymous": (_unknown,),
    "AnonymousAggFunc": (_unknown,),
    "CombinedAggFunc": (_unknown,),
    "Div": (_division,),
    "Round": (_round,),
    "Greatest": (_greatest,),
    "Least": (_greatest,),
    "Cast": (_whole_cast, _decimal_cast, _text_cast),
    "TryCast": (_whole_cast, _decimal_cast, _text_cast, _try),
    "Substring": (_substring,),
    "RegexpLike": (_regex, _pattern),
    "RegexpReplace": (_pattern,),
    "Like": (_like,),
    "ILike": (_like,),
    "CountIf": (_count_if,),
    **dict.fromkeys(("Stddev", "StddevSamp", "StddevPop", "Variance", "VariancePop"), (_spread,)),
    "SimilarTo": (_similar,),
    "Format": (_formatted,),
    "Extract": (_second,),
    "DateTrunc": (_truncated,),
    "TimestampTrunc": (_truncated,),
    "DatetimeTrunc": (_truncated,),
    "DateDiff": (_difference,),
    "DatetimeDiff": (_difference,),
    "TimestampDiff": (_difference,),
    "TsOrDsDiff": (_difference,),
    "DayOfWeek": (_weekday,),
    "DateAdd": (_added,),
    "DateSub": (_added,),
    "TsOrDsAdd": (_added,),
    "TimeToStr": (_by_format,),
    "StrToTime": (_by_format,),
    "StrToDate": (_by_format,),
    "TsOrDsToDate": (_by_format,),
    "ParseDatetime": (_by_format,),
    "ToChar": (_by_format,),
    "Select": (_qualified,),
    "Star": (_star,),
}
