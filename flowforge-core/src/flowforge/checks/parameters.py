"""What the built-in checks are told: classes of parameters that refuse what makes no sense.

Knows attrs only. A ``ValueError`` of a validator is shown at the parameter's place in the file.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import attrs

from flowforge.checks.expressions import one_expression
from flowforge.frozen import frozen

Value = str | int | float | bool
Bound = int | float | str | dt.date | dt.datetime


def finite(_instance: Any, _attribute: Any, value: Any) -> None:
    """Neither NaN nor infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it must be a finite number")


def at_least_zero(_instance: Any, _attribute: Any, value: Any) -> None:
    """Not negative."""
    if value is not None and value < 0:
        raise ValueError("it cannot be negative")


def above_zero(_instance: Any, _attribute: Any, value: Any) -> None:
    """Neither negative nor zero."""
    if not value > 0:
        raise ValueError("it must be above 0")


def _some_values(_instance: Any, _attribute: Any, value: tuple[Any, ...]) -> None:
    if not value:
        raise ValueError("it is empty, so nothing could pass")
    for one in value:
        finite(None, None, one)


def some_columns(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    """Names of columns, none of them twice."""
    if any(not name.strip() for name in value):
        raise ValueError("a column's name is empty")
    doubled = [name for index, name in enumerate(value) if name in value[:index]]
    if doubled:
        raise ValueError(f"the column {doubled[0]!r} is named twice")


def _pattern(_instance: Any, _attribute: Any, value: str) -> None:
    if not value:
        raise ValueError("it is empty, so everything would match")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None


@frozen(kw_only=True)
class WhereParams:
    """A check of the rows for which *where* is true; a condition in the engine's own SQL."""

    where: str | None = attrs.field(default=None, validator=one_expression)


@frozen(kw_only=True)
class FilteredParams(WhereParams):
    """A check of one column, on the rows for which *where* is true."""

    column: str


@frozen(kw_only=True)
class UniqueParams(WhereParams):
    """One column, or several *columns* that are unique together."""

    column: str | None = None
    columns: tuple[str, ...] = attrs.field(
        default=(), validator=some_columns, metadata={"aliases": ("combination_of_columns",)}
    )

    @columns.validator
    def _one_way(self, _attribute: Any, value: tuple[str, ...]) -> None:
        if value and self.column is not None:
            raise ValueError(f"the column {self.column!r} is given too; name all of them here, for the table")
        if not value and self.column is None:
            raise ValueError(
                "it needs a column: add `column:`, or `columns:` for several, or declare it under a column"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return self.columns or ((self.column,) if self.column is not None else ())


@frozen(kw_only=True)
class ValuesParams(FilteredParams):
    """*values* are those that are good, or those that are not."""

    values: tuple[Value, ...] = attrs.field(validator=_some_values)


@frozen(kw_only=True)
class GreaterEqualParams(FilteredParams):
    """*threshold* is the smallest value that is good."""

    threshold: int | float = attrs.field(default=0, validator=finite)


@frozen(kw_only=True)
class RangeParams(FilteredParams):
    """The smallest and the greatest good value, at least one of them; *inclusive*: these two are good themselves."""

    min: Bound | None = attrs.field(default=None, validator=finite, metadata={"aliases": ("min_value",)})
    max: Bound | None = attrs.field(default=None, validator=finite, metadata={"aliases": ("max_value",)})
    inclusive: bool = True

    @max.validator
    def _in_order(self, _attribute: Any, value: Any) -> None:
        if value is None and self.min is None:
            raise ValueError("without 'min' and 'max' every value would pass; give at least one of them")
        if value is None or self.min is None:
            return
        try:
            wrong = value < self.min
        except TypeError:
            raise ValueError(f"it cannot be compared with min, which is {self.min!r}") from None
        if wrong:
            raise ValueError(f"it is below min, which is {self.min}")


@frozen(kw_only=True)
class RegexParams(FilteredParams):
    """*pattern* has to match from the first character of a value on; it need not reach the last one."""

    pattern: str = attrs.field(validator=_pattern, metadata={"aliases": ("regex",)})


@frozen(kw_only=True)
class ExpressionParams(WhereParams):
    """*expression* is a condition in the engine's own SQL that no row may make false; NULL is good."""

    expression: str = attrs.field(validator=one_expression)


@frozen(kw_only=True)
class GapParams(FilteredParams):
    """*step* is the greatest good distance between a value and the next one."""

    step: int | float = attrs.field(default=1, validator=[finite, above_zero])


@frozen(kw_only=True)
class RowCountParams(WhereParams):
    """The least and the greatest good number of rows; without *max_rows* there is no upper limit."""

    min_rows: int = attrs.field(default=1, validator=at_least_zero, metadata={"aliases": ("min",)})
    max_rows: int | None = attrs.field(default=None, validator=at_least_zero, metadata={"aliases": ("max",)})

    @max_rows.validator
    def _not_below_min(self, _attribute: Any, value: int | None) -> None:
        if value is not None and value < self.min_rows:
            raise ValueError(f"it is below min_rows, which is {self.min_rows}")


@frozen(kw_only=True)
class FreshnessParams(FilteredParams):
    """*max_delay_minutes* is the greatest good age of the newest value, in minutes."""

    max_delay_minutes: int | float = attrs.field(validator=[finite, at_least_zero])
