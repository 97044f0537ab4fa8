"""The checks that every project can use.

Knows the contract only: each check is a class of parameters and a few functions that write one SQL expression or
judge one value. The text of a failure follows the checked table or column: ``users.id`` *has 1 duplicate*.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import attrs

from flowforge.checks.expressions import one_expression
from flowforge.contract import CheckContext, CheckSpec


def _finite(_instance: Any, _attribute: Any, value: Any) -> None:
    if value is not None and not math.isfinite(value):
        raise ValueError("it must be a finite number")


def _at_least_zero(_instance: Any, _attribute: Any, value: Any) -> None:
    if value is not None and value < 0:
        raise ValueError("it cannot be negative")


@attrs.frozen(kw_only=True)
class ColumnParams:
    """A check of one column."""

    column: str


@attrs.frozen(kw_only=True)
class FilteredParams(ColumnParams):
    """A check of one column, on the rows for which *where* is true; a condition in the engine's own SQL."""

    where: str | None = attrs.field(default=None, validator=one_expression)


@attrs.frozen(kw_only=True)
class GreaterEqualParams(FilteredParams):
    """*threshold* is the smallest value that is good."""

    threshold: int | float = attrs.field(default=0, validator=_finite)


@attrs.frozen(kw_only=True)
class RowCountParams:
    """The least and the greatest good number of rows; without *max_rows* there is no upper limit."""

    min_rows: int = attrs.field(default=1, validator=_at_least_zero, metadata={"aliases": ("min",)})
    max_rows: int | None = attrs.field(default=None, validator=_at_least_zero, metadata={"aliases": ("max",)})

    @max_rows.validator
    def _not_below_min(self, _attribute: Any, value: int | None) -> None:
        if value is not None and value < self.min_rows:
            raise ValueError(f"it is below min_rows, which is {self.min_rows}")


@attrs.frozen(kw_only=True)
class FreshnessParams(ColumnParams):
    """*max_delay_minutes* is the greatest good age of the newest value, in minutes."""

    max_delay_minutes: int | float = attrs.field(validator=[_finite, _at_least_zero])


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _and_where(ctx: CheckContext, condition: str) -> str:
    where = ctx.params.where
    return condition if where is None else f"({where}) AND ({condition})"


def _is_null(ctx: CheckContext) -> str:
    return _and_where(ctx, f"{ctx.column(ctx.params.column)} IS NULL")


def _shares_its_value(ctx: CheckContext) -> str:
    column, where = ctx.column(ctx.params.column), ctx.params.where
    counted = "*" if where is None else f"CASE WHEN {where} THEN 1 END"
    return _and_where(ctx, f"COUNT({counted}) OVER (PARTITION BY {column}) > 1")


def _is_second_of_its_value(ctx: CheckContext) -> str:
    column, where = ctx.column(ctx.params.column), ctx.params.where
    groups = column if where is None else f"{column}, CASE WHEN {where} THEN 1 ELSE 0 END"
    return _and_where(ctx, f"ROW_NUMBER() OVER (PARTITION BY {groups} ORDER BY {column}) = 2")


def _is_below(ctx: CheckContext) -> str:
    return _and_where(ctx, f"{ctx.column(ctx.params.column)} < {ctx.literal(ctx.params.threshold)}")


def _judge_sum(_params: ColumnParams, value: Any, _now: dt.datetime) -> str | None:
    # Written so that NaN, which compares with nothing, fails.
    return None if value is None or value >= 0 else f"sums up to {value}"


def _judge_row_count(params: RowCountParams, value: Any, _now: dt.datetime) -> str | None:
    rows = int(value)
    if rows < params.min_rows:
        return f"has {_number(rows, 'row')}, expected at least {params.min_rows}"
    if params.max_rows is not None and rows > params.max_rows:
        return f"has {_number(rows, 'row')}, expected at most {params.max_rows}"
    return None


def _utc_text(text: str) -> Any:
    """A time that an engine without such a type keeps as ISO text in UTC; the greatest text is then the newest."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if not moment.utcoffset() else text


def _judge_freshness(params: FreshnessParams, value: Any, now: dt.datetime) -> str | None:
    if value is None:
        return "has no rows with a value"
    if isinstance(value, str):
        value = _utc_text(value)
    if isinstance(value, dt.datetime):
        newest = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    elif isinstance(value, dt.date):
        newest = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    else:
        kind = "text" if isinstance(value, str) else type(value).__name__
        return f"holds {kind}, no dates or timestamps, so its age is not known"
    minutes = (now - newest).total_seconds() / 60
    if minutes <= params.max_delay_minutes:
        return None
    shown = math.ceil(minutes * 10) / 10  # rounded up, so that it never looks like the limit itself
    return f"is {shown:.10g} minutes old, {params.max_delay_minutes:.10g} are allowed"


NOT_NULL = CheckSpec(
    name="not_null",
    summary="No value is NULL.",
    params=FilteredParams,
    violation=_is_null,
    message=lambda _, count: f"has {_number(count, 'NULL')}",
)
UNIQUE = CheckSpec(
    name="unique",
    summary="No value is there twice; NULLs count as one value.",
    params=FilteredParams,
    violation=_shares_its_value,
    tally=_is_second_of_its_value,
    message=lambda _, count: f"has {_number(count, 'duplicate')}",
)
GREATER_EQUAL = CheckSpec(
    name="greater_equal",
    summary="No value is below a threshold; NULL is good.",
    params=GreaterEqualParams,
    violation=_is_below,
    message=lambda params, count: f"has {_number(count, 'value')} below {params.threshold}",
)
NON_NEGATIVE_SUM = CheckSpec(
    name="non_negative_sum",
    summary="The sum of all values is not negative; no values are good.",
    params=ColumnParams,
    measure=lambda ctx: f"SUM({ctx.column(ctx.params.column)})",
    judge=_judge_sum,
)
ROW_COUNT_BETWEEN = CheckSpec(
    name="row_count_between",
    summary="There are neither too few nor too many rows.",
    params=RowCountParams,
    measure=lambda _: "COUNT(*)",
    judge=_judge_row_count,
)
FRESHNESS = CheckSpec(
    name="freshness",
    summary="The newest value is not older than a number of minutes; times without a zone are UTC.",
    params=FreshnessParams,
    measure=lambda ctx: f"MAX({ctx.column(ctx.params.column)})",
    judge=_judge_freshness,
)

CHECKS: tuple[CheckSpec, ...] = (NOT_NULL, UNIQUE, GREATER_EQUAL, NON_NEGATIVE_SUM, ROW_COUNT_BETWEEN, FRESHNESS)
"""Offered by the core's own plugin."""
