"""What a model says about windows of time and about its delta: what belongs together, and what contradicts what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from flowforge.frozen import frozen
from flowforge.project.windows import SIZES, parse_moment

BATCH_KEYS = ("begin", "batch_size", "lookback")
DELTA_KEYS = ("delta_sql", "delta_python", "delta")


class Wrong(Protocol):
    """Notes what is wrong with a key."""

    def __call__(self, key: str, message: str, help: str, code: str = ...) -> None: ...


def moment_text(value: str | None) -> str | None:
    """A date or a timestamp as the manifest keeps it: in UTC and in ISO's form."""
    return None if value is None else parse_moment(value).isoformat()


def not_negative(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    """A number of windows."""
    if value is not None and value < 0:
        raise ValueError("has to be 0 or more")


@frozen(kw_only=True)
class DeltaBlock:
    """The block ``delta: {...}``."""

    sql: str | None = None
    python: str | None = None


def batch_settings(strategy: str, values: Mapping[str, Any], wrong: Wrong) -> dict[str, Any]:
    """What a model says of its windows; what does not go together is told to *wrong*.

    Parameters
    ----------
    values:
        By key, what stands in the block ``incremental`` or beside it.
    """
    if strategy != "microbatch":
        for key in BATCH_KEYS:
            if values[key] is not None:
                wrong(
                    key,
                    f"'{key}' means something only for microbatch",
                    "say incremental_strategy='microbatch'",
                    "FF1136",
                )
        return {"event_time": values["event_time"]}
    missing = [key for key in ("event_time", "begin", "batch_size") if values[key] is None]
    if missing:
        wrong(
            "incremental_strategy",
            f"the strategy microbatch needs {', '.join(repr(key) for key in missing)}",
            f"for example event_time='ordered_at', begin='2024-01-01', batch_size='day' (one of {', '.join(SIZES)})",
            "FF1136",
        )
    for key in ("unique_key", "updated_at", "partition_by"):
        if values[key]:
            wrong(
                key,
                f"'{key}' means nothing to microbatch, which replaces all rows of a window by its new ones",
                "leave it out, or use the strategy merge" if key == "unique_key" else "leave it out",
                "FF1136",
            )
    lookback = values["lookback"]
    return {
        "event_time": values["event_time"],
        "begin": values["begin"],
        "batch_size": values["batch_size"],
        "lookback": 1 if lookback is None else lookback,
    }


def delta_settings(values: Mapping[str, Any], wrong: Wrong) -> dict[str, Any]:
    """The delta of a model, as its text or as the name of its function; contradictions are told to *wrong*."""
    block = values["delta"] or DeltaBlock()
    given = {
        "delta_sql": [key for key, text in (("delta_sql", values["delta_sql"]), ("delta", block.sql)) if text],
        "delta_python": [
            key for key, text in (("delta_python", values["delta_python"]), ("delta", block.python)) if text
        ],
    }
    keys = [key for found in given.values() for key in found]
    if len(keys) > 1:
        wrong(
            keys[0], f"a model has one delta, and here are {len(keys)}: {', '.join(keys)}", "keep one of them", "FF1137"
        )
    if keys and values["updated_at"]:
        wrong(
            keys[0],
            "'updated_at' means nothing beside a delta, which says itself which rows are new",
            "leave one of them out",
            "FF1137",
        )
    if values["delta"] is not None and not keys:
        wrong("delta", "'delta' is empty", "write delta: {sql: ...} or delta: {python: 'module:function'}", "FF1137")
    return {
        "delta_sql": values["delta_sql"] or block.sql,
        "delta_python": values["delta_python"] or block.python,
    }
