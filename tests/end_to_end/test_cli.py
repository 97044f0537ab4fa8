"""The command line in one process: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from flowforge.cli.main import run

FILES = {
    "project.yml": "name: demo\nversion: 1\nvars: {low: 0}\n"
    "tests:\n  - {type: row_count_between, table: total, min_rows: 1, tags: [batch]}\n",
    "profiles.yml": "dev: {engine: duckdb, duckdb: {path: demo.duckdb}}\n"
    "default: {engine: duckdb, duckdb: {path: other.duckdb}}\n",
    "seeds/raw.csv": "id,v\n1,10\n2,\n",
    "models/a.ff.sql": "{{ config(materialized='view', tags=['staging']) }}\n"
    "select * from {{ ref('raw') }} where id > {{ var('low') }}",
    "models/total.ff.sql": "select count(*) as n, sum(v) as s from {{ ref('a') }}",
    "models/a.yml": "version: 1\nmodels:\n  - name: a\n    columns:\n      - name: v\n"
    "        tests: [{not_null: {severity: warn}}]\n",
}


@attrs.frozen
class Ended:
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def call(project: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls the program in the project's folder."""
    monkeypatch.chdir(project)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "FF_ENGINE"):
        monkeypatch.delenv(name, raising=False)

    def program(*args: str) -> Ended:
        capfd.readouterr()
        code = run(args)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        assert code != 99, err
        return Ended(code, out, err)

    return program


def test_build_reports_on_stderr_and_leaves_stdout_alone(call: Call) -> None:
    ended = call("build")
    assert (ended.code, ended.out) == (0, "")
    assert "3/3 total" in ended.err
    assert "! not_null_a_v: a.v has 1 NULL" in ended.err
    assert "3 ok, checks: 1 passed, 1 warned, 0 failed" in ended.err


def test_quiet_says_nothing_when_all_is_well(call: Call) -> None:
    assert call("build", "-q") == Ended(0, "", "")
    assert call("-q", "build") == Ended(0, "", "")


def test_verbose_before_and_after_the_command(call: Call) -> None:
    for args in (["-v", "run"], ["run", "-v"]):
        call("seed")
        ended = call(*args)
        assert "started total" in ended.err
    assert "[sql] create table" in call("run", "--no-cache", "-vv").err
    assert "[sql]" not in call("run", "--rebuild", "-v").err
    assert "[sql]" in call("run", "--rebuild", "--sql-debug").err


