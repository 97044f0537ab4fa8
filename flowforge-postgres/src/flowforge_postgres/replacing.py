"""Puts one relation in the place of another, with everything that belonged to the old one. Runs inside a transaction.

PostgreSQL ties views to a table's number, not to its name, so a new table leaves them behind. Where the columns are the
same, the rows move and the table stays; else the views on it are made anew, with their rights and comments. What cannot
be made anew, or is not ours, is an error before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from flowforge.contract import Stats
from flowforge.errors import EngineError, ErrorKind
from flowforge_postgres import belongings, catalogue
from flowforge_postgres.belongings import Dependent
from flowforge_postgres.dialect import exactly

_OTHER_COLUMNS = "42P16"  # a view's columns can be added to in place, not changed


class Hands(Protocol):
    """What is needed of a session."""

    def run(self, sql: str) -> object:
        """Run a statement."""

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a query."""


@attrs.frozen
class Standing:
    """A relation as it stands in the catalogue. *name* is written as SQL."""

    oid: int
    letter: str
    schema: str
    relation: str
    owner: str
    me: str

    @property
    def name(self) -> str:
        """The relation as SQL."""
        return catalogue.qualified(self.schema, self.relation)

    @property
    def word(self) -> str:
        """What it is called in DDL."""
        return catalogue.WORDS[self.letter]

    @property
    def is_table(self) -> bool:
        """Has it rows of its own that can be written?"""
        return self.letter in "rp"


def standing(hands: Hands, rendered: str) -> Standing | None:
    """What stands under a name."""
    found = hands.rows(
        "SELECT c.oid, c.relkind, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), current_user"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.oid = {catalogue.oid_of(rendered)}"
    )
    return Standing(*found[0]) if found else None


def replace_table(hands: Hands, staged: Standing, old: Standing | None, schema: str, name: str) -> None:
    """Let the table *staged* take the place of *old*, under the *schema* and *name* given.

    Raises
    ------
    EngineError
        Of kind ``DEPENDENT``, naming what is in the way.
    """
    if old is None:
        _rename(hands, staged, schema, name)
        return
    _settle(hands, old)
    dependents = belongings.dependents_of(hands.rows, old.oid)
    attachments = belongings.attachments_of(hands.rows, old.oid) if old.is_table else []
    if old.is_table and _same_columns(hands, staged, old):
        if dependents or attachments or belongings.has_column_rules(hands.rows, old.oid):
            _move_rows(hands, staged, old, attachments)
            return
    elif attachments:
        raise _in_the_way(old, attachments)
    _check(old, dependents)
    columns = belongings.columns_of(hands.rows, staged.oid)
    indexes = [index for index in belongings.indexes_of(hands.rows, old.oid) if index.columns <= columns]
    fresh = {index.pattern: index for index in belongings.indexes_of(hands.rows, staged.oid)}
    commented = belongings.commented(hands.rows, staged.oid)
    for belonging in belongings.grants_of(hands.rows, old.oid, staged.name):
        if belonging.column is None or belonging.column in columns:
            hands.run(belonging.sql)
    for belonging in belongings.comments_of(hands.rows, old.oid, staged.name, "TABLE"):
        if belonging.column not in commented and (belonging.column is None or belonging.column in columns):
            hands.run(belonging.sql)
    _drop(hands, old, dependents)
    _rename(hands, staged, schema, name)
    for index in indexes:
        twin = fresh.pop(index.pattern, None)
        if index.constraint is not None:
            hands.run(f"ALTER TABLE {old.name} ADD CONSTRAINT {exactly(index.name)} {index.constraint}")
        elif twin is not None:
            hands.run(f"ALTER INDEX {catalogue.qualified(schema, twin.name)} RENAME TO {exactly(index.name)}")
        else:
            hands.run(index.definition)
    _finish(hands, old, dependents)


def replace_view(hands: Hands, old: Standing, create: Callable[[bool, tuple[str, ...]], Stats]) -> Stats:
    """Let a view take the place of *old*.

    Parameters
    ----------
    create:
        Makes the view under the old name: over a view that stands there or not, with these options.
    """
    _settle(hands, old)
    options = belongings.options_of(hands.rows, old.oid) if old.letter == "v" else ()
    if old.letter == "v":
        hands.run("SAVEPOINT ff__view")
        try:
            stats = create(True, options)
        except EngineError as error:
            if getattr(error.__cause__, "sqlstate", None) != _OTHER_COLUMNS:
                raise
            hands.run("ROLLBACK TO SAVEPOINT ff__view")
        else:
            hands.run("RELEASE SAVEPOINT ff__view")
            return stats
    attachments = belongings.attachments_of(hands.rows, old.oid)
    if attachments:
        raise _in_the_way(old, attachments)
    dependents = belongings.dependents_of(hands.rows, old.oid)
    _check(old, dependents)
    grants = belongings.grants_of(hands.rows, old.oid, old.name)
    comments = belongings.comments_of(hands.rows, old.oid, old.name, "VIEW")
    _drop(hands, old, dependents)
    stats = create(False, options)
    made = standing(hands, old.name)
    assert made is not None
    columns = belongings.columns_of(hands.rows, made.oid)
    for belonging in (*grants, *comments):
        if belonging.column is None or belonging.column in columns:
            hands.run(belonging.sql)
    _finish(hands, old, dependents)
    return stats


