"""Whole projects on DuckDB, through the Python API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import AuditFailedError, NothingSelectedError, RequiredColumnsError
from flowforge.events import Event, NodeFinished, RunFinished, RunStarted, Status
from flowforge.run.options import RunOptions
from flowforge.run.scheduler import FailPolicy

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]
Relations = Callable[[Project], dict[str, str]]

PANDAS = "from flowforge import model\n\n"


def test_seeds_sources_models_and_views_build_in_order(make: Make, rows: Rows, relations: Relations) -> None:
    project = make(
        {
            "seeds/raw_users.csv": "id,email\n1,a@x.org\n2,\n",
            "sources.yml": "crm: {users: {identifier: raw_users}}\n",
            "models/users.ff.sql": "{{ config(materialized='view') }}\nselect * from {{ source('crm', 'users') }}",
            "models/flagged.ff.py": PANDAS
            + "@model(deps=['users'])\ndef f(users):\n    users['has'] = users['email'].notna()\n    return users\n",
            "models/total.ff.sql": "select count(*) as n, sum(id) as s from {{ ref('flagged') }} where has",
        }
    )
    result = project.build()
    assert result.ok
    assert [node.node for node in result.nodes] == ["raw_users", "users.ff", "flagged.ff", "total.ff"]
    assert rows(project, "total") == [(1, 1)]
    assert rows(project, "flagged") == [(1, "a@x.org", True), (2, None, False)]
    kinds = relations(project)
    assert kinds == {
        "_ff_meta": "table",
        "raw_users": "table",
        "users": "view",
        "flagged": "table",
        "total": "table",
    }
    with project.executor.session(label="test") as session:
        meta = session.query("SELECT node_name, relation, rows, run_id FROM _ff_meta").read_all().to_pylist()
    assert {(row["node_name"], row["relation"], row["rows"]) for row in meta} == {
        ("raw_users", "raw_users", 2),
        ("users.ff", "users", None),
        ("flagged.ff", "flagged", 2),
        ("total.ff", "total", 1),
    }
    assert {row["run_id"] for row in meta} == {result.run_id}


def test_the_owners_own_bodies_work(make: Make, relations: Relations) -> None:
    project = make(
        {
            "models/users.ff.sql": "-- the demo\ncreate or replace table users as\nselect 1 as id;\n",
            "models/renamed.ff.sql": "create view other_name as select id from {{ ref('users.ff') }}",
        }
    )
    assert project.build().ok
    assert {"users": "table", "other_name": "view"}.items() <= relations(project).items()


def test_a_model_changes_between_table_and_view(make: Make, rows: Rows, relations: Relations) -> None:
    for kind in ("table", "view", "table", "view"):
        project = make(
            {
                "models/a.ff.sql": f"{{{{ config(materialized='{kind}') }}}} select 1 as x",
                "models/b.ff.sql": "{{ config(materialized='view') }} select x + 1 as y from {{ ref('a') }}",
            }
        )
        assert project.run().ok
        assert relations(project)["a"] == kind
        assert rows(project, "b") == [(2,)]
        project.close()


def test_python_views_and_several_inputs(make: Make, rows: Rows, relations: Relations) -> None:
    project = make(
        {
            "models/a.ff.sql": "select 1 as x",
            "models/b.ff.sql": "{{ config(materialized='ephemeral') }} select 2 as x",
            "models/by_position.ff.py": PANDAS
            + "@model(deps=['b', 'a'], materialized='view')\ndef f(b, a):\n    a['from_b'] = b['x']\n    return a\n",
            "models/by_name.ff.py": PANDAS
            + "@model(deps=['b', 'a'])\ndef f(inputs):\n    assert sorted(inputs) == ['a', 'b']\n    return inputs['a']\n",
            "models/arrow.ff.py": PANDAS
            + "import pyarrow as pa\n\n@model(deps=['a'], frame='arrow')\ndef f(a):\n    assert isinstance(a, pa.Table)\n    return a\n",
            "models/none.ff.py": PANDAS
            + "import pandas\n\n@model\ndef f():\n    return pandas.DataFrame({'n': [1]})\n",
        }
    )
    result = project.run()
    assert [str(error) for error in result.errors] == []
    assert rows(project, "by_position") == [(1, 2)]
    assert relations(project)["by_position"] == "view"
    assert project.run().ok  # over what stands there
    assert rows(project, "none") == [(1,)]


def test_whole_numbers_with_gaps_stay_exact_through_pandas(make: Make, rows: Rows) -> None:
    big = 2**53 + 1
    project = make(
        {
            "models/a.ff.sql": f"select {big}::bigint as n union all select null",
            "models/b.ff.py": PANDAS + "@model(deps=['a'])\ndef f(a):\n    return a\n",
        }
    )
    assert project.run().ok
    assert rows(project, "b") == [(big,), (None,)]


def test_ephemeral_models_are_put_in_front(make: Make, rows: Rows, relations: Relations) -> None:
    project = make(
        {
            "models/one.ff.sql": "{{ config(materialized='ephemeral') }} select 1 as x",
            "models/two.ff.sql": "{{ config(materialized='ephemeral') }} select x + 1 as x from {{ ref('one') }}",
            "models/three.ff.sql": "with one as (select * from {{ ref('one') }})\n"
            "select t.x + one.x as x from {{ ref('two') }} as t, one",
        }
    )
    assert project.run().ok
    assert rows(project, "three") == [(3,)]
    assert "one" not in relations(project)


def test_an_error_names_the_line_of_the_model_that_made_the_text(make: Make) -> None:
    project = make(
        {
            "models/inner.ff.sql": "{{ config(materialized='ephemeral') }}\nselect\n  1 as x,\n  wrong_one as y",
            "models/outer.ff.sql": "select *\nfrom {{ ref('inner') }}",
            "models/loop.ff.sql": "select 1 as a\n{% for n in [1, 2] %}\nunion all select nope_{{ n }}\n{% endfor %}",
        }
    )
    result = project.run(options=RunOptions(policy=FailPolicy.KEEP_GOING))
    places = {error.location.path: error.location.line for error in result.errors if error.location}
    assert places == {"models/inner.ff.sql": 4, "models/loop.ff.sql": 3}
    assert result.exit_code == 1


def test_a_failed_model_keeps_its_old_table_and_stops_only_what_depends_on_it(
    make: Make, rows: Rows, relations: Relations
) -> None:
    files = {
        "models/a.ff.sql": "select 1 as x",
        "models/b.ff.sql": "select x from {{ ref('a') }}",
        "models/c.ff.sql": "select 3 as z",
    }
    project = make(files)
    assert project.run().ok
    project.close()
    project = make({**files, "models/a.ff.sql": "select 1 / 'x' as x", "models/c.ff.sql": "select 4 as z"})
    result = project.run(options=RunOptions(policy=FailPolicy.KEEP_GOING))
    assert {node.node: node.status for node in result.nodes} == {
        "a.ff": Status.ERROR,
        "b.ff": Status.SKIPPED,
        "c.ff": Status.SUCCESS,
    }
    assert rows(project, "a") == [(1,)]
    assert rows(project, "c") == [(4,)]
    assert not [name for name in relations(project) if name.startswith("ff__")]


def test_build_publishes_nothing_that_fails_a_check(make: Make, rows: Rows) -> None:
    checks = "version: 1\nmodels: [{name: a, columns: [{name: x, tests: [not_null, {unique: {severity: warn}}]}]}]\n"
    files = {"models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select x from {{ ref('a') }}"}
    project = make({**files, "models/a.yml": checks})
    assert project.build().ok
    project.close()
    project = make({**files, "models/a.ff.sql": "select null::int as x union all select null"})
    result = project.build()
    assert result.exit_code == 2
    assert [type(error) for error in result.errors] == [AuditFailedError]
    assert {check.type: check.status for check in result.checks} == {
        "not_null": Status.FAIL,
        "unique": Status.WARN,
    }
    assert {node.node: node.status for node in result.nodes} == {"a.ff": Status.FAIL, "b.ff": Status.SKIPPED}
    assert rows(project, "a") == [(1,)]
    assert project.test().exit_code == 0  # what stands there is still good
    run = project.run()  # run does not check, and says so by not doing it
    assert run.ok
    assert project.test().exit_code == 2


def test_a_broken_check_stops_the_build_and_is_no_failure_of_data(make: Make, relations: Relations) -> None:
    project = make(
        {
            "models/a.ff.sql": "select 1 as x",
            "models/a.yml": "version: 1\nmodels: [{name: a, columns: [{name: missing, tests: [not_null]}]}]\n",
        }
    )
    result = project.build()
    assert result.exit_code == 1
    assert "a" not in relations(project)
    assert project.run().ok
    tested = project.test()
    assert tested.exit_code == 1
    assert "missing" in (tested.checks[0].message or "")


def test_checks_of_ephemeral_models_and_of_foreign_tables_run_too(make: Make) -> None:
    project = make(
        {
            "models/e.ff.sql": "{{ config(materialized='ephemeral') }} select null as x",
            "models/e.yml": "version: 1\nmodels: [{name: e, columns: [{name: x, tests: [not_null]}]}]\n",
            "models/a.ff.sql": "select * from {{ ref('e') }}",
        }
    )
    result = project.build()
    assert [(check.table, check.status) for check in result.checks] == [("e", Status.FAIL)]
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "returned nothing"),
        ("return 5", "returned a int"),
        ("raise ValueError('broken on purpose')", "ValueError: broken on purpose"),
        ("import sys; sys.exit(0)", "sys.exit(0)"),
        ("return a[[]]", "no columns"),
        ("a.columns = [1]; return a", "called 1"),
        ("import pandas; return pandas.concat([a, a], axis=1)", "two columns called 'x'"),
        ("a['m'] = [[1]]; a['m'] = a['m'].astype(object); a.loc[1] = [2, 'text']; return a", "mixes types"),
    ],
)
def test_python_models_that_misbehave_are_named(make: Make, body: str, words: str, relations: Relations) -> None:
    project = make(
        {
            "models/a.ff.sql": "select 1 as x",
            "models/p.ff.py": PANDAS + f"@model(deps=['a'])\ndef f(a):\n    {body}\n",
        }
    )
    result = project.run()
    assert result.exit_code == 1
    (error,) = result.errors
    assert words in error.message
    assert error.location is not None
    assert error.location.path == "models/p.ff.py"
    assert "p" not in relations(project)


def test_required_columns_are_checked_before_the_call(make: Make) -> None:
    project = make(
        {
            "models/a.ff.sql": "select 1 as x",
            "models/p.ff.py": PANDAS
            + "@model(deps=['a'], requires={'a': {'x', 'y'}})\ndef f(a):\n    raise AssertionError\n",
        }
    )
    (error,) = project.run().errors
    assert isinstance(error, RequiredColumnsError)
    assert "column y" in error.message


def test_two_projects_in_one_process_stay_apart(make: Make, rows: Rows) -> None:
    files = {
        "models/lib.py": "V = 1\n",
        "models/p.ff.py": PANDAS
        + "import pandas\nfrom .lib import V\n\n@model\ndef f():\n    return pandas.DataFrame({'v': [V]})\n",
    }
    one = make(files, "one")
    two = make({**files, "models/lib.py": "V = 2\n"}, "two")
    assert one.run().ok
    assert two.run().ok
    assert (rows(one, "p"), rows(two, "p")) == ([(1,)], [(2,)])


def test_an_in_memory_database_lives_as_long_as_the_project(make: Make) -> None:
    project = make(
        {
            "profiles.yml": "dev: {engine: duckdb}\n",
            "seeds/s.csv": "a\n1\n",
            "models/m.ff.sql": "select a + 1 as b from {{ ref('s') }}",
        }
    )
    assert project.seed().ok
    assert project.run().ok
    assert project.show("m").to_pylist() == [{"b": 2}]


def test_events_tell_the_whole_story(make: Make) -> None:
    project = make({"models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select x from {{ ref('a') }}"})
    events: list[Event] = []
    project.run(listener=events.append)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    finished = [event for event in events if isinstance(event, NodeFinished)]
    assert [(event.node, event.rows, event.index, event.total) for event in finished] == [
        ("a", 1, 1, 2),
        ("b", 1, 2, 2),
    ]
    assert finished[1].sql is not None
    assert "select x from" in finished[1].sql


def test_nothing_selected_is_an_error_of_its_own(make: Make) -> None:
    project = make({"models/a.ff.sql": "select 1 as x"})
    with pytest.raises(NothingSelectedError):
        project.seed()
    with pytest.raises(NothingSelectedError):
        project.run("z*")


def test_parallel_nodes_do_not_disturb_each_other(make: Make, rows: Rows) -> None:
    models = {f"models/m{index}.ff.sql": f"select {index} as x from range(1000)" for index in range(40)}
    union = " union all ".join(f"select x from {{{{ ref('m{index}') }}}}" for index in range(40))
    project = make({**models, "models/all.ff.sql": f"select sum(x) as s from ({union})"})
    for _ in range(3):
        assert project.run(jobs=8).ok
        assert rows(project, '"all"') == [(sum(range(40)) * 1000,)]


def test_a_schema_of_its_own(make: Make, rows: Rows) -> None:
    project = make({"models/a.ff.sql": "{{ config(schema='mart', alias='A Table') }} select 1 as x"})
    assert project.run().ok
    assert rows(project, 'main_mart."A Table"') == [(1,)]


def test_an_input_that_was_never_built_is_named_and_a_missing_column_is_not_mistaken_for_one(make: Make) -> None:
    project = make({"seeds/s.csv": "a\n1\n", "models/m.ff.sql": "select a from {{ ref('s') }}"})
    (error,) = project.run().errors
    assert error.help == "s was never built: `flowforge build -s +m` builds what it needs"
    project.close()
    project = make({"models/m.ff.sql": "select b from {{ ref('s') }}"})
    assert project.seed().ok
    (error,) = project.run().errors
    assert "never built" not in (error.help or "")
