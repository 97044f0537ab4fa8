"""The tables of ``.flowforge/state.db``, and the way from each older form to this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

APPLICATION_ID = 0x46466F72
"""Stands in the file's header, so that a database of somebody else is not taken for ours."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Runs are ordered by id: clocks jump.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, project TEXT NOT NULL, env TEXT NOT NULL,
            engine TEXT NOT NULL, command TEXT NOT NULL, options TEXT NOT NULL, planned TEXT NOT NULL,
            size INTEGER NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, exit_code INTEGER,
            host TEXT NOT NULL, pid INTEGER NOT NULL, birth TEXT NOT NULL, forgotten INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX runs_by_env ON runs (env, id)",
        """CREATE TABLE nodes (
            run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, node TEXT NOT NULL, position INTEGER NOT NULL,
            status TEXT NOT NULL, started_at TEXT NOT NULL, duration REAL NOT NULL, rows INTEGER, message TEXT,
            code TEXT, PRIMARY KEY (run, node)) WITHOUT ROWID""",
        """CREATE TABLE checks (
            run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT NOT NULL, status TEXT NOT NULL,
            PRIMARY KEY (run, name)) WITHOUT ROWID""",
        # Apart from the runs, because a node that is skipped for months should keep its expected duration.
        """CREATE TABLE timings (
            env TEXT NOT NULL, node TEXT NOT NULL, d1 REAL NOT NULL, d2 REAL, d3 REAL, d4 REAL, d5 REAL,
            PRIMARY KEY (env, node)) WITHOUT ROWID""",
        """CREATE TABLE builds (
            env TEXT NOT NULL, node TEXT NOT NULL, definition TEXT NOT NULL, sql TEXT, config TEXT NOT NULL,
            inputs TEXT NOT NULL, files TEXT NOT NULL, UNIQUE (env, node))""",
    ),
    (
        # Windows of time that a run could not build: a list of starts and ends as JSON.
        "ALTER TABLE nodes ADD COLUMN windows TEXT",
    ),
    (
        # What unit tests were made of when they last passed. Failures are never remembered.
        """CREATE TABLE unit_passes (
            env TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (env, name)) WITHOUT ROWID""",
    ),
    (
        # What checks found, apart from the runs, which are forgotten sooner. A series is one check that measures one
        # thing; n counts its results. Times are seconds since 1970, which take little room.
        """CREATE TABLE check_runs (
            id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, command TEXT NOT NULL, at REAL NOT NULL)""",
        """CREATE TABLE check_series (
            id INTEGER PRIMARY KEY, env TEXT NOT NULL, engine TEXT NOT NULL, name TEXT NOT NULL,
            measured TEXT NOT NULL, n INTEGER NOT NULL, last_at REAL NOT NULL, UNIQUE (env, engine, name, measured))""",
        "CREATE INDEX series_by_measure ON check_series (env, engine, measured)",
        """CREATE TABLE check_results (
            series INTEGER NOT NULL REFERENCES check_series ON DELETE CASCADE, n INTEGER NOT NULL, run INTEGER NOT NULL,
            at REAL NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL, failures INTEGER, rows INTEGER,
            measure REAL, counts INTEGER NOT NULL, duration REAL NOT NULL, message TEXT,
            PRIMARY KEY (series, n)) WITHOUT ROWID""",
        # How nodes stand, likewise: when each was last built, and how the last attempt ended.
        """CREATE TABLE assets (
            env TEXT NOT NULL, engine TEXT NOT NULL, node TEXT NOT NULL, built_at TEXT, built_run TEXT, rows INTEGER,
            ended_at TEXT NOT NULL, ended_run TEXT NOT NULL, status TEXT NOT NULL, message TEXT, code TEXT,
            PRIMARY KEY (env, engine, node)) WITHOUT ROWID""",
        """INSERT OR REPLACE INTO assets
            SELECT env, engine, node, nodes.started_at, run_id, rows, nodes.started_at, run_id, status, message, code
            FROM nodes JOIN runs ON id = run WHERE status = 'success' ORDER BY id""",
        """CREATE TABLE source_ages (
            env TEXT NOT NULL, engine TEXT NOT NULL, source TEXT NOT NULL, at TEXT NOT NULL, status TEXT NOT NULL,
            newest TEXT, age REAL, message TEXT, PRIMARY KEY (env, engine, source)) WITHOUT ROWID""",
    ),
    (
        # When the rows of a node last became others; a build may find that they are equal.
        "ALTER TABLE assets ADD COLUMN changed_at TEXT",
        "UPDATE assets SET changed_at = built_at",
    ),
)
"""Step *n* leads from version *n* to *n + 1*. A released step is never changed."""

VERSION = len(MIGRATIONS)

_EXPECTED = {
    "runs": "id, run_id, project, env, engine, command, options, planned, size, started_at, finished_at, exit_code,"
    " host, pid, birth, forgotten",
    "nodes": "run, node, position, status, started_at, duration, rows, message, code, windows",
    "checks": "run, name, status",
    "timings": "env, node, d1, d2, d3, d4, d5",
    "unit_passes": "env, name, digest",
    "builds": "env, node, definition, sql, config, inputs, files",
    "check_runs": "id, run_id, command, at",
    "check_series": "id, env, engine, name, measured, n, last_at",
    "check_results": "series, n, run, at, status, severity, failures, rows, measure, counts, duration, message",
    "assets": "env, engine, node, built_at, built_run, rows, ended_at, ended_run, status, message, code, changed_at",
    "source_ages": "env, engine, source, at, status, newest, age, message",
}


class NewerSchemaError(Exception):
    """A later version of FlowForge has written the file."""


class ForeignSchemaError(Exception):
    """The file is a database, but not one of ours, or not all of it."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version that the file says it has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> bool:
    """Bring the file to the newest version in one transaction, and say whether it held nothing before.

    Raises
    ------
    NewerSchemaError, ForeignSchemaError
        The file is not ours to touch; it was not changed.
    sqlite3.Error
        It cannot be written or is damaged.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = version_of(connection)
        ours = int(connection.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION_ID
        empty = not connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
        if version > len(migrations):
            raise NewerSchemaError(version)
        if not ours and not (empty and version == 0):
            raise ForeignSchemaError
        for number in range(version, len(migrations)):
            for statement in migrations[number]:
                connection.execute(statement)
        if version < len(migrations):
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return empty


def verify(connection: sqlite3.Connection) -> None:
    """Raise :class:`ForeignSchemaError` unless every table has the columns that we read. Reads no row."""
    for table, columns in _EXPECTED.items():
        try:
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                raise ForeignSchemaError from error
            raise
