"""What a contract is: what the columns of one table are like, and how that is enforced when the table is built.

Plain values. Types are words of :mod:`flowforge.config.type_words`, or the engine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.frozen import frozen
from flowforge.values import Location


@frozen
class ContractColumn:
    """What one column is like, after the rules that hold for all contracts have filled it in.

    Parameters
    ----------
    type:
        A word that means the same on every engine.
    physical:
        A type in the words of the project's engine.
    enum:
        The only values that it can have; none: any.
    min, max:
        Its smallest and its greatest value.
    location:
        Where the contract lists it.
    """

    name: str
    location: Location = attrs.field(eq=False)
    type: str | None = None
    physical: str | None = None
    nullable: bool = True
    unique: bool = False
    enum: tuple[str | int | float | bool, ...] = ()
    regex: str | None = None
    min: Any = None
    max: Any = None
    description: str | None = None

    @property
    def wanted(self) -> str | None:
        """What a message says of its type."""
        return self.physical or self.type


@frozen
class Contract:
    """The contract of one table.

    Parameters
    ----------
    table:
        As the file calls it.
    columns:
        By name, in the order of the file.
    mode:
        ``verify``: rows under other columns are not published. ``cast``: they are cast before, where nothing is lost.
        ``off``: only checks look at it.
    allow_extra_columns:
        Whether the table may have columns that the contract does not list.
    node, source:
        The node that makes the table, or the id of the source.
    """

    table: str
    location: Location = attrs.field(eq=False)
    columns: Mapping[str, ContractColumn] = attrs.field(factory=dict)
    mode: str = "off"
    allow_extra_columns: bool = True
    node: str | None = None
    source: str | None = None

    @property
    def enforced(self) -> bool:
        """Whether it decides about what is published."""
        return self.mode != "off"

    @property
    def short(self) -> str:
        """What enforcement is about, in one line: a table that was built under it was built under no other."""
        columns = (
            " ".join(
                (
                    one.name,
                    *(part for part in (one.physical, one.type) if part),
                    *(() if one.nullable else ("not null",)),
                )
            )
            for one in self.columns.values()
        )
        extra = "" if self.allow_extra_columns else "; no other columns"
        return f"{self.mode}: {', '.join(columns) or 'no columns'}{extra}"
