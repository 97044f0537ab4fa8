"""What should become of rows, in plain Python: the judge of what the engine does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

Row = tuple[object, ...]
Judge = Callable[[Row, Sequence[Row]], bool | None]
"""Whether a row fails, given all rows that are judged with it; ``None`` counts as no."""


class BadKeysError(Exception):
    """The good rows cannot be told apart by their key."""


@attrs.define
class Reference:
    """A model's table and its quarantine.

    Parameters
    ----------
    rules:
        By name.
    key:
        Which value of a row is its key; ``None``: it has none.
    """

    rules: Mapping[str, Judge]
    key: int | None = None
    table: Counter[Row] = attrs.field(factory=Counter)
    held: Counter[tuple[Row, tuple[str, ...]]] = attrs.field(factory=Counter)
    released: set[tuple[str, Row]] = attrs.field(factory=set)
    dropped: set[Row] = attrs.field(factory=set)

    def _parted(self, rows: Sequence[Row]) -> tuple[list[Row], list[tuple[Row, tuple[str, ...]]], int]:
        good, aside, lost = list[Row](), list[tuple[Row, tuple[str, ...]]](), 0
        for row in rows:
            failing = [name for name, judge in self.rules.items() if judge(row, rows)]
            reasons = tuple(name for name in failing if (name, row) not in self.released)
            if failing and row in self.dropped:
                lost += 1
            elif reasons:
                aside.append((row, reasons))
            else:
                good.append(row)
        assert len(good) + len(aside) + lost == len(rows)
        return good, aside, lost

    def replace(self, rows: Sequence[Row]) -> None:
        """All rows are made anew."""
        good, aside, _ = self._parted(rows)
        if self.key is not None:
            self._refuse_bad_keys(good)
        self.table, self.held = Counter(good), Counter(aside)

    def grow(self, rows: Sequence[Row]) -> None:
        """Rows are added."""
        good, aside, _ = self._parted(rows)
        keys = {row[self.key] for row in rows} - {None} if self.key is not None else set()
        stays, freed = Counter[tuple[Row, tuple[str, ...]]](), list[Row]()
        for (row, reasons), count in self.held.items():
            if row in rows or (self.key is not None and row[self.key] in keys):
                continue
            if row not in self.dropped and all((name, row) in self.released for name in reasons):
                freed += [row] * count
            else:
                stays[row, reasons] += count
        good += freed
        if self.key is not None:
            self._refuse_bad_keys(good)
            new = {row[self.key] for row in good}
            self.table = Counter({row: count for row, count in self.table.items() if row[self.key] not in new})
        self.table.update(good)
        self.held = stays + Counter(aside)

    def hold(self, name: str, row: Row) -> None:
        """Take a release back."""
        self.released.discard((name, row))

    def drop(self, row: Row) -> None:
        """Forget a row."""
        self.dropped.add(row)
        self.held = Counter({held: count for held, count in self.held.items() if held[0] != row})

    def _refuse_bad_keys(self, rows: Iterable[Row]) -> None:
        keys = [row[self.key] for row in rows] if self.key is not None else []
        if None in keys or len(set(keys)) != len(keys):
            raise BadKeysError


def fails_alone(test: Callable[[Row], bool | None]) -> Judge:
    """A rule about nothing but the row itself."""
    return lambda row, rows: test(row)


def is_doubled(position: int) -> Judge:
    """All rows that share a value."""
    return lambda row, rows: sum(other[position] == row[position] for other in rows) > 1
