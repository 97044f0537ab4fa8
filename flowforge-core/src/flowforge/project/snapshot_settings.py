"""What a snapshot says of its history: the block ``snapshot: {...}`` and the keys beside it, brought together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from flowforge.errors import ModelConfigError, Problems
from flowforge.frozen import frozen
from flowforge.project.manifest import Snapshot
from flowforge.project.setting_fields import columns
from flowforge.values import Location

SnapshotStrategy = Literal["timestamp", "check"]
HardDeletes = Literal["ignore", "invalidate", "new_record"]
ALL = ("all",)


@frozen(kw_only=True)
class SnapshotBlock:
    """The block ``snapshot: {...}``."""

    strategy: SnapshotStrategy | None = None
    unique_key: tuple[str, ...] = columns("primary_key")
    updated_at: tuple[str, ...] = columns("updated_at_column")
    check_cols: tuple[str, ...] = columns("check_columns")
    hard_deletes: HardDeletes | None = None


class Written(Protocol):
    """The settings of a model, as far as they matter here."""

    @property
    def materialized(self) -> str | None: ...
    @property
    def incremental(self) -> Any: ...
    @property
    def snapshot(self) -> SnapshotBlock | None: ...
    @property
    def strategy(self) -> SnapshotStrategy | None: ...
    @property
    def check_cols(self) -> tuple[str, ...]: ...
    @property
    def hard_deletes(self) -> HardDeletes | None: ...
    @property
    def unique_key(self) -> tuple[str, ...]: ...
    @property
    def updated_at(self) -> tuple[str, ...]: ...


_OWN = ("strategy", "check_cols", "hard_deletes")
SHARED = ("unique_key", "updated_at")
"""Keys that mean something to incremental models too."""


def is_snapshot(written: Written) -> bool:
    """Whether a model's settings ask for a history."""
    return written.materialized == "snapshot" or (written.materialized is None and written.snapshot is not None)


def snapshot_of(written: Written, place: Callable[[str], Location], problems: Problems) -> Snapshot | None:
    """How the history is kept, when one is; what does not go together goes to *problems*."""

    def wrong(key: str, message: str, help: str) -> None:
        problems.add(ModelConfigError(message, code="FF1132", location=place(key), help=help))

    if not is_snapshot(written):
        if written.snapshot is not None:
            wrong("materialized", f"'snapshot', and materialized='{written.materialized}'", "keep one of them")
        for key in _OWN:
            if getattr(written, key):
                wrong(key, f"'{key}' means something only for snapshots", "say materialized='snapshot'")
        return None
    if written.incremental:
        wrong("incremental", "a snapshot keeps all versions of its rows, and cannot be incremental", "keep one of them")
    block = written.snapshot or SnapshotBlock()
    values: dict[str, Any] = {}
    for name in (*_OWN, *SHARED):
        inner, outer = getattr(block, name), getattr(written, name)
        if inner and outer and inner != outer:
            wrong("snapshot", f"'{name}' is said twice, inside of 'snapshot' and beside it", "keep one of them")
        values[name] = inner or outer
    strategy, check, updated_at = values["strategy"], values["check_cols"], values["updated_at"]

    def at(key: str) -> str:
        return "snapshot" if getattr(block, key) else key

    if not values["unique_key"]:
        wrong("materialized", "a snapshot needs 'unique_key'", "name the columns that tell rows apart: unique_key='id'")
    if strategy is None:
        wrong("materialized", "a snapshot needs a 'strategy'", _how(bool(check), bool(updated_at)))
    elif strategy == "timestamp":
        if check:
            wrong(at("check_cols"), "'check_cols' means something only for strategy='check'", "keep one of them")
        if not updated_at:
            wrong("materialized", "the strategy timestamp needs 'updated_at'", "name the column: updated_at='changed'")
        if len(updated_at) > 1:
            wrong(at("updated_at"), "the strategy timestamp looks at one column", "name one in 'updated_at'")
    else:
        if updated_at:
            wrong(at("updated_at"), "'updated_at' means something only for strategy='timestamp'", "keep one of them")
        if not check:
            wrong("materialized", "the strategy check needs 'check_cols'", "name the columns, or say check_cols='all'")
    keys = {name.casefold() for name in values["unique_key"]}
    for name in check:
        if name.casefold() in keys:
            wrong(at("check_cols"), f"'{name}' is part of the key, so it never changes", "take it out of 'check_cols'")
    everything = tuple(check) == ALL
    return Snapshot(
        strategy or "check",
        values["unique_key"],
        updated_at[0] if updated_at else None,
        () if everything else check,
        values["hard_deletes"] or "ignore",
    )


def _how(check: bool, updated_at: bool) -> str:
    if check and not updated_at:
        return "say strategy='check'"
    if updated_at and not check:
        return "say strategy='timestamp'"
    return "say strategy='timestamp' with updated_at='column', or strategy='check' with check_cols"
