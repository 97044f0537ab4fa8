"""Statements of the user's that are run around the building of a relation. Knows sessions, and no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flowforge.contract import Session
from flowforge.frozen import frozen


def _nothing() -> None:
    """Nobody is told."""


@frozen
class Statement:
    """One statement.

    Parameters
    ----------
    in_transaction:
        It belongs to the transaction that publishes the relation, where there is one.
    begun, over:
        Called around it; *over* only when it succeeded.
    """

    sql: str
    in_transaction: bool = True
    begun: Callable[[], None] = _nothing
    over: Callable[[], None] = _nothing


@frozen
class Hooks:
    """What is run before a relation's rows are computed, and after it stands under its name."""

    before: tuple[Statement, ...] = ()
    after: tuple[Statement, ...] = ()

    @property
    def outlasts(self) -> bool:
        """Whether something is to be run when all else is committed."""
        return any(not one.in_transaction for one in self.after)


def run_statements(session: Session, statements: Iterable[Statement], *, in_transaction: bool | None = None) -> None:
    """Run them in order: all, or those that do (or do not) belong to the transaction."""
    for one in statements:
        if in_transaction is None or one.in_transaction is in_transaction:
            one.begun()
            session.execute(one.sql)
            one.over()
