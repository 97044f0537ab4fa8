"""``_ff_meta``: the table that says what a run left in the database. It is the truth; files are only hints.

Knows how its rows are written, read and brought up to the present version; not when.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from flowforge.contract import Dialect, Session
from flowforge.crash import crash_point
from flowforge.errors import StateError
from flowforge.frozen import frozen
from flowforge.state.making import await_turn, make_once
from flowforge.values import Namespace, Relation, RelationKind

META_TABLE = "_ff_meta"
META_VERSION = 2
_PLAIN = re.compile(r'[^\s.",\x00-\x1f\x7f]+')


@frozen
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
        :data:`ALONE`: written by somebody who has not looked for others, because there cannot be any.
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

    @property
    def next_sequence(self) -> int:
        """The sequence of the note that follows this one."""
        return (1 if self.sequence == ALONE else self.sequence) + 1


ALONE = -1
"""The sequence of a first note, written unread in the transaction that made the relation under a free name.

Whoever makes a relation proves by it that no other run has one there, so there is no note of one either, unless somebody
has removed the relation and left its note. Then there are two, of which nobody can tell which one is meant, and reading
them says that nothing is known: the relation is built again, and both notes go.
"""

_FIELDS = tuple(field.name for field in attrs.fields(MetaRow))
_ALL = (*_FIELDS, "version")
_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def meta_table(namespace: Namespace) -> Relation:
    """The meta table of a profile: it lives in the profile's own schema."""
    return Relation(META_TABLE, namespace.schema, namespace.database)


def relation_key(dialect: Dialect, relation: Relation, namespace: Namespace) -> str:
    """The name of *relation* in ``_ff_meta``: ``orders``, or ``other.orders`` outside of the profile's schema.

    Two names that the engine takes for the same have one key, and no name can be written so that it looks like
    another one's schema and name.

    Parameters
    ----------
    namespace:
        The profile's own.
    """

    def folded(part: str | None) -> str:
        return dialect.fold(part).casefold() if part else ""

    relation = relation.within(namespace)
    parts = [folded(relation.database), folded(relation.schema), folded(relation.name)]
    if parts[0] == folded(namespace.database):
        parts = parts[1:] if parts[1] != folded(namespace.schema) else parts[2:]
    return ".".join(part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in parts)


# -- the table ------------------------------------------------------------------------------------------------------


def _columns(dialect: Dialect) -> dict[str, str]:
    text, number, moment = (dialect.plain_type(word) for word in ("string", "int64", "timestamp[us]"))
    special = {"rows": number, "built_at": moment, "sequence": number, "version": number}
    return {name: special.get(name, text) for name in (*_FIELDS, "version")}


def ensure_meta(session: Session, dialect: Dialect, namespace: Namespace) -> Relation:
    """Create the meta table when it is missing, or bring it up to this version, and return its name.

    Once a run, before any worker starts, outside of a transaction. Several runs may do it at once.

    Raises
    ------
    StateError
        When a newer FlowForge has written the table (``FF2301``), or when it is somebody else's (``FF2302``).
    """
    table = meta_table(namespace)
    kind = session.kind_of(table)
    if kind is None:
        make_once(session, dialect, table, _columns(dialect))
        crash_point("meta.created")
        kind = session.kind_of(table)
    if kind is not RelationKind.TABLE:
        raise StateError(
            f"{table} is a {kind.value if kind else 'missing relation'}, where FlowForge keeps its notes",
            code="FF2302",
            help="rename or drop it, or give the profile a schema of its own",
        )
    if not _is_as_ever(session, dialect, table) and not _is_current(session, dialect, table):
        _migrate(session, dialect, table, namespace)
    return table


def _is_as_ever(session: Session, dialect: Dialect, table: Relation) -> bool:
    """Whether the table has all columns, and its newest row, if any, is of this version; without Arrow, in doubt not."""
    version = dialect.quote("version")
    # With the table's name in front: there are engines for which a quoted name that they do not know is a text.
    listed = ", ".join(f"ff__meta.{dialect.quote(name)}" for name in (*_FIELDS, "version"))
    every = f"SELECT {listed} FROM {dialect.render(table)} AS ff__meta"
    try:
        ((newest,),) = session.fetch(f"SELECT MAX({version}) AS {version} FROM ({every}) AS ff__notes")
        return newest is None or int(newest) == META_VERSION
    except Exception:  # noqa: BLE001 - the careful look says what is wrong
        return False


def _is_current(session: Session, dialect: Dialect, table: Relation) -> bool:
    schema = session.schema_of(table)
    found = {name.casefold() for name in schema.names} if schema is not None else set()
    if "version" in found:
        column = dialect.quote("version")
        newest = _one(session, f"SELECT MAX({column}) AS {column} FROM {dialect.render(table)}")
        if newest is not None and int(newest) > META_VERSION:
            raise StateError(
                f"{table} was written by a newer FlowForge (version {newest}, this one knows {META_VERSION})",
                help="upgrade flowforge-core here, or use another schema",
            )
    if not {"node_name", "relation"} <= found:
        raise StateError(
            f"the table {table} is not FlowForge's, but has the name that FlowForge needs",
            code="FF2302",
            help="rename or drop it, or give the profile a schema of its own",
        )
    return set(_columns(dialect)) <= found


def _migrate(session: Session, dialect: Dialect, table: Relation, namespace: Namespace) -> None:
    """Copy what an older version noted into a new table that takes the old one's place.

    Notes of older versions never let anybody skip a node, so a note that gets lost here between two runs that do
    this at once costs one build, no more.
    """
    staged = table.renamed(f"ff__{META_TABLE.strip('_')}__{uuid.uuid4().hex[:10]}__migration")
    try:
        with session.transaction():
            await_turn(session, dialect, table)
            if _is_current(session, dialect, table):
                return
            rows = _read_older(session, dialect, table, namespace)
            session.create_table(dialect, staged, _columns(dialect))
            if rows:
                _insert(session, dialect, staged, rows)
            session.replace(staged, table)
            crash_point("meta.migrated")
    except Exception:
        if not _is_current(session, dialect, table):  # otherwise another run was faster
            raise


