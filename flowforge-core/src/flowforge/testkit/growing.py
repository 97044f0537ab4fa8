"""What growing a table means, on lists of dicts: the judge of every engine."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

Row = Mapping[str, Any]


class RefusedError(Exception):
    """Nothing may be written."""


@attrs.frozen
class Rules:
    """The settings of an incremental model."""

    strategy: str
    on_change: str = "ignore"
    key: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    watermark: tuple[str, ...] = ()


@attrs.frozen
class Table:
    """Columns in order with their types, and rows in no order."""

    types: Mapping[str, str]
    rows: tuple[Row, ...]

    @property
    def content(self) -> tuple[tuple[str, ...], collections.Counter[tuple[Any, ...]]]:
        """To compare."""
        return tuple(self.types), collections.Counter(tuple(row[name] for name in self.types) for row in self.rows)


def begin(batch: Table, rules: Rules) -> Table:
    """The first build."""
    _check(batch.rows, rules)
    return batch


def grow(table: Table, batch: Table, rules: Rules) -> Table:
    """Add the new ones of *batch*.

    Raises
    ------
    RefusedError
        When keys or columns are not as they should be.
    """
    new = [row for row in batch.rows if _is_new(row, table.rows, rules)]
    _check(new, rules)
    types = _types(table, batch, rules.on_change)
    by_key = {tuple(row[name] for name in rules.key): row for row in table.rows} if rules.key else {}
    written = []
    for row in new:
        before = by_key.get(tuple(row[name] for name in rules.key), {}) if rules.strategy in _KEYED else {}
        keeps = rules.strategy == "merge" or rules.on_change == "append_new_columns"
        written.append({name: row.get(name, before.get(name) if keeps else None) for name in types})
    gone = _gone(new, rules)
    stays = [{name: row.get(name) for name in types} for row in table.rows if not gone(row)]
    return Table(types, (*stays, *written))


_KEYED = ("merge", "delete+insert")


def _is_new(row: Row, rows: Sequence[Row], rules: Rules) -> bool:
    if not rules.watermark:
        return True
    for name in rules.watermark:
        known = [one[name] for one in rows if one[name] is not None]
        if not known or row[name] is None or row[name] > max(known):
            return True
        if rules.strategy != "append" and row[name] == max(known):
            return True
    return False


def _check(rows: Sequence[Row], rules: Rules) -> None:
    if rules.strategy in _KEYED:
        keys = [tuple(row[name] for name in rules.key) for row in rows]
        if any(None in key for key in keys):
            raise RefusedError("NULL key")
        if len(set(keys)) < len(keys):
            raise RefusedError("doubled key")
    if rules.strategy == "append" and any(row[name] is None for row in rows for name in rules.watermark):
        raise RefusedError("NULL watermark")


def _types(table: Table, batch: Table, on_change: str) -> dict[str, str]:
    shared = [name for name in table.types if name in batch.types]
    extra = {name: type_ for name, type_ in batch.types.items() if name not in table.types}
    retyped = [name for name in shared if table.types[name] != batch.types[name]]
    missing = [name for name in table.types if name not in batch.types]
    if on_change == "sync_all_columns":
        return {**{name: batch.types[name] for name in shared}, **extra}
    if retyped or (missing and on_change != "append_new_columns") or (extra and on_change == "fail"):
        raise RefusedError("columns")
    return {**table.types, **(extra if on_change == "append_new_columns" else {})}


def _gone(new: Sequence[Row], rules: Rules) -> Any:
    if rules.strategy == "append":
        return lambda row: False
    if rules.strategy == "insert_overwrite" and not rules.partition:
        return lambda row: True
    names = rules.partition if rules.strategy == "insert_overwrite" else rules.key
    replaced = {tuple(row[name] for name in names) for row in new}
    return lambda row: tuple(row[name] for name in names) in replaced
