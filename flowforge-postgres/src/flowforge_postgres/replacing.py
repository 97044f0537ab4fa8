"""Puts one relation in the place of another, with everything that belonged to the old one. Runs inside a transaction.

PostgreSQL ties views to a table's number, not to its name, so a new table leaves them behind. Where the columns are the
same, the rows move and the table stays; else the views on it are made anew, with their rights and comments. What cannot
be made anew, or is not ours, is an error before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import attrs

from flowforge.contract import Stats, is_our_index
from flowforge.errors import EngineError, ErrorKind
from flowforge_postgres import catalogue
from flowforge_postgres.belongings import Belongings, Right, Tie
from flowforge_postgres.dialect import exactly
from flowforge_postgres.survey import Reader, Standing, survey

_OTHER_COLUMNS = "42P16"  # a view's columns can be added to in place, not changed
_CHANGED = "gets other columns or another kind"
_IDENTITIES = {"n": "NOTHING", "f": "FULL"}


class Hands(Protocol):
    """What is needed of a session."""

    def run(self, sql: str) -> Stats:
        """Run a statement."""

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a query."""


def replace_table(
    hands: Hands, staged: Standing, old: Standing | None, schema: str, name: str, asked: Collection[tuple[str, str]]
) -> None:
    """Let the table, or materialized view, *staged* take the place of *old*, under the *schema* and *name* given.

    Parameters
    ----------
    asked:
        Rights that the model itself asks for, each with its role. Of others, *staged* has only what every new table
        gets; the old table may have lost it on purpose.

    Raises
    ------
    EngineError
        Of kind ``DEPENDENT``, naming what is in the way.
    """
    if old is None:
        _rename(hands, staged, schema, name)
        return
    _settle(hands, old)
    found = survey(hands.rows, old, staged)
    was, new = found.belongings[old.oid], found.belongings[staged.oid]
    _refuse(old, [tie for tie in was.ties if tie.forbids], "cannot take new rows because of")
    by_default = {right for right in new.usual if not _is_asked(right, asked)}
    if old.is_table and staged.is_table and new.layout == was.layout:
        if found.readers or not was.is_plain:
            _move_rows(hands, staged, old, new, was, by_default)
            return
    else:
        keys = () if staged.is_table else was.keys
        _refuse(old, (*was.ties, *keys), f"{_CHANGED}, and would lose")
    _check(old, found.readers)
    for right in new.rights:
        if right in by_default and right not in was.rights:
            hands.run(right.revoke(staged.name))
    for right in was.rights:
        if right.column is None or right.column in new.names:
            hands.run(right.grant(staged.name))
    commented = {comment.column for comment in new.comments}
    for comment in was.comments:
        if comment.column not in commented and (comment.column is None or comment.column in new.names):
            hands.run(comment.remake(staged.word, staged.name))
    if old.is_table and staged.is_table:
        _give_rules(hands, staged, schema, was, new)
    elif old.letter == staged.letter and was.settings:
        hands.run(f"ALTER {staged.word} {staged.name} SET ({', '.join(was.settings)})")
    _drop(hands, old, found.readers)
    _rename(hands, staged, schema, name)
    _give_indexes(hands, old, was, new)
    _finish(hands, attrs.evolve(old, letter=staged.letter), found.readers)


def _is_asked(right: Right, asked: Collection[tuple[str, str]]) -> bool:
    role = right.role or "public"
    return (right.right, role) in asked or ("ALL", role) in asked


def _give_rules(hands: Hands, staged: Standing, schema: str, was: Belongings, new: Belongings) -> None:
    """Give the new table what was said of the old one and its columns."""
    if staged.schema != schema and any(column.sequence for column in was.columns):
        raise EngineError(
            f"a sequence belongs to the table in {schema}, and the new rows stand in {staged.schema}",
            kind=ErrorKind.DEPENDENT,
            help="take the default away by hand",
        )
    for column in was.columns:
        if column.name in new.names:
            for sql in column.remake(staged.name):
                hands.run(sql)
    if was.unlogged:
        hands.run(f"ALTER TABLE {staged.name} SET UNLOGGED")
    if was.settings:
        hands.run(f"ALTER TABLE {staged.name} SET ({', '.join(was.settings)})")
    if was.replicates in _IDENTITIES:
        hands.run(f"ALTER TABLE {staged.name} REPLICA IDENTITY {_IDENTITIES[was.replicates]}")


