"""``_ff_quarantine_log``: what people decided about rows that were put aside, and what became of such rows by themselves.

Rows are only added. A *release* lets rows of one hash pass one check, a *drop* lets rows of one hash never be seen again;
both hold until the rows change. The table stands beside ``_ff_meta``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from flowforge.contract import Dialect, Session
from flowforge.crash import crash_point
from flowforge.state.fingerprint import digest
from flowforge.state.making import make_once, see_that_ours
from flowforge.state.meta import moment
from flowforge.values import Namespace, Relation

LOG_TABLE = "_ff_quarantine_log"
LOG_VERSION = 1
RELEASE, DROP, LEFT = "release", "drop", "left"
"""Let pass a check; forget; rows that left by themselves, because they changed or do not fail any more."""
_TEXTS = ("relation", "node", "decision", "check_name", "row_hash", "note", "decision_id", "decided_by")
_NAMES = (*_TEXTS, "rows", "decided_at", "version")


@attrs.frozen
class Decision:
    """One line of the log.

    Parameters
    ----------
    relation:
        The model's :func:`~flowforge.state.meta.relation_key`.
    decision_id:
        One for all lines that were written together; of rows that left by themselves, the run.
    decided_by:
        A user of the operating system; empty for runs.
    rows:
        How many rows it was about, where that is known.
    """

    relation: str
    node: str
    decision: str
    decision_id: str
    decided_by: str
    decided_at: dt.datetime
    check_name: str | None = None
    row_hash: str | None = None
    note: str | None = None
    rows: int | None = None


@attrs.frozen
class Released:
    """What was released of one relation: *digest* tells one set of decisions from another; *newest* is in UTC."""

    digest: str
    newest: dt.datetime


def log_table(namespace: Namespace) -> Relation:
    """The table of a profile: it lives in the profile's own schema."""
    return Relation(LOG_TABLE, namespace.schema, namespace.database)


def _columns(dialect: Dialect) -> dict[str, str]:
    import pyarrow as pa

    types = {**dict.fromkeys(_TEXTS, pa.string()), "decided_at": pa.timestamp("us")}
    return {name: dialect.type_name(types.get(name, pa.int64())) for name in _NAMES}


def ensure_log(session: Session, dialect: Dialect, namespace: Namespace) -> Relation:
    """Create the table when it is missing, and return its name.

    Before any worker starts, outside of a transaction. Several runs may do it at once.

    Raises
    ------
    StateError
        When a newer FlowForge has written the table (``FF2301``), or when it is somebody else's (``FF2302``).
    """
    table = log_table(namespace)
    if session.kind_of(table) is None:
        make_once(session, dialect, table, _columns(dialect))
        crash_point("decisions.created")
    see_that_ours(session, dialect, table, _NAMES, LOG_VERSION)
    return table


# -- its rows -------------------------------------------------------------------------------------------------------


def write_decision(session: Session, dialect: Dialect, table: Relation, decision: Decision) -> None:
    """Add one line."""
    _insert(session, dialect, table, "VALUES (" + ", ".join(_values(dialect, decision).values()) + ")")


def write_decisions(session: Session, dialect: Dialect, table: Relation, decision: Decision, hashes: str) -> None:
    """Add one line for each of some rows.

    Parameters
    ----------
    hashes:
        A query with the one column ``ff_hash``.
    """
    values = {**_values(dialect, decision), "row_hash": "ff_rows.ff_hash"}
    _insert(session, dialect, table, f"SELECT {', '.join(values.values())} FROM ({hashes}) AS ff_rows")


def _insert(session: Session, dialect: Dialect, table: Relation, source: str) -> None:
    columns = ", ".join(dialect.quote(name) for name in _NAMES)
    session.execute(f"INSERT INTO {dialect.render(table)} ({columns}) {source}")


def _values(dialect: Dialect, decision: Decision) -> dict[str, str]:
    kinds = _columns(dialect)
    values: dict[str, Any] = {**attrs.asdict(decision), "version": LOG_VERSION}
    values["decided_at"] = decision.decided_at.astimezone(dt.UTC).replace(tzinfo=None)
    return {
        name: dialect.cast("NULL", kinds[name]) if values[name] is None else dialect.literal(values[name])
        for name in _NAMES
    }


def hashes_of(dialect: Dialect, table: Relation, key: str, decision: str, check: str | None = None) -> str:
    """A query of the hashes that were released for a check, or dropped; none of them is NULL."""
    conditions = [_is(dialect, "relation", key), _is(dialect, "decision", decision)]
    if check is not None:
        conditions.append(_is(dialect, "check_name", check))
    column = dialect.quote("row_hash")
    return (
        f"SELECT ff_log.{column} FROM {dialect.render(table)} AS ff_log "
        f"WHERE {' AND '.join(conditions)} AND ff_log.{column} IS NOT NULL"
    )


def decided(session: Session, dialect: Dialect, table: Relation, key: str) -> tuple[Collection[str], bool]:
    """The checks that rows of a relation were released for, and whether any were dropped."""
    names = [dialect.quote(name) for name in ("decision", "check_name")]
    sql = f"SELECT DISTINCT {', '.join(names)} FROM {dialect.render(table)} WHERE {_is(dialect, 'relation', key)}"
    found = session.query(sql).read_all()
    rows = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    checks = {str(check) for decision, check in rows if decision == RELEASE and check is not None}
    return checks, any(decision == DROP for decision, _ in rows)


def released(session: Session, dialect: Dialect, table: Relation) -> Mapping[str, Released]:
    """What was released, by relation key; the table may be missing."""
    if session.kind_of(table) is None:
        return {}
    names = [dialect.quote(name) for name in ("relation", "decision_id")]
    at = dialect.quote("decided_at")
    sql = (
        f"SELECT {', '.join(names)}, MAX({at}) AS {at} FROM {dialect.render(table)} "
        f"WHERE {_is(dialect, 'decision', RELEASE)} GROUP BY {', '.join(names)}"
    )
    found: dict[str, list[tuple[str, dt.datetime]]] = {}
    answer = session.query(sql).read_all()
    for key, made, newest in zip(*(column.to_pylist() for column in answer.columns), strict=True):
        found.setdefault(str(key), []).append((str(made), moment(newest)))
    return {
        key: Released(digest(sorted(made for made, _ in some)), max(newest for _, newest in some))
        for key, some in found.items()
    }


def read_decisions(session: Session, dialect: Dialect, table: Relation, key: str) -> Sequence[Decision]:
    """All lines of one relation, the oldest first."""
    fields = [field.name for field in attrs.fields(Decision)]
    listed = ", ".join(dialect.quote(name) for name in fields)
    sql = f"SELECT {listed} FROM {dialect.render(table)} WHERE {_is(dialect, 'relation', key)}"
    found = session.query(sql).read_all()
    lines = []
    for values in zip(*(column.to_pylist() for column in found.columns), strict=True):
        line = dict(zip(fields, values, strict=True))
        lines.append(Decision(**{**line, "decided_at": moment(line["decided_at"])}))
    return sorted(lines, key=lambda one: one.decided_at)


def _is(dialect: Dialect, name: str, value: str) -> str:
    return f"{dialect.quote(name)} = {dialect.literal(value)}"
