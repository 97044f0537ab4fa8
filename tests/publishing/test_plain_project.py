"""A whole project on the engine that has neither transactions nor locks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowforge.crash import EXIT_CODE
from flowforge_plain.place import open_place

FILES = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: plain\n  plain: {path: demo.db}\n",
    "seeds/numbers.csv": "n\n1\n2\n3\n",
    "models/even.ff.sql": "{{ config(materialized='view') }}\nselect n from {{ ref('numbers') }} where n % 2 = 0",
    "models/total.ff.sql": "select sum(n) as s from {{ ref('even') }}",
    "models/doubled.ff.py": (
        "import pyarrow as pa\nimport pyarrow.compute as pc\n\nfrom flowforge import model\n\n\n"
        "@model(deps=['numbers'], materialized='view', frame='arrow')\ndef f(numbers):\n"
        "    return pa.table({'d': pc.multiply(numbers['n'], 2)})\n"
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def build(project: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "flowforge", "build", *arguments]
    done = subprocess.run(command, cwd=project, env={**os.environ, **environ}, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_it_is_built_skipped_and_built_again(project: Path) -> None:
    code, text = build(project)
    assert code == 0, text
    place = open_place("plain", project)
    assert place.rows("total") == [(2,)]
    assert place.rows("doubled") == [(2,), (4,), (6,)]
    before = place.notes()
    code, text = build(project)
    assert (code, "4 unchanged" in text) == (0, True), text
    assert place.notes() == before
    (project / "seeds/numbers.csv").write_text("n\n1\n2\n4\n")
    code, text = build(project)
    assert code == 0, text
    assert place.rows("total") == [(6,)]
    place.close()


def test_the_next_run_clears_away_what_a_killed_one_staged_and_says_so(project: Path) -> None:
    assert build(project)[0] == 0
    (project / "models/total.ff.sql").write_text("select sum(n) + 1 as s from {{ ref('even') }}")
    assert build(project, FF_CRASH_AT="open.staged")[0] == EXIT_CODE
    place = open_place("plain", project)
    assert place.rows("total") == [(2,)]
    assert len(place.staged()) == 1
    code, text = build(project)
    assert code == 0, text
    assert "cleaned 1 leftover of run " in text
    assert place.rows("total") == [(3,)]
    assert not place.staged()
    place.close()
