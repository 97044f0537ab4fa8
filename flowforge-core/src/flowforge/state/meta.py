"""``_ff_meta``: the table that says what a run left in the database. It is the truth; files are only hints."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from flowforge.contract import Dialect, Session
from flowforge.values import Namespace, Relation

META_TABLE = "_ff_meta"
META_VERSION = 2


@attrs.frozen
class MetaRow:
    """What stands under a relation's name.

    Parameters
    ----------
    relation:
        The :func:`relation_key` of the relation: there is one valid row for each.
    fingerprint:
        The text of a :class:`~flowforge.state.fingerprint.Fingerprint`: what the rows were made from; empty when it
        is not known, which means: build again.
    data_id:
        New whenever the rows may have changed. A seed's is its content's hash.
    rows:
        Number of rows; ``None`` for views, and where the engine did not say.
    built_at:
        UTC.
    content:
        ``Session.content_hash`` of the rows; empty when it was not asked for.
    layout:
        ``Session.layout`` of the relation right after it was published; empty when not known.
    sequence:
        Counts the publications of this relation; where rows can only be appended, the highest is the valid one.
    """

    node_name: str
    relation: str
    fingerprint: str
    data_id: str
    engine: str
    run_id: str
    built_at: dt.datetime
    rows: int | None = None
    content: str = ""
    layout: str = ""
    sequence: int = 0


def meta_table(namespace: Namespace) -> Relation:
    """The meta table of a profile: it lives in the profile's own schema."""
    return Relation(META_TABLE, namespace.schema, namespace.database)


def _columns(dialect: Dialect) -> dict[str, str]:
    import pyarrow as pa

    text, number, moment = (dialect.type_name(kind) for kind in (pa.string(), pa.int64(), pa.timestamp("us")))
    return {
        "node_name": text,
        "relation": text,
        "fingerprint": text,
        "data_id": text,
        "engine": text,
        "run_id": text,
        "rows": number,
        "built_at": moment,
        "version": number,
    }


def ensure_meta(session: Session, dialect: Dialect, namespace: Namespace) -> Relation:
    """Create the meta table when it is missing, and return its name. Once a run, before any worker starts."""
    table = meta_table(namespace)
    if session.kind_of(table) is None:
        if table.schema:
            session.ensure_schema(table)
        columns = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in _columns(dialect).items())
        session.execute(f"CREATE TABLE IF NOT EXISTS {dialect.render(table)} ({columns})")
    return table


def write_meta(session: Session, dialect: Dialect, table: Relation, row: MetaRow) -> None:
    """Replace the node's row. Called inside the transaction that publishes the relation."""
    values: dict[str, Any] = {**attrs.asdict(row), "version": META_VERSION}
    values["built_at"] = row.built_at.astimezone(dt.UTC).replace(tzinfo=None)
    name = dialect.render(table)
    node = dialect.quote("node_name")
    session.execute(f"DELETE FROM {name} WHERE {node} = {dialect.literal(row.node_name)}")
    columns = ", ".join(dialect.quote(column) for column in values)
    literals = ", ".join(dialect.literal(value) for value in values.values())
    session.execute(f"INSERT INTO {name} ({columns}) VALUES ({literals})")
