"""``_ff_quarantine_log``: what people decided about rows that were put aside, and what became of such rows by themselves.

Rows are only added. A *release* lets rows of one hash pass one check, a *hold* takes that back, a *drop* lets rows of one
hash never be seen again; they count until the rows change. Of a release and a hold, the later one counts: whoever writes
one is alone with the model, and gives it a later time than all before. The table stands beside ``_ff_meta``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from flowforge.contract import Dialect, Session
from flowforge.crash import crash_point
from flowforge.frozen import frozen
from flowforge.state.fingerprint import digest
from flowforge.state.making import make_once, see_that_ours
from flowforge.state.meta import moment
from flowforge.values import Namespace, Relation

LOG_TABLE = "_ff_quarantine_log"
LOG_VERSION = 2
RELEASE, HOLD, DROP, LEFT = "release", "hold", "drop", "left"
"""Let pass a check; do not any more; forget; rows that left by themselves, because they changed or do not fail any more."""
_SINCE = {HOLD: 2}
"""The version of the log that first knew a decision; any other is as old as the log."""
_TEXTS = ("relation", "node", "decision", "check_name", "row_hash", "note", "decision_id", "decided_by")
_NAMES = (*_TEXTS, "rows", "decided_at", "version")


@frozen
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


@frozen
class Released:
    """What was released of one relation, and taken back: *digest* tells one set of decisions from another; *newest* is in UTC."""

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
    values: dict[str, Any] = {**attrs.asdict(decision), "version": _SINCE.get(decision.decision, 1)}
    values["decided_at"] = decision.decided_at.astimezone(dt.UTC).replace(tzinfo=None)
    return {
        name: dialect.cast("NULL", kinds[name]) if values[name] is None else dialect.literal(values[name])
        for name in _NAMES
    }


def hashes_of(dialect: Dialect, table: Relation, key: str, decision: str, check: str | None = None) -> str:
    """A query of the hashes that are released for a check, or dropped; none of them is NULL."""
    conditions = [_is(dialect, "relation", key)]
    if check is not None:
        conditions.append(_is(dialect, "check_name", check))
    column = dialect.quote("row_hash")
    if decision != RELEASE:
        conditions.append(_is(dialect, "decision", decision))
        return (
            f"SELECT ff_log.{column} FROM {dialect.render(table)} AS ff_log "
            f"WHERE {' AND '.join(conditions)} AND ff_log.{column} IS NOT NULL"
        )
    conditions.append(_any_of(dialect, (RELEASE, HOLD)))
    return (
        f"SELECT ff_log.{column} FROM {dialect.render(table)} AS ff_log "
        f"WHERE {' AND '.join(conditions)} AND ff_log.{column} IS NOT NULL "
        f"GROUP BY ff_log.{column} HAVING {_is_free(dialect)}"
    )


def _is_free(dialect: Dialect) -> str:
    """Of the decisions about one row and one check: it is released, and that was not taken back."""
    said, at = f"ff_log.{dialect.quote('decision')}", f"ff_log.{dialect.quote('decided_at')}"
    freed, held = (f"MAX(CASE WHEN {said} = {dialect.literal(one)} THEN {at} END)" for one in (RELEASE, HOLD))
    return f"{freed} IS NOT NULL AND ({held} IS NULL OR {freed} > {held})"


def _any_of(dialect: Dialect, decisions: Sequence[str]) -> str:
    return f"ff_log.{dialect.quote('decision')} IN ({', '.join(map(dialect.literal, decisions))})"


def free_rows(session: Session, dialect: Dialect, table: Relation, key: str) -> Sequence[tuple[str, str]]:
    """The releases of a relation that count: pairs of a check and the hash of a row, sorted."""
    check, row = (f"ff_log.{dialect.quote(name)}" for name in ("check_name", "row_hash"))
    conditions = [_is(dialect, "relation", key), _any_of(dialect, (RELEASE, HOLD)), f"{row} IS NOT NULL"]
    sql = (
        f"SELECT {check} AS ff_check, {row} AS ff_hash FROM {dialect.render(table)} AS ff_log "
        f"WHERE {' AND '.join(conditions)} GROUP BY {check}, {row} HAVING {_is_free(dialect)}"
    )
    found = session.query(sql).read_all()
    return sorted((str(one), str(two)) for one, two in zip(*(part.to_pylist() for part in found.columns), strict=True))


def next_moment(session: Session, dialect: Dialect, table: Relation, key: str, now: dt.datetime) -> dt.datetime:
    """A time for a new decision about a relation: *now*, or what comes after all of them. Called by whoever is alone."""
    at = dialect.quote("decided_at")
    sql = f"SELECT MAX({at}) AS {at} FROM {dialect.render(table)} WHERE {_is(dialect, 'relation', key)}"
    newest = session.query(sql).read_all().column(0)[0].as_py()
    return now if newest is None else max(now, moment(newest) + dt.timedelta(microseconds=1))


def decided(session: Session, dialect: Dialect, table: Relation, key: str) -> tuple[Collection[str], bool]:
    """The checks that rows of a relation were released for, and whether any were dropped."""
    names = [dialect.quote(name) for name in ("decision", "check_name")]
    sql = f"SELECT DISTINCT {', '.join(names)} FROM {dialect.render(table)} WHERE {_is(dialect, 'relation', key)}"
    found = session.query(sql).read_all()
    rows = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    checks = {str(check) for decision, check in rows if decision == RELEASE and check is not None}
    return checks, any(decision == DROP for decision, _ in rows)


def released(session: Session, dialect: Dialect, table: Relation) -> Mapping[str, Released]:
    """What was released and taken back, by relation key; the table may be missing."""
    if session.kind_of(table) is None:
        return {}
    names = [dialect.quote(name) for name in ("relation", "decision_id")]
    at = dialect.quote("decided_at")
    sql = (
        f"SELECT {', '.join(names)}, MAX({at}) AS {at} FROM {dialect.render(table)} "
        f"WHERE {dialect.quote('decision')} IN ({dialect.literal(RELEASE)}, {dialect.literal(HOLD)}) GROUP BY {', '.join(names)}"
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


@frozen
class Entry:
    """One decision, as the log shows it: what somebody did at once about one model's rows and one check.

    Parameters
    ----------
    rows:
        How many different rows it was about; of rows that left by themselves, how many these were.
    row_hash:
        The row, if it was a single one.
    """

    decision_id: str
    decided_at: dt.datetime
    decided_by: str
    decision: str
    node: str
    check_name: str | None
    rows: int
    row_hash: str | None
    note: str | None


def read_log(
    session: Session,
    dialect: Dialect,
    table: Relation,
    *,
    keys: Collection[str] | None,
    checks: Collection[str] = (),
    hashes: Collection[str] = (),
    limit: int | None = None,
) -> Sequence[Entry]:
    """What was decided, the newest first.

    Parameters
    ----------
    keys:
        Only about these relations; ``None``: about all.
    checks:
        Only about these checks; none: about all, and about whole rows.
    hashes:
        Only about rows whose hashes begin so; none: about all.
    """
    column = {name: dialect.quote(name) for name in _NAMES}
    conditions = []
    for name, some in (("relation", keys), ("check_name", checks or None)):
        if some is not None:
            listed = ", ".join(map(dialect.literal, sorted(some)))
            conditions.append(f"{column[name]} IN ({listed})" if listed else "1 = 0")
    if hashes:
        begins = [f"SUBSTR({column['row_hash']}, 1, {len(one)}) = {dialect.literal(one)}" for one in sorted(hashes)]
        conditions.append(f"({' OR '.join(begins)})")
    grouped = ("decision_id", "decided_by", "decision", "node", "relation", "check_name", "note")
    row = column["row_hash"]
    sql = (
        f"SELECT {', '.join(column[name] for name in grouped)}, MAX({column['decided_at']}) AS ff_at, "
        f"COUNT(DISTINCT {row}) AS ff_hashes, MIN({row}) AS ff_hash, MAX({column['rows']}) AS ff_rows "
        f"FROM {dialect.render(table)} {'WHERE ' + ' AND '.join(conditions) if conditions else ''} "
        f"GROUP BY {', '.join(column[name] for name in grouped)} "
        f"ORDER BY ff_at DESC, {column['decision_id']}, {column['check_name']}"
        f"{f' LIMIT {limit}' if limit is not None else ''}"
    )
    found = session.query(sql).read_all()
    entries = []
    for *texts, at, many, one, rows in zip(*(part.to_pylist() for part in found.columns), strict=True):
        said = dict(zip(grouped, texts, strict=True))
        entries.append(
            Entry(
                decision_id=said["decision_id"],
                decided_at=moment(at),
                decided_by=said["decided_by"] or "",
                decision=said["decision"],
                node=said["node"],
                check_name=said["check_name"],
                rows=int(many or rows or 0),
                row_hash=one if many == 1 else None,
                note=said["note"],
            )
        )
    return entries


def _is(dialect: Dialect, name: str, value: str) -> str:
    return f"{dialect.quote(name)} = {dialect.literal(value)}"
