"""Names of relations that FlowForge keeps for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import DuplicateNameError
from flowforge.materialize.staging import staging_name
from flowforge.state.meta import META_TABLE


@pytest.mark.parametrize("name", [META_TABLE, META_TABLE.upper(), "__ff_py_orders", staging_name("a", "r1", limit=63)])
def test_what_a_run_would_overwrite_or_clear_away_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: demo\nversion: 1\n")
    (tmp_path / "models/mine.ff.sql").write_text(f"{{{{ config(alias='{name}') }}}} select 1 as x")
    with pytest.raises(DuplicateNameError) as caught:
        Project.load(tmp_path, environ={})
    assert caught.value.code == "FF1208"
    assert str(caught.value.location) == "models/mine.ff.sql"


@pytest.mark.parametrize("name", ["offers", "ff_orders", "_first"])
def test_names_that_only_look_alike_are_fine(tmp_path: Path, name: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: demo\nversion: 1\n")
    (tmp_path / f"models/{name}.ff.sql").write_text("select 1 as x")
    assert list(Project.load(tmp_path, environ={}).manifest.nodes) == [f"{name}.ff"]
