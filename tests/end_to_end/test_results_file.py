"""``--results``: what came of nodes, checks and unit tests, as a file for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowforge.cli.main import run

FILES = {
    "project.yml": "name: shop\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: .local/shop.duckdb}\n",
    "seeds/raw.csv": "id,price\n1,2.50\n2,-1.00\n",
    "models/prices.ff.sql": "select * from {{ ref('raw') }}",
    "models/dear.ff.sql": "select * from {{ ref('prices') }} where price > 1",
    "models/checks.yml": "version: 1\nmodels:\n  - name: prices\n    columns:\n"
    "      - {name: price, tests: [{greater_equal: {threshold: 0}}, {not_null: {severity: warn}}]}\n",
    "tests/unit/dear.yml": "model: dear\ncases:\n  - name: one\n    inputs: {prices: {rows: [{id: 1, price: 2.5}]}}\n"
    "    expect: {rows: [{id: 1, price: 2.5}]}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def call(folder: Path, *arguments: str) -> int:
    return run([*arguments, "-C", str(folder)])


def results_of(folder: Path, *arguments: str, exit_code: int) -> dict[str, Any]:
    path = folder / "out" / "results.json"
    assert call(folder, *arguments, "--results", str(path)) == exit_code
    content: dict[str, Any] = json.loads(path.read_text())
    assert content["exit_code"] == exit_code
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]
    assert (content["metadata"]["project"], content["metadata"]["engine"]) == ("shop", "duckdb")
    assert content["run_started_at"] <= content["run_finished_at"]
    return content


def test_a_build_that_finds_bad_rows(folder: Path) -> None:
    content = results_of(folder, "build", "--keep-going", exit_code=2)
    nodes = {node["name"].removesuffix(".ff"): node for node in content["results"]}
    assert {name: node["status"] for name, node in nodes.items()} == {
        "raw": "success",
        "prices": "fail",
        "dear": "skipped",
    }
    assert nodes["raw"]["rows"] == 2
    assert nodes["dear"]["blocked_by"].removesuffix(".ff") == "prices"
    assert nodes["prices"]["error"]["code"].startswith("FF")
    checks = {check["type"]: check for check in content["checks"]}
    assert (checks["greater_equal"]["status"], checks["greater_equal"]["failures"]) == ("fail", 1)
    assert (checks["greater_equal"]["path"], checks["greater_equal"]["line"]) == ("models/checks.yml", 5)
    assert checks["not_null"]["status"] == "success"


def test_checks_and_unit_tests_alone(folder: Path) -> None:
    (folder / "seeds" / "raw.csv").write_text("id,price\n1,2.50\n")
    built = results_of(folder, "build", exit_code=0)
    assert [(test["name"], test["status"]) for test in built["unit_tests"]] == [("dear::one", "success")]
    tested = results_of(folder, "test", exit_code=0)
    assert (len(tested["checks"]), tested["results"]) == (2, [])
    alone = results_of(folder, "utest", exit_code=0)
    assert [(test["name"], test["status"], test["path"]) for test in alone["unit_tests"]] == [
        ("dear::one", "success", "tests/unit/dear.yml")
    ]
    assert set(alone) == set(built) == set(tested)
    assert set(alone["unit_tests"][0]) == set(built["unit_tests"][0])


def test_a_unit_test_that_fails_says_how(folder: Path) -> None:
    path = folder / "tests" / "unit" / "dear.yml"
    path.write_text(path.read_text().replace("expect: {rows: [{id: 1, price: 2.5}]}", "expect: {rows: []}"))
    (test,) = results_of(folder, "utest", exit_code=2)["unit_tests"]
    assert test["status"] == "fail"
    assert test["differences"]


def test_nothing_selected_leaves_a_file_that_says_so(folder: Path) -> None:
    (folder / "models" / "checks.yml").unlink()
    assert results_of(folder, "test", exit_code=0)["checks"] == []


def test_an_older_file_is_not_taken_for_a_new_one(folder: Path) -> None:
    path = folder / "results.json"
    path.write_text("old")
    (folder / "models" / "prices.ff.sql").write_text("select * from {{ ref('nothing') }}")
    assert call(folder, "build", "--results", str(path)) == 1
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told_before_anything_runs(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(folder, "build", "--results", str(folder / "project.yml" / "x.json")) == 64
    assert "--results reports/flowforge.json" in capfd.readouterr().err
    assert not (folder / ".local").exists()


def test_a_secret_is_not_in_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FF_SECRET_WORD", 'hunter"2é')
    (folder / "models" / "dear.ff.sql").write_text(
        "select cast('{{ env('FF_SECRET_WORD') }}' as integer) as n from {{ ref('prices') }}"
    )
    (folder / "seeds" / "raw.csv").write_text("id,price\n1,2.50\n")
    content = results_of(folder, "build", "--no-unit-tests", exit_code=1)
    assert "hunter" not in json.dumps(content, ensure_ascii=False)
    assert any(node["status"] == "error" for node in content["results"])
