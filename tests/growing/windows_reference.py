"""What building a table window by window means, on lists of dicts: the judge of every engine."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Sequence

import attrs

Row = tuple[int, int, dt.datetime]
"""An id, a value, and when it happened."""


@attrs.define
class Shelf:
    """A table that is built in days from *begin* on, and a note of when each day was last built."""

    begin: dt.date
    lookback: int
    rows: list[Row] = attrs.field(factory=list)
    built: dict[dt.date, dt.datetime] = attrs.field(factory=dict)
    stands: bool = False

    def days(self, now: dt.datetime) -> list[dt.date]:
        """The days that have begun."""
        count = (now.date() - self.begin).days + 1
        return [self.begin + dt.timedelta(days=number) for number in range(count)]

    def due(self, now: dt.datetime) -> list[dt.date]:
        """The days that a run builds, when it builds any."""
        days = self.days(now)
        newest = days[-1 - self.lookback :]
        return [
            day
            for day in days
            if day not in self.built or day in newest or self.built[day] < _midnight(day + dt.timedelta(days=1))
        ]

    def build(self, days: Sequence[dt.date], source: Sequence[Row], now: dt.datetime) -> list[dt.date]:
        """Build *days*, and return those that failed: a negative value breaks the day that it is in."""
        failed = []
        for day in days:
            new = [row for row in source if row[2].date() == day]
            if any(row[1] < 0 for row in new):
                failed.append(day)
                continue
            self.rows = [row for row in self.rows if row[2].date() != day] + new
            self.built[day] = now
            self.stands = True
        return failed

    def replace(self, source: Sequence[Row], now: dt.datetime) -> bool:
        """Build all days into a new table; the old one stays when one of them fails."""
        made = Shelf(self.begin, self.lookback)
        if made.build(made.days(now), source, now):
            return False
        self.rows, self.built, self.stands = made.rows, made.built, True
        return True

    @property
    def content(self) -> collections.Counter[Row]:
        """To compare."""
        return collections.Counter(self.rows)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
