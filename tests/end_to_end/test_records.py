"""``--log-format json``: every line is a record, and the page for CI names each kind and its keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/how-to/use-in-ci.md"
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|[^|]*\|([^|]*)\|$", re.M)


def records(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    assert all(record["version"] == 1 for record in found)
    return found


def documented() -> dict[str, set[str]]:
    """By event, the keys that the page promises."""
    found: dict[str, set[str]] = {}
    for events, keys in ROW.findall(PAGE.read_text("utf-8").partition("by program")[2]):
        for event in re.findall(r"`(\w+)`", events):
            found[event] = set(re.findall(r"`(\w+)`", keys))
    return found


def test_every_record_is_documented_and_holds_what_is_promised(shop) -> None:
    shop.write("models/bad.ff.sql", "select nothing from {{ ref('a') }}")
    shop.write("models/now.ff.sql", "select current_date as today")
    shop.write("tests/unit/lone.yml", "model: lone\ncases: [{name: one, inputs: {}, expect: {rows: [{one: 1}]}}]\n")
    seen = records(shop("build", "--keep-going", "--log-format", "json", ok=False).err)
    seen += records(shop("build", "-s", "x*", "--allow-empty", "--log-format", "json").err)
    seen += records(shop("run", "-R", "lone", "-vv", "--log-format", "json").err)
    kinds = {record["event"] for record in seen}
    page = documented()
    assert kinds == set(page)
    for record in seen:
        assert page[record["event"]] <= set(record), record


def test_nodes_are_called_as_everywhere_else(shop) -> None:
    seen = records(shop("build", "--log-format", "json").err)
    names = shop("ls").names
    assert {record["node"] for record in seen if record["event"] == "node_finished"} == set(names)
    assert [record["node"] for record in seen if record["event"] == "check_finished"] == ["b"]
    assert seen[0]["nodes"] == names


def test_the_answer_of_a_dry_run_is_records_too(shop) -> None:
    seen = records(shop("build", "--dry-run", "--log-format", "json").out)
    assert {"node", "action", "reason", "details"} <= set(seen[0])
    assert seen[-1]["counts"] == {"build": 5, "maybe": 0, "skip": 0}
