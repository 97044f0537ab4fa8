"""Templates that ask the database: when they may, what they get, and what follows for later runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowforge.api import Project
from flowforge.errors import RenderError
from flowforge.events import Status
from flowforge.run.asking import MAX_ROWS
from flowforge.run.options import RunOptions
from flowforge.run.plan import Action
from flowforge.run.result import RunResult
from flowforge.run.scheduler import FailPolicy

PIVOT = """{% set kinds = run_query('select distinct kind from ' ~ ref('raw') ~ ' order by kind').column('kind') %}
select {% for kind in kinds %}
  sum(case when kind = {{ kind | sql_literal }} then n end) as {{ kind }}{{ ',' if not loop.last }}
{% endfor %} from {{ ref('raw') }}"""

FILES = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev: {engine: ENGINE, ENGINE: {path: demo.db}}\n",
    "seeds/raw.csv": "kind,n\na,1\nb,2\na,3\n",
    "models/pivot.ff.sql": PIVOT,
}


@pytest.fixture(params=["duckdb", "plain"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Shop:
    def __init__(self, root: Path, engine: str) -> None:
        self.root = root
        for path, text in FILES.items():
            self.write(path, text.replace("ENGINE", engine))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def load(self, **more: Any) -> Project:
        return Project.load(self.root, **more)

    def build(self, **options: Any) -> RunResult:
        with self.load() as project:
            return project.build(options=RunOptions(**options))

    def rows(self, name: str) -> list[dict[str, Any]]:
        with self.load() as project:
            rows: list[dict[str, Any]] = project.show(inline=f"select * from {{{{ ref('{name}') }}}}").to_pylist()
            return rows

    def error(self, template: str) -> RenderError:
        """What a build says about a model of this template."""
        self.write("models/m.ff.sql", template)
        result = self.build()
        error = {node.node: node.error for node in result.nodes}["m.ff"]
        assert isinstance(error, RenderError), error
        return error


@pytest.fixture
def shop(tmp_path: Path, engine: str) -> Shop:
    return Shop(tmp_path, engine)


def statuses(result: RunResult) -> dict[str, Status]:
    return {node.node.removesuffix(".ff"): node.status for node in result.nodes}


def test_the_answer_becomes_part_of_the_model(shop: Shop) -> None:
    assert shop.build().exit_code == 0
    assert shop.rows("pivot") == [{"a": 4, "b": 2}]


def test_equal_answers_are_skipped_and_others_are_not(shop: Shop) -> None:
    shop.build()
    assert statuses(shop.build()) == {"raw": Status.CACHED, "pivot": Status.CACHED}
    shop.write("seeds/raw.csv", "kind,n\na,1\nb,2\na,3\nc,7\n")
    assert statuses(shop.build()) == {"raw": Status.SUCCESS, "pivot": Status.SUCCESS}
    assert shop.rows("pivot") == [{"a": 4, "b": 2, "c": 7}]


def test_an_answer_from_elsewhere_is_never_stale(shop: Shop) -> None:
    """The query reads a table that no ref() declares; what it says is part of what the model says."""
    shop.write("models/other.ff.sql", "{{ config(materialized='table') }}select {{ var('n', 1) }} as n")
    shop.write(
        "models/m.ff.sql",
        "{{ config(deps=['other']) }}select {{ run_query('select n from ' ~ ref('other')).rows[0].n }} as n",
    )
    shop.build()
    with shop.load(vars={"n": 2}) as project:
        assert project.build().exit_code == 0
    assert shop.rows("m") == [{"n": 2}]


def test_a_plan_asks_only_when_the_answer_is_known(shop: Shop) -> None:
    def actions() -> dict[str, tuple[Action | None, str]]:
        with shop.load() as project:
            steps = project.plan(command="build").steps
            return {name.removesuffix(".ff"): (step.action, step.reason or "") for name, step in steps.items()}

    assert actions()["pivot"] == (Action.BUILD, "was never built here")
    shop.build()
    shop.write("seeds/raw.csv", "kind,n\na,1\nb,2\na,3\nd,4\n")
    assert actions()["pivot"] == (Action.MAYBE, "asks the database while it is compiled, after raw is built")
    shop.write("seeds/raw.csv", "kind,n\na,1\nb,2\na,3\n")
    assert [action for action, _ in actions().values()] == [Action.SKIP, Action.SKIP]
    shop.write("models/raw2.ff.sql", "select * from {{ ref('raw') }} where n > {{ var('n', 0) }}")
    shop.write("models/pivot.ff.sql", PIVOT.replace("'raw'", "'raw2'"))
    shop.build()
    shop.write("seeds/raw.csv", "kind,n\nz,1\n")
    assert actions()["pivot"] == (Action.MAYBE, "asks the database while it is compiled, after raw2 is built")
    shop.build()
    assert shop.rows("pivot") == [{"z": 1}]


def test_commands_without_a_connection_say_so(shop: Shop) -> None:
    shop.build()
    for ask in (Project.compile, Project.validate):
        with shop.load() as project, pytest.raises(RenderError) as caught:
            ask(project)
        assert (caught.value.code, str(caught.value.location)) == ("FF1419", "models/pivot.ff.sql:1:1")


def test_execute_guards_a_query(shop: Shop) -> None:
    shop.write(
        "models/pivot.ff.sql",
        "{% if execute %}{% set n = run_query('select sum(n) as n from ' ~ ref('raw')).column('n')[0] %}"
        "{% else %}{% set n = 0 %}{% endif %}select {{ n }} as n",
    )
    with shop.load() as project:
        project.validate()
        assert project.compile("pivot")["pivot.ff"].sql == "select 0 as n"
    assert shop.build().exit_code == 0
    assert shop.rows("pivot") == [{"n": 6}]
    assert statuses(shop.build())["pivot"] is Status.CACHED


def test_macros_and_ephemeral_models_ask_too(shop: Shop) -> None:
    shop.write(
        "models/macros/kinds.sql",
        "{% macro kinds(t) %}{{ run_query('select min(kind) as k from ' ~ t)[0].k }}{% endmacro %}",
    )
    shop.write("models/big.ff.sql", "{{ config(materialized='ephemeral') }}select * from {{ ref('raw') }} where n > 1")
    shop.write("models/pivot.ff.sql", "select '{{ kinds(ref('big')) }}' as k")
    shop.write("models/lazy.ff.sql", "{{ config(materialized='ephemeral') }}" + PIVOT)
    shop.write("models/reader.ff.sql", "select a from {{ ref('lazy') }}")
    assert shop.build().exit_code == 0
    assert (shop.rows("pivot"), shop.rows("reader")) == ([{"k": "a"}], [{"a": 4}])
    assert set(statuses(shop.build()).values()) == {Status.CACHED}


def test_what_the_table_offers(shop: Shop) -> None:
    shop.write(
        "models/m.ff.sql",
        "{% set t = run_query('select kind, n from ' ~ ref('raw') ~ ' order by n') %}"
        "select '{{ t | length }} {{ t.columns | join('/') }} {{ t.columns[1].name }} {{ t.columns[1].values() | sum }} "
        "{{ t.rows[0]['kind'] }}{{ t[1].kind }} {% for kind, n in t %}{{ kind }}{{ n }}{% endfor %} "
        "{{ t.column(1) | list }} {{ run_query('select 1 as x where 1 = 0;') is defined and not run_query('select 1 as x where 1 = 0') }}' as said",
    )  # fmt: skip
    assert shop.build().exit_code == 0
    assert shop.rows("m") == [{"said": "3 kind/n n 6 ab a1b2a3 [1, 2, 3] True"}]


REFUSED = [
    ("run_query('select 1; select 2')", "FF1422"),
    ("run_query('')", "FF1422"),
    ("run_query('-- nothing')", "FF1422"),
    ("run_query('drop table raw')", "FF1422"),
    ("run_query('with x as (delete from raw returning *) select * from x')", "FF1422"),
    ("run_query(1)", "FF1417"),
    ("run_query('select nothing from nowhere')", "FF1420"),
    ("run_query('select ' ~ this)", "FF1423"),
    ("run_query('select 1 as a').column('b')", "FF1417"),
    ("run_query('select 1 as a').rows[0].b", "FF1410"),
    ("run_query('select 1 as a')", "FF1413"),
]


def test_what_it_refuses_has_a_place(shop: Shop) -> None:
    for number, (call, _) in enumerate(REFUSED):
        shop.write(f"models/m{number}.ff.sql", f"select\n  {{{{ {call} }}}}")
    errors = {one.node: one.error for one in shop.build(policy=FailPolicy.KEEP_GOING, jobs=1).nodes}
    for number, (call, code) in enumerate(REFUSED):
        error = errors[f"m{number}.ff"]
        assert isinstance(error, RenderError), call
        assert error.code == code, call
        assert str(error.location).startswith(f"models/m{number}.ff.sql:2:"), call


def test_a_column_named_as_a_statement_is_no_statement(shop: Shop) -> None:
    shop.write(
        "models/m.ff.sql", "select {{ run_query(\"select 1 as delete_me, 'as (delete' as t\")[0].delete_me }} as n"
    )
    assert shop.build().exit_code == 0


def test_too_many_rows_are_refused(shop: Shop) -> None:
    digits = "(select 0 as d" + "".join(f" union all select {n}" for n in range(1, 10)) + ")"
    many = "select a.d from " + ", ".join(f"{digits} {name}" for name in "abcd")
    shop.write("models/m.ff.sql", 'select {{ run_query("' + many + '") | length }} as n')
    assert shop.build().exit_code == 0
    assert shop.rows("m") == [{"n": MAX_ROWS}]
    assert shop.error('select {{ run_query("' + many + ' union all select 1") | length }} as n').code == "FF1421"


def test_secrets_reach_the_query_and_no_message(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FF_SECRET_WORD", "hunter2")
    shop.write(
        "models/m.ff.sql", "select {{ run_query(\"select length('\" ~ env('FF_SECRET_WORD') ~ \"') as n\")[0].n }} as n"
    )
    assert shop.build().exit_code == 0
    assert shop.rows("m") == [{"n": 7}]
    error = shop.error("select {{ run_query(\"select nothing, '\" ~ env('FF_SECRET_WORD') ~ \"' from nowhere\") }}")
    assert "hunter2" not in repr((error.message, error.notes, error.help))


def test_what_a_query_changes_is_rolled_back(tmp_path: Path) -> None:
    """Not even a function with side effects leaves anything."""
    shop = Shop(tmp_path, "duckdb")
    shop.write("models/m.ff.sql", "select {{ run_query(\"select nextval('counter') as n\")[0].n }} as n")
    with shop.load() as project:
        project.build("raw")
        with project.session("test") as session:
            session.execute("create sequence counter")
        assert project.build("m").exit_code == 0
        with project.session("test") as session:
            assert session.query("select nextval('counter') as n").read_all().to_pylist()


def test_show_asks(shop: Shop) -> None:
    shop.build()
    with shop.load() as project:
        assert project.show("pivot").to_pylist() == [{"a": 4, "b": 2}]
        shown = project.show(inline="select {{ run_query('select 41 as n')[0].n + 1 }} as n")
        assert shown.to_pylist() == [{"n": 42}]


def test_files_are_asked_by_their_path(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "duckdb")
    shop.write("data/days.csv", "day,n\n2024-01-01,1\n2024-01-02,5\n")
    shop.write(
        "sources.yml",
        "version: 1\nsources:\n  - name: files\n    tables: [{name: days, location: data/days.csv, format: csv}]\n",
    )
    shop.write(
        "models/m.ff.sql", "select {{ run_query('select max(n) as n from ' ~ source('files', 'days'))[0].n }} as n"
    )
    assert shop.build().exit_code == 0
    assert shop.rows("m") == [{"n": 5}]
    assert statuses(shop.build())["m"] is Status.CACHED
    shop.write("data/days.csv", "day,n\n2024-01-01,1\n2024-01-02,9\n")
    shop.build()
    assert shop.rows("m") == [{"n": 9}]
