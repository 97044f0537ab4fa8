"""What is built and what is skipped, and the reasons that are given, are the same on every engine.

One project lives through a first build, a second one, and a day on which everything that can change does change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

SOURCE = {
    "sources.yml": "outside:\n  things: {identifier: things, schema: outside}\n",
    "models/things_seen.ff.sql": "select count(*) as things from {{ source('outside', 'things') }}\n",
    "models/things_shown.ff.sql": "select things from {{ ref('things_seen') }}\n",
}
THINGS = ("create schema outside", "create table outside.things as select 1 as id")

EDITS = (
    # file, old text, new text
    ("models/marts/windows.ff.sql", "    order_id,\n    row", "    order_id,\n    order_id + 1 as next_id,\n    row"),
    ("models/marts/texts.ff.sql", "    note,\n", "    note, -- said again\n"),
    ("models/marts/uncast_sums.ff.sql", "-- Without", "{{ config(materialized='view') }}\n-- Without"),
    ("models/frames/spent_arrow.ff.py", "    return summed", "    renamed = summed\n    return renamed"),
    ("models/staging/eph_settled.ff.sql", "else 0 end", "else 1 - 1 end"),
    ("seeds/numbers.csv", "\n4,,", "\n6,1,,,,,,,\n4,,"),
    ("project.yml", "large_cents: 1000", "large_cents: 1001"),
)
BY_HAND = (
    "drop table parity.divisions",
    "alter table parity.calendar add column stray integer",
    "insert into outside.things values (2)",
)

BUILT = {
    # node: what its reason has to name
    "calendar": "columns",
    "divisions": "missing",
    "exact_numbers": "numbers",
    "newcomer": "never built",
    "numbers": "seeds/numbers.csv",
    "order_lines": "SQL changed",
    "revenue": "SQL changed",
    "spent_arrow": "models/frames/spent_arrow.ff.py",
    "texts": "SQL changed",
    "things_seen": "outside.things",
    "uncast_sums": "view",
    "windows": "SQL changed",
}
PERHAPS = {"biggest": "revenue", "flags_pandas": "spent_arrow", "shown": "flags_pandas", "things_shown": "things_seen"}
"""What is built only if the rows that it reads come out differently."""

STILL_CACHED = {"flags_pandas", "shown"}
"""Of these, what is skipped in the end: order_lines gives other classes of size, and spent_arrow the same sums of them."""


@attrs.frozen
class Told:
    """What was said on the way, by DuckDB and by PostgreSQL, and what stands at the end."""

    fresh: Any
    first: Any
    second: Any
    planned: Any
    changed: Any
    settled: Any
    stands: Any


@pytest.fixture(scope="module")
def told(portable: Callable[..., Any], run_both: Callable[..., Any]) -> Told:
    """The life of the project."""
    pair = portable(SOURCE)
    for place in pair:
        place.execute(*THINGS)
    before = [run_both(pair, *args) for args in (("build", "--dry-run"), ("build",), ("build",))]
    for place in pair:
        for edit in EDITS:
            place.edit(*edit)
        place.write({"models/newcomer.ff.sql": "select customer_id from {{ ref('revenue') }}\n"})
        (place.root / "models/staging/mixed_case.ff.sql").unlink()
        place.execute(*BY_HAND)
    after = [run_both(pair, *args) for args in (("build", "--dry-run", "-v"), ("build",), ("build", "--dry-run"))]
    stands = tuple(place.shown("parity", "parity_marts") for place in pair)
    return Told(*before, *after, stands)


def plan(ended: Any) -> dict[str, dict[str, Any]]:
    """The steps of a dry run by node."""
    assert ended.code == 0, ended
    return {one.pop("node"): one for one in ended.of("plan_node")}


def statuses(both: Any) -> dict[str, str]:
    """What became of the nodes, which has to be the same in both places."""
    ours, theirs = both
    assert [ours.code, theirs.code] == [0, 0]
    assert ours.statuses == theirs.statuses
    return dict(ours.statuses)


def test_an_empty_database_is_planned_in_the_same_words(told: Told) -> None:
    ours, theirs = map(plan, told.fresh)
    assert list(ours.items()) == list(theirs.items())
    assert {(one["action"], one["reason"]) for one in ours.values()} == {("build", "was never built here")}
    assert "eph_settled" not in ours


def test_what_was_planned_is_built(told: Told) -> None:
    assert statuses(told.first) == dict.fromkeys(plan(told.fresh[0]), "success")


def test_the_second_run_builds_nothing(told: Told) -> None:
    assert statuses(told.second) == dict.fromkeys(plan(told.fresh[0]), "cached")


def test_changes_are_given_as_the_same_reasons(told: Told) -> None:
    ours, theirs = map(plan, told.planned)
    assert list(ours.items()) == list(theirs.items())
    assert {name for name, one in ours.items() if one["action"] == "build"} == set(BUILT)
    assert {name for name, one in ours.items() if one["action"] == "maybe"} == set(PERHAPS)
    for name, word in {**BUILT, **PERHAPS}.items():
        assert word in ours[name]["reason"]
    assert any("said again" in line for line in ours["texts"]["details"])


def test_the_same_nodes_are_built_again(told: Told) -> None:
    built = {name for name, status in statuses(told.changed).items() if status == "success"}
    assert built == {*BUILT, *PERHAPS} - STILL_CACHED
    assert set(told.changed[0].statuses) == set(plan(told.planned[0]))


def test_after_that_nothing_is_left_to_do(told: Told) -> None:
    ours, theirs = map(plan, told.settled)
    assert ours == theirs
    assert {(one["action"], one["reason"]) for one in ours.values()} == {("skip", "up to date")}


def test_the_rows_are_the_same_after_all_that(told: Told) -> None:
    ours, theirs = ({name: (one.kind, one.rows) for name, one in stands.items()} for stands in told.stands)
    assert {name for name in ours if ours[name] != theirs.get(name)} == set()
    assert set(ours) == set(theirs)
    assert ours["things_shown"][1] == {(2,): 1}
    assert sum(ours["numbers_exactly"][1].values()) == 6
    assert ours["uncast_sums"][0] == "view"
    assert "mixed_case" in ours, "nothing is dropped because its file is gone"
