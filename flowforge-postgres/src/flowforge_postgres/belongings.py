"""What belongs to a relation and would be lost with it: rights, comments, indexes, settings. Knows no connection.

Frozen values, and the SQL that gives them to another relation. :mod:`flowforge_postgres.survey` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from flowforge_postgres import catalogue
from flowforge_postgres.catalogue import text
from flowforge_postgres.dialect import exactly


@attrs.frozen
class Column:
    """A column and what somebody said of it.

    Parameters
    ----------
    sequence:
        A sequence that goes with the column, written as SQL.
    target:
        How closely its values are looked at by ANALYZE; -1 for as usual.
    options:
        As ``SET (...)`` takes them.
    """

    name: str
    type: str
    not_null: bool
    default: str | None
    sequence: str | None
    target: int
    options: tuple[str, ...]

    @property
    def is_ruled(self) -> bool:
        """Would something be lost, were it made from a query?"""
        return bool(self.not_null or self.default or self.target != -1 or self.options)

    def remake(self, rendered: str) -> Iterator[str]:
        """SQL that gives the rules to the column of the same name of another table."""
        head = f"ALTER TABLE {rendered} ALTER COLUMN {exactly(self.name)}"
        if self.sequence is not None:
            yield f"ALTER SEQUENCE {self.sequence} OWNED BY {rendered}.{exactly(self.name)}"
        if self.default is not None:
            yield f"{head} SET DEFAULT {self.default}"
        if self.not_null:
            yield f"{head} SET NOT NULL"
        if self.target != -1:
            yield f"{head} SET STATISTICS {self.target}"
        if self.options:
            yield f"{head} SET ({', '.join(self.options)})"


@attrs.frozen
class Right:
    """A right of somebody who is not the owner. *role* is ``None`` for everybody."""

    right: str
    column: str | None
    role: str | None
    grantable: bool

    def _words(self, rendered: str) -> str:
        column = f" ({exactly(self.column)})" if self.column is not None else ""
        return f"{self.right}{column} ON {rendered}"

    @property
    def _who(self) -> str:
        return exactly(self.role) if self.role is not None else "PUBLIC"

    def grant(self, rendered: str) -> str:
        """SQL that gives it."""
        return f"GRANT {self._words(rendered)} TO {self._who}{' WITH GRANT OPTION' if self.grantable else ''}"

    def revoke(self, rendered: str) -> str:
        """SQL that takes it away."""
        return f"REVOKE {self._words(rendered)} FROM {self._who}"


@attrs.frozen
class Comment:
    """A comment on a relation, or on a column of it."""

    column: str | None
    words: str

    def remake(self, word: str, rendered: str) -> str:
        """SQL that makes it on another relation, which is a *word*."""
        if self.column is None:
            return f"COMMENT ON {word} {rendered} IS {text(self.words)}"
        return f"COMMENT ON COLUMN {rendered}.{exactly(self.column)} IS {text(self.words)}"


@attrs.frozen
class Index:
    """An index of a table.

    Parameters
    ----------
    pattern:
        Its definition behind the table's name: two indexes with one pattern, both unique or not, do the same.
    constraint:
        The definition of the constraint that it stands for, if it stands for one.
    columns:
        The columns that it needs.
    clustered, identifies:
        Is it the order of the rows, or what replication tells them apart by?
    """

    name: str
    definition: str
    pattern: str
    unique: bool
    constraint: str | None
    columns: frozenset[str]
    comment: str | None
    clustered: bool
    identifies: bool

    @property
    def use(self) -> tuple[str, bool]:
        """What it does, whatever it is called."""
        return self.pattern, self.unique

    def create(self, rendered: str) -> str:
        """SQL that makes it, unless a twin is there already."""
        if self.constraint is not None:
            return f"ALTER TABLE {rendered} ADD CONSTRAINT {exactly(self.name)} {self.constraint}"
        return self.definition

    def finish(self, schema: str, rendered: str) -> Iterator[str]:
        """SQL for what an index has beyond its definition."""
        if self.comment is not None:
            yield f"COMMENT ON INDEX {catalogue.qualified(schema, self.name)} IS {text(self.comment)}"
        if self.clustered:
            yield f"ALTER TABLE {rendered} CLUSTER ON {exactly(self.name)}"
        if self.identifies:
            yield f"ALTER TABLE {rendered} REPLICA IDENTITY USING INDEX {exactly(self.name)}"


@attrs.frozen
class Statistics:
    """Statistics of several columns; *name* is written as SQL."""

    name: str
    definition: str
    columns: frozenset[str]
    comment: str | None

    def remake(self) -> Iterator[str]:
        """SQL that makes them."""
        yield self.definition
        if self.comment is not None:
            yield f"COMMENT ON STATISTICS {self.name} IS {text(self.comment)}"


@attrs.frozen
class Tie:
    """Something that cannot be given to another relation.

    Parameters
    ----------
    forbids:
        Even new rows are no good to it.
    """

    words: str
    forbids: bool = False


@attrs.frozen
class Belongings:
    """All that belongs to one relation.

    Parameters
    ----------
    usual:
        Rights that every new table of its owner gets in its schema.
    referenced:
        Does a foreign key of another table point at it?
    guarded:
        Does row security hold for its owner, too?
    settings:
        Of the table or view, as ``WITH (...)`` takes them; those of its TOAST table are called ``toast.``.
    replicates:
        What replication tells its rows apart by: ``d``, ``n``, ``f`` or ``i``.
    """

    columns: tuple[Column, ...] = ()
    rights: tuple[Right, ...] = ()
    usual: tuple[Right, ...] = ()
    comments: tuple[Comment, ...] = ()
    indexes: tuple[Index, ...] = ()
    statistics: tuple[Statistics, ...] = ()
    ties: tuple[Tie, ...] = ()
    referenced: bool = False
    guarded: bool = False
    settings: tuple[str, ...] = ()
    replicates: str = "d"
    unlogged: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Of its columns."""
        return frozenset(column.name for column in self.columns)

    @property
    def keys(self) -> tuple[Tie, ...]:
        """What only a table can have of its indexes."""
        return tuple(Tie(f"the constraint {index.name}") for index in self.indexes if index.constraint is not None)

    @property
    def layout(self) -> tuple[tuple[str, str], ...]:
        """Names and types of its columns."""
        return tuple((column.name, column.type) for column in self.columns)

    @property
    def is_plain(self) -> bool:
        """Could a table that was made from a query take its place, and nothing but that be needed?"""
        return not (
            self.ties
            or self.statistics
            or self.settings
            or self.unlogged
            or self.replicates != "d"
            or any(column.is_ruled for column in self.columns)
            or any(index.clustered for index in self.indexes)
        )
