"""K20: clocks that go back, and hosts in other time zones. Rows and decisions are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from breaking.preload import A_MONTH_AGO, library
from breaking.projects import PLAIN, assert_right, project, run_to_end
from flowforge_test_servers.board.arena import Place, PlainArena
from flowforge_test_servers.faults import provoked


@pytest.fixture(scope="module")
def month_ago(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library that, loaded before others, puts the clock back."""
    return library(tmp_path_factory.mktemp("month-ago"), A_MONTH_AGO)


@pytest.fixture
def plain(tmp_path: Path) -> Place:
    """On the engine that has neither transactions nor locks, and so relies on the clock of its database."""
    pytest.importorskip("flowforge_plain")
    place = PlainArena().empty(tmp_path / "project")
    project(place, PLAIN, 1)
    assert_right(run_to_end(place), place, 1)
    return place


@pytest.mark.parametrize(
    "place",
    ["duck", pytest.param("postgres", marks=pytest.mark.full), pytest.param("plain", marks=pytest.mark.full)],
    indirect=True,
)
def test_a_clock_that_was_put_back(place: Place, month_ago: str) -> None:
    project(place, PLAIN, 2)
    with provoked("K20", place.arena.name, "the clock goes back by 30 days", "right rows, the same is skipped"):
        back = run_to_end(place, LD_PRELOAD=month_ago)
        assert_right(back, place, 2)
        assert "1 unchanged" in back.stderr
        again = run_to_end(place, LD_PRELOAD=month_ago)
        assert "3 unchanged" in again.stderr
        with place.look() as look:
            built = {row["node_name"]: row["built_at"] for row in look.meta()}
        assert built["middle.ff"] < built["first.ff"]  # the clock was back indeed
        project(place, PLAIN, 3)  # and now it is right again
        assert_right(run_to_end(place), place, 3)


MOMENTS = """
select
  cast('2024-03-10 02:30:00+00' as timestamptz) as moment,
  cast('2024-03-10 02:30:00' as timestamp) as written,
  cast(cast('2024-03-10 23:30:00+00' as timestamptz) as date) as day,
  extract(hour from cast('2024-11-03 06:30:00+00' as timestamptz)) as hour,
  cast(cast('2024-03-10 12:00:00+00' as timestamptz) as varchar) as text
"""
PYTHON = """
import datetime as dt
import pyarrow as pa
from flowforge import model


@model(materialized="table")
def python():
    at = dt.datetime(2024, 3, 10, 10, 30)
    return pa.table({"written": [at], "moment": [at.replace(tzinfo=dt.timezone(dt.timedelta(hours=14)))]})
"""
# Moments as seconds: so the time zone of the one who looks is without effect.
READ = {
    "moments": "SELECT date_part('epoch', moment)::int8, written::varchar, day::varchar, hour::int8, text FROM moments",
    "python": "SELECT date_part('epoch', moment)::int8, written::varchar FROM python",
}
EXPECTED = {
    "moments": [(1710037800, "2024-03-10 02:30:00", "2024-03-10", 6, "2024-03-10 12:00:00+00")],
    "python": [(1710016200, "2024-03-10 10:30:00")],
}


def rows(place: Place) -> dict[str, list[Any]]:
    """What stands there."""
    with place.look() as look:
        return {name: look.query(sql)[1] for name, sql in READ.items()}


@pytest.mark.parametrize("place", ["duck", pytest.param("postgres", marks=pytest.mark.full)], indirect=True)
def test_time_zones_of_hosts(place: Place) -> None:
    files = {"models/moments.ff.sql": MOMENTS, "models/python.ff.py": PYTHON}
    project(place, PLAIN, 1, files)
    with provoked("K20", place.arena.name, "TZ differs between hosts", "the same rows, the same is skipped"):
        assert_right(run_to_end(place, TZ="Pacific/Kiritimati"), place, 1)
        assert rows(place) == EXPECTED
        skipped = run_to_end(place, TZ="America/Adak")
        assert "5 unchanged" in skipped.stderr, skipped.stderr
        assert_right(run_to_end(place, "--full-refresh", TZ="America/Adak"), place, 1)
        assert rows(place) == EXPECTED
