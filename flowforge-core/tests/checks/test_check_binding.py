"""From YAML entries to typed checks: every mistake is named with its place."""

from __future__ import annotations

import attrs
import pytest

from flowforge.checks.bind import bind
from flowforge.checks.builtin import CHECKS
from flowforge.checks.expressions import flaw
from flowforge.checks.parameters import FilteredParams, GreaterEqualParams, RowCountParams
from flowforge.config.check_entries import RawCheck, parse_checks
from flowforge.config.yaml import parse_yaml
from flowforge.contract import CheckSpec
from flowforge.errors import CheckConfigError, ConfigFileError, Problems, ProjectErrors
from flowforge.project.manifest import CheckDecl


def raws(text: str) -> tuple[RawCheck, ...]:
    document = parse_yaml(text, "project.yml")
    problems = Problems()
    found = parse_checks(document.data["tests"], document, ("tests",), problems=problems)
    problems.raise_if_any()
    return found


def bound(entry: str, *extra: CheckSpec) -> CheckDecl:
    (raw,) = raws("tests:\n- " + entry.replace("\n", "\n  "))
    installed = {spec.name: spec for spec in (*CHECKS, *extra)}
    return bind(raw, lambda: installed, {"users": "users.ff", "users.ff": "users.ff"}.get)


def refusals(entry: str, *extra: CheckSpec) -> list[tuple[str, str, str]]:
    with pytest.raises((CheckConfigError, ConfigFileError, ProjectErrors)) as caught:
        bound(entry, *extra)
    errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else (caught.value,)
    assert all(isinstance(error, CheckConfigError | ConfigFileError) for error in errors)
    return [(str(error.location), error.message, error.help or "") for error in errors]


def test_a_check_becomes_a_declaration() -> None:
    check = bound("{type: not_null, table: users, column: email, tags: [batch], severity: warn, where: id > 5}")
    assert check.params == FilteredParams(column="email", where="id > 5")
    assert (check.node, check.table, check.column, check.severity) == ("users.ff", "users", "email", "warn")
    assert check.tags == ("batch",)
    assert str(check.location) == "project.yml:2:3"


def test_a_table_that_is_no_node_of_the_project_is_allowed() -> None:
    assert bound("{type: row_count_between, table: raw.events}").node is None


def test_other_spellings_and_numbers() -> None:
    assert bound("{type: row_count_between, table: t, min: 0, max: 7}").params == RowCountParams(min_rows=0, max_rows=7)
    assert bound("{type: row_count_between, table: t}").params == RowCountParams(min_rows=1, max_rows=None)
    big = 2**60 + 1
    assert bound(f"{{type: greater_equal, table: t, column: a, threshold: {big}}}").params.threshold == big
    assert bound("{type: greater_equal, table: t, column: a, threshold: 0.1}").params == GreaterEqualParams(
        column="a", threshold=0.1
    )


