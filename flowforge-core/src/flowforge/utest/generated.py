"""Rows that a unit test has made instead of listing them: a few rules for each column, the same rows every time.

Values come from Python's generator of random numbers, one for each column, whose start is made of the seed and the
column's name. A further column changes no other. Knows plain values.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from flowforge.frozen import frozen

MOST = 10_000
"""Rows that one input may have."""


def _share(_instance: Any, _attribute: Any, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError("a share is a number from 0 to 1")


def _choices(_instance: Any, _attribute: Any, value: tuple[Any, ...] | None) -> None:
    if value is not None and not value:
        raise ValueError("there is nothing to choose from")


@frozen(kw_only=True)
class GeneratedColumn:
    """How the values of a column are made; exactly one of *sequence*, *between* and *choice* is given.

    Parameters
    ----------
    sequence:
        The first value: a whole number, or a date. The others follow in steps of *step* (days for a date).
    between:
        The smallest and the largest value: whole numbers, numbers, dates or timestamps. Numbers have as many decimals
        as the bounds, and at least two.
    choice:
        Values, each as likely as the others.
    nulls:
        Which share of the values is NULL, from 0 to 1.
    """

    sequence: int | str | None = None
    step: int | None = None
    between: tuple[Any, Any] | None = None
    choice: tuple[Any, ...] | None = attrs.field(default=None, validator=_choices)
    nulls: float = attrs.field(default=0.0, validator=_share)

    def __attrs_post_init__(self) -> None:
        given = [name for name in ("sequence", "between", "choice") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"say one of sequence, between and choice, not {' and '.join(given) or 'none'}")
        if self.step is not None and self.sequence is None:
            raise ValueError("a step belongs to a sequence")
        self.maker("")

    def maker(self, seed: str) -> Callable[[int], Any]:
        """What makes the value of a row, given its number from 0; called in the order of the rows.

        Raises
        ------
        ValueError
            When the values that are given do not fit together.
        """
        dice = random.Random(seed)
        value = self._value(dice)
        if not self.nulls:
            return value

        def or_null(number: int) -> Any:
            made = value(number)
            return None if dice.random() < self.nulls else made

        return or_null

    def _value(self, dice: random.Random) -> Callable[[int], Any]:
        if self.choice is not None:
            options = self.choice
            return lambda number: options[int(dice.random() * len(options))]
        if self.between is not None:
            return _between(*self.between, dice)
        step = 1 if self.step is None else self.step
        first = self.sequence
        if isinstance(first, str):
            day = _date(first)
            return lambda number: (day + dt.timedelta(days=step * number)).isoformat()
        assert first is not None
        return lambda number: first + step * number


def _between(low: Any, high: Any, dice: random.Random) -> Callable[[int], Any]:
    if isinstance(low, bool) or isinstance(high, bool):
        raise ValueError("there is nothing between truth values; write choice: [true, false]")
    if isinstance(low, str) and isinstance(high, str):
        return _between_moments(low, high, dice)
    if isinstance(low, str) or isinstance(high, str) or low is None or high is None:
        raise ValueError(f"{low!r} and {high!r} are not of one kind")
    if low > high:
        raise ValueError(f"{low} is above {high}: say the smaller one first")
    if isinstance(low, int) and isinstance(high, int):
        return lambda number: low + int(dice.random() * (high - low + 1))
    digits = max(2, *(len(repr(one).partition(".")[2]) for one in (low, high) if "e" not in repr(one)))
    return lambda number: round(low + dice.random() * (high - low), digits)


def _between_moments(low: str, high: str, dice: random.Random) -> Callable[[int], Any]:
    whole_days = len(low) == len(high) == len("2024-01-31")
    try:
        first, last = dt.datetime.fromisoformat(low), dt.datetime.fromisoformat(high)
        seconds = int((last - first).total_seconds())
    except (ValueError, TypeError):
        raise ValueError(f"{low!r} and {high!r} are no two numbers, dates or timestamps") from None
    if seconds < 0:
        raise ValueError(f"{low} is after {high}: say the earlier one first")
    if whole_days:
        days = seconds // 86_400 + 1
        return lambda number: (first + dt.timedelta(days=int(dice.random() * days))).date().isoformat()
    return lambda number: (first + dt.timedelta(seconds=int(dice.random() * (seconds + 1)))).isoformat(sep=" ")


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"a sequence begins with a whole number or a date, not with {text!r}") from None


def _count(_instance: Any, _attribute: Any, value: int) -> None:
    if not 0 <= value <= MOST:
        raise ValueError(f"the number of rows is one from 0 to {MOST:,}")


@frozen(kw_only=True)
class Generated:
    """Rows that are made.

    Parameters
    ----------
    rows:
        How many.
    seed:
        Another number gives other rows.
    """

    rows: int = attrs.field(validator=_count)
    seed: int = 0
    columns: Mapping[str, GeneratedColumn]

    def table(self) -> tuple[tuple[Any, ...], ...]:
        """The rows, with values in the order of the columns."""
        makers = [column.maker(f"{self.seed}/{name}") for name, column in self.columns.items()]
        return tuple(tuple(make(number) for make in makers) for number in range(self.rows))
