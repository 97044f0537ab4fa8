"""Checks that a project brings itself, in SQL and in Python, from the files to what a build publishes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from flowforge.cli.main import run
from flowforge.errors import FlowForgeError, ProjectErrors, SelectionError
from flowforge.events import Status

SHOP: Mapping[str, str] = {
    "seeds/raw.csv": "id,amount,cust\n1,10,1\n2,-5,2\n3,7,9\n",
    "seeds/customers.csv": "id\n1\n2\n",
    "models/orders.ff.sql": "select * from {{ ref('raw') }}",
    "models/thin.ff.sql": "{{ config(materialized='ephemeral') }} select amount from {{ ref('orders') }}",
    "tests/at_least.ff.sql": "{{ config(type='at_least', params=['least', {'strict': false}]) }}\n"
    "select {{ column }} from {{ table }}\n"
    "where {{ column }} {{ '<=' if params.strict else '<' }} {{ params.least }}\n"
    "{% if where %} and {{ where }} {% endif %}\n",
    "tests/deep/er/too_low.ff.sql": "{{ config(type='too_low') }}\nselect count(*) from {{ table }} where {{ column }} < 0\n",
    "tests/shares.ff.py": """
from flowforge import DQParamsBase, dq_test


class Share(DQParamsBase):
    least: float
    where: str | None = None


@dq_test("share", params_model=Share)
def good_share(executor, table, column, params):
    \"\"\"Enough values are above zero.\"\"\"
    sql = f"select avg(case when {column} > 0 then 1.0 else 0.0 end) from {table}"
    got = executor.scalar(sql)
    return got >= params.least, f"only {got:.2f} are positive", sql


@dq_test()
def plain(executor, table, column, params):
    found = executor.rows(f"select * from {table} where {params['condition']}")
    return not found, f"{len(found)} rows of {column.name}", None
