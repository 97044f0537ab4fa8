"""What command lines do with models that are built in windows: plans, named windows, retries, mistakes."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.plugins import load_plugins
from flowforge.run.options import RunOptions

Shop = Any
Make = Callable[..., Project]
MODEL = """\
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', begin='2020-06-01',
          batch_size='year') }}
select id, CHECKED as v, ts from {{ ref('happened') }}
"""
SEED = "id,v,ts\n1,1,2020-07-01\n2,0,2021-07-01\n3,3,2022-07-01\n"


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """The shop with a model that is built year by year, one of which fails as long as a value is 0."""
    shop.write("project.yml", "name: demo\nversion: 1\nseeds: {happened: {+event_time: ts}}\n")
    shop.write("seeds/happened.csv", SEED)
    shop.write("models/yearly.ff.sql", MODEL.replace("CHECKED", "cast(if(v = 0, 'none', v::varchar) as bigint)"))
    shop.write("models/after.ff.sql", "select count(*) as n from {{ ref('yearly') }}")
    return shop


def windows(ended: Any, node: str) -> tuple[list[str], list[str]]:
    """The years that were built, and those that were not, of a command with ``--log-format json``."""
    events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    (event,) = [one for one in events if one["event"] == "node_finished" and one["node"] == node]
    return tuple([start[:4] for start, _ in event[key]] for key in ("windows_done", "windows_failed"))  # type: ignore[return-value]


def test_a_window_that_failed_is_retried_alone(shop: Shop) -> None:
    years = [str(year) for year in range(2020, dt.datetime.now(dt.UTC).year + 1)]
    failed = shop("build", "-s", "+yearly+", "--log-format", "json", ok=False)
    assert failed.code == 1
    assert windows(failed, "yearly") == ([year for year in years if year != "2021"], ["2021"])
    again = shop("retry", ok=False)
    assert again.code == 1
    assert "1 of 1 windows was not built: 2021" in again.err
    plan = shop("retry", "--dry-run")
    assert "1 window: 2021" in plan.out
    shop.write("models/yearly.ff.sql", MODEL.replace("CHECKED", "cast(v as bigint)"))
    good = shop("retry", "--log-format", "json")
    assert windows(good, "yearly") == (["2021"], [])
    assert shop("show", "after", "--format", "json").out.count("3") >= 1
    assert "nothing to retry" in shop("retry").err


def test_named_windows(shop: Shop) -> None:
    shop.write("models/yearly.ff.sql", MODEL.replace("CHECKED", "cast(v as bigint)"))
    shop("build", "-s", "+yearly")
    named = ("--event-time-start", "2021-03-01", "--event-time-end", "2022-01-01 00:00:01")
    plan = shop("run", "-s", "yearly", *named, "--dry-run")
    assert "its windows were asked for; 2 windows: 2021 to 2022" in plan.out
    record = json.loads(shop("run", "-s", "yearly", *named, "--dry-run", "--log-format", "json").out.splitlines()[0])
    assert [start[:4] for start, _ in record["windows"]] == ["2021", "2022"]
    ended = shop("run", "-s", "yearly", *named, "--log-format", "json")
    assert windows(ended, "yearly") == (["2021", "2022"], [])
    assert "2 windows" in shop("run", "-s", "yearly", *named).err


def test_variables_name_windows_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("models/yearly.ff.sql", MODEL.replace("CHECKED", "cast(v as bigint)"))
    shop("build", "-s", "+yearly")
    monkeypatch.setenv("FLOWFORGE_EVENT_TIME_END", "2021-01-01")
    assert "1 window: 2020" in shop("run", "-s", "yearly", "--dry-run").out


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("run", "-s", "yearly", "--event-time-start", "2024"), "FF6423"),
        (("run", "-s", "yearly", "--event-time-start", "2024-01-01", "--event-time-end", "2024-01-01"), "FF6423"),
        (("run", "-s", "after", "--event-time-start", "2024-01-01"), "FF6424"),
        (("build", "-s", "raw", "--event-time-end", "2024-01-01", "--dry-run"), "FF6424"),
        (("build", "--event-time-end", "2024-01-01", "--full-refresh"), "FF6425"),
        (("seed", "--event-time-end", "2024-01-01"), "No such option"),
    ],
)
def test_mistakes(shop: Shop, args: tuple[str, ...], code: str) -> None:
    ended = shop(*args, ok=False)
    assert ended.code == 64, ended.err
    assert code in ended.err


def test_compile_shows_the_newest_window(shop: Shop) -> None:
    year = dt.datetime.now(dt.UTC).year
    sql = shop("compile", "-s", "yearly").out
    assert f"{year}-01-01" in sql or f"{year + 1}-01-01" in sql
    assert '"__ff_window_1"' in sql


PYTHON = """\
from flowforge import model


@model(deps=['src'], materialized='incremental', incremental_strategy='microbatch', event_time='ts',
       begin='2024-01-01', batch_size='day', frame='arrow')
def m(src):
    return src
"""


@pytest.mark.parametrize("engine", ["duckdb", "plain"])
def test_two_runs_at_once_leave_each_row_once(tmp_path: Path, make: Make, engine: str) -> None:
    """Whoever comes second waits, looks again what is left to do, and doubles nothing."""
    seed = "id,ts\n" + "".join(f"{number},2024-01-{1 + number % 9:02} 10:00:00\n" for number in range(45))
    files = {
        "profiles.yml": f"dev:\n  engine: {engine}\n  {engine}: {{path: both.db}}\n",
        "project.yml": "name: demo\nversion: 1\nseeds: {+event_time: ts}\n",
        "seeds/raw.csv": seed,
        "models/src.ff.sql": "{{ config(event_time='ts') }} select * from {{ ref('raw') }}",
        "models/m.ff.py": PYTHON,
    }
    first, second = make(files, plugins=load_plugins({})), make(files, plugins=load_plugins({}))
    assert first.build(["src", "raw"]).ok
    options = RunOptions(now=dt.datetime(2024, 1, 9, 12, tzinfo=dt.UTC), lock_timeout=120.0)
    results: dict[int, Any] = {}

    def go(number: int, project: Project) -> None:
        results[number] = project.run(["m"], options=options)

    if engine == "duckdb":  # a file of DuckDB belongs to one process, and so to one executor
        threads = [threading.Thread(target=go, args=(number, first)) for number in range(2)]
    else:
        threads = [threading.Thread(target=go, args=(number, one)) for number, one in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        assert result.ok, [one.error for one in result.nodes]
    with first.executor.session(label="test") as session:
        ids = session.query(
            f"SELECT id FROM {first.executor.dialect.render(first.compiler.relation(first.manifest.nodes['m.ff']))}"
        )
        found = sorted(ids.read_all().column(0).to_pylist())
    assert found == list(range(45))
    assert first.run(["m"], options=options).ok
