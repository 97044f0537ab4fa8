"""Incremental models from the project's files to the table: what is new, what is refused, what is built anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.crash import EXIT_CODE, VARIABLE
from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.options import RunOptions
from flowforge.run.result import NodeResult, RunResult

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]

GROWING = "{{{{ config(materialized='incremental', unique_key='k'{}) }}}} select {} from {{{{ ref('raw') }}}}"
"""An incremental model of the seed raw: more settings, and columns."""
DAY_1 = "id,v,day\n1,10,2024-01-01\n2,20,2024-01-02\n"
DAY_2 = "id,v,day\n1,99,2024-01-01\n2,21,2024-01-02\n3,30,2024-01-03\n"
SQL = "{{{{ config(materialized='incremental', {}) }}}}\nselect id, v, day from {{{{ ref('raw') }}}}\n"
PYTHON = (
    "from flowforge import model\n\n"
    "@model(deps=['raw'], materialized='incremental', {})\ndef m(raw):\n    return raw[['id', 'v', 'day']]\n"
)
GROWN = {
    "unique_key='id', updated_at='day'": [(1, 10), (2, 21), (3, 30)],
    "unique_key='id'": [(1, 99), (2, 21), (3, 30)],
    "updated_at='day'": [(1, 10), (2, 20), (3, 30)],
    "incremental_strategy='delete+insert', primary_key=['id'], updated_at_column='day'": [(1, 10), (2, 21), (3, 30)],
    "incremental_strategy='insert_overwrite', partition_by='day', updated_at='day'": [(1, 10), (2, 21), (3, 30)],
}


def node(result: RunResult, name: str) -> NodeResult:
    return next(one for one in result.nodes if one.node.removesuffix(".ff") == name)


def error(result: RunResult, name: str = "m") -> Any:
    found = node(result, name).error
    assert found is not None, "nothing was refused"
    return found


@pytest.mark.parametrize("form", ["sql", "python"])
@pytest.mark.parametrize("settings", GROWN)
def test_what_a_second_run_adds(make: Make, rows: Rows, form: str, settings: str) -> None:
    file, text = ("models/m.ff.sql", SQL) if form == "sql" else ("models/m.ff.py", PYTHON)
    files = {file: text.format(settings), "models/below.ff.sql": "select count(*) as n from {{ ref('m') }}"}
    project = make({**files, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    assert [row[:2] for row in rows(project, "m")] == [(1, 10), (2, 20)]
    assert all(one.status is Status.CACHED for one in project.build().nodes)
    project.close()
    project = make({**files, "seeds/raw.csv": DAY_2})
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert [row[:2] for row in rows(project, "m")] == GROWN[settings]
    assert rows(project, "below") == [(3,)]
    assert project.build(options=RunOptions(full_refresh=True)).ok
    assert [row[:2] for row in rows(project, "m")] == [(1, 99), (2, 21), (3, 30)]


def test_a_condition_of_ones_own(make: Make, rows: Rows) -> None:
    sql = (
        "{{ config(materialized='incremental') }}\nselect * from {{ ref('raw') }}\n"
        "{% if is_incremental() %} where day > (select max(day) from {{ this }}) {% endif %}"
    )
    for text, expected in ((DAY_1, [(1, 10), (2, 20)]), (DAY_2, [(1, 10), (2, 20), (3, 30)])):
        project = make({"models/m.ff.sql": sql, "seeds/raw.csv": text})
        assert project.build().ok
        assert [row[:2] for row in rows(project, "m")] == expected
        project.close()


def test_the_block_says_the_same_as_the_keys_beside_it(make: Make) -> None:
    project = make(
        {
            "models/a.ff.sql": SQL.format("unique_key='id', updated_at='day', on_schema_change='fail'"),
            "models/b.ff.sql": "{{ config(incremental={'unique_key': 'id', 'updated_at': 'day', 'schema_sync': 'fail'}) }}"
            " select 1 as id, 2 as day",
            "models/c.ff.sql": "{{ config(incremental={'enabled': false}) }} select 1 as id",
            "project.yml": "name: demo\nversion: 1\nmodels:\n  d: {+incremental: {unique_key: id, updated_at: day,"
            " on_schema_change: fail}}\n",
            "models/d.ff.sql": "select 1 as id, 2 as day",
            "seeds/raw.csv": DAY_1,
        }
    )
    nodes = project.manifest.nodes
    assert nodes["a.ff"].config.incremental == nodes["b.ff"].config.incremental == nodes["d.ff"].config.incremental
    assert [nodes[f"{name}.ff"].materialized for name in "abcd"] == [
        "incremental",
        "incremental",
        "table",
        "incremental",
    ]


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ("materialized='incremental', incremental_strategy='merge'", "FF1130", "needs 'unique_key'"),
        ("materialized='incremental', incremental_strategy='delete+insert'", "FF1130", "needs 'unique_key'"),
        ("materialized='incremental', incremental_strategy='insert_overwrite'", "FF1130", "needs 'partition_by'"),
        ("materialized='table', incremental=true", "FF1130", "materialized='table'"),
        ("materialized='incremental', incremental=false", "FF1130", "is off"),
        ("unique_key='id'", "FF1130", "only for incremental models"),
        ("materialized='view', on_schema_change='fail'", "FF1130", "only for incremental models"),
        ("unique_key='id', incremental={'unique_key': 'x'}", "FF1130", "said twice"),
        (
            "incremental=true, incremental_strategy='insert_overwrite', partition_by='id', updated_at=['id', 'day']",
            "FF1130",
            "only a part of their rows",
        ),
        ("materialized='incremental', unique_key=['id', 'ID']", "FF1101", "named twice"),
        ("materialized='incremental', unique_key=''", "FF1101", "cannot be empty"),
        ("materialized='incremental', unique_key='id', primary_key='id'", "FF1101", "mean the same"),
        ("incremental={'delta_sql': ' '}", "FF1101", "is empty"),
        ("materialized='incremental', incremental_strategy='upsert'", "FF1101", "one of"),
    ],
)
def test_settings_that_make_no_sense(make: Make, settings: str, code: str, words: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make({"models/m.ff.sql": f"{{{{ config({settings}) }}}} select 1 as id"})
    problem: Any = caught.value
    problems = getattr(problem, "errors", (problem,))
    assert any(one.code == code and words in str(one) for one in problems), [str(one) for one in problems]
    assert all(str(one.location).startswith("models/m.ff.sql:1:") for one in problems)


@pytest.mark.parametrize("form", ["sql", "python"])
def test_growth_without_end_is_refused(make: Make, form: str) -> None:
    file, text = ("models/m.ff.sql", SQL) if form == "sql" else ("models/m.ff.py", PYTHON)
    project = make({file: text.format("tags='x'"), "seeds/raw.csv": DAY_1})
    assert error(project.build()).code == "FF1131"


@pytest.mark.parametrize(
    ("second", "code", "words"),
    [
        ("id,v,day\n1,10,2024-01-03\n1,11,2024-01-04\n", "FF2033", "id=1 (2 rows)"),
        ("id,v,day\n,10,2024-01-03\n", "FF2032", "'id' is NULL"),
        ("id,v,day\n5,x,2024-01-03\n", "FF2031", "'v' is"),
    ],
)
def test_rows_that_cannot_be_merged_change_nothing(make: Make, rows: Rows, second: str, code: str, words: str) -> None:
    model = {"models/m.ff.sql": SQL.format("unique_key='id', updated_at='day'")}
    project = make({**model, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    project = make({**model, "seeds/raw.csv": second})
    problem = error(project.build())
    assert problem.code == code
    assert words in problem.message
    assert problem.help
    assert [row[:2] for row in rows(project, "m")] == [(1, 10), (2, 20)]


def test_the_first_build_looks_at_keys_too(make: Make) -> None:
    project = make(
        {
            "models/m.ff.sql": SQL.format("unique_key='id', updated_at='day'"),
            "seeds/raw.csv": "id,v,day\n1,10,2024-01-01\n1,11,2024-01-01\n",
        }
    )
    assert error(project.build()).code == "FF2033"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("ignore", ["id", "v", "day"]),
        ("append_new_columns", ["id", "v", "day", "more"]),
        ("sync_all_columns", ["id", "v", "day", "more"]),
        ("fail", None),
    ],
)
def test_a_new_column(make: Make, change: str, expected: list[str] | None) -> None:
    text = SQL.format(f"unique_key='id', updated_at='day', on_schema_change='{change}'")
    project = make({"models/m.ff.sql": text, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    more = text.replace("select id, v, day", "select day, id, v, cast(id as smallint) as more")
    project = make({"models/m.ff.sql": more, "seeds/raw.csv": DAY_2})
    result = project.build()
    if expected is None:
        assert error(result).code == "FF2031"
        return
    assert result.ok, error(result)
    with project.executor.session(label="test") as session:
        found = session.query("SELECT * FROM m ORDER BY id").read_all()
    assert found.schema.names == expected
    assert found.column("id").to_pylist() == [1, 2, 3]
    if "more" in expected:
        assert str(found.schema.field("more").type) == "int16", "the exact type, not a text"
        assert found.column("more").to_pylist() == [None, 2, 3]


def test_a_mistake_in_the_part_for_later_runs_has_its_line(make: Make) -> None:
    text = SQL.format("unique_key='id'") + "{% if is_incremental() %}\nwhere nonsense > 1\n{% endif %}"
    for number in range(2):
        project = make({"models/m.ff.sql": text, "seeds/raw.csv": (DAY_1, DAY_2)[number]})
        result = project.build()
        project.close()
    assert str(error(result).location) == "models/m.ff.sql:4:7"


def test_a_failed_check_leaves_the_table_as_it_was(make: Make, rows: Rows) -> None:
    model = {
        "models/m.ff.sql": SQL.format("unique_key='id', updated_at='day'"),
        "models/m.yml": "models: [{name: m, columns: [{name: v, tests: [not_null]}], tests: [{row_count_between: {max_rows: 2}}]}]\n",
    }
    project = make({**model, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    project = make({**model, "seeds/raw.csv": DAY_2})
    assert node(project.build(), "m").status is Status.FAIL
    assert [row[:2] for row in rows(project, "m")] == [(1, 10), (2, 20)]


@pytest.mark.parametrize("point", ["publish.locked", "publish.grown", "publish.noted", "publish.committed"])
def test_a_kill_in_the_middle_of_growing(make: Make, rows: Rows, tmp_path: Path, point: str) -> None:
    model = {"models/m.ff.sql": SQL.format("incremental_strategy='append', updated_at='day'")}
    project = make({**model, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    project = make({**model, "seeds/raw.csv": DAY_2})
    project.seed()
    project.close()
    died = subprocess.run(
        [sys.executable, "-m", "flowforge", "run"],
        cwd=tmp_path / "project",
        env={**os.environ, VARIABLE: point},
        check=False,
    )
    assert died.returncode == EXIT_CODE
    project = make(model)
    assert project.build().ok
    assert [row[:2] for row in rows(project, "m")] == [(1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize("form", ["sql", "python"])
def test_a_watermark_that_the_table_lacks_is_an_error(make: Make, rows: Rows, form: str) -> None:
    """Taken from the new rows themselves, it would say of none of them that it is new."""
    file, text = ("models/m.ff.sql", SQL) if form == "sql" else ("models/m.ff.py", PYTHON)
    first = text.format("unique_key='id'").replace(", day", "").replace(", 'day'", "")
    project = make({file: first, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    project = make({file: text.format("updated_at='day'"), "seeds/raw.csv": DAY_2})
    problem = error(project.build())
    assert (problem.code, "--full-refresh" in (problem.help or "")) == ("FF2031", True)
    assert rows(project, "m") == [(1, 10), (2, 20)]


def test_readers_see_columns_that_others_removed_even_where_no_row_is_new(make: Make, rows: Rows) -> None:
    files = {
        "seeds/raw.csv": "k,v\n1,10\n",
        "models/m.ff.sql": "{{ config(materialized='incremental', unique_key='k') }} select k, v from {{ ref('raw') }}",
        "models/b.ff.sql": "select * from {{ ref('m') }}",
    }
    project = make(files)
    assert project.build().ok
    with project.executor.session(label="others") as session:
        session.execute("alter table m drop column v")
    assert project.build().ok
    assert rows(project, "m") == rows(project, "b") == [(1,)]
    assert {node.status.value for node in project.build().nodes} == {"cached"}


def test_a_changed_rule_for_columns_counts(make: Make, rows: Rows) -> None:
    files = {"seeds/raw.csv": "k,v\n1,10\n", "models/m.ff.sql": GROWING.format("", "k")}
    assert make(files).build().ok
    files["models/m.ff.sql"] = GROWING.format("", "k, v")
    assert make(files).build().ok
    files["models/m.ff.sql"] = GROWING.format(", on_schema_change='append_new_columns'", "k, v")
    project = make(files)
    assert project.build().ok
    assert rows(project, "m") == [(1, 10)]


def test_a_changed_query_for_later_runs_counts(make: Make, rows: Rows) -> None:
    later = "k, {{% if is_incremental() %}}{}{{% else %}}0{{% endif %}} as v"
    files = {"seeds/raw.csv": "k\n1\n", "models/m.ff.sql": GROWING.format("", later.format(1))}
    assert make(files).build().ok
    files["models/m.ff.sql"] = GROWING.format("", later.format(2))
    project = make(files)
    assert project.build().ok
    assert rows(project, "m") == [(1, 2)]


def test_old_rows_get_the_new_type_of_a_column(make: Make) -> None:
    sync = ", on_schema_change='sync_all_columns'"
    files = {"seeds/raw.csv": "k\n1\n", "models/m.ff.sql": GROWING.format(sync, "k, cast(7 as bigint) as v")}
    assert make(files).build().ok
    files["models/m.ff.sql"] = GROWING.format(sync, "k + 1 as k, cast(8 as integer) as v")
    project = make(files)
    assert project.build().ok
    with project.executor.session(label="test") as session:
        types = session.query("select distinct typeof(v) as t, count(*) over () as n from m").read_all().to_pylist()
    assert types == [{"t": "INTEGER", "n": 2}]
