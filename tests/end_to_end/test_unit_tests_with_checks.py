"""Checks as expectations of unit tests: asked of the rows that the model makes, and told with the rows that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from flowforge import Project
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.cli.main import run
from flowforge.errors import FlowForgeError

Make = Callable[..., Project]

SHOP: Mapping[str, str] = {
    "seeds/users.csv": "id\n1\n",
    "models/totals.ff.sql": "select user_id as id, amount, [amount] as parts from {{ ref('orders') }}",
    "models/orders.ff.sql": "select 1 as user_id, 2 as amount",
    "models/doubled.ff.py": "from flowforge import model\n\n@model(deps=['totals'])\ndef doubled(totals):\n"
    "    return totals[['id', 'amount']] * 2\n",
    "models/stray.ff.sql": "select o.user_id from {{ ref('orders') }} o left join {{ ref('users') }} u on u.id = o.user_id",
    "tests/even.ff.sql": "{{ config(type='even') }}\nselect * from {{ table }} where {{ column }} % 2 <> 0",
    "tests/small.ff.sql": "{{ config(type='small', returns='condition') }} {{ column }} > 100",
    "tests/few.ff.py": "from flowforge import dq_test\n\n\n@dq_test()\ndef few(executor, table, column, params):\n"
    "    n = executor.scalar(f'select count(*) from {table}')\n    return n < 3, f'{n} rows are many', None\n",
}
HEAD = "model: totals\ncases:\n  - name: c\n    inputs: {orders: {rows: [{user_id: 1, amount: 2}, {user_id: 1, amount: 3}]}}\n"


def lines(project: Project) -> list[str]:
    (result,) = run_cases(project, find_cases(project))
    return [result.status, *result.lines]


def case(expect: str, head: str = HEAD) -> dict[str, str]:
    return {**SHOP, "tests/unit/t.yml": head + f"    expect:\n{expect}"}


def checks(*entries: str) -> str:
    return "      checks:\n" + "".join(f"        - {one}\n" for one in entries)


def test_checks_stand_in_the_place_of_rows(make: Make) -> None:
    good = checks("not_null: id", "row_count_between: {min_rows: 2, max_rows: 2}", "between: {column: amount, min: 2}")
    assert lines(make(case(good))) == ["pass"]
    bad = make(case(checks("unique: id", "even: {column: amount, description: two of each}", "few", "small: amount")))
    assert lines(bad) == [
        "fail",
        "! check unique_totals_id: totals.id has 1 duplicate",
        "    id=1, amount=2, parts=[2]",
        "    id=1, amount=3, parts=[3]",
        "! check even_totals_amount: totals.amount has 1 failing row (two of each)",
        "    id=1, amount=3, parts=[3]",
    ]


def test_checks_stand_beside_rows(make: Make) -> None:
    told = lines(make(case("      rows: [{id: 1, amount: 2}, {id: 1, amount: 4}]\n" + checks("unique: id"))))
    assert told[0] == "fail"
    assert "amount is 3, expected 4" in told[1]
    assert told[2].startswith("! check unique_totals_id")
    right = "      rows: [{id: 1, amount: 2}, {id: 1, amount: 3}]\n      row_count: 2\n"
    assert lines(make(case(right + checks("not_null: id")), name="right")) == ["pass"]


def test_only_some_rows_are_shown(make: Make) -> None:
    head = (
        HEAD[: HEAD.index("    inputs")]
        + "    inputs: {orders: {sql: 'select i as user_id, 1 as amount from range(9) t(i)'}}\n"
    )
    told = lines(make(case(checks("even: amount"), head)))
    assert len(told) == 8
    assert told[-1] == "    and others"


def test_a_model_in_python(make: Make) -> None:
    head = (
        "model: doubled\ncases:\n  - name: c\n    inputs: {totals: {rows: [{id: 1, amount: 2}, {id: 3, amount: 3}]}}\n"
    )
    assert lines(
        make(case(checks("even: amount", "unique: id", "not_null: {column: amount, where: id > 2}"), head))
    ) == ["pass"]
    told = lines(make(case(checks("between: {column: amount, max: 4}"), head), name="other"))
    assert told[2:] == ["    id=6, amount=6"]


def test_checks_of_two_tables_read_the_inputs(make: Make) -> None:
    head = "model: stray\ncases:\n  - name: c\n    inputs:\n      users: {rows: [{id: 1}]}\n      orders: {rows: [{user_id: 1}, {user_id: 9}]}\n"
    one = "relationships: {column: user_id, to: ref('users')}"
    told = lines(make(case(checks(one), head)))
    assert told[2:] == ["    user_id=9"]
    other = one.replace("ref('users')", "ref('orders'), to_field: user_id")
    assert lines(make(case(checks(other), head), name="other")) == ["pass"]


def test_defaults_and_another_case_share_checks(make: Make) -> None:
    head = "model: totals\ndefaults: {expect: {checks: [{unique: id}]}}\n" + HEAD.removeprefix("model: totals\n")
    assert lines(make({**SHOP, "tests/unit/t.yml": head + "    expect: {row_count: 2}\n"}))[1].startswith(
        "! check unique"
    )
    assert lines(make({**SHOP, "tests/unit/t.yml": head + "    expect: {checks: [{not_null: id}]}\n"}, name="own")) == [
        "pass"
    ]


WRONG = [
    ("unik: id", "FF3005", "t.yml:7:11"),
    ("unique: {colunm: id}", "FF3002", "t.yml:7:20"),
    ("between: {column: id, min: 3, max: 1}", "FF3002", "t.yml:7:46"),
    ("not_null: {column: id, severity: warn}", "FF3010", "t.yml:7:44"),
    ("not_null: {column: id, on_fail: stop}", "FF3010", "t.yml:7:43"),
    ("not_null: {column: id, tags: [x]}", "FF3010", "t.yml:7:40"),
    ("volume_anomaly", "FF3010", "t.yml:7:11"),
    ("column_physical_type: {column: id, physical: {duckdb: BIGINT}}", "FF3010", "t.yml:7:57"),
    ("relationships: {column: id, to: ref('users')}", "FF3010", "t.yml:7:11"),
    ("unique", "FF3002", "t.yml:7:11"),
    ("unique: id\n        - unique: id", "FF3010", "t.yml:8:11"),
]


@pytest.mark.parametrize(("entry", "code", "place"), WRONG)
def test_what_is_wrong_is_told_with_its_line(make: Make, entry: str, code: str, place: str) -> None:
    project = make(case(checks(entry)))
    with pytest.raises(FlowForgeError) as caught:
        find_cases(project)
    (error,) = getattr(caught.value, "errors", (caught.value,))
    assert (error.code, str(error.location).removeprefix("tests/unit/")) == (code, place), error


def test_a_check_that_cannot_be_asked_is_an_error(make: Make) -> None:
    (result,) = run_cases(project := make(case(checks("not_null: idd"))), find_cases(project))
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.code, str(result.error.location)) == ("FF3004", "tests/unit/t.yml:7:11")


def test_the_command_shows_which_check_failed(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    root = make(case(checks("unique: id"))).root
    assert run(["utest", str(root)]) == 2
    said = capsys.readouterr()
    assert "! check unique_totals_id: totals.id has 1 duplicate" in said.out + said.err
    assert run(["build", str(root)]) == 2


def test_short_spellings_work_for_models_too(make: Make) -> None:
    yaml = (
        "version: 1\nmodels:\n  - name: orders\n    checks: [{unique: user_id, severity: warn}, {not_null: user_id}]\n"
    )
    project = make({**SHOP, "models/c.yml": yaml})
    found = {check.id: (check.column, check.severity) for check in project.manifest.checks}
    assert found == {"unique_orders_user_id": ("user_id", "warn"), "not_null_orders_user_id": ("user_id", "error")}
    with pytest.raises(FlowForgeError):
        make(
            {**SHOP, "models/c.yml": yaml.replace("{not_null: user_id}", "{not_null: user_id, column: user_id}")},
            name="twice",
        )
