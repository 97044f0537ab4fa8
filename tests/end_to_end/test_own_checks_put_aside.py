"""Checks that a project brings itself put rows aside and store them, wherever they say which rows fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge.api.quarantine import Choice, quarantines, release
from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.options import RunOptions

RAW = "id,amount,note\n1,10,a\n2,-5,\n3,,c\n4,-7,d\n4,8,e\n"
WHOLE = "{{ config(type='own') }} select * from {{ table }} where {{ column }} < 0 {% if where %} and {{ where }} {% endif %}"
BY_KEY = "{{ config(type='own', key='id') }} select id from {{ table }} group by id having min({{ column }}) < 0"
CONDITION = "{{ config(type='own', params=[{'least': 0}], returns='condition') }}\n-- too low; isn't it\n{{ column }} < {{ params.least }}\n"
PYTHON = """
from flowforge import dq_test


@dq_test("own", key="*")
def own(executor, table, column, params):
    sql = f"select * from {table} where {column} < 0"
    return not executor.rows(sql), "some are too low", sql
"""
SINGULAR = "{{ config(on_fail='quarantine') }} select * from {{ ref('orders') }} where amount < 0"
SINGULAR_BY_KEY = (
    "{{ config(on_fail='quarantine', key='id', rows_of='orders', name='own') }}\n"
    "select o.id from {{ ref('orders') }} o join {{ ref('bad') }} b on b.id = o.id"
)
FORMS: dict[str, tuple[Mapping[str, str], list[int]]] = {
    "whole rows": ({"tests/own.ff.sql": WHOLE}, [2, 4]),
    "key": ({"tests/own.ff.sql": BY_KEY}, [2, 4, 4]),
    "condition": ({"tests/own.ff.sql": CONDITION}, [2, 4]),
    "python": ({"tests/own.ff.py": PYTHON}, [2, 4]),
    "singular": ({"tests/own.ff.sql": SINGULAR}, [2, 4]),
    "singular by key": (
        {"tests/own.ff.sql": SINGULAR_BY_KEY, "seeds/bad.csv": "id\n3\n9\n"},
        [3],
    ),
}


def declared(more: str = "") -> str:
    return (
        "version: 1\nmodels:\n  - name: orders\n    columns:\n      - name: amount\n        checks:\n"
        f"          - own: {{name: own, on_fail: quarantine{more}}}\n"
    )


def shop(files: Mapping[str, str], yaml: str | None = None) -> dict[str, str]:
    singular = any("on_fail=" in text for text in files.values())
    checks = {} if singular else {"models/checks.yml": yaml or declared()}
    return {"seeds/raw.csv": RAW, "models/orders.ff.sql": "select * from {{ ref('raw') }}", **checks, **files}


def held(project: Any) -> list[tuple[str, int, int, Mapping[str, int]]]:
    return [(one.node, one.rows, one.released, dict(one.reasons)) for one in quarantines(project)]


def flaws(make: Callable[..., Any], files: Mapping[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(FlowForgeError) as caught:
        make(files)
    return [(one.code, str(one.location)) for one in getattr(caught.value, "errors", (caught.value,))]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_puts_its_rows_aside(make: Callable[..., Any], rows: Callable[..., Any], form: str) -> None:
    files, bad = FORMS[form]
    project = make(shop(files))
    result = project.build()
    assert result.exit_code == 0, result.errors
    assert result.quarantined == len(bad)
    kept = [row[0] for row in rows(project, "_ff_quarantine_orders")]
    assert sorted(kept) == bad
    assert len(rows(project, "orders")) + len(kept) == 5
    assert [(check.check, check.status, check.failures) for check in result.checks] == [("own", Status.WARN, len(bad))]
    again = project.build()
    assert {node.status for node in again.nodes} == {Status.CACHED}, [node.reason for node in again.nodes]
    assert project.test().ok
    assert release(project, "orders", Choice(everything=True)) == len(bad)
    third = project.build()
    assert third.exit_code == 0, third.errors
    assert len(rows(project, "orders")) == 5
    assert held(project) == []
    tested = project.test()
    assert tested.ok, [check.message for check in tested.checks]


@pytest.mark.parametrize("form", ["whole rows", "condition", "python", "singular"])
def test_what_a_check_says_is_part_of_the_model(make: Callable[..., Any], rows: Callable[..., Any], form: str) -> None:
    files, bad = FORMS[form]
    project = make(shop(files))
    assert project.build().quarantined == len(bad)
    changed = {path: text.replace("< 0", "< -6").replace("'least': 0", "'least': -6") for path, text in files.items()}
    assert changed != files
    project = make(shop(changed))
    assert project.build().exit_code == 0
    assert [row[0] for row in rows(project, "_ff_quarantine_orders")] == [4]


@pytest.mark.parametrize("form", FORMS)
def test_failing_rows_are_stored(make: Callable[..., Any], rows: Callable[..., Any], relations: Any, form: str) -> None:
    files, bad = FORMS[form]
    softer = {
        path: re.sub(r"on_fail='quarantine'(, key='id', rows_of='orders')?", "on_fail='warn'", text)
        for path, text in files.items()
    }
    yaml = declared().replace("on_fail: quarantine", "on_fail: warn")
    project = make(shop(softer, yaml))
    assert project.build().exit_code == 0
    result = project.test(options=RunOptions(store_failures=True))
    (stored,) = (check.stored for check in result.checks)
    assert stored is not None
    name = stored.removeprefix("main.")
    assert sorted({row[0] for row in rows(project, name)}) == sorted(set(bad))
    (failures,) = (check.failures for check in result.checks)
    assert failures == len(rows(project, name))
    assert name in ("_ff_failures_own", "_ff_failures_orders_own")
    better = make({**shop(softer, yaml), "seeds/raw.csv": "id,amount,note\n1,10,a\n"})
    assert better.build().exit_code == 0
    assert better.test(options=RunOptions(store_failures=True)).ok
    assert not [one for one in relations(better) if one.startswith("_ff_failures")]


def test_any_columns_are_stored(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    project = make({
        "seeds/raw.csv": RAW,
        "models/orders.ff.sql": "select * from {{ ref('raw') }}",
        "tests/few.ff.sql": "select note, count(*) as n from {{ ref('orders') }} group by note -- all of them",
    })  # fmt: skip
    assert project.build(options=RunOptions(store_failures=True)).exit_code == 2
    assert len(rows(project, "_ff_failures_few")) == 5


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "a number": ({"tests/own.ff.sql": "{{ config(type='own', returns='count') }} select count({{ column }}) from {{ table }}"}, "FF3068", "a number"),
    "some rows": ({"tests/own.ff.sql": "{{ config(type='own') }} select {{ column }} from {{ table }}"}, "FF3068", "which rows"),
    "a join": ({"tests/own.ff.sql": "{{ config(type='own') }} select * from {{ table }} join other using (id) where {{ column }} < 0"}, "FF3068", "which rows"),
    "a verdict": ({"tests/own.ff.py": PYTHON.replace(', key="*"', "")}, "FF3068", "not which rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_who_names_no_rows_is_refused_when_the_project_is_loaded(make: Callable[..., Any], case: str) -> None:
    files, code, word = REFUSED[case]
    with pytest.raises(FlowForgeError) as caught:
        make(shop(files))
    (error,) = getattr(caught.value, "errors", (caught.value,))
    assert error.code == code
    assert word in error.message
    assert str(error.location).startswith("models/checks.yml:7:")
    assert "declared at tests/own.ff" in str(error.notes)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ config(on_fail='quarantine') }} select count(*) from {{ ref('orders') }} where amount < 0", "FF3068"),
        (
            "{{ config(on_fail='quarantine', key='id') }} select id from {{ ref('orders') }} join {{ ref('raw') }} using (id)",
            "FF3068",
        ),
        ("{{ config(on_fail='quarantine', key='id', rows_of='ordres') }} select id from {{ ref('orders') }}", "FF3068"),
        ("{{ config(on_fail='quarantine', severity='warn') }} select * from {{ ref('orders') }}", "FF3040"),
        ("{{ config(key='id') }} select * from {{ ref('orders') }}", "FF3040"),
        ("{{ config(rows_of='orders') }} select * from {{ ref('orders') }}", "FF3040"),
        ("{{ config(on_fail='quarantine') }} select * from {{ ref('raw') }}", "FF3021"),
        ("{{ config(type='own', key=['id', 'id']) }} select * from {{ table }}", "FF3040"),
        ("{{ config(type='own', key=['*', 'id']) }} select * from {{ table }}", "FF3040"),
        ("{{ config(type='own', key='id', returns='count') }} select count(*) from {{ table }}", "FF3040"),
    ],
)
def test_headers_that_make_no_sense(make: Callable[..., Any], text: str, code: str) -> None:
    found = flaws(
        make, {"seeds/raw.csv": RAW, "models/orders.ff.sql": "select * from {{ ref('raw') }}", "tests/t.ff.sql": text}
    )
    assert [(code_, place.split(":")[0]) for code_, place in found] == [(code, "tests/t.ff.sql")]


@pytest.mark.parametrize("key", ["5", "[]", "['a', 'a']", "['*', 'a']", "name"])
def test_a_key_of_a_function_is_written_out(make: Callable[..., Any], key: str) -> None:
    found = flaws(make, {"seeds/raw.csv": RAW, "tests/own.ff.py": PYTHON.replace('key="*"', f"key={key}")})
    assert found == [("FF3040", "tests/own.ff.py:5:21")]


STRANGE: dict[str, tuple[Mapping[str, str], str, str]] = {
    "other rows": ({"tests/own.ff.sql": "{{ config(type='own', key='id') }} select id + 100 as id, {{ column }} from {{ table }}"}, "FF3069", "5 rows of its answer are not in the table"),
    "other columns": ({"tests/own.ff.sql": "{{ config(type='own', key='*') }} select id, {{ column }} from {{ table }}"}, "FF3069", "no column 'note'"),
    "no such key": ({"tests/own.ff.sql": "{{ config(type='own', key='ident') }} select id, {{ column }} from {{ table }}"}, "FF3069", "no column 'ident'"),
    "broken": ({"tests/own.ff.sql": "{{ config(type='own', key='id') }} select id from {{ table }} where nothing < {{ column }}"}, "FF3004", "nothing"),
    "no statement": ({"tests/own.ff.py": PYTHON.replace('"some are too low", sql', "'bad', None")}, "FF3069", "and not which: bad"),
    "no query": ({"tests/own.ff.py": PYTHON.replace('"some are too low", sql', "'bad', 'drop table x'")}, "FF3044", "DROP"),
    "an exception": ({"tests/own.ff.py": PYTHON.replace("    return", "    1 / 0\n    return")}, "FF3043", "ZeroDivisionError"),
    "no condition": ({"tests/own.ff.sql": "{{ config(type='own', returns='condition') }} {{ column }} < 0) or (1 = 1"}, "FF3040", "parenthesis"),
    "two conditions": ({"tests/own.ff.sql": "{{ config(type='own', returns='condition') }} {{ column }} < 0 {{ ';' }} select 1"}, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", STRANGE)
def test_an_answer_that_means_nothing_publishes_nothing(
    make: Callable[..., Any], relations: Callable[..., Any], case: str
) -> None:
    files, code, word = STRANGE[case]
    project = make(shop(files))
    result = project.build()
    assert result.exit_code == 1
    (error,) = result.errors
    assert not code or error.code == code
    assert word in error.message
    assert error.location is not None
    assert not set(relations(project)) & {"orders", "_ff_quarantine_orders"}


def test_equal_rows_share_their_fate_and_null_is_a_value(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    text = "{{ config(type='own', key=['id', 'note']) }} select id, note, {{ column }} from {{ table }} where note is null limit 1"
    project = make({**shop({"tests/own.ff.sql": text}), "seeds/raw.csv": "id,amount,note\n,1,\n,1,\n,2,\n1,1,\n,5,x\n"})
    text_ = project.build()
    assert text_.exit_code == 0, text_.errors
    held_rows = rows(project, "_ff_quarantine_orders")
    assert len(held_rows) in (1, 3)  # the row that LIMIT chose, with all that are equal to it in the key
    assert len({row[0] for row in held_rows}) == 1


def test_a_share_of_the_rows_is_a_limit(make: Callable[..., Any], relations: Callable[..., Any]) -> None:
    project = make(shop(FORMS["python"][0], declared(", error_if: '> 30%'")))
    result = project.build()
    assert result.exit_code == 2
    assert "2 of 5 rows" in str(result.errors[0].notes)
    assert "orders" not in relations(project)
    soft = declared(", error_if: '> 30%'").replace("on_fail: quarantine", "severity: error")
    for form in ("python", "whole rows", "condition"):
        files = FORMS[form][0]
        assert make(shop(files, soft), name=form).build().exit_code == 2
        hard = make(shop(files, soft.replace("30%", "50%")), name=form)
        assert hard.build().exit_code == 0
        assert [check.status for check in hard.test().checks] == [Status.WARN]


def test_conditions_share_the_scan_and_take_where(make: Callable[..., Any]) -> None:
    yaml = (
        "version: 1\nmodels:\n  - name: orders\n    columns:\n      - name: amount\n        checks:\n"
        "          - own: {name: a, severity: warn}\n          - own: {name: b, severity: warn, where: id = 2}\n"
        "          - own: {name: c, severity: warn, least: -100}\n"
    )
    project = make(shop(FORMS["condition"][0], yaml))
    assert project.build().exit_code == 0
    found = {check.check: (check.status, check.failures) for check in project.test().checks}
    assert found == {"a": (Status.WARN, 2), "b": (Status.WARN, 1), "c": (Status.SUCCESS, 0)}


@pytest.mark.parametrize("word", ["start", "comment", "end", "replace(note, 'a', 'b') = 'b' or amount"])
def test_a_condition_may_begin_with_the_word_of_a_statement(make: Callable[..., Any], word: str) -> None:
    text = f"{{{{ config(type='own', params=['column'], returns='condition') }}}}\n{word} < 0"
    quoted = {"start": "start", "comment": "comment"}.get(word)
    name = quoted or ("end" if word == "end" else "amount")
    if word == "end":
        text = text.replace("\nend", '\n"end"')
    project = make(
        {
            **shop({"tests/own.ff.sql": text}),
            "models/orders.ff.sql": f"select id, note, amount as \"{name}\" from {{{{ ref('raw') }}}}",
        }
    )
    result = project.build()
    assert result.exit_code == 0, result.errors
    assert result.quarantined >= 2


def test_an_incremental_model_parts_its_new_rows(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    model = "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('raw') }}"
    files = {**shop(FORMS["whole rows"][0]), "models/orders.ff.sql": model}
    first = make({**files, "seeds/raw.csv": "id,amount,note\n1,10,a\n2,-5,b\n"})
    assert first.build().quarantined == 1
    second = make({**files, "seeds/raw.csv": "id,amount,note\n2,5,b\n3,-5,c\n"})
    assert second.build().exit_code == 0
    assert rows(second, "orders") == [(1, 10, "a"), (2, 5, "b")]
    assert [row[0] for row in rows(second, "_ff_quarantine_orders")] == [3]


def test_other_tables_of_a_check_make_the_model_out_of_date(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    text = "{{ config(type='own', key='*') }} select t.* from {{ table }} t join {{ ref('bad') }} b on b.id = t.id and {{ column }} < 99"
    files = shop({"tests/own.ff.sql": text, "seeds/bad.csv": "id\n1\n"})
    assert make(files).build().quarantined == 1
    project = make({**files, "seeds/bad.csv": "id\n3\n4\n"})
    assert project.build().exit_code == 0
    assert len(rows(project, "_ff_quarantine_orders")) == 2
    changed = make({**files, "seeds/bad.csv": "id\n8\n"})
    assert changed.build().exit_code == 0
    assert len(rows(changed, "orders")) == 5


def test_a_model_says_it_for_its_own_checks(make: Callable[..., Any]) -> None:
    yaml = declared().replace(", on_fail: quarantine", "")
    model = "{{ config(on_fail='quarantine') }} select * from {{ ref('raw') }}"
    project = make({**shop(FORMS["whole rows"][0], yaml), "models/orders.ff.sql": model})
    assert project.build().quarantined == 2


def test_secrets_are_not_shown(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    text = "{{ config(type='own', returns='condition') }} {{ column }} < {{ env('FF_SECRET_LOW') }}"
    yaml = declared().replace("on_fail: quarantine", "on_fail: warn")
    project = make(shop({"tests/own.ff.sql": text, ".env": "FF_SECRET_LOW=-6\n"}, yaml))
    result = project.build(options=RunOptions(store_failures=True))
    (check,) = result.checks
    assert check.failures == 1
    assert "-6" not in str(check.sql)
    assert [row[0] for row in rows(project, "_ff_failures_orders_own")] == [4]
