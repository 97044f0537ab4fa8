"""What a history is: its rules, its own columns, and whether a table is one and fits new rows.

A history holds all versions of the rows of a query. The current version of a key is open; the older ones are closed,
each where the next begins, so that at any time at most one version of a key holds. Knows sessions and columns, not
how versions are made: that is :mod:`flowforge.materialize.versions`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowforge.contract import Dialect, Session
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.columns import Fit, OnChange, Shape, fit, shape_of
from flowforge.materialize.increments import Increment, Strategy, key_words, refuse_bad_keys
from flowforge.materialize.widening import widens
from flowforge.values import Relation, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa

UPDATED_AT, VALID_FROM, VALID_TO = "_ff_updated_at", "_ff_valid_from", "_ff_valid_to"
IS_CURRENT, HASH, IS_DELETED = "_ff_is_current", "_ff_snapshot_hash", "_ff_is_deleted"
OWN = (UPDATED_AT, VALID_FROM, VALID_TO, IS_CURRENT, HASH)
NOTED = "history"
"""What ``_ff_meta`` says of a history in place of a content hash, so that nothing else ever takes its place."""


class Deletes(enum.Enum):
    """What becomes of keys that the query no longer has."""

    IGNORE = "ignore"
    INVALIDATE = "invalidate"
    NEW_RECORD = "new_record"


@frozen
class History:
    """The rules of one history.

    Parameters
    ----------
    key:
        Columns that tell rows apart.
    moment:
        The time of the run, in UTC with a time zone, in microseconds.
    updated_at:
        A row is a new version when this is above the current version's. ``None``: when checked columns differ.
    checked:
        The columns that are compared; none: all but the key.
    keep_last:
        Nothing is added; all but so many of the newest versions of each key are removed.
    """

    key: tuple[str, ...]
    moment: dt.datetime
    updated_at: str | None = None
    checked: tuple[str, ...] = ()
    deletes: Deletes = Deletes.IGNORE
    keep_last: int | None = None


@frozen
class Past:
    """A history that stands: the columns of the query, and its own, as the engine calls them.

    Parameters
    ----------
    time:
        The type of its times.
    columns:
        All columns in order.
    """

    rows: Shape
    own: dict[str, str]
    time: pa.DataType
    columns: tuple[str, ...]

    def __contains__(self, name: str) -> bool:
        return name in self.own


def refuse_what_is_no_history(session: Session, dialect: Dialect, target: Relation, node: str) -> Past | None:
    """The history that stands under a name; ``None``: nothing stands there.

    Raises
    ------
    ModelExecutionError
        When something else does; it is never replaced.
    """
    kind = session.kind_of(target)
    if kind is None:
        return None
    missing = list(OWN)
    if kind is RelationKind.TABLE:
        shape = shape_of(session, dialect, target, node)
        own = {name: found for name in (*OWN, IS_DELETED) if (found := shape.find(name)) is not None}
        missing = [name for name in OWN if name not in own]
        if not missing:
            rest = {name: type_ for name, type_ in shape.types.items() if name not in own.values()}
            return Past(Shape(rest), own, shape.types[own[VALID_FROM]], tuple(shape.types))
    what = f"the {kind.value.replace('_', ' ')} {target}"
    lacks = "" if len(missing) == len(OWN) else f": it has no column {missing[0]}"
    raise ModelExecutionError(
        f"{what} is no history of a snapshot{lacks}, and a snapshot replaces nothing",
        node=node,
        code="FF2034",
        help="rename or drop it if nobody needs it, or give the snapshot another name: alias='...'",
    )


def refuse_several_current(session: Session, dialect: Dialect, target: Relation, history: History, node: str) -> None:
    """Look for keys with several current versions, which others must have made.

    Raises
    ------
    ModelExecutionError
        When there are any: nobody knows which of them is the current one.
    """
    columns = ", ".join(dialect.quote(name) for name in history.key)
    doubled = (
        f"SELECT {columns}, COUNT(*) AS n FROM {dialect.render(target)}"
        f" WHERE {dialect.quote(IS_CURRENT)} = {dialect.literal(True)} GROUP BY {columns} HAVING COUNT(*) > 1"
    )
    examples = session.query(f"SELECT * FROM ({doubled}) AS ff_doubled ORDER BY n DESC LIMIT 3").read_all()
    if examples.num_rows:
        shown = "; ".join(key_words(row, history.key) for row in examples.to_pylist())
        raise ModelExecutionError(
            f"the history has several current versions of one key: {shown}",
            node=node,
            code="FF2036",
            help=f"close all but one of them by hand: set {IS_CURRENT} to false, and {VALID_TO}",
        )


def refuse_bad_rows(
    session: Session, dialect: Dialect, batch: Relation, shape: Shape, history: History, node: str
) -> None:
    """Look at the rows of the query, before any of them becomes a version.

    Raises
    ------
    ModelExecutionError
        When they have no columns, or other ones, for what the rules speak of; when keys are NULL or doubled, or it is
        not known when a row was updated.
    """
    taken = [name for name in (*OWN, IS_DELETED) if shape.find(name) is not None]
    if taken:
        raise ModelExecutionError(
            f"the query has a column {taken[0]!r}, which every history has for itself",
            node=node,
            code="FF2035",
            help=f"leave it out, or give it another name: {taken[0]} as other_name",
        )
    said = {"unique_key": history.key, "check_cols": history.checked}
    said["updated_at"] = (history.updated_at,) if history.updated_at else ()
    for setting, names in said.items():
        for name in names:
            if shape.find(name) is None:
                raise ModelExecutionError(
                    f"the query has no column {name!r}, which '{setting}' names",
                    node=node,
                    code="FF2035",
                    help=f"add it to the query, or correct '{setting}'; the query has {_some(shape.types)}",
                )
    refuse_bad_keys(session, dialect, batch, Increment(Strategy.MERGE, key=history.key), node)
    if history.updated_at is not None:
        column = dialect.quote(history.updated_at)
        sql = f"SELECT COUNT(*) AS n FROM {dialect.render(batch)} WHERE {column} IS NULL"
        count = session.query(sql).read_all().column(0)[0].as_py()
        if count:
            raise ModelExecutionError(
                f"{count} of the new rows do not say when they were updated: {history.updated_at!r} is NULL",
                node=node,
                code="FF2032",
                help=f"leave such rows out, or give {history.updated_at!r} a value",
            )


def fitted(past: Past, new: Shape, node: str) -> Fit:
    """How the query's columns fit those of the history: new ones are added, lost ones stay.

    Columns that are ``retyped`` hold more in the new rows than in the history, and have to be widened.

    Raises
    ------
    ModelExecutionError
        When the type of a column changed in another way.
    """
    found = fit(past.rows, new, OnChange.SYNC, node)
    wider, wrong = [], []
    for name in found.retyped:
        before, after = past.rows.types[name], new.types[found.shared[name]]
        if str(before) == "null":
            continue  # a column without a type, on an engine that has such, takes everything
        if widens(before, after):
            wider.append(name)
        elif not widens(after, before):
            wrong.append(f"{name!r} is {after} now, and was {before}")
    if wrong:
        raise ModelExecutionError(
            f"the history cannot hold other types in its columns: {_some(wrong)}",
            node=node,
            code="FF2035",
            help="cast the column to its old type in the query, or give it another name",
        )
    order = (*past.rows.types, *found.added)
    return Fit(found.shared, order, added=found.added, missing=found.removed, retyped=tuple(wider))


def _some(items: Iterable[str]) -> str:
    words = list(items)
    return ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")
