from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from flowforge import Project
from flowforge.cli.main import run

Make = Callable[..., Project]


def write_project(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project that runs on a DuckDB file; *files* come on top."""
    base = {
        "project.yml": "name: demo\nversion: 1\n",
        "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
        "models/.keep": "",
    }
    for path, text in {**base, **files}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes and loads projects, and closes them."""
    opened: list[Project] = []

    def load(files: Mapping[str, str], name: str = "project", **options: Any) -> Project:
        write_project(tmp_path / name, files)
        project = Project.load(tmp_path / name, environ={}, **options)
        opened.append(project)
        return project

    yield load
    for project in opened:
        project.close()


@pytest.fixture
def rows() -> Callable[[Project, str], list[tuple[Any, ...]]]:
    """Reads all rows of a relation, sorted."""
    return _rows


@pytest.fixture
def relations() -> Callable[[Project], dict[str, str]]:
    """Lists what stands in the profile's schema, by kind."""
    return _relations


def _rows(project: Project, relation: str) -> list[tuple[Any, ...]]:
    with project.executor.session(label="test") as session:
        table = session.query(f"SELECT * FROM {relation}").read_all()
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)


def _relations(project: Project) -> dict[str, str]:
    with project.executor.session(label="test") as session:
        found = session.relations(project.executor.namespace)
    return {info.relation.name: info.kind.value for info in found}


SHOP = {
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\nother:\n  engine: duckdb\n"
    "  duckdb: {path: other.duckdb}\n",
    "seeds/raw.csv": "id,v\n1,10\n2,20\n",
    "models/a.ff.sql": "{{ config(materialized='view', tags=['staging']) }}\nselect *\nfrom {{ ref('raw') }}\n",
    "models/b.ff.sql": "select id,\n  v\nfrom {{ ref('a') }}\n",
    "models/c.ff.sql": "select count(*) as n from {{ ref('b') }}\n",
    "models/lone.ff.sql": "select 1 as one\n",
    "models/b.yml": "version: 1\nmodels:\n  - name: b\n    columns: [{name: v, tests: [not_null]}]\n",
}
"""raw -> a (view) -> b (checked) -> c, and a model that reads nothing."""


@attrs.frozen
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def names(self) -> list[str]:
        """The lines of the answer."""
        return self.out.split()


class Shop:
    """A project folder in which command lines are run."""

    def __init__(self, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capfd = capfd

    def __call__(self, *args: str, ok: bool = True) -> Ended:
        """Run one command line; *ok* demands the exit code 0."""
        self._capfd.readouterr()
        code = run(args)
        ended = Ended(code, *self._capfd.readouterr())
        assert "Traceback" not in ended.err
        assert code != 99, ended.err
        assert code == 0 or not ok, ended.err
        return ended

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def statuses(self, *args: str, ok: bool = True) -> dict[str, str]:
        """Run a command line and return how each node ended."""
        ended = self(*args, "--log-format", "json", ok=ok)
        events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
        return {event["node"]: event["status"] for event in events if event["event"] == "node_finished"}


@pytest.fixture
def shop(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The project SHOP in a folder of its own, which is the working directory."""
    for name in [name for name in os.environ if name.startswith(("FF_", "FLOWFORGE_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    root = write_project(tmp_path / "repo" / "shop", SHOP)
    monkeypatch.chdir(root)
    return Shop(root, capfd)
