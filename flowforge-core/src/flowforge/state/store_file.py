"""Opens ``.flowforge/state.db``, whatever stands there: in the worst case the memory of one run takes its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import uuid
from pathlib import Path

import attrs

from flowforge.config.own_folder import make_own_folder
from flowforge.crash import crash_point
from flowforge.errors import Note, shown
from flowforge.frozen import frozen
from flowforge.state.store_schema import (
    APPLICATION_ID,
    VERSION,
    ForeignSchemaError,
    NewerSchemaError,
    migrate,
    verify,
    version_of,
)
from flowforge.values import Location

FILE = "state.db"
BUSY = 2.0
"""Seconds to wait for another process that writes."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MARK = APPLICATION_ID.to_bytes(4, "big")
_SIDECARS = ("-wal", "-shm", "-journal")
_ROOM = 64 * 1024  # bytes that SQLite needs for a log and its index
_KEPT = 9  # damaged files that are kept; more would only fill the disk


@frozen
class Opened:
    """A connection with our tables, what the user should know, and the file (None: it is in memory)."""

    connection: sqlite3.Connection
    note: Note | None
    path: Path | None


def damaged(error: Exception) -> bool:
    """Whether *error* means that the file is broken, not that the disk or another process is in the way."""
    if isinstance(error, UnicodeDecodeError):
        return True  # SQLite quotes the broken place in its message, and Python cannot read that
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def in_memory(note: Note | None) -> Opened:
    """A store that ends with the process."""
    connection = _connect(":memory:")
    migrate(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    return Opened(connection, note, None)


def open_database(folder: Path, *, write: bool) -> Opened:
    """Open the state file of a project; never raises for what is wrong with files.

    Parameters
    ----------
    folder:
        The project's ``.flowforge``.
    write:
        False: nothing is created, migrated or moved.
    """
    path = folder / FILE
    if not write and not path.exists():
        return in_memory(None)
    try:
        if write:
            make_own_folder(folder)
        return _open(path, write)
    except NewerSchemaError:
        return in_memory(_note(path, "was written by a newer version of FlowForge, so it is left as it is", "FF2311"))
    except ForeignSchemaError:
        return _begin_anew(path, "is not the state of a FlowForge project") if write else in_memory(None)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if write and damaged(error):
            return _begin_anew(path, "is damaged")
        return in_memory(_note(path, f"cannot be used ({_reason(error, folder)})", "FF2310"))
    except OSError as error:
        return in_memory(_note(path, f"cannot be used ({error.strerror or type(error).__name__})", "FF2310"))


def _reason(error: Exception, folder: Path) -> str:
    """What SQLite says; it does not tell a full disk from a broken one."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
        with contextlib.suppress(OSError):
            if shutil.disk_usage(folder).free < _ROOM:
                return "the disk is full"
    return shown(str(error))


def begin_anew(path: Path) -> Opened:
    """Put a file that turned out to be damaged aside, and begin a new one."""
    return _begin_anew(path, "is damaged")


def _begin_anew(path: Path, what: str) -> Opened:
    try:
        aside = _move_aside(path)
        opened = _open(path, write=True)
    except (NewerSchemaError, ForeignSchemaError, sqlite3.Error, UnicodeDecodeError, OSError):
        return in_memory(_note(path, f"{what} and cannot be replaced", "FF2312"))
    return attrs.evolve(opened, note=_note(path, f"{what}: it was moved to {aside.name}, a new one is begun", "FF2312"))


def _open(path: Path, write: bool) -> Opened:
    if _noted_version(path) > VERSION:
        raise NewerSchemaError  # seen before SQLite touches anything
    note = None
    if write and not path.exists():
        _create(path)
    connection = _connect(path)
    try:
        if write:
            if migrate(connection):
                note = _note(path, "was empty: the history of earlier runs is lost", "FF2312")
            _set_journal(connection)
        elif version_of(connection) != VERSION:
            raise ForeignSchemaError
        else:
            connection.execute("PRAGMA query_only = ON")
        verify(connection)
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return Opened(connection, note, path)


def _create(path: Path) -> None:
    """Make the file, which appears in one step: another run that begins now sees none or a whole one."""
    new = path.with_name(f"{path.name}.new-{uuid.uuid4().hex[:8]}")
    try:
        with contextlib.closing(_connect(new)) as connection:
            migrate(connection)
        crash_point("state.created")
        try:
            os.link(new, path)
        except FileExistsError:
            return  # the other run was faster
        except OSError:  # a file system without hard links
            if not path.exists():
                os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _set_journal(connection: sqlite3.Connection) -> None:
    """Write-ahead log: readers never wait, and a commit is written without waiting for the disk."""
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        mode = "another process is at work; the file stays as it is until next time"
    # Without the log every commit would wait for the disk. What a power cut then damages is only a hint.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'OFF'}")


def _noted_version(path: Path) -> int:
    """The version in the file's header, read without opening it as a database; 0 when there is none."""
    try:
        with path.open("rb") as file:
            header = file.read(72)
    except FileNotFoundError:
        return 0
    ours = len(header) == 72 and header.startswith(b"SQLite format 3\0") and header[68:] == _MARK
    return int.from_bytes(header[60:64], "big") if ours else 0


def _move_aside(path: Path) -> Path:
    names = [path.with_name(f"{path.name}.broken-{number}") for number in range(1, _KEPT + 1)]
    aside = next((name for name in names if not name.exists()), names[-1])
    # The log first: a new file must never meet the log of an old one.
    for suffix in _SIDECARS:
        sidecar = path.with_name(path.name + suffix)
        if sidecar.exists():
            os.replace(sidecar, aside.with_name(aside.name + suffix))
    os.replace(path, aside)
    return aside


def _note(path: Path, what: str, code: str) -> Note:
    return Note(
        f"the history of runs in {path.parent.name}/{path.name} {what}", code, Location(f"{path.parent.name}/{FILE}")
    )
