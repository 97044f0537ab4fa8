"""Rows that are made by rules: the same ones every time, and within what was said."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.utest.generated import Generated, GeneratedColumn


def values(count: int = 50, seed: int = 0, **rules: Any) -> list[Any]:
    return [value for (value,) in Generated(rows=count, seed=seed, columns={"c": GeneratedColumn(**rules)}).table()]


def test_the_same_rows_every_time() -> None:
    assert values(6, between=(0, 9)) == values(9, between=(0, 9))[:6] == [4, 6, 3, 9, 5, 8]
    assert values(6, seed=1, between=(0, 9)) != values(6, between=(0, 9))
    alone = Generated(rows=5, columns={"a": GeneratedColumn(between=(0, 99))}).table()
    both = Generated(
        rows=5, columns={"b": GeneratedColumn(between=(0, 99)), "a": GeneratedColumn(between=(0, 99))}
    ).table()
    assert [row[0] for row in alone] == [row[1] for row in both]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(low=st.integers(-5, 5), width=st.integers(0, 4))
def test_whole_numbers_stay_between_and_all_of_them_come(low: int, width: int) -> None:
    assert set(values(300, between=(low, low + width))) == set(range(low, low + width + 1))


def test_other_kinds() -> None:
    assert values(3, sequence=7, step=-2) == [7, 5, 3]
    assert values(3, sequence="2024-02-28") == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert values(2, sequence="2024-01-01", step=7) == ["2024-01-01", "2024-01-08"]
    numbers = values(between=(0, 1.5))
    assert all(0 <= one <= 1.5 and one == round(one, 2) for one in numbers)
    assert len(set(numbers)) > 20
    assert all(one == round(one, 3) for one in values(between=(0.001, 0.002)))
    days = values(between=("2024-02-28", "2024-03-01"))
    assert set(days) == {"2024-02-28", "2024-02-29", "2024-03-01"}
    moments = [dt.datetime.fromisoformat(one) for one in values(between=("2024-01-01 00:00:00", "2024-01-01 00:00:09"))]
    assert {one.second for one in moments} == set(range(10))
    assert set(values(choice=("a", None, True))) == {"a", None, True}
    assert values(nulls=1, sequence=1) == [None] * 50
    assert 0 < values(nulls=0.5, sequence=1).count(None) < 50


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, "say one of sequence, between and choice"),
        ({"sequence": 1, "choice": (1,)}, "not sequence and choice"),
        ({"choice": (1,), "step": 2}, "a step belongs to a sequence"),
        ({"between": (2, 1)}, "above"),
        ({"between": (1, "x")}, "not of one kind"),
        ({"between": ("a", "b")}, "no two numbers"),
        ({"between": ("2024-02-01", "2024-01-01")}, "after"),
        ({"between": (True, False)}, "truth values"),
        ({"choice": ()}, "nothing to choose"),
        ({"sequence": "x"}, "begins with"),
        ({"sequence": 1, "nulls": 1.5}, "from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_said(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        GeneratedColumn(**rules)


@pytest.mark.parametrize("count", [-1, 10_001])
def test_there_is_a_limit(count: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 10,000"):
        Generated(rows=count, columns={})
