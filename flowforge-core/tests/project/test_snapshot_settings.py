"""What a snapshot may say of its history, in any of the places where settings stand, and what does not go together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.project.manifest import ModelConfig, Snapshot

Load = Callable[..., ModelConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The settings of a model whose ``config(...)`` holds the given text."""

    def loader(settings: str, project: str = "", beside: str = "") -> ModelConfig:
        files = {
            "project.yml": "name: demo\nversion: 1\n" + project,
            "models/kept/m.ff.sql": f"{{{{ config({settings}) }}}}\nselect 1 as id, 2 as v",
            "models/kept/m.yml": beside or "models: []\n",
        }
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, "utf-8")
        return Project.load(tmp_path, environ={}).manifest.nodes["m.ff"].config

    return loader


TIMED = Snapshot("timestamp", ("id",), "ts")
CHECKED = Snapshot("check", ("id",), None, ("v",))
SAME = {
    "materialized='snapshot', strategy='timestamp', unique_key='id', updated_at='ts'": TIMED,
    "materialized='snapshot', strategy='timestamp', primary_key=['id'], updated_at_column='ts'": TIMED,
    "snapshot={'strategy': 'timestamp', 'unique_key': 'id', 'updated_at': 'ts'}": TIMED,
    "materialized='snapshot', unique_key='id', snapshot={'strategy': 'timestamp', 'updated_at_column': 'ts'}": TIMED,
    "materialized='snapshot', strategy='check', unique_key='id', check_cols=['v']": CHECKED,
    "materialized='snapshot', strategy='check', unique_key='id', check_columns='v'": CHECKED,
    "snapshot={'strategy': 'check', 'primary_key': ['id'], 'check_columns': 'v'}": CHECKED,
    "materialized='snapshot', strategy='check', unique_key='id', check_cols='all'": Snapshot("check", ("id",)),
    "materialized='snapshot', strategy='check', unique_key=['id', 'v'], check_cols='all', hard_deletes='new_record'": (
        Snapshot("check", ("id", "v"), None, (), "new_record")
    ),
}


@pytest.mark.parametrize("settings", SAME)
def test_forms(load: Load, settings: str) -> None:
    config = load(settings)
    assert config.materialized == "snapshot"
    assert config.snapshot == SAME[settings]
    assert config.incremental is None


def test_settings_stand_in_all_layers(load: Load) -> None:
    config = load(
        "hard_deletes='invalidate'",
        project="models:\n  kept: {+materialized: snapshot, +strategy: check}\n",
        beside="models: [{name: m, config: {unique_key: id, check_cols: all}}]\n",
    )
    assert config.snapshot == Snapshot("check", ("id",), None, (), "invalidate")


WRONG = {
    "materialized='snapshot'": ["a snapshot needs 'unique_key'", "a snapshot needs a 'strategy'"],
    "materialized='snapshot', unique_key='id', strategy='timestamp'": ["the strategy timestamp needs 'updated_at'"],
    "materialized='snapshot', unique_key='id', strategy='check'": ["the strategy check needs 'check_cols'"],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols=[]": [
        "the strategy check needs 'check_cols'"
    ],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols='v', updated_at='ts'": [
        "'updated_at' means something only for strategy='timestamp'"
    ],
    "materialized='snapshot', unique_key='id', strategy='timestamp', check_cols='v', updated_at='ts'": [
        "'check_cols' means something only for strategy='check'"
    ],
    "materialized='snapshot', unique_key='id', strategy='timestamp', updated_at=['a', 'b']": [
        "the strategy timestamp looks at one column"
    ],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols=['v', 'ID']": ["'ID' is part of the key"],
    "materialized='table', snapshot={'strategy': 'check', 'unique_key': 'id', 'check_cols': 'v'}": [
        "'snapshot', and materialized='table'"
    ],
    "materialized='table', strategy='check'": ["'strategy' means something only for snapshots"],
    "check_cols='v', hard_deletes='ignore'": [
        "'check_cols' means something only for snapshots",
        "'hard_deletes' means something only for snapshots",
    ],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols='v', snapshot={'unique_key': 'v'}": [
        "'unique_key' is said twice"
    ],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols='v', incremental=True": [
        "cannot be incremental"
    ],
    "materialized='snapshot', unique_key='id', strategy='check', check_cols='v', on_schema_change='fail'": [
        "'on_schema_change' means something only for incremental models"
    ],
}


@pytest.mark.parametrize("settings", WRONG)
def test_what_does_not_go_together(load: Load, settings: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load(settings)
    found = caught.value.errors if isinstance(caught.value, ProjectErrors) else [caught.value]
    for words in WRONG[settings]:
        (one,) = [error for error in found if words in error.message]
        assert one.code in ("FF1132", "FF1130")
        assert one.help
        assert one.location is not None
        assert one.location.path == "models/kept/m.ff.sql"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("materialized='snapshot', unique_key='id', strategy='guess', check_cols='v'", "guess"),
        ("materialized='snapshot', unique_key='id', strategy='check', check_cols='v', hard_deletes='drop'", "drop"),
        ("snapshot={'strategy': 'check', 'unique_key': 'id', 'check_colums': 'v'}", "check_columns"),
        ("materialized='snapshot', unique_key='id', strategy='check', check_cols=['v', 'V']", "named twice"),
    ],
)
def test_values_that_are_none(load: Load, settings: str, words: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load(settings)
    text = f"{caught.value} {caught.value.help}"
    assert words in text
