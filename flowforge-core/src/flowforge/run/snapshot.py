"""Reads what the database holds when a run begins: the rows of ``_ff_meta``, and what stands under which name."""

from __future__ import annotations

from collections.abc import Iterable

from flowforge.contract import Dialect, Session
from flowforge.run.ledger import Snapshot, Standing
from flowforge.state.decisions import log_table, released
from flowforge.state.meta import read_meta, relation_key
from flowforge.state.windows import newest_windows, windows_table
from flowforge.values import Namespace, Relation


def take_snapshot(
    session: Session,
    dialect: Dialect,
    home: Namespace,
    table: Relation,
    places: Iterable[Namespace],
    *,
    windows: bool = False,
) -> Snapshot:
    """The snapshot of the schemas *places*; a schema that does not exist is empty.

    Parameters
    ----------
    home:
        The profile's own name space.
    table:
        The meta table; it may be missing.
    windows:
        Look as well which windows were built.
    """
    standing, places = {}, tuple(dict.fromkeys(places))
    for place in places:
        layouts = session.layouts(place)
        for info in session.relations(place):
            relation = Relation(info.relation.name, place.schema, place.database)
            standing[relation_key(dialect, relation, home)] = Standing(info.kind, layouts.get(info.relation.name))
    rows = read_meta(session, dialect, table) if session.kind_of(table) is not None else {}
    newest = newest_windows(session, dialect, windows_table(home)) if windows else {}
    log = log_table(home)
    unseen = relation_key(dialect, log, home) not in standing and home in places
    freed = {} if unseen else released(session, dialect, log)
    return Snapshot(rows, standing, newest, freed)
