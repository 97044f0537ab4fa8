"""Conditions on time in SQL: which rows belong to a window, exact for dates and for timestamps with and without a zone.

Knows a dialect's literals and Arrow's types; nothing of tables.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import TYPE_CHECKING

from flowforge.contract import Dialect
from flowforge.project.windows import Window, ceil

if TYPE_CHECKING:
    import pyarrow as pa


class TimeKind(enum.Enum):
    """What a column of times holds."""

    DATE = "date"
    PLAIN = "timestamp"
    ZONED = "timestamp with time zone"


def time_kind(type_: pa.DataType) -> TimeKind | None:
    """The kind of a column; ``None`` when it holds no times."""
    import pyarrow as pa

    if pa.types.is_date(type_):
        return TimeKind.DATE
    if pa.types.is_timestamp(type_):
        return TimeKind.PLAIN if type_.tz is None else TimeKind.ZONED
    return None


def bound(dialect: Dialect, moment: dt.datetime, kind: TimeKind) -> str:
    """A literal that no value of a column is above, unless it is not before *moment*; dates count as midnights."""
    if kind is TimeKind.DATE:
        return dialect.literal(ceil(moment, "day").date())
    return dialect.literal(moment if kind is TimeKind.ZONED else moment.replace(tzinfo=None))


def within(dialect: Dialect, column: str, window: Window, kind: TimeKind) -> str:
    """The condition under which *column*, which is SQL, is a time in *window*; unknown for NULL."""
    start, end = (bound(dialect, moment, kind) for moment in (window.start, window.end))
    return f"{column} >= {start} AND {column} < {end}"


def outside(dialect: Dialect, column: str, window: Window, kind: TimeKind) -> str:
    """The condition under which *column* is no time in *window*; true for NULL."""
    start, end = (bound(dialect, moment, kind) for moment in (window.start, window.end))
    return f"{column} < {start} OR {column} >= {end} OR {column} IS NULL"
