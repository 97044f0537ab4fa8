"""The example projects, written for DuckDB, build on PostgreSQL as they are: with another profile and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = {
    "ephemeral_and_views": 4,
    "one_sql_many_engines": 4,
    "portable_functions": 5,
    "python_models": 7,
    "simple_duckdb": 7,
}
"""How many relations each of them has."""


def check_words(builds: Any) -> list[dict[str, Any]]:
    """What the checks of each build said."""
    keys = ("node", "column", "severity", "status", "failures", "message")
    return [{one["check"]: [one[key] for key in keys] for one in ended.of("check_finished")} for ended in builds]


@pytest.fixture
def built(new_pair: Callable[..., Any], run_both: Callable[..., Any], examples: Path) -> Callable[[str], Any]:
    """Builds an example in two places, which have to agree on what became of the nodes and on the checks."""

    def build(name: str) -> Any:
        pair = new_pair(examples / name)
        builds = run_both(pair, "build")
        assert [ended.code for ended in builds] == [0, 0], builds
        assert builds[0].statuses == builds[1].statuses
        ours, theirs = check_words(builds)
        assert ours
        assert ours == theirs
        return pair

    return build


def assert_equal(ours: Any, theirs: Any) -> None:
    """Kind, names, types and rows."""
    assert (ours.kind, ours.names, ours.types) == (theirs.kind, theirs.names, theirs.types)
    assert ours.rows
    # Not `ours.rows == theirs.rows`: where they differ, a message of 300,000 rows helps nobody.
    assert list((ours.rows - theirs.rows).items())[:5] == []
    assert list((theirs.rows - ours.rows).items())[:5] == []


@pytest.mark.parametrize("name", SMALL)
def test_a_small_example(name: str, built: Callable[[str], Any]) -> None:
    ours, theirs = (place.shown() for place in built(name))
    assert ours.keys() == theirs.keys()
    assert len(ours) == SMALL[name]
    for relation, one in ours.items():
        assert_equal(one, theirs[relation])


@pytest.mark.full
def test_a_third_of_a_million_flights(
    built: Callable[[str], Any], run_both: Callable[..., Any], examples: Path
) -> None:
    """Every one of the 21 models is portable, and the second run builds none of them."""
    pair = built("nycflights")
    again = run_both(pair, "build")
    assert again[0].statuses == again[1].statuses
    assert set(again[0].statuses.values()) == {"cached"}
    models = [path.name.split(".")[0] for path in (examples / "nycflights" / "models").rglob("*.ff.*")]
    seeds = [path.stem for path in (examples / "nycflights" / "seeds").iterdir()]
    for name in sorted({*models, *seeds} - {"int_flight_status", "int_airport_traffic"}):
        # One at a time: the larger ones take a good part of a gigabyte as Python's rows.
        ours, theirs = (place.shown(only=name)[name] for place in pair)
        assert_equal(ours, theirs)
