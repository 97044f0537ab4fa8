"""Snapshots from the project's files to the history: what runs add, what is skipped, what is refused, what is pruned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.histories import run_snapshots
from flowforge.crash import EXIT_CODE, VARIABLE
from flowforge.errors import NothingSelectedError
from flowforge.events import Status
from flowforge.run.options import RunOptions
from flowforge.run.result import NodeResult, RunResult
from flowforge.state.policy import CacheMode

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]
Shop = Any  # the helper in conftest.py

DAY_1 = "id,v,day\n1,10,2024-01-01\n2,20,2024-01-02\n"
DAY_2 = "id,v,day\n1,99,2024-01-01\n2,21,2024-01-05\n3,30,2024-01-03\n"
DAY_3 = "id,v,day\n1,99,2024-01-01\n3,30,2024-01-03\n"
SQL = "{{{{ config(materialized='snapshot', {}) }}}}\nselect id, v, day from {{{{ ref('raw') }}}}\n"
PYTHON = (
    "from flowforge import model\n\n"
    "@model(deps=['raw'], materialized='snapshot', {})\ndef m(raw):\n    return raw[['id', 'v', 'day']]\n"
)
TIMED = "strategy='timestamp', unique_key='id', updated_at='day'"
CHECKED = "strategy='check', unique_key='id', check_cols=['v']"
SEEN = "(select id, v, _ff_is_current from m)"
KEPT = {
    TIMED: [(1, 10, True), (2, 20, False), (2, 21, True), (3, 30, True)],
    CHECKED: [(1, 10, False), (1, 99, True), (2, 20, False), (2, 21, True), (3, 30, True)],
}


def node(result: RunResult, name: str) -> NodeResult:
    return next(one for one in result.nodes if one.node.removesuffix(".ff") == name)


def error(result: RunResult, name: str = "m") -> Any:
    found = node(result, name).error
    assert found is not None, "nothing was refused"
    return found


@pytest.mark.parametrize("form", ["sql", "python"])
@pytest.mark.parametrize("settings", KEPT)
def test_what_a_second_run_adds(make: Make, rows: Rows, form: str, settings: str) -> None:
    file, text = ("models/m.ff.sql", SQL) if form == "sql" else ("models/m.ff.py", PYTHON)
    files = {file: text.format(settings), "models/below.ff.sql": "select count(*) as n from {{ ref('m') }}"}
    project = make({**files, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    assert rows(project, SEEN) == [(1, 10, True), (2, 20, True)]
    assert all(one.status is Status.CACHED for one in project.build().nodes)
    project.close()
    project = make({**files, "seeds/raw.csv": DAY_2})
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert rows(project, SEEN) == KEPT[settings]
    assert rows(project, "below") == [(len(KEPT[settings]),)]
    for options in (
        RunOptions(full_refresh=True),
        RunOptions(rebuild=("m",)),
        RunOptions(cache=CacheMode.OFF),
        RunOptions(cache=CacheMode.WO),
    ):
        again = project.build(options=options)
        assert again.ok
        assert node(again, "m").kept
        assert rows(project, SEEN) == KEPT[settings], "the history was thrown away"


def test_rows_go_and_come_back(make: Make, rows: Rows) -> None:
    files = {
        "models/m.ff.sql": SQL.format(TIMED + ", hard_deletes='new_record'"),
        "models/ended.ff.sql": SQL.format(CHECKED + ", hard_deletes='invalidate'"),
    }
    for text in (DAY_1, DAY_3, DAY_1.replace("2,20", "2,22")):
        project = make({**files, "seeds/raw.csv": text})
        assert project.build().ok
        project.close()
    project = make({})
    assert rows(project, "(select v, _ff_is_current, _ff_is_deleted from m where id = 2)") == [
        (20, False, False),
        (20, False, True),
        (22, True, False),
    ]
    assert rows(project, "(select v, _ff_is_current, _ff_valid_to is null from ended where id = 2)") == [
        (20, False, False),
        (22, True, True),
    ]
    overlapping = (
        "(select count(*) from {0} a join {0} b on a.id = b.id and a._ff_snapshot_hash <> b._ff_snapshot_hash"
        " and a._ff_valid_from < coalesce(b._ff_valid_to, '9999-01-01')"
        " and b._ff_valid_from < coalesce(a._ff_valid_to, '9999-01-01'))"
    )
    for name in ("m", "ended"):
        assert rows(project, overlapping.format(name)) == [(0,)]


def test_columns_come_and_go(make: Make, rows: Rows) -> None:
    head = "{{ config(materialized='snapshot', strategy='check', unique_key='id', check_cols='all') }}\n"
    for query, text in (
        ("select id, cast(v as integer) as v from {{ ref('raw') }}", DAY_1),
        ("select 'x' as tag, v, id from {{ ref('raw') }} where id < 3", DAY_2),
        ("select id, 'x' as tag from {{ ref('raw') }} where id < 3", DAY_2),
    ):
        project = make({"models/m.ff.sql": head + query, "seeds/raw.csv": text})
        assert project.build().ok
        project.close()
    project = make({})
    columns = "(select column_name, data_type from information_schema.columns where table_name = 'm')"
    assert ("v", "BIGINT") in rows(project, columns)
    assert rows(project, "(select id, v, tag, _ff_is_current from m)") == [
        (1, 10, None, False),
        (1, 99, "x", True),
        (2, 20, None, False),
        (2, 21, "x", True),
    ]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("select id, 'a' || v as v, day from {{ ref('raw') }}", "FF2035", "'v' is string now, and was int64"),
        ("select v, day from {{ ref('raw') }}", "FF2035", "the query has no column 'id', which 'unique_key' names"),
        ("select id, v from {{ ref('raw') }}", "FF2035", "the query has no column 'day', which 'updated_at' names"),
        ("select id, v, null::date as day from {{ ref('raw') }}", "FF2032", "'day' is NULL"),
        ("select null::bigint as id, v, day from {{ ref('raw') }}", "FF2032", "'id' is NULL"),
        ("select 1 as id, v, day from {{ ref('raw') }}", "FF2033", "id=1 (3 rows)"),
        ("select id, v, day, 1 as _ff_is_current from {{ ref('raw') }}", "FF2035", "'_ff_is_current'"),
    ],
)
def test_what_is_refused_leaves_the_history_alone(make: Make, rows: Rows, query: str, code: str, words: str) -> None:
    project = make({"models/m.ff.sql": SQL.format(TIMED), "seeds/raw.csv": DAY_1})
    assert project.build().ok
    before = rows(project, "m")
    project.close()
    head = SQL.format(TIMED).split("\n", 1)[0]
    project = make({"models/m.ff.sql": f"{head}\n{query}\n", "seeds/raw.csv": DAY_2})
    found = error(project.build())
    assert found.code == code
    assert words in found.message
    assert found.location.path == "models/m.ff.sql"
    assert found.help
    assert rows(project, "m") == before


def test_fault_10_duplicate_keys_in_the_source_never_make_two_current_rows(make: Make, rows: Rows) -> None:
    """FastFlowTransform kept two current versions of one key when the query returned it twice, and said nothing."""
    twice = "id,v,day\n1,10,2024-01-01\n1,11,2024-01-02\n"
    for settings in KEPT:
        project = make({"models/m.ff.sql": SQL.format(settings), "seeds/raw.csv": twice}, name=settings[:15])
        found = error(project.build())
        assert (found.code, "id=1 (2 rows)" in found.message) == ("FF2033", True)
        assert rows(project, "(select count(*) from duckdb_tables() where table_name = 'm')") == [(0,)]
        project.close()
        project = make({"seeds/raw.csv": DAY_1}, name=settings[:15])
        assert project.build().ok
        project.close()
        project = make({"seeds/raw.csv": twice}, name=settings[:15])
        assert error(project.build()).code == "FF2033"
        assert rows(project, SEEN) == [(1, 10, True), (2, 20, True)]
        assert rows(project, "(select id from m where _ff_is_current group by id having count(*) > 1)") == []


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_model_that_becomes_a_snapshot(make: Make, rows: Rows, kind: str) -> None:
    project = make({"models/m.ff.sql": f"{{{{ config(materialized='{kind}') }}}}\nselect 1 as id, 2 as v, 3 as day"})
    assert project.build().ok
    project.close()
    project = make({"models/m.ff.sql": SQL.format(TIMED), "seeds/raw.csv": DAY_1})
    found = error(project.build(options=RunOptions(full_refresh=True)))
    assert found.code == "FF2034"
    assert f"the {kind} " in found.message
    assert "alias" in found.help
    assert rows(project, "m") == [(1, 2, 3)]


@pytest.mark.parametrize(
    "settings", ["materialized='table'", "materialized='view'", "incremental=True, unique_key='id'"]
)
def test_a_snapshot_that_becomes_something_else(make: Make, rows: Rows, settings: str) -> None:
    project = make({"models/m.ff.sql": SQL.format(TIMED), "seeds/raw.csv": DAY_1})
    assert project.build().ok
    before = rows(project, "m")
    project.close()
    project = make({"models/m.ff.sql": f"{{{{ config({settings}) }}}}\nselect id, v, day from {{{{ ref('raw') }}}}"})
    found = error(project.build(options=RunOptions(full_refresh=True)))
    assert found.code == "FF2037"
    assert rows(project, "m") == before
    with project.executor.session(label="test") as session:
        session.execute("DROP TABLE m")
    assert project.build().ok


def test_checks_see_the_history_as_it_will_be(make: Make, rows: Rows) -> None:
    beside = {"models/m.yml": "models: [{name: m, columns: [{name: id, checks: [unique]}]}]"}
    files = {"models/m.ff.sql": SQL.format(TIMED), **beside}
    project = make({**files, "seeds/raw.csv": DAY_1})
    assert project.build().ok
    before = rows(project, "m")
    project.close()
    project = make({**files, "seeds/raw.csv": DAY_2})
    result = project.build()
    assert node(result, "m").status is Status.FAIL
    assert rows(project, "m") == before


def test_what_reads_a_history_is_skipped_while_it_is_the_same(make: Make) -> None:
    files = {
        "models/m.ff.sql": SQL.format(TIMED),
        "models/below.ff.sql": "select count(*) as n from {{ ref('m') }}",
        "seeds/raw.csv": DAY_1,
    }
    project = make(files)
    assert project.build().ok
    project.close()
    project = make({**files, "seeds/raw.csv": DAY_1.replace("1,10", "1,11")})
    result = project.build()
    assert node(result, "m").kept, "a late row is no change"
    assert node(result, "below").status is Status.CACHED
    project.close()
    project = make({**files, "models/m.ff.sql": SQL.format(TIMED) + "where id < 9\n"})
    result = project.build()
    assert node(result, "m").status is Status.SUCCESS, "another query is applied again"
    assert node(result, "below").status is Status.CACHED


def test_only_snapshots_are_run(make: Make, rows: Rows) -> None:
    files = {
        "seeds/raw.csv": DAY_1,
        "models/m.ff.sql": SQL.format(TIMED),
        "models/other.ff.sql": SQL.format(CHECKED),
        "models/below.ff.sql": "select count(*) as n from {{ ref('m') }}",
    }
    project = make(files)
    assert project.seed().ok
    result = run_snapshots(project)
    assert {one.node for one in result.nodes} == {"m.ff", "other.ff"}
    assert {one.node for one in run_snapshots(project, "m").nodes} == {"m.ff"}
    assert {one.node for one in run_snapshots(project, (), "m").nodes} == {"other.ff"}
    assert {one.node for one in run_snapshots(project, "m+").nodes} == {"m.ff"}
    assert [one.name for one in project.select("type:snapshot")] == ["m.ff", "other.ff"]
    assert [one.name for one in project.select("config.materialized:snapshot")] == ["m.ff", "other.ff"]
    with pytest.raises(NothingSelectedError, match="no snapshot in the selection"):
        run_snapshots(project, "below")


def test_pruning(make: Make, rows: Rows) -> None:
    files = {
        "models/m.ff.sql": SQL.format(CHECKED),
        "models/below.ff.sql": "select count(*) as n from {{ ref('m') }}",
    }
    for value in range(5):
        project = make({**files, "seeds/raw.csv": DAY_1.replace("1,10", f"1,{value}")})
        assert project.build().ok
        project.close()
    project = make({})
    assert len(rows(project, "m")) == 6
    plan = project.plan(command="snapshot", options=RunOptions(keep_last=2))
    assert [step.prunes for step in plan.steps.values()] == [3]
    assert len(rows(project, "m")) == 6
    result = run_snapshots(project, options=RunOptions(keep_last=2))
    assert node(result, "m").pruned == 3
    assert node(result, "m").status is Status.CACHED
    assert rows(project, SEEN) == [(1, 3, False), (1, 4, True), (2, 20, True)]
    assert node(run_snapshots(project, options=RunOptions(keep_last=2)), "m").pruned == 0
    result = project.build()
    assert node(result, "m").status is Status.CACHED, "it is still made of the same rows"
    assert node(result, "below").status is Status.SUCCESS, "what reads it has to be built again"
    assert rows(project, "below") == [(3,)]
    project.close()
    project = make({"seeds/raw.csv": DAY_1.replace("1,10", "1,77")})
    assert project.seed().ok
    result = run_snapshots(project, options=RunOptions(keep_last=1))
    assert node(result, "m").pruned == 2
    assert rows(project, SEEN) == [(1, 77, True), (2, 20, True)]


def test_a_kill_between_merging_and_pruning_is_made_good(make: Make, rows: Rows, tmp_path: Path) -> None:
    project = make({"models/m.ff.sql": SQL.format(CHECKED), "seeds/raw.csv": DAY_1})
    assert project.build().ok
    project.close()
    root = tmp_path / "project"
    (root / "seeds/raw.csv").write_text(DAY_2, "utf-8")
    project = make({})
    assert project.seed().ok
    project.close()
    command = [sys.executable, "-m", "flowforge", "snapshot", "run", str(root), "--prune", "--keep-last", "1"]
    killed = subprocess.run(
        command, env={**os.environ, VARIABLE: "publish.pruned"}, capture_output=True, text=True, check=False
    )
    assert killed.returncode == EXIT_CODE, killed.stderr
    project = make({})
    assert rows(project, SEEN) == KEPT[CHECKED]
    project.close()
    subprocess.run(command, check=True, capture_output=True)
    project = make({})
    assert rows(project, SEEN) == [(1, 99, True), (2, 21, True), (3, 30, True)]


# the command line


@pytest.fixture
def kept(shop: Shop) -> Shop:
    """The shop with a snapshot of its raw rows that holds three versions of one key."""
    shop.write(
        "models/history.ff.sql",
        "{{ config(materialized='snapshot', strategy='check', unique_key='id', check_cols='all') }}\n"
        "select id, v from {{ ref('raw') }}\n",
    )
    for value in (10, 11, 12):
        shop.write("seeds/raw.csv", f"id,v\n1,{value}\n2,20\n")
        shop("build")
    return shop


def test_the_command_runs_snapshots(kept: Shop) -> None:
    assert kept.statuses("snapshot", "run") == {"history": "cached"}
    kept.write("seeds/raw.csv", "id,v\n1,13\n2,20\n")
    kept("seed")
    assert kept("snapshot", "run", "--dry-run").out.startswith("build  history")
    assert kept.statuses("snapshot", "run", "-s", "history", ".") == {"history": "success"}
    shown = kept("show", "--inline", "select v from history where _ff_is_current order by v").out
    assert shown.split()[-2:] == ["13", "20"]


def test_the_command_prunes(kept: Shop) -> None:
    dry = kept("snapshot", "run", "--prune", "--keep-last", "1", "--dry-run")
    assert "prune  history  2 old versions would go" in dry.out
    assert "prune" not in kept("snapshot", "run", "--dry-run").out
    found = kept("snapshot", "run", "--prune", "--dry-run", "--log-format", "json").out.splitlines()
    assert json.loads(found[0])["prunes"] == 0
    assert "removed" not in kept("snapshot", "run", "--prune").err, (
        "three versions are kept unless something else is said"
    )
    assert "pruned history: 2 old versions removed" in kept("snapshot", "run", "--prune", "--keep-last", "1").err
    assert "removed" not in kept("snapshot", "run", "--prune", "--keep-last", "1").err


def test_a_refresh_says_that_the_history_stays(kept: Shop) -> None:
    assert "the history stays" in kept("run", "--full-refresh", "--dry-run", "-s", "history").out
    assert "the history stays" in kept("run", "--no-cache", "--dry-run", "-s", "history").out
    assert "the history stays" not in kept("run", "--full-refresh", "--dry-run", "-s", "lone").out
    kept("run", "--full-refresh", "-s", "history")
    assert kept("show", "--inline", "select count(*) as n from history").out.split()[-1] == "4"


def test_what_the_command_does_not_understand(kept: Shop) -> None:
    wrong = kept("snapshot", "run", "--keep-last", "2", ok=False)
    assert wrong.code == 64
    assert "FF6421" in wrong.err
    assert kept("snapshot", "run", "--prune", "--keep-last", "0", ok=False).code == 64
    empty = kept("snapshot", "run", "-s", "lone", ok=False)
    assert empty.code == 5
    assert "no snapshot in the selection" in empty.err
    assert kept("snapshot", "run", "-s", "lone", "--allow-empty").code == 0
