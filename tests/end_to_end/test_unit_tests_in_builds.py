"""Unit tests inside of a build: they run before their model is built, and what passed is not run for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.options import RunOptions
from flowforge.run.result import RunResult
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode

Make = Callable[..., Project]

FILES: Mapping[str, str] = {
    "seeds/raw.csv": "id,v\n1,10\n2,20\n",
    "models/doubled.ff.sql": "select id, v * {{ var('by', 2) }} as v from {{ ref('raw') }}\n",
    "models/after.ff.sql": "select count(*) as n from {{ ref('doubled') }}\n",
    "models/beside.ff.sql": "select 1 as one\n",
    "tests/unit/doubled.yml": "model: doubled\ncases:\n"
    "  - {name: twice, inputs: {raw: {csv: given.csv}}, expect: {rows: [{id: 1, v: 8}]}}\n"
    "  - {name: thrice, vars: {by: 3}, inputs: {raw: {csv: given.csv}}, expect: {rows: [{id: 1, v: 12}]}}\n",
    "tests/unit/given.csv": "id,v\n1,4\n",
}
TWICE, THRICE = "doubled::twice", "doubled::thrice"
KEEP_GOING = RunOptions(jobs=1)


def statuses(result: RunResult) -> dict[str, str]:
    return {node.node.removesuffix(".ff"): node.status.value for node in result.nodes}


def units(result: RunResult) -> dict[str, str]:
    return {one.case: one.status.value for one in result.unit_tests}


def change(project: Project, path: str, old: str, new: str) -> Project:
    file = project.root / path
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    project.close()
    return project.reloaded()


def test_a_failure_keeps_the_old_table_and_everything_behind_it(make: Make, rows: Any) -> None:
    project = make(FILES)
    assert project.build().exit_code == 0
    project = change(project, "models/doubled.ff.sql", "v *", "1 + v *")
    with project:
        result = project.build()
        assert result.exit_code == 2
        assert statuses(result)["doubled"] == "fail"
        assert statuses(result)["after"] == "skipped"
        assert rows(project, "doubled") == [(1, 20), (2, 40)]
        (error,) = result.errors
        assert (error.code, str(error.location)) == ("FF3012", "models/doubled.ff.sql")
        assert error.notes == (
            f"{TWICE}: ~ row 1 (id=1): v is 9, expected 8",
            f"{THRICE}: ~ row 1 (id=1): v is 13, expected 12",
        )
        without = project.build(options=RunOptions(unit_tests=False))
        assert (without.exit_code, without.unit_tests) == (0, ())
        assert rows(project, "doubled") == [(1, 21), (2, 41)]


def test_nothing_is_built_before_its_tests_ran(make: Make, rows: Any) -> None:
    project = make({**FILES, "models/doubled.ff.sql": "select id, v from {{ ref('raw') }}\n"})
    result = project.build(options=RunOptions(jobs=1))
    assert (statuses(result)["doubled"], statuses(result)["raw"]) == ("fail", "success")
    with project.executor.session(label="test") as session:
        assert "doubled" not in {one.relation.name for one in session.relations(project.executor.namespace)}


def test_a_model_that_is_up_to_date_is_held_to_new_tests(make: Make) -> None:
    project = make(FILES)
    project.build()
    project = change(project, "tests/unit/doubled.yml", "v: 8", "v: 9")
    with project:
        result = project.build()
    assert (result.exit_code, statuses(result)["doubled"], units(result)[TWICE]) == (2, "fail", "fail")


def test_what_cannot_run_is_an_error(make: Make) -> None:
    project = make(FILES)
    project = change(project, "models/doubled.ff.sql", "as v", "as v, nothing")
    with project:
        result = project.build()
    assert (result.exit_code, statuses(result)["doubled"]) == (1, "error")
    (error,) = result.errors
    assert (error.code, str(error.location).split(":")[0]) == ("FF3013", "models/doubled.ff.sql")


def test_what_passed_is_not_run_again(make: Make) -> None:
    project = make(FILES)
    assert units(project.build()) == {TWICE: "success", THRICE: "success"}
    assert units(project.build()) == {TWICE: "cached", THRICE: "cached"}
    assert units(project.build(options=RunOptions(cache=CacheMode.OFF))) == {TWICE: "success", THRICE: "success"}
    assert units(project.build(options=RunOptions(rebuild=("doubled",)))) == {TWICE: "success", THRICE: "success"}
    assert units(project.build(options=RunOptions(full_refresh=True))) == {TWICE: "success", THRICE: "success"}
    assert units(project.build(["beside"])) == {}


CHANGES = [
    ("models/doubled.ff.sql", "select id", "select  id", {TWICE, THRICE}),
    (
        "models/doubled.ff.sql",
        "{{ var('by', 2) }}",
        "{% if var('by', 2) == 3 %}(2 + 1){% else %}2{% endif %}",
        {THRICE},
    ),
    ("tests/unit/given.csv", "1,4", "1,4\n", set()),
    ("tests/unit/doubled.yml", "rows: [{id: 1, v: 8}]", "rows: [{v: 8}]", {TWICE}),
    ("tests/unit/doubled.yml", "rows: [{id: 1, v: 8}]", "rows: [{id: 1, v: 8}], subset: true", {TWICE}),
    ("tests/unit/doubled.yml", "vars: {by: 3}", 'vars: {by: 3}, now: "2024-01-01"', {THRICE}),
    ("models/beside.ff.sql", "1 as one", "2 as one", set()),
]


def test_what_changed_is_run_again(make: Make) -> None:
    project = make(FILES)
    project.build()
    for path, old, new, again in CHANGES:
        with change(project, path, old, new) as project:
            result = project.build(["doubled"])
        (project.root / path).write_text(FILES[path], "utf-8")
        told = {case for case, status in units(result).items() if status == "success"}
        assert told == again, (path, new)
        assert set(units(result).values()) <= {"success", "cached"}
        with project.reloaded() as project:
            project.build(["doubled"])


def test_variables_of_the_project_are_part_of_it(make: Make) -> None:
    project = make(FILES)
    project.build()
    with project.reloaded(vars={"by": 5}) as other:
        assert units(other.build(options=RunOptions(jobs=1))) == {TWICE: "fail", THRICE: "cached"}


def test_a_failure_is_never_remembered(make: Make) -> None:
    project = make(FILES)
    project = change(project, "tests/unit/given.csv", "1,4", "1,5")
    with project:
        for _ in range(2):
            assert units(project.build()) == {TWICE: "fail", THRICE: "fail"}
        project = change(project, "tests/unit/given.csv", "1,5", "1,4")
        with project:
            assert units(project.build()) == {TWICE: "success", THRICE: "success"}


@pytest.mark.parametrize(
    "sql",
    [
        "select id, v * 2 as v, random() as r from {{ ref('raw') }}",
        "select id, v * 2 as v, current_date as d from {{ ref('raw') }}",
        "select id, v * 2 as v from {{ ref('raw') }} where 1 in (select 1 from duckdb_settings())",
    ],
)
def test_what_may_be_different_next_time_is_run_each_time(make: Make, sql: str) -> None:
    files = {path: text for path, text in FILES.items() if not path.endswith("doubled.yml")}
    unit = FILES["tests/unit/doubled.yml"].split("  - {name: thrice")[0]
    project = make({**files, "models/doubled.ff.sql": sql + "\n", "tests/unit/doubled.yml": unit})
    for _ in range(2):
        assert units(project.build()) == {TWICE: "success"}


def test_a_python_model_and_what_it_imports(make: Make) -> None:
    files = {
        "seeds/raw.csv": "id,v\n1,2\n",
        "models/factors.py": "FACTOR = 2\n",
        "models/doubled.ff.py": "import pyarrow as pa\nfrom flowforge import model\nfrom .factors import FACTOR\n\n"
        "@model(deps=['raw'], frame='arrow')\ndef doubled(raw):\n"
        "    return pa.table({'v': [v.as_py() * FACTOR for v in raw['v']]})\n",
        "tests/unit/doubled.yml": "model: doubled\ncases:\n"
        "  - {name: twice, inputs: {raw: {rows: [{id: 7, v: 4}]}}, expect: {rows: [{v: 8}]}}\n",
    }
    project = make(files)
    assert units(project.build()) == {TWICE: "success"}
    assert units(project.build()) == {TWICE: "cached"}
    with change(project, "models/factors.py", "2", "3") as project:
        assert units(project.build()) == {TWICE: "fail"}


EPHEMERAL: Mapping[str, str] = {
    "seeds/raw.csv": "id,v\n1,10\n2,20\n",
    "models/half.ff.sql": "{{ config(materialized='ephemeral') }}\nselect id, v / 2 as v from {{ ref('raw') }}\n",
    "models/one.ff.sql": "select * from {{ ref('half') }}\n",
    "models/two.ff.sql": "select * from {{ ref('half') }}\n",
    "tests/unit/half.yml": "model: half\ncases:\n"
    "  - {name: halves, inputs: {raw: {rows: [{id: 1, v: 8}]}}, expect: {rows: [{id: 1, v: 4}]}}\n",
}


def test_the_tests_of_an_ephemeral_model_belong_to_its_readers(make: Make) -> None:
    project = make(EPHEMERAL)
    assert units(project.build()) == {"half::halves": "success"}
    with change(project, "models/half.ff.sql", "v / 2", "v / 4") as project:
        result = project.build(options=RunOptions(policy=FailPolicy.KEEP_GOING))
        assert units(result) == {"half::halves": "fail"}
        assert (statuses(result)["one"], statuses(result)["two"]) == ("fail", "fail")
        alone = project.build(["half"])
        assert (units(alone), alone.exit_code) == ({"half::halves": "fail"}, 2)
        assert project.build(["one"]).exit_code == 0  # it is not selected


def test_flaws_of_a_file_are_told_before_anything_is_built(make: Make) -> None:
    project = make({**FILES, "tests/unit/bad.yml": "model: ghost\ncases: []\n"})
    with pytest.raises(FlowForgeError, match="no model 'ghost'"):
        project.build(["beside"])
    with pytest.raises(FlowForgeError, match="no model 'ghost'"):
        project.validate()
    assert project.build(["beside"], options=RunOptions(unit_tests=False)).exit_code == 0


def test_the_command(shop: Any) -> None:
    for path, text in FILES.items():
        shop.write(path, text)
    assert "unit tests: 2 passed" in shop("build").err.splitlines()[-1]
    assert "unit tests: 2 unchanged" in shop("build").err.splitlines()[-1]
    shop.write("tests/unit/given.csv", "id,v\n1,5\n")
    failed = shop("build", ok=False)
    assert failed.code == 2
    assert "error[FF3012]: 2 unit tests of 'doubled' failed, so it was not built" in failed.err
    assert "doubled::twice: ~ row 1 (id=1): v is 10, expected 8" in failed.err
    assert failed.err.splitlines()[-1].endswith("unit tests: 2 failed")
    assert "unit test" not in shop("build", "--no-unit-tests").err
    told = shop("build", "--log-format", "json", ok=False).err.splitlines()
    (one, _) = [json.loads(line) for line in told if '"unit_test_finished"' in line]
    assert (one["case"], one["status"], one["line"]) == (TWICE, "fail", 3)


def test_a_retry_goes_on_without_tests_when_the_run_had_none(shop: Any) -> None:
    for path, text in FILES.items():
        shop.write(path, text)
    shop.write("models/doubled.ff.sql", "select id, ghost as v from {{ ref('raw') }}\n")
    assert shop("build", "--no-unit-tests", ok=False).code == 1
    shop.write("models/doubled.ff.sql", "select id, v * 7 as v from {{ ref('raw') }}\n")
    assert "unit test" not in shop("retry").err
    assert shop("build", ok=False).code == 2


def test_a_cached_utest(shop: Any) -> None:
    for path, text in FILES.items():
        shop.write(path, text)
    assert shop("utest", "--cached").err.splitlines()[-1] == "unit tests: 2 passed"
    assert shop("utest", "--cached").err.splitlines()[-1] == "unit tests: 2 unchanged"
    assert shop("utest").err.splitlines()[-1] == "unit tests: 2 passed"
    assert "unit tests: 2 unchanged" in shop("build").err
    assert Status.CACHED.value == "cached"
