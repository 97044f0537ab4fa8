"""Checks that read two tables, against plain Python."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from flowforge.checks.builtin import CHECKS
from flowforge.checks.comparisons import Keys, Rows, Side
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.project.manifest import CheckDecl
from flowforge.values import Location

SPECS = {spec.name: spec for spec in CHECKS}
NOW = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)
NUMBERS = st.none() | st.integers(-2, 3)
TABLE = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6)


@pytest.fixture(scope="module")
def two(lab: Any) -> Iterator[Any]:
    """The lab, with a second table."""
    yield lab
    lab.execute("DROP TABLE IF EXISTS u")


def fill(lab: Any, mine: list[tuple[Any, Any]], theirs: list[tuple[Any, Any]]) -> None:
    lab.table({"a": "INTEGER", "b": "INTEGER"}, mine)
    lab.execute("DROP TABLE IF EXISTS u")
    lab.execute("CREATE TABLE u (a INTEGER, b INTEGER)")
    for row in theirs:
        lab.execute(f"INSERT INTO u VALUES ({', '.join(lab.dialect.literal(value) for value in row)})")
    lab.statements.clear()


def ask(lab: Any, type_: str, **params: Any) -> CheckOutcome:
    spec = SPECS[type_]
    made = spec.params(**params)
    decl = CheckDecl(type_, type_, "t", made, Location("x.yml"), column=params.get("column"))
    tables = {"mine": "t", "theirs": "u"}
    (outcome,) = run_checks(
        lab.session, lab.translate, lab.dialect, "t", [BoundCheck(decl, spec)], NOW, lambda _, name: tables[name]
    )
    return outcome


@given(mine=TABLE, theirs=TABLE, narrow=st.booleans())
def test_relationships(two: Any, mine: Any, theirs: Any, narrow: bool) -> None:
    fill(two, mine, theirs)
    wheres = {"where": "b > 0", "to_where": "a > 0"} if narrow else {}
    outcome = ask(two, "relationships", column="a", to="theirs", to_field="b", **wheres)
    known = {b for a, b in theirs if b is not None and (not narrow or (a is not None and a > 0))}
    orphans = [row for row in mine if row[0] is not None and row[0] not in known]
    orphans = [row for row in orphans if not narrow or (row[1] is not None and row[1] > 0)]
    assert (outcome.status, outcome.failures) == ("fail" if orphans else "pass", len(orphans)), outcome.message
    assert all(tuple(sample.values()) in orphans for sample in outcome.samples)


@given(mine=TABLE, theirs=TABLE)
def test_coverage(two: Any, mine: Any, theirs: Any) -> None:
    fill(two, mine, theirs)
    source, target = Keys(table="mine", key=("a", "b")), Keys(table="theirs", key=("b", "a"))
    outcome = ask(two, "reconcile_coverage", source=source, target=target)
    missing = {row for row in mine if None not in row} - {(b, a) for a, b in theirs}
    assert outcome.failures == len(missing)


@given(mine=TABLE, theirs=TABLE, exchange=st.booleans())
def test_same_rows(two: Any, mine: Any, theirs: Any, exchange: bool) -> None:
    fill(two, mine, theirs)
    left, right = ("theirs", "mine") if exchange else ("mine", "theirs")
    outcome = ask(two, "reconcile_rows", left=Rows(table=left), right=Rows(table=right), columns=("a", "b"))
    ours, others = Counter(mine), Counter(theirs)
    assert outcome.failures == sum(ours[row] != others[row] for row in ours | others)


@given(mine=TABLE, theirs=TABLE)
def test_counts(two: Any, mine: Any, theirs: Any) -> None:
    fill(two, mine, theirs)
    assert ask(two, "equal_rowcount", to="theirs").status == ("pass" if len(mine) == len(theirs) else "fail")


SUM_OF_MINE, SUM_OF_THEIRS = Side(table="mine", expr="SUM(a)"), Side(table="theirs", expr="SUM(a)")


@given(mine=TABLE, theirs=TABLE, absolute=st.integers(0, 3), share=st.sampled_from([0, 10, 50, 100]))
def test_equal_within_tolerances(two: Any, mine: Any, theirs: Any, absolute: int, share: int) -> None:
    fill(two, mine, theirs)
    left, right = ([a for a, _ in rows if a is not None] for rows in (mine, theirs))
    if left and right:
        apart = abs(sum(left) - sum(right))
        good = apart <= absolute or apart * 100 <= share * max(abs(sum(left)), abs(sum(right)))
    else:
        good = not left and not right
    outcome = ask(
        two,
        "reconcile_equal",
        left=SUM_OF_MINE,
        right=SUM_OF_THEIRS,
        abs_tolerance=absolute,
        rel_tolerance_pct=share,
    )
    assert outcome.status == ("pass" if good else "fail")


def test_findings_in_words(two: Any) -> None:
    fill(two, [(1, 1), (2, None), (5, 5)], [(1, 1), (0, 2)])
    both = {"left": SUM_OF_MINE, "right": SUM_OF_THEIRS}
    nothing = Side(table="theirs", expr="SUM(a)", where="a > 100")
    zero = Side(table="theirs", expr="SUM(a) - 1")
    outcomes = [
        ask(two, "relationships", column="a", to="theirs", to_field="b"),
        ask(two, "equal_rowcount", to="theirs", where="a > 4"),
        ask(two, "reconcile_equal", **both),
        ask(two, "reconcile_equal", left=SUM_OF_MINE, right=nothing),
        ask(two, "reconcile_ratio_within", **both, min_ratio=1, max_ratio=2),
        ask(two, "reconcile_ratio_within", left=SUM_OF_MINE, right=zero, min_ratio=1, max_ratio=2),
        ask(two, "reconcile_diff_within", **both, max_abs_diff=6),
        ask(two, "reconcile_diff_within", left=nothing, right=nothing, max_abs_diff=6),
        ask(two, "reconcile_coverage", source=Keys(table="mine", key="b"), target=Keys(table="theirs", key="b")),
        ask(two, "reconcile_rows", left=Rows(table="mine"), right=Rows(table="theirs"), columns=("a",)),
    ]
    assert [outcome.message for outcome in outcomes] == [
        "t.a has 1 row whose value is not in theirs.b",
        "t has 1 row, the other table 2",
        "t is 8 on the left and 1 on the right; the difference is 7",
        "t compares 8 with NULL",
        "t has the ratio 8 (8 to 1), expected 1 to 2",
        "t divides 8 by 0",
        "t differs by 7 (8 and 1), 6 are allowed",
        "t compares NULL with NULL",
        "t has 1 key that theirs lacks",
        "t differs from theirs in 3 rows",
    ]
    assert all(outcome.status == "fail" for outcome in outcomes)


@pytest.mark.parametrize(
    ("left", "right", "good"),
    [
        ("1.10", "1.1", True),
        ("0.1", "0.10000000000000000001", False),
        ("100.0", "101.0", True),
        ("100", "101.1", False),
    ],
)
def test_decimals_are_compared_exactly(duck: Any, left: str, right: str, good: bool) -> None:
    sides = [
        Side(table=name, expr=f"MAX(CAST({number} AS DECIMAL(38, 20)))")
        for name, number in (("mine", left), ("theirs", right))
    ]
    fill(duck, [(1, 1)], [(1, 1)])
    share = 1 if left.startswith("1") and left[1:2] == "0" else 0
    outcome = ask(duck, "reconcile_equal", left=sides[0], right=sides[1], rel_tolerance_pct=share)
    assert outcome.status == ("pass" if good else "fail"), outcome.message


def test_what_is_no_number_can_only_be_equal(duck: Any) -> None:
    fill(duck, [(1, 1)], [(1, 1)])
    sides = [Side(table="mine", expr=f"MAX({text!r})") for text in "ab"]
    assert ask(duck, "reconcile_equal", left=sides[0], right=sides[0]).status == "pass"
    assert (
        ask(duck, "reconcile_equal", left=sides[0], right=sides[1]).message == "t is a on the left and b on the right"
    )
    assert "no numbers" in (
        ask(duck, "reconcile_diff_within", left=sides[0], right=sides[1], max_abs_diff=1).message or ""
    )


def test_a_missing_table_breaks_its_own_check_only(two: Any) -> None:
    fill(two, [(1, 1)], [])
    two.execute("DROP TABLE u")
    broken, good = ask(two, "equal_rowcount", to="theirs"), ask(two, "not_empty")
    assert (broken.status, good.status) == ("error", "pass")
