"""Compares the rows that a model made with those that were expected, cell by cell.

Knows plain values; the kind of value that the engine gave says how an expected one is read.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from flowforge.frozen import frozen
from flowforge.utest.files import Expectation
from flowforge.utest.fixtures import Rows

SHOWN = 20
"""How many differences are listed."""


@frozen
class Difference:
    """What is wrong with one row.

    Parameters
    ----------
    cells:
        By column: what was expected, what came.
    missing, extra:
        A whole row that did not come, or should not have.
    said:
        What is wrong with all of them together, in words.
    rows, more:
        Some of the rows that are meant by that, and whether there are others.
    """

    number: int
    cells: Mapping[str, tuple[Any, Any]] = attrs.field(factory=dict)
    missing: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] | None = None
    key: Mapping[str, Any] = attrs.field(factory=dict)
    said: str | None = None
    rows: tuple[Mapping[str, Any], ...] = ()
    more: bool = False

    def lines(self) -> list[str]:
        """In words, one line for each cell."""
        if self.said is not None:
            others = ["    and others"] if self.more else []
            return [self.said, *(f"    {_row(row)}" for row in self.rows), *others]
        if self.missing is not None:
            return [f"- row {self.number} is missing: {_row(self.missing)}"]
        if self.extra is not None:
            return [f"+ row {self.number} was not expected: {_row(self.extra)}"]
        head = f"~ row {self.number}" + (f" ({_row(self.key)})" if self.key else "")
        return [
            f"{head}: {name} is {_word(came)}, expected {_word(wanted)}" for name, (wanted, came) in self.cells.items()
        ]


def compare(
    columns: Sequence[str], came: Sequence[Sequence[Any]], expected: Rows, how: Expectation
) -> list[Difference]:
    """All differences; none when everything is as expected.

    Parameters
    ----------
    columns, came:
        What the engine gave. Columns that no expected row mentions are not compared.

    Raises
    ------
    LookupError
        When a column is expected that the model does not have.
    """
    folded = {name.casefold(): index for index, name in enumerate(columns)}
    names = [name for name in expected.columns if name not in how.ignore_columns]
    lacking = [name for name in (*names, *how.order_by) if name.casefold() not in folded]
    if lacking:
        raise LookupError(f"the model has no column {lacking[0]!r}; it has {', '.join(columns)}")
    places = [folded[name.casefold()] for name in names]
    wanted = [tuple(row[expected.columns.index(name)] for name in names) for row in expected.rows]
    given = [tuple(row[place] for place in places) for row in came]
    matcher = _Matcher(names, how, expected.texts)
    if how.order_by:
        order = [folded[name.casefold()] for name in how.order_by]
        given = [tuple(row[place] for place in places) for row in sorted(came, key=lambda row: _sort_key(row, order))]
        if all(name in names for name in how.order_by):
            mine = [names.index(name) for name in how.order_by]
            wanted = sorted(wanted, key=lambda row: _sort_key(_like(row, given), mine))
    if (how.order_by or not how.any_order) and not how.subset:
        return _in_order(names, given, wanted, matcher)
    return _in_any_order(names, given, wanted, matcher, subset=how.subset)


def _in_order(
    names: Sequence[str], given: Sequence[tuple[Any, ...]], wanted: Sequence[tuple[Any, ...]], matcher: _Matcher
) -> list[Difference]:
    found = []
    for number, (want, have) in enumerate(zip(wanted, given, strict=False), 1):
        cells = matcher.cells(want, have)
        if cells:
            found.append(Difference(number, cells))
    common = min(len(wanted), len(given))
    found += [
        Difference(n, missing=dict(zip(names, row, strict=True))) for n, row in enumerate(wanted[common:], common + 1)
    ]
    found += [
        Difference(n, extra=dict(zip(names, row, strict=True))) for n, row in enumerate(given[common:], common + 1)
    ]
    return found


def _in_any_order(
    names: Sequence[str],
    given: Sequence[tuple[Any, ...]],
    wanted: Sequence[tuple[Any, ...]],
    matcher: _Matcher,
    *,
    subset: bool,
) -> list[Difference]:
    """Rows that match exactly are put aside; of the others, those that have most cells in common belong together."""
    free = dict(enumerate(given))
    open_: list[tuple[int, tuple[Any, ...]]] = []
    for number, want in enumerate(wanted, 1):
        match = next((index for index, have in free.items() if not matcher.cells(want, have)), None)
        if match is None:
            open_.append((number, want))
        else:
            del free[match]
    found = []
    as_many = len(open_) == len(free)  # then each of them has its other
    for number, want in open_:
        scores = {index: len(names) - len(matcher.cells(want, have)) for index, have in free.items()}
        best = max(scores, key=lambda index: (scores[index], -index), default=None)
        if best is None or (scores[best] == 0 and not as_many):
            found.append(Difference(number, missing=dict(zip(names, want, strict=True))))
            continue
        cells = matcher.cells(want, free.pop(best))
        same = {name: value for name, value in zip(names, want, strict=True) if name not in cells}
        found.append(Difference(number, cells, key=dict(list(same.items())[:2])))
    if not subset:
        found += [
            Difference(index + 1, extra=dict(zip(names, have, strict=True))) for index, have in sorted(free.items())
        ]
    return found


class _Matcher:
    """Says which cells of two rows differ."""

    def __init__(self, names: Sequence[str], how: Expectation, texts: bool) -> None:
        self._names = names
        self._texts = texts
        approx = how.approx
        self._near = {
            name: (1e-9 if approx is True else None) if isinstance(approx, bool) else approx.get(name) for name in names
        }
        self._relative = approx is True

    def cells(self, want: Sequence[Any], have: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
        """By column: what was expected and what came, where they differ."""
        return {
            name: (one, other)
            for name, one, other in zip(self._names, want, have, strict=True)
            if not self._same(one, other, self._near[name])
        }

    def _same(self, want: Any, have: Any, near: float | None) -> bool:
        if want is None or have is None:
            return want is None and have is None
        try:
            value = read_as(want, have, text=self._texts)
        except (ValueError, TypeError, decimal.InvalidOperation):
            return False
        number = isinstance(have, int | float | decimal.Decimal) and not isinstance(have, bool)
        if near is not None and number:
            return _is_near(value, have, near, relative=self._relative)
        if isinstance(have, float) and math.isnan(have):
            return isinstance(value, float) and math.isnan(value)
        return bool(value == have)


def _is_near(want: Any, have: Any, near: float, *, relative: bool) -> bool:
    if relative:
        return math.isclose(float(want), float(have), rel_tol=near, abs_tol=near)
    exact = isinstance(have, decimal.Decimal)
    apart = abs(want - have)
    return bool(apart <= (decimal.Decimal(str(near)) if exact else near))


_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def read_as(want: Any, have: Any, *, text: bool) -> Any:
    """An expected value as one of the kind of *have*; *text*: it comes from a CSV.

    Raises
    ------
    ValueError, TypeError
        When it cannot be one.
    """
    if isinstance(have, bool):
        if isinstance(want, bool):
            return want
        return _TRUTH.get(want.lower()) if text else None
    if isinstance(want, bool):
        raise TypeError("a truth value is no number")
    if isinstance(have, int) and isinstance(want, str) and text:
        return int(want)
    if isinstance(have, float):
        return float(want) if text or isinstance(want, int | float | decimal.Decimal) else want
    if isinstance(have, decimal.Decimal):
        return decimal.Decimal(str(want)) if text or not isinstance(want, str) else want
    if isinstance(have, dt.datetime) and isinstance(want, str):
        moment = dt.datetime.fromisoformat(want)
        if have.tzinfo is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return moment
    if isinstance(have, dt.date) and isinstance(want, str):
        return dt.date.fromisoformat(want)
    if isinstance(have, dt.time) and isinstance(want, str):
        return dt.time.fromisoformat(want)
    return want


def _like(row: Sequence[Any], given: Sequence[Sequence[Any]]) -> list[Any]:
    """An expected row with values of the kinds that came, so that both sides sort alike."""
    if not given:
        return list(row)
    kinds: list[Any] = [next((other[i] for other in given if other[i] is not None), None) for i in range(len(row))]
    made = []
    for want, kind in zip(row, kinds, strict=True):
        try:
            made.append(want if want is None or kind is None else read_as(want, kind, text=isinstance(want, str)))
        except (ValueError, TypeError, KeyError, decimal.InvalidOperation):
            made.append(want)
    return made


def _sort_key(row: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...]:
    """Values of one kind in their own order, other kinds apart, NULLs first."""
    key: list[Any] = []
    for place in places:
        value = row[place]
        number = isinstance(value, int | float | decimal.Decimal)
        key.append((value is not None, "number" if number else type(value).__name__, 0 if value is None else value))
    return tuple(key)


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_word(value)}" for name, value in row.items())


def _word(value: Any) -> str:
    if value is None:
        return "NULL"
    return repr(value) if isinstance(value, str) else str(value)
