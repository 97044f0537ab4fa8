"""Streams that are closed, full, deserted or of another encoding: the exit code is right, and nothing is a defect."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]

FILES = {"models/größe.ff.sql": 'select 1 as "größe"'}
ANSWERS = [["ls"], ["ls", "--format", "json"], ["dag"], ["compile"], ["show", "größe"], ["debug"], ["plugins"]]


def shell(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which ``$FF`` is the program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_"))}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**kept, "FF": f"{sys.executable} -m flowforge", **environ},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ANSWERS, ids=" ".join)
def test_names_beyond_the_encoding_of_the_terminal_are_escaped(command: list[str], project: Project) -> None:
    done = shell(project(FILES), f"$FF {' '.join(command)}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("stream", ["0<&-", ">&-", "2>&-", "0<&- >&-", "0<&- >&- 2>&-"])
def test_a_closed_stream_stops_no_run(stream: str, project: Project) -> None:
    folder = project(FILES)
    assert shell(folder, f"$FF build {stream}").returncode == 0
    assert shell(folder, f"$FF ls {stream}").returncode == 0
    assert "1" in shell(folder, "$FF show größe").stdout
    assert shell(folder, f"$FF run -s gone {stream}").returncode == 5


def test_an_answer_that_cannot_be_written_is_no_success(project: Project) -> None:
    done = shell(project(FILES), "$FF ls > /dev/full")
    assert done.returncode == 1
    assert "error[FF1012]" in done.stderr
    assert "No space left" in done.stderr


def test_a_reader_that_leaves_early_is_no_error(project: Project) -> None:
    files = {f"models/m{index}.ff.sql": "select 1 as x" for index in range(3_000)}
    done = shell(project(files), "$FF ls | head -1")
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_progress_that_cannot_be_written_stops_no_run(project: Project) -> None:
    folder = project(FILES)
    assert shell(folder, "$FF build 2> /dev/full").returncode == 0
    assert shell(folder, "$FF run -s gone 2> /dev/full").returncode == 5