""",
}


def declared(*checks: str) -> str:
    return "name: demo\nversion: 1\ntests:\n" + "".join(f"  - {one}\n" for one in checks)


def outcomes(result: Any) -> dict[str, tuple[Status, int | None]]:
    return {check.check: (check.status, check.failures) for check in result.checks}


CASES: list[tuple[str, Status, int | None, str | None]] = [
    ("{type: at_least, column: amount, least: 0}", Status.FAIL, 1, "orders.amount has 1 failing row"),
    ("{type: at_least, column: amount, least: -5}", Status.SUCCESS, 0, None),
    ("{type: at_least, column: amount, least: -5, strict: true}", Status.FAIL, 1, "orders.amount has 1 failing row"),
    ("{type: at_least, column: amount, least: 20, where: id > 2}", Status.FAIL, 1, "orders.amount has 1 failing row"),
    ("{type: at_least, column: amount, least: 20, severity: warn}", Status.WARN, 3, "orders.amount has 3 failing rows"),
    ("{type: at_least, column: amount, params: {least: 20}, error_if: '> 5'}", Status.WARN, 3, None),
    ("{type: too_low, column: amount}", Status.FAIL, 1, "orders.amount has 1 failing row"),
    ("{type: too_low, column: id}", Status.SUCCESS, 0, None),
    ("{type: too_low, column: amount, warn_if: '> 0', error_if: '> 1'}", Status.WARN, 1, None),
    ("{type: share, column: amount, least: 0.5}", Status.SUCCESS, None, None),
    ("{type: share, column: amount, least: 0.9}", Status.FAIL, None, "orders.amount: only 0.67 are positive"),
    ("{type: plain, column: id, condition: amount > 5}", Status.FAIL, None, "orders.id: 2 rows of id"),
    ("{type: plain, column: id, condition: amount > 50}", Status.SUCCESS, None, None),
]


def test_every_kind_finds_what_there_is_and_nothing_hides_the_others(
    make: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    entries = [
        text.replace("{type", f"{{table: orders, name: c{index}, type") for index, (text, *_) in enumerate(CASES)
    ]
    project = make({**SHOP, "project.yml": declared(*entries)})
    project.seed()
    project.run()
    tested = project.test()
    assert [(check.check, check.status, check.failures) for check in tested.checks] == [
        (f"c{index}", status, failures) for index, (_, status, failures, _) in enumerate(CASES)
    ]
    for check, (_, _, _, message) in zip(tested.checks, CASES, strict=True):
        assert message is None or check.message == message
    assert tested.exit_code == 2


def test_new_rows_are_checked_before_they_are_published(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    checks = declared(
        "{type: at_least, table: orders, column: amount, least: -5}",
        "{type: too_low, table: thin, column: amount, error_if: '> 2'}",
        "{type: share, table: orders, column: amount, least: 0.3}",
    )
    project = make({**SHOP, "project.yml": checks})
    built = project.build()
    assert built.ok, built.errors
    for index, bad in enumerate(("4,-6,1\n", "4,-1,1\n5,-1,1\n", "4,0,1\n5,0,1\n6,0,1\n7,0,1\n")):
        wrong = make({**SHOP, "project.yml": checks, "seeds/raw.csv": SHOP["seeds/raw.csv"] + bad})
        again = wrong.build()
        assert again.exit_code == 2, again.errors
        failed = [check for check in again.checks if check.status is Status.FAIL]
        assert [check.type for check in failed] == [["at_least", "too_low", "share"][index]]
        assert len(again.checks) == 3
        assert len(rows(wrong, "orders")) == 3


ORPHANS = (
    "select o.* from {{ ref('orders') }} o left join {{ ref('customers') }} c on o.cust = c.id where c.id is null\n"
)


def test_a_singular_test_runs_as_the_last_of_its_tables_is_published(
    make: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    project = make({**SHOP, "tests/no_orphans.ff.sql": "{{ config(tags=['nightly']) }}\n" + ORPHANS})
    built = project.build()
    assert outcomes(built) == {"no_orphans": (Status.FAIL, 1)}
    assert [check.message for check in built.checks] == ["no_orphans gives 1 failing row"]
    assert built.exit_code == 2
    assert not {"orders", "customers"} <= set(relations(project))
    for select in (["no_orphans"], ["nightly"], ["orders"], ["customers"], ["tag:nightly"]):
        assert [check.id for check in project.select_checks(select)] == ["no_orphans"]
    assert not [check for check in project.manifest.checks if check.id not in {"no_orphans"}]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("severity='warn'", Status.WARN),
        ("severity='info'", Status.INFO),
        ("error_if='> 1'", Status.WARN),
        ("returns='rows'", Status.FAIL),
    ],
)
def test_a_singular_test_says_how_much_it_matters(make: Callable[..., Any], header: str, status: Status) -> None:
    project = make({**SHOP, "tests/no_orphans.ff.sql": f"{{{{ config({header}) }}}}\n{ORPHANS}"})
    assert outcomes(project.build()) == {"no_orphans": (status, 1)}


def test_one_failing_row_whose_only_column_is_0_is_no_count(make: Callable[..., Any]) -> None:
    project = make(
        {
            **SHOP,
            "tests/zero.ff.sql": "select id * 0 as id from {{ ref('orders') }} where amount < 0",
            "tests/none.ff.sql": "select count(*) from {{ ref('orders') }} where amount > 100",
            "tests/some.ff.sql": "with bad as (select 1 from {{ ref('orders') }} where amount > 0) select count(*) from bad",
            "tests/nothing.ff.sql": "select sum(amount) from {{ ref('orders') }} where amount > 100",
        }
    )
    project.seed()
    project.run()
    assert outcomes(project.test()) == {
        "none": (Status.SUCCESS, 0),
        "nothing": (Status.SUCCESS, 0),
        "some": (Status.FAIL, 2),
        "zero": (Status.FAIL, 1),
    }


BROKEN: Mapping[str, tuple[str, str, int | None, str]] = {
    "column.ff.sql": ("select 1 from {{ ref('orders') }}\nwhere gone > 1", "gone", 2, "FF2102"),
    "negative.ff.sql": ("select -1 * count(*) from {{ ref('orders') }}", "-3", None, ""),
    "text.ff.sql": ("select max(cast(id as varchar)) from {{ ref('orders') }}", "'3'", None, ""),
    "unclear.ff.sql": ("select my_own(id) from {{ ref('orders') }}", "nobody can tell", 1, "FF3042"),
    "deleting.ff.sql": (
        "with a as (delete from {{ ref('orders') }} returning *) select * from a",
        "only reads",
        None,
        "FF3044",
    ),
    "variable.ff.sql": ("select 1 from {{ ref('orders') }}\nwhere id = {{ var('nowhere') }}", "nowhere", 2, "FF1403"),
}


def test_a_broken_check_says_where_and_hides_no_other(make: Callable[..., Any]) -> None:
    files = {f"tests/{name}": text for name, (text, *_) in BROKEN.items()}
    python = """
