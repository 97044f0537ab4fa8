"""``flowforge test --history``: what checks found in earlier runs, told without asking the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SEED = "seeds/raw.csv"


def data(shop: Any, *args: str) -> dict[str, dict[str, Any]]:
    """The histories by check, as JSON gives them."""
    lines = shop("test", "--history", "--format", "json", *args).out.splitlines()
    return {one["check"]: one for one in map(json.loads, lines)}


def statuses(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(result["command"], result["status"]) for result in one["results"]]


@pytest.fixture
def checked(shop: Any) -> Any:
    """A project whose check has passed twice, failed in a build, and failed in a test."""
    shop.write(
        "models/c.yml",
        "version: 1\nmodels:\n  - name: c\n    tags: [counted]\n"
        "    tests: [{row_count_between: {min_rows: 1, name: some rows, tags: [few]}}]\n",
    )
    shop("build")
    shop("test")
    shop.write(SEED, "id,v\n1,10\n2,\n")
    assert shop("build", ok=False).code == 2
    shop("run")
    assert shop("test", ok=False).code == 2
    return shop


def test_results_of_builds_and_tests_are_one_history(checked: Any) -> None:
    found = data(checked)
    assert set(found) == {"not_null_b_v", "some rows"}
    bad = found["not_null_b_v"]
    assert statuses(bad) == [("build", "success"), ("test", "success"), ("build", "fail"), ("test", "fail")]
    assert [result["failures"] for result in bad["results"]] == [0, 0, 1, 1]
    assert [result["counts"] for result in bad["results"]] == [True, True, False, False]
    assert bad["failing_since"] == bad["results"][2]["at"]
    assert bad["last_passed"] == bad["results"][1]["at"]
    assert bad["results"][3]["message"] == "b.v has 1 NULL"
    assert len({result["run_id"] for result in bad["results"]}) == 4
    good = found["some rows"]
    assert {status for _, status in statuses(good)} == {"success"}
    assert (good["failing_since"], good["results"][0]["measure"], good["results"][0]["rows"]) == (None, 1.0, 1)


def test_a_line_for_people(checked: Any) -> None:
    lines = checked("test", "--history").out.splitlines()
    assert lines[0] == ("Results of checks under the profile 'dev' on duckdb, newest on the right (✓ pass, ✗ fail)")
    bad, said, good = lines[2:]
    assert bad.startswith("✓✓✗✗  not_null           b.v  fails since 20")
    assert " (1 failure), last passed 20" in bad
    assert said == "      ↳ b.v has 1 NULL"
    assert good.split() == ["✓✓✓", "row_count_between", "c", "passes"]
    assert checked("test", "--history", "--limit", "1").out.splitlines()[2].startswith("✗  not_null")
    assert "      ↳ measured 1; 1; 1" in checked("test", "--history", "-v").out.splitlines()


def test_selections_are_those_of_test(checked: Any) -> None:
    assert set(data(checked, "-s", "b")) == {"not_null_b_v"}
    assert set(data(checked, "-s", "few")) == set(data(checked, "-s", "tag:counted")) == {"some rows"}
    assert set(data(checked, "--exclude", "b")) == {"some rows"}
    assert set(data(checked, "--check", "not_null")) == {"not_null_b_v"}
    assert len(data(checked, "--limit", "2")["not_null_b_v"]["results"]) == 2
    ended = checked("test", "--history", "-s", "lone", ok=False)
    assert ended.code == 5
    assert checked("test", "--history", "-s", "lone", "--allow-empty").out == ""


def test_each_profile_has_a_history_of_its_own(checked: Any) -> None:
    ended = checked("test", "--history", "--env", "other")
    assert ended.out == "No results of these checks are known under the profile 'other' on duckdb.\n"
    assert "flowforge test" in ended.err
    assert statuses(data(checked, "--env", "other")["not_null_b_v"]) == []


def test_looking_needs_no_database_and_makes_no_file(shop: Any) -> None:
    shop("test", "--history")
    assert not (shop.root / ".flowforge" / "state.db").exists()
    assert not (shop.root / "demo.duckdb").exists()


def test_a_report_says_that_a_check_is_learning(shop: Any) -> None:
    shop.write("models/c.yml", "version: 1\nmodels: [{name: c, tests: [{volume_anomaly: {name: size}}]}]\n")
    shop("seed")
    shop("run")
    ended = shop("test", "--check", "size", "--junit", "report.xml", "--log-format", "json")
    assert "learning (1 of 7)" in (shop.root / "report.xml").read_text("utf-8")
    (event,) = (
        one for one in map(json.loads, filter(None, ended.err.splitlines())) if one["event"] == "check_finished"
    )
    assert (event["status"], event["measure"], event["remark"]) == ("success", 1.0, "learning (1 of 7)")


def test_options_that_would_not_act_are_refused(shop: Any) -> None:
    for args, said in (
        (("--limit", "3"), "--limit says nothing without --history"),
        (("--format", "json"), "--format says nothing without --history"),
        (("--history", "--store-failures"), "--store-failures says nothing with --history"),
        (("--history", "--junit", "report.xml"), "--junit says nothing with --history"),
    ):
        ended = shop("test", *args, ok=False)
        assert (ended.code, said in ended.err) == (64, True), ended


def test_a_memory_that_cannot_be_used_is_said_and_fails_nothing(shop: Any) -> None:
    shop("build")
    state = Path(shop.root, ".flowforge", "state.db")
    state.unlink()
    state.mkdir()
    ended = shop("test")
    assert "FF2310" in ended.err
    ended = shop("test", "--history")
    assert "FF2310" in ended.err
    assert "No results" in ended.out
