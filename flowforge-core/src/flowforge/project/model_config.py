"""A model's own settings, as they stand in ``config(...)`` or in the decorator."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Literal

import attrs

from flowforge.config.layers import Layer
from flowforge.config.names import is_name
from flowforge.config.sql_dialects import is_dialect
from flowforge.config.structure import structure_plain
from flowforge.errors import ModelConfigError, Problems
from flowforge.frozen import frozen
from flowforge.project.batching import (
    BATCH_KEYS,
    DELTA_KEYS,
    DeltaBlock,
    batch_settings,
    delta_settings,
    moment_text,
    not_negative,
)
from flowforge.project.fitting import refuse_misfits
from flowforge.project.hooks import HOOKS, Said, WrittenHooks, read_hooks, read_written
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import Incremental, ModelConfig, NodeKind
from flowforge.project.setting_fields import columns, words
from flowforge.project.snapshot_settings import (
    SHARED,
    HardDeletes,
    SnapshotBlock,
    SnapshotStrategy,
    is_snapshot,
    snapshot_of,
)
from flowforge.project.table_settings import (
    Storage,
    WrittenGrants,
    WrittenIndexes,
    not_blank,
    read_grants,
    read_indexes,
)
from flowforge.values import Location

_FETCH = (
    "fetch the data in a Python model; `inputs=` names files that it reads, and `cache=False` builds it in every run"
)
_LATER: Mapping[str, str] = {
    "http": _FETCH,
    "api": _FETCH,
    "contract": "write it beside the model, in a file such as orders.contracts.yml: `table: orders`, "
    "`columns: {id: {type: bigint, nullable: false}}`, `enforce_schema: {mode: verify}`",
    "checks": "declare them in a YAML file below the models: `checks:` of the model or of its columns",
}


_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: float | str | None) -> float | None:
    """``90``, ``"90s"``, ``"5m"`` or ``"1.5h"`` in seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip().lower())
        if match is None:
            raise ValueError(
                f"'{value}' is no duration; write seconds as a number, or a text such as '90s', '5m', '1.5h'"
            )
        value = float(match[1]) * _SECONDS[match[2]]
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise ValueError("a duration has to be more than nothing")
    return value