def test_the_sql_channel_has_a_variable(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWFORGE_SQL_DEBUG", "1")
    assert "[sql] load" in call("seed").err


def test_a_model_in_the_place_of_the_project_leads_to_the_option(call: Call) -> None:
    for typed, hinted in (("total", True), ("models/total", False)):
        ended = call("compile", typed)
        assert ended.code == 64
        assert ("`-s total` selects a model of that name" in ended.err) == hinted


def test_a_project_by_argument_option_and_variable(
    call: Call, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert call("ls", str(project)).out.split() == ["raw", "a", "total"]
    assert call("ls", "-C", str(project)).out == call("-C", str(project), "ls").out != ""
    assert call("ls").code == 1
    assert "flowforge init" in call("ls").err
    monkeypatch.setenv("FF_PROJECT_DIR", str(project))
    assert call("ls").code == 0


def test_paths_of_a_profile_belong_to_the_project_not_to_the_shell(
    call: Call, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert call("build", str(project)).code == 0
    assert (project / "demo.duckdb").exists()
    assert not list(elsewhere.iterdir())


def test_selection_and_its_exit_codes(call: Call) -> None:
    assert call("ls", "-s", "a+").out.split() == ["a", "total"]
    assert call("ls", "-s", "tag:staging kind:seed").out.split() == ["raw", "a"]
    assert call("ls", "--select", "a", "--select", "raw", "--exclude", "raw").out.split() == ["a"]
    unknown = call("ls", "-s", "totl")
    assert (unknown.code, unknown.out) == (5, "")
    assert "did you mean 'total'" in unknown.err
    assert call("ls", "-s", "zz*").code == 5
    assert call("ls", "-s", "tag:").code == 64
    assert call("run", "-s", "raw").code == 5
    assert call("run", "-s", "raw", "--allow-empty").code == 0


def test_usage_errors_exit_with_64(call: Call) -> None:
    for args in (
        ["nope"],
        ["run", "--nope"],
        ["run", "--jobs", "0"],
        ["run", "--jobs", "many"],
        ["run", "--keep-going", "--fail-fast"],
        ["run", "--vars", "novalue"],
        ["run", "no/such/folder"],
        ["show"],
        ["show", "a", "--inline", "select 1"],
        ["explain", "FF0000"],
        ["clean", "seeds"],
    ):
        ended = call(*args)
        assert ended.code == 64, args
        assert ended.out == ""
        assert "help: " in ended.err
    assert "did you mean 'build'" in call("biuld").err


def test_an_error_shows_code_place_frame_and_next_step(call: Call, project: Path) -> None:
    (project / "models/total.ff.sql").write_text("select *\nfrom {{ ref('aa') }}\n")
    ended = call("run")
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "error[FF1203]: unknown model 'aa'",
        "  --> models/total.ff.sql:2:14",
        "   2 | from {{ ref('aa') }}",
        "     |              ^^",
        "  help: did you mean 'a'?",
    ]


def test_the_engines_error_is_mapped_to_the_model(call: Call, project: Path) -> None:
    (project / "models/total.ff.sql").write_text(
        "{{ config(tags=['x']) }}\n\nselect\n    missing_one\nfrom {{ ref('a') }}\n"
    )
    ended = call("build")
    assert ended.code == 1
    assert "--> models/total.ff.sql:4:5" in ended.err
    assert "   4 |     missing_one" in ended.err
    assert "build failed" in ended.err


def test_json_lines(call: Call, project: Path) -> None:
    records = [json.loads(line) for line in call("build", "--log-format", "json").err.splitlines()]
    assert records[0]["event"] == "run_started"
    assert records[-1]["event"] == "summary"
    assert records[-1]["exit_code"] == 0
    assert {record["version"] for record in records} == {1}
    (project / "models/total.ff.sql").write_text("select nope from {{ ref('a') }}")
    records = [json.loads(line) for line in call("run", "--log-format", "json").err.splitlines()]
    error = next(record for record in records if record["event"] == "error")
    assert (error["path"], error["line"]) == ("models/total.ff.sql", 1)


def test_github_annotations(call: Call, project: Path) -> None:
    (project / "models/total.ff.sql").write_text("select nope from {{ ref('a') }}")
    call("seed")
    assert "::error file=models/total.ff.sql,line=1,col=8::FF21" in call("run", "--log-format", "github").out


def test_test_prints_the_summary_of_the_seeds(call: Call, project: Path) -> None:
    call("build")
    ended = call("test")
    assert ended.code == 0
    assert ended.out.startswith("Data Quality Summary\n")
    assert "❕ not_null           a.v" in ended.out
    assert "↳ a.v has 1 NULL" in ended.out
    assert ended.out.endswith("Totals\n──────\n✓ passed: 1\n! warned: 1\n✗ failed: 0\n")
    tagged = call("test", "--select", "batch")
    assert "row_count_between" in tagged.out
    assert "not_null" not in tagged.out
    (project / "project.yml").write_text(FILES["project.yml"].replace("min_rows: 1", "min_rows: 9"))
    failed = call("test")
    assert failed.code == 2
    assert "❌ row_count_between" in failed.out
    assert "e.g. SQL" in call("test", "-v").out


def test_a_project_without_checks_is_no_failure(call: Call, project: Path) -> None:
    (project / "project.yml").write_text("name: demo\nversion: 1\n")
    (project / "models/a.yml").unlink()
    assert call("test").code == 0


def test_test_before_anything_was_built(call: Call) -> None:
    ended = call("test")
    assert ended.code == 1
    assert "does not exist" in ended.out


def test_compile_show_dag_and_validate(call: Call, project: Path, tmp_path: Path) -> None:
    assert call("compile", "-s", "a").out == 'select * from "main"."raw" where id > 0\n'
    assert "where id > 7" in call("compile", "-s", "a", "--vars", "low=7").out
    assert "where id > 7" in call("compile", ".", "--vars", "other=1", "low=7").out
    assert "where id > 7" in call("compile", "--vars", "low=1", "low=7", ".").out
    assert "where id > 7" in call("compile", "-s", "a", "--vars", "{low: 7}").out
    assert not (project / "demo.duckdb").exists()
    assert call("compile", "--out", str(tmp_path / "sql")).code == 0
    assert sorted(path.name for path in (tmp_path / "sql").iterdir()) == ["a.sql", "total.sql"]
    assert call("validate").code == 0
    assert not (project / "demo.duckdb").exists()
    assert call("dag").out.startswith("flowchart")
    call("build")
    assert call("show", "total", "--format", "json").out == '{"n": 2, "s": 10}\n'
    assert call("show", "raw", "--format", "csv").out == "id,v\n1,10\n2,\n"
    assert "NULL" in call("show", "raw").out
    inline = call("show", "--inline", "select max(id) as m from {{ ref('raw') }}", "--format", "json")
    assert inline.out == '{"m": 2}\n'
    assert call("show", "nope").code == 5


def test_validate_reports_everything_at_once(call: Call, project: Path) -> None:
    (project / "models/total.ff.sql").write_text("select * fro {{ ref('a') }}")
    (project / "models/b.ff.sql").write_text("select {{ var('nothing') }}")
    ended = call("validate")
    assert ended.code == 1
    assert "error[FF1405]" in ended.err
    assert "error[FF1403]" in ended.err
    assert "2 errors" in ended.err


def test_ls_in_other_shapes(call: Call) -> None:
    rows = [json.loads(line) for line in call("ls", "--format", "json").out.splitlines()]
    assert rows[2]["depends_on"] == ["a.ff"]
    assert call("ls", "--format", "paths").out.split() == ["seeds/raw.csv", "models/a.ff.sql", "models/total.ff.sql"]
    assert "row_count_between_total" in call("ls", "--checks").out


def test_debug_and_plugins(call: Call) -> None:
    ended = call("debug")
    assert ended.code == 0
    assert "engine duckdb" in ended.out
    assert "connection   ok" in ended.out
    rows = [json.loads(line) for line in call("plugins", "--format", "json").out.splitlines()]
    assert {"core", "duckdb"} <= {row["name"] for row in rows if row["status"] == "active"}


def test_a_mistyped_profile_is_said(call: Call) -> None:
    ended = call("build", "--env", "prdo")
    assert ended.code == 0
    assert "there is no profile 'prdo', so 'default' is used" in ended.err


def test_an_engine_that_is_not_installed(call: Call, project: Path) -> None:
    (project / "profiles.yml").write_text("dev: {engine: bigquery, bigquery: {project: p, dataset: d}}\n")
    ended = call("run")
    assert ended.code == 1
    assert "flowforge-bigquery" in ended.err
    assert call("run", "--engine", "dukdb").code == 1


def test_clean_deletes_its_own_folder_only(call: Call, project: Path) -> None:
    assert "nothing to clean" in call("clean").err
    (project / ".flowforge/x").mkdir(parents=True)
    assert call("clean").code == 0
    assert not (project / ".flowforge").exists()
    outside = project.parent / "outside"
    outside.mkdir(exist_ok=True)
    (project / ".flowforge").symlink_to(outside)
    assert call("clean").code == 1
    assert outside.exists()


def test_explain(call: Call) -> None:
    assert call("explain", "ff1203").out.startswith("FF1203: ")
    assert len(call("explain").out.splitlines()) > 50


def test_a_new_project_builds_at_once(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = call("init", "fresh", "--engine", "duckdb")
    assert ended.code == 0, ended.err
    assert "flowforge build" in ended.out
    assert call("init", "fresh").code == 64
    monkeypatch.chdir(tmp_path / "fresh")
    built = call("build")
    assert built.code == 0, built.err
    assert "1 warned, 0 failed" in built.err
    assert "Ada" in call("show", "customers").out
    assert call("validate").code == 0
    assert call("test").code == 0


def test_what_a_model_prints_never_reaches_stdout(call: Call, project: Path) -> None:
    (project / "models/p.ff.py").write_text(
        "import pandas\nfrom flowforge import model\nprint('import noise')\n\n"
        "@model\ndef p():\n    print('noise')\n    return pandas.DataFrame({'a': [1]})\n"
    )
    ended = call("run", "-s", "p")
    assert ended.out == ""
    assert "noise" in ended.err


def test_colours_only_where_they_are_wanted(call: Call) -> None:
    assert "\x1b[" not in call("build").err
    assert "\x1b[" in call("build", "--color", "always").err
    assert "\x1b[" not in call("build", "--color", "never").err


def test_without_profiles_the_default_is_said(call: Call, project: Path) -> None:
    (project / "profiles.yml").unlink()
    ended = call("build")
    assert ended.code == 0
    assert "there is no profiles.yml, so duckdb runs with its default settings" in ended.err
    assert not list(project.glob("*.duckdb"))


def test_flags_have_variables_and_the_command_line_wins(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    call("seed")
    monkeypatch.setenv("FLOWFORGE_VERBOSE", "1")
    monkeypatch.setenv("FLOWFORGE_JOBS", "3")
    assert ", 3 jobs" in call("run").err
    assert ", 1 jobs" in call("run", "--jobs", "1").err
    monkeypatch.setenv("FLOWFORGE_TIMEOUT", "soon")
    assert call("run").code == 64


def test_a_timeout_stops_a_statement_and_names_the_model(call: Call, project: Path) -> None:
    (project / "models/total.ff.sql").write_text("select count(*) as n from range(10000000) a, range(10000000) b")
    ended = call("run", "-s", "total", "--timeout", "0.3")
    assert ended.code == 1
    assert "stopped after 0.3 seconds" in ended.err
    assert "models/total.ff.sql" in ended.err
