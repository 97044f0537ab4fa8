"""Contracts on engines without transactions or strict casts: what breaks them is not published, and casts are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.run.options import RunOptions


def built(root: Path, engine: str, contract: str) -> list[str]:
    """The codes of the errors of one run."""
    files = {
        "project.yml": "name: demo\nversion: 1\n",
        "profiles.yml": f"dev:\n  engine: {engine}\n  {engine}: {{path: demo.db}}\n",
        "seeds/s.csv": "id,name\n1,a\n2,\n",
        "models/a.ff.sql": "select id, name from {{ ref('s') }}",
        "models/a.contracts.yml": f"table: a\n{contract}\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    with Project.load(root, environ={}) as project:
        result = project.build(options=RunOptions(jobs=1))
        with project.session("look") as session:
            names = {info.relation.name for info in session.relations(project.executor.namespace)}
        assert ("a" in names) == result.ok
        assert not {name for name in names if name.startswith("ff__")}
    return [error.code for error in result.errors]


@pytest.mark.parametrize("engine", ["sqlite", "plain"])
def test_what_breaks_a_contract_is_not_published(tmp_path: Path, engine: str) -> None:
    verify = "columns: {id: {type: %s}, name: {nullable: %s}}\nenforce_schema: {mode: verify}"
    assert built(tmp_path / "one", engine, verify % ("string", "true")) == ["FF3063"]
    assert built(tmp_path / "two", engine, verify % ("bigint", "false")) == ["FF3063"]
    assert built(tmp_path / "three", engine, verify % ("integer", "true")) == []
    assert built(tmp_path / "four", engine, "columns: {id: {type: bigint}}\nenforce_schema: {mode: cast}") == ["FF3065"]
