"""How a table grows where DDL takes part in no transaction: a copy that shares its rows is changed, and takes its place.

Only rows that change are written, and nobody reads the copy before it was audited. Whoever dies while it is changed
leaves a staging relation like any other, which nobody goes on with: the next attempt makes a copy of its own. Knows
single steps; nothing of leases, ``_ff_meta`` or the order of the protocol.
"""

from __future__ import annotations

from flowforge.contract import Capability, Session
from flowforge.crash import crash_point
from flowforge.errors import UnsupportedError
from flowforge.materialize.increments import Growth
from flowforge.materialize.steps import Publication, Staged, Steps
from flowforge.materialize.versions import Versions
from flowforge.values import Relation, RelationKind


def grown_clone(steps: Steps, session: Session, publication: Publication, growth: Growth) -> Staged | None:
    """The table with its new rows, as a changed copy; ``None``: all rows have to be written."""
    clone = _clone(steps, session, publication) if growth.can_write and growth.keeps_rows else None
    if clone is None:
        return None
    growth.write(clone)
    session.drop(growth.batch, RelationKind.TABLE)
    steps.index(session, publication, clone)
    return Staged(clone, growth.rows, grown=True)


def continued_clone(steps: Steps, session: Session, publication: Publication, versions: Versions) -> Staged | None:
    """The history with its new versions, as a changed copy; ``None``: all of them have to be written."""
    clone = _clone(steps, session, publication) if versions.can_write else None
    if clone is None:
        return None
    versions.write(clone)
    versions.spares.drop(session)
    steps.index(session, publication, clone)
    return Staged(clone, versions.opened, grown=True)


def _clone(steps: Steps, session: Session, publication: Publication) -> Relation | None:
    """A copy of the table under the name of staged rows, where the engine has such copies of this table."""
    if not steps.engine.support(Capability.ZERO_COPY_CLONE):
        return None
    clone = steps.staging(publication)
    try:
        session.clone(publication.table, clone, publication.options.at_creation)
    except UnsupportedError:  # not of this table, or not with these options
        return None
    crash_point("open.cloned")
    return clone
