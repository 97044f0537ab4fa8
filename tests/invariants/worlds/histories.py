"""What a snapshot's table holds after a run, its times left out: the oracle of histories, by comparing all columns."""

from __future__ import annotations

from typing import Any

from worlds.growing import Grown
from worlds.meaning import CannotBuildError
from worlds.nodes import KV, Model, Rows

KEY, CURRENT, DELETED = "k", "_ff_is_current", "_ff_is_deleted"
TIMES = ("_ff_updated_at", "_ff_valid_from", "_ff_valid_to", "_ff_snapshot_hash")
"""Columns that nobody compares: no two histories have the same."""


def deletes_of(model: Model) -> str:
    """What becomes of keys that are gone; always the same for one model."""
    return ("ignore", "invalidate", "new_record")[model.key % 3]


def continued(model: Model, history: Rows | None, batch: Rows) -> Grown:
    """The history with the rows that are new, changed or gone; ``None``: there is none yet.

    Raises
    ------
    CannotBuildError
        When keys are not as they should be.
    """
    keys = [k for (k,) in batch.picked(KEY)]
    if None in keys:
        raise CannotBuildError(f"{KEY} is NULL")
    if len(set(keys)) < len(keys):
        raise CannotBuildError(f"{KEY} is doubled")
    marks = deletes_of(model) == "new_record"
    columns = (*KV, (CURRENT, "BOOLEAN"), *(((DELETED, "BOOLEAN"),) if marks else ()))
    versions = [] if history is None else [dict(zip(history.names, row, strict=True)) for row in history.rows]
    found: dict[Any, Any] = dict(batch.picked(KEY, "v"))  # type: ignore[arg-type]
    current = {version[KEY]: version for version in versions if version[CURRENT]}
    added: list[dict[str, Any]] = []
    for key, value in found.items():
        before = current.get(key)
        if before is not None and not before.get(DELETED) and before["v"] == value:
            continue
        if before is not None:
            before[CURRENT] = False
        added.append({KEY: key, "v": value, CURRENT: True, DELETED: False})
    for key, before in current.items():
        if key in found or deletes_of(model) == "ignore" or before.get(DELETED):
            continue
        before[CURRENT] = False
        if marks:
            added.append({**before, CURRENT: True, DELETED: True})
    ended = any(not version[CURRENT] for version in current.values())
    rows = Rows(columns, tuple(tuple(version[name] for name, _ in columns) for version in (*versions, *added)))
    return Grown(rows, history is not None and not added and not ended)
