"""Unit tests as items of pytest, through the plugin that is shipped; in processes of their own, as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

FILES: Mapping[str, str] = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
    "seeds/raw.csv": "id,v\n1,10\n",
    "models/doubled.ff.sql": "select id, v * 2 as v from {{ ref('raw') }}\n",
    "models/halved.ff.sql": "select id, v / 2 as v from {{ ref('raw') }}\n",
    "tests/unit/doubled.yml": "model: doubled\ncases:\n"
    "  - {name: twice one, inputs: {raw: {rows: [{id: 1, v: 1}]}}, expect: {rows: [{v: 2}]}}\n"
    "  - {name: wrong, inputs: {raw: {rows: [{id: 1, v: 2}]}}, expect: {rows: [{id: 1, v: 5}]}}\n",
    "tests/unit/halved.yml": "model: halved\ncases:\n"
    "  - {name: half, inputs: {raw: {rows: [{id: 1, v: 8}]}}, expect: {rows: [{v: 4}]}}\n",
    "tests/unit/other.yml": "model: halved\nengine: postgres\ncases:\n"
    "  - {name: elsewhere, inputs: {raw: {rows: [{id: 1, v: 8}]}}, expect: {rows: [{v: 4}]}}\n",
    "tests/unit/.hidden.yml": "nonsense",
    "tests/test_own.py": "def test_own():\n    pass\n",
    "ci/tests/unit/no_project.yml": "a: 1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    return tmp_path


def run(root: Path, *args: str, plugin: bool = True) -> tuple[int, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "FF_", "FLOWFORGE"))}
    chosen = ["-p", "flowforge.pytest_plugin"] if plugin else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *chosen, *args],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_cases_are_items(root: Path) -> None:
    code, told = run(root, "-rs", "-v")
    assert code == 1
    assert "tests/unit/doubled.yml::twice one PASSED" in told
    assert "tests/unit/halved.yml::half PASSED" in told
    assert "tests/test_own.py::test_own PASSED" in told
    assert "1 failed, 3 passed, 1 skipped" in told
    assert "doubled::wrong:\n  ~ row 1 (id=1): v is 4, expected 5\n  at tests/unit/doubled.yml:4" in told
    assert "it is meant for duckdb" not in told
    assert "it is meant for postgres" in told
    assert "Traceback" not in told
    assert not (root / "demo.duckdb").exists()


@pytest.mark.full
def test_choosing_and_workers(root: Path) -> None:
    pytest.importorskip("xdist")
    code, told = run(root, "-n", "2", "-k", "half or (doubled and twice)", "tests/unit")
    assert (code, "2 passed" in told) == (0, True), told


def test_what_is_wrong_with_a_file_or_the_project_is_told(root: Path) -> None:
    (root / "tests/unit/halved.yml").write_text("model: halvd\ncases: []\n", "utf-8")
    code, told = run(root, "tests/unit/halved.yml")
    assert code == 2
    assert "error[FF3010]: there is no model 'halvd'" in told
    assert "--> tests/unit/halved.yml:1:8" in told
    assert "did you mean 'halved'?" in told
    assert "Traceback" not in told


@pytest.mark.full
def test_nobody_gets_it_who_does_not_ask(root: Path) -> None:
    code, told = run(root, plugin=False)
    assert (code, "1 passed" in told) == (0, True), told