from flowforge import dq_test


@dq_test()
def raising(executor, table, column, params):
    return deeper(executor)


def deeper(executor):
    raise ZeroDivisionError("oh\\nno")


@dq_test()
def forgetful(executor, table, column, params):
    if executor is None:
        return True, None, None


@dq_test()
def leaving(executor, table, column, params):
    raise SystemExit(3)
    return True, None, None


@dq_test()
def asking(executor, table, column, params):
    return executor.scalar(f"select gone from {table}") is None, None, None


@dq_test()
def writing(executor, table, column, params):
    executor.query(f"drop table {table}")
    return True, None, None
"""
    checks = [f"{{type: {name}, table: orders}}" for name in ("raising", "forgetful", "leaving", "asking", "writing")]
    good = "{type: not_null, table: orders, column: id}"
    project = make({**SHOP, **files, "tests/bad.ff.py": python, "project.yml": declared(*checks, good)})
    project.seed()
    project.run()
    tested = project.test()
    results = {check.check: check for check in tested.checks}
    assert results.pop("not_null_orders_id").status is Status.SUCCESS
    assert {check.status for check in results.values()} == {Status.ERROR}
    assert tested.exit_code == 1
    for name, (_, words, line, code) in BROKEN.items():
        check = results[name.removesuffix(".ff.sql")]
        assert words in (check.message or ""), check
        if code:
            assert check.problem is not None, check
            assert check.problem.code == code
            assert check.problem.location is not None
            assert (check.problem.location.path, check.problem.location.line) == (f"tests/{name}", line)
    said = {name: results[f"{name}_orders"] for name in ("raising", "forgetful", "leaving", "asking", "writing")}
    lines = {
        name: check.problem and check.problem.location and check.problem.location.line for name, check in said.items()
    }
    assert lines == {"raising": 11, "forgetful": 15, "leaving": 22, "asking": 28, "writing": 33}
    assert said["raising"].message == "ZeroDivisionError: oh\\nno"
    assert said["forgetful"].message == "the check 'forgetful' returned None"
    assert said["leaving"].message == "the check called sys.exit(3)"
    assert "gone" in (said["asking"].message or "")
    assert "DROP" in (said["writing"].message or "")


def test_a_broken_check_keeps_rows_from_being_published_and_names_the_others(
    make: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    checks = declared("{type: too_low, table: orders, column: gone}", "{type: too_low, table: orders, column: amount}")
    project = make({**SHOP, "project.yml": checks})
    built = project.build()
    assert built.exit_code == 1
    assert {check.status for check in built.checks} == {Status.ERROR, Status.FAIL}
    (error,) = built.errors
    assert error.code == "FF3004"
    assert error.location is not None
    assert error.location.path == "tests/deep/er/too_low.ff.sql"
    assert [note for note in error.notes if "orders.amount has 1 failing row" in note]
    assert "orders" not in relations(project)


def problems(make: Callable[..., Any], files: Mapping[str, str]) -> list[tuple[str, str, str]]:
    with pytest.raises(FlowForgeError) as caught:
        make({**SHOP, **files})
    errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else (caught.value,)
    return [(error.code, str(error.location), f"{error.message} / {error.help}") for error in errors]


@pytest.mark.parametrize(
    ("check", "place", "words"),
    [
        (
            "{type: at_least, table: orders, column: amount, lest: 1, least: 1}",
            "project.yml:4:53",
            "did you mean 'least'",
        ),
        ("{type: at_least, table: orders, column: amount}", "project.yml:4:5", "the key 'least' is missing"),
        (
            "{type: at_least, table: orders, column: amount, params: {least: 1, strct: true}}",
            "project.yml:4:72",
            "'strict'",
        ),
        ("{type: at_least, table: orders, column: amount, least: 1, strict: 3}", "project.yml:4:71", "true or false"),
        ("{type: at_least, table: orders, column: amount, least: 1, where: 'a; b'}", "project.yml:4:70", "semicolon"),
        ("{type: at_least, table: orders, least: 1}", "project.yml:4:5", "needs a column"),
        ("{type: at_last, table: orders, column: amount}", "project.yml:4:5", "did you mean 'at_least'"),
        ("{type: too_low, column: amount}", "project.yml:4:5", "the key 'table' is missing"),
        (
            "{type: share, table: orders, column: amount, lest: 0.5, least: 1}",
            "project.yml:4:50",
            "did you mean 'least'",
        ),
        ("{type: share, table: orders, column: amount, least: high}", "project.yml:4:57", "number"),
        ("{type: share, table: orders, column: amount, least: 1, error_if: '> 1'}", "project.yml:4:70", "in Python"),
        ("{type: plain, table: orders, column: amount, conditon: x}", "project.yml:4:50", "did you mean 'condition'"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_told_when_the_project_is_loaded(
    make: Callable[..., Any], check: str, place: str, words: str
) -> None:
    found = problems(make, {"project.yml": declared(check)})
    assert any(where == place and words in said for _, where, said in found), found


@pytest.mark.parametrize(
    ("path", "text", "code", "words"),
    [
        ("a.ff.sql", "{{ config(type='a') }} drop table x", "FF1124", "a check is one query"),
        ("a.ff.sql", "{{ config(type='a') }} select 1 from {{ table }}; select 2", "FF1125", "a check is one query"),
        ("a.ff.sql", "{{ config(type='a') }} create table x as select 1", "FF3040", "creates nothing"),
        ("a.ff.sql", "{{ config(typ='a') }} select 1 from {{ ref('orders') }}", "FF3002", "unknown key 'typ'"),
        ("a.ff.sql", "{{ config(type='a') }} select 1", "FF3040", "never reads the table"),
        (
            "a.ff.sql",
            "{{ config(type='a', params=['x']) }} select {{ params.y }} from {{ table }}",
            "FF3040",
            "'y' is not declared",
        ),
        (
            "a.ff.sql",
            "{{ config(type='a', params=['a b']) }} select 1 from {{ table }}",
            "FF3040",
            "name of a parameter",
        ),
        (
            "a.ff.sql",
            "{{ config(type='a', params=['table']) }} select 1 from {{ table }}",
            "FF3040",
            "which all checks have",
        ),
        ("a.ff.sql", "select * from {{ table }}", "FF3040", "without a type"),
        ("a.ff.sql", "select * from {{ ref('order') }}", "FF1203", "did you mean 'orders'"),
        ("a.ff.sql", "select * from {{ this }}", "FF3040", "no table of its own"),
        ("a.ff.sql", "{{ config(severity='bad') }} select 1 from {{ ref('orders') }}", "FF3002", "severity"),
        ("a.ff.sql", "{{ config(limit=10) }} select 1 from {{ ref('orders') }}", "FF3002", "'limit'"),
        ("a.ff.sql", "{{ config(type='unique') }} select 1 from {{ table }}", "FF3041", "built in"),
        ("a.ff.sql", "{{ config(type='too_low') }} select 1 from {{ table }}", "FF3041", "two checks called 'too_low'"),
        ("a.ff.sql", "{% test a(model) %} select 1 {% endtest %}", "FF1401", "config(type="),
        ("a.ff.py", "x = (", "FF1111", "cannot read"),
        ("a.ff.py", "def f(): pass", "FF3040", "carries @dq_test"),
        (
            "a.ff.py",
            "from flowforge import dq_test\n@dq_test\ndef f(executor, table): return 1",
            "FF3040",
            "four arguments",
        ),
        ("a.ff.py", "from flowforge import dq_test\n@dq_test\ndef f(a, b, c, d): pass", "FF3040", "returns nothing"),
        ("a.ff.py", "from flowforge import dq_test\n@dq_test\nasync def f(a, b, c, d): return 1", "FF3040", "async"),
        (
            "a.ff.py",
            "from flowforge import dq_test\nN = 'a'\n@dq_test(N)\ndef f(a, b, c, d): return 1",
            "FF3040",
            "written out",
        ),
        (
            "a.ff.py",
            "from flowforge import dq_test\n@dq_test('a', tags=1)\ndef f(a, b, c, d): return 1",
            "FF3040",
            "'tags'",
        ),
        (
            "a.ff.py",
            "from flowforge import dq_test\n@dq_test('unique')\ndef f(a, b, c, d): return 1",
            "FF3041",
            "built in",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_when_the_project_is_loaded(
    make: Callable[..., Any], path: str, text: str, code: str, words: str
) -> None:
    found = problems(make, {f"tests/{path}": text})
    assert [(one, said) for one, where, said in found if one == code and words in said and "tests/" in where], found


def test_a_check_may_take_the_place_of_a_built_in_one(make: Callable[..., Any]) -> None:
    text = "{{ config(type='unique', overwrite=true) }} select 1 from {{ table }} where {{ column }} = 7"
    project = make(
        {**SHOP, "tests/u.ff.sql": text, "project.yml": declared("{type: unique, table: orders, column: amount}")}
    )
    project.seed()
    project.run()
    assert [(check.status, check.failures) for check in project.test().checks] == [(Status.FAIL, 1)]


def test_names_that_need_quotes_and_texts_that_look_like_sql(make: Callable[..., Any]) -> None:
    column = 'a "b"; drop table raw --'
    files = {
        "models/strange.ff.sql": 'select 1 as "a ""b""; drop table raw --"',
        "tests/same.ff.sql": "{{ config(type='same', params=['text']) }}\n"
        "select 1 from {{ table }} where cast({{ column }} as varchar) = {{ params.text | sql_literal }}",
        "project.yml": declared(
            f"{{type: same, table: strange, column: '{column}', text: \"'; drop table raw --\"}}",
            f"{{type: share, table: strange, column: '{column}', least: 1}}",
        ),
    }
    project = make({**SHOP, **files})
    project.seed()
    project.run()
    tested = project.test()
    assert tested.ok, [check.message for check in tested.checks]


def test_what_was_not_asked_because_another_broke_the_transaction_says_so(make: Callable[..., Any]) -> None:
    """DuckDB has no savepoints: after an error nothing more can be asked of rows that are not published yet."""
    files = {
        "tests/breaking.ff.sql": "{{ config(type='breaking') }} select 1 from {{ table }} where error('oh') is null",
        "project.yml": declared(
            "{type: at_least, table: orders, column: amount, least: -5}",
            "{type: breaking, table: orders}",
            "{type: at_least, table: orders, column: amount, least: 0}",
            "{type: share, table: orders, column: amount, least: 0.5}",
            "{type: not_null, table: orders, column: amount}",
        ),
    }
    project = make({**SHOP, **files})
    built = project.build()
    assert [check.status for check in built.checks] == [
        Status.SUCCESS,
        Status.ERROR,
        Status.SKIPPED,
        Status.SKIPPED,
        Status.SUCCESS,
    ]
    assert built.exit_code == 1
    assert {check.message for check in built.checks if check.status is Status.SKIPPED} == {
        "was not asked, because a check that broke ended the transaction"
    }
    project.run()
    assert [check.status for check in project.test().checks] == [
        Status.SUCCESS,
        Status.ERROR,
        Status.FAIL,
        Status.SUCCESS,
        Status.SUCCESS,
    ]


def test_checks_are_chosen_by_name_type_and_kind(make: Callable[..., Any]) -> None:
    checks = declared(
        "{type: at_least, table: orders, column: amount, least: 0, name: low}",
        "{type: share, table: orders, column: amount, least: 0.5, name: part}",
        "{type: not_null, table: orders, column: amount, name: there}",
    )
    project = make({**SHOP, "project.yml": checks, "tests/lone.ff.sql": ORPHANS})

    def chosen(*select: str, checks: Any = ()) -> list[str]:
        return sorted(check.id for check in project.select_checks(select, checks=checks))

    assert chosen(checks="low") == ["low"]
    assert chosen(checks=["at_least", "th*"]) == ["low", "there"]
    assert chosen("orders", checks="lone") == ["lone"]
    assert chosen("test_type:singular") == ["lone"]
    assert chosen("test_type:python") == ["part"]
    assert chosen("test_type:sql") == ["lone", "low"]
    assert chosen("test_type:generic,test_name:not_null check:part") == ["part", "there"]
    for wrong in ("check:lo", "test_name:not_nul", "test_type:single"):
        with pytest.raises(SelectionError):
            chosen(wrong)


def test_the_lines_of_the_command(make: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = {
        "project.yml": declared(
            "{type: at_least, table: orders, column: amount, least: 0}",
            "{type: share, table: orders, column: amount, least: 0.5, severity: warn}",
        ),
        "tests/lone.ff.sql": ORPHANS,
        "tests/wrong.ff.sql": "select *\nfrom {{ ref('orders') }}\nwhere gone > 1",
    }
    project = make({**SHOP, **files})
    project.seed()
    project.run()
    root = str(project.root)
    project.close()
    capsys.readouterr()
    report = tmp_path / "out" / "checks.xml"
    assert run(["test", root, "--junit", str(report), "--log-format", "github"]) == 1
    out = capsys.readouterr().out
    lines = [re.sub(r" +\(\d+ms\)$", "", line) for line in out.splitlines()]
    assert "❌ at_least           orders.amount" in lines
    assert "   ↳ orders.amount has 1 failing row" in lines
    assert "✅ share              orders.amount" in lines
    assert "❌ singular           lone" in lines
    assert "        3 | where gone > 1" in lines
    assert "✗ failed: 3, of which 1 could not run" in lines
    assert f"::error file={root}/project.yml,line=4,col=5,title=check at_least_orders_amount_" in out
    assert "/tests/wrong.ff.sql,line=3,col=7,title=check wrong::" in out
    cases = {case.get("name"): [child.tag for child in case] for case in ElementTree.parse(report).iter("testcase")}
    assert cases.pop("lone") == ["failure"]
    assert cases.pop("wrong") == ["error"]
    assert sorted(cases.values()) == [[], ["failure"]]
    assert run(["test", root, "--check", "share"]) == 0
    assert run(["test", root, "--check", "lone"]) == 2
    assert run(["test", root, "--check", "nothing"]) == 5


def test_validate_reads_the_templates_of_checks(make: Callable[..., Any]) -> None:
    files = {
        "tests/typo.ff.sql": "select *\nfro {{ ref('orders') }}",
        "tests/unset.ff.sql": "{{ config(type='unset') }} select 1 from {{ table }}\nwhere 1 = {{ var('nowhere') }}",
        "project.yml": declared("{type: unset, table: orders}", "{type: too_low, table: orders, column: amount}"),
    }
    project = make({**SHOP, **files})
    with pytest.raises(ProjectErrors) as caught:
        project.validate()
    assert [(error.code, error.location.path, error.location.line) for error in caught.value.errors] == [
        ("FF1405", "tests/typo.ff.sql", 2),
        ("FF1403", "tests/unset.ff.sql", 2),
    ]


def test_a_secret_is_shown_by_no_check(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "select {{ env('FF_SECRET_WORD') | sql_literal }} as word, gone from {{ ref('orders') }}"
    python = """
