"""How the nodes and sources of a project stand, as far as runs have seen them. It belongs to the project's memory.

One row for each, of one profile and one engine, so that it grows with the project and not with time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.state.records import NodeRecord
from flowforge.state.store_connection import Statement, StoreConnection, storable

_MESSAGE = 500  # characters of a message that are kept

_ENDED = """
    INSERT INTO assets SELECT env, engine, ?, ?, CASE WHEN ? THEN run_id END, ?, ?, run_id, ?, ?, ?, ?
    FROM runs WHERE run_id = ?
    ON CONFLICT (env, engine, node) DO UPDATE SET
        built_at = coalesce(excluded.built_at, built_at), built_run = coalesce(excluded.built_run, built_run),
        rows = CASE WHEN excluded.built_at IS NULL THEN rows ELSE excluded.rows END, ended_at = excluded.ended_at,
        ended_run = excluded.ended_run, status = excluded.status, message = excluded.message, code = excluded.code,
        changed_at = coalesce(excluded.changed_at, changed_at)"""
_AGE = "INSERT OR REPLACE INTO source_ages VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@frozen
class NodeNote:
    """How a node stands.

    Parameters
    ----------
    built_at, built_run:
        When it was last built, in UTC, and by which run; ``None``: that is not known.
    rows:
        Of that build.
    changed_at:
        When its rows last became others: a build may have found equal ones.
    ended_at, ended_run, status, message, code:
        How the last attempt ended, which may have found that nothing is to do.
    """

    node: str
    built_at: dt.datetime | None
    built_run: str | None
    rows: int | None
    ended_at: dt.datetime
    ended_run: str
    status: Status
    message: str | None
    code: str | None
    changed_at: dt.datetime | None = None


@frozen
class AgeNote:
    """How old a source was when somebody looked: *newest* is its newest row's time, *age* is in seconds.

    *status* is ``pass``, ``warn``, ``error`` or ``failed``.
    """

    source: str
    at: dt.datetime
    status: str
    newest: dt.datetime | None = None
    age: float | None = None
    message: str | None = None


def ended(run_id: str, record: NodeRecord, node: str) -> Statement:
    """Writes how a node of a run ended; *node* is its name as the file can hold it."""
    at = (record.started_at + dt.timedelta(seconds=record.duration)).isoformat()
    built = record.status is Status.SUCCESS
    message = storable(record.message)[:_MESSAGE] if record.message else None
    status = record.status.value
    changed = at if built and not record.same_data else None
    return _ENDED, (node, at if built else None, built, record.rows, at, status, message, record.code, changed, run_id)


class AssetNotes:
    """Reads and writes how things stand. Safe from any thread; obtained from the store."""

    def __init__(self, file: StoreConnection) -> None:
        self._file = file

    @property
    def readable(self) -> bool:
        """Whether what earlier runs noted can be read."""
        return self._file.whole

    def note_ages(self, env: str, engine: str, ages: Iterable[AgeNote]) -> None:
        """Note how old sources are, in one transaction."""
        self._file.write(
            *(
                (
                    _AGE,
                    (
                        env,
                        engine,
                        one.source,
                        one.at.isoformat(),
                        one.status,
                        one.newest.isoformat() if one.newest else None,
                        one.age,
                        storable(one.message)[:_MESSAGE] if one.message else None,
                    ),
                )
                for one in ages
            )
        )

    def nodes(self, env: str, engine: str) -> Mapping[str, NodeNote]:
        """By name, the nodes of which anything is known."""
        found = {}
        for node, built, built_run, rows, at, run, status, message, code, changed in self._file.rows(
            "SELECT node, built_at, built_run, rows, ended_at, ended_run, status, message, code, changed_at FROM assets"
            " WHERE env = ? AND engine = ?",
            (env, engine),
        ):
            try:
                found[node] = NodeNote(
                    node,
                    dt.datetime.fromisoformat(built) if built else None,
                    built_run,
                    rows,
                    dt.datetime.fromisoformat(at),
                    run,
                    Status(status),
                    message,
                    code,
                    dt.datetime.fromisoformat(changed) if changed else None,
                )
            except (ValueError, TypeError):
                continue  # written by another hand
        return found

    def ages(self, env: str, engine: str) -> Mapping[str, AgeNote]:
        """By id, the sources whose age was looked at."""
        found = {}
        for source, at, status, newest, age, message in self._file.rows(
            "SELECT source, at, status, newest, age, message FROM source_ages WHERE env = ? AND engine = ?",
            (env, engine),
        ):
            try:
                newest_at = dt.datetime.fromisoformat(newest) if newest else None
                found[source] = AgeNote(source, dt.datetime.fromisoformat(at), status, newest_at, age, message)
            except (ValueError, TypeError):
                continue
        return found
