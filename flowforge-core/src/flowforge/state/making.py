"""Creates a table of FlowForge's own, which several runs may do at the same moment, and looks whether it is ours.

Knows nothing of what it is for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping

from flowforge.contract import Dialect, Session
from flowforge.errors import StateError, UnsupportedError
from flowforge.values import Relation, RelationKind

_LONG_ENOUGH = 60.0  # seconds; whoever holds the lock creates one table


def make_once(session: Session, dialect: Dialect, table: Relation, columns: Mapping[str, str]) -> None:
    """Create *table*, and its schema, unless it stands there; whoever else does so meanwhile gets into nobody's way.

    Called outside of a transaction. What stands there afterwards may be somebody else's: look at it.

    Parameters
    ----------
    columns:
        The engine's types, by name.

    Raises
    ------
    EngineError
        When it could not be created, and nobody else has created it.
    """
    try:
        with session.transaction():
            await_turn(session, dialect, table)
            if table.schema:
                session.ensure_schema(table)
            session.create_table(dialect, table, columns)
    except Exception:
        if session.kind_of(table) is None:  # otherwise another run was faster
            raise


def see_that_ours(session: Session, dialect: Dialect, table: Relation, columns: Collection[str], version: int) -> None:
    """See that *table* is FlowForge's, and of no newer one than this.

    Parameters
    ----------
    columns:
        Their names; one of them is ``version``, a number that every row has.
    version:
        What this FlowForge writes there.

    Raises
    ------
    StateError
        When a newer FlowForge has written the table (``FF2301``), or when it is missing or somebody else's
        (``FF2302``).
    """
    kind = session.kind_of(table)
    schema = session.schema_of(table) if kind is RelationKind.TABLE else None
    found = {name.casefold() for name in schema.names} if schema is not None else set()
    if not set(columns) <= found:
        raise StateError(
            f"{table} is not FlowForge's, but has the name that FlowForge needs",
            code="FF2302",
            help="rename or drop it, or give the profile a schema of its own",
        )
    column = dialect.quote("version")
    (newest,) = session.query(f"SELECT MAX({column}) AS {column} FROM {dialect.render(table)}").read_all().columns
    written = newest.to_pylist()[0]
    if written is not None and int(written) > version:
        raise StateError(
            f"{table} was written by a newer FlowForge (version {written}, this one knows {version})",
            help="upgrade flowforge-core here, or use another schema",
        )


def await_turn(session: Session, dialect: Dialect, table: Relation) -> None:
    """Let runs that change *table* at once do so one after the other, where the engine has locks.

    Called first thing inside of a transaction.
    """
    with contextlib.suppress(UnsupportedError):
        session.lock(dialect.render(table), timeout=_LONG_ENOUGH)
