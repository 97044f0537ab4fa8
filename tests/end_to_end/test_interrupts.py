"""Ctrl-C and SIGTERM: running statements are cancelled, the process ends soon and says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "killpg"), reason="POSIX signals (a gap of this test, not of an engine)"
)

FILES = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev: {engine: duckdb, duckdb: {path: demo.duckdb}}\n",
    "models/quick.ff.sql": "select 1 as x",
    "models/later.ff.sql": "select * from {{ ref('slow') }}",
}
SLOW_SQL = {"models/slow.ff.sql": "select count(*) as n, 1 as x from range(10000000) a, range(10000000) b"}
SLOW_PYTHON = {
    "models/slow.ff.py": "import time\nfrom flowforge import model\n\n@model\ndef slow():\n    time.sleep(600)\n"
}


def start(root: Path, files: dict[str, str]) -> subprocess.Popen[str]:
    for path, text in {**FILES, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "flowforge", "run", "-v", "--jobs", "2", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    awaited = {"started slow", "1/3 quick"}
    for line in process.stderr:
        awaited -= {words for words in awaited if words in line}
        if not awaited:
            return process
    raise AssertionError("the run ended before the slow model began")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("slow", [SLOW_SQL, SLOW_PYTHON], ids=["sql", "python"])
def test_a_signal_ends_the_run(tmp_path: Path, signum: signal.Signals, code: int, slow: dict[str, str]) -> None:
    process = start(tmp_path, slow)
    began = time.monotonic()
    os.kill(process.pid, signum)
    _, stderr = process.communicate(timeout=30)
    took = time.monotonic() - began
    assert process.returncode == code, stderr
    assert took < 10  # two seconds are the aim; a loaded machine may take longer
    assert "cancelled: 1 running, 1 not started" in stderr
    assert "Traceback" not in stderr
    import duckdb

    with duckdb.connect(str(tmp_path / "demo.duckdb")) as database:
        names = {name for (name,) in database.execute("select table_name from duckdb_tables()").fetchall()}
    assert names <= {"_ff_meta", "quick"}


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, SLOW_PYTHON)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.3)  # between two key presses of a person
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_kill_9_leaves_the_old_table_and_the_next_run_works(tmp_path: Path) -> None:
    first = subprocess.run(
        [sys.executable, "-m", "flowforge", "run", str(_write(tmp_path, {"models/slow.ff.sql": "select 7 as x"}))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert first.returncode == 0, first.stderr
    process = start(tmp_path, SLOW_SQL)
    process.kill()
    process.communicate(timeout=30)
    import duckdb

    with duckdb.connect(str(tmp_path / "demo.duckdb")) as database:
        assert database.execute("select x from slow").fetchall() == [(7,)]
        leftovers = database.execute("select count(*) from duckdb_tables() where table_name like 'ff@_@_%' escape '@'")
        assert leftovers.fetchone() == (0,)


def _write(root: Path, files: dict[str, str]) -> Path:
    for path, text in {**FILES, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root
