"""``flowforge status``: one line for each model, seed and source, made of what runs have noted."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge.api.status import AssetStatus, Verdict
from flowforge.cli.status import ago

SOURCES = """
version: 1
sources:
  - name: shop
    schema: main
    tables:
      - name: clicks
        loaded_at_field: at
        freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 1, period: day}}
      - name: plain
      - name: watched
        columns: [{name: x, checks: [not_null]}]
"""
BAD = "id,v\n1,10\n2,\n"


def verdicts(shop: Any, *args: str, ok: bool = True) -> dict[str, tuple[str, list[str]]]:
    return {name: (one["verdict"], one["reasons"]) for name, one in data(shop, *args, ok=ok).items()}


def data(shop: Any, *args: str, ok: bool = True) -> dict[str, dict[str, Any]]:
    lines = shop("status", "--format", "json", *args, ok=ok).out.splitlines()
    return {one["name"]: one for one in map(json.loads, lines)}


def words(shop: Any, *args: str) -> dict[str, str]:
    return {name: status for name, (status, _) in verdicts(shop, *args).items()}


def test_a_life(shop: Any) -> None:
    assert words(shop) == dict.fromkeys(("raw", "lone", "a", "b", "c"), "never built")
    assert not (shop.root / ".flowforge" / "state.db").exists()
    assert not (shop.root / "demo.duckdb").exists()
    shop("build")
    found = data(shop)
    assert {one["verdict"] for one in found.values()} == {"healthy"}
    assert (found["raw"]["kind"], found["b"]["kind"], found["b"]["rows"]) == ("seed", "model", 2)
    assert found["b"]["checks"] == {
        "passed": 1, "warned": 0, "failed": 0, "not_run": 0, "at": found["b"]["checks"]["at"],
    }  # fmt: skip
    first = found["b"]["built_run"]
    shop("build")  # nothing to do
    found = data(shop)
    assert (found["b"]["built_run"], found["b"]["last_attempt"]["status"]) == (first, "cached")
    assert found["b"]["last_attempt"]["run_id"] != first
    shop.write("seeds/raw.csv", BAD)
    shop("build", ok=False)
    assert verdicts(shop) == {
        "raw": ("healthy", []),
        "a": ("healthy", []),
        "b": ("failing", ["the last build was not published", "not_null_b_v fails"]),
        "c": ("stale", ["the last build left it out: blocked by b"]),
        "lone": ("healthy", []),
    }
    assert data(shop)["b"]["built_run"] == first
    shop("run")  # without checks: what was found is still the last that is known
    assert verdicts(shop, "-s", "b+") == {"b": ("failing", ["not_null_b_v fails"]), "c": ("healthy", [])}
    shop.write("seeds/raw.csv", "id,v\n1,10\n")
    shop("build")
    assert set(words(shop).values()) == {"healthy"}


def test_a_model_is_stale_when_what_it_reads_got_other_rows(shop: Any) -> None:
    shop("build")
    shop("seed", "--rebuild")  # the same rows
    shop("run", "-s", "a")
    assert set(words(shop).values()) == {"healthy"}
    shop.write("seeds/raw.csv", "id,v\n1,10\n2,30\n")
    shop("seed")
    found = verdicts(shop)
    # a is a view, which shows the new rows; b reads them through it; c reads b, which is as it was.
    assert found["b"] == ("stale", ["a has new rows since"])
    assert {name for name, (word, _) in found.items() if word == "healthy"} == {"raw", "a", "c", "lone"}
    shop("run", "-s", "b")
    assert verdicts(shop)["c"] == ("stale", ["b has new rows since"])
    shop("run")
    assert set(words(shop).values()) == {"healthy"}


def test_a_model_that_breaks_and_what_never_was(shop: Any) -> None:
    shop.write("models/lone.ff.sql", "select nonsense\n")
    shop.write("models/after.ff.sql", "select * from {{ ref('lone') }}\n")
    shop("run", "--keep-going", ok=False)
    found = verdicts(shop, "-s", "lone+")
    status, (reason,) = found["lone"]
    assert (status, reason.startswith("the last build failed: "), reason.endswith("and it was never built")) == (
        "failing", True, True,
    )  # fmt: skip
    assert found["after"] == ("never built", ["the last build left it out: blocked by lone, and it was never built"])


def test_warnings_and_what_others_have_built(shop: Any) -> None:
    shop.write(
        "models/b.yml",
        "version: 1\nmodels:\n  - name: b\n    columns: [{name: v, tests: [{not_null: {severity: warn}}]}]\n",
    )
    shop.write("seeds/raw.csv", BAD)
    shop("build")
    assert verdicts(shop)["b"] == ("warning", ["not_null_b_v warns"])
    for file in Path(shop.root, ".flowforge").glob("state.db*"):
        file.unlink()
    shop("test")
    one = data(shop)["b"]
    assert (one["verdict"], one["built_at"], words(shop)["a"]) == ("warning", None, "never built")
    assert "built elsewhere or earlier" in shop("status", "-s", "b").out


def test_sources(shop: Any) -> None:
    shop.write("sources.yml", SOURCES)
    shop.write("models/of_source.ff.sql", "select * from {{ source('shop', 'clicks') }}\n")
    select = ("-s", "source:shop.*")
    assert verdicts(shop, *select) == {
        "shop.clicks": ("unknown", ["nobody has looked how old it is"]),
        "shop.plain": ("unknown", ["nobody has looked at it"]),
        "shop.watched": ("unknown", ["nobody has looked at it"]),
        "of_source": ("never built", ["no build is known"]),
    }
    shop.write("models/clicks.ff.sql", "select now() - interval '{{ var('age', 0) }} hours' as at\n")
    shop.write("models/watched.ff.sql", "select 1 as x\n")
    for age, status, reasons, code in (
        (0, "healthy", [], 0),
        (2, "warning", ["its newest row is old"], 0),
        (48, "stale", ["its newest row is too old"], 1),
    ):
        shop("run", "-s", "clicks watched", "--vars", f"age={age}")
        assert shop("source", "freshness", ok=False).code == code
        found = data(shop, "-s", "shop.clicks")["shop.clicks"]
        assert (found["verdict"], found["reasons"]) == (status, reasons)
        assert found["freshness"]["age_seconds"] >= age * 3600
    shop("test", "-s", "source:shop.watched")
    assert words(shop, *select)["shop.watched"] == "healthy"
    assert "source shop.clicks" in shop("status", *select).out


def test_a_source_that_is_gone(shop: Any) -> None:
    shop.write("sources.yml", SOURCES)
    assert shop("source", "freshness", ok=False).code == 1
    status, (reason,) = verdicts(shop, "-s", "shop.clicks")["shop.clicks"]
    assert status == "failing"
    assert reason.startswith("nobody could look how old it is: ")


def test_exit_codes(shop: Any) -> None:
    def codes(**places: str) -> list[int]:
        return [shop("status", *(("--fail-on", word) if word else ()), ok=False).code
                for word in ("", "failing", "stale", "warning")]  # fmt: skip

    assert codes() == [0, 0, 0, 2]
    shop("build")
    assert codes() == [0, 0, 0, 0]
    shop.write("seeds/raw.csv", BAD)
    shop("build", ok=False)
    assert codes() == [0, 2, 2, 2]
    assert shop("status", "-s", "c", "--fail-on", "failing").code == 0
    assert shop("status", "-s", "c", "--fail-on", "stale", ok=False).code == 2
    assert shop("status", "-s", "tag:staging", "--exclude", "a", ok=False).code == 5
    assert shop("status", "-s", "ghost", ok=False).code != 0


def test_lines_for_people(shop: Any) -> None:
    shop("build")
    shop.write("seeds/raw.csv", BAD)
    shop("build", ok=False)
    ended = shop("status")
    lines = {line.split()[1]: line for line in ended.out.splitlines()}
    assert lines["b"].split("  ")[0] == "✗ b"
    assert "built just now, 2 rows" in lines["b"]
    assert "checks: 1 failed" in lines["b"]
    assert lines["b"].endswith("the last build was not published; not_null_b_v fails")
    assert lines["c"].startswith("~ c     stale")
    assert "3 healthy, 1 stale, 1 failing under the profile 'dev' on duckdb" in ended.err


def test_profiles_are_apart(shop: Any) -> None:
    shop("build")
    assert set(words(shop, "--env", "other").values()) == {"never built"}


def test_a_memory_that_cannot_be_read_is_said(shop: Any) -> None:
    shop("build")
    state = Path(shop.root, ".flowforge", "state.db")
    state.unlink()
    state.mkdir()
    assert "FF2310" in shop("status").err


def test_the_python_api(make: Callable[..., Any]) -> None:
    project = make({
        "models/part.ff.sql": "{{ config(materialized='ephemeral') }}\nselect 1 as x\n",
        "models/whole.ff.sql": "select * from {{ ref('part') }}\n",
    })  # fmt: skip
    assert project.run().ok
    (whole,) = project.status().assets
    assert isinstance(whole, AssetStatus)
    assert (whole.name, whole.verdict, whole.build.rows) == ("whole.ff", Verdict.HEALTHY, 1)


NOW = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7_199, "1 h ago"),
        (86_400 * 3, "3 d ago"),
        (-600, "in 10 min"),
    ],
)
def test_ages_for_people(seconds: int, told: str) -> None:
    assert ago(NOW - dt.timedelta(seconds=seconds), NOW) == told
