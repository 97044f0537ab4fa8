"""What an incremental model's table holds after a run, given what it held before: the oracle of growth."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import attrs
from worlds.meaning import CannotBuildError
from worlds.nodes import Model, Row, Rows

KEYED = ("merge", "delete+insert")
KEY, PARTITION = "k", "k"
NOTHING_YET = -1000
"""What a model that asks takes for the watermark of a table without one."""


@attrs.frozen
class Grown:
    """The table as it has to be. *quiet*: the new rows are those that it had, and nobody may replace them."""

    rows: Rows
    quiet: bool


def begun(model: Model, whole: Rows) -> Rows:
    """The first build, or one from nothing.

    Raises
    ------
    CannotBuildError
        When keys are not as they should be.
    """
    _check(model, whole)
    return whole


def grown(model: Model, table: Rows, whole: Rows) -> Grown:
    """Add the new ones of the rows *whole* to *table*.

    Raises
    ------
    CannotBuildError
        When keys or columns are not as they should be.
    """
    batch = Rows(whole.columns, tuple(filter(_newer(model, table, whole), whole.rows)))
    _check(model, batch)
    columns = _columns(model, table, batch)
    by_name = [dict(zip(batch.names, row, strict=True)) for row in batch.rows]
    old = [dict(zip(table.names, row, strict=True)) for row in table.rows]
    missing = [name for name in table.names if name in dict(columns) and name not in batch.names]
    in_place = columns == table.columns
    stays, written, replaced = _joined(model, old, by_name, missing, in_place)
    types, had = dict(columns), dict(table.columns)
    for row in stays:
        for name in types.keys() & had.keys():
            row[name] = _cast(row[name], had[name], types[name])
    rows = Rows(columns, tuple(tuple(row.get(name) for name in types) for row in (*stays, *written)))
    names = [name for name in table.names if name in batch.names]
    same = _bag(by_name, names) == _bag(replaced, names)
    return Grown(rows, in_place and not missing and (not by_name or (model.strategy != "append" and same)))


def _bag(rows: list[dict[str, Any]], names: list[str]) -> collections.Counter[Row]:
    return collections.Counter(tuple(row[name] for name in names) for row in rows)


def _newer(model: Model, table: Rows, whole: Rows) -> Callable[[Row], bool]:
    """Whether a row counts as new."""
    if not model.watermark:
        return lambda row: True
    if model.watermark not in table.names or model.watermark not in whole.names:
        raise CannotBuildError(f"no column {model.watermark} for the watermark")
    place = whole.names.index(model.watermark)
    known: list[Any] = [value for (value,) in table.picked(model.watermark) if value is not None]
    newest: Any = max(known, default=NOTHING_YET if model.asks else None)

    def is_new(row: Row) -> bool:
        value: Any = row[place]
        if value is None and model.asks:
            return False
        if value is None or newest is None:
            return True
        return bool(value > newest or (value == newest and model.strategy != "append"))

    return is_new


def _check(model: Model, rows: Rows) -> None:
    if model.asks and model.strategy == "append":
        return  # what its own filter reads is its own matter
    needed = KEY if model.strategy in KEYED else model.watermark if model.strategy == "append" else PARTITION
    if needed not in rows.names:
        raise CannotBuildError(f"no column {needed}")
    found = [value for (value,) in rows.picked(needed)]
    if model.strategy != "insert_overwrite" and None in found:
        raise CannotBuildError(f"{needed} is NULL")
    if model.strategy in KEYED and len(set(found)) < len(found):
        raise CannotBuildError(f"{needed} is doubled")


def _columns(model: Model, table: Rows, batch: Rows) -> tuple[tuple[str, str], ...]:
    """The columns that the table is to have."""
    had, new = dict(table.columns), dict(batch.columns)
    extra = tuple((name, type_) for name, type_ in batch.columns if name not in had)
    if model.on_change == "sync_all_columns":
        return (*((name, new[name]) for name in had if name in new), *extra)
    missing = [name for name in had if name not in new]
    retyped = [name for name in had if name in new and had[name] != new[name]]
    if retyped or (missing and model.on_change != "append_new_columns") or (extra and model.on_change == "fail"):
        raise CannotBuildError(f"other columns: {table.columns}, and now {batch.columns}")
    return (*table.columns, *(extra if model.on_change == "append_new_columns" else ()))


def _joined(
    model: Model, old: list[dict[str, Any]], new: list[dict[str, Any]], missing: list[str], in_place: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows that stay, those that are written, and those that they replace."""
    if model.strategy == "append":
        return old, new, []
    name = KEY if model.strategy in KEYED else PARTITION
    replaced = {row[name] for row in new}
    gone = [row for row in old if name in row and row[name] in replaced]
    stays = [row for row in old if not (name in row and row[name] in replaced)]
    if model.strategy not in KEYED or not (missing or (model.strategy == "merge" and in_place)):
        return stays, new, gone
    # A row that is updated keeps what the new one lacks. A table that had a key twice before its model promised that it
    # does not has both rows updated; nobody promises anything about that.
    written = []
    for row in new:
        before = [one for one in gone if one[name] == row[name]] or [{}]
        if model.strategy == "delete+insert" and not missing:
            before = before[:1]
        written += [{**{each: one.get(each) for each in missing}, **row} for one in before]
    return stays, written, gone


def _cast(value: Any, before: str, after: str) -> Any:
    """The value of a column that gets another type; the world has only such as fit."""
    if value is None or before == after:
        return value
    if after == "VARCHAR":
        return str(value)
    return float(value) if after == "DOUBLE" else int(float(value))