def _read_older(session: Session, dialect: Dialect, table: Relation, namespace: Namespace) -> list[MetaRow]:
    """Rows of version 1, and of FastFlowTransform, which calls the fingerprint ``fp``."""
    found = session.query(f"SELECT * FROM {dialect.render(table)}").read_all()
    names = [name.casefold() for name in found.schema.names]
    rows = {}
    for values in zip(*(column.to_pylist() for column in found.columns), strict=True):
        old = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        key = relation_key(dialect, Relation(str(old.get("relation") or old.get("node_name") or "")), namespace)
        rows[key] = MetaRow(
            node_name=str(old.get("node_name", "")),
            relation=key,
            fingerprint=str(old.get("fingerprint", old.get("fp", ""))),
            data_id=str(old.get("data_id") or uuid.uuid4().hex),
            engine=str(old.get("engine", "")),
            run_id=str(old.get("run_id", "")),
            built_at=moment(old.get("built_at")),
            rows=old.get("rows"),
        )
    return list(rows.values())


# -- its rows -------------------------------------------------------------------------------------------------------


def read_meta(session: Session, dialect: Dialect, table: Relation) -> dict[str, MetaRow]:
    """What stands under every relation, by :func:`relation_key`."""
    return _rows(session.fetch(f"SELECT {_listed(dialect)} FROM {dialect.render(table)}"))


def read_meta_row(session: Session, dialect: Dialect, table: Relation, key: str) -> MetaRow | None:
    """What stands under the relation whose :func:`relation_key` is *key*; ``None``: nothing is noted."""
    return _rows(session.find_rows(dialect, table, _FIELDS, {"relation": key})).get(key)


def _rows(found: Iterable[Sequence[Any]]) -> dict[str, MetaRow]:
    rows: dict[str, MetaRow] = {}
    torn = set[str]()
    for values in found:
        row = _row(dict(zip(_FIELDS, values, strict=True)))
        other = rows.get(row.relation)
        if other is not None and other != row and ALONE in (other.sequence, row.sequence):
            torn.add(row.relation)
        if other is None or other.sequence < row.sequence:
            rows[row.relation] = row
        elif other.sequence == row.sequence and other != row:
            # Two runs wrote one relation against the rules: nobody knows whose rows stand there.
            rows[row.relation] = _unknown(row)
    for key in torn:
        rows[key] = _unknown(rows[key])
    return rows


def _unknown(row: MetaRow) -> MetaRow:
    """*row*, but for what it says of the rows that stand there."""
    return attrs.evolve(row, fingerprint="", data_id=uuid.uuid4().hex, content="")


@functools.lru_cache(maxsize=8)
def _listed(dialect: Dialect) -> str:
    return ", ".join(dialect.quote(name) for name in _FIELDS)


def _row(values: Mapping[str, Any]) -> MetaRow:
    rows, sequence = values["rows"], values["sequence"]
    texts = {name: "" if values[name] is None else str(values[name]) for name in _FIELDS if name not in _NO_TEXT}
    try:
        return MetaRow(
            **texts,
            built_at=moment(values["built_at"]),
            rows=None if rows is None else int(rows),
            sequence=int(sequence or 0),
        )
    except (ValueError, TypeError, OverflowError):
        # Written by another hand, which may have changed more than that: nobody knows what stands there.
        return _unknown(MetaRow(**texts, built_at=_NEVER, rows=None, sequence=0))


_NO_TEXT = ("built_at", "rows", "sequence")


def moment(value: Any) -> dt.datetime:
    """A time as engines give it back, in UTC; without a time zone it is taken for UTC."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime):
        return _NEVER
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def write_meta(session: Session, dialect: Dialect, table: Relation, row: MetaRow, *, first: bool = False) -> None:
    """Replace the relation's row. Called inside the transaction that publishes the relation.

    Parameters
    ----------
    first:
        This transaction has found, under the relation's lock, that there is none, or *row* stands :data:`ALONE`.
    """
    if first:
        _insert(session, dialect, table, [row])
    else:
        session.exchange_rows(dialect, table, _ALL, _line(row), {"relation": row.relation})


def append_meta(session: Session, dialect: Dialect, table: Relation, row: MetaRow) -> None:
    """Add a row, which is the valid one if its sequence is the highest."""
    _insert(session, dialect, table, [row])


def forget(session: Session, dialect: Dialect, table: Relation, key: str, *, before: int | None = None) -> None:
    """Remove the rows of one relation.

    Parameters
    ----------
    before:
        Only rows of a lower sequence.
    """
    older = "" if before is None else f" AND {dialect.quote('sequence')} < {dialect.literal(before)}"
    session.delete_rows(dialect, table, f"{_is(dialect, key)}{older}")


def _is(dialect: Dialect, key: str) -> str:
    return f"{dialect.quote('relation')} = {dialect.literal(key)}"


def _insert(session: Session, dialect: Dialect, table: Relation, rows: Sequence[MetaRow]) -> None:
    session.add_rows(dialect, table, _ALL, [_line(row) for row in rows])


def _line(row: MetaRow) -> list[Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    values["built_at"] = row.built_at.astimezone(dt.UTC).replace(tzinfo=None)
    return [*values.values(), META_VERSION]


def _one(session: Session, sql: str) -> Any:
    (column,) = session.query(sql).read_all().columns
    return column.to_pylist()[0] if len(column) else None
