"""``source freshness``: both spellings of the rules, what is too old, and what cannot be looked at."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.freshness import Freshness, source_ages
from flowforge.cli.main import run
from flowforge.errors import FlowForgeError, ProjectErrors

duckdb = pytest.importorskip("duckdb")
NOW = dt.datetime(2024, 5, 1, 12, 0, tzinfo=dt.UTC)
SOURCES = """\
version: 1
sources:
  - name: shop
    freshness: {warn_after: {count: 10, period: minute}, error_after: {count: 1, period: day}}
    loaded_at_field: loaded_at
    tables:
      - name: fresh
      - name: late
      - name: lost
      - name: empty
      - name: gone
      - name: days
        freshness: {loaded_at_field: day}
      - name: zoned
        freshness: {warn_after_minutes: 61, max_delay_minutes: 100}
      - name: texts
        freshness: {loaded_at_field: word}
      - name: never
        freshness:
"""


@pytest.fixture
def shop(make: Callable[..., Project], tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    with duckdb.connect(str(tmp_path / "project" / "demo.duckdb")) as connection:
        for name, age in (("fresh", "9 minutes"), ("late", "5 hours"), ("lost", "30 hours")):
            connection.execute(
                f"CREATE TABLE {name} AS SELECT TIMESTAMP '2024-05-01 12:00' - INTERVAL '{age}' AS loaded_at"
                " UNION ALL SELECT NULL UNION ALL SELECT TIMESTAMP '2020-01-01'"
            )
        connection.execute("CREATE TABLE empty (loaded_at TIMESTAMP)")
        connection.execute("CREATE TABLE days AS SELECT DATE '2024-05-01' AS day")
        connection.execute("CREATE TABLE zoned AS SELECT TIMESTAMPTZ '2024-05-01 13:00:00+02' AS loaded_at")
        connection.execute("CREATE TABLE texts AS SELECT 'x' AS word")
    return make({"sources.yml": SOURCES})


def test_each_source_is_as_old_as_its_newest_row(shop: Project) -> None:
    ages = {age.source: age for age in source_ages(shop, clock=lambda: NOW)}
    assert {name: age.status.value for name, age in ages.items()} == {
        "shop.days": "warn",
        "shop.empty": "error",
        "shop.fresh": "pass",
        "shop.gone": "failed",
        "shop.late": "warn",
        "shop.lost": "error",
        "shop.texts": "failed",
        "shop.zoned": "pass",
    }
    assert [ages[f"shop.{name}"].age for name in ("fresh", "late", "zoned", "days")] == [540, 18000, 3600, 43200]
    assert ages["shop.zoned"].rule.error_after == 6000
    assert ages["shop.empty"].message == "there are no rows"


@pytest.mark.parametrize(
    ("select", "exclude", "expected"),
    [
        (["shop.late"], [], ["shop.late"]),
        (["source:shop.late", "shop.f*"], [], ["shop.fresh", "shop.late"]),
        (["shop"], ["shop.*"], None),
        (["shop.never"], [], None),
    ],
)
def test_what_is_selected(shop: Project, select: list[str], exclude: list[str], expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(FlowForgeError) as caught:
            source_ages(shop, select, exclude)
        assert caught.value.exit_code == 5
        return
    assert [age.source for age in source_ages(shop, select, exclude, clock=lambda: NOW)] == expected


def test_an_unknown_source_has_a_suggestion(shop: Project) -> None:
    with pytest.raises(FlowForgeError) as caught:
        source_ages(shop, ["shop.lat"])
    assert "shop.late" in (caught.value.help or "")


@pytest.mark.parametrize("command", [["source", "freshness"], ["source-freshness"]])
def test_the_command(shop: Project, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shop.close()
    assert run([*command, str(shop.root), "--format", "json", "-s", "shop.lost", "-s", "shop.gone"]) == 1
    lost, gone = sorted(map(json.loads, capsys.readouterr().out.splitlines()), key=lambda row: str(row["message"]))
    assert (lost["source"], lost["status"], lost["loaded_at_field"], lost["error_after_seconds"]) == (
        "shop.lost",
        "error",
        "loaded_at",
        86400.0,
    )
    assert gone["status"] == Freshness.FAILED.value
    assert "gone" in gone["message"]
    assert run([*command, str(shop.root), "-s", "shop.lost"]) == 1
    assert "warn after 10 min, error after 1 d" in capsys.readouterr().out
    assert run([*command, str(shop.root), "--select", "nothing"]) in (5, 64)


@pytest.mark.parametrize(
    ("freshness", "code", "words"),
    [
        ("{loaded_at_field: x}", "FF1006", "says nothing without"),
        ("{warn_after: {count: 1, period: day}}", "FF1006", "needs 'loaded_at_field'"),
        ("{loaded_at_field: x, warn_after: {count: 2, period: day}, error_after_minutes: 5}", "FF1006", "is longer"),
        ("{loaded_at_field: x, warn_after: {count: 2, period: week}}", "FF1005", "'minute', 'hour', 'day'"),
        ("{loaded_at_field: x, warn_after: {count: 0, period: day}}", "FF1005", "1 or more"),
        ("{loaded_at_field: x, warn_after: {count: 1, period: day}, warn_after_minutes: 5}", "FF1006", "mean the same"),
        ("{loaded_at_field: x, warn_after: 5}", "FF1005", "a mapping"),
        ("{loaded_at_field: x, warn: 5}", "FF1004", "unknown key 'warn'"),
    ],
)
def test_rules_that_make_no_sense(make: Callable[..., Project], freshness: str, code: str, words: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make(
            {
                "sources.yml": f"version: 1\nsources:\n  - name: a\n    tables:\n      - name: t\n        freshness: {freshness}\n"
            }
        )
    error: Any = caught.value
    (only,) = error.errors if isinstance(error, ProjectErrors) else (error,)
    assert only.code == code
    assert words in str(only)
    assert str(only.location).startswith("sources.yml:6:")