@pytest.mark.parametrize(
    ("entry", "place", "says"),
    [
        ("{type: not_nul, table: t, column: a}", "2:3", "unknown check 'not_nul'; did you mean 'not_null'?"),
        ("{type: not_null, table: t}", "2:3", "the check 'not_null' needs a column"),
        ("{type: row_count_between, table: t, column: a}", "2:3", "is about a whole table"),
        ("{type: not_null, table: t, column: a, wher: x}", "2:41", "did you mean 'where'?"),
        ("{type: freshness, table: t, column: a}", "2:3", "'max_delay_minutes' is missing"),
        ("{type: freshness, table: t, column: a, max_delay_minutes: -1}", "2:61", "cannot be negative"),
        ("{type: freshness, table: t, column: a, max_delay_minutes: soon}", "2:61", "should be a"),
        ("{type: greater_equal, table: t, column: a, threshold: '5'}", "2:57", "should be a"),
        ("{type: greater_equal, table: t, column: a, threshold: true}", "2:57", "should be a"),
        ("{type: greater_equal, table: t, column: a, threshold: .inf}", "2:57", "finite"),
        ("{type: greater_equal, table: t, column: a, threshold: .nan}", "2:57", "finite"),
        ("{type: row_count_between, table: t, min_rows: 5, max_rows: 4}", "2:62", "below min_rows, which is 5"),
        ("{type: row_count_between, table: t, max: 0}", "2:44", "below min_rows, which is 1"),
        ("{type: row_count_between, table: t, min: 1, min_rows: 1}", "2:47", "mean the same"),
        ("{type: row_count_between, table: t, min_rows: -1}", "2:49", "cannot be negative"),
        ("{type: row_count_between, table: t, min_rows: 1.5}", "2:49", "whole number"),
        ("{type: row_count_between, table: t, whre: a > 1}", "2:39", "did you mean 'where'?"),
        ("{type: unique, table: t}", "2:3", "needs a column"),
        ("{type: unique, table: t, column: a, columns: [b]}", "2:48", "the column 'a' is given too"),
        ("{type: unique, table: t, columns: [b, b]}", "2:37", "named twice"),
        ("{type: accepted_values, table: t, column: a}", "2:3", "'values' is missing"),
        ("{type: accepted_values, table: t, column: a, values: []}", "2:56", "nothing could pass"),
        ("{type: accepted_values, table: t, column: a, values: b}", "2:56", "put it in a list"),
        ("{type: accepted_values, table: t, column: a, values: [b, null]}", "2:60", "should be a"),
        ("{type: accepted_values, table: t, column: a, values: [.nan]}", "2:56", "finite"),
        ("{type: between, table: t, column: a}", "2:3", "at least one of them"),
        ("{type: between, table: t, column: a, min: 2, max: 1}", "2:53", "below min, which is 2"),
        ("{type: between, table: t, column: a, min: 2, max: x}", "2:53", "cannot be compared"),
        ("{type: accepted_range, table: t, column: a, min_value: 2, max_value: 1}", "2:72", "below min"),
        ("{type: regex_match, table: t, column: a, pattern: '('}", "2:53", "no regular expression"),
        ("{type: regex_match, table: t, column: a, regex: ''}", "2:51", "everything would match"),
        ("{type: expression, table: t, expression: a > 1; drop table t}", "2:44", "semicolon"),
        ("{type: expression, table: t}", "2:3", "'expression' is missing"),
        ("{type: no_gaps, table: t, column: a, step: 0}", "2:46", "above 0"),
        ("{type: not_null, column: a}", "2:3", "the key 'table' is missing"),
        ("{type: not_empty}", "2:3", "the key 'table' is missing"),
        ("{type: relationships, table: t, column: a}", "2:3", "'to' is missing"),
        ("{type: relationships, table: t, to: u}", "2:3", "needs a column"),
        ("{type: relationships, table: t, field: a, to: ref('ghost')}", "2:3", "no model or seed 'ghost'"),
        ("{type: relationships, table: t, field: a, to: 'ref(users'}", "2:3", "names no table"),
        ("{type: reconcile_equal, left: {table: a, expr: sum(x)}}", "2:3", "'right' is missing"),
        ("{type: reconcile_equal, left: {table: a}, right: {table: b, expr: sum(x)}}", "2:33", "'expr' is missing"),
        ("{type: reconcile_equal, left: {table: a, expr: a;b}, right: {table: b, expr: sum(x)}}", "2:50", "semicolon"),
        (
            "{type: reconcile_ratio_within, left: {table: a, expr: x}, right: {table: b, expr: x}, min_ratio: 2,\nmax_ratio: 1}",
            "3:14",
            "below min_ratio",
        ),
        (
            "{type: reconcile_coverage, source: {table: a, key: [x, y]}, target: {table: b, key: z}}",
            "2:71",
            "its key has 1 columns",
        ),
        (
            "{type: reconcile_rows, left: {table: a}, right: {table: b}, columns: []}",
            "2:72",
            "nothing would be compared",
        ),
        ("{type: not_null, table: t, column: a, warn_if: many, severity: warn}", "2:50", "is no limit"),
        ("{type: not_null, table: t, column: a, error_if: '> 101%'}", "2:51", "more than all rows"),
        ("{type: not_null, table: t, column: a, warn_if: '> 1'}", "2:50", "any failure is an error"),
        ("{type: not_null, table: t, column: a, error_if: '> 1', severity: warn}", "2:51", "says nothing"),
        ("{type: not_empty, table: t, error_if: '> 1'}", "2:41", "counts no rows"),
        ("{type: not_null, table: t, column: a, where: 1=1; drop table t}", "2:48", "semicolon"),
        ("{type: volume_anomaly, table: t, max_z: 0}", "2:43", "above 0"),
        ("{type: volume_anomaly, table: t, sensitivity: -1}", "2:49", "above 0"),
        ("{type: volume_anomaly, table: t, max_z: .inf}", "2:43", "finite"),
        ("{type: volume_anomaly, table: t, max_z: 2, sensitivity: 2}", "2:46", "mean the same"),
        ("{type: volume_anomaly, table: t, min_history: 1}", "2:49", "at least 2"),
        ("{type: volume_anomaly, table: t, window: 6}", "2:44", "below min_history, which is 7"),
        ("{type: volume_anomaly, table: t, window: 366}", "2:44", "at most 365"),
        ("{type: volume_anomaly, table: t, direction: sideways}", "2:47", "up"),
        ("{type: volume_anomaly, table: t, since: soon}", "2:43", "date"),
        ("{type: volume_anomaly, table: t, where: a > 1; drop table t}", "2:43", "semicolon"),
        ("{type: volume_anomaly, table: t, column: a}", "2:3", "is about a whole table"),
        ("{type: volume_anomaly, table: t, error_if: '> 1'}", "2:46", "counts no rows"),
        ("{type: distribution_anomaly, table: t, measure: mean}", "2:3", "needs a column"),
        ("{type: distribution_anomaly, table: t, column: a}", "2:3", "'measure' is missing"),
        ("{type: distribution_anomaly, table: t, column: a, measure: median}", "2:62", "mean"),
        ("{type: distribution_anomaly, table: t, column: a, measure: mean, maxz: 2}", "2:68", "did you mean 'max_z'?"),
        ("{type: volume_anomaly, table: t, on_fail: quarantine}", "2:45", "single rows"),
    ],
)
def test_a_mistake_is_named_with_its_place(entry: str, place: str, says: str) -> None:
    ((location, message, help_),) = refusals(entry)
    assert location == f"project.yml:{place}"
    assert says in f"{message}; {help_}"


