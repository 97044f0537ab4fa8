"""Unit tests of models: rows in, expected rows out, and no table of the database touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.errors import FlowForgeError, NothingSelectedError

SHOP: Mapping[str, str] = {
    "sources.yml": "crm:\n  users: {identifier: people, schema: raw}\n",
    "seeds/rates.csv": "code,rate\nEUR,1.0\n",
    "models/orders.ff.sql": "select 1 as id, 1 as user_id, 10.5 as amount, 'EUR' as code\n",
    "models/active.ff.sql": "{{ config(materialized='ephemeral') }}\n"
    "select id, name from {{ source('crm', 'users') }} where deleted_at is null\n",
    "models/totals.ff.sql": "with orders as (select * from {{ ref('orders') }})\n"
    "select a.id, a.name, sum(o.amount * r.rate) as total\n"
    "from {{ ref('active') }} a join orders o on o.user_id = a.id join {{ ref('rates') }} r using (code)\n"
    "where o.amount > {{ var('least', 0) }}\ngroup by a.id, a.name\n",
}
GIVEN = """
model: totals
cases:
  - name: sums by user
    inputs:
      source('crm', 'users'):
        rows:
          - {id: 1, name: Ada, deleted_at: null}
          - {id: 2, name: Bo, deleted_at: "2024-01-01 10:00:00"}
      orders:
        csv: |
          user_id,amount,code
          1,10.50,EUR
          1,2.25,USD
          2,7,EUR
      rates: {rows: [{code: EUR, rate: 1.0}, {code: USD, rate: 2.0}]}
    expect:
      rows: [{id: 1, name: Ada, total: 15.0}]
"""

Make = Callable[..., Project]


def results(project: Project, **chosen: Any) -> dict[str, Any]:
    return {result.case.id: result for result in run_cases(project, find_cases(project, **chosen))}


def test_rows_in_rows_out(make: Make) -> None:
    project = make({**SHOP, "tests/unit/totals.yml": GIVEN})
    (result,) = results(project).values()
    assert (result.status, result.message, result.differences) == ("pass", None, ())
    assert not (project.root / "demo.duckdb").exists()


def test_what_differs_is_told_cell_by_cell(make: Make) -> None:
    wrong = GIVEN.replace("total: 15.0}]", "total: 15.5}, {id: 2, name: Bo, total: 1.0}]")
    (result,) = results(make({**SHOP, "tests/unit/totals.yml": wrong})).values()
    assert result.status == "fail"
    assert [line for difference in result.differences for line in difference.lines()] == [
        "~ row 1 (id=1, name='Ada'): total is 15.0, expected 15.5",
        "- row 2 is missing: id=2, name='Bo', total=1.0",
    ]


@pytest.mark.parametrize(
    ("expect", "status"),
    [
        ("{rows: [{total: 15.4}], approx: {total: 0.5}}", "pass"),
        ("{rows: [{total: 15.6}], approx: {total: 0.5}}", "fail"),
        ("{rows: [{total: 15.000000000001}], approx: true}", "pass"),
        ("{rows: [{total: 15.000000000001}]}", "fail"),
        ("{rows: [{id: 1, total: 99}], ignore_columns: [total]}", "pass"),
        ("{rows: [], subset: true}", "pass"),
        ("{rows: []}", "fail"),
        ('{csv: "id,name\\n1,Ada\\n"}', "pass"),
        ('{csv: "id,name\\n1,Bo\\n"}', "fail"),
        ("{sql: \"select 1 as id, 'Ada' as name\"}", "pass"),
        ("{rows: [{ghost: 1}]}", "fail"),
        ("{rows: [{id: '1'}]}", "fail"),
    ],
)
def test_ways_to_expect(make: Make, expect: str, status: str) -> None:
    text = GIVEN[: GIVEN.index("    expect:")] + f"    expect: {expect}\n"
    (result,) = results(make({**SHOP, "tests/unit/totals.yml": text})).values()
    assert result.status == status, result.message or result.differences


def test_variables_and_defaults(make: Make) -> None:
    text = GIVEN.replace("cases:\n  - name: sums by user\n    inputs:\n", "defaults:\n  inputs:\n").split(
        "    expect:"
    )[0]
    text = text.replace("      ", "    ").replace("          ", "        ")
    text += """
cases:
  - name: everything
    expect: {rows: [{id: 1, total: 15.0}]}
  - name: nothing is enough
    vars: {least: 1000}
    expect: {rows: []}
  - name: other rates
    inputs: {rates: {csv: "code,rate\\nEUR,3\\n"}}
    expect: {rows: [{id: 1, total: 31.5}]}
