"""Windows of time, half open and in UTC: the hours, days, months or years that a microbatch model is built in.

Pure arithmetic with calendars; knows nothing of models, tables or clocks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import attrs

SIZES = ("hour", "day", "month", "year")
"""How long a window may be."""

_LAST = dt.datetime.max.replace(tzinfo=dt.UTC)


@attrs.frozen(order=True)
class Window:
    """The time from *start* on, and before *end*; both in UTC."""

    start: dt.datetime
    end: dt.datetime

    def __str__(self) -> str:
        """The window for people: ``2024``, ``2024-03``, ``2024-03-01`` or ``2024-03-01T05``."""
        for size, text in (("year", "%Y"), ("month", "%Y-%m"), ("day", "%Y-%m-%d"), ("hour", "%Y-%m-%dT%H")):
            if floor(self.start, size) == self.start and following(self.start, size) == self.end:
                return self.start.strftime(text) if self.start.year > 999 else self.start.isoformat()
        return f"{self.start.isoformat()}/{self.end.isoformat()}"

    def overlaps(self, other: Window) -> bool:
        """Whether some moment is in both."""
        return self.start < other.end and other.start < self.end


def parse_moment(text: str) -> dt.datetime:
    """A date or a timestamp in ISO's form as a moment in UTC; without an offset it is taken for UTC.

    Raises
    ------
    ValueError
        For anything else, with a message for users.
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text}' is no date and no timestamp; write for example 2024-01-31 or '2024-01-31 06:00' (UTC)"
        ) from None


def floor(moment: dt.datetime, size: str) -> dt.datetime:
    """The start of the window of this *size* that *moment* is in."""
    moment = moment.replace(minute=0, second=0, microsecond=0)
    if size != "hour":
        moment = moment.replace(hour=0)
    if size in ("month", "year"):
        moment = moment.replace(day=1)
    return moment.replace(month=1) if size == "year" else moment


def following(start: dt.datetime, size: str) -> dt.datetime:
    """The start of the next window, given the start of one; the end of time where there is none."""
    try:
        if size == "hour":
            return start + dt.timedelta(hours=1)
        if size == "day":
            return start + dt.timedelta(days=1)
        if size == "month":
            return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        return start.replace(year=start.year + 1)
    except (ValueError, OverflowError):
        return _LAST


def ceil(moment: dt.datetime, size: str) -> dt.datetime:
    """*moment*, when a window of this *size* starts with it, else the end of the one that it is in."""
    start = floor(moment, size)
    return start if start == moment else following(start, size)


def windows_between(begin: dt.datetime, end: dt.datetime, size: str) -> Iterator[Window]:
    """All windows that begin before *end*, from the one that *begin* is in; ascending."""
    start = floor(begin, size)
    while start < end:
        after = following(start, size)
        yield Window(start, after)
        start = after


def window_of(moment: dt.datetime, size: str) -> Window:
    """The window that *moment* is in."""
    start = floor(moment, size)
    return Window(start, following(start, size))
