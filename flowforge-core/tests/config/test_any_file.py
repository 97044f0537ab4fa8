"""Whatever stands in a config file: a value or a report, never another exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.config.profiles import load_profile
from flowforge.config.project import load_project_config
from flowforge.config.properties import load_properties
from flowforge.config.sources import load_sources
from flowforge.contract import EngineSpec, setting
from flowforge.errors import FlowForgeError, Problems, ProfileError


@attrs.frozen(kw_only=True)
class Settings:
    path: str = setting(default=":memory:", path=True)
    threads: int = setting(default=1)
    schema: str | None = setting(default=None, aliases=("db_schema",))


ENGINE = EngineSpec("filedb", "", Settings, lambda: lambda given: given, {})


def engines(name: str) -> EngineSpec:
    if name == "filedb":
        return ENGINE
    raise ProfileError(f"unknown engine {name!r}")


def profile(root: Path, problems: Problems) -> None:
    try:
        load_profile(root, "dev", {"A": "1"}, engines=engines, default_engine=lambda: ENGINE)
    except FlowForgeError as error:
        problems.add(error)


READERS: dict[str, Callable[[Path, Problems], Any]] = {
    "project.yml": load_project_config,
    "sources.yml": load_sources,
    "schema.yml": lambda root, problems: load_properties(root, "schema.yml", problems),
    "profiles.yml": profile,
}

WORDS = st.sampled_from(
    [
        "name",
        "version",
        "models",
        "sources",
        "tables",
        "columns",
        "tests",
        "data_tests",
        "checks",
        "unique",
        "not_null",
        "type",
        "table",
        "column",
        "severity",
        "tags",
        "vars",
        "seeds",
        "dev",
        "default",
        "engine",
        "filedb",
        "path",
        "threads",
        "schema",
        "identifier",
        "description",
        "models_dir",
        "profiles",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4) | WORDS
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)
PIECES = st.sampled_from(
    ["name: ", "version: 1\n", "models:\n", "  - ", "tests: ", "[", "]", "{", "}", ", ", "unique", ": ", "\n", "  ", "'", "&a ",
     "*a", "<<: ", "{{ env('A') }}", "{{ env('B') }}", "{% if env('A') %}", "{% endif %}", "{{", "#", "dev: ", "engine: filedb",
     "filedb: ", "sources:", "tables: ", "\t", "!x ", "|", "-", "?", "crm", "5", "\x00", "é"]
)  # fmt: skip


@pytest.mark.parametrize("file", READERS)
@given(data=DATA)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_data(tmp_path: Path, file: str, data: Any) -> None:
    check(tmp_path, file, json.dumps(data))


@pytest.mark.parametrize("file", READERS)
@given(pieces=st.lists(PIECES, max_size=25))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text(tmp_path: Path, file: str, pieces: list[str]) -> None:
    check(tmp_path, file, "".join(pieces))


@pytest.mark.parametrize("file", READERS)
@given(raw=st.binary(max_size=60))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes(tmp_path: Path, file: str, raw: bytes) -> None:
    check(tmp_path, file, raw)


def check(root: Path, file: str, content: str | bytes) -> None:
    raw = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
    (root / file).write_bytes(raw)
    problems = Problems()
    READERS[file](root, problems)
    for error in problems:
        assert error.message
        assert "\n" not in error.message
        assert error.location is not None or file == "profiles.yml"
        if error.location is not None:
            assert error.location.path == file
