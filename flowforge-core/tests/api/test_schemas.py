"""The schemas for editors accept what the loader accepts, and know no key that it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge.api.schemas import schemas
from flowforge.cli.main import run
from flowforge.config.yaml import parse_yaml
from flowforge.plugins import load_plugins

jsonschema = pytest.importorskip("jsonschema")
REPOSITORY = Path(__file__).parents[3]
KINDS = {"project.yml": "project", "profiles.yml": "profiles", "sources.yml": "sources", "contracts.yml": "contracts"}


def kind_of(file: Path) -> str:
    """Which schema a file of a project has."""
    if file.name == "schema.yml" and file.parent.name == "seeds":
        return "seeds"
    if file.name.endswith(".contracts.yml"):
        return "table_contracts"
    return "unit_tests" if file.parent.parts[-2:] == ("tests", "unit") else KINDS.get(file.name, "models")


@pytest.fixture(scope="module")
def made() -> Mapping[str, Any]:
    found = schemas(load_plugins({}).engines)
    for schema in found.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    return {name.removesuffix(".schema.json"): schema for name, schema in found.items()}


def errors(schema: Any, data: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


def _files() -> list[Path]:
    found = [
        path
        for folder in ("examples", "tests/parity/project")
        for path in sorted((REPOSITORY / folder).rglob("*.yml"))
        if not {".local", ".flowforge", "site"} & set(path.parts)
    ]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("file", _files(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_the_files_of_projects_fit(made: Mapping[str, Any], file: Path) -> None:
    assert errors(made[kind_of(file)], parse_yaml(file.read_bytes(), file.name).data) == []


def test_the_files_of_a_new_project_fit(made: Mapping[str, Any], tmp_path: Path) -> None:
    assert run(["init", str(tmp_path / "new"), "--engine", "duckdb"]) == 0
    files = sorted((tmp_path / "new").rglob("*.yml"))
    assert {"project.yml", "profiles.yml"} <= {file.name for file in files}
    for file in files:
        assert errors(made[kind_of(file)], parse_yaml(file.read_bytes(), file.name).data) == []
        modeline = file.read_text("utf-8").splitlines()[0]
        schema = file.parent / modeline.removeprefix("# yaml-language-server: $schema=")
        assert schema.name.removesuffix(".schema.json") == kind_of(file)
        assert json.loads(schema.read_text("utf-8"))["type" if file.name != "sources.yml" else "if"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "project",
            "{name: a, version: 1, models: {+materialized: view, staging: {+tags: [a], deep: {m: {+enabled: false}}}}}",
        ),
        ("project", "{name: a, version: '1', models: {incremental: {m: {unique_key: id}}, incremental_models: {}}}"),
        ("project", "{name: a, version: 1, models: {m: {+incremental: {unique_key: [a, b], strategy: merge}}}}"),
        ("profiles", "{dev: {engine: duckdb, duckdb: {path: x, threads: \"{{ env('N') }}\"}}}"),
        ("profiles", "{dev: {engine: \"{{ env('E') }}\"}}"),
        ("sources", "{crm: {users: {identifier: u}, orders: }}"),
        (
            "sources",
            "{version: 2, sources: [{name: crm, schema: s, tables: [{name: t, loaded_at_field: x, append_only: true}]}]}",
        ),
        ("models", "{models: [{name: a, config: {materialized: view}, columns: [{name: x, tests: [unique]}]}]}"),
        ("seeds", "{columns: {a: {b: string}}}"),
        (
            "contracts",
            "{defaults: {columns: [{match: {name: x}, enum: [a, 1]}]}, enforcement: {tables: {a: {mode: cast}}}}",
        ),
        ("table_contracts", "{table: a, columns: {x: {physical: {duckdb: int}, enum: one}, y: }}"),
    ],
)
def test_what_is_right(made: Mapping[str, Any], kind: str, text: str) -> None:
    assert errors(made[kind], parse_yaml(text, kind).data) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("project", "{name: a, version: 1, model: {}}"),
        ("project", "{version: 1}"),
        ("project", "{name: a, version: 1, models: {+materialized: cube}}"),
        ("project", "{name: a, version: 1, models: {staging: {+materialized: 5}}}"),
        ("project", "{name: a, version: 1, models: {staging: {deep: 5}}}"),
        ("project", "{name: a, version: 1, hooks: []}"),
        ("profiles", "{dev: {engine: duckdbb}}"),
        ("profiles", "{dev: {engine: duckdb, duckdb: {pathh: x}}}"),
        ("sources", "{crm: {users: {identifer: u}}}"),
        ("sources", "{version: 3, sources: []}"),
        ("models", "{models: [{nam: a}]}"),
        ("models", "{models: [{name: a, columns: [{name: x, test: [unique]}]}]}"),
        ("seeds", "{colums: {}}"),
        ("contracts", "{defaults: {columns: [{nullable: false}]}}"),
        ("table_contracts", "{table: a, enforce_schema: {mode: strict}}"),
    ],
)
def test_what_is_wrong(made: Mapping[str, Any], kind: str, text: str) -> None:
    assert errors(made[kind], parse_yaml(text, kind).data)


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "export", "--out", str(tmp_path / "deep" / "schemas")]) == 0
    printed = capsys.readouterr().out.split()
    assert sorted(printed) == sorted(str(path) for path in (tmp_path / "deep" / "schemas").iterdir())
    for path in printed:
        assert json.loads(Path(path).read_text("utf-8"))["$schema"].startswith("https://json-schema.org/")
