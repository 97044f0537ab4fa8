"""Where the crash board plays: one kind of database, how to copy its state, and how to read it by its bare driver.

Nothing here goes through FlowForge: what a run left is looked at by other means than those that wrote it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import os
import shutil
import sqlite3
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

Row = tuple[object, ...]
OUR_OWN = ("_ff_meta", "_ff_leases", "_ff_windows", "_ff_quarantine_log")
"""Tables of FlowForge's own that stand beside a project's relations."""


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write *files* under *root*; the content alone decides, so a file that is equal is left alone."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def plain(value: object) -> object:
    """A value of a driver as Python's own: a whole decimal is a number like any other, a date is its text."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    return int(value) if isinstance(value, decimal.Decimal) and value == int(value) else value


class Look(ABC):
    """One look at a database."""

    @abstractmethod
    def kinds(self) -> dict[str, str]:
        """``table`` or ``view`` by name, of all that stands in the profile's schema."""

    @abstractmethod
    def query(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        """Columns and rows of a query."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run a statement and keep what it did."""

    def table(self, name: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
        """Columns and sorted rows of one relation."""
        return self.sorted_query(f'SELECT * FROM "{name}"')

    def sorted_query(self, sql: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
        """Columns and sorted rows of a query."""
        columns, rows = self.query(sql)
        return columns, tuple(sorted((tuple(plain(value) for value in row) for row in rows), key=repr))

    def meta(self) -> list[dict[str, Any]]:
        """The rows of ``_ff_meta``; none when there is no such table."""
        if "_ff_meta" not in self.kinds():
            return []
        columns, rows = self.query('SELECT * FROM "_ff_meta"')
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def staged(self) -> list[str]:
        """Names of staging relations."""
        return sorted(name for name in self.kinds() if name.lower().startswith("ff__"))


@attrs.frozen
class Place:
    """A project folder together with its database."""

    root: Path
    arena: Arena
    env: Mapping[str, str]
    database: str

    def look(self, *, keep: bool = False) -> contextlib.AbstractContextManager[Look]:
        """Look at the database; with *keep*, statements that are executed change it."""
        return self.arena.look(self, keep=keep)


class Arena(ABC):
    """One engine to play on.

    Attributes
    ----------
    transactional:
        What was not committed cannot be seen.
    clones:
        Tables that grow do so as copies that share their rows.
    """

    name: str
    transactional: bool = True
    clones: bool = False
    parallel: bool = True
    """Several processes may have the database open."""

    @abstractmethod
    def profile(self) -> str:
        """The text of ``profiles.yml``."""

    @abstractmethod
    def empty(self, root: Path) -> Place:
        """A project folder without files, and an empty database for it."""

    @abstractmethod
    def copy(self, place: Place, root: Path) -> Place:
        """Both, copied to *root*, byte for byte."""

    @abstractmethod
    def remove(self, place: Place) -> None:
        """Give back what *place* takes."""

    @abstractmethod
    def look(self, place: Place, *, keep: bool) -> contextlib.AbstractContextManager[Look]:
        """See :meth:`Place.look`."""

    def wait_until_left(self, place: Place) -> None:
        """Return when no server works for dead processes any more."""

    def environment(self, place_env: Mapping[str, str], **more: str) -> dict[str, str]:
        """The variables of a process that works at a place: nothing of the tests' own settings leaks into it."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_"))}
        return {**clean, **place_env, **more, "PYTHONDONTWRITEBYTECODE": "", "NO_COLOR": "1"}


class FileArena(Arena):
    """A database that is a file in the project's folder."""

    file = "board.db"

    def empty(self, root: Path) -> Place:
        root.mkdir(parents=True)
        write_files(root, {"profiles.yml": self.profile(), "models/.keep": ""})
        return Place(root, self, {}, self.file)

    def copy(self, place: Place, root: Path) -> Place:
        shutil.copytree(place.root, root)
        return Place(root, self, {}, self.file)

    def remove(self, place: Place) -> None:
        shutil.rmtree(place.root)

    @contextlib.contextmanager
    def look(self, place: Place, *, keep: bool) -> Iterator[Look]:
        """A look without *keep* is one at a copy, so that the next run finds the file as the last one left it."""
        folder = place.root
        if not keep:
            folder = place.root / f".look-{uuid.uuid4().hex[:8]}"
            folder.mkdir()
            for part in place.root.glob(f"{self.file}*"):
                shutil.copy2(part, folder / part.name)
        try:
            with self.open(folder / self.file) as look:
                yield look
        finally:
            if not keep:
                shutil.rmtree(folder)

    @abstractmethod
    def open(self, path: Path) -> contextlib.AbstractContextManager[Look]:
        """Open the file by the bare driver."""


class DuckLook(Look):
    """By the ``duckdb`` module."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def kinds(self) -> dict[str, str]:
        rows = self._connection.execute(
            "SELECT table_name, 'table' FROM duckdb_tables() WHERE schema_name = 'main' AND NOT internal"
            " UNION ALL SELECT view_name, 'view' FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal"
        ).fetchall()
        return dict(rows)

    def query(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        found = self._connection.execute(sql)
        return tuple(column[0] for column in found.description), found.fetchall()

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)


class DuckArena(FileArena):
    """DuckDB: one process at a time, and everything in one transaction."""

    name = "duckdb"
    parallel = False

    def profile(self) -> str:
        return f"dev: {{engine: duckdb, duckdb: {{path: {self.file}}}}}\n"

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Look]:
        import duckdb

        with duckdb.connect(str(path)) as connection:
            yield DuckLook(connection)


class SqliteLook(Look):
    """By Python's own ``sqlite3``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def kinds(self) -> dict[str, str]:
        return dict(
            self._connection.execute(
                "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            )
        )

    def query(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        found = self._connection.execute(sql)
        return tuple(column[0] for column in found.description), found.fetchall()

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)
        self._connection.commit()


class PlainArena(FileArena):
    """The test engine that pretends to have neither transactions around DDL nor locks."""

    name = "plain"
    transactional = False

    def profile(self) -> str:
        return f"dev: {{engine: {self.name}, {self.name}: {{path: {self.file}}}}}\n"

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Look]:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            yield SqliteLook(connection)


class CloningArena(PlainArena):
    """The same engine with copies of tables that are changed beside them."""

    name = "cloning"
    clones = True


class PostgresLook(Look):
    """By ``psycopg``, in the schema ``public``."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def kinds(self) -> dict[str, str]:
        rows = self._connection.execute(
            "SELECT relname, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')"
        ).fetchall()
        return dict(rows)

    def query(self, sql: str) -> tuple[tuple[str, ...], list[Row]]:
        found = self._connection.execute(sql)
        return tuple(column.name for column in found.description), found.fetchall()

    def execute(self, sql: str) -> None:
        self._connection.execute(sql)


class PostgresArena(Arena):
    """A PostgreSQL server that somebody else started; every place has a database of its own on it.

    Parameters
    ----------
    dsn:
        Of the server's maintenance database, as a superuser: ``postgresql://...``.
    """

    name = "postgres"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def profile(self) -> str:
        return "dev: {engine: postgres, postgres: {dsn: \"{{ env('BOARD_DSN') }}\"}}\n"

    def dsn_of(self, database: str) -> str:
        """The DSN of another database on the same server."""
        import psycopg.conninfo

        parts = psycopg.conninfo.conninfo_to_dict(self._dsn)
        parts["dbname"] = database
        return psycopg.conninfo.make_conninfo("", **parts)

    def _create(self, root: Path, template: str) -> Place:
        name = f"board_{uuid.uuid4().hex[:12]}"
        with self._connect(self._dsn) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return Place(root, self, {"BOARD_DSN": self.dsn_of(name)}, name)

    def empty(self, root: Path) -> Place:
        root.mkdir(parents=True)
        write_files(root, {"profiles.yml": self.profile(), "models/.keep": ""})
        return self._create(root, "template0")

    def copy(self, place: Place, root: Path) -> Place:
        shutil.copytree(place.root, root)
        self.wait_until_left(place)
        return self._create(root, place.database)

    def remove(self, place: Place) -> None:
        shutil.rmtree(place.root)
        with self._connect(self._dsn) as connection:
            connection.execute(f'DROP DATABASE "{place.database}" WITH (FORCE)')

    def wait_until_left(self, place: Place) -> None:
        with self._connect(self._dsn) as connection:
            for _ in range(200):
                (left,) = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.05) WHERE datname = %s", [place.database]
                ).fetchone()
                if not left:
                    return
        raise AssertionError(f"10 s later, {left} sessions still work in {place.database}")

    @contextlib.contextmanager
    def look(self, place: Place, *, keep: bool) -> Iterator[Look]:
        with self._connect(self.dsn_of(place.database)) as connection:
            yield PostgresLook(connection)

    @staticmethod
    def _connect(dsn: str) -> Any:
        import psycopg

        return psycopg.connect(dsn, autocommit=True)


def interpreter(*args: str) -> Sequence[str]:
    """The command line of FlowForge as a process of its own."""
    return [sys.executable, "-m", "flowforge", *args]
