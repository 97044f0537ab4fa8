"""Runs the command line on projects that are written for one test, and holds every answer to the same standard."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from flowforge.cli.main import run

BASE: Mapping[str, str] = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
    "models/fine.ff.sql": "select 1 as one\n",
}
SECONDS = 10.0
LINES = 15


@attrs.frozen
class Outcome:
    """How one command line ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def codes(self) -> list[str]:
        """The codes of all errors, in the order in which they were printed."""
        return re.findall(r"^error\[(FF\d{4})\]", self.text, re.MULTILINE)


def complaints(outcome: Outcome, *, seconds: float = SECONDS, traced: bool = False) -> list[str]:
    """What no answer may be, whatever the input was: a defect, a traceback, a flood, a hang."""
    found = []
    if outcome.code not in (0, 1, 2, 5, 64):
        found.append(f"exit code {outcome.code}")
    if "[FF9901]" in outcome.text:
        found.append("it is called a defect of FlowForge")
    if not traced and "Traceback" in outcome.text:
        found.append("a traceback")
    if outcome.code and not outcome.text.strip():
        found.append("it fails without a word")
    if outcome.seconds > seconds:
        found.append(f"it took {outcome.seconds:.1f} s")
    blocks = re.split(r"(?m)^(?=error(?:\[|:))", outcome.err)
    if outcome.code and not traced and max(block.count("\n") for block in blocks) > LINES:
        found.append("more than 15 lines for one error")
    return found


def in_process(args: Iterable[str], folder: Path, environ: Mapping[str, str] | None = None) -> Outcome:
    """Run one command line inside of this process, with *folder* as the working directory."""
    # As a terminal has them: what cannot be encoded is an error on stdout and escaped on stderr.
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_"))}
    before = dict(os.environ)
    start = time.process_time()
    try:
        os.environ.clear()
        os.environ.update({**kept, **(environ or {})})
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(list(args))
    finally:
        os.environ.clear()
        os.environ.update(before)
    seconds = time.process_time() - start
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *texts, seconds)


def in_subprocess(
    args: Iterable[str], folder: Path, environ: Mapping[str, str] | None = None, *, timeout: float = 60
) -> Outcome:
    """Run one command line as a user does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_"))}
    start = _of_children()
    done = subprocess.run(
        [sys.executable, "-m", "flowforge", *args],
        cwd=folder,
        env={**kept, **(environ or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Outcome(done.returncode, done.stdout, done.stderr, _of_children() - start)


def _of_children() -> float:
    """Seconds of the processor: those of the clock say more about what else the machine does."""
    times = os.times()
    return times.children_user + times.children_system


def write_files(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a project on a DuckDB file; *files* come on top of it."""
    for path, content in {**BASE, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return root


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes a project and gives its folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        return write_files(tmp_path / "project", files)

    return write


@pytest.fixture
def flowforge() -> Callable[..., Outcome]:
    """Runs a command line in a folder, in this process, and checks what every answer has to keep."""

    def call(
        folder: Path,
        *args: str,
        environ: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
        traced: bool = False,
    ) -> Outcome:
        outcome = in_process(args, folder, environ)
        assert complaints(outcome, seconds=seconds, traced=traced) == [], outcome.text
        return outcome

    return call


@pytest.fixture
def process() -> Callable[..., Outcome]:
    """The same in a process of its own, for models that would disturb this one."""

    def call(folder: Path, *args: str, environ: Mapping[str, str] | None = None) -> Outcome:
        outcome = in_subprocess(args, folder, environ)
        assert complaints(outcome) == [], outcome.text
        return outcome

    return call


@pytest.fixture
def read() -> Callable[..., Any]:
    """Reads rows from a project's database by DuckDB itself."""

    def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
        with _connected(folder / "demo.duckdb") as connection:
            return connection.execute(sql).fetchall()

    return rows


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect(str(path), read_only=True)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="session")
def judge() -> Callable[..., list[str]]:
    """What is wrong with an outcome; for tests that run a command line themselves."""
    return complaints


@pytest.fixture(scope="session")
def call() -> Callable[..., Outcome]:
    """Runs a command line in this process and judges nothing."""
    return in_process


@pytest.fixture(scope="session")
def write() -> Callable[[Path, Mapping[str, str | bytes]], Path]:
    """Writes a project into a folder of the caller's."""
    return write_files
