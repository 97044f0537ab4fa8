"""Creates a table of FlowForge's own, which several runs may do at the same moment. Knows nothing of what it is for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from flowforge.contract import Dialect, Session
from flowforge.errors import UnsupportedError
from flowforge.values import Relation

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


def await_turn(session: Session, dialect: Dialect, table: Relation) -> None:
    """Let runs that change *table* at once do so one after the other, where the engine has locks.

    Called first thing inside of a transaction.
    """
    with contextlib.suppress(UnsupportedError):
        session.lock(dialect.render(table), timeout=_LONG_ENOUGH)
