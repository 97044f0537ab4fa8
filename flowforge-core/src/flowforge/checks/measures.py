"""Built-in checks that judge one number of a whole relation.

Knows the contract only. The text of a failure follows the checked table or column: ``users.id`` *sums up to -3*.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from flowforge.checks.parameters import FilteredParams, FreshnessParams, RowCountParams, WhereParams
from flowforge.checks.row_checks import number
from flowforge.contract import CheckContext, CheckSpec


def _value(ctx: CheckContext) -> str:
    """The column's value where the row counts, else NULL."""
    column, where = ctx.column(ctx.params.column), ctx.params.where
    return column if where is None else f"CASE WHEN {where} THEN {column} END"


def _rows(ctx: CheckContext) -> str:
    where = ctx.params.where
    return "COUNT(*)" if where is None else f"COUNT(CASE WHEN {where} THEN 1 END)"


def _judge_sum(_params: Any, value: Any, _now: dt.datetime) -> str | None:
    # Written so that NaN, which compares with nothing, fails.
    return None if value is None or value >= 0 else f"sums up to {value}"


def _judge_row_count(params: RowCountParams, value: Any, _now: dt.datetime) -> str | None:
    rows = int(value)
    if rows < params.min_rows:
        return f"has {number(rows, 'row')}, expected at least {params.min_rows}"
    if params.max_rows is not None and rows > params.max_rows:
        return f"has {number(rows, 'row')}, expected at most {params.max_rows}"
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


NON_NEGATIVE_SUM = CheckSpec(
    name="non_negative_sum",
    summary="The sum of all values is not negative; no values are good.",
    params=FilteredParams,
    measure=lambda ctx: f"SUM({_value(ctx)})",
    judge=_judge_sum,
)
ROW_COUNT_BETWEEN = CheckSpec(
    name="row_count_between",
    summary="There are neither too few nor too many rows.",
    params=RowCountParams,
    measure=_rows,
    judge=_judge_row_count,
)
NOT_EMPTY = CheckSpec(
    name="not_empty",
    summary="There is at least one row.",
    params=WhereParams,
    measure=_rows,
    judge=lambda _params, value, _now: None if int(value) else "has no rows",
)
AT_LEAST_ONE = CheckSpec(
    name="at_least_one",
    summary="At least one value is not NULL.",
    params=FilteredParams,
    measure=lambda ctx: f"COUNT({_value(ctx)})",
    judge=lambda _params, value, _now: None if int(value) else "has no value",
)
FRESHNESS = CheckSpec(
    name="freshness",
    summary="The newest value is not older than a number of minutes; times without a zone are UTC.",
    params=FreshnessParams,
    measure=lambda ctx: f"MAX({_value(ctx)})",
    judge=_judge_freshness,
)

MEASURES: tuple[CheckSpec, ...] = (NON_NEGATIVE_SUM, ROW_COUNT_BETWEEN, NOT_EMPTY, AT_LEAST_ONE, FRESHNESS)
