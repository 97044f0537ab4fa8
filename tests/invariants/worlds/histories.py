"""What a snapshot's table holds after a run or a pruning: the oracle of histories."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from worlds.growing import Grown
from worlds.meaning import CannotBuildError
from worlds.nodes import Model, Rows

KEY, CURRENT, DELETED = "k", "_ff_is_current", "_ff_is_deleted"
UPDATED, FROM, TO = "_ff_updated_at", "_ff_valid_from", "_ff_valid_to"
UNSEEN = ("_ff_snapshot_hash",)
"""Columns that nobody compares."""


def deletes_of(model: Model) -> str:
    """What becomes of keys that are gone; always the same for one model."""
    return ("ignore", "invalidate", "new_record")[model.key % 3]


def continued(model: Model, history: Rows | None, batch: Rows, moment: dt.datetime) -> Grown:
    """The history with the rows that are new, changed or gone; ``None``: there is none yet.

    Parameters
    ----------
    moment:
        That of the run; never before one that stands in the history.

    Raises
    ------
    CannotBuildError
        When keys or times are not as they should be.
    """
    now, timed = moment.replace(tzinfo=None), "ts" in batch.names
    keys = [k for (k,) in batch.picked(KEY)]
    if None in keys:
        raise CannotBuildError(f"{KEY} is NULL")
    if len(set(keys)) < len(keys):
        raise CannotBuildError(f"{KEY} is doubled")
    if timed and (None,) in batch.picked("ts"):
        raise CannotBuildError("ts is NULL")
    marks = deletes_of(model) == "new_record"
    times = tuple((name, "TIMESTAMP") for name in (UPDATED, FROM, TO))
    columns = (*batch.columns, *times, (CURRENT, "BOOLEAN"), *(((DELETED, "BOOLEAN"),) if marks else ()))
    versions = [] if history is None else [dict(zip(history.names, row, strict=True)) for row in history.rows]
    found = {row[KEY]: row for row in (dict(zip(batch.names, one, strict=True)) for one in batch.rows)}
    current = {version[KEY]: version for version in versions if version[CURRENT]}
    added: list[dict[str, Any]] = []
    changed = False
    for key, row in found.items():
        before = current.get(key)
        here = before is not None and not before.get(DELETED)
        if here and (row["ts"] <= before["ts"] if timed else before["v"] == row["v"]):  # type: ignore[index]
            continue
        last = max((one[TO] or one[FROM] for one in versions if one[KEY] == key), default=None)
        if timed and (last is None or row["ts"] >= last):
            began = row["ts"]
        elif last is None or (last < now and not (timed and here)):
            began = now
        else:
            began = last
        if before is not None:
            before.update({CURRENT: False, TO: began})
        added.append({**row, UPDATED: row["ts"] if timed else began, **_holding(began), DELETED: False})
    for key, before in current.items():
        if key in found or deletes_of(model) == "ignore" or before.get(DELETED):
            continue
        ended = max(before[FROM], now)
        before.update({CURRENT: False, TO: ended})
        changed = True
        if marks:
            added.append({**before, UPDATED: ended, **_holding(ended), DELETED: True})
    rows = Rows(columns, tuple(tuple(version[name] for name, _ in columns) for version in (*versions, *added)))
    return Grown(rows, history is not None and not added and not changed)


def _holding(since: dt.datetime) -> dict[str, Any]:
    return {FROM: since, TO: None, CURRENT: True}


def pruned(history: Rows, keep: int) -> Rows | None:
    """The newest *keep* versions of each key; ``None`` when it is a matter of luck which these are."""
    versions = [dict(zip(history.names, row, strict=True)) for row in history.rows]

    def age(version: dict[str, Any]) -> Any:
        return version[CURRENT], version[FROM], version[TO] or version[FROM]

    stay: list[dict[str, Any]] = []
    for _, group in itertools.groupby(sorted(versions, key=lambda one: one[KEY]), key=lambda one: one[KEY]):
        newest = sorted(group, key=age, reverse=True)
        if len(newest) > keep and age(newest[keep - 1]) == age(newest[keep]):
            return None
        stay += newest[:keep]
    return Rows(history.columns, tuple(tuple(version[name] for name in history.names) for version in stay))
