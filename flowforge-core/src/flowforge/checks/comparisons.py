"""Built-in checks that read more than one table: keys that point somewhere, and two sides that should agree.

Knows the contract only. Aliases begin with ``ff_``, so that conditions of a project do not meet them.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.checks.expressions import one_expression
from flowforge.checks.parameters import WhereParams, at_least_zero, finite, some_columns
from flowforge.checks.row_checks import number
from flowforge.config.check_entries import as_tuple
from flowforge.contract import CheckContext, CheckSpec
from flowforge.frozen import frozen


@frozen(kw_only=True)
class RelationshipsParams(WhereParams):
    """Every value of the column stands in *to_field* of the table *to*, among the rows that *to_where* allows."""

    column: str = attrs.field(metadata={"aliases": ("field",)})
    to: str
    to_field: str = attrs.field(default="id", metadata={"aliases": ("field_to",)})
    to_where: str | None = attrs.field(default=None, validator=one_expression)


@frozen(kw_only=True)
class RowCountOfParams(WhereParams):
    """*to* is the table that has to have as many rows."""

    to: str = attrs.field(metadata={"aliases": ("compare_model",)})
    to_where: str | None = attrs.field(default=None, validator=one_expression)


@frozen(kw_only=True)
class Side:
    """One number: the aggregate *expr* over the rows of *table*."""

    table: str
    expr: str = attrs.field(validator=one_expression)
    where: str | None = attrs.field(default=None, validator=one_expression)


@frozen(kw_only=True)
class Keys:
    """The values of *key*, one column or several, in the rows of *table*."""

    table: str
    key: tuple[str, ...] = attrs.field(
        converter=as_tuple,
        validator=some_columns,
        metadata={"accepts": str | tuple[str, ...], "aliases": ("keys",)},
    )
    where: str | None = attrs.field(default=None, validator=one_expression)


@frozen(kw_only=True)
class Rows:
    """Rows of *table*."""

    table: str
    where: str | None = attrs.field(default=None, validator=one_expression)


def _tolerance() -> Any:
    return attrs.field(default=0, validator=[finite, at_least_zero])


@frozen(kw_only=True)
class EqualParams:
    """Two numbers may differ by *abs_tolerance*, or by *rel_tolerance_pct* percent of the greater one."""

    left: Side
    right: Side
    abs_tolerance: int | float = _tolerance()
    rel_tolerance_pct: int | float = _tolerance()


@frozen(kw_only=True)
class RatioParams:
    """The left number divided by the right one has to lie between *min_ratio* and *max_ratio*."""

    left: Side
    right: Side
    min_ratio: int | float = attrs.field(validator=finite)
    max_ratio: int | float = attrs.field(validator=finite)

    @max_ratio.validator
    def _in_order(self, _attribute: Any, value: float) -> None:
        if value < self.min_ratio:
            raise ValueError(f"it is below min_ratio, which is {self.min_ratio}")


@frozen(kw_only=True)
class DifferenceParams:
    """Two numbers may differ by *max_abs_diff*."""

    left: Side
    right: Side
    max_abs_diff: int | float = attrs.field(validator=[finite, at_least_zero])


@frozen(kw_only=True)
class CoverageParams:
    """Every key of *source* stands in *target*."""

    source: Keys
    target: Keys = attrs.field()

    @target.validator
    def _as_many(self, _attribute: Any, value: Keys) -> None:
        if len(value.key) != len(self.source.key):
            raise ValueError(f"its key has {len(value.key)} columns, and that of source {len(self.source.key)}")


@frozen(kw_only=True)
class SameRowsParams:
    """Both sides hold the same rows, counted as often, as far as *columns* go."""

    left: Rows
    right: Rows
    columns: tuple[str, ...] = attrs.field(validator=some_columns)

    @columns.validator
    def _any(self, _attribute: Any, value: tuple[str, ...]) -> None:
        if not value:
            raise ValueError("it is empty, so nothing would be compared")


def _from(table: str, where: str | None) -> str:
    """Rows behind ``FROM``, without an alias."""
    return table if where is None else f"(SELECT * FROM {table} AS ff_all WHERE {where})"


def _is_orphan(ctx: CheckContext) -> str:
    params = ctx.params
    column, key = ctx.column(params.column), ctx.column(params.to_field)
    keys = f"SELECT DISTINCT {key} AS ff_key FROM {_from(ctx.table(params.to), params.to_where)} AS ff_parents"
    return (
        f"SELECT ff_rows.* FROM {_from(ctx.relation, params.where)} AS ff_rows LEFT JOIN ({keys}) AS ff_keys "
        f"ON ff_rows.{column} = ff_keys.ff_key WHERE ff_rows.{column} IS NOT NULL AND ff_keys.ff_key IS NULL"
    )


def _has_no_parent(ctx: CheckContext) -> str:
    """The same as a condition on a row; the keys have another name, so that the row's column is meant."""
    params = ctx.params
    column, key = ctx.column(params.column), ctx.column(params.to_field)
    keys = f"SELECT ff_parents.{key} AS ff_key FROM {_from(ctx.table(params.to), params.to_where)} AS ff_parents"
    orphan = f"{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ({keys}) AS ff_keys WHERE ff_keys.ff_key = {column})"
    return orphan if params.where is None else f"({params.where}) AND {orphan}"


