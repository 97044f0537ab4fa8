"""Hooks, indexes and other settings of a model's table, from the project's files to the database."""

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
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.events import Status
from flowforge.run.result import NodeResult, RunResult

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]
PLAIN = "dev:\n  engine: plain\n  plain: {path: demo.db}\n"
PROFILES = {
    "duckdb": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
    "sqlite": "dev:\n  engine: sqlite\n  sqlite: {path: demo.db}\n",
    "plain": PLAIN,
}
LOG = "create table if not exists log (what varchar(20), n integer)"


def node(result: RunResult, name: str) -> NodeResult:
    return next(one for one in result.nodes if one.node.removesuffix(".ff") == name)


def raised(action: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(FlowForgeError) as caught:
        action()
    errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else (caught.value,)
    return [(one.code, str(one.location)) for one in errors]


@pytest.fixture(params=sorted(PROFILES))
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def again(make: Make, project: Project, files: dict[str, str]) -> Project:
    project.close()
    return make(files)


def test_hooks_of_all_layers_run_in_order(make: Make, rows: Rows, engine: str) -> None:
    say = "insert into log select '{}', count(*) from {{{{ {} }}}}".format
    project = make(
        {
            "profiles.yml": PROFILES[engine],
            "project.yml": f"name: demo\nversion: 1\nmodels:\n  +pre_hook: {LOG}\n"
            f'  marts:\n    +post-hook: ["{say("folder", "this")}"]\n',
            "seeds/raw.csv": "id\n1\n2\n",
            "models/marts/a.yml": 'models: [{name: a, config: {pre_hook: "' + say("yaml", "ref('raw')") + '"}}]\n',
            "models/marts/a.ff.sql": "{{ config(post_hook={'sql': \""
            + say("own", "this")
            + "\"}) }}\nselect id from {{ ref('raw') }} where id > 1\n",
            "models/marts/b.ff.sql": "{{ config(post_hook=[], pre_hook=none) }}\nselect 1 as one\n",
        }
    )
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert sorted(rows(project, "log")) == sorted([("yaml", 2), ("folder", 1), ("own", 1)])
    assert all(one.status is Status.CACHED for one in project.build().nodes)
    assert len(rows(project, "log")) == 3, "what is up to date runs no hooks"


def test_a_hook_that_fails_publishes_nothing(make: Make, rows: Rows) -> None:
    files = {"models/a.ff.sql": "{{ config(pre_hook='create table made as select 1 as x') }}\nselect 1 as v\n"}
    project = make(files)
    assert project.build().ok
    files["models/a.ff.sql"] = (
        "{{ config(\n  pre_hook='insert into made values (2)',\n"
        '  post_hook=["update {{ this }} set v = 7", "insert into nowhere values (1)"]) }}\nselect 2 as v\n'
    )
    project = again(make, project, files)
    error = node(project.build(), "a").error
    assert error is not None
    assert str(error.location) == "models/a.ff.sql:3:3"
    assert any("post_hook" in note and "nowhere" in note for note in error.notes)
    assert rows(project, "a") == [(1,)]
    assert rows(project, "made") == [(1,)], "the pre_hook is part of the transaction"
    files["models/a.ff.sql"] = files["models/a.ff.sql"].replace(', "insert into nowhere values (1)"', "")
    project = again(make, project, files)
    assert project.build().ok
    assert rows(project, "a") == [(7,)]
    assert sorted(rows(project, "made")) == [(1,), (2,)]


@pytest.mark.parametrize("where", ["transaction", "outside"])
def test_without_a_transaction_a_failed_hook_is_repeated_by_the_next_run(make: Make, rows: Rows, where: str) -> None:
    hook = (
        "{'sql': 'insert into log values (1)', 'transaction': false}"
        if where == "outside"
        else "'insert into log values (1)'"
    )
    files = {
        "profiles.yml": PROFILES["duckdb" if where == "outside" else "plain"],
        "models/a.ff.sql": f"{{{{ config(post_hook={hook}) }}}}\nselect 1 as v\n",
    }
    project = make(files)
    assert not project.build().ok
    assert rows(project, "a") == [(1,)], "the rows were published before"
    with project.executor.session(label="test") as session:
        session.execute("create table log (n integer)")
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert node(result, "a").status is Status.SUCCESS
    assert rows(project, "log") == [(1,)]
    assert node(project.build(), "a").status is Status.CACHED


@pytest.mark.parametrize("engine", ["duckdb", "plain"])
def test_rows_that_a_hook_changed_are_never_changed_twice(make: Make, rows: Rows, engine: str) -> None:
    files = {
        "profiles.yml": PROFILES[engine],
        "sources.yml": "o: {s: {}}\n",
        "models/a.ff.sql": "{{ config(post_hook=\"update {{ this }} set v = v + 1\") }}\nselect v from {{ source('o', 's') }}\n",
        "models/below.ff.sql": "select v from {{ ref('a') }}\n",
    }
    project = make(files)
    with project.executor.session(label="test") as session:
        session.execute("create table s (v integer)")
        session.execute("insert into s values (1)")
    for _ in range(3):
        assert project.build().ok
        assert rows(project, "a") == rows(project, "below") == [(2,)]
    files["models/a.ff.sql"] = files["models/a.ff.sql"].replace("select v ", "select  v ")
    project = again(make, project, files)
    assert project.build().ok
    assert rows(project, "a") == rows(project, "below") == [(2,)]


def test_a_hook_runs_on_equal_rows_and_nothing_below_is_built(make: Make, rows: Rows, engine: str) -> None:
    files = {
        "profiles.yml": PROFILES[engine],
        "models/a.ff.sql": f"{{{{ config(pre_hook='{LOG}', post_hook=\"insert into log values ('a', 1)\") }}}}\nselect 1 as v\n",
        "models/below.ff.sql": "select v from {{ ref('a') }}\n",
    }
    project = make(files)
    assert project.build().ok
    files["models/a.ff.sql"] = files["models/a.ff.sql"].replace("select 1", "select 2 - 1")
    project = again(make, project, files)
    result = project.build()
    assert result.ok
    assert rows(project, "log") == [("a", 1), ("a", 1)]
    if engine != "sqlite":  # which has no hash of rows
        assert node(result, "a").kept
        assert node(result, "below").status is Status.CACHED


def test_is_incremental_in_a_hook(make: Make, rows: Rows, engine: str) -> None:
    hook = "{% if is_incremental() %}insert into log values ('more', 1){% else %}insert into log values ('first', 1){% endif %}"
    files = {
        "profiles.yml": PROFILES[engine],
        "seeds/raw.csv": "id\n1\n",
        "models/a.ff.sql": f"{{{{ config(materialized='incremental', unique_key='id', pre_hook='{LOG}', post_hook=\"{hook}\") }}}}\n"
        "select id from {{ ref('raw') }} {% if is_incremental() %} where id > 0 {% endif %}\n",
    }
    project = make(files)
    assert project.build().ok
    project = again(make, project, {**files, "seeds/raw.csv": "id\n1\n2\n"})
    assert project.build().ok
    assert rows(project, "log") == [("first", 1), ("more", 1)]
    assert rows(project, "a") == [(1,), (2,)]


@pytest.mark.parametrize(("engine", "point", "kept"), [("duckdb", "publish.hooked", 0), ("plain", "open.hooked", 1)])
def test_a_kill_right_after_a_hook(make: Make, rows: Rows, engine: str, point: str, kept: int) -> None:
    files = {
        "profiles.yml": PROFILES[engine],
        "models/a.ff.sql": "{{ config(post_hook='insert into log values (1)') }}\nselect 1 as v\n",
    }
    project = make(files)
    with project.executor.session(label="test") as session:
        session.execute("create table log (n integer)")
    root = project.root
    project.close()
    done = subprocess.run(
        [sys.executable, "-m", "flowforge", "build"], cwd=root, env={**os.environ, VARIABLE: point}, capture_output=True
    )
    assert done.returncode == EXIT_CODE, done.stderr
    project = make(files)
    assert len(rows(project, "log")) == kept, "with a transaction nothing of it is left"
    assert node(project.build(), "a").status is Status.SUCCESS
    assert len(rows(project, "log")) == kept + 1
    assert rows(project, "a") == [(1,)]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("pre_hook='commit'", "FF1150"),
        ("post_hook='-- a\\n ROLLBACK'", "FF1150"),
        ("post_hook='select 1; select 2'", "FF1150"),
        ("post_hook=\"select * from {{ ref('gone') }}\"", "FF1203"),
        ("post_hook=\"select {{ nobody }}\"", "FF1410"),
        ("post_hook=\"select * from {{ ref('e') }}\"", "FF1150"),
        ("post_hook='{{ config() }}'", "FF1150"),
        ("post_hook={'sql': 'x', 'transact': true}", "FF1101"),
        ("materialized='ephemeral', post_hook='select 1'", "FF1151"),
        ("materialized='view', indexes=['one']", "FF1151"),
        ("indexes=[{'columns': []}]", "FF1101"),
        ("indexes=['one', 'one']", "FF1101"),
        ("grants={'select': ['bob']}", "FF1153"),
        ("storage={'path': 'x', 'format': 'delta'}", "FF1153"),
        ("partition_by='one'", "FF1153"),
        ("materialized='materialized_view'", "FF1154"),
        ("http={'url': 'x'}", "FF1101"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_at_its_place_before_anything_runs(make: Make, config: str, code: str) -> None:
    text = f"{{{{ config({config}) }}}}\nselect 1 as one\n"
    files = {"models/a.ff.sql": text, "models/e.ff.sql": "{{ config(materialized='ephemeral') }}\nselect 1 as x\n"}
    key = "post_hook" if "post_hook" in config else config.split(", ")[-1].partition("=")[0]
    key = (
        "indexes"
        if "indexes" in config
        else "grants"
        if "grants" in config
        else "storage"
        if "storage" in config
        else key
    )
    assert raised(lambda: make(files).validate()) == [(code, f"models/a.ff.sql:1:{text.index(key) + 1}")]


def test_python_models_and_seeds_have_indexes_and_hooks(make: Make, engine: str) -> None:
    project = make(
        {
            "profiles.yml": PROFILES[engine],
            "project.yml": "name: demo\nversion: 1\nseeds:\n  +indexes: [{columns: id, unique: true}]\n",
            "seeds/raw.csv": "id,v\n1,1\n2,2\n",
            "models/a.ff.py": "from flowforge import model\n\n\n@model(deps=['raw'], frame='arrow', indexes=[{'columns': ['id'], 'unique': True}],"
            ' post_hook="insert into {{ this }} values (9, 9)")\ndef a(raw):\n    return raw\n',
            "models/g.ff.sql": "{{ config(materialized='incremental', unique_key='id', indexes=[{'columns': 'id', 'unique': true}]) }}\n"
            "select id, v from {{ ref('raw') }}\n",
        }
    )
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    for number in range(2):
        with project.executor.session(label="test") as session:
            for table in ("raw", "a", "g"):
                with pytest.raises(Exception, match=r"(?i)unique|duplicate|constraint"):
                    session.execute(f"insert into {table} values (1, 1)")
        (project.root / "seeds/raw.csv").write_text(f"id,v\n1,{number + 5}\n3,3\n", "utf-8")
        project.close()
        project = make(
            {"profiles.yml": PROFILES[engine], "project.yml": (project.root / "project.yml").read_text("utf-8")}
        )
        assert project.build().ok


def test_indexes_come_and_go_with_the_settings(make: Make) -> None:
    config = "{{{{ config({}materialized='incremental', unique_key='id') }}}}\nselect id, id as v from {{{{ ref('raw') }}}}\n"
    names: list[list[str]] = []
    project = make({"seeds/raw.csv": "id\n1\n2\n"})
    for settings in ("", "indexes=['id', ['v', 'id']], ", "indexes=['v'], ", ""):
        project = again(make, project, {"seeds/raw.csv": "id\n1\n2\n", "models/a.ff.sql": config.format(settings)})
        assert project.build().ok
        with project.executor.session(label="test") as session:
            found = session.query(
                "select index_name from duckdb_indexes() where table_name = 'a' order by 1"
            ).read_all()
        names.append(found.column(0).to_pylist())
    assert [len(one) for one in names] == [0, 2, 1, 0]
    assert all(name.startswith("ff_ix__a_") for one in names for name in one)


def test_doubled_rows_under_a_unique_index_leave_the_old_table(make: Make, rows: Rows, engine: str) -> None:
    text = "{{{{ config(indexes=[{{'columns': 'v', 'unique': true}}]) }}}}\nselect 1 as v union all select {} as v\n"
    files = {"profiles.yml": PROFILES[engine], "models/a.ff.sql": text.format(2)}
    project = make(files)
    assert project.build().ok
    project = again(make, project, {**files, "models/a.ff.sql": text.format(1)})
    assert not project.build().ok
    assert rows(project, "a") == [(1,), (2,)]
    project = again(make, project, {**files, "models/a.ff.sql": text.format(3)})
    assert project.build().ok
    assert rows(project, "a") == [(1,), (3,)]


def test_the_database_may_be_named_when_it_is_the_one(make: Make, rows: Rows) -> None:
    project = make({"models/a.ff.sql": "{{ config(database='demo') }}\nselect 1 as v\n"})
    assert project.build().ok
    assert rows(project, "a") == [(1,)]
    assert all(one.status is Status.CACHED for one in project.build().nodes)


def test_groups_are_selected(make: Make) -> None:
    config = "{{{{ config(group='{}') }}}}\nselect 1 as v\n".format
    project = make(
        {"models/a.ff.sql": config("core"), "models/b.ff.sql": config("core"), "models/c.ff.sql": config("rest")}
    )
    assert [one.short_name for one in project.select(["group:core"])] == ["a", "b"]
    assert [one.short_name for one in project.select(["config.group:rest"])] == ["c"]


def test_secrets_in_hooks_stay_secret(tmp_path: Path, make: Make) -> None:
    files = {
        "models/a.ff.sql": "{{ config(post_hook=\"select {{ env('FF_SECRET_KEY') }} from nowhere\") }}\nselect 1 as v\n"
    }
    project = make(files)
    project.close()
    project = Project.load(project.root, environ={"FF_SECRET_KEY": "hush4711"})
    error = node(project.build(), "a").error
    project.close()
    assert error is not None
    assert "hush4711" not in str(error) + "".join(error.notes)
