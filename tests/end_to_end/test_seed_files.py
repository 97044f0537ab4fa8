"""Seeds of every kind in whole projects: what stands in the database, what is loaded again, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import NothingSelectedError
from flowforge.run.options import RunOptions

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]
Relations = Callable[[Project], dict[str, str]]

PROJECT = "name: shop\nversion: 1\n"


@pytest.fixture
def edit(make: Make) -> Make:
    """Makes the project again, with some of its files changed."""
    files: dict[str, str] = {}

    def again(changed: dict[str, str] | None = None) -> Project:
        files.update(changed or {})
        return make(files)

    return again


def statuses(project: Project, command: str = "build", **options: Any) -> dict[str, str]:
    with project:
        result = getattr(project, command)(**options)
    return {node.node.removesuffix(".ff"): node.status.value for node in result.nodes}


def test_every_kind_of_seed_becomes_a_table(make: Make, rows: Rows, relations: Relations) -> None:
    project = make(
        {
            "project.yml": PROJECT + "vars: {top: 2}\n",
            "seeds/a.csv": "id,zip\n1,00123\n",
            "seeds/b.tsv": "id\tname\n1\tx y\n",
            "seeds/c.jsonl": '{"id": 9007199254740993, "tags": ["x", null]}\n{"id": 2, "at": {"x": 0.5}}\n',
            "seeds/d.sql": "values (1, 'x'), ({{ var('top') }}, 'y')",
            "seeds/e.ndjson": '{"id": "007"}\n',
            "models/m.ff.sql": "select count(*) as n from {{ ref('a') }}, {{ ref('d') }}",
        }
    )
    assert project.build().ok
    assert rows(project, "a") == [(1, "00123")]
    assert rows(project, "b") == [(1, "x y")]
    assert rows(project, "c") == [(2, None, {"x": 0.5}), (2**53 + 1, ["x", None], None)]
    assert rows(project, "d") == [(1, "x"), (2, "y")]
    assert rows(project, "e") == [("007",)]
    assert rows(project, "m") == [(2,)]
    assert set(relations(project).values()) == {"table"}


def test_a_seed_is_loaded_again_when_its_file_or_its_settings_change(edit: Make, tmp_path: Path) -> None:
    files = {
        "project.yml": PROJECT + "vars: {top: 2}\n",
        "seeds/a.csv": "a,b\nNA,1\n",
        "seeds/q.sql": "select {{ var('top') }} as n",
        "models/m.ff.sql": "select a from {{ ref('a') }}",
        "models/k.ff.sql": "select n from {{ ref('q') }}",
    }
    assert set(statuses(edit(files)).values()) == {"success"}
    assert set(statuses(edit()).values()) == {"cached"}
    null = {
        "project.yml": PROJECT + "vars: {top: 2}\nseeds: {+null_values: [NA]}\n",
        "seeds/q.sql": files["seeds/q.sql"],
    }
    null["project.yml"] = PROJECT + "vars: {top: 2}\nseeds: {a: {+null_values: [NA]}}\n"
    assert statuses(edit(null)) == {"a": "success", "m": "success", "q": "cached", "k": "cached"}
    assert set(statuses(edit()).values()) == {"cached"}
    more = {"project.yml": PROJECT + "vars: {top: 3}\nseeds: {a: {+null_values: [NA], +tags: [x]}}\n"}
    assert statuses(edit(more)) == {"a": "cached", "m": "cached", "q": "success", "k": "success"}


def test_the_columns_of_a_load_do_not_make_every_run_a_load(edit: Make, rows: Rows) -> None:
    files = {
        "project.yml": PROJECT + "seeds: {+loaded_columns: true}\n",
        "seeds/raw/a.csv": "a\n1\n2\n",
        "seeds/q.sql": "select 1 as n",
        "models/m.ff.sql": "select max(_ff_loaded_at) as at from {{ ref('a') }}",
    }
    before = dt.datetime.now(dt.UTC)
    project = edit(files)
    assert project.build().ok
    first, second = rows(project, "a")
    assert first[0] == 1
    assert first[1] == second[1]
    assert before <= first[1] <= dt.datetime.now(dt.UTC)
    assert first[2:] == ("raw/a", "seeds/raw/a.csv")
    assert [row[2:] for row in rows(project, "q")] == [("q", "seeds/q.sql")]
    assert rows(project, "m") == [(first[1],)]
    project.close()
    assert set(statuses(edit()).values()) == {"cached"}
    # What is loaded again has another time, and whoever reads it is built again.
    assert statuses(edit(), "seed", select="a", options=RunOptions(full_refresh=True)) == {"a": "success"}
    project = edit()
    assert {node.node: node.status.value for node in project.build().nodes} == {
        "a": "cached",
        "q": "cached",
        "m.ff": "success",
    }
    assert rows(project, "m") == [(rows(project, "a")[0][1],)]
    assert rows(project, "m") != [(first[1],)]


def test_no_path_of_this_machine_is_written_into_a_table(make: Make, rows: Rows, tmp_path: Path) -> None:
    """A fault of the predecessor: ``_ff_seed_file`` held an absolute path."""
    project = make(
        {
            "project.yml": PROJECT + "seeds: {+loaded_columns: true}\n",
            "seeds/raw/a.csv": "a\n1\n",
            "seeds/b.sql": "select 1 as a",
        }
    )
    assert project.seed().ok
    for name in ("a", "b"):
        for row in rows(project, name):
            assert not any(str(tmp_path) in str(value) or str(value).startswith("/") for value in row)


def test_a_column_that_would_be_added_twice_is_refused(make: Make) -> None:
    project = make({"project.yml": PROJECT + "seeds: {+loaded_columns: true}\n", "seeds/a.csv": "a,_FF_seed_id\n1,2\n"})
    (error,) = project.seed().errors
    assert (error.code, str(error.location)) == ("FF2215", "seeds/a.csv")


def test_a_cast_that_fails_is_an_error_and_the_old_rows_stay(edit: Make, rows: Rows) -> None:
    """A fault of the predecessor: casts that failed were swallowed, and the column stayed as it was."""
    files = {"seeds/a.csv": "a\n1\n", "seeds/schema.yml": "dtypes: {a: {a: int64}}\n"}
    with edit(files) as project:
        assert project.seed().ok
    with edit({"seeds/a.csv": "a\n1\nx\n"}) as project:
        result = project.seed()
        (error,) = result.errors
        assert (error.code, str(error.location)) == ("FF2205", "seeds/a.csv:3:1")
        assert result.exit_code == 1
        assert rows(project, "a") == [(1,)]


def test_a_reload_is_seen_by_marts_over_sources(edit: Make, rows: Rows) -> None:
    """A fault of the predecessor: a mart over ``source()`` kept the old count after the seed got one more row."""
    files = {
        "sources.yml": "crm: {users: {identifier: raw_users}}\n",
        "seeds/raw_users.jsonl": '{"id": 1}\n',
        "models/mart.ff.sql": "select count(*) as n from {{ source('crm', 'users') }}",
    }
    with edit(files) as project:
        assert project.build().ok
    with edit({"seeds/raw_users.jsonl": '{"id": 1}\n{"id": 2}\n'}) as project:
        assert project.seed().ok
        assert project.run().ok
        assert rows(project, "mart") == [(2,)]


def test_seeds_are_selected_as_models_are(edit: Make) -> None:
    files = {
        "project.yml": PROJECT + "seeds: {raw: {+tags: [raw]}, b: {+owner: us}}\n",
        **dict.fromkeys(("seeds/raw/a.csv", "seeds/raw/deep/c.csv", "seeds/b.csv"), "x\n1\n"),
        "seeds/d.sql": "select 1 as x",
        "models/m.ff.sql": "select * from {{ ref('a') }}",
    }
    edit(files).close()

    def loaded(**selection: Any) -> set[str]:
        with edit() as project:
            options = RunOptions(full_refresh=True)
            return {node.node for node in project.seed(**selection, options=options).nodes}

    assert loaded() == {"a", "b", "c", "d"}
    assert loaded(select="path:seeds/raw") == {"a", "c"}
    assert loaded(select="tag:raw", exclude="c") == {"a"}
    assert loaded(select="+m") == {"a"}
    assert loaded(select="kind:seed", exclude="path:seeds/raw/*") == {"b", "d"}
    assert loaded(select="config.owner:us") == loaded(select="owner:us") == {"b"}
    assert loaded(select=["a", "seeds/d.sql"]) == {"a", "d"}
    with pytest.raises(NothingSelectedError):
        loaded(select="m")


def test_two_seeds_for_one_relation_are_refused_at_load(make: Make) -> None:
    with pytest.raises(Exception, match="would both become the relation") as caught:
        make(
            {
                "seeds/a.csv": "x\n",
                "seeds/b.csv": "x\n",
                "seeds/schema.yml": "targets: {a: {schema: s, table: t}, b: {schema: s, table: T}}\n",
            }
        )
    assert getattr(caught.value, "code", "") == "FF1202"


def test_a_sql_seed_that_fails_names_its_line(make: Make) -> None:
    project = make(
        {
            "project.yml": PROJECT + "seeds: {b: {+loaded_columns: true}}\n",
            "seeds/a.sql": "select 1 as a,\n  colum_x as b\n",
            "seeds/b.sql": "select 1 as a,\n  colum_y as b\n",
        }
    )
    errors = project.seed(options=RunOptions(jobs=1), select="a").errors + project.seed(select="b").errors
    assert [str(error.location) for error in errors] == ["seeds/a.sql:2:3", "seeds/b.sql:2:3"]


def test_a_volatile_sql_seed_is_loaded_in_every_run(edit: Make) -> None:
    files = {
        "seeds/now.sql": "select current_timestamp as at",
        "seeds/still.sql": "{{ config(cache=true) }} select current_timestamp as at",
        "models/m.ff.sql": "select * from {{ ref('now') }}",
    }
    edit(files).close()
    assert set(statuses(edit()).values()) == {"success"}
    assert statuses(edit()) == {"now": "success", "still": "cached", "m": "success"}


def test_macros_work_in_sql_seeds_unless_they_read_something(make: Make, rows: Rows) -> None:
    macro = "{% macro one() %}1{% endmacro %}\n{% macro users() %}{{ ref('u') }}{% endmacro %}\n"
    files = {"models/macros/m.sql": macro, "models/u.ff.sql": "select 1 as a", "seeds/s.sql": "select {{ one() }} as a"}
    project = make(files)
    assert project.build().ok
    assert rows(project, "s") == [(1,)]
    project = make({"seeds/s.sql": "select * from {{ users() }}"})
    (error,) = project.seed().errors
    assert error.code == "FF2210"


def test_settings_under_the_wrong_list_are_refused(make: Make) -> None:
    for kind, name in (("models", "a"), ("seeds", "m")):
        with pytest.raises(Exception, match="its settings stand under") as caught:
            make(
                {
                    "seeds/a.csv": "x\n",
                    "models/m.ff.sql": "select 1 as a",
                    "models/m.yml": f"{kind}: [{{name: {name}, config: {{tags: [x]}}}}]\n",
                }
            )
        assert getattr(caught.value, "code", "") == "FF1023"


def test_a_list_of_seeds_below_the_models_sets_and_describes(make: Make) -> None:
    project = make(
        {
            "seeds/a.csv": "x;y\n1;\n",
            "models/m.yml": "seeds:\n  - name: a\n    description: Ours.\n    tags: [t]\n"
            "    config: {delimiter: ';'}\n    columns: [{name: y, checks: [not_null]}]\n",
        }
    )
    node = project.manifest.nodes["a"]
    assert (node.description, node.config.tags) == ("Ours.", ("t",))
    result = project.build()
    assert [check.status.value for check in result.checks] == ["fail"]