def _uncovered(ctx: CheckContext) -> str:
    source, target = ctx.params.source, ctx.params.target
    mine = [ctx.column(name) for name in source.key]
    theirs = ", ".join(f"{ctx.column(name)} AS ff_k{index}" for index, name in enumerate(target.key))
    keys = f"SELECT DISTINCT {theirs}, 1 AS ff_there FROM {_from(ctx.table(target.table), target.where)} AS ff_target"
    on = " AND ".join(f"ff_source.{name} = ff_keys.ff_k{index}" for index, name in enumerate(mine))
    known = " AND ".join(f"ff_source.{name} IS NOT NULL" for name in mine)
    columns = ", ".join(f"ff_source.{name}" for name in mine)
    return (
        f"SELECT DISTINCT {columns} FROM {_from(ctx.table(source.table), source.where)} AS ff_source "
        f"LEFT JOIN ({keys}) AS ff_keys ON {on} WHERE {known} AND ff_keys.ff_there IS NULL"
    )


def _different_rows(ctx: CheckContext) -> str:
    params = ctx.params
    columns = ", ".join(ctx.column(name) for name in params.columns)
    parts = [
        f"SELECT {columns}, {left} AS ff_left, {right} AS ff_right FROM {_from(ctx.table(side.table), side.where)} AS ff_s"
        for side, left, right in ((params.left, 1, 0), (params.right, 0, 1))
    ]
    return (
        f"SELECT {columns}, SUM(ff_left) AS in_left, SUM(ff_right) AS in_right FROM ({' UNION ALL '.join(parts)}) "
        f"AS ff_both GROUP BY {columns} HAVING SUM(ff_left) <> SUM(ff_right)"
    )


def _both_numbers(ctx: CheckContext) -> str:
    left, right = (
        f"(SELECT {side.expr} AS ff_value FROM {_from(ctx.table(side.table), side.where)} AS ff_side)"
        for side in (ctx.params.left, ctx.params.right)
    )
    return f"SELECT ff_l.ff_value AS ff_left, ff_r.ff_value AS ff_right FROM {left} AS ff_l CROSS JOIN {right} AS ff_r"


def _both_counts(ctx: CheckContext) -> str:
    here, there = (
        f"(SELECT COUNT(*) AS ff_value FROM {_from(table, where)} AS ff_side)"
        for table, where in ((ctx.relation, ctx.params.where), (ctx.table(ctx.params.to), ctx.params.to_where))
    )
    return f"SELECT ff_l.ff_value AS ff_left, ff_r.ff_value AS ff_right FROM {here} AS ff_l CROSS JOIN {there} AS ff_r"