def _give_indexes(hands: Hands, old: Standing, was: Belongings, new: Belongings) -> None:
    """Make the old table's indexes and statistics on the new one, which has the old name by now."""
    fresh = {index.use: index for index in new.indexes}
    for index in was.indexes:
        if not index.columns <= new.names:
            continue
        twin = fresh.pop(index.use, None)
        if twin is None and is_our_index(index.name):
            continue  # the model had asked for it, and does so no longer
        if twin is not None and index.constraint is None:
            hands.run(f"ALTER INDEX {catalogue.qualified(old.schema, twin.name)} RENAME TO {exactly(index.name)}")
        else:
            hands.run(index.create(old.name))
        for sql in index.finish(old.schema, old.name):
            hands.run(sql)
    for statistics in was.statistics:
        if statistics.columns <= new.names:
            for sql in statistics.remake():
                hands.run(sql)


def replace_view(hands: Hands, old: Standing, create: Callable[[bool, Sequence[str]], Stats]) -> Stats:
    """Let a view take the place of *old*.

    Parameters
    ----------
    create:
        Makes the view under the old name: over a view that stands there or not, with these options.
    """
    _settle(hands, old)
    if old.letter == "v":
        ((options,),) = hands.rows(f"SELECT reloptions FROM pg_catalog.pg_class WHERE oid = '{old.oid}'")
        hands.run("SAVEPOINT ff__view")
        try:
            stats = create(True, options or ())
        except EngineError as error:
            if getattr(error.__cause__, "sqlstate", None) != _OTHER_COLUMNS:
                raise
            hands.run("ROLLBACK TO SAVEPOINT ff__view")
        else:
            hands.run("RELEASE SAVEPOINT ff__view")
            return stats
    found = survey(hands.rows, old)
    was = found.belongings[old.oid]
    _refuse(old, was.ties, f"{_CHANGED}, and would lose")
    _check(old, found.readers)
    _drop(hands, old, found.readers)
    stats = create(False, was.settings if old.letter == "v" else ())
    names = {name for (name,) in hands.rows(catalogue.column_names(old.name))}
    for right in was.rights:
        if right.column is None or right.column in names:
            hands.run(right.grant(old.name))
    for comment in was.comments:
        if comment.column is None or comment.column in names:
            hands.run(comment.remake("VIEW", old.name))
    _finish(hands, attrs.evolve(old, letter="v"), found.readers)
    return stats


def _settle(hands: Hands, old: Standing) -> None:
    """From here on nobody can put another view on a table."""
    if old.letter not in catalogue.KINDS:
        raise EngineError(f"{old.name} is no table and no view", kind=ErrorKind.DUPLICATE, help="choose another name")
    if old.is_table:
        hands.run(f"LOCK TABLE {old.name} IN ACCESS EXCLUSIVE MODE")


def _move_rows(
    hands: Hands,
    staged: Standing,
    old: Standing,
    new: Belongings,
    was: Belongings,
    by_default: Collection[Right],
) -> None:
    columns = ", ".join(exactly(column.name) for column in new.columns)
    insert = f"INSERT INTO {old.name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {staged.name}"
    if was.referenced:
        # A table that others refer to cannot be truncated. In one statement, references are looked at when it is over.
        if was.guarded:
            hands.run("SET LOCAL row_security = off")  # an error where it would leave rows that we may not see
        gone = f"WITH gone AS (DELETE FROM {old.name} RETURNING 1)"
        arrived = hands.run(f"{gone} {insert} WHERE (SELECT count(*) FROM gone) >= 0").rows
        if was.guarded:
            hands.run("SET LOCAL row_security = on")
    else:
        hands.run(f"TRUNCATE TABLE {'ONLY ' if old.letter == 'r' else ''}{old.name}")
        arrived = hands.run(insert).rows
    if was.ties:
        ((expected,),) = hands.rows(f"SELECT count(*) FROM {staged.name}")
        if arrived != expected:
            raise EngineError(
                f"{arrived} of {expected} rows arrived in {old.name}, which has {_listed(was.ties)}",
                kind=ErrorKind.DEPENDENT,
                help=f"let all rows into {old.name}, or drop it",
                notes=["nothing was changed"],
            )
    asked = {index.use for index in new.indexes}
    for index in was.indexes:
        if is_our_index(index.name) and index.use not in asked:
            hands.run(f"DROP INDEX {catalogue.qualified(old.schema, index.name)}")
    for right in new.rights:
        if right not in was.rights and right not in by_default:
            hands.run(right.grant(old.name))
    for comment in new.comments:
        hands.run(comment.remake("TABLE", old.name))
    hands.run(f"DROP TABLE {staged.name}")
    known = {index.use for index in was.indexes}
    for index in new.indexes:
        if index.use not in known:
            unique = "UNIQUE " if index.unique else ""
            hands.run(f"CREATE {unique}INDEX {exactly(index.name)} ON {old.name} {index.pattern}")


