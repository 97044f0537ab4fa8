"""A small project in a folder of its own, in which command lines are run.

What concerns rows is tried on more engines than one: the quick lane takes DuckDB, the full lane the others too.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest

from flowforge.cli.main import run

LINES = 15


@attrs.frozen
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The codes of all errors, as they were printed."""
        return re.findall(r"^error\[(FF\d{4})\]", self.err, re.MULTILINE)

    def told(self, code: int, *words: str) -> None:
        """It ended with *code* and said all *words*, in a few lines."""
        assert self.code == code, self.err
        for word in words:
            assert word in self.err
        blocks = re.split(r"(?m)^(?=error(?:\[|:))", self.err)
        assert max(block.count("\n") for block in blocks) <= LINES, self.err


class Place:
    """A project on the database that *connect* opens."""

    def __init__(self, root: Path, capfd: pytest.CaptureFixture[str], connect: Callable[[], Any]) -> None:
        self.root = root
        self._capfd = capfd
        self._connect = connect

    def __call__(self, *args: str, ok: bool = True) -> Ended:
        """Run one command line; *ok* demands the exit code 0."""
        self._capfd.readouterr()
        ended = Ended(run(args), *self._capfd.readouterr())
        assert "Traceback" not in ended.err
        assert ended.code != 99, ended.err
        assert ended.code == 0 or not ok, ended.err
        return ended

    def apart(self, *args: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "flowforge", *args],
            cwd=self.root,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the project."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, "utf-8")

    def statuses(self, *args: str, ok: bool = True) -> dict[str, str]:
        """Run a command line; how each node ended."""
        ended = self(*args, "--log-format", "json", ok=ok)
        events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
        return {
            event["node"].removesuffix(".ff"): event["status"] for event in events if event["event"] == "node_finished"
        }

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """What somebody else does in the database; the rows of the last statement."""
        connection = self._connect()
        found: list[tuple[Any, ...]] = []
        try:
            for statement in statements:
                cursor = connection.execute(statement)
                found = cursor.fetchall() if cursor.description is not None else []
            return found
        finally:
            connection.close()


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty project on a DuckDB file, which is the working directory."""
    return _made("duckdb", lambda: "", tmp_path, capfd, monkeypatch)


_POSTGRES, _PLAIN = (pytest.param(name, marks=pytest.mark.full) for name in ("postgres", "plain"))


@pytest.fixture(params=["duckdb", _POSTGRES])
def typed_place(
    request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    """The same on each engine that has an information schema, and arithmetic with times as the standard has it."""
    return _made(request.param, lambda: request.getfixturevalue("postgres_dsn"), tmp_path, capfd, monkeypatch)


@pytest.fixture(params=["duckdb", _POSTGRES, _PLAIN])
def any_place(
    request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    """The same on each engine, with and without transactions."""
    return _made(request.param, lambda: request.getfixturevalue("postgres_dsn"), tmp_path, capfd, monkeypatch)


def _made(
    engine: str,
    dsn: Callable[[], str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    root = tmp_path / "place"
    settings, connect = f"path: place.{engine}", _connected_to_a_file(engine, root / f"place.{engine}")
    if engine == "postgres":
        import psycopg

        address = dsn()
        settings, connect = f"dsn: '{address}'", lambda: psycopg.connect(address, autocommit=True)
    for name in [name for name in os.environ if name.startswith(("FF_", "FLOWFORGE_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    made = Place(root, capfd, connect)
    made.write(
        {
            "project.yml": "name: place\nversion: 1\n",
            "profiles.yml": f"dev:\n  engine: {engine}\n  {engine}: {{{settings}}}\n",
            "models/.keep": "",
        }
    )
    monkeypatch.chdir(made.root)
    return made


def _connected_to_a_file(engine: str, file: Path) -> Callable[[], Any]:
    if engine == "duckdb":
        return lambda: duckdb.connect(str(file))
    return lambda: sqlite3.connect(str(file), isolation_level=None)
