"""Built-in checks that look at rows: each is a condition, and the rows for which it is true fail.

Knows the contract only. The text of a failure follows the checked table or column: ``users.id`` *has 1 duplicate*.
"""

from __future__ import annotations

from typing import Any

from flowforge.checks.parameters import (
    ExpressionParams,
    FilteredParams,
    GapParams,
    GreaterEqualParams,
    RangeParams,
    RegexParams,
    UniqueParams,
    ValuesParams,
)
from flowforge.contract import CheckContext, CheckSpec


def number(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _and_where(ctx: CheckContext, condition: str) -> str:
    where = ctx.params.where
    return condition if where is None else f"({where}) AND ({condition})"


def _split_by_where(ctx: CheckContext) -> str:
    """For windows: what is looked at and what is left out are apart."""
    where = ctx.params.where
    return "" if where is None else f"CASE WHEN {where} THEN 1 ELSE 0 END"


def _is_null(ctx: CheckContext) -> str:
    return _and_where(ctx, f"{ctx.column(ctx.params.column)} IS NULL")


def _columns(ctx: CheckContext) -> str:
    return ", ".join(ctx.column(name) for name in ctx.params.names)


def _shares_its_value(ctx: CheckContext) -> str:
    where = ctx.params.where
    counted = "*" if where is None else f"CASE WHEN {where} THEN 1 END"
    return _and_where(ctx, f"COUNT({counted}) OVER (PARTITION BY {_columns(ctx)}) > 1")


def _is_second_of_its_value(ctx: CheckContext) -> str:
    columns = _columns(ctx)
    groups = ", ".join(part for part in (columns, _split_by_where(ctx)) if part)
    return _and_where(ctx, f"ROW_NUMBER() OVER (PARTITION BY {groups} ORDER BY {columns}) = 2")


def _duplicates(params: UniqueParams, count: int) -> str:
    together = f" of ({', '.join(params.columns)})" if params.columns else ""
    return f"has {number(count, 'duplicate')}{together}"


def _is_one_of(ctx: CheckContext) -> str:
    return f"{ctx.column(ctx.params.column)} IN ({', '.join(map(ctx.literal, ctx.params.values))})"


def _is_below(ctx: CheckContext) -> str:
    return _and_where(ctx, f"{ctx.column(ctx.params.column)} < {ctx.literal(ctx.params.threshold)}")


def _is_outside(ctx: CheckContext) -> str:
    params, column = ctx.params, ctx.column(ctx.params.column)
    equal = "" if params.inclusive else "="
    parts = [
        f"{column} {sign}{equal} {ctx.literal(bound)}"
        for sign, bound in (("<", params.min), (">", params.max))
        if bound is not None
    ]
    return _and_where(ctx, " OR ".join(parts))


def _outside(params: RangeParams, count: int) -> str:
    low, high = (str(bound) if bound is not None else "" for bound in (params.min, params.max))
    if low and high:
        ends = "" if params.inclusive else ", ends excluded"
        return f"has {number(count, 'value')} outside of {low} to {high}{ends}"
    below, above = ("below", "above") if params.inclusive else ("not above", "not below")
    return f"has {number(count, 'value')} {f'{below} {low}' if low else f'{above} {high}'}"


def _does_not_match(ctx: CheckContext) -> str:
    column = ctx.column(ctx.params.column)
    matches = ctx.dialect.regex_match(column, f"^(?:{ctx.params.pattern})")
    return _and_where(ctx, f"{column} IS NOT NULL AND NOT ({matches})")


def _is_after_a_gap(ctx: CheckContext) -> str:
    column, split = ctx.column(ctx.params.column), _split_by_where(ctx)
    apart = f"PARTITION BY CASE WHEN {column} IS NULL THEN 1 ELSE 0 END{', ' + split if split else ''} "
    distance = f"{column} - LAG({column}) OVER ({apart}ORDER BY {column})"
    return _and_where(ctx, f"{distance} > {ctx.literal(ctx.params.step)}")


def _values(one: str, many: str | None = None) -> Any:
    """Words that follow the number of values; *many* where they differ."""

    def message(params: Any, count: int) -> str:
        words = one if count == 1 or many is None else many
        return f"has {number(count, 'value')} {words.format(params=params)}"

    return message


NOT_NULL = CheckSpec(
    name="not_null",
    summary="No value is NULL.",
    params=FilteredParams,
    violation=_is_null,
    message=lambda _, count: f"has {number(count, 'NULL')}",
)
UNIQUE = CheckSpec(
    name="unique",
    summary="No value, or no combination of the values of several columns, is there twice; NULLs count as one value.",
    params=UniqueParams,
    violation=_shares_its_value,
    tally=_is_second_of_its_value,
    message=_duplicates,
)
ACCEPTED_VALUES = CheckSpec(
    name="accepted_values",
    summary="Each value is one of a list; NULL is good.",
    params=ValuesParams,
    violation=lambda ctx: _and_where(ctx, f"NOT ({_is_one_of(ctx)})"),
    message=_values("that is not accepted", "that are not accepted"),
)
REJECTED_VALUES = CheckSpec(
    name="not_accepted_values",
    summary="No value is one of a list.",
    params=ValuesParams,
    violation=lambda ctx: _and_where(ctx, _is_one_of(ctx)),
    message=_values("that is not accepted", "that are not accepted"),
)
GREATER_EQUAL = CheckSpec(
    name="greater_equal",
    summary="No value is below a threshold; NULL is good.",
    params=GreaterEqualParams,
    violation=_is_below,
    message=_values("below {params.threshold}"),
)
BETWEEN = CheckSpec(
    name="between",
    summary="No value is below a minimum or above a maximum; NULL is good.",
    params=RangeParams,
    violation=_is_outside,
    message=_outside,
)
ACCEPTED_RANGE = CheckSpec(
    name="accepted_range",
    summary="Another name of `between`.",
    params=RangeParams,
    violation=_is_outside,
    message=_outside,
)
REGEX_MATCH = CheckSpec(
    name="regex_match",
    summary="Each value matches a regular expression from its first character on; NULL is good.",
    params=RegexParams,
    violation=_does_not_match,
    message=_values("that does not match {params.pattern}", "that do not match {params.pattern}"),
)
EXPRESSION = CheckSpec(
    name="expression",
    summary="A condition in SQL is false for no row; NULL is good.",
    params=ExpressionParams,
    violation=lambda ctx: _and_where(ctx, f"NOT ({ctx.params.expression})"),
    message=lambda params, count: f"has {number(count, 'row')} for which this is false: {params.expression}",
)
NO_GAPS = CheckSpec(
    name="no_gaps",
    summary="No value is further from the one before than a step; numbers, and dates where a distance is in days.",
    params=GapParams,
    violation=_is_after_a_gap,
    separable=False,  # what is wrong is the row that is not there
    message=lambda params, count: f"has {number(count, 'gap')} of more than {params.step}",
)

ROW_CHECKS: tuple[CheckSpec, ...] = (
    NOT_NULL,
    UNIQUE,
    ACCEPTED_VALUES,
    REJECTED_VALUES,
    GREATER_EQUAL,
    BETWEEN,
    ACCEPTED_RANGE,
    REGEX_MATCH,
    EXPRESSION,
    NO_GAPS,
)
