"""What a table that is built window by window holds after a run: the oracle of windows, which are years here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import attrs
from worlds.meaning import CannotBuildError
from worlds.nodes import FIRST_YEAR, Model, Rows


@attrs.frozen
class Known:
    """Which windows a table was built for, as it is noted.

    Parameters
    ----------
    node:
        Of the model that built them.
    columns:
        Those of the table then.
    built:
        When each year was last built.
    """

    node: str
    columns: tuple[tuple[str, str], ...]
    built: Mapping[int, dt.datetime]


@attrs.frozen
class Due:
    """The years to build, ascending; *anew*: all into a new table, at once."""

    years: tuple[int, ...]
    anew: bool


def begun(now: dt.datetime) -> tuple[int, ...]:
    """The windows that have begun."""
    return tuple(range(FIRST_YEAR, now.year + 1))


def lacks_a_window(known: Known | None, now: dt.datetime) -> bool:
    """Whether a window has begun since the last run, or nothing is known of them."""
    return known is None or max(known.built, default=0) < now.year


def due(
    model: Model, known: Known | None, columns: tuple[tuple[str, str], ...] | None, now: dt.datetime, from_nothing: bool
) -> Due:
    """What a run has to build.

    Parameters
    ----------
    columns:
        Those of the table that stands; ``None``: none does.

    Raises
    ------
    CannotBuildError
        When somebody changed the table.
    """
    years = begun(now)
    if columns is None:
        return Due(years, anew=False)
    if known is None or from_nothing:
        return Due(years, anew=True)
    if columns != known.columns:
        raise CannotBuildError("somebody changed the table that windows were built into")
    newest = years[-1 - model.lookback :]
    return Due(
        tuple(year for year in years if year not in known.built or year in newest or known.built[year].year <= year),
        anew=False,
    )


def after(table: Rows | None, whole: Rows, todo: Due) -> Iterator[Rows]:
    """The table after each of the windows that are built; built anew, it has all of them at once."""
    if todo.anew or table is None:
        table = Rows(whole.columns, ())
    steps: Sequence[tuple[int, ...]] = [todo.years] if todo.anew else [(year,) for year in todo.years]
    place = whole.names.index("ts")
    for years in steps:
        stays = [row for row in table.rows if _year(row[place]) not in years]
        new = [row for row in whole.rows if _year(row[place]) in years]
        table = Rows(table.columns, (*stays, *new))
        yield table


def _year(moment: object) -> int:
    assert isinstance(moment, dt.datetime)
    return moment.year
