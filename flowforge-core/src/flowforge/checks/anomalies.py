"""Built-in checks that compare one number of a relation with what earlier runs measured.

Knows the contract and :mod:`flowforge.checks.usual` only. Few earlier numbers say nothing of what is usual: until there
are enough of them, the check passes and says that it is learning.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable
from typing import Any, Literal

import attrs

from flowforge.checks.expressions import one_expression
from flowforge.checks.parameters import above_zero, finite
from flowforge.checks.usual import usual
from flowforge.contract import CheckContext, CheckSpec, Past, Weighed
from flowforge.errors import CheckConfigError
from flowforge.frozen import frozen

LONGEST = 365
"""The longest window: not many more results of a check are kept."""

Measure = Literal["mean", "stddev", "min", "max", "null_fraction", "distinct_count", "sum"]

_NAMES = {
    "mean": "mean",
    "stddev": "standard deviation",
    "min": "least value",
    "max": "greatest value",
    "null_fraction": "share of NULLs",
    "distinct_count": "number of distinct values",
    "sum": "sum",
}


@frozen(kw_only=True)
class AnomalyParams:
    """How far from the usual is too far. *where*: only these rows; a condition in the engine's own SQL.

    *max_z* is the greatest good distance from the median of earlier results, in robust standard deviations. *window* is
    how many earlier results count, *min_history* how many there have to be, *since* the day (UTC) before which none
    counts. *direction*: too high (``up``) or too low (``down``) only.
    """

    where: str | None = attrs.field(default=None, validator=one_expression)
    max_z: int | float = attrs.field(
        default=3.5, validator=[finite, above_zero], metadata={"aliases": ("sensitivity",)}
    )
    min_history: int = attrs.field(default=7)
    window: int = attrs.field(default=30)
    direction: Literal["both", "up", "down"] = "both"
    since: dt.date | None = None

    @min_history.validator
    def _enough(self, _attribute: Any, value: int) -> None:
        if value < 2:
            raise ValueError("it must be at least 2: one result does not say what is usual")

    @window.validator
    def _long_enough(self, _attribute: Any, value: int) -> None:
        if value > LONGEST:
            raise ValueError(f"it can be at most {LONGEST}, as not many more results are kept")
        if value < self.min_history:
            raise ValueError(f"it is below min_history, which is {self.min_history}, so the check would learn for ever")


@frozen(kw_only=True)
class DistributionParams(AnomalyParams):
    """*measure* is the number of the *column* that is watched; the rest as in ``volume_anomaly``."""

    column: str
    measure: Measure


def _rows(ctx: CheckContext) -> str:
    where = ctx.params.where
    return "COUNT(*)" if where is None else f"COUNT(CASE WHEN {where} THEN 1 END)"


def _measured(ctx: CheckContext) -> str:
    column, where = ctx.column(ctx.params.column), ctx.params.where
    value = column if where is None else f"CASE WHEN {where} THEN {column} END"
    match ctx.params.measure:
        case "mean":
            return f"AVG({value})"
        case "stddev":
            return f"STDDEV_SAMP({value})"
        case "null_fraction":
            # 1e0 is a floating point number everywhere: an engine may round the mean of decimals.
            share = f"CASE WHEN {column} IS NULL THEN 1e0 ELSE 0e0 END"
            return f"AVG({share if where is None else f'CASE WHEN {where} THEN {share} END'})"
        case "distinct_count":
            return f"COUNT(DISTINCT {value})"
        case word:
            return f"{word.upper()}({value})"


def _weigh(params: AnomalyParams, value: Any, past: Past, words: Callable[[float], str]) -> Weighed:
    """Judge *value*; *words* say it in a failure."""
    if isinstance(value, bool) or not isinstance(value, (int, float, decimal.Decimal, type(None))):
        raise CheckConfigError(
            f"what it measures is of the type {type(value).__name__}, and only numbers can be compared with what is usual",
            code="FF3081",
            help="watch a column of numbers; `null_fraction` and `distinct_count` take any column",
        )
    number = None if value is None else _float(value)
    if number is not None and not math.isfinite(number):
        return Weighed(f"{words(number)}, which is no number that can be compared with what is usual")
    numbers = past(params.window, params.since)
    if len(numbers) < params.min_history:
        known = len(numbers) + (number is not None)
        none = "" if number is not None else ", there was no value"
        return Weighed(remark=f"learning ({known} of {params.min_history}){none}")
    seen = usual(numbers)
    low, high = seen.reach(params.max_z)
    told = f"usual is {_around(low, high, params.direction)} ({len(numbers)} earlier results)"
    if number is None:
        return Weighed(f"has no value, {told}")
    distance = seen.distance(number)
    wrong = {"up": distance > params.max_z, "down": distance < -params.max_z}
    for direction, word in (("up", "high"), ("down", "low")):
        if wrong[direction] and params.direction in (direction, "both"):
            return Weighed(f"{words(number)}, which is unusually {word}: {told}")
    return Weighed()


def _float(value: int | float | decimal.Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _around(low: float, high: float, direction: str) -> str:
    if direction == "up":
        return f"at most {shown(high)}"
    if direction == "down":
        return f"at least {shown(low)}"
    return f"{shown(low)} to {shown(high)}" if low != high else shown(low)


def shown(number: float) -> str:
    """A number for people: not more digits than say something."""
    if not math.isfinite(number):
        return str(number)
    if number.is_integer() and abs(number) < 1e15:
        return f"{number:,.0f}"
    return f"{number:,.1f}" if 1_000 <= abs(number) < 1e15 else f"{number:.4g}"


def _weigh_rows(params: AnomalyParams, value: Any, past: Past) -> Weighed:
    return _weigh(params, value, past, lambda number: f"has {shown(number)} {'row' if number == 1 else 'rows'}")


def _weigh_column(params: DistributionParams, value: Any, past: Past) -> Weighed:
    name = _NAMES[params.measure]
    return _weigh(params, value, past, lambda number: f"has the {name} {shown(number)}")


VOLUME_ANOMALY = CheckSpec(
    name="volume_anomaly",
    summary="There are not unusually many or few rows, compared with earlier runs.",
    params=AnomalyParams,
    measure=_rows,
    weigh=_weigh_rows,
)
DISTRIBUTION_ANOMALY = CheckSpec(
    name="distribution_anomaly",
    summary="A number of a column (`mean`, `stddev`, `min`, `max`, `sum`, `null_fraction`, `distinct_count`) is not "
    "unusual, compared with earlier runs.",
    params=DistributionParams,
    measure=_measured,
    weigh=_weigh_column,
)

ANOMALIES: tuple[CheckSpec, ...] = (VOLUME_ANOMALY, DISTRIBUTION_ANOMALY)