"""
    found = results(make({**SHOP, "tests/unit/totals.yml": text}))
    assert {name: one.status for name, one in found.items()} == {
        "totals::everything": "pass",
        "totals::nothing is enough": "pass",
        "totals::other rates": "pass",
    }, [one.message or one.differences for one in found.values()]


def test_an_ephemeral_model_may_be_given(make: Make) -> None:
    text = GIVEN.replace("source('crm', 'users'):", "active:")
    text = text.replace(", deleted_at: null", "").replace(', deleted_at: "2024-01-01 10:00:00"', "")
    text = text.replace("total: 15.0}]", "total: 15.0}, {id: 2, name: Bo, total: 7.0}]")
    (result,) = results(make({**SHOP, "tests/unit/totals.yml": text})).values()
    assert result.status == "pass", result.message or result.differences


GROWING = {
    "seeds/raw.csv": "id,day\n1,2024-01-01\n",
    "models/grown.ff.sql": "{{ config(materialized='incremental', incremental_strategy='append') }}\n"
    "select id, day from {{ ref('raw') }}\n"
    "{% if is_incremental() %}where day > (select max(day) from {{ this }}){% endif %}\n",
    "tests/unit/grown.yml": """
model: grown
defaults:
  inputs: {raw: {rows: [{id: 1, day: 2024-01-01}, {id: 2, day: 2024-01-02}]}}
cases:
  - {name: first, expect: {rows: [{id: 1}, {id: 2}]}}
  - name: later
    inputs: {this: {rows: [{id: 1, day: 2024-01-01}]}}
    expect: {rows: [{id: 2, day: 2024-01-02}]}
