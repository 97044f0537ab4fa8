from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import NothingSelectedError, SelectionError

FILES = {
    "project.yml": "name: d\nversion: 1\ntests:\n"
    "  - {type: not_null, table: a, column: x, tags: [batch]}\n"
    "  - {type: not_null, table: b, column: x, tags: [batch, nightly]}\n"
    "  - {type: unique, table: foreign, column: x, name: mine}\n",
    "models/a.ff.sql": "{{ config(tags=['nightly']) }} select 1 as x",
    "models/b.ff.sql": "select * from {{ ref('a') }}",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return Project.load(tmp_path, environ={})


@pytest.mark.parametrize(
    ("select", "exclude", "tables"),
    [
        ([], [], ["a", "b", "foreign"]),
        (["a"], [], ["a"]),
        (["a+"], [], ["a", "b"]),
        (["a", "b"], [], ["a", "b"]),
        (["a b"], [], ["a", "b"]),
        (["batch"], [], ["a", "b"]),
        (["batch"], ["a"], ["b"]),
        ([], ["batch"], ["foreign"]),
        (["tag:batch"], [], ["a", "b"]),
        (["tag:nightly"], [], ["a", "b"]),
        (["mine"], [], ["foreign"]),
        (["foreign"], [], ["foreign"]),
        (["not_null_a_x"], [], ["a"]),
    ],
)
def test_selectors(project: Project, select: list[str], exclude: list[str], tables: list[str]) -> None:
    assert [check.table for check in project.select_checks(select, exclude)] == tables


def test_nothing_and_nonsense(project: Project) -> None:
    with pytest.raises(SelectionError):
        project.select_checks("nonsense")
    with pytest.raises(NothingSelectedError):
        project.select_checks("a", "a")
