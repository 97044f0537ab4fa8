"""Dates and times that dialects count in another way.

Each function is a rule: it changes a part of a query in place, refuses it, or says what it cannot know.
"""

from __future__ import annotations

from typing import Any

from flowforge.portable.formats import unsafe_format
from flowforge.portable.kinds import DATE, TIMESTAMP, kind_of
from flowforge.portable.refusal import Refused
from flowforge.portable.traits import Pair


def part_of_time(node: Any, pair: Pair) -> None:
    """EXTRACT: weeks, days of weeks, and parts with fractions."""
    from sqlglot import exp

    unit = node.name.upper()
    if unit in ("WEEK", "DOW", "DAYOFWEEK"):
        week(node, pair, unit)
        if unit != "WEEK":
            weekday(node, pair)
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


def truncated(node: Any, pair: Pair) -> None:
    """A truncated date is a date, or a timestamp of one of two kinds."""
    from sqlglot import exp

    week(node, pair, _unit(node))
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


def week(node: Any, pair: Pair, unit: str) -> None:
    """Refuse weeks that begin on another day."""
    if unit.startswith("WEEK") and pair.differs("week"):
        raise Refused(
            f"a week begins on a {pair.of_source('week')} in {pair.source}, and on a {pair.of_target('week')}"
            f" in {pair.target}",
            "count in days",
        )


def difference(node: Any, pair: Pair) -> None:
    """The weeks between two days."""
    unit = _unit(node)
    week(node, pair, unit)
    if unit.startswith("WEEK") and pair.differs("weeks_between"):
        raise Refused(f"the weeks between two days are counted another way in {pair.target}", "count in days")


def weekday(node: Any, pair: Pair) -> None:
    """Numbers of days of a week."""
    if pair.differs("day_numbers"):
        raise Refused(
            f"the days of a week have other numbers in {pair.source} than in {pair.target}",
            "write the model once for each engine: config(engines=[...])",
        )


def added(node: Any, pair: Pair) -> None:
    """A date to which days are added stays a date, or does not."""
    from sqlglot import exp

    if pair.differs("date_add") and pair.of_source("date_add") == "date":
        node.replace(exp.cast(node.copy(), "DATE"))


def zoned(node: Any, pair: Pair) -> None:
    """AT TIME ZONE, which tells by the type of its value which way it goes; a text of SQL does not know that type."""
    if pair.differs("at_time_zone") and pair.of_source("at_time_zone") == "either":
        raise Refused(
            f"AT TIME ZONE makes a time without zone of a moment, and the other way round; {pair.target} has a function"
            " for each, and which one is meant depends on the type of the value",
            "write the model once for each engine: config(engines=[...])",
        )


def by_format(node: Any, pair: Pair) -> None:
    """Formats, and what a text becomes by them."""
    from sqlglot import exp

    if not pair.differs("formats"):
        return
    unsafe = unsafe_format(node.args.get("format"))
    if unsafe is not None:
        raise Refused(
            f"{unsafe} would mean something else in {pair.target}",
            "use the parts year, month, day, hour, minute and second, with signs between them",
        )
    if isinstance(node, exp.StrToTime) and (pair.of_source("parsed_time"), pair.of_target("parsed_time")) == (
        "timestamp",
        "zone",
    ):
        node.replace(exp.cast(node.copy(), "TIMESTAMP"))
