"""Which rows that stand were released from a check, so that it does not speak of them any more."""

from __future__ import annotations

from flowforge.contract import Session
from flowforge.project.manifest import CheckDecl
from flowforge.project.quarantining import QUARANTINE
from flowforge.run.check_tables import CheckTables
from flowforge.state.decisions import RELEASE, decided, hashes_of, log_table
from flowforge.state.meta import relation_key


def spared(session: Session, tables: CheckTables, check: CheckDecl) -> str | None:
    """The condition of standing rows that were released from a check; ``None``: no row was."""
    if check.on_fail != QUARANTINE or check.node is None:
        return None
    dialect, log = tables.dialect, log_table(tables.namespace)
    if session.kind_of(log) is None:
        return None
    relation = tables.compiler.relation(tables.manifest.nodes[check.node])
    key = relation_key(dialect, relation, tables.namespace)
    checks, _ = decided(session, dialect, log, key)
    schema = session.schema_of(relation) if check.id in checks else None
    if schema is None:
        return None
    hash_ = dialect.row_hash({field.name: field.type for field in schema})
    return f"({hash_}) IN ({hashes_of(dialect, log, key, RELEASE, check.id)})"
