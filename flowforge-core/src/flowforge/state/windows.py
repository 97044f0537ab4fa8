"""``_ff_windows``: which windows of time a table was built for, when, and from what. It stands beside ``_ff_meta``.

Its rows count only for the table that they were written for. That table is told by its *generation*: every data id
that ``_ff_meta`` gets for it begins with it, so that whatever else takes the table's place makes the rows worthless.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flowforge.contract import Dialect, Session
from flowforge.crash import crash_point
from flowforge.frozen import frozen
from flowforge.project.windows import Window
from flowforge.state.making import make_once, see_that_ours
from flowforge.state.meta import moment
from flowforge.values import Namespace, Relation

WINDOWS_TABLE = "_ff_windows"
WINDOWS_VERSION = 1
_DATA_ID = re.compile(r"(w[0-9a-f]{16})\.[0-9a-f]{32}")
_AT_ONCE = 500  # rows of one INSERT


@frozen
class WindowNote:
    """A window that was built.

    Parameters
    ----------
    built_at:
        When its rows began to be read, or before; UTC. A window that had not ended then is not complete.
    fingerprint:
        What the rows were made from; empty when it is not known.
    """

    window: Window
    run_id: str
    built_at: dt.datetime
    rows: int | None = None
    fingerprint: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the window had ended when it was built."""
        return self.window.end <= self.built_at


def new_generation() -> str:
    """The generation of a table that is built anew."""
    return f"w{uuid.uuid4().hex[:16]}"


def data_id_of(generation: str) -> str:
    """A data id of this generation that was never given to anything."""
    return f"{generation}.{uuid.uuid4().hex}"


def generation_of(data_id: str) -> str | None:
    """The generation that a data id speaks of; ``None`` when it was not made by :func:`data_id_of`."""
    match = _DATA_ID.fullmatch(data_id)
    return match[1] if match is not None else None


def windows_table(namespace: Namespace) -> Relation:
    """The table of a profile: it lives in the profile's own schema."""
    return Relation(WINDOWS_TABLE, namespace.schema, namespace.database)


# -- the table ------------------------------------------------------------------------------------------------------

_TEXTS = ("relation", "generation", "run_id", "fingerprint")
_MOMENTS = ("window_start", "window_end", "built_at")
_NAMES = (*_TEXTS, *_MOMENTS, "rows", "version")


def _columns(dialect: Dialect) -> dict[str, str]:
    import pyarrow as pa

    types = {**dict.fromkeys(_TEXTS, pa.string()), **dict.fromkeys(_MOMENTS, pa.timestamp("us"))}
    return {name: dialect.type_name(types.get(name, pa.int64())) for name in _NAMES}


def ensure_windows(session: Session, dialect: Dialect, namespace: Namespace) -> Relation:
    """Create the table when it is missing, and return its name.

    Once a run that builds windows, before any worker starts, outside of a transaction. Several runs may do it at once.

    Raises
    ------
    StateError
        When a newer FlowForge has written the table (``FF2301``), or when it is somebody else's (``FF2302``).
    """
    table = windows_table(namespace)
    if session.kind_of(table) is None:
        make_once(session, dialect, table, _columns(dialect))
        crash_point("windows.created")
    see_that_ours(session, dialect, table, _NAMES, WINDOWS_VERSION)
    return table


# -- its rows -------------------------------------------------------------------------------------------------------


def read_windows(
    session: Session, dialect: Dialect, table: Relation, key: str, generation: str
) -> dict[Window, WindowNote]:
    """The windows that were built for one table, by window.

    Parameters
    ----------
    key:
        The table's :func:`~flowforge.state.meta.relation_key`.
    """
    names = ("window_start", "window_end", "run_id", "built_at", "rows", "fingerprint")
    listed = ", ".join(dialect.quote(name) for name in names)
    condition = f"{_is(dialect, 'relation', key)} AND {_is(dialect, 'generation', generation)}"
    found = session.query(f"SELECT {listed} FROM {dialect.render(table)} WHERE {condition}").read_all()
    notes: dict[Window, WindowNote] = {}
    for start, end, run_id, built_at, rows, made_of in zip(*(one.to_pylist() for one in found.columns), strict=True):
        window = Window(moment(start), moment(end))
        note = WindowNote(window, str(run_id or ""), moment(built_at), rows, str(made_of or ""))
        other = notes.get(window)
        if other is None or other.built_at < note.built_at:
            notes[window] = note
    return notes


def newest_windows(session: Session, dialect: Dialect, table: Relation) -> dict[tuple[str, str], dt.datetime]:
    """When the newest window of each table ends, by relation key and generation; the table may be missing."""
    if session.kind_of(table) is None:
        return {}
    key, generation, end = (dialect.quote(name) for name in ("relation", "generation", "window_end"))
    sql = f"SELECT {key}, {generation}, MAX({end}) AS {end} FROM {dialect.render(table)} GROUP BY {key}, {generation}"
    found = session.query(sql).read_all()
    return {
        (str(relation), str(made)): moment(newest)
        for relation, made, newest in zip(*(column.to_pylist() for column in found.columns), strict=True)
    }


def note_windows(
    session: Session, dialect: Dialect, table: Relation, key: str, generation: str, notes: Sequence[WindowNote]
) -> None:
    """Note one window, or all of a table; what was noted of that time, and of other generations, is forgotten.

    Called inside the transaction that publishes the rows; without transactions, when they stand there, and before
    ``_ff_meta`` says so.
    """
    start, end = dialect.quote("window_start"), dialect.quote("window_end")
    mine, same = _is(dialect, "relation", key), _is(dialect, "generation", generation)
    session.delete_rows(dialect, table, f"{mine} AND NOT ({same})")
    first, last = min(note.window.start for note in notes), max(note.window.end for note in notes)
    condition = f"{start} < {_literal(dialect, last)} AND {end} > {_literal(dialect, first)}"
    session.delete_rows(dialect, table, f"{mine} AND {condition}")
    for at in range(0, len(notes), _AT_ONCE):
        session.add_rows(dialect, table, _NAMES, [_line(key, generation, note) for note in notes[at : at + _AT_ONCE]])


def _line(key: str, generation: str, note: WindowNote) -> list[Any]:
    values: Mapping[str, Any] = {
        "relation": key,
        "generation": generation,
        "run_id": note.run_id,
        "fingerprint": note.fingerprint,
        "window_start": _plain(note.window.start),
        "window_end": _plain(note.window.end),
        "built_at": _plain(note.built_at),
        "rows": note.rows,
        "version": WINDOWS_VERSION,
    }
    return [values[name] for name in _NAMES]


def _plain(value: dt.datetime) -> dt.datetime:
    return value.astimezone(dt.UTC).replace(tzinfo=None)


def _literal(dialect: Dialect, value: dt.datetime) -> str:
    return dialect.literal(_plain(value))


def _is(dialect: Dialect, name: str, value: str) -> str:
    return f"{dialect.quote(name)} = {dialect.literal(value)}"
