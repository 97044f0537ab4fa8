"""Makes the model of the world importable, and a small project to edit and run by hand."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flowforge import Project
from flowforge.plugins import PluginSet, load_plugins
from flowforge.run.options import RunOptions
from flowforge.run.result import RunResult
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode

sys.path.insert(0, str(Path(__file__).parent))  # it lives beside the tests because nobody else needs it


@functools.cache
def _installed() -> PluginSet:
    return load_plugins({})


class Site:
    """A project in a folder, on a DuckDB file. Every run loads it anew, as the command line does."""

    def __init__(self, root: Path, database: Path) -> None:
        self.root = root
        self.database = database
        self.write("project.yml", "name: site\nversion: 1\n")
        self.write("profiles.yml", f"dev:\n  engine: duckdb\n  duckdb: {{path: '{database.as_posix()}'}}\n")
        self.write("models/.keep", "")

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def model(self, name: str, query: str, **config: Any) -> None:
        """Write a SQL model."""
        words = ", ".join(f"{key}={value!r}" for key, value in config.items())
        self.write(f"models/{name}.ff.sql", f"{{{{ config({words}) }}}}\n{query}\n")

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """What somebody else does in the database; the sorted rows of the last statement."""
        connection = duckdb.connect(str(self.database))
        try:
            for statement in statements:
                connection.execute(statement)
            return sorted(connection.fetchall(), key=repr)
        finally:
            connection.close()

    def rows(self, relation: str) -> list[tuple[Any, ...]]:
        """The rows of a relation, sorted."""
        return self.sql(f"select * from {relation}")

    def load(self, **options: Any) -> Project:
        """The project as its files are now."""
        return Project.load(self.root, **{"environ": {}, "plugins": _installed(), **options})

    def run(self, *select: str, cache: str = "rw", **options: Any) -> RunResult:
        """``flowforge build``."""
        how = RunOptions(cache=CacheMode(cache), policy=FailPolicy.KEEP_GOING)
        with self.load(**options) as project:
            return project.build(select, options=how)

    def statuses(self, *select: str, ok: bool = True, **options: Any) -> dict[str, str]:
        """``flowforge build``, and what became of each node: ``success``, ``kept``, ``cached``, ``error`` ..."""
        result = self.run(*select, **options)
        assert result.ok is ok, [node.error for node in result.nodes]
        return {node.node.removesuffix(".ff"): "kept" if node.kept else node.status.value for node in result.nodes}

    def built(self, *select: str, **options: Any) -> set[str]:
        """``flowforge build``, and the names of the nodes that were not skipped."""
        return {name for name, status in self.statuses(*select, **options).items() if status != "cached"}

    def killed(self, point: str) -> None:
        """``flowforge build`` that dies at a point, see :mod:`flowforge.crash`."""
        command = [sys.executable, "-m", "flowforge", "build", "--jobs=1"]
        environ = {**os.environ, "FF_CRASH_AT": point}
        ended = subprocess.run(command, cwd=self.root, env=environ, capture_output=True, timeout=120, check=False)
        assert ended.returncode == 137, ended.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty project."""
    return Site(tmp_path / "site", tmp_path / "site.duckdb")


@pytest.fixture
def other_site(tmp_path: Path, site: Site) -> Site:
    """Another project that works in the same database."""
    return Site(tmp_path / "other", site.database)
