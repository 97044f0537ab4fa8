"""What becomes of the promises of contracts between two states of a project, for those who rely on them.

A contract is a promise about rows. Where the new one allows rows that the old one did not, readers may meet what they
were promised never to see: that is *breaking*. Where it allows fewer, readers are served and rows that were good may be
refused: it is *stricter*. How each key is compared stands in one table, :data:`RULES`. Plain values; reads no file.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flowforge.config.type_words import normal_word, same_word
from flowforge.frozen import frozen
from flowforge.project.contracts import Contract

State = Mapping[str, Any]
"""A contract as JSON can hold it, see :func:`state_of`."""


class Level(enum.Enum):
    """What a change means to others."""

    BREAKING = "breaking"
    STRICTER = "stricter"
    COMPATIBLE = "compatible"


class Direction(enum.Enum):
    """How the rows that a new promise allows lie to those of the old one."""

    MORE = "more"
    FEWER = "fewer"
    OTHER = "other"


LEVELS: Mapping[Direction, Level] = {
    Direction.MORE: Level.BREAKING,
    Direction.FEWER: Level.STRICTER,
    Direction.OTHER: Level.BREAKING,
}
Compare = Callable[[Any, Any], Direction]
"""Called with two values that differ; ``None`` is no promise."""


@frozen
class Rule:
    """How one key of a column is compared.

    Parameters
    ----------
    same:
        Whether two values mean the same though they are written differently.
    """

    compare: Compare
    same: Callable[[Any, Any], bool] = lambda old, new: bool(old == new)


def _promise(old: Any, new: Any) -> Direction:
    """Something is promised, or nothing, or something else."""
    if old is None:
        return Direction.FEWER
    return Direction.MORE if new is None else Direction.OTHER


def _allowed(old: bool, new: bool) -> Direction:
    return Direction.MORE if new else Direction.FEWER


def _demanded(old: bool, new: bool) -> Direction:
    return Direction.FEWER if new else Direction.MORE


def _values(old: list[Any], new: list[Any]) -> Direction:
    """Values that are good; none are listed where all are."""
    if not old or not new:
        return Direction.FEWER if new else Direction.MORE
    before, after = ({(type(one).__name__, one) for one in values} for values in (old, new))
    if before <= after:
        return Direction.MORE
    return Direction.FEWER if after <= before else Direction.OTHER


def _bound(up: Direction, down: Direction) -> Compare:
    def compare(old: Any, new: Any) -> Direction:
        if old is None or new is None:
            return _promise(old, new)
        try:
            return up if new > old else down
        except TypeError:
            return Direction.OTHER

    return compare


def _same_type(old: str | None, new: str | None) -> bool:
    return old == new or (old is not None and new is not None and same_word(_plain(old), _plain(new)))


def _plain(word: str) -> str:
    try:
        return normal_word(word)
    except ValueError:
        return word


def _same_values(old: list[Any], new: list[Any]) -> bool:
    return {(type(one).__name__, one) for one in old} == {(type(one).__name__, one) for one in new}


RULES: Mapping[str, Rule] = {
    "type": Rule(_promise, _same_type),
    "physical": Rule(_promise, _same_type),
    "nullable": Rule(_allowed),
    "unique": Rule(_demanded),
    "enum": Rule(_values, _same_values),
    "regex": Rule(_promise),
    "min": Rule(_bound(up=Direction.FEWER, down=Direction.MORE)),
    "max": Rule(_bound(up=Direction.MORE, down=Direction.FEWER)),
}
"""By the key of a column."""
OF_TABLES: Mapping[str, Rule] = {"allow_extra_columns": Rule(_allowed)}
"""By the key of a whole contract."""


@frozen
class ContractChange:
    """One promise that changed.

    Parameters
    ----------
    table:
        The node's name, or the id of the source.
    key:
        A key of :data:`RULES` or :data:`OF_TABLES`, or ``column`` or ``contract`` for one that came or went, or ``mode``.
    before, after:
        What it was and is, as JSON can hold it; ``None``: nothing.
    """

    table: str
    column: str | None
    key: str
    level: Level
    before: Any
    after: Any

    @property
    def words(self) -> str:
        """What changed, for people."""
        if self.key in ("column", "contract"):
            return f"{self.key} {'removed' if self.after is None else 'added'}"
        if self.before in (None, []):
            return f"{self.key} is {_shown(self.after)}, and was not said"
        if self.after in (None, []):
            return f"{self.key} is not said any more, and was {_shown(self.before)}"
        return f"{self.key} is {_shown(self.after)}, and was {_shown(self.before)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(str(one) for one in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def state_of(contract: Contract) -> dict[str, Any]:
    """A contract as a manifest file keeps it."""
    return {
        "table": contract.table,
        "mode": contract.mode,
        "allow_extra_columns": contract.allow_extra_columns,
        "columns": {
            name: {key: _kept(getattr(column, key)) for key in RULES} for name, column in contract.columns.items()
        },
    }


def _kept(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_kept(one) for one in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def compare_contracts(before: Mapping[str, State], after: Mapping[str, State]) -> tuple[ContractChange, ...]:
    """All changes that lead from *before* to *after*, both by table; the breaking ones first."""
    found: list[ContractChange] = []
    for table in sorted({*before, *after}):
        old, new = before.get(table), after.get(table)
        if old is None or new is None:
            level = Level.BREAKING if new is None else Level.STRICTER
            kept = old or new or {}
            said = kept.get("table", table)
            found.append(
                ContractChange(
                    table, None, "contract", level, said if new is None else None, None if new is None else said
                )
            )
        else:
            found += _of_table(table, old, new)
    order = list(Level)
    return tuple(sorted(found, key=lambda one: order.index(one.level)))


def _of_table(table: str, old: State, new: State) -> Iterator[ContractChange]:
    yield from _of_keys(table, None, OF_TABLES, old, new)
    if old["mode"] != new["mode"]:
        yield ContractChange(table, None, "mode", Level.COMPATIBLE, old["mode"], new["mode"])
    before, after = ({name.casefold(): (name, said) for name, said in one["columns"].items()} for one in (old, new))
    for folded in dict.fromkeys((*after, *before)):
        if folded not in after:
            yield ContractChange(table, before[folded][0], "column", Level.BREAKING, before[folded][0], None)
        elif folded not in before:
            yield ContractChange(table, after[folded][0], "column", Level.STRICTER, None, after[folded][0])
        else:
            name, said = after[folded]
            yield from _of_keys(table, name, RULES, before[folded][1], said)


def _of_keys(
    table: str, column: str | None, rules: Mapping[str, Rule], old: State, new: State
) -> Iterator[ContractChange]:
    for key, rule in rules.items():
        was, is_ = old.get(key), new.get(key)
        if not rule.same(was, is_):
            yield ContractChange(table, column, key, LEVELS[rule.compare(was, is_)], was, is_)