from flowforge import dq_test


@dq_test()
def telling(executor, table, column, params):
    import os

    raise ValueError("the word is " + executor.scalar("select 'xyz' || 'zy-17'"))
"""
    files = {
        ".env": "FF_SECRET_WORD=xyzzy-17\n",
        "tests/secret.ff.sql": text,
        "tests/telling.ff.py": python.replace(
            "    raise", "    if column:\n        return True, None, None\n    raise"
        ),
        "project.yml": declared("{type: telling, table: orders}"),
    }
    project = make({**SHOP, **files})
    project.seed()
    project.run()
    tested = project.test()
    assert {check.status for check in tested.checks} == {Status.ERROR}
    for check in tested.checks:
        assert "xyzzy" not in repr(check)
        assert "xyzzy" not in str(check.problem)
    assert "the word is ***" in str([check.message for check in tested.checks])


def test_checks_are_written_in_the_dialect_of_the_project(make: Callable[..., Any]) -> None:
    """In BigQuery's grammar, double quotes are those of texts, and backticks those of names."""
    files = {
        "project.yml": declared(
            "{type: above, table: orders, column: amount, most: 9, where: '\"cust\" = 1'}",
            "{type: above, table: orders, column: amount, most: 99}",
        )
        + "dialect: bigquery\n",
        "models/orders.ff.sql": "select * from {{ ref('raw') }}",
        "tests/above.ff.sql": "{{ config(type='above', params=['most']) }}\n"
        'select {{ column }}, "text" as `a name` from {{ table }} where {{ column }} > {{ params.most }}'
        "{% if where %} and {{ where }}{% endif %}",
    }
    project = make({**SHOP, **files})
    project.validate()
    built = project.build()
    assert [(check.status, check.failures) for check in built.checks] == [(Status.FAIL, 1), (Status.SUCCESS, 0)]