def _settle(hands: Hands, old: Standing) -> None:
    """From here on nobody can put another view on a table."""
    if old.letter not in catalogue.KINDS:
        raise EngineError(f"{old.name} is no table and no view", kind=ErrorKind.DUPLICATE, help="choose another name")
    if old.is_table:
        hands.run(f"LOCK TABLE {old.name} IN ACCESS EXCLUSIVE MODE")


def _same_columns(hands: Hands, staged: Standing, old: Standing) -> bool:
    return hands.rows(catalogue.layout(staged.name)) == hands.rows(catalogue.layout(old.name))


def _move_rows(hands: Hands, staged: Standing, old: Standing, attachments: Sequence[str]) -> None:
    columns = ", ".join(exactly(name) for (name,) in hands.rows(catalogue.columns(staged.oid)))
    referenced = any(words.startswith("the foreign key") for words in attachments)
    hands.run(f"DELETE FROM {old.name}" if referenced else f"TRUNCATE TABLE {old.name}")
    hands.run(f"INSERT INTO {old.name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {staged.name}")
    known = {index.pattern for index in belongings.indexes_of(hands.rows, old.oid)}
    for index in belongings.indexes_of(hands.rows, staged.oid):
        if index.pattern not in known:
            hands.run(f"CREATE {'UNIQUE ' if index.unique else ''}INDEX ON {old.name} {index.pattern}")
    for belonging in (
        *belongings.grants_of(hands.rows, staged.oid, old.name),
        *belongings.comments_of(hands.rows, staged.oid, old.name, "TABLE"),
    ):
        hands.run(belonging.sql)
    hands.run(f"DROP TABLE {staged.name}")


def _check(old: Standing, dependents: Sequence[Dependent]) -> None:
    """Refuse before anything is changed."""
    for each in dependents:
        if each.kind == "m":
            why, help_ = "is a materialized view", "drop it first, and make it anew after the run"
        elif each.kind != "v" or each.extras:
            why, help_ = f"has {', '.join(each.extras)}", "drop it first, and make it anew after the run"
        elif not each.mine:
            why = f"belongs to {each.owner}"
            help_ = f"ask {each.owner} to drop it, or to make this profile's role a member"
        else:
            continue
        raise EngineError(
            f"{old.name} gets other columns or another kind, and {each.name}, which reads it, {why}",
            kind=ErrorKind.DEPENDENT,
            help=help_,
            notes=["nothing was changed"],
        )


def _in_the_way(old: Standing, attachments: Sequence[str]) -> EngineError:
    return EngineError(
        f"{old.name} gets other columns or another kind, and would lose {', '.join(attachments)}",
        kind=ErrorKind.DEPENDENT,
        help=f"take that away by hand, or drop {old.name}",
        notes=["nothing was changed"],
    )


def _drop(hands: Hands, old: Standing, dependents: Sequence[Dependent]) -> None:
    for each in reversed(dependents):
        hands.run(f"DROP VIEW {each.name}")
    hands.run(f"DROP {old.word} {old.name}")


def _rename(hands: Hands, staged: Standing, schema: str, name: str) -> None:
    if staged.schema != schema:
        hands.run(f"ALTER TABLE {staged.name} SET SCHEMA {exactly(schema)}")
    hands.run(f"ALTER TABLE {catalogue.qualified(schema, staged.relation)} RENAME TO {exactly(name)}")


def _finish(hands: Hands, old: Standing, dependents: Sequence[Dependent]) -> None:
    """Make the views anew, and give everything back to its owner."""
    for each in dependents:
        try:
            hands.run(each.create)
        except EngineError as error:
            raise EngineError(
                f"the view {each.name} reads {old.name}, and does not fit its new columns: {error.message}",
                kind=ErrorKind.DEPENDENT,
                help=f"drop the view {each.name} first; if it is a model, the run makes it anew",
                notes=["nothing was changed"],
            ) from error
        for sql in each.remake:
            hands.run(sql)
        if each.owner != old.me:
            hands.run(f"ALTER VIEW {each.name} OWNER TO {exactly(each.owner)}")
    if old.owner != old.me:
        hands.run(f"ALTER TABLE {old.name} OWNER TO {exactly(old.owner)}")
