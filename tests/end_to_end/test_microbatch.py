"""Models that are built window by window, from the project's files to the table: what is built when, and from what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, UsageError
from flowforge.events import Status
from flowforge.project.windows import Window
from flowforge.run.options import RunOptions
from flowforge.run.result import NodeResult, RunResult

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]

CONFIG = (
    "materialized='incremental', incremental_strategy='microbatch', event_time='ts', begin='2024-01-01',"
    " batch_size='day'"
)
SEED = "id,v,ts\n1,10,2024-01-01 05:00:00\n2,20,2024-01-02 06:00:00\n3,30,2024-01-03 00:00:00\n"
NEWER = (
    "id,v,ts\n1,11,2024-01-01 05:00:00\n2,21,2024-01-02 06:00:00\n3,31,2024-01-03 00:00:00\n4,41,2024-01-04 23:59:59\n"
)
SQL = "{{{{ config({}) }}}}\nselect id, v, ts from {{{{ ref('src') }}}}\n"
PYTHON = "from flowforge import model\n\n\n@model(deps=['src'], {})\ndef m(src):\n    return src[['id', 'v', 'ts']]\n"
FORMS = {"sql": ("models/m.ff.sql", SQL), "python": ("models/m.ff.py", PYTHON)}
SRC = "{{ config(materialized='view', event_time='ts') }} select * from {{ ref('raw') }}"


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def files(seed: str = SEED, form: str = "sql", config: str = CONFIG) -> dict[str, str]:
    path, text = FORMS[form]
    return {
        "seeds/raw.csv": seed,
        "models/src.ff.sql": SRC,
        path: text.format(config),
        "models/below.ff.sql": "select count(*) as n, sum(v) as v from {{ ref('m') }}",
    }


def build(project: Project, now: str, **options: Any) -> RunResult:
    return project.build(options=RunOptions(now=at(now), **options))


def node(result: RunResult, name: str = "m") -> NodeResult:
    return next(one for one in result.nodes if one.node.removesuffix(".ff") == name)


def done(result: RunResult) -> list[str]:
    windows = node(result).windows
    assert windows is not None
    return [str(window) for window in windows.done]


def values(project: Project, rows: Rows) -> list[tuple[int, int]]:
    return [row[:2] for row in rows(project, "m")]


@pytest.mark.parametrize("form", FORMS)
def test_what_each_run_builds(make: Make, rows: Rows, form: str) -> None:
    project = make(files(form=form))
    first = build(project, "2024-01-03 12:00")
    assert first.ok, [one.error for one in first.nodes]
    assert done(first) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]
    again = build(project, "2024-01-03 13:00")
    assert all(one.status is Status.CACHED for one in again.nodes), "no window has begun, and nothing has changed"
    began = build(project, "2024-01-04 00:00")
    assert done(began) == ["2024-01-03", "2024-01-04"], "the third had not ended when it was built"
    assert node(began).kept
    assert node(began, "below").status is Status.CACHED, "the same rows"
    project.close()
    project = make(files(NEWER, form))
    later = build(project, "2024-01-05 01:00")
    assert done(later) == ["2024-01-04", "2024-01-05"], "the newest, and one before it"
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30), (4, 41)], "what is older is not looked at again"
    assert rows(project, "below") == [(4, 101)]
    named = build(
        project, "2024-01-05 02:00", event_time_start=at("2024-01-01 03:00"), event_time_end=at("2024-01-01 04:00")
    )
    assert done(named) == ["2024-01-01"]
    assert values(project, rows)[0] == (1, 11)
    assert build(project, "2024-01-05 02:00", full_refresh=True).ok
    assert values(project, rows) == [(1, 11), (2, 21), (3, 31), (4, 41)]
    assert all(one.status is Status.CACHED for one in build(project, "2024-01-05 02:00").nodes)


def test_a_week_without_a_run_leaves_no_hole(make: Make, rows: Rows) -> None:
    project = make(files())
    assert done(build(project, "2024-01-01 12:00")) == ["2024-01-01"]
    assert done(build(project, "2024-01-09 12:00")) == [f"2024-01-{day:02}" for day in range(1, 10)]
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]


def test_lookback(make: Make) -> None:
    project = make(files(config=CONFIG + ", lookback=3"))
    build(project, "2024-01-09 12:00")
    assert done(build(project, "2024-01-10 12:00")) == ["2024-01-07", "2024-01-08", "2024-01-09", "2024-01-10"]
    project.close()
    project = make(files(config=CONFIG + ", lookback=0"))
    build(project, "2024-01-10 23:00")
    assert done(build(project, "2024-01-11 12:00")) == ["2024-01-10", "2024-01-11"], "unfinished when it was built"
    assert done(build(project, "2024-01-12 12:00")) == ["2024-01-11", "2024-01-12"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("year", ["2023", "2024"]),
        ("month", ["2023-12", "2024-01", "2024-02", "2024-03"]),
        ("hour", ["2024-02-29T22", "2024-02-29T23", "2024-03-01T00"]),
        ("day", ["2024-02-28", "2024-02-29", "2024-03-01"]),
    ],
)
@pytest.mark.parametrize("type_", ["timestamp", "timestamp with time zone", "date"])
def test_sizes_and_types(make: Make, rows: Rows, size: str, expected: list[str], type_: str) -> None:
    begin = {"year": "2023-12-31", "month": "2023-12-31", "hour": "2024-02-29 22:30", "day": "2024-02-28"}[size]
    moments = (
        "2023-12-31 23:59:59",
        "2024-01-01 00:00:00",
        "2024-02-28 12:00:00",
        "2024-02-29 22:00:00",
        "2024-03-01 00:00:00",
    )
    texts = " union all ".join(
        f"select {n} as id, cast('{one}+00:00' as {type_}) as ts" for n, one in enumerate(moments)
    )
    config = f"incremental={{'strategy': 'microbatch', 'event_time': 'ts', 'begin': '{begin}', 'batch_size': '{size}'}}"
    project = make(
        {
            "models/raw.ff.sql": f"{{{{ config(event_time='ts') }}}} {texts}",
            "models/m.ff.sql": f"{{{{ config({config}) }}}} select * from {{{{ ref('raw') }}}}",
        }
    )
    result = build(project, "2024-03-01 00:30")
    assert result.ok, [one.error for one in result.nodes]
    assert done(result) == expected
    first = {"year": 0, "month": 0, "day": 2, "hour": 4 if type_ == "date" else 3}[size]
    assert [row[0] for row in rows(project, "m")] == list(range(first, 5))


def test_rows_of_another_window_are_refused(make: Make, relations: Any) -> None:
    project = make({**files(), "models/src.ff.sql": "select * from {{ ref('raw') }}"})
    result = build(project, "2024-01-03 12:00")
    error = node(result).error
    assert error is not None
    assert error.code == "FF2038"
    assert "2 of the rows made for the window 2024-01-01 do not belong to it" in error.notes[0]
    assert "event_time" in str(error.help)
    assert "m" not in relations(project)


def test_a_row_without_a_time_is_refused(make: Make) -> None:
    sql = f"{{{{ config({CONFIG}) }}}} select 1 as id, cast(null as timestamp) as ts"
    project = make({"models/m.ff.sql": sql})
    error = node(build(project, "2024-01-01 12:00")).error
    assert error is not None
    assert "ts is NULL" in error.notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models/m.ff.sql": f"{{{{ config({CONFIG}) }}}} select 1 as id"}, "the model has no column 'ts'"),
        ({"models/m.ff.sql": f"{{{{ config({CONFIG}) }}}} select 1 as id, 'x' as ts"}, "holds string"),
        ({"models/src.ff.sql": SRC.replace("event_time='ts'", "event_time='nope'")}, "this column does not exist"),
        ({"models/src.ff.sql": SRC.replace("event_time='ts'", "event_time='v'")}, "this column holds int"),
    ],
)
def test_columns_that_hold_no_times(make: Make, change: dict[str, str], words: str) -> None:
    error = node(build(make({**files(), **change}), "2024-01-01 12:00")).error
    assert error is not None
    assert words in " ".join((str(error), *error.notes))


def test_a_failing_window_does_not_keep_the_others(make: Make, rows: Rows) -> None:
    sql = SQL.format(CONFIG).replace("select id, v", "select id, cast(if(v = 0, 'none', v::varchar) as integer) as v")
    broken = SEED.replace("2,20", "2,0")
    project = make({**files(broken), "models/m.ff.sql": sql})
    result = build(project, "2024-01-03 12:00")
    assert node(result).status is Status.ERROR
    assert node(result, "below").status is Status.SKIPPED
    assert done(result) == ["2024-01-01", "2024-01-03"]
    error = node(result).error
    assert error is not None
    assert "1 of 3 windows was not built: 2024-01-02" in str(error)
    assert str(error.location).startswith("models/m.ff.sql:2:")
    assert values(project, rows) == [(1, 10), (3, 30)]
    found = project.last_failure()
    assert found is not None
    assert found.options.windows == {"m.ff": (Window(at("2024-01-02"), at("2024-01-03")),)}


def test_retry_builds_only_what_failed(make: Make, rows: Rows) -> None:
    sql = SQL.format(CONFIG).replace("select id, v", "select id, cast(if(v = 0, 'none', v::varchar) as integer) as v")
    project = make({**files(SEED.replace("2,20", "2,0")), "models/m.ff.sql": sql})
    build(project, "2024-01-03 12:00")
    project.close()
    good = SQL.format(CONFIG).replace("select id, v", "select id, cast(v as integer) as v")
    project = make({**files(SEED.replace("2,20", "2,0")), "models/m.ff.sql": good})
    found = project.last_failure()
    assert found is not None
    assert [name.removesuffix(".ff") for name in found.names] == ["m", "below"]
    result = project.retry(found)
    assert result.ok, [one.error for one in result.nodes]
    assert done(result) == ["2024-01-02"]
    assert values(project, rows) == [(1, 10), (2, 0), (3, 30)]
    assert rows(project, "below") == [(3, 40)]
    assert project.last_failure() is None


def test_a_query_that_is_wrong_in_every_window_is_tried_once(make: Make) -> None:
    project = make(
        {**files(), "models/m.ff.sql": f"{{{{ config({CONFIG}) }}}} select nothing as ts from {{{{ ref('src') }}}}"}
    )
    result = build(project, "2024-12-31 12:00")
    error = node(result).error
    assert error is not None
    assert "366 of 366 windows were not built" in str(error)
    assert any("365 of them were not tried" in note for note in error.notes)


def test_checks_see_the_table_with_each_window(make: Make, rows: Rows) -> None:
    checked = {"models/m.yml": "models: [{name: m, columns: [{name: id, checks: [unique]}]}]\n"}
    project = make({**files(SEED), **checked})
    assert build(project, "2024-01-03 12:00").ok
    project.close()
    project = make({**files(SEED + "1,90,2024-01-04 01:00:00\n5,50,2024-01-05 00:00:00\n"), **checked})
    result = build(project, "2024-01-05 12:00")
    assert node(result).status is Status.FAIL
    assert result.exit_code == 2
    assert done(result) == ["2024-01-03", "2024-01-05"]
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30), (5, 50)]


def test_notes_count_only_for_the_table_they_were_written_for(make: Make, rows: Rows) -> None:
    project = make(files())
    build(project, "2024-01-03 12:00")
    with project.executor.session(label="test") as session:
        session.execute("DROP TABLE m")
    assert done(build(project, "2024-01-03 13:00")) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    with project.executor.session(label="test") as session:
        session.execute("DROP TABLE m")
        session.execute("CREATE TABLE m AS SELECT 9 AS id")
    assert not build(project, "2024-01-03 14:00").ok
    result = build(project, "2024-01-03 14:00", full_refresh=True)
    assert done(result) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]
    project.close()
    table = "{{ config(materialized='table') }} select 7 as id, 7 as v, timestamp '2024-01-02' as ts"
    project = make({**files(), "models/m.ff.sql": table})
    assert build(project, "2024-01-03 15:00").ok
    assert values(project, rows) == [(7, 7)]
    project.close()
    project = make(files())
    assert build(project, "2024-01-03 16:00").ok
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]


def test_a_rebuild_that_fails_leaves_the_table(make: Make, rows: Rows) -> None:
    project = make(files())
    build(project, "2024-01-03 12:00")
    project.close()
    bad = "case when id = 3 then cast('x' as integer) else 7 end as v"
    project = make({**files(), "models/m.ff.sql": SQL.format(CONFIG).replace("id, v,", f"id, {bad},")})
    result = build(project, "2024-01-03 12:00", full_refresh=True)
    error = node(result).error
    assert error is not None
    assert any("in the window 2024-01-03; the table is as it was" in note for note in error.notes)
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]
    found = project.last_failure()
    assert found is not None
    assert found.options.full_refresh
    assert not found.options.windows


def test_the_template_sees_the_window(make: Make, rows: Rows) -> None:
    sql = (
        f"{{{{ config({CONFIG}) }}}} select cast('{{{{ batch.event_time_start }}}}' as timestamp) as ts,"
        " '{{ batch.event_time_end }}' as until, {{ is_incremental() }} as grows"
    )
    project = make({"models/m.ff.sql": sql, "models/t.ff.sql": "select '{{ batch.event_time_start }}' as nothing"})
    assert build(project, "2024-01-02 12:00").ok
    assert [row[1:] for row in rows(project, "m")] == [("2024-01-02 00:00:00", False), ("2024-01-03 00:00:00", True)]
    assert rows(project, "t") == [("None",)]


def test_all_kinds_of_inputs_are_filtered(make: Make, rows: Rows) -> None:
    config = CONFIG.replace("event_time='ts'", "event_time='ts', lookback=0")
    sql = (
        f"{{{{ config({config}) }}}}\nwith mine as (select * from {{{{ ref('eph') }}}})\n"
        "select m.ts, (select count(*) from {{ source('o', 'ext') }}) as sources,"
        " (select count(*) from {{ ref('raw') }}) as seeds, (select count(*) from {{ ref('whole') }}) as whole from mine m"
    )
    project = make(
        {
            "seeds/raw.csv": SEED,
            "seeds/schema.yml": "version: 1\nseeds: {raw: {event_time: ts}}\n",
            "project.yml": "name: demo\nversion: 1\nseeds: {+event_time: ts}\n",
            "sources.yml": "version: 1\nsources: [{name: o, event_time: ts, tables: [{name: ext}]}]\n",
            "models/eph.ff.sql": "{{ config(materialized='ephemeral', event_time='ts') }} select * from {{ ref('raw') }}",
            "models/whole.ff.sql": "select * from {{ ref('raw') }}",
            "models/m.ff.sql": sql,
        }
        | {"seeds/schema.yml": "version: 1\n"}
    )
    with project.executor.session(label="test") as session:
        session.execute("CREATE TABLE ext AS SELECT unnest([date '2024-01-01', date '2024-01-02']) AS ts")
    assert build(project, "2024-01-03 12:00").ok
    assert [row[1:] for row in rows(project, "m")] == [(1, 1, 3), (1, 1, 3), (0, 1, 3)]


def test_columns_that_come_later(make: Make, rows: Rows) -> None:
    project = make(files(config=CONFIG + ", on_schema_change='append_new_columns'"))
    build(project, "2024-01-03 12:00")
    project.close()
    wider = SQL.format(CONFIG + ", on_schema_change='append_new_columns'").replace("v, ts", "v, ts, v * 2 as w")
    project = make({**files(), "models/m.ff.sql": wider})
    result = build(project, "2024-01-03 13:00")
    assert result.ok, [one.error for one in result.nodes]
    assert [(row[0], row[3]) for row in rows(project, "m")] == [(1, None), (2, 40), (3, 60)]


def test_a_plan_names_the_windows(make: Make) -> None:
    project = make(files())
    plan = project.plan(options=RunOptions(now=at("2024-01-03 12:00")))
    assert plan.steps["m.ff"].reason == "was never built here; 3 windows: 2024-01-01 to 2024-01-03"
    build(project, "2024-01-03 12:00")
    plan = project.plan(options=RunOptions(now=at("2024-01-05 12:00")))
    assert plan.steps["m.ff"].reason == "a new window has begun; 3 windows: 2024-01-03 to 2024-01-05"
    assert [str(window) for window in plan.steps["m.ff"].windows] == ["2024-01-03", "2024-01-04", "2024-01-05"]


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        (
            "incremental_strategy='microbatch', materialized='incremental'",
            "FF1136",
            "'event_time', 'begin', 'batch_size'",
        ),
        (CONFIG + ", unique_key='id'", "FF1136", "'unique_key' means nothing to microbatch"),
        (CONFIG + ", updated_at='ts'", "FF1136", "'updated_at' means nothing to microbatch"),
        ("materialized='incremental', unique_key='id', begin='2024-01-01'", "FF1136", "'begin' means something only"),
        (CONFIG.replace("2024-01-01", "soon"), "FF1101", "'soon' is no date and no timestamp"),
        (CONFIG.replace("'day'", "'week'"), "FF1101", "one of"),
        (CONFIG + ", lookback=-1", "FF1101", "0 or more"),
        ("batch_size='day'", "FF1130", "only for incremental models"),
    ],
)
def test_settings_that_do_not_go_together(make: Make, config: str, code: str, words: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make({"models/m.ff.sql": f"{{{{ config({config}) }}}} select 1 as id"})
    problem: Any = caught.value
    problems = getattr(problem, "errors", (problem,))
    assert any(one.code == code and words in str(one) for one in problems), [str(one) for one in problems]
    assert all(str(one.location).startswith("models/m.ff.sql:1:") for one in problems)


def test_nothing_has_begun(make: Make) -> None:
    error = node(build(make(files()), "2023-12-31 23:59")).error
    assert error is not None
    assert error.code == "FF2041"


def test_named_windows_of_models_that_have_none(make: Make) -> None:
    project = make(files())
    build(project, "2024-01-03 12:00")
    before = build(project, "2024-01-03 12:00", event_time_end=at("2023-05-05"))
    assert node(before).status is Status.CACHED, "it has no window in that time"
    with pytest.raises(UsageError, match="no selected model is built in windows"):
        project.build(["below"], options=RunOptions(event_time_start=at("2024-01-01")))
    with pytest.raises(UsageError, match="full refresh"):
        build(project, "2024-01-03 12:00", event_time_start=at("2024-01-01"), full_refresh=True)
    with project.executor.session(label="test") as session:
        session.execute("DROP TABLE m")
        session.execute("CREATE TABLE m AS SELECT 9 AS id")
    error = node(build(project, "2024-01-03 12:00", event_time_start=at("2024-01-01"))).error
    assert error is not None
    assert error.code == "FF2042"


def test_first_only_some_windows(make: Make, rows: Rows) -> None:
    project = make(files())
    some = build(project, "2024-01-03 12:00", event_time_start=at("2024-01-02"), event_time_end=at("2024-01-03"))
    assert done(some) == ["2024-01-02"]
    assert values(project, rows) == [(2, 20)]
    assert done(build(project, "2024-01-03 12:00")) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert values(project, rows) == [(1, 10), (2, 20), (3, 30)]


def test_a_table_that_others_changed_is_not_built_anew_unasked(make: Make, rows: Rows) -> None:
    """Its old windows might no longer be to be had: their sources forget."""
    project = make(files())
    build(project, "2024-01-03 12:00")
    with project.session("somebody else") as session:
        session.execute("ALTER TABLE m ADD COLUMN remark VARCHAR")
    standing = rows(project, "m")
    plan = project.plan(options=RunOptions(now=at("2024-01-05 12:00")))
    assert "it would fail: " in plan.steps["m.ff"].reason, "and the answer tells of the others"
    assert "--full-refresh" in plan.steps["m.ff"].details[-1]
    refused = build(project, "2024-01-05 12:00")
    error = node(refused).error
    assert error is not None
    assert (error.code, "--full-refresh" in (error.help or "")) == ("FF2042", True)
    assert rows(project, "m") == standing
    assert node(build(project, "2024-01-05 12:00", full_refresh=True)).status is Status.SUCCESS
    assert len(rows(project, "m")[0]) == 3
