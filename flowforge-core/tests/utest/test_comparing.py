"""Expected rows against those that came: nothing that differs is passed over, and nothing that is equal complained of."""

from __future__ import annotations

import datetime as dt
import decimal
import random
from collections import Counter
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flowforge.utest.comparing import compare
from flowforge.utest.files import Expectation, merge
from flowforge.utest.fixtures import Rows

COLUMNS = ("a", "b")
CELL = st.none() | st.integers(-2, 2)
ROW = st.tuples(CELL, CELL)
TABLE = st.lists(ROW, max_size=6)


def differences(came: Any, want: Any, columns: tuple[str, ...] = COLUMNS, texts: bool = False, **how: Any) -> list[Any]:
    rows = Rows(columns, tuple(map(tuple, want)), texts)
    return compare(columns, came, rows, Expectation(**{"rows": (), **how}))


@given(came=TABLE, want=TABLE)
def test_rows_are_compared_as_often_as_they_stand_there(came: list[Any], want: list[Any]) -> None:
    assert (not differences(came, want)) == (Counter(came) == Counter(want))
    assert (not differences(came, want, any_order=False)) == (came == want)
    assert (not differences(came, want, subset=True)) == (not Counter(want) - Counter(came))


@given(came=TABLE, seed=st.integers(0, 5))
def test_order_is_no_difference(came: list[Any], seed: int) -> None:
    want = list(came)
    random.Random(seed).shuffle(want)
    assert not differences(came, want)
    assert not differences(came, want, order_by=("a", "b"))


@given(came=TABLE, want=TABLE)
def test_every_row_is_told_of_at_most_once(came: list[Any], want: list[Any]) -> None:
    found = differences(came, want)
    missing, extra, changed = (
        sum(one.missing is not None for one in found),
        sum(one.extra is not None for one in found),
        sum(bool(one.cells) for one in found),
    )
    assert missing + extra + changed == len(found)
    assert len(want) - missing - changed == len(came) - extra - changed
    assert all(one.lines() for one in found)


@given(came=TABLE, want=TABLE)
def test_columns_that_are_ignored_do_not_matter(came: list[Any], want: list[Any]) -> None:
    mine = not differences(came, want, ignore_columns=("b",))
    assert mine == (Counter(a for a, _ in came) == Counter(a for a, _ in want))


UTC = dt.UTC


@pytest.mark.parametrize(
    ("came", "want", "same"),
    [
        (1, 1, True),
        (1, "1", False),
        (1, True, False),
        (True, 1, False),
        (1, 1.0, True),
        (1.5, 1.5, True),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (decimal.Decimal("1.10"), 1.1, True),
        (decimal.Decimal("1.10"), "1.1", False),
        (decimal.Decimal("0.1"), 0.1, True),
        (dt.date(2024, 1, 2), "2024-01-02", True),
        (dt.date(2024, 1, 2), "2024-01-03", False),
        (dt.date(2024, 1, 2), "soon", False),
        (dt.datetime(2024, 1, 2, 3), "2024-01-02 03:00:00", True),  # noqa: DTZ001
        (dt.datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02 03:00:00", True),
        (dt.datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T05:00:00+02:00", True),
        ("1", 1, False),
        ("x", "x", True),
        (None, "", False),
        (["a", None], ["a", None], True),
        ({"k": 1}, {"k": 2}, False),
    ],
)
def test_values_of_yaml(came: Any, want: Any, same: bool) -> None:
    assert (not differences([(came,)], [(want,)], ("a",))) is same


@pytest.mark.parametrize(
    ("came", "want", "same"),
    [
        (7, "7", True),
        (7, "7.0", False),
        (7.0, "7", True),
        (decimal.Decimal("1.10"), "1.1", True),
        (True, "true", True),
        (False, "0", True),
        (True, "yes", False),
        ("7", "7", True),
        ("", None, False),
        (None, None, True),
        (dt.date(2024, 1, 2), "2024-01-02", True),
    ],
)
def test_texts_of_a_csv(came: Any, want: Any, same: bool) -> None:
    assert (not differences([(came,)], [(want,)], ("a",), texts=True)) is same


@pytest.mark.parametrize(
    ("came", "want", "approx", "same"),
    [
        (1.0, 1.05, {"a": 0.1}, True),
        (1.0, 1.2, {"a": 0.1}, False),
        (1.0, 1.2, {"b": 9.0}, False),
        (decimal.Decimal("1.00"), 1.05, {"a": 0.05}, True),
        (10, 11, {"a": 1}, True),
        (1.0, 1.0000000001, True, True),
        (1.0, 1.001, True, False),
        ("x", "y", True, False),
        (None, 0, {"a": 1}, False),
    ],
)
def test_tolerances(came: Any, want: Any, approx: Any, same: bool) -> None:
    assert (not differences([(came,)], [(want,)], ("a",), approx=approx)) is same


def test_columns_that_nobody_expects_are_not_compared() -> None:
    assert not compare(("A", "b"), [(1, 2)], Rows(("a",), ((1,),)), Expectation(rows=()))
    with pytest.raises(LookupError, match="no column 'c'; it has A, b"):
        compare(("A", "b"), [(1, 2)], Rows(("c",), ((1,),)), Expectation(rows=()))


def test_defaults_are_joined() -> None:
    below = {"inputs": {"a": {"rows": [1], "columns": {"x": "date"}}, "b": {"rows": [2]}}, "vars": {"v": 1}}
    above = {"inputs": {"a": {"csv": "x"}}, "vars": {"w": 2}}
    assert merge(below, above) == {
        "inputs": {"a": {"columns": {"x": "date"}, "csv": "x"}, "b": {"rows": [2]}},
        "vars": {"v": 1, "w": 2},
    }