def test_all_mistakes_of_a_check_are_reported_at_once() -> None:
    found = refusals("{type: greater_equal, table: t, threshold: x, treshold: 1}")
    assert [location for location, _, _ in found] == ["project.yml:2:3", "project.yml:2:46", "project.yml:2:49"]


def test_an_unknown_check_lists_what_is_installed() -> None:
    (raw,) = raws("tests:\n- {type: xyzzy, table: t}")
    with pytest.raises(CheckConfigError) as caught:
        bind(raw, dict, lambda _: None)
    assert caught.value.code == "FF3005"
    shown = " ".join([caught.value.help or "", *caught.value.notes])
    assert all(spec.name in shown for spec in CHECKS)


def test_plugins_are_asked_only_for_checks_that_are_not_built_in() -> None:
    @attrs.frozen(kw_only=True)
    class Params:
        column: str
        size: int = 3

    extra = CheckSpec(name="extra", summary="", params=Params, violation=lambda _: "FALSE")
    assert bound("{type: extra, table: t, column: a, size: 4}", extra).params == Params(column="a", size=4)

    def never() -> dict[str, CheckSpec]:
        raise AssertionError("plugins were loaded")

    (raw,) = raws("tests:\n- {type: not_null, table: t, column: a}")
    assert bind(raw, never, lambda _: None).type == "not_null"


