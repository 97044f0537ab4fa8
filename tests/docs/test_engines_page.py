"""The page on engines is made from what runs have recorded; that is held to what engines claim and to the lists of gaps."""

from __future__ import annotations

import importlib
import json
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = tomllib.loads((ROOT / "docs" / "data" / "engines.toml").read_text("utf-8"))
PLUGINS = {
    "duckdb": "flowforge_duckdb.plugin",
    "postgres": "flowforge_postgres.plugin",
    "bigquery": "flowforge_bigquery.plugin",
    "snowflake_snowpark": "flowforge_snowflake.plugin",
    "databricks_spark": "flowforge_spark.plugin",
    "sqlite": "flowforge_sqlite.plugin",
    "plain": "flowforge_plain.plugin",
    "mariadb": "flowforge_mariadb.plugin",
}
AGAIN = "what was recorded is old: FF_RECORD=1 nox -s 'conformance({row})', then python docs/generate.py"

each_row = pytest.mark.parametrize("row", list(ROWS))


def recorded(row: str) -> Any:
    return json.loads((ROOT / "docs" / "data" / "engines" / f"{row}.json").read_text("utf-8"))


@each_row
def test_claims_are_those_of_today(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples" / "third_party_engine" / "src")
    found = recorded(row)
    offered = importlib.import_module(PLUGINS[found["engine"]]).flowforge_engines()
    (spec,) = [one for one in offered if one.name == found["engine"]]
    claims = {
        one.value: {"level": support.level.value, "reason": support.reason}
        for one, support in spec.capabilities.items()
    }
    stated = {name: one for name, one in found["capabilities"].items() if name in claims}
    assert stated == claims, AGAIN.format(row=row)


@each_row
def test_gaps_are_those_of_today(row: str) -> None:
    files = [file for place in ("*", "examples/*") for file in ROOT.glob(f"{place}/tests/known_gaps/{row}.toml")]
    known = tomllib.loads(files[0].read_text("utf-8")) if files else {}
    reasons = {one if isinstance(one, str) else one["reason"] for one in known.values()}
    assert set(recorded(row)["gaps"]) == reasons, AGAIN.format(row=row)


@each_row
def test_differences_are_those_of_today(row: str) -> None:
    file = ROOT / "tests" / "parity" / "targets" / f"{row}.toml"
    parity = recorded(row)["parity"]
    assert (parity is not None) == file.is_file()
    if parity is not None:
        known = tomllib.loads(file.read_text("utf-8"))["differences"]
        told = {project: one["differences"] for project, one in parity.items() if one["differences"]}
        assert told == known, AGAIN.format(row=row)


@each_row
def test_nothing_is_recorded_that_failed(row: str) -> None:
    outcomes = recorded(row)["outcomes"]
    assert set(outcomes) <= {"passed", "skipped", "expected failure", "known gap"}
    assert outcomes["passed"] > (150 if ROWS[row].get("part") else 300)
    assert outcomes.get("known gap", 0) == sum(recorded(row)["gaps"].values())
    assert ROWS[row]["proof"] in {"real engine", "independent implementation", "DuckDB in disguise"}


def test_a_run_with_failures_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note_row = runpy.run_path(str(ROOT / "docs" / "engines.py"))["record"]
    report = tmp_path / "report.json"
    cases = {"a::b": {"outcome": "failed", "reason": "no", "capabilities": []}}
    report.write_text(json.dumps({"engine": "sqlite", "capabilities": {}, "cases": cases}), "utf-8")
    with pytest.raises(SystemExit, match="1 cases failed"):
        note_row("sqlite", report, None)