def test_views_are_checked_as_the_queries_that_they_will_be(make: Callable[..., Any]) -> None:
    view = "{{ config(materialized='view') }} select * from {{ ref('raw') }}"
    checks = declared(
        "{type: at_least, table: orders, column: amount, least: 0}",
        "{type: too_low, table: thin, column: amount}",
        "{type: share, table: orders, column: amount, least: 0.5}",
    )
    project = make({**SHOP, "models/orders.ff.sql": view, "project.yml": checks})
    built = project.build()
    assert {check.type: check.status for check in built.checks} == {
        "at_least": Status.FAIL,
        "too_low": Status.FAIL,
        "share": Status.SUCCESS,
    }


PARAMETERS = """
import attrs

from flowforge import DQParamsBase, dq_test

from .shared import Elsewhere


class Base(DQParamsBase):
    least: int = 0


class Derived(Base):
    words: list[str]
    most: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))


@dq_test(params_model=Derived)
def derived(executor, table, column, params):
    return False, f"{params.least} {params['words'][0]} {params.get('most')} {params.get('other', 'no')}", None


@dq_test(params_model=Elsewhere)
def elsewhere(executor, table, column, params):
    return False, f"{params.number:.1f} {column}", None


@dq_test(params_model=dict)
def wrong_class(executor, table, column, params):
    return True, None, None


@dq_test
def passed_on(executor, table, column, params):
    return False, " ".join(f"{name}={params[name]}" for name in sorted(params)), None
"""


