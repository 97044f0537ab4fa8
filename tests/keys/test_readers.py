"""A setting that no code reads does nothing: each field that is filled from files is read somewhere else."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from key_board.inventory import SOURCE
from key_board.readers import Looks, attributes, unread

import flowforge_duckdb
import flowforge_postgres
from flowforge.config.check_entries import RawCheck
from flowforge.config.freshness import FreshnessBlock, FreshnessRule
from flowforge.config.project import ProjectConfig
from flowforge.config.properties import ColumnProps, ModelProps
from flowforge.config.sources import SourceDecl
from flowforge.project import manifest
from flowforge.seeds.csv_options import CsvOptions
from flowforge_duckdb.settings import DuckDBSettings
from flowforge_postgres.settings import PostgresSettings

ENGINES = tuple(Path(str(package.__file__)).parent for package in (flowforge_duckdb, flowforge_postgres))

CLASSES: Mapping[type, Looks] = {
    manifest.ModelConfig: Looks(("config", "settings"), ("model_config", "layering")),
    manifest.Incremental: Looks(("settings", "incremental", "growing", "growth"), ("model_config",)),
    manifest.Snapshot: Looks(("settings", "snapshot", "kept"), ("model_config", "snapshot_settings")),
    manifest.SourceFiles: Looks(("files", "source"), ("sources",)),
    CsvOptions: Looks(("options",), ("csv_options",)),
    manifest.PythonBody: Looks(("body", "python")),
    manifest.SeedBody: Looks(("body", "seed")),
    manifest.Source: Looks(("source", "found", "declared", "entry", "sources"), ("sources",)),
    manifest.CheckDecl: Looks(("check", "decl", "declaration", "self"), ("bind",)),
    manifest.ColumnInfo: Looks(("column", "info", "columns", "one", "each")),
    SourceDecl: Looks(("entry", "declared", "decl", "source", "self"), ("sources",)),
    FreshnessRule: Looks(("rule", "freshness")),
    FreshnessBlock: Looks(("block", "table", "group", "self")),
    ProjectConfig: Looks(("config", "project")),
    ModelProps: Looks(("model", "entry", "props"), ("properties",)),
    ColumnProps: Looks(("column", "each", "props")),
    RawCheck: Looks(("raw", "check", "self")),
    DuckDBSettings: Looks(("settings", "_settings")),
    PostgresSettings: Looks(("settings", "_settings", "self")),
}
"""What project files are read into, and how the code that uses it calls it."""


ELSEWHERE: Mapping[type, Mapping[str, str]] = {
    manifest.ModelConfig: {
        "deps": "the scanners take it out of what is written: it becomes the refs of the model",
        **dict.fromkeys(("storage", "cluster_by", "indexes", "grants"), "table_options joins them"),
        **dict.fromkeys(("pre_hook", "post_hook"), "they are asked for by their names"),
        "meta": "it is for people and for selectors, which look into settings by their names",
    },
    manifest.CheckDecl: {"description": "no key fills it"},
}
"""What is read in a way that this test cannot see; each has a row on the board of keys, where there is a key."""


@functools.cache
def _seen() -> dict[Path, set[tuple[str, str]]]:
    return attributes(path for folder in (SOURCE, *ENGINES) for path in sorted(folder.rglob("*.py")))


def _fields(cls: type) -> list[str]:
    hidden = ELSEWHERE.get(cls, {})
    return [field.name for field in attrs.fields(cls) if not field.name.startswith("_") and field.name not in hidden]


@pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])
def test_every_setting_has_a_reader(cls: type) -> None:
    assert unread(_fields(cls), CLASSES[cls], _seen()) == []


def test_a_setting_without_a_reader_is_noticed(tmp_path: Path) -> None:
    fields: list[Any] = [*_fields(manifest.ModelConfig), "colour"]
    looks = CLASSES[manifest.ModelConfig]
    assert unread(fields, looks, _seen()) == ["colour"]
    reader = tmp_path / "reader.py"
    reader.write_text("def paint(node):\n    return node.config.colour\n", "utf-8")
    assert unread(fields, looks, {**_seen(), **attributes([reader])}) == []
    reader.write_text("def paint(node, car):\n    node.config.colour = 1\n    return car.colour\n", "utf-8")
    assert unread(fields, looks, {**_seen(), **attributes([reader])}) == ["colour"]