def _sides(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """The two values, exact and of one kind where they are numbers."""
    left, right = (value for _, value in sorted((name.lower(), value) for name, value in row.items()))
    if isinstance(left, decimal.Decimal) or isinstance(right, decimal.Decimal):
        left, right = (
            decimal.Decimal(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            for value in (left, right)
        )
    return left, right


def _distance(left: Any, right: Any) -> Any:
    """How far two numbers are apart; ``None`` when they are no numbers."""
    numbers = all(isinstance(one, int | float | decimal.Decimal) and not isinstance(one, bool) for one in (left, right))
    return abs(left - right) if numbers else None


def _missing_side(left: Any, right: Any) -> str | None:
    if left is not None and right is not None:
        return None
    both = left is None and right is None
    return f"compares {'NULL with NULL' if both else f'NULL with {right}' if left is None else f'{left} with NULL'}"


def _judge_equal(params: EqualParams, row: Mapping[str, Any], _now: dt.datetime) -> str | None:
    left, right = _sides(row)
    if left == right:  # two sums over nothing are equal too
        return None
    missing = _missing_side(left, right)
    if missing is not None:
        return missing
    apart = _distance(left, right)
    if apart is not None:
        kind = type(apart)
        share = kind(str(params.rel_tolerance_pct)) if kind is decimal.Decimal else params.rel_tolerance_pct
        absolute = kind(str(params.abs_tolerance)) if kind is decimal.Decimal else params.abs_tolerance
        if apart <= absolute or apart * 100 <= share * max(abs(left), abs(right)):
            return None
        return f"is {left} on the left and {right} on the right; the difference is {apart}"
    return f"is {left} on the left and {right} on the right"


def _judge_ratio(params: RatioParams, row: Mapping[str, Any], _now: dt.datetime) -> str | None:
    left, right = _sides(row)
    missing = _missing_side(left, right)
    if missing is not None:
        return missing
    if not right:
        return f"divides {left} by 0"
    ratio = left / right
    if params.min_ratio <= ratio <= params.max_ratio:
        return None
    return f"has the ratio {float(ratio):.6g} ({left} to {right}), expected {params.min_ratio} to {params.max_ratio}"


def _judge_difference(params: DifferenceParams, row: Mapping[str, Any], _now: dt.datetime) -> str | None:
    left, right = _sides(row)
    missing = _missing_side(left, right)
    if missing is not None:
        return missing
    apart = _distance(left, right)
    if apart is None:
        return f"compares {left!r} with {right!r}, which are no numbers"
    if apart <= params.max_abs_diff:
        return None
    return f"differs by {apart} ({left} and {right}), {params.max_abs_diff} are allowed"


def _judge_counts(_params: Any, row: Mapping[str, Any], _now: dt.datetime) -> str | None:
    left, right = _sides(row)
    return None if left == right else f"has {number(left, 'row')}, the other table {right}"


RELATIONSHIPS = CheckSpec(
    name="relationships",
    summary="Each value stands in a column of another table; NULL is good.",
    params=RelationshipsParams,
    query=_is_orphan,
    rejects=_has_no_parent,
    reads=lambda params: (params.to,),
    message=lambda params, count: f"has {number(count, 'row')} whose value is not in {params.to}.{params.to_field}",
)
EQUAL_ROWCOUNT = CheckSpec(
    name="equal_rowcount",
    summary="Two tables have the same number of rows.",
    params=RowCountOfParams,
    query=_both_counts,
    judge=_judge_counts,
    reads=lambda params: (params.to,),
)
RECONCILE_EQUAL = CheckSpec(
    name="reconcile_equal",
    summary="Two numbers of two tables are equal, within a tolerance; each side is a mapping with `table`, `expr`, `where`.",
    params=EqualParams,
    query=_both_numbers,
    judge=_judge_equal,
    reads=lambda params: (params.left.table, params.right.table),
)
RECONCILE_RATIO = CheckSpec(
    name="reconcile_ratio_within",
    summary="The ratio of two numbers of two tables is within limits.",
    params=RatioParams,
    query=_both_numbers,
    judge=_judge_ratio,
    reads=lambda params: (params.left.table, params.right.table),
)
RECONCILE_DIFFERENCE = CheckSpec(
    name="reconcile_diff_within",
    summary="The difference of two numbers of two tables is within a limit.",
    params=DifferenceParams,
    query=_both_numbers,
    judge=_judge_difference,
    reads=lambda params: (params.left.table, params.right.table),
)
RECONCILE_COVERAGE = CheckSpec(
    name="reconcile_coverage",
    summary="Each key of one table stands in another; both sides are mappings with `table`, `key`, `where`.",
    params=CoverageParams,
    query=_uncovered,
    reads=lambda params: (params.source.table, params.target.table),
    message=lambda params, count: f"has {number(count, 'key')} that {params.target.table} lacks",
)
RECONCILE_ROWS = CheckSpec(
    name="reconcile_rows",
    summary="Two tables hold the same rows in the named columns, whatever their order; doubled rows count.",
    params=SameRowsParams,
    query=_different_rows,
    reads=lambda params: (params.left.table, params.right.table),
    message=lambda params, count: f"differs from {params.right.table} in {number(count, 'row')}",
)

COMPARISONS: tuple[CheckSpec, ...] = (
    RELATIONSHIPS,
    EQUAL_ROWCOUNT,
    RECONCILE_EQUAL,
    RECONCILE_RATIO,
    RECONCILE_DIFFERENCE,
    RECONCILE_COVERAGE,
    RECONCILE_ROWS,
)