def test_parameters_of_functions(make: Callable[..., Any]) -> None:
    files = {
        "tests/p.ff.py": PARAMETERS,
        "tests/shared.py": "import attrs\n\n\n@attrs.frozen\nclass Elsewhere:\n    number: float\n",
        "project.yml": declared(
            "{type: derived, table: orders, words: [a, b], most: 3, name: c1}",
            "{type: derived, table: orders, words: [a], most: -3, name: c2}",
            "{type: elsewhere, table: orders, number: 2, name: c3}",
            "{type: elsewhere, table: orders, nmber: 2, column: id, name: c4}",
            "{type: wrong_class, table: orders, name: c5}",
            "{type: passed_on, table: orders, x: 1, y: two, name: c6}",
        ),
    }
    project = make({**SHOP, **files})
    project.seed()
    project.run()
    tested = {check.check: check for check in project.test().checks}
    assert tested["c1"].message == "orders: 0 a 3 no"
    assert tested["c3"].message == "orders: 2.0 None"
    assert tested["c6"].message == "orders: x=1 y=two"
    for name, words in (("c2", "'most' is not valid"), ("c4", "unknown key 'nmber'"), ("c5", "no class of parameters")):
        assert tested[name].status is Status.ERROR
        problem = tested[name].problem
        assert words in str(getattr(problem, "errors", (problem,))[0]), problem
    found = problems(
        make,
        {
            **files,
            "project.yml": declared("{type: derived, table: orders, words: a}", "{type: derived, table: orders}"),
        },
    )
    assert [place for _, place, _ in found] == ["project.yml:4:43", "project.yml:5:5"]