""",
}


def test_an_incremental_model_as_it_stands(make: Make) -> None:
    found = results(make(GROWING))
    assert {name: one.status for name, one in found.items()} == {"grown::first": "pass", "grown::later": "pass"}


def test_a_python_model(make: Make) -> None:
    project = make(
        {
            "seeds/raw.csv": "id,v\n1,2\n",
            "models/doubled.ff.py": "import pyarrow as pa\nfrom flowforge import model\n\n"
            "@model(deps=['raw'], frame='arrow')\ndef doubled(raw):\n"
            "    return pa.table({'id': raw['id'], 'v': [v.as_py() * 2 for v in raw['v']]})\n",
            "tests/unit/doubled.yml": "model: doubled\ncases:\n"
            "  - {name: twice, inputs: {raw: {rows: [{id: 7, v: 4}]}}, expect: {rows: [{id: 7, v: 8}]}}\n",
        }
    )
    assert [result.status for result in results(project).values()] == ["pass"]


def test_a_macro_under_test(make: Make) -> None:
    project = make(
        {
            "models/macros/money.sql": "{% macro cents(x) %}cast({{ x }} * 100 as integer){% endmacro %}\n",
            "models/paid.ff.sql": "select {{ cents('amount') }} as cents from {{ ref('raw') }}\n",
            "seeds/raw.csv": "amount\n1.5\n",
            "tests/unit/paid.yml": "model: paid\ncases:\n"
            "  - {name: rounds, inputs: {raw: {rows: [{amount: 1.25}]}}, expect: {rows: [{cents: 125}]}}\n",
        }
    )
    assert [result.status for result in results(project).values()] == ["pass"]


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (("model: totals", "model: total"), "2:8", "no model 'total'"),
        (("model: totals", "model: rates"), "2:8", "is a seed"),
        (("      orders:", "      order:"), "10:7", "reads no 'order'"),
        (("        csv: |", "        scv: |"), "11:9", "did you mean 'csv'"),
        (("rates: {rows: [", "rates: {csv: x, rows: ["), "16:7", "in 2 ways"),
        (("rates: {rows: [{code: EUR, rate: 1.0}, {code: USD, rate: 2.0}]}", "rates: {rows: []}"), "16:7", "columns"),
        (("    expect:\n", "    expectt:\n"), "17:5", "did you mean 'expect'"),
        (("name: sums by user", "name: sums by user\n    tags: [x]"), "5:5", "unknown key 'tags'"),
        (
            ("      rows: [{id: 1, name: Ada, total", "      relation: orders\n      rows: [{total"),
            "18:17",
            "makes 'totals'",
        ),
    ],
)
def test_mistakes_have_a_place(make: Make, change: tuple[str, str], place: str, says: str) -> None:
    project = make({**SHOP, "tests/unit/totals.yml": GIVEN.replace(*change)})
    with pytest.raises(FlowForgeError) as caught:
        find_cases(project)
    told = str(caught.value)
    assert f"tests/unit/totals.yml:{place}" in told
    assert says in told


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (("      rates: {rows: [{code: EUR, rate: 1.0}, {code: USD, rate: 2.0}]}\n", ""), "FF3011", "also reads rates"),
        (("{code: USD, rate: 2.0}", "{code: USD, rate: two}"), "FF3010", "mixes float and str"),
        (("1,2.25,USD", "1,2.25"), "FF3010", "has 2 fields"),
    ],
)
def test_what_is_found_when_it_runs(make: Make, change: tuple[str, str], code: str, says: str) -> None:
    (result,) = results(make({**SHOP, "tests/unit/totals.yml": GIVEN.replace(*change)})).values()
    assert (result.status, result.error.code) == ("error", code)
    assert says in result.message


def test_a_csv_stays_inside_the_project(make: Make, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("id,name,deleted_at\n1,Ada,\n", "utf-8")
    start, end = GIVEN.index("        rows:\n          - {id: 1"), GIVEN.index("      orders:")
    for name, status in (
        ("../../../secret.csv", "error"),
        (str(tmp_path / "secret.csv"), "error"),
        ("users.csv", "pass"),
    ):
        text = GIVEN[:start] + f"        csv: {name}\n        columns: {{deleted_at: timestamp}}\n" + GIVEN[end:]
        users = "id,name,deleted_at\n1,Ada,\n2,Bo,2024-01-01 00:00:00\n"
        project = make({**SHOP, "tests/unit/totals.yml": text, "tests/unit/users.csv": users}, name=f"p{len(name)}")
        (result,) = results(project).values()
        assert result.status == status, result.message
        assert "Ada" not in (result.message or "")


def test_an_error_of_the_engine_points_into_the_model(make: Make) -> None:
    project = make(
        {
            **SHOP,
            "models/totals.ff.sql": SHOP["models/totals.ff.sql"].replace("group by", "grup by"),
            "tests/unit/totals.yml": GIVEN,
        }
    )
    (result,) = results(project).values()
    assert result.status == "error"
    assert str(result.error.location).startswith("models/totals.ff.sql:5:")


def test_another_engine_is_left_out(make: Make) -> None:
    project = make({**SHOP, "tests/unit/totals.yml": GIVEN.replace("model: totals", "model: totals\nengine: postgres")})
    assert [result.status for result in results(project).values()] == ["skip"]


def test_choosing(make: Make) -> None:
    project = make({**SHOP, **GROWING, "tests/unit/totals.yml": GIVEN})
    assert set(results(project, model="grown.ff")) == {"grown::first", "grown::later"}
    assert set(results(project, case="later")) == {"grown::later"}
    assert set(results(project, path="tests/unit/totals.yml")) == {"totals::sums by user"}
    with pytest.raises(NothingSelectedError, match="no unit test"):
        find_cases(project, model="totals", case="later")


def test_the_command(shop: Any) -> None:
    for path, text in {**SHOP, "tests/unit/totals.yml": GIVEN, **GROWING}.items():
        shop.write(path, text)
    good = shop("utest")
    assert good.err.splitlines()[-1] == "unit tests: 3 passed"
    shop.write("tests/unit/totals.yml", GIVEN.replace("15.0", "16"))
    bad = shop("utest", "--model", "totals", ok=False)
    assert bad.code == 2
    assert "total is 15.0, expected 16" in bad.out
    assert "tests/unit/totals.yml:4" in bad.out
    as_json = shop("utest", "--log-format", "json", "--model", "totals", ok=False)
    record = next(json.loads(line) for line in as_json.err.splitlines() if "unit_test" in line)
    assert (record["status"], record["line"]) == ("fail", 4)
    assert shop("utest", "--case", "none", ok=False).code == 5
    assert not (shop.root / "demo.duckdb").exists()


def test_a_project_without_unit_tests(shop: Any) -> None:
    assert "No unit tests" in shop("utest").err


def test_reports_for_ci(shop: Any) -> None:
    import xml.etree.ElementTree as Tree

    for path, text in {**SHOP, **GROWING, "tests/unit/totals.yml": GIVEN.replace("15.0", "16")}.items():
        shop.write(path, text)
    bad = shop("utest", "--junit", "out/unit.xml", "--log-format", "github", ok=False)
    (annotation,) = [line for line in bad.out.splitlines() if line.startswith("::error")]
    assert "file=tests/unit/totals.yml,line=4" in annotation
    assert "total is 15.0, expected 16" in annotation
    (suite,) = Tree.parse(shop.root / "out/unit.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("unit tests", "3", "1")
    (failed,) = [case for case in suite.iter("testcase") if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("flowforge.totals", "sums by user")
    assert "total is 15.0, expected 16" in str(failed.findtext("failure"))
    assert shop("build", "-s", "grown", "-s", "raw", "--junit", "out/build.xml").code == 0
    names = [suite.get("name") for suite in Tree.parse(shop.root / "out/build.xml").getroot()]
    assert names == ["build", "unit tests"]
