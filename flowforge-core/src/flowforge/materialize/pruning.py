"""Which versions of a history are the newest ones of their key, and which are older."""

from __future__ import annotations

from flowforge.contract import Dialect, Session
from flowforge.materialize.history import IS_CURRENT, VALID_FROM, VALID_TO, History, Past
from flowforge.values import Relation

_RANK = "ff__rank"


def old_versions(session: Session, dialect: Dialect, target: Relation, history: History) -> int:
    """How many versions are not among the newest ``keep_last`` of their key."""
    kept = _is_kept(dialect, history)
    sql = f"SELECT COUNT(*) AS n FROM {_ranked(dialect, target, history)} AS ff_ranked WHERE NOT ({kept})"
    return int(session.query(sql).read_all().column(0)[0].as_py())


def kept_versions(dialect: Dialect, target: Relation, history: History, past: Past) -> str:
    """The query of the newest ``keep_last`` versions of each key; the current one is always among them."""
    columns = ", ".join(dialect.quote(name) for name in past.columns)
    kept = _is_kept(dialect, history)
    return f"SELECT {columns} FROM {_ranked(dialect, target, history)} AS ff_ranked WHERE {kept}"


def _is_kept(dialect: Dialect, history: History) -> str:
    assert history.keep_last is not None
    current = f"COALESCE({dialect.quote(IS_CURRENT)}, {dialect.literal(False)}) = {dialect.literal(True)}"
    return f"{dialect.quote(_RANK)} <= {int(history.keep_last)} OR {current}"


def _ranked(dialect: Dialect, target: Relation, history: History) -> str:
    key = ", ".join(dialect.quote(name) for name in history.key)
    current, began, ended = (dialect.quote(name) for name in (IS_CURRENT, VALID_FROM, VALID_TO))
    newest = f"CASE WHEN {current} = {dialect.literal(True)} THEN 0 ELSE 1 END, {began} DESC, {ended} DESC"
    rank = f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {newest}) AS {dialect.quote(_RANK)}"
    return f"(SELECT ff_old.*, {rank} FROM {dialect.render(target)} AS ff_old)"
