"""Broken plugins, really installed, beside a good engine: each is listed with its fault, and none disturbs anything.

Runs in an environment of its own, which `nox -s hostile` prepares and names by a variable.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PYTHON = os.environ.get("FF_HOSTILE_PYTHON")

pytestmark = pytest.mark.skipif(not PYTHON, reason="needs an environment of its own: nox -s hostile")

# What `flowforge plugins` has to say about each distribution: its status, and words of the cause.
EXPECTED = {
    "hostile-exit-at-import": ("failed", "SystemExit: no licence found"),
    "hostile-import-error": ("failed", "ModuleNotFoundError: No module named 'a_driver_that_is_not_installed'"),
    "hostile-newer-api": ("failed", "needs version 1000 of the plugin contract"),
    "hostile-notice-raises": ("active", ""),
    "hostile-offer-raises": ("failed", "LookupError: no table of checks"),
    "hostile-prints-at-import": ("active", "printed at import: welcome to the printing plugin"),
    "hostile-rubbish-offer": ("failed", "flowforge_seed_formats returned str where SeedFormat belongs"),
    "hostile-same-engine-one": (
        "failed",
        "engine 'contested' refused: also offered by same-engine-two (hostile-same-engine-two 1.0.8)",
    ),
    "hostile-same-engine-two": (
        "failed",
        "engine 'contested' refused: also offered by same-engine-one (hostile-same-engine-one 1.0.7)",
    ),
    "hostile-steals-a-check": ("failed", "check 'not_null' refused: core (flowforge-core"),
    "hostile-unknown-hook": ("failed", "unknown hook flowforge_before_everything"),
    "hostile-wrong-signature": ("failed", "wrong signature flowforge_run_started(session)"),
}
COMMAND_ONLY = {"hostile-bad-command"}


def flowforge(*args: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    assert PYTHON
    program = Path(PYTHON).with_name("flowforge")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_", "PYTHON"))}
    return subprocess.run(
        [str(program), *args], cwd=cwd, env={**kept, **environ}, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A seed, a model, and checks: one of them has the name that a hostile plugin wants."""
    files = {
        "project.yml": (
            "name: tiny\nversion: 1\ntests:\n"
            "  - {type: not_null, table: people, column: id}\n  - {type: unique, table: doubled, column: id}\n"
        ),
        "profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: tiny.duckdb\n",
        "seeds/people.csv": "id,name\n1,Ada\n2,Grace\n",
        "models/doubled.ff.sql": "select id * 2 as id from {{ ref('people') }}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def rows(tmp_path: Path, **environ: str) -> dict[str, Any]:
    done = flowforge("plugins", "--format", "json", cwd=tmp_path, **environ)
    assert done.returncode == 0, done.stderr
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["distribution"]: row for row in listed}


def test_every_hostile_plugin_is_expected_and_installed(tmp_path: Path) -> None:
    written = {}
    for file in HERE.glob("plugins/*/pyproject.toml"):
        about = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        written[about["name"]] = about["version"]
    assert set(written) == {*EXPECTED, *COMMAND_ONLY}
    listed = rows(tmp_path)
    assert {name: row["version"] for name, row in listed.items() if name.startswith("hostile-")} == {
        name: version for name, version in written.items() if name not in COMMAND_ONLY
    }


@pytest.mark.parametrize("distribution", EXPECTED)
def test_the_fault_is_listed(tmp_path: Path, distribution: str) -> None:
    row = rows(tmp_path)[distribution]
    status, cause = EXPECTED[distribution]
    told = row["reason"] or "; ".join(row["notes"])
    assert (row["status"], cause in told) == (status, True), told
    assert "\n" not in told


def test_the_list_for_people_names_them_too(tmp_path: Path) -> None:
    done = flowforge("plugins", cwd=tmp_path)
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    for distribution, (_, cause) in EXPECTED.items():
        assert distribution in done.stdout
        assert cause in done.stdout
    assert "welcome to the printing plugin" not in done.stdout.splitlines()


def test_good_plugins_are_untouched(tmp_path: Path) -> None:
    listed = rows(tmp_path)
    assert listed["flowforge-core"]["status"] == "active"
    assert listed["flowforge-duckdb"]["offers"] == ["engine duckdb"]


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["run", "--help"]])
def test_the_program_itself_works(tmp_path: Path, args: list[str]) -> None:
    done = flowforge(*args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "welcome" not in done.stdout


def test_help_names_the_bad_command_and_calling_it_says_why(tmp_path: Path) -> None:
    assert "bad-command" in flowforge("--help", cwd=tmp_path).stdout
    done = flowforge("bad-command", cwd=tmp_path)
    assert done.returncode == 1
    assert "hostile-bad-command 1.0.13" in done.stderr
    assert "ImportError: half installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_is_built_and_checked_beside_them(project: Path) -> None:
    done = flowforge("build", ".", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning[FF4001]")]
    for distribution, (status, cause) in EXPECTED.items():
        own = [line for line in warnings if f"({distribution} " in line.partition(" is not used: ")[0]]
        assert len(own) == (1 if status == "failed" else 0)
        assert all(cause in line for line in own)
    query = (
        "import duckdb; print(duckdb.connect('tiny.duckdb').execute('select id from doubled order by id').fetchall())"
    )
    assert PYTHON
    answer = subprocess.run([PYTHON, "-c", query], cwd=project, capture_output=True, text=True)
    assert answer.stdout == "[(2,), (4,)]\n", answer.stderr


def test_a_run_survives_a_listener_that_raises(project: Path) -> None:
    assert flowforge("seed", ".", cwd=project).returncode == 0
    done = flowforge("run", ".", cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" or "welcome" not in done.stdout
    for hook in (
        "flowforge_run_started",
        "flowforge_node_started",
        "flowforge_node_finished",
        "flowforge_run_finished",
    ):
        assert done.stderr.count(f"raised in {hook}:") == 1


def test_a_contested_engine_is_refused_by_name(project: Path) -> None:
    (project / "profiles.yml").write_text("dev:\n  engine: contested\n", encoding="utf-8")
    done = flowforge("run", ".", cwd=project)
    assert done.returncode == 1
    assert "FF4008" in done.stderr
    assert "hostile-same-engine-one 1.0.7" in done.stderr
    assert "hostile-same-engine-two 1.0.8" in done.stderr


def test_an_engine_of_a_newer_contract_says_what_to_do(project: Path) -> None:
    (project / "profiles.yml").write_text("dev:\n  engine: futuristic\n", encoding="utf-8")
    done = flowforge("run", ".", cwd=project)
    assert done.returncode == 1
    assert "upgrade flowforge-core" in done.stderr


def test_narrowing_leaves_them_out_and_imports_none(tmp_path: Path) -> None:
    listed = rows(tmp_path, FLOWFORGE_PLUGINS="duckdb")
    assert {row["status"] for name, row in listed.items() if name.startswith("hostile-")} == {"disabled"}
    done = flowforge("plugins", cwd=tmp_path, FLOWFORGE_PLUGINS="duckdb", FLOWFORGE_TRACE_PLUGINS="1")
    assert "hostile" not in done.stderr
