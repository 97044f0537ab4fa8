"""What a table's columns and those of new rows have to do with each other, and what is to be done when they differ."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowforge.contract import Dialect, Session
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.values import Relation

if TYPE_CHECKING:
    import pyarrow as pa


class OnChange(enum.Enum):
    """What to do when the new rows have other columns than the table."""

    IGNORE = "ignore"
    FAIL = "fail"
    APPEND = "append_new_columns"
    SYNC = "sync_all_columns"


@frozen
class Shape:
    """The columns of a table, in order, as the engine calls them."""

    types: dict[str, pa.DataType]

    def find(self, name: str) -> str | None:
        """The column that *name* means: the one of exactly this name, else the only one but for case."""
        if name in self.types:
            return name
        found = [one for one in self.types if one.casefold() == name.casefold()]
        return found[0] if len(found) == 1 else None


@frozen
class Fit:
    """How new rows fit a table.

    Parameters
    ----------
    shared:
        Columns that both have, as the table calls them, with the names in the new rows.
    order:
        The columns that the table will have.
    added:
        Columns that only the new rows have, and that the table is to get.
    left_out:
        Columns that only the new rows have, and that are not written.
    missing:
        Columns that only the table has; they stay as they are.
    removed:
        Columns that only the table has, and that it is to lose.
    retyped:
        Shared columns that are to get the type that they have in the new rows.
    """

    shared: dict[str, str]
    order: tuple[str, ...]
    added: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    @property
    def changes_the_table(self) -> bool:
        """Whether the table gets other columns."""
        return bool(self.added or self.removed or self.retyped)


def shape_of(session: Session, dialect: Dialect, relation: Relation, node: str) -> Shape:
    """The columns of a relation.

    Raises
    ------
    ModelExecutionError
        When one of them has a name that cannot be written without its exact case.
    """
    schema = session.schema_of(relation)
    if schema is None:
        raise ModelExecutionError(f"{relation} is gone", node=node, code="FF2030")
    for name in schema.names:
        if dialect.fold(name) != name:
            raise ModelExecutionError(
                f"the column {name!r} has a name that this engine only keeps in quotes",
                node=node,
                code="FF2030",
                help=f"call it {dialect.fold(name)!r}",
            )
    return Shape({field.name: field.type for field in schema})


def fit(table: Shape, new: Shape, on_change: OnChange, node: str) -> Fit:
    """What to do with the columns of new rows.

    Raises
    ------
    ModelExecutionError
        When they differ in a way that *on_change* does not allow.
    """
    shared = {name: other for name in table.types if (other := new.find(name)) is not None}
    extra = tuple(name for name in new.types if name not in shared.values())
    gone = tuple(name for name in table.types if name not in shared)
    retyped = tuple(name for name, other in shared.items() if table.types[name] != new.types[other])
    if on_change is OnChange.SYNC:
        return Fit(shared, (*shared, *extra), added=extra, removed=gone, retyped=retyped)
    differences = [f"{name!r} is {new.types[shared[name]]} now, and was {table.types[name]}" for name in retyped]
    if on_change is not OnChange.APPEND:
        differences += [f"{name!r} is missing" for name in gone]
    if on_change is OnChange.FAIL:
        differences += [f"{name!r} is new" for name in extra]
    if differences:
        raise ModelExecutionError(
            f"the new rows have other columns than the table: {_listed(differences)}",
            node=node,
            code="FF2031",
            help="build it from nothing with --full-refresh, or say on_schema_change='sync_all_columns'",
        )
    if on_change is OnChange.APPEND:
        return Fit(shared, (*table.types, *extra), added=extra, missing=gone)
    return Fit(shared, tuple(table.types), left_out=extra)


def _listed(words: Iterable[str]) -> str:
    items = list(words)
    return "; ".join(items[:5]) + (f"; and {len(items) - 5} more" if len(items) > 5 else "")
