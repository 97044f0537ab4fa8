"""Small frozen values that every floor may pass around.

Knows nothing of projects, engines or the command line.
"""

from __future__ import annotations

import enum

from flowforge.frozen import frozen


@frozen
class Location:
    """A place in a file of the project.

    Parameters
    ----------
    path:
        Path relative to the project folder, with forward slashes.
    line, column:
        Counted from 1, as editors show them; ``None`` when only the file (or only the line) is known.
    length:
        How many characters a caret should underline.
    """

    path: str
    line: int | None = None
    column: int | None = None
    length: int = 1

    def __str__(self) -> str:
        parts = [self.path]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)


@frozen
class Namespace:
    """Where a profile puts relations that name no place of their own."""

    schema: str | None = None
    database: str | None = None


@frozen
class Relation:
    """The logical name of a table or view; a :class:`~flowforge.contract.Dialect` folds, quotes and renders it."""

    name: str
    schema: str | None = None
    database: str | None = None

    def within(self, namespace: Namespace) -> Relation:
        """The same relation with missing parts filled in from *namespace*."""
        database = self.database if self.database is not None else namespace.database
        schema = self.schema if self.schema is not None else namespace.schema
        return Relation(self.name, schema, database)

    def renamed(self, name: str) -> Relation:
        """A relation called *name* beside this one."""
        return Relation(name, self.schema, self.database)

    def __str__(self) -> str:
        return ".".join(part for part in (self.database, self.schema, self.name) if part)


class RelationKind(enum.Enum):
    """What stands under a name in the database."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized_view"


@frozen
class RelationInfo:
    """One entry of an engine's catalogue."""

    relation: Relation
    kind: RelationKind


def relation_for(node_name: str) -> str:
    """The physical name that a node called *node_name* gets when it says no ``alias``.

    ``users.ff`` becomes ``users``; every other name stays as it is.
    """
    return node_name.removesuffix(".ff")
