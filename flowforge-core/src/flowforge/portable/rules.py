"""Where a translated query would run and give other rows: said in other words, or refused.

The translator knows the grammar of dialects. What it does not know is kept here, each difference in a function of its
own, and the facts in ``traits.toml``. A correction changes the parsed query in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flowforge.frozen import frozen
from flowforge.portable import numbers, queries, texts, times
from flowforge.portable.refusal import Refused
from flowforge.portable.traits import Pair

if TYPE_CHECKING:
    from sqlglot import exp


@frozen
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


Rule = Callable[[Any, Pair], str | None]

_RULES: Mapping[str, tuple[Rule, ...]] = {
    "Anonymous": (queries.unknown,),
    "AnonymousAggFunc": (queries.unknown,),
    "CombinedAggFunc": (queries.unknown,),
    "Div": (numbers.division,),
    "Round": (numbers.rounding,),
    "Greatest": (numbers.greatest,),
    "Least": (numbers.greatest,),
    "Cast": (numbers.whole_cast, numbers.decimal_cast, numbers.digits, texts.text_cast),
    "TryCast": (numbers.whole_cast, numbers.decimal_cast, numbers.digits, texts.text_cast, queries.try_cast),
    "Substring": (texts.substring,),
    "Trim": (texts.trim,),
    "Concat": (texts.concat,),
    "Is": (queries.is_true,),
    "RegexpLike": (texts.regex, texts.pattern),
    "RegexpReplace": (texts.pattern,),
    "Like": (texts.like,),
    "ILike": (texts.like,),
    "CountIf": (numbers.count_if,),
    **dict.fromkeys(("Stddev", "StddevSamp", "StddevPop", "Variance", "VariancePop"), (numbers.spread,)),
    "SimilarTo": (texts.similar,),
    "Format": (texts.formatted,),
    "Extract": (times.part_of_time,),
    "DateTrunc": (times.truncated,),
    "TimestampTrunc": (times.truncated,),
    "DatetimeTrunc": (times.truncated,),
    "DateDiff": (times.difference,),
    "DatetimeDiff": (times.difference,),
    "TimestampDiff": (times.difference,),
    "TsOrDsDiff": (times.difference,),
    "DayOfWeek": (times.weekday,),
    "AtTimeZone": (times.zoned,),
    "DateAdd": (times.added,),
    "DateSub": (times.added,),
    "TsOrDsAdd": (times.added,),
    "TimeToStr": (times.by_format,),
    "StrToTime": (times.by_format,),
    "StrToDate": (times.by_format,),
    "TsOrDsToDate": (times.by_format,),
    "ParseDatetime": (times.by_format,),
    "ToChar": (times.by_format,),
    "Select": (queries.qualified,),
    "Star": (queries.star,),
}