def _check(old: Standing, readers: Sequence[Reader]) -> None:
    """Refuse before anything is changed."""
    for each in readers:
        ties = each.belongings.ties
        if each.standing.letter not in "vm" or ties:
            why = f"has {_listed(ties)}"
            help_ = "drop it first, and make it anew after the run"
        elif not each.mine:
            why = f"belongs to {each.standing.owner}"
            help_ = f"ask {each.standing.owner} to drop it, or to make this profile's role a member"
        elif not each.home:
            why = f"cannot be made anew: nothing may be created in the schema {each.standing.schema}"
            help_ = f"grant CREATE on the schema {each.standing.schema} to this profile's role, or drop the view"
        else:
            continue
        raise EngineError(
            f"{old.name} {_CHANGED}, and {each.standing.name}, which reads it, {why}",
            kind=ErrorKind.DEPENDENT,
            help=help_,
            notes=["nothing was changed"],
        )


def _refuse(old: Standing, ties: Sequence[Tie], what: str) -> None:
    if ties:
        raise EngineError(
            f"{old.name} {what} {_listed(ties)}",
            kind=ErrorKind.DEPENDENT,
            help=f"take that away by hand, or drop {old.name}",
            notes=["nothing was changed"],
        )


def _listed(ties: Sequence[Tie]) -> str:
    return ", ".join(tie.words for tie in ties)


def _drop(hands: Hands, old: Standing, readers: Sequence[Reader]) -> None:
    for each in reversed(readers):
        hands.run(f"DROP {each.standing.word} {each.standing.name}")
    hands.run(f"DROP {old.word} {old.name}")


def _rename(hands: Hands, staged: Standing, schema: str, name: str) -> None:
    if staged.schema != schema:
        hands.run(f"ALTER {staged.word} {staged.name} SET SCHEMA {exactly(schema)}")
    hands.run(f"ALTER {staged.word} {catalogue.qualified(schema, staged.relation)} RENAME TO {exactly(name)}")


def _finish(hands: Hands, old: Standing, readers: Sequence[Reader]) -> None:
    """Make the views anew, and give everything back to its owner."""
    for each in readers:
        view = each.standing
        try:
            hands.run(each.create)
        except EngineError as error:
            raise EngineError(
                f"the view {view.name} reads {old.name}, and does not fit its new columns: {error.message}",
                kind=ErrorKind.DEPENDENT,
                help=f"drop the view {view.name} first; if it is a model, the run makes it anew",
                notes=["nothing was changed"],
            ) from error
        for right in each.belongings.rights:
            hands.run(right.grant(view.name))
        for comment in each.belongings.comments:
            hands.run(comment.remake(view.word, view.name))
        for index in each.belongings.indexes:
            hands.run(index.definition)
            for sql in index.finish(view.schema, view.name):
                hands.run(sql)
        for statistics in each.belongings.statistics:
            for sql in statistics.remake():
                hands.run(sql)
        if view.owner != view.me:
            hands.run(f"ALTER {view.word} {view.name} OWNER TO {exactly(view.owner)}")
    if old.owner != old.me:
        hands.run(f"ALTER {old.word} {old.name} OWNER TO {exactly(old.owner)}")
