"""A seed format that a plugin brings, whose files have a suffix that nobody else has heard of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import SeedFormat
from flowforge.plugins import PluginSet, load_plugins
from flowforge.plugins.pluginset import Offers

SCHEMA = pa.schema([("word", pa.string())])


def read(path: Path, types: Mapping[str, pa.DataType]) -> pa.RecordBatchReader:
    batch = pa.RecordBatch.from_pydict({"word": path.read_text().split()}, schema=SCHEMA)
    return pa.RecordBatchReader.from_batches(SCHEMA, [batch])


@pytest.mark.parametrize("suffix", [".words", ".txt", ".xlsx"])
def test_its_files_are_seeds(make: Callable[..., Any], rows: Callable[..., Any], suffix: str) -> None:
    base = load_plugins({})
    formats = {**base.seed_formats, suffix: SeedFormat(name="words", suffixes=(suffix,), read=read)}
    plugins = PluginSet(
        base.infos, Offers(engines=base.engines, checks=base.checks, seed_formats=formats, macros=base.macros)
    )
    files = {
        f"seeds/greetings{suffix}": "hello there",
        "seeds/README.md": "what these are",
        "models/m.ff.sql": "select word from {{ ref('greetings') }}",
    }
    project = make(files, plugins=plugins)
    assert project.build().exit_code == 0
    assert sorted(rows(project, "m")) == [("hello",), ("there",)]
