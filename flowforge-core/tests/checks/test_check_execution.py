"""Running checks: one scan, the same findings as one query each, and no check hidden by another."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from flowforge.checks.builtin import CHECKS
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.checks.plan import MOST_BESIDE_WINDOWS
from flowforge.contract import CheckContext, CheckSpec
from flowforge.errors import EngineError, ErrorKind
from flowforge.project.manifest import CheckDecl, Limit
from flowforge.values import Location

SPECS = {spec.name: spec for spec in CHECKS}
NOW = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)


def bound(
    type_: str | CheckSpec, column: str | None = None, *, severity: str = "error", table: str = "t", **params: Any
) -> BoundCheck:
    spec = SPECS[type_] if isinstance(type_, str) else type_
    made = spec.params(**({"column": column} if column else {}), **params)
    return BoundCheck(
        CheckDecl(spec.name, spec.name, table, made, Location("x.yml"), column=column, severity=severity), spec
    )


def run(lab: Any, *checks: BoundCheck, relation: str = "t") -> list[CheckOutcome]:
    return run_checks(lab.session, lab.translate, lab.dialect, relation, checks, NOW)


def said(outcomes: list[CheckOutcome]) -> list[tuple[str, int | None, str | None]]:
    return [(outcome.status, outcome.failures, outcome.message) for outcome in outcomes]


# -- each check ----------------------------------------------------------------------------------------------------


def test_findings_in_words(lab: Any) -> None:
    lab.table(
        {"id": "INTEGER", "email": "VARCHAR", "amount": "INTEGER"},
        [(1, "a", -5), (1, None, 3), (2, None, -1), (3, None, 0)],
    )
    outcomes = run(
        lab,
        bound("unique", "id", table="users.ff"),
        bound("unique", "email"),
        bound("not_null", "id"),
        bound("not_null", "email"),
        bound("greater_equal", "amount"),
        bound("greater_equal", "amount", threshold=-1, severity="warn"),
        bound("greater_equal", "amount", threshold=-5),
        bound("non_negative_sum", "amount"),
        bound("non_negative_sum", "id"),
        bound("row_count_between", max_rows=3),
        bound("row_count_between", min_rows=5),
        bound("row_count_between", min_rows=4, max_rows=4),
    )
    assert said(outcomes) == [
        ("fail", 1, "users.id has 1 duplicate"),
        ("fail", 1, "t.email has 1 duplicate"),
        ("pass", 0, None),
        ("fail", 3, "t.email has 3 NULLs"),
        ("fail", 2, "t.amount has 2 values below 0"),
        ("warn", 1, "t.amount has 1 value below -1"),
        ("pass", 0, None),
        ("fail", None, "t.amount sums up to -3"),
        ("pass", None, None),
        ("fail", None, "t has 4 rows, expected at most 3"),
        ("fail", None, "t has 4 rows, expected at least 5"),
        ("pass", None, None),
    ]
    assert len(lab.statements) == 1
    assert {outcome.rows for outcome in outcomes} == {4}
    assert all(outcome.duration > 0 for outcome in outcomes)


def test_an_empty_table(lab: Any) -> None:
    lab.table({"id": "INTEGER"}, [])
    outcomes = run(
        lab,
        *(bound(name, "id") for name in ("unique", "not_null", "greater_equal", "non_negative_sum")),
        bound("freshness", "id", max_delay_minutes=5),
        bound("row_count_between"),
    )
    assert [outcome.status for outcome in outcomes] == ["pass"] * 4 + ["fail"] * 2
    assert [outcome.message for outcome in outcomes[4:]] == [
        "t.id has no rows with a value",
        "t has 0 rows, expected at least 1",
    ]


@pytest.mark.parametrize(
    ("type_", "value", "limit", "message"),
    [
        ("TIMESTAMP", "2024-06-01 11:30:00", 30, None),
        ("TIMESTAMP", "2024-06-01 11:30:00", 29, "is 30 minutes old, 29 are allowed"),
        ("TIMESTAMP", "2024-06-01 11:29:59.9", 30, "is 30.1 minutes old, 30 are allowed"),
        ("TIMESTAMP_NS", "2024-06-01 11:29:59.999999999", 30, "is 30.1 minutes old, 30 are allowed"),
        ("TIMESTAMP WITH TIME ZONE", "2024-06-01 14:30:00+03", 30, None),
        ("TIMESTAMP WITH TIME ZONE", "2024-06-01 13:30:00+03", 60, "is 90 minutes old, 60 are allowed"),
        ("DATE", "2024-06-01", 720, None),
        ("DATE", "2024-05-31", 720.5, "is 2160 minutes old, 720.5 are allowed"),
        ("TIMESTAMP", "2024-06-02 00:00:00", 0, None),
        ("VARCHAR", "2024-06-01 11:30:00", 30, None),
        ("VARCHAR", "2024-06-01T11:30:00+00:00", 29, "is 30 minutes old, 29 are allowed"),
        ("VARCHAR", "2024-06-01 14:59:00+03", 30, "holds text, no dates or timestamps, so its age is not known"),
        ("VARCHAR", "yesterday", 30, "holds text, no dates or timestamps, so its age is not known"),
        ("INTEGER", "17", 30, "holds int, no dates or timestamps, so its age is not known"),
    ],
)
def test_freshness_of_all_kinds_of_time(duck: Any, type_: str, value: str, limit: float, message: str | None) -> None:
    duck.execute("DROP TABLE IF EXISTS t")
    duck.execute(f"CREATE TABLE t AS SELECT CAST('{value}' AS {type_}) AS at UNION ALL SELECT NULL")
    (outcome,) = run(duck, bound("freshness", "at", max_delay_minutes=limit))
    assert (outcome.status, outcome.message) == (("pass", None) if message is None else ("fail", f"t.at {message}"))


def test_a_time_that_python_cannot_hold_breaks_only_its_own_check(duck: Any) -> None:
    duck.execute("DROP TABLE IF EXISTS t")
    duck.execute("CREATE TABLE t AS SELECT DATE '12345-01-01' AS at")
    freshness, count = run(duck, bound("freshness", "at", max_delay_minutes=1), bound("row_count_between"))
    assert (freshness.status, count.status) == ("error", "pass")


@pytest.mark.parametrize(
    ("value", "good"), [(0, True), (-0.0, True), (None, True), (-1e-9, False), (float("nan"), False)]
)
def test_a_sum_that_is_no_number_is_not_good(value: Any, good: bool) -> None:
    judge = SPECS["non_negative_sum"].judge
    assert judge is not None
    assert (judge(None, value, NOW) is None) is good


# -- together, alone, and in plain Python --------------------------------------------------------------------------

WHERE: dict[str | None, Callable[[Any, Any], bool]] = {
    None: lambda a, b: True,
    "b > 0": lambda a, b: b is not None and b > 0,
    "a IS NULL OR b <> 1": lambda a, b: a is None or (b is not None and b != 1),
}
NUMBERS = st.none() | st.integers(-2, 3)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8)
COLUMN = st.sampled_from(["a", "b"])


@attrs.frozen(kw_only=True)
class _LimitParams:
    column: str
    limit: int


LARGER = CheckSpec(
    name="larger",
    summary="",
    params=_LimitParams,
    query=lambda ctx: (
        f"SELECT * FROM {ctx.relation} AS r WHERE {ctx.column(ctx.params.column)} > {ctx.literal(ctx.params.limit)}"
    ),
)

WHERES = st.sampled_from(list(WHERE))
SMALL = st.integers(-2, 3)
CASES = st.one_of(
    st.builds(lambda kind, c, w: bound(kind, c, where=w), st.sampled_from(["not_null", "unique"]), COLUMN, WHERES),
    st.builds(lambda c, w: bound("unique", where=w, columns=c), st.sampled_from([("a", "b"), ("b",)]), WHERES),
    st.builds(lambda c, w, n: bound("greater_equal", c, where=w, threshold=n), COLUMN, WHERES, SMALL),
    st.builds(
        lambda kind, c, w, v: bound(kind, c, where=w, values=tuple(v)),
        st.sampled_from(["accepted_values", "not_accepted_values"]),
        COLUMN,
        WHERES,
        st.lists(SMALL, min_size=1, max_size=3),
    ),
    st.builds(
        lambda kind, c, w, n, m, e: bound(
            kind, c, where=w, min=n, max=None if n is not None and m < n else m, inclusive=e
        ),
        st.sampled_from(["between", "accepted_range"]),
        COLUMN,
        WHERES,
        st.none() | SMALL,
        SMALL,
        st.booleans(),
    ),
    st.builds(lambda w: bound("expression", where=w, expression="a <= b + 1"), WHERES),
    st.builds(lambda c, w, n: bound("no_gaps", c, where=w, step=n), COLUMN, WHERES, st.integers(1, 3)),
    st.builds(
        lambda kind, c, w: bound(kind, c, where=w),
        st.sampled_from(["non_negative_sum", "at_least_one"]),
        COLUMN,
        WHERES,
    ),
    st.builds(lambda w: bound("not_empty", where=w), WHERES),
    st.builds(
        lambda w, n, m: bound("row_count_between", where=w, min_rows=n, max_rows=n + m),
        WHERES,
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    st.builds(lambda c, n: bound(LARGER, c, limit=n), COLUMN, SMALL),
)


def measured(case: BoundCheck, rows: list[tuple[Any, Any]], known: list[int]) -> bool | None:
    """Whether a check of one number is good; ``None`` when it is none of those."""
    params: Any = case.check.params
    good = {
        "row_count_between": lambda: params.min_rows <= len(rows) <= params.max_rows,
        "not_empty": lambda: bool(rows),
        "non_negative_sum": lambda: sum(known) >= 0,
        "at_least_one": lambda: bool(known),
    }.get(case.spec.name)
    return None if good is None else good()


def expected(case: BoundCheck, rows: list[tuple[Any, Any]]) -> tuple[str, int | None]:
    """The finding by plain Python over the rows."""
    params: Any = case.check.params
    rows = [row for row in rows if WHERE[getattr(params, "where", None)](*row)]
    names = getattr(params, "names", None) or (getattr(params, "column", None) or "a",)
    values = [tuple(row["ab".index(name)] for name in names) for row in rows]
    known = sorted(value[0] for value in values if value[0] is not None)
    good = measured(case, rows, known)
    if good is not None:
        return ("pass" if good else "fail"), None

    def outside(value: int) -> bool:
        low = params.min is not None and (value < params.min or (value == params.min and not params.inclusive))
        return low or (
            params.max is not None and (value > params.max or (value == params.max and not params.inclusive))
        )

    count: dict[str, Callable[[], int]] = {
        "not_null": lambda: len(values) - len(known),
        "unique": lambda: sum(number > 1 for number in Counter(values).values()),
        "greater_equal": lambda: sum(value < params.threshold for value in known),
        "accepted_values": lambda: sum(value not in params.values for value in known),
        "not_accepted_values": lambda: sum(value in params.values for value in known),
        "between": lambda: sum(map(outside, known)),
        "accepted_range": lambda: sum(map(outside, known)),
        "expression": lambda: sum(a is not None and b is not None and not a <= b + 1 for a, b in rows),
        "no_gaps": lambda: sum(b - a > params.step for a, b in itertools.pairwise(known)),
        "larger": lambda: sum(value > params.limit for value in known),
    }
    failures = count[case.spec.name]()
    return ("fail" if failures else "pass"), failures


@given(ROWS, st.lists(CASES, min_size=1, max_size=6), st.sampled_from([0, MOST_BESIDE_WINDOWS]))
def test_together_is_the_same_as_alone_and_as_plain_python(
    lab: Any, rows: list[tuple[Any, Any]], cases: list[BoundCheck], beside: int
) -> None:
    lab.table({"a": "INTEGER", "b": "INTEGER"}, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowforge.checks.plan.MOST_BESIDE_WINDOWS", beside)
        together = run(lab, *cases)
    alone = [outcome for case in cases for outcome in run(lab, case)]
    assert said(together) == said(alone)
    assert [(outcome.status, outcome.failures) for outcome in together] == [expected(case, rows) for case in cases]


@given(ROWS, st.sampled_from(["not_null", "unique", "greater_equal"]), COLUMN, st.sampled_from(list(WHERE)))
def test_the_statement_of_an_outcome_shows_the_failing_rows(
    lab: Any, rows: list[tuple[Any, Any]], kind: str, column: str, where: str | None
) -> None:
    lab.table({"a": "INTEGER", "b": "INTEGER"}, rows)
    (outcome,) = run(lab, bound(kind, column, where=where))
    shown = [(row["a"], row["b"]) for row in lab.ask(outcome.sql).read_all().to_pylist()]
    taken = [row for row in rows if WHERE[where](*row)]
    counts = Counter(row["ab".index(column)] for row in taken)

    def bad(value: Any) -> bool:
        if kind == "unique":
            return counts[value] > 1
        return value is None if kind == "not_null" else value is not None and value < 0

    wanted = [row for row in taken if bad(row["ab".index(column)])]
    assert Counter(shown) == Counter(wanted)


def test_queries_bring_a_few_of_their_rows(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [(number,) for number in range(20)])
    (outcome,) = run(lab, bound(LARGER, "a", limit=9))
    assert said([outcome]) == [("fail", 10, "t.a has 10 failing rows")]
    assert len(outcome.samples) == 5
    assert all(row["a"] > 9 for row in outcome.samples)
    (good,) = run(lab, bound(LARGER, "a", limit=99))
    assert (good.status, good.samples) == ("pass", ())


def test_a_query_in_parentheses_is_a_relation_too(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [(1,), (1,), (None,)])
    outcomes = run(
        lab,
        bound("unique", "a"),
        bound("row_count_between", max_rows=1),
        bound(LARGER, "a", limit=0),
        relation="(SELECT a FROM t WHERE a IS NOT NULL)",
    )
    assert [outcome.failures for outcome in outcomes] == [1, None, 2]
    assert outcomes[1].message == "t has 2 rows, expected at most 1"


def test_names_are_quoted_whatever_they_contain(lab: Any) -> None:
    name = 'select "x"; drop table t; --`'
    lab.table({name: "INTEGER"}, [(1,), (1,)])
    outcomes = run(lab, bound("unique", name), bound("not_null", name), bound("non_negative_sum", name))
    assert [outcome.status for outcome in outcomes] == ["fail", "pass", "pass"]


# -- broken checks -------------------------------------------------------------------------------------------------


def test_a_missing_column_breaks_only_its_own_check_and_runs_no_other_sql(lab: Any) -> None:
    lab.table({"id": "INTEGER"}, [(1,), (1,)])
    outcomes = run(
        lab,
        bound("not_null", "id"),
        bound("not_null", "id; DROP TABLE t"),
        bound("unique", "id"),
        bound("row_count_between", max_rows=9),
    )
    assert [outcome.status for outcome in outcomes] == ["pass", "error", "fail", "pass"]
    broken = outcomes[1]
    assert broken.error is not None
    assert "DROP TABLE" in (broken.message or "")
    assert lab.ask("SELECT COUNT(*) FROM t").read_all().to_pylist()[0].popitem()[1] == 2


def test_a_broken_condition_breaks_only_its_own_check(lab: Any) -> None:
    lab.table({"id": "INTEGER"}, [(1,), (None,)])
    outcomes = run(lab, bound("not_null", "id", where="no_such_function(id)"), bound("not_null", "id"))
    assert [outcome.status for outcome in outcomes] == ["error", "fail"]


def test_a_relation_that_does_not_exist_is_said_for_every_check(lab: Any) -> None:
    outcomes = run(
        lab,
        bound("not_null", "id", table="orders.ff"),
        bound("unique", "id", table="orders.ff"),
        bound(LARGER, "id", table="orders.ff", limit=1),
        relation=lab.dialect.quote("orders"),
    )
    assert {(outcome.status, outcome.message) for outcome in outcomes} == {
        ("error", "relation orders does not exist; run `flowforge run` first")
    }
    (alone,) = run(lab, bound(LARGER, "id", limit=1), relation=lab.dialect.quote("orders"))
    assert "does not exist" in (alone.message or "")


def test_a_type_error_breaks_only_its_own_check(duck: Any) -> None:
    duck.table({"name": "VARCHAR"}, [("x",)])
    outcomes = run(duck, bound("non_negative_sum", "name"), bound("not_null", "name"), bound("greater_equal", "name"))
    assert [outcome.status for outcome in outcomes] == ["error", "pass", "error"]
    assert all(outcome.error is not None for outcome in outcomes if outcome.status == "error")


def test_inside_a_transaction_the_real_error_is_reported(duck: Any) -> None:
    duck.table({"name": "VARCHAR"}, [("x",)])
    outcomes: list[CheckOutcome] = []

    def work() -> None:
        with duck.inner.transaction():
            outcomes.extend(
                run(duck, bound("unique", "name", where="CAST(name AS INTEGER) > 0"), bound("not_null", "name"))
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert outcomes[0].status == "error"
    assert "'x'" in (outcomes[0].message or "")
    assert "aborted" not in " ".join(outcome.message or "" for outcome in outcomes)


class FailingLab:
    """A session whose statements all fail with one kind of trouble."""

    def __init__(self, lab: Any, kind: ErrorKind | None) -> None:
        self.dialect, self.session, self.asked, self._kind = lab.dialect, self, 0, kind

    def query(self, sql: str) -> Any:
        self.asked += 1
        raise OSError("gone")

    fetch = query

    def translate(self, exc: BaseException) -> EngineError | None:
        return EngineError(str(exc), kind=self._kind) if self._kind else None


def test_a_lost_connection_is_not_tried_again_for_each_check(lab: Any) -> None:
    failing = FailingLab(lab, ErrorKind.CONNECTION)
    outcomes = run(failing, bound("not_null", "a"), bound("unique", "a"), bound(LARGER, "a", limit=1))
    assert [(outcome.status, outcome.message) for outcome in outcomes] == [("error", "gone")] * 3
    assert failing.asked == 1


def test_a_cancelled_statement_ends_the_checks(lab: Any) -> None:
    with pytest.raises(EngineError) as caught:
        run(FailingLab(lab, ErrorKind.CANCELLED), bound("not_null", "a"), bound("unique", "a"))
    assert caught.value.kind is ErrorKind.CANCELLED


def test_an_exception_that_is_not_the_drivers_goes_on(lab: Any) -> None:
    with pytest.raises(OSError, match="gone"):
        run(FailingLab(lab, None), bound("not_null", "a"))


def test_functions_of_a_plugin_may_fail(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [(-1,)])

    def fails(*_: Any) -> Any:
        raise LookupError("no such thing")

    def negative(ctx: CheckContext) -> str:
        return f"{ctx.column('a')} < 0"

    writes = CheckSpec(name="writes", summary="", params=_LimitParams, violation=fails)
    judges = CheckSpec(name="judges", summary="", params=_LimitParams, measure=lambda _: "COUNT(*)", judge=fails)
    speaks = CheckSpec(name="speaks", summary="", params=_LimitParams, violation=negative, message=fails)
    silent = CheckSpec(name="silent", summary="", params=_LimitParams, violation=negative)
    outcomes = run(lab, *(bound(spec, "a", limit=1) for spec in (writes, judges, speaks, silent)))
    assert [outcome.status for outcome in outcomes] == ["error", "error", "error", "fail"]
    assert all("no such thing" in (outcome.message or "") for outcome in outcomes[:3])
    assert outcomes[3].message == "t.a has 1 failing row"


def test_no_checks_ask_nothing(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [])
    assert run(lab) == []
    assert lab.statements == []


def test_equal_expressions_are_computed_once(lab: Any) -> None:
    lab.table({"a": "INTEGER"}, [(1,)])
    run(lab, *(bound("non_negative_sum", "a") for _ in range(5)), *(bound("not_null", "a") for _ in range(5)))
    (sql,) = lab.statements
    assert sql.count("SUM(" + lab.dialect.quote("a")) == 1
    assert sql.count("IS NULL") == 1


def test_a_tally_needs_a_violation() -> None:
    with pytest.raises(ValueError, match="tally"):
        CheckSpec(name="x", summary="", params=_LimitParams, query=lambda _: "", tally=lambda _: "")


# -- how much of it counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "warn_if", "error_if", "status"),
    [
        ("error", None, None, "fail"),
        ("warn", None, None, "warn"),
        ("info", None, None, "info"),
        ("error", None, ">= 3", "fail"),
        ("error", None, "> 3", "warn"),
        ("error", "> 3", "> 3", "pass"),
        ("error", "> 2", "> 3", "warn"),
        ("error", "!= 3", "> 30%", "pass"),
        ("error", None, ">= 30%", "fail"),
        ("error", None, "> 29.9 %", "fail"),
        ("warn", "> 30%", None, "pass"),
        ("warn", "= 3", None, "warn"),
        ("info", "> 3", None, "pass"),
    ],
)
def test_limits(lab: Any, severity: str, warn_if: str | None, error_if: str | None, status: str) -> None:
    lab.table({"a": "INTEGER"}, [(None if number < 3 else number,) for number in range(10)])
    check = bound("not_null", "a", severity=severity)
    limits = {"warn_if": warn_if and Limit.parse(warn_if), "error_if": error_if and Limit.parse(error_if)}
    (outcome,) = run(lab, attrs.evolve(check, check=attrs.evolve(check.check, **limits)))
    assert (outcome.status, outcome.failures) == (status, 3)
    assert outcome.message == (None if status == "pass" else "t.a has 3 NULLs")


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 100))
def test_a_share_is_exact(failures: int, rows: int, percent: int) -> None:
    failures = min(failures, rows)
    assert Limit.parse(f">= {percent}%").holds(failures, rows) is (failures * 100 >= percent * rows)
    assert Limit.parse(f"> {percent} %").holds(failures, rows) is (failures * 100 > percent * rows)


def test_findings_of_other_checks_in_words(lab: Any) -> None:
    lab.table({"a": "INTEGER", "b": "INTEGER"}, [(1, 1), (1, 1), (2, 9), (7, None)])
    outcomes = run(
        lab,
        bound("unique", columns=("a", "b")),
        bound("accepted_values", "a", values=(1, 2)),
        bound("between", "b", max=1),
        bound("between", "b", min=2, max=8),
        bound("between", "a", min=1, inclusive=False),
        bound("expression", expression="a + 0 = b"),
        bound("no_gaps", "a"),
        bound("not_empty", where="a > 7"),
        bound("at_least_one", "b", where="a = 7"),
    )
    assert [outcome.message for outcome in outcomes] == [
        "t has 1 duplicate of (a, b)",
        "t.a has 1 value that is not accepted",
        "t.b has 1 value above 1",
        "t.b has 3 values outside of 2 to 8",
        "t.a has 2 values not above 1",
        "t has 1 row for which this is false: a + 0 = b",
        "t.a has 1 gap of more than 1",
        "t has no rows",
        "t.b has no value",
    ]