@pytest.mark.parametrize("to", ["users", "users.ff", "ref('users')", ' ref( "users.ff" ) '])
def test_other_tables_are_found(to: str) -> None:
    check = bound(f"{{type: relationships, table: orders, field: user_id, to: {to!r}}}")
    assert [(one.name, one.node) for one in check.reads] == [("users", "users.ff")]
    assert (check.table, check.column, check.params.to_field) == ("orders", "user_id", "id")


def test_a_source_and_a_relation_of_others() -> None:
    check = bound(
        "{type: reconcile_equal, left: {table: \"source('crm', 'users')\", expr: count(*)},"
        " right: {table: other.users, expr: count(*)}}"
    )
    assert [(one.name, one.node) for one in check.reads] == [("crm.users", None), ("other.users", None)]
    assert (check.table, check.node) == ("crm.users", None)


# -- ids -----------------------------------------------------------------------------------------------------------


def test_ids_are_readable_and_follow_the_check_alone() -> None:
    assert bound("{type: not_null, table: users, column: email}").id == "not_null_users_email"
    assert bound("{type: not_null, table: users.ff, column: email, tags: [x]}").id == "not_null_users_email"
    assert bound("{type: row_count_between, table: users, min_rows: 1}").id == "row_count_between_users"
    assert bound("{type: unique, table: users, column: id, name: my own}").id == "my own"


def test_different_checks_have_different_ids() -> None:
    entries = [
        "{type: not_null, table: a, column: b_c}",
        "{type: not_null, table: a, column: b c}",
        "{type: not_null, table: a, column: b.c}",
        "{type: not_null, table: a.b, column: c}",
        "{type: not_null, table: a, column: b, where: c > 1}",
        "{type: not_null, table: a, column: b, where: c > 2}",
        "{type: greater_equal, table: a, column: b}",
        "{type: greater_equal, table: a, column: b, threshold: 1}",
        "{type: greater_equal, table: a, column: b, threshold: 1.5}",
        "{type: row_count_between, table: a}",
        "{type: row_count_between, table: a, min_rows: 2}",
        "{type: row_count_between, table: a, max_rows: 2}",
        "{type: unique, table: a, columns: [b, c]}",
        "{type: unique, table: a, columns: [c, b]}",
        "{type: unique, table: a, column: b}",
        "{type: accepted_values, table: a, column: b, values: [1]}",
        "{type: accepted_values, table: a, column: b, values: ['1']}",
    ]
    ids = [bound(entry).id for entry in entries]
    assert len(set(ids)) == len(ids)
    assert ids == [bound(entry).id for entry in entries]
    assert all(id_.replace("_", "").isalnum() for id_ in ids)


# -- conditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "a > 1",
        "(a = 1 OR b IN ('x', 'y'))",
        "name = 'it''s; -- fine (' AND \"odd;)\" = 1",
        "payload #>> '{a,b}' = 'x'",
        "`b;c` is null",
        "a\n  > 1",
        "a - -1 > 0",
        r"name LIKE 'a\%'",
    ],
)
def test_one_expression_is_accepted(condition: str) -> None:
    assert flaw(condition) is None


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "  ",
        "a = 1; drop table t",
        "a = 1 -- rest",
        "a = 1 /* rest",
        "a = 1 */",
        "a = 1) OR (1 = 1",
        "(a = 1",
        "a = 1)",
        "name = 'x",
        'name = "x',
        "name = `x",
        "name = 'x' 'y",
        r"name = 'x\' OR 1=1 --'",
        "name = $$;$$",
        "name = $tag$ ' $tag$",
        "a = 1 # (\n)",
        "a = {{ var('x') }}",
        "a = 1\0",
    ],
)
def test_what_could_leave_its_parentheses_is_refused(condition: str) -> None:
    assert flaw(condition)
