"""What keeping a history means, on lists of dicts: the judge of every engine."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

Row = Mapping[str, Any]
OWN = ("_ff_updated_at", "_ff_valid_from", "_ff_valid_to", "_ff_is_current")
DELETED = "_ff_is_deleted"
TIMES = ("timestamp", "date")
WIDER = {("int32", "int64")}


class RefusedError(Exception):
    """Nothing may be written."""


@attrs.frozen
class Rules:
    """The settings of a snapshot; without *updated_at*, columns are compared."""

    key: tuple[str, ...]
    updated_at: str | None = None
    checked: tuple[str, ...] = ()
    deletes: str = "ignore"


@attrs.frozen
class Batch:
    """What the query returns."""

    types: Mapping[str, str]
    rows: tuple[Row, ...]


@attrs.frozen
class Kept:
    """A history: the columns of the queries so far with their types, and the versions in no order.

    *time* is the type of its times.
    """

    types: Mapping[str, str]
    versions: tuple[Row, ...]
    marks: bool = False
    time: str = "timestamp"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.types, *OWN, *((DELETED,) if self.marks else ()))

    @property
    def content(self) -> tuple[tuple[str, ...], collections.Counter[tuple[Any, ...]]]:
        """To compare."""
        return self.columns, collections.Counter(
            tuple(shown(version[name]) for name in self.columns) for version in self.versions
        )


def shown(value: Any) -> Any:
    """A value as all engines show it: not all of them know times and truth."""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return int(value) if isinstance(value, bool) else value


def begin(batch: Batch, rules: Rules, now: dt.datetime) -> Kept:
    """The first run."""
    _check(batch, rules)
    time = "timestamp" if rules.updated_at is None else batch.types[rules.updated_at]
    if rules.deletes != "ignore" and time not in TIMES:
        raise RefusedError("no time")
    marks = rules.deletes == "new_record"
    versions = []
    for row in batch.rows:
        moment = now if rules.updated_at is None else row[rules.updated_at]
        versions.append({**row, **_own(moment, moment), **({DELETED: False} if marks else {})})
    return Kept(dict(batch.types), tuple(versions), marks, time)


def go_on(kept: Kept, batch: Batch, rules: Rules, moment_of_run: dt.datetime) -> Kept:
    """A later run.

    Raises
    ------
    RefusedError
        When keys, columns or times are not as they should be.
    """
    _check(batch, rules)
    types = _types(kept, batch)
    _check_times(kept, batch, rules)
    now = moment_of_run.date() if kept.time == "date" else moment_of_run
    marks = kept.marks or rules.deletes == "new_record"
    old = [
        {**dict.fromkeys(types), **version, **({DELETED: version.get(DELETED, False)} if marks else {})}
        for version in kept.versions
    ]
    ended: dict[tuple[Any, ...], Any] = {}
    added: list[Row] = []
    by_key: dict[tuple[Any, ...], list[dict[str, Any]]] = collections.defaultdict(list)
    for version in old:
        by_key[_key(version, rules)].append(version)
    seen = set()
    for row in batch.rows:
        key = _key(row, rules)
        seen.add(key)
        here = [version for version in by_key[key] if _holds(version)]
        if any(_is_same(version, row, kept, rules) for version in here):
            continue
        last = max((_end(version) for version in by_key[key]), default=None)
        moment = _moment(row, bool(here), last, rules, now)
        ended[key] = moment
        known = moment if rules.updated_at is None else row[rules.updated_at]
        new = {**dict.fromkeys(types), **row, **_own(known, moment)}
        added.append({**new, DELETED: False} if marks else new)
    if rules.deletes != "ignore":
        for key, versions in by_key.items():
            for version in versions:
                if key not in seen and _holds(version):
                    moment = ended[key] = max(version["_ff_valid_from"], now)
                    if rules.deletes == "new_record":
                        added.append({**version, **_own(moment, moment), DELETED: True})
    for version in old:
        if version["_ff_is_current"] and _key(version, rules) in ended:
            version.update(_ff_valid_to=ended[_key(version, rules)], _ff_is_current=False)
    return Kept(types, (*old, *added), marks, kept.time)


def prune(kept: Kept, keep: int, rules: Rules) -> Kept | None:
    """Only the newest versions of each key; ``None`` when it is a matter of luck which these are."""
    by_key: dict[tuple[Any, ...], list[Row]] = collections.defaultdict(list)
    for version in kept.versions:
        by_key[_key(version, rules)].append(version)
    stay: list[Row] = []
    for versions in by_key.values():
        ordered = sorted(versions, key=_age, reverse=True)
        for one, other in zip(ordered[keep - 1 : keep], ordered[keep : keep + 1], strict=False):
            if _age(one) == _age(other):
                return None
        stay += ordered[:keep]
    return attrs.evolve(kept, versions=tuple(stay))


def _age(version: Row) -> Any:
    return version["_ff_is_current"], version["_ff_valid_from"], _end(version)


def _own(updated: Any, began: Any) -> dict[str, Any]:
    return {"_ff_updated_at": updated, "_ff_valid_from": began, "_ff_valid_to": None, "_ff_is_current": True}


def _key(row: Row, rules: Rules) -> tuple[Any, ...]:
    return tuple(row[name] for name in rules.key)


def _holds(version: Row) -> bool:
    return bool(version["_ff_is_current"] and not version.get(DELETED))


def _end(version: Row) -> Any:
    ended = version["_ff_valid_to"]
    return version["_ff_valid_from"] if ended is None else max(ended, version["_ff_valid_from"])


def _is_same(version: Row, row: Row, kept: Kept, rules: Rules) -> bool:
    if rules.updated_at is not None:
        known = version.get(rules.updated_at)
        return bool(row[rules.updated_at] <= (version["_ff_updated_at"] if known is None else known))
    checked = rules.checked or [name for name in row if name not in rules.key]
    return all(row[name] == version.get(name) for name in checked)


def _moment(row: Row, here: bool, last: Any, rules: Rules, now: dt.date) -> Any:
    if rules.updated_at is None:
        return now if last is None or last < now else last
    updated = row[rules.updated_at]
    if last is None or updated >= last:
        return updated
    if not here and isinstance(last, dt.date) and now > last:
        return now
    return last


def _check(batch: Batch, rules: Rules) -> None:
    if any(name not in batch.types for name in (*rules.key, *rules.checked)):
        raise RefusedError("columns")
    keys = [_key(row, rules) for row in batch.rows]
    if any(None in key for key in keys):
        raise RefusedError("NULL key")
    if len(set(keys)) < len(keys):
        raise RefusedError("doubled key")
    if rules.updated_at is not None and any(row[rules.updated_at] is None for row in batch.rows):
        raise RefusedError("NULL updated_at")


def _check_times(kept: Kept, batch: Batch, rules: Rules) -> None:
    if kept.time not in TIMES and (rules.updated_at is None or rules.deletes != "ignore"):
        raise RefusedError("no time")
    if rules.updated_at is not None and kept.time != batch.types[rules.updated_at]:
        raise RefusedError("other times")


def _types(kept: Kept, batch: Batch) -> dict[str, str]:
    types = dict(kept.types)
    for name, type_ in batch.types.items():
        before = types.get(name)
        if before is None or (before, type_) in WIDER:
            types[name] = type_
        elif before != type_ and (type_, before) not in WIDER:
            raise RefusedError("type")
    return types


def overlaps(versions: Sequence[Row], key: tuple[str, ...]) -> list[Row]:
    """Versions that hold although another one of their key does; and current ones that end, or others that do not."""
    found = []
    by_key: dict[tuple[Any, ...], list[Row]] = collections.defaultdict(list)
    for version in versions:
        by_key[tuple(version[name] for name in key)].append(version)
        if bool(version["_ff_is_current"]) is not (version["_ff_valid_to"] is None):
            found.append(version)
    for same in by_key.values():
        ordered = sorted(same, key=lambda one: (shown(one["_ff_valid_from"]), one["_ff_valid_to"] is None, _last(one)))
        for one, other in itertools.pairwise(ordered):
            if one["_ff_valid_to"] is None or shown(one["_ff_valid_to"]) > shown(other["_ff_valid_from"]):
                found.append(other)
    return found


def _last(version: Row) -> Any:
    return shown(version["_ff_valid_to"]) if version["_ff_valid_to"] is not None else ""
