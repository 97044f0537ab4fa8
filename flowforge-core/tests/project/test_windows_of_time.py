"""Windows of time: their bounds, their names, and how they cover time without a gap."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.project.windows import (
    SIZES,
    Window,
    ceil,
    floor,
    following,
    parse_moment,
    window_of,
    windows_between,
)

moments = st.datetimes(timezones=st.just(dt.UTC)).filter(lambda moment: moment.year < 9990)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("size", "moment", "start", "end", "name"),
    [
        ("hour", "2024-03-31 01:59:59.999999", "2024-03-31 01:00", "2024-03-31 02:00", "2024-03-31T01"),
        ("day", "2024-02-29 23:59", "2024-02-29", "2024-03-01", "2024-02-29"),
        ("day", "2023-02-28 12:00", "2023-02-28", "2023-03-01", "2023-02-28"),
        ("month", "2024-02-10", "2024-02-01", "2024-03-01", "2024-02"),
        ("month", "2023-12-31 23:00", "2023-12-01", "2024-01-01", "2023-12"),
        ("year", "2024-12-31 23:59", "2024-01-01", "2025-01-01", "2024"),
    ],
)
def test_bounds_and_names(size: str, moment: str, start: str, end: str, name: str) -> None:
    window = window_of(at(moment), size)
    assert window == Window(at(start), at(end))
    assert str(window) == name


def test_a_day_has_24_hours_also_where_clocks_are_changed() -> None:
    """Europe/Berlin and New York have days of 23 and 25 hours; windows are in UTC."""
    for day in ("2024-03-31", "2024-10-27", "2024-03-10", "2024-11-03"):
        window = window_of(at(day), "day")
        assert len(list(windows_between(window.start, window.end, "hour"))) == 24


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(moment=moments)
def test_every_moment_is_in_its_window(size: str, moment: dt.datetime) -> None:
    window = window_of(moment, size)
    assert window.start <= moment < window.end
    assert floor(window.start, size) == window.start
    assert ceil(window.start, size) == window.start
    assert ceil(moment, size) in (window.start, window.end)
    assert following(window.start, size) == window.end
    assert not window.overlaps(window_of(window.end, size))


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(moment=moments, hours=st.integers(1, 400))
def test_windows_cover_time_without_a_gap(size: str, moment: dt.datetime, hours: int) -> None:
    end = moment + dt.timedelta(hours=hours)
    windows = list(windows_between(moment, end, size))
    assert windows[0].start <= moment < windows[0].end
    assert windows[-1].start < end <= windows[-1].end
    assert all(one.end == other.start for one, other in itertools.pairwise(windows))


def test_the_end_of_time_ends() -> None:
    last = dt.datetime(9999, 12, 31, 23, 30, tzinfo=dt.UTC)
    for size in SIZES:
        assert list(windows_between(last, dt.datetime.max.replace(tzinfo=dt.UTC), size))[-1].start <= last


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", "2024-01-31"),
        (" 2024-01-31 06:00 ", "2024-01-31 06:00"),
        ("2024-01-31T06:00:00Z", "2024-01-31 06:00"),
        ("2024-01-31T06:00:00+02:00", "2024-01-31 04:00"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    assert parse_moment(text) == at(moment)


@pytest.mark.parametrize("text", ["", "soon", "2024", "2024-02-30", "2024-01-01 25:00", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="no date and no timestamp"):
        parse_moment(text)
