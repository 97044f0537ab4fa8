from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import NothingSelectedError, SelectionError, UsageError

FILES = {
    "project.yml": "name: d\nversion: 1\ntests:\n"
    "  - {type: not_null, table: a, column: x, tags: [batch]}\n"
    "  - {type: not_null, table: b, column: x, tags: [batch, nightly]}\n"
    "  - {type: unique, table: foreign, column: x, name: mine}\n",
    "sources.yml": "version: 1\nsources: [{name: crm, tags: raw, tables: [{name: users, checks: [{unique: {column: id, "
    "name: source_check, tags: nightly}}]}, {name: gone}]}]\n",
    "models/reader.ff.sql": "select 1 as x from {{ source('crm', 'users') }}",
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
        ([], [], ["a", "b", "foreign", "crm.users"]),
        (["a"], [], ["a"]),
        (["a+"], [], ["a", "b"]),
        (["a", "b"], [], ["a", "b"]),
        (["a b"], [], ["a", "b"]),
        (["batch"], [], ["a", "b"]),
        (["batch"], ["a"], ["b"]),
        ([], ["batch"], ["foreign", "crm.users"]),
        (["tag:batch"], [], ["a", "b"]),
        (["tag:nightly"], [], ["a", "b", "crm.users"]),
        (["tag:nightly,tag:batch"], [], ["a", "b"]),
        (["tag:batch,b"], [], ["b"]),
        (["batch,tag:nightly a,b mine"], [], ["a", "b", "foreign"]),
        (["source:crm"], [], ["crm.users"]),
        (["crm"], [], ["crm.users"]),
        (["crm.users"], [], ["crm.users"]),
        (["tag:raw"], [], ["crm.users"]),
        (["tag:raw", "a"], ["tag:nightly"], []),
        (["type:source"], [], ["crm.users"]),
        (["+reader"], [], ["crm.users"]),
        (["source_check"], [], ["crm.users"]),
        (["streaming", "a"], [], ["a"]),
        (["mine"], [], ["foreign"]),
        (["foreign"], [], ["foreign"]),
        (["not_null_a_x"], [], ["a"]),
    ],
)
def test_selectors(project: Project, select: list[str], exclude: list[str], tables: list[str]) -> None:
    if not tables:
        with pytest.raises(NothingSelectedError):
            project.select_checks(select, exclude)
        return
    assert [check.table for check in project.select_checks(select, exclude)] == tables


def test_nothing_and_nonsense(project: Project) -> None:
    with pytest.raises(SelectionError):
        project.select_checks("nonsense")
    for selector in ("source:cmr", "tag:rew", "a,nonsense"):
        with pytest.raises(SelectionError):
            project.select_checks(selector)
    for selector in ("tga:x", "a,,b", ""):
        with pytest.raises(UsageError):
            project.select_checks(selector)
    for selector in ("a", "crm.gone", "streaming"):
        with pytest.raises(NothingSelectedError):
            project.select_checks(selector, "a")
