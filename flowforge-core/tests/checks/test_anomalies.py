"""Checks that compare a number with what earlier runs measured: when they learn, pass, fail, and cannot run."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from flowforge.checks.anomalies import (
    DISTRIBUTION_ANOMALY,
    VOLUME_ANOMALY,
    AnomalyParams,
    DistributionParams,
    shown,
)
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.checks.plan import what_is_measured
from flowforge.contract import CheckContext, CheckSpec, Past, Weighed
from flowforge.errors import CheckConfigError, StateError
from flowforge.project.manifest import CheckDecl
from flowforge.values import Location

NOW = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
CALM = [100.0, 101.0, 99.0, 102.0, 98.0, 100.0, 101.0, 100.0]


def remembering(*numbers: float) -> Past:
    """As if each of *numbers* was measured on a day of January 2024, one after the other."""

    def past(limit: int, since: dt.date | None = None) -> Sequence[float]:
        first = (since - dt.date(2024, 1, 1)).days if since is not None else 0
        return list(numbers)[max(first, 0) :][-limit:]

    return past


def weigh(value: Any, past: Past, spec: CheckSpec = VOLUME_ANOMALY, **params: Any) -> Weighed:
    assert spec.weigh is not None
    return spec.weigh(spec.params(**params), value, past)


def test_few_results_say_nothing_of_what_is_usual() -> None:
    assert weigh(5, remembering()) == Weighed(remark="learning (1 of 7)")
    assert weigh(1e9, remembering(*CALM[:6])) == Weighed(remark="learning (7 of 7)")
    assert weigh(None, remembering(1.0), DISTRIBUTION_ANOMALY, column="a", measure="mean") == Weighed(
        remark="learning (1 of 7), there was no value"
    )


def test_what_is_usual_passes_and_what_is_not_fails() -> None:
    assert weigh(103, remembering(*CALM)) == Weighed()
    assert weigh(12, remembering(*CALM)).failure == (
        "has 12 rows, which is unusually low: usual is 94.81 to 105.2 (8 earlier results)"
    )
    assert "1 row, which" in str(weigh(1, remembering(*CALM)).failure)
    assert weigh(120, remembering(*CALM), DISTRIBUTION_ANOMALY, column="a", measure="mean").failure == (
        "has the mean 120, which is unusually high: usual is 94.81 to 105.2 (8 earlier results)"
    )


def test_a_value_that_is_gone_is_no_pass() -> None:
    found = weigh(None, remembering(*[0.0] * 9), DISTRIBUTION_ANOMALY, column="a", measure="null_fraction")
    assert found.failure == "has no value, usual is 0 (9 earlier results)"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), decimal.Decimal("-Infinity"), 10**400])
def test_what_is_no_finite_number_fails_even_while_it_learns(value: Any) -> None:
    for past in (remembering(), remembering(*CALM)):
        found = weigh(value, past, DISTRIBUTION_ANOMALY, column="a", measure="sum")
        assert "which is no number that can be compared" in str(found.failure)


@pytest.mark.parametrize("value", ["x", True, dt.date(2024, 1, 1)])
def test_what_is_no_number_cannot_be_judged(value: Any) -> None:
    with pytest.raises(CheckConfigError) as caught:
        weigh(value, remembering(), DISTRIBUTION_ANOMALY, column="a", measure="max")
    assert caught.value.code == "FF3081"
    assert type(value).__name__ in caught.value.message


def test_numbers_of_any_kind_are_numbers() -> None:
    for value in (100, 100.0, decimal.Decimal("100")):
        assert weigh(value, remembering(*CALM)) == Weighed()


JUDGED: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "max_z": ({"max_z": 50}, 110, {}),
    "min_history": ({"min_history": 9}, 110, {}),
    "window": ({"window": 7}, 200, {"past": (*CALM, *CALM, 200.0, 201.0, 199.0, 200.0, 202.0, 198.0, 200.0)}),
    "direction": ({"direction": "down"}, 110, {}),
    "since": ({"since": dt.date(2024, 1, 5)}, 110, {}),
}
"""For each parameter, a setting with which a number passes that fails without it."""


@pytest.mark.parametrize("name", JUDGED)
def test_each_parameter_acts(name: str) -> None:
    params, value, more = JUDGED[name]
    past = remembering(*more.get("past", CALM))
    assert weigh(value, past).failure is not None
    assert weigh(value, past, **params).failure is None


@pytest.mark.parametrize(
    ("direction", "low", "high"), [("up", False, True), ("down", True, False), ("both", True, True)]
)
def test_directions(direction: str, low: bool, high: bool) -> None:
    found = [weigh(value, remembering(*CALM), direction=direction).failure for value in (10, 100, 200)]
    assert [one is not None for one in found] == [low, False, high]


def test_no_parameter_was_forgotten() -> None:
    in_sql = {"where", "column", "measure"}
    names = {field.name for cls in (AnomalyParams, DistributionParams) for field in attrs.fields(cls)}
    assert names == {*JUDGED, *in_sql}


# -- on an engine ---------------------------------------------------------------------------------------------------


def bound(spec: CheckSpec, past: Past | None = None, **params: Any) -> BoundCheck:
    check = CheckDecl(
        spec.name, spec.name, "t", spec.params(**params), Location("x.yml", 3), column=params.get("column")
    )
    return BoundCheck(check, spec, past=past, measured="m")


def ask(lab: Any, *checks: BoundCheck) -> list[CheckOutcome]:
    return run_checks(lab.session, lab.translate, lab.dialect, "t", checks, NOW)


def column(measure: str, **params: Any) -> BoundCheck:
    return bound(DISTRIBUTION_ANOMALY, remembering(), column="a", measure=measure, **params)


MEASURED = {
    "mean": ([1, 3, None], 2.0),
    "min": ([1, 3, None], 1.0),
    "max": ([1, 3, None], 3.0),
    "sum": ([1, 3, None], 4.0),
    "null_fraction": ([1, 3, None, None], 0.5),
    "distinct_count": ([1, 3, 3, None], 2.0),
}


@pytest.mark.parametrize("measure", MEASURED)
def test_what_is_measured(lab: Any, measure: str) -> None:
    values, wanted = MEASURED[measure]
    lab.table({"a": "INTEGER", "b": "INTEGER"}, [(value, 1) for value in values] + [(99, 2)])
    (found,) = ask(lab, column(measure, where="b = 1"))
    assert (found.status, found.measure, found.measured, found.remark) == ("pass", wanted, "m", "learning (1 of 7)")
    (all_,) = ask(lab, column(measure))
    if measure != "min":
        assert all_.measure != wanted


@pytest.mark.parametrize("measure", MEASURED)
def test_an_empty_table_and_one_of_nulls(lab: Any, measure: str) -> None:
    lab.table({"a": "INTEGER"}, [])
    (empty,) = ask(lab, column(measure))
    assert (empty.status, empty.measure) == ("pass", 0.0 if measure == "distinct_count" else None)
    lab.table({"a": "INTEGER"}, [(None,), (None,)])
    (nulls,) = ask(lab, column(measure))
    assert (nulls.status, nulls.measure) == ("pass", {"distinct_count": 0.0, "null_fraction": 1.0}.get(measure))


def test_they_share_the_scan_of_the_others(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [(1,), (2,), (None,)])
    checks = [bound(VOLUME_ANOMALY, remembering(*CALM)), *(column(measure) for measure in MEASURED)]
    together = ask(lab, *checks)
    assert len(lab.statements) == 1
    alone = [one for check in checks for one in ask(lab, check)]
    assert [(one.status, one.measure, one.message, one.remark) for one in together] == [
        (one.status, one.measure, one.message, one.remark) for one in alone
    ]
    assert together[0].status == "fail"


def test_a_memory_that_cannot_be_read_is_no_pass(lab: Any) -> None:
    def lost(limit: int, since: dt.date | None = None) -> Sequence[float]:
        raise StateError("nobody knows", code="FF3080")

    lab.table({"a": "INTEGER"}, [(1,)])
    broken, other = ask(lab, bound(VOLUME_ANOMALY, lost), bound(VOLUME_ANOMALY, remembering()))
    assert (broken.status, broken.message, broken.measure) == ("error", "t: nobody knows", 1.0)
    assert broken.problem is not None
    assert (broken.problem.code, broken.problem.location) == ("FF3080", Location("x.yml", 3))
    assert other.status == "pass"
    (forgotten,) = ask(lab, bound(VOLUME_ANOMALY))
    assert forgotten.status == "error"


def test_what_is_measured_is_known_again_whoever_judges_it(lab: Any) -> None:
    def key(spec: CheckSpec, **params: Any) -> str:
        return what_is_measured(lab.dialect, bound(spec, **params).check, spec)

    assert key(VOLUME_ANOMALY) == key(VOLUME_ANOMALY, max_z=9, window=60, direction="up")
    keys = [
        key(VOLUME_ANOMALY),
        key(VOLUME_ANOMALY, where="a > 1"),
        *(key(DISTRIBUTION_ANOMALY, column=name, measure=measure) for name in "ab" for measure in ("mean", "sum")),
    ]
    assert len(set(keys)) == len(keys)
    elsewhere = attrs.evolve(bound(VOLUME_ANOMALY).check, table="u")
    assert what_is_measured(lab.dialect, elsewhere, VOLUME_ANOMALY) != key(VOLUME_ANOMALY)


def test_a_spec_says_how_it_is_judged_once() -> None:
    def count(_: CheckContext) -> str:
        return "COUNT(*)"

    for wrong in (
        {"measure": count},
        {"measure": count, "judge": lambda *_: None, "weigh": lambda *_: Weighed()},
        {"query": count, "weigh": lambda *_: Weighed()},
    ):
        with pytest.raises(ValueError, match="measure"):
            CheckSpec(name="x", summary="", params=AnomalyParams, **wrong)  # type: ignore[arg-type]


def test_numbers_for_people() -> None:
    numbers = [0.0, 1234567.0, 1234.56, 0.123456, 1e20, -5.5, float("inf")]
    assert [shown(number) for number in numbers] == ["0", "1,234,567", "1,234.6", "0.1235", "1e+20", "-5.5", "inf"]