def _inside(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Patterns of files stay inside of the project."""
    for pattern in value:
        if not pattern.strip():
            raise ValueError("a pattern is empty")
        if "\x00" in pattern:
            raise ValueError("a path cannot contain a NUL character")
        path = PurePosixPath(pattern.replace("\\", "/"))
        if path.is_absolute() or pattern.startswith("~") or PureWindowsPath(pattern).drive:
            raise ValueError(f"'{pattern}' has to be relative to the project folder")
        if ".." in path.parts:
            raise ValueError(f"'{pattern}' is outside the project")


Strategy = Literal["append", "insert", "merge", "delete+insert", "insert_overwrite", "microbatch"]
BatchSize = Literal["hour", "day", "month", "year"]
OnSchemaChange = Literal["ignore", "none", "fail", "append_new_columns", "sync_all_columns"]
_WATERMARKS = ("updated_at_column", "updated_at_columns", "timestamp_columns", "delta_columns")


@frozen(kw_only=True)
class _Growing:
    """The block ``incremental: {...}``."""

    enabled: bool = True
    strategy: Strategy | None = None
    unique_key: tuple[str, ...] = columns("primary_key")
    updated_at: tuple[str, ...] = columns(*_WATERMARKS)
    partition_by: tuple[str, ...] = columns()
    on_schema_change: OnSchemaChange | None = attrs.field(default=None, metadata={"aliases": ("schema_sync",)})
    event_time: str | None = attrs.field(default=None, validator=is_name)
    begin: str | None = attrs.field(default=None, converter=moment_text, metadata={"accepts": str | None})
    batch_size: BatchSize | None = None
    lookback: int | None = attrs.field(default=None, validator=not_negative)
    delta_sql: str | None = attrs.field(default=None, validator=not_blank)
    delta_python: str | None = attrs.field(default=None, validator=not_blank)
    delta: DeltaBlock | None = attrs.field(default=None, metadata={"aliases": ("delta_config",)})


@frozen(kw_only=True)
class _Written:
    """What a model may say of itself in this version."""

    later_keys: ClassVar[Mapping[str, str]] = _LATER

    materialized: Literal["table", "view", "materialized_view", "ephemeral", "incremental", "snapshot"] | None = None
    kind: Literal["sql", "python"] | None = None
    tags: tuple[str, ...] = attrs.field(default=(), converter=words, metadata={"accepts": str | tuple[str, ...]})
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    description: str | None = None
    owner: str | None = None
    alias: str | None = attrs.field(default=None, validator=not_blank)
    schema: str | None = attrs.field(default=None, validator=not_blank)
    database: str | None = attrs.field(default=None, validator=not_blank)
    group: str | None = attrs.field(default=None, validator=not_blank)
    enabled: bool = True
    engines: tuple[str, ...] = columns()
    env_match: Mapping[str, str] = attrs.field(factory=dict)
    deps: tuple[str, ...] = attrs.field(default=(), converter=words, metadata={"accepts": str | tuple[str, ...]})
    frame: str = attrs.field(default="pandas", validator=not_blank)
    dialect: str | None = attrs.field(default=None, validator=is_dialect)
    timeout: float | None = attrs.field(default=None, converter=_seconds, metadata={"accepts": float | str | None})
    cache: bool | None = None
    inputs: tuple[str, ...] = attrs.field(
        default=(), converter=words, validator=_inside, metadata={"accepts": str | tuple[str, ...]}
    )
    incremental: bool | _Growing | None = None
    incremental_strategy: Strategy | None = None
    unique_key: tuple[str, ...] = columns("primary_key")
    updated_at: tuple[str, ...] = columns(*_WATERMARKS)
    partition_by: tuple[str, ...] = columns()
    on_schema_change: OnSchemaChange | None = attrs.field(default=None, metadata={"aliases": ("schema_sync",)})
    snapshot: SnapshotBlock | None = None
    strategy: SnapshotStrategy | None = None
    check_cols: tuple[str, ...] = columns("check_columns")
    hard_deletes: HardDeletes | None = None
    event_time: str | None = attrs.field(default=None, validator=is_name)
    begin: str | None = attrs.field(default=None, converter=moment_text, metadata={"accepts": str | None})
    batch_size: BatchSize | None = None
    lookback: int | None = attrs.field(default=None, validator=not_negative)
    delta_sql: str | None = attrs.field(default=None, validator=not_blank)
    delta_python: str | None = attrs.field(default=None, validator=not_blank)
    delta: DeltaBlock | None = attrs.field(default=None, metadata={"aliases": ("delta_config",)})
    on_fail: Literal["stop", "warn", "quarantine"] | None = None
    storage: Storage | None = None
    cluster_by: tuple[str, ...] = columns()
    indexes: Any = attrs.field(default=(), converter=read_indexes, metadata={"accepts": WrittenIndexes})
    grants: Any = attrs.field(factory=dict, converter=read_grants, metadata={"accepts": WrittenGrants})
    pre_hook: Any = attrs.field(
        default=(), converter=read_written, metadata={"accepts": WrittenHooks, "aliases": ("pre-hook",)}
    )
    post_hook: Any = attrs.field(
        default=(), converter=read_written, metadata={"accepts": WrittenHooks, "aliases": ("post-hook",)}
    )


MODEL_KEYS = _Written
"""What the settings of a model are read into."""

SETTINGS = frozenset({*(field.name for field in attrs.fields(_Written)), *_LATER})
"""The names of all settings that a model can have."""


def check_settings(layer: Layer, problems: Problems) -> bool:
    """Whether settings that stand beside the models are right; what is wrong with them goes to *problems*."""
    return (
        structure_plain(
            dict(layer.values),
            _Written,
            problems=problems,
            locate=lambda path, on_key: layer.place(str(path[0]), path[1:], on_key) if path else layer.place(""),
        )
        is not None
    )


def structure_config(
    raw: Mapping[str, Any],
    place: Callable[[str], Location],
    problems: Problems,
    *,
    kind: NodeKind = NodeKind.SQL,
    hooks: Said | None = None,
    library: MacroLibrary | None = None,
    made: dict[str, ModelConfig] | None = None,
) -> ModelConfig | None:
    """Check a model's settings; ``None`` when something is wrong with them, which then is in *problems*.

    Parameters
    ----------
    raw:
        Keys and literal values.
    place:
        Where a key stands in the model's file.
    kind:
        What the model's file is.
    hooks:
        What all layers say of hooks.
    library:
        The macros that hooks may use.
    made:
        Settings that were right before; takes these too. Hooks have places, so that those of two models are never one.
    """
    alike = f"{kind.value} {raw!r}" if made is not None and not hooks else None
    if alike is not None and made is not None and alike in made:
        return made[alike]
    before = len(problems)
    written = structure_plain(
        dict(raw),
        _Written,
        problems=problems,
        locate=lambda path, on_key: place(str(path[0]) if path else ""),
        error=ModelConfigError,
    )
    if written is None:
        return None
    growing, kept = _incremental(written, place, problems), snapshot_of(written, place, problems)
    plain = {name: getattr(written, name) for name in _PLAIN}
    if growing is not None:
        plain.update(
            materialized="incremental",
            partition_by=growing.partition_by or written.partition_by,
            event_time=growing.event_time,
        )
    else:
        plain["materialized"] = written.materialized or ("snapshot" if kept is not None else "table")
    found = read_hooks(hooks or {}, problems, library, computed="deps" in raw)
    plain.update(found, incremental=growing, snapshot=kept)
    config = ModelConfig(**plain)
    refuse_misfits(config, kind, written.kind, place, problems)
    if len(problems) > before:
        return None
    if alike is not None and made is not None:
        made[alike] = config
    return config


_BESIDE = (
    *("unique_key", "updated_at", "partition_by", "on_schema_change", "event_time"),
    *BATCH_KEYS,
    *DELTA_KEYS,
)
"""What may stand inside of the block ``incremental`` or beside it."""
_MADE = frozenset({"incremental", "snapshot", *HOOKS})
_PLAIN = tuple(field.name for field in attrs.fields(ModelConfig) if field.name not in _MADE)


def _incremental(written: _Written, place: Callable[[str], Location], problems: Problems) -> Incremental | None:
    """How the table grows, when it does; what does not go together goes to *problems*."""
    block = written.incremental if isinstance(written.incremental, _Growing) else _Growing()
    said = written.incremental is True or (isinstance(written.incremental, _Growing) and block.enabled)
    refused = written.incremental is False or not block.enabled

    def wrong(key: str, message: str, help: str, code: str = "FF1130") -> None:
        problems.add(ModelConfigError(message, code=code, location=place(key), help=help))

    def wrong_key(key: str, message: str, help: str, code: str = "FF1130") -> None:
        stands_beside = getattr(written, key, None) not in (None, ())
        wrong(key if stands_beside or written.incremental is None else "incremental", message, help, code)

    beside = {
        "strategy": written.incremental_strategy,
        **{name: getattr(written, name) for name in _BESIDE},
    }
    values: dict[str, Any] = {}
    for name, outer in beside.items():
        inner = getattr(block, name)
        given = [one for one in (inner, outer) if one not in (None, ())]
        if len(given) > 1 and inner != outer:
            wrong("incremental", f"'{name}' is said twice, inside of 'incremental' and beside it", "keep one of them")
        values[name] = given[0] if given else outer
    if written.materialized == "incremental" and refused:
        wrong("incremental", "'incremental' is off, and materialized='incremental'", "keep one of them")
    if is_snapshot(written):
        beside = {name: value for name, value in beside.items() if name not in SHARED}
    if not said and written.materialized != "incremental":
        for name, value in beside.items():
            if value not in (None, ()) and name not in ("event_time", "partition_by") and not refused:
                key = "incremental_strategy" if name == "strategy" else name
                wrong(key, f"'{key}' means something only for incremental models", "say materialized='incremental'")
        return None
    if written.materialized not in (None, "incremental"):
        wrong("materialized", f"'incremental', and materialized='{written.materialized}'", "keep one of them")
    strategy = {"insert": "append", None: "merge" if values["unique_key"] else "append"}.get(
        values["strategy"], values["strategy"]
    )
    needed = {"merge": "unique_key", "delete+insert": "unique_key", "insert_overwrite": "partition_by"}.get(strategy)
    if needed is not None and not values[needed]:
        wrong("materialized", f"the strategy {strategy} needs '{needed}'", f"name the columns: {needed}='id'")
    whole = {name.casefold() for name in values["partition_by"]}
    if strategy == "insert_overwrite" and any(name.casefold() not in whole for name in values["updated_at"]):
        wrong(
            "updated_at",
            "insert_overwrite replaces whole partitions, and 'updated_at' would take only a part of their rows",
            "name columns of partition_by in updated_at, or take another strategy",
        )
    change = {"none": "ignore", None: "ignore"}.get(values["on_schema_change"], values["on_schema_change"])
    return Incremental(
        strategy,
        values["unique_key"],
        values["updated_at"],
        values["partition_by"],
        change,
        **batch_settings(strategy, values, wrong_key),
        **delta_settings(values, wrong_key),
    )
