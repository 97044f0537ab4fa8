"""What ``run_query()`` gives to a template: a small table that nothing can change. Plain Python values, no Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from flowforge.errors import RenderError
from flowforge.frozen import frozen


@frozen
class Column:
    """One column; written out, it is its name."""

    name: str
    _values: tuple[Any, ...] = attrs.field(repr=False)

    def values(self) -> tuple[Any, ...]:
        """Its values, row by row."""
        return self._values

    def __str__(self) -> str:
        return self.name


class Row:
    """One row: ``row[0]``, ``row['id']`` or ``row.id``, and its values in a loop."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            if key not in self._names:
                raise KeyError(key)
            return self._values[self._names.index(key)]
        return self._values[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and (self._names, self._values) == (other._names, other._values)

    def __hash__(self) -> int:
        return hash((self._names, self._values))

    def __repr__(self) -> str:
        return repr(dict(zip(self._names, self._values, strict=True)))


class QueryTable:
    """The rows of a query: in a loop its rows, false when there are none.

    Parameters
    ----------
    names:
        Of the columns, as the engine gives them.
    rows:
        Values of each row.
    """

    __slots__ = ("_columns", "_rows")

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        names = tuple(names)
        by_column = zip(*rows, strict=True) if rows else ((),) * len(names)
        self._columns = tuple(Column(name, tuple(values)) for name, values in zip(names, by_column, strict=True))
        self._rows = tuple(Row(names, tuple(values)) for values in rows)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, in order."""
        return self._columns

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its rows, in order."""
        return self._rows

    def column(self, name: str | int) -> tuple[Any, ...]:
        """The values of one column, by name or number.

        Raises
        ------
        RenderError
            ``FF1417`` when there is none.
        """
        for number, one in enumerate(self._columns):
            if name in (one.name, number) and not isinstance(name, bool):
                return one.values()
        listed = ", ".join(one.name for one in self._columns)
        raise RenderError(f"the query has no column {name!r}", code="FF1417", help=f"it has {listed}")

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Row:
        return self._rows[number]
