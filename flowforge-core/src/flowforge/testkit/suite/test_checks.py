"""The core's own checks on this engine: what is good passes, what is bad fails, and the count is right."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from flowforge.checks.builtin import CHECKS
from flowforge.checks.comparisons import Keys, Rows, Side
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.errors import UnsupportedError
from flowforge.project.manifest import CheckDecl
from flowforge.testkit.lab import Lab
from flowforge.values import Location

NOW = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
SPECS = {spec.name: spec for spec in CHECKS}
AWKWARD = 'awk"ward'
COLUMNS = {
    "id": [1, 2, 3, 4],
    "same": ["a", "a", "b", "c"],
    "gaps": [1, None, 3, None],
    "signs": [-5, 1, 2, 0],
    AWKWARD: [1, 1, 2, 3],
    "code": ["A1", "b2", "x'; DROP TABLE checked; --", None],
}


REGEXES: list[tuple[dict[str, Any], int]] = [
    ({"column": "code", "pattern": "[A-Za-z]"}, 0),
    ({"column": "code", "pattern": r"[A-Za-z]\d$"}, 1),
    ({"column": "code", "pattern": "1"}, 3),
    ({"column": "code", "pattern": "[A-Z]|x'; DROP"}, 1),
]


def columns_of(lab: Lab) -> dict[str, Any]:
    return {lab.allowed(name): values for name, values in COLUMNS.items()}


def bound(lab: Lab, type_: str, **params: Any) -> BoundCheck:
    for key, value in params.items():
        if value == AWKWARD or (isinstance(value, tuple) and AWKWARD in value):
            names = tuple(lab.allowed(name) for name in ([value] if value == AWKWARD else value))
            params[key] = names[0] if value == AWKWARD else names
    decl = CheckDecl(type_, type_, "t", SPECS[type_].params(**params), Location("t.yml"), column=params.get("column"))
    return BoundCheck(decl, SPECS[type_])


def ask(lab: Lab, *checks: BoundCheck) -> list[CheckOutcome]:
    session = lab.session()
    table = lab.table(session, "checked", columns_of(lab))
    return run_checks(session, lab.executor.error, lab.dialect, lab.sql(table), checks, NOW)


CASES: list[tuple[str, dict[str, Any], int | None]] = [
    ("not_null", {"column": "id"}, 0),
    ("not_null", {"column": "gaps"}, 2),
    ("unique", {"column": "id"}, 0),
    ("unique", {"column": "same"}, None),
    ("unique", {"column": AWKWARD}, None),
    ("greater_equal", {"column": "signs", "threshold": -5}, 0),
    ("greater_equal", {"column": "signs"}, 1),
    ("row_count_between", {"min_rows": 4, "max_rows": 4}, 0),
    ("row_count_between", {"min_rows": 5}, None),
    ("unique", {"columns": ("id", "same")}, 0),
    ("unique", {"columns": ("same", AWKWARD)}, 1),
    ("accepted_values", {"column": "signs", "values": (-5, 0, 1, 2)}, 0),
    ("accepted_values", {"column": "gaps", "values": (1,)}, 1),
    ("accepted_values", {"column": "same", "values": ("a", "b")}, 1),
    ("accepted_values", {"column": "code", "values": ("A1", "b2", "x'; DROP TABLE checked; --")}, 0),
    ("not_accepted_values", {"column": "code", "values": ("' OR '1' = '1", "b2")}, 1),
    ("not_accepted_values", {"column": "gaps", "values": (7,)}, 0),
    ("between", {"column": "signs", "min": -5, "max": 2}, 0),
    ("between", {"column": "signs", "min": -5, "max": 2, "inclusive": False}, 2),
    ("between", {"column": "gaps", "max": 2}, 1),
    ("accepted_range", {"column": AWKWARD, "min": 2}, 2),
    ("expression", {"expression": "id >= 1"}, 0),
    ("expression", {"expression": "gaps = id AND id < 3"}, 2),
    ("no_gaps", {"column": "id"}, 0),
    ("no_gaps", {"column": "gaps"}, 1),
    ("no_gaps", {"column": "gaps", "step": 2}, 0),
    ("not_empty", {}, 0),
    ("not_empty", {"where": "id > 4"}, None),
    ("at_least_one", {"column": "gaps"}, 0),
    ("at_least_one", {"column": "gaps", "where": "id = 2"}, None),
    ("non_negative_sum", {"column": "signs", "where": "id > 1"}, 0),
    ("row_count_between", {"where": "id > 4"}, None),
    ("non_negative_sum", {"column": "id"}, 0),
    ("non_negative_sum", {"column": "signs"}, None),
]


@pytest.mark.parametrize(("type_", "params", "failures"), CASES)
def test_each_check_alone(lab: Lab, type_: str, params: dict[str, Any], failures: int | None) -> None:
    (outcome,) = ask(lab, bound(lab, type_, **params))
    assert outcome.status == ("pass" if failures == 0 else "fail"), outcome.message
    if failures:
        assert outcome.failures == failures


def test_all_of_them_together_say_the_same(lab: Lab) -> None:
    outcomes = ask(lab, *(bound(lab, type_, **params) for type_, params, _ in CASES))
    assert [outcome.status for outcome in outcomes] == ["pass" if failures == 0 else "fail" for *_, failures in CASES]
    for outcome, (*_, failures) in zip(outcomes, CASES, strict=True):
        assert not failures or outcome.failures == failures, outcome.message


@pytest.mark.parametrize(("params", "failures"), REGEXES)
def test_regular_expressions(lab: Lab, params: dict[str, Any], failures: int) -> None:
    try:
        lab.dialect.regex_match("a", "b")
    except UnsupportedError:
        (outcome,) = ask(lab, bound(lab, "regex_match", **params))
        assert outcome.status == "error"
        assert "regular expressions" in (outcome.message or "")
        return
    (outcome,) = ask(lab, bound(lab, "regex_match", **params))
    assert (outcome.status, outcome.failures) == ("fail" if failures else "pass", failures), outcome.message


PARENTS = {"nr": [1, 2, 3], "same": ["a", "b", "z"]}
ACROSS: list[tuple[str, dict[str, Any], int | None]] = [
    ("relationships", {"column": "gaps", "to": "parents", "to_field": "nr"}, 0),
    ("relationships", {"column": "id", "to": "parents", "to_field": "nr"}, 1),
    (
        "relationships",
        {"column": "id", "to": "parents", "to_field": "nr", "where": "id < 3", "to_where": "nr > 1"},
        1,
    ),
    ("equal_rowcount", {"to": "parents"}, None),
    ("equal_rowcount", {"to": "parents", "where": "id < 4"}, 0),
    (
        "reconcile_equal",
        {"left": Side(table="t", expr="SUM(id)"), "right": Side(table="parents", expr="SUM(nr)")},
        None,
    ),
    (
        "reconcile_equal",
        {"left": Side(table="t", expr="SUM(id)", where="id < 4"), "right": Side(table="parents", expr="SUM(nr)")},
        0,
    ),
    (
        "reconcile_diff_within",
        {
            "left": Side(table="t", expr="SUM(id)"),
            "right": Side(table="parents", expr="SUM(nr)"),
            "max_abs_diff": 4,
        },
        0,
    ),
    (
        "reconcile_ratio_within",
        {
            "left": Side(table="t", expr="SUM(id)"),
            "right": Side(table="parents", expr="SUM(nr)"),
            "min_ratio": 0.5,
            "max_ratio": 1.5,
        },
        None,
    ),
    (
        "reconcile_coverage",
        {"source": Keys(table="t", key=("same",)), "target": Keys(table="parents", key=("same",))},
        1,
    ),
    (
        "reconcile_rows",
        {"left": Rows(table="t", where="id > 1"), "right": Rows(table="parents"), "columns": ("same",)},
        2,
    ),
]


@pytest.mark.parametrize(("type_", "params", "failures"), ACROSS)
def test_checks_of_two_tables(lab: Lab, type_: str, params: dict[str, Any], failures: int | None) -> None:
    session = lab.session()
    tables = {"t": lab.table(session, "checked", columns_of(lab)), "parents": lab.table(session, "parents", PARENTS)}
    sql = {name: lab.sql(table) for name, table in tables.items()}
    check = bound(lab, type_, **params)
    (outcome,) = run_checks(session, lab.executor.error, lab.dialect, sql["t"], [check], NOW, lambda _, name: sql[name])
    assert outcome.status == ("pass" if failures == 0 else "fail"), outcome.message
    if failures:
        assert outcome.failures == failures, outcome.sql


@pytest.mark.parametrize("type_", sorted(SPECS))
def test_an_empty_table_has_no_failing_rows(lab: Lab, type_: str) -> None:
    """Only those that want rows complain."""
    session = lab.session()
    table = lab.table(session, "checked", columns_of(lab))
    session.execute(f"DELETE FROM {lab.sql(table)}")
    mine = [bound(lab, type_, **params) for other, params, _ in CASES if other == type_]
    outcomes = run_checks(session, lab.executor.error, lab.dialect, lab.sql(table), mine, NOW)
    wants_rows = type_ in ("row_count_between", "not_empty", "at_least_one", "freshness")
    assert {outcome.status for outcome in outcomes} <= {"fail" if wants_rows else "pass"}


def test_a_missing_column_hides_no_other_check(lab: Lab) -> None:
    good, broken, bad = ask(
        lab,
        bound(lab, "not_null", column="id"),
        bound(lab, "not_null", column="ghost"),
        bound(lab, "not_null", column="gaps"),
    )
    assert (good.status, broken.status, bad.status) == ("pass", "error", "fail")
    assert lab.dialect.fold("ghost") in (broken.message or "")


def test_a_column_name_is_never_executed(lab: Lab) -> None:
    (outcome,) = ask(lab, bound(lab, "not_null", column="id; DROP TABLE checked; --"))
    assert outcome.status == "error"
    assert lab.session().kind_of(lab.relation("checked")) is not None


def test_freshness_counts_from_now(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "dated", {"at": [dt.datetime(2024, 1, 1, 23, 0), dt.datetime(2023, 1, 1)]})  # noqa: DTZ001
    checks = [bound(lab, "freshness", column="at", max_delay_minutes=minutes) for minutes in (61, 59)]
    fresh, stale = run_checks(session, lab.executor.error, lab.dialect, lab.sql(table), checks, NOW)
    assert (fresh.status, stale.status) == ("pass", "fail")


USUAL = [100.0, 101.0, 99.0, 102.0, 98.0, 100.0, 101.0]
MEASURES: list[tuple[str, dict[str, Any], float | None]] = [
    ("volume_anomaly", {}, 4.0),
    ("volume_anomaly", {"where": "id > 1"}, 3.0),
    ("distribution_anomaly", {"column": "signs", "measure": "mean"}, -0.5),
    ("distribution_anomaly", {"column": "id", "measure": "mean", "where": "id < 3"}, 1.5),
    ("distribution_anomaly", {"column": "signs", "measure": "min"}, -5.0),
    ("distribution_anomaly", {"column": "signs", "measure": "max"}, 2.0),
    ("distribution_anomaly", {"column": "signs", "measure": "sum"}, -2.0),
    ("distribution_anomaly", {"column": "gaps", "measure": "null_fraction"}, 0.5),
    ("distribution_anomaly", {"column": "gaps", "measure": "null_fraction", "where": "id <> 2"}, 1 / 3),
    ("distribution_anomaly", {"column": "same", "measure": "distinct_count"}, 3.0),
    ("distribution_anomaly", {"column": AWKWARD, "measure": "sum"}, 7.0),
    ("distribution_anomaly", {"column": "code", "measure": "null_fraction"}, 0.25),
    ("distribution_anomaly", {"column": "id", "measure": "sum", "where": "code <> 'A1'"}, 5.0),
]


def watched(lab: Lab, type_: str, earlier: list[float], **params: Any) -> BoundCheck:
    check = bound(lab, type_, **params)
    return BoundCheck(check.check, check.spec, past=lambda limit, since=None: earlier[-limit:])


@pytest.mark.parametrize(("type_", "params", "wanted"), MEASURES)
def test_what_is_watched_is_measured_alike_everywhere(
    lab: Lab, type_: str, params: dict[str, Any], wanted: float | None
) -> None:
    (learning,) = ask(lab, watched(lab, type_, [], **params))
    assert (learning.status, learning.remark) == ("pass", "learning (1 of 7)"), learning.message
    assert learning.measure == pytest.approx(wanted)


def test_what_is_usual_passes_and_what_is_not_fails_in_one_scan_with_others(lab: Lab) -> None:
    outcomes = ask(
        lab,
        *(watched(lab, type_, USUAL, **params) for type_, params, _ in MEASURES),
        bound(lab, "not_null", column="gaps"),
        *(watched(lab, type_, [wanted or 0.0] * 7, **params) for type_, params, wanted in MEASURES),
    )
    count = len(MEASURES)
    assert {outcome.status for outcome in outcomes[: count + 1]} == {"fail"}
    assert {outcome.status for outcome in outcomes[count + 1 :]} == {"pass"}
    assert [outcome.measure for outcome in outcomes[:count]] == pytest.approx([wanted for *_, wanted in MEASURES])


def test_what_is_watched_of_no_rows_and_of_nulls(lab: Lab) -> None:
    """There is no value then, which is no usual one; numbers that are counted are 0."""
    session = lab.session()
    none = lab.table(session, "none_there", {"gaps": pa.array([], pa.int64())})
    nulls = lab.table(session, "nulls_only", {"gaps": pa.array([None, None], pa.int64())})
    names = ("mean", "min", "max", "sum", "null_fraction", "distinct_count")
    for table, counted in ((none, {"distinct_count": 0.0}), (nulls, {"distinct_count": 0.0, "null_fraction": 1.0})):
        for earlier, status in (([], "pass"), (USUAL, "fail")):
            checks = [watched(lab, "distribution_anomaly", earlier, column="gaps", measure=name) for name in names]
            outcomes = run_checks(session, lab.executor.error, lab.dialect, lab.sql(table), checks, NOW)
            assert [outcome.status for outcome in outcomes] == [status] * len(names), outcomes
            assert [outcome.measure for outcome in outcomes] == [counted.get(name) for name in names]


def test_the_name_of_a_watched_column_is_never_executed(lab: Lab) -> None:
    evil = "id; DROP TABLE checked; --"
    outcomes = ask(
        lab,
        *(watched(lab, "distribution_anomaly", [], column=evil, measure=name) for name in ("mean", "null_fraction")),
        watched(lab, "volume_anomaly", []),
    )
    assert [outcome.status for outcome in outcomes] == ["error", "error", "pass"]
    assert lab.session().kind_of(lab.relation("checked")) is not None


def test_a_standard_deviation_is_that_of_a_sample_or_cannot_be_asked(lab: Lab) -> None:
    other = bound(lab, "not_null", column="id")
    deviation, good = ask(lab, watched(lab, "distribution_anomaly", [], column="id", measure="stddev"), other)
    assert good.status == "pass"
    if deviation.status == "pass":
        assert deviation.measure == pytest.approx(1.2909944487)
    else:
        assert deviation.status == "error"
        assert "STDDEV_SAMP" in (deviation.message or "").upper()


def test_what_is_no_number_cannot_be_watched(lab: Lab) -> None:
    broken, good = ask(
        lab,
        watched(lab, "distribution_anomaly", [], column="code", measure="max"),
        watched(lab, "distribution_anomaly", [], column="code", measure="distinct_count"),
    )
    assert (broken.status, good.status, good.measure) == ("error", "pass", 3.0)
    assert broken.problem is not None
    assert broken.problem.code == "FF3081"
