"""What is usual is told as by exact arithmetic, whatever the numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from flowforge.checks.usual import LEAST, NOISE, Usual, usual

PLAIN = settings(derandomize=True, deadline=None, max_examples=150)
ANY = st.floats(allow_nan=False, allow_infinity=False)
MODEST = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3)) | st.integers(-5, 5).map(float)


def middle(numbers: list[Fraction]) -> Fraction:
    ordered = sorted(numbers)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def reference(numbers: list[float]) -> tuple[Fraction, Fraction]:
    """Median and spread in exact fractions, straight from the definition."""
    exact = [Fraction(number) for number in numbers]
    median = middle(exact)
    gaps = [abs(number - median) for number in exact]
    gaps = [Fraction(0) if gap <= Fraction(NOISE) * abs(median) else gap for gap in gaps]
    if middle(gaps):
        return median, middle(gaps) / Fraction(0.6744897501960817)
    mean = sum(gaps, Fraction(0)) / len(gaps) / Fraction(math.sqrt(2 / math.pi))
    return median, max(mean, Fraction(LEAST) * abs(median))


@PLAIN
@given(st.lists(MODEST, min_size=1, max_size=12), MODEST)
def test_it_is_what_the_definition_says(numbers: list[float], value: float) -> None:
    seen = usual(numbers)
    median, spread = reference(numbers)
    size = max(map(abs, numbers))
    assert seen.middle == pytest.approx(float(median), rel=1e-9, abs=size * 1e-12)
    assert seen.spread == pytest.approx(float(spread), rel=1e-6, abs=size * 1e-12)
    if spread > size * 1e-6:
        wanted = float((Fraction(value) - median) / spread)
        assert seen.distance(value) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@PLAIN
@given(st.lists(ANY, min_size=1, max_size=8), ANY)
def test_every_distance_is_a_number_and_points_the_right_way(numbers: list[float], value: float) -> None:
    seen = usual(numbers)
    assert math.isfinite(seen.middle)
    assert seen.spread >= 0
    distance = seen.distance(value)
    assert not math.isnan(distance)
    if value > seen.middle:
        assert distance >= 0
    if value < seen.middle:
        assert distance <= 0


@PLAIN
@given(st.lists(MODEST, min_size=1, max_size=8), st.permutations(range(8)))
def test_the_order_of_the_numbers_does_not_matter(numbers: list[float], order: list[int]) -> None:
    shuffled = [numbers[index] for index in order if index < len(numbers)]
    assert usual(shuffled) == usual(numbers)


def test_a_few_outliers_do_not_bend_it() -> None:
    calm = [100.0, 101.0, 99.0, 102.0, 98.0, 100.0, 101.0]
    seen = usual([*calm, 1e9, -1e9])
    assert (seen.middle, round(seen.spread, 3)) == (100.0, 1.483)
    assert seen.distance(110) > 3.5
    assert abs(seen.distance(104)) < 3.5


def test_numbers_that_are_all_equal_leave_one_percent() -> None:
    seen = usual([200.0] * 9)
    assert seen == Usual(200.0, 2.0)
    assert seen.reach(3.5) == (193.0, 207.0)
    assert usual([-200.0] * 2).spread == 2.0


def test_where_most_are_equal_the_mean_deviation_counts() -> None:
    seen = usual([10.0, 10.0, 10.0, 14.0])
    assert seen.spread == pytest.approx(1.0 * math.sqrt(math.pi / 2))


def test_beside_nothing_but_zeros_everything_is_far() -> None:
    seen = usual([0.0] * 5)
    assert (seen.distance(0.0), seen.distance(1e-300), seen.distance(-1.0)) == (0.0, math.inf, -math.inf)


def test_sums_that_differ_by_rounding_are_equal() -> None:
    noisy = [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.30000000000000004]
    assert usual(noisy).spread == pytest.approx(0.003)
