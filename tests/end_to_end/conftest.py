from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project

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
