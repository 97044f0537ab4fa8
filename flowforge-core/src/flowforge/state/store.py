"""The project's memory between runs: history, durations, what builds were made from. SQLite, one file, no truths.

Nothing here may fail a run: what goes wrong is said once and then done without. ``_ff_meta`` in the database is the
truth about what stands there, and is never doubted because of this file.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowforge.crash import crash_point
from flowforge.errors import Note
from flowforge.events import Status
from flowforge.state.assets import AssetNotes, ended
from flowforge.state.check_results import CheckHistory
from flowforge.state.process import birth_of, is_gone
from flowforge.state.records import BuildRecord, NodeRecord, RunRecord
from flowforge.state.store_connection import Statement, StoreConnection, storable
from flowforge.state.store_file import Opened, open_database

KEPT_RUNS = 200
"""Runs that are kept for each environment."""
KEPT_NODES = 300_000
"""Node results that are kept for each environment: runs of huge projects are forgotten sooner."""
_ALWAYS_KEPT = 5

_MESSAGE = 2_000  # characters of a message that are kept

_RUN = (
    "id, run_id, project, env, engine, command, options, planned, started_at, finished_at, exit_code, host, pid, birth"
)

_BEGIN = """
    INSERT INTO runs (run_id, project, env, engine, command, options, planned, size, started_at, finished_at, exit_code,
        host, pid, birth)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"""
_NODE = "INSERT OR REPLACE INTO nodes SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM runs WHERE run_id = ?"
_TIMING = """
    INSERT INTO timings (env, node, d1) SELECT env, ?, ? FROM runs WHERE run_id = ?
    ON CONFLICT (env, node) DO UPDATE SET d5 = d4, d4 = d3, d3 = d2, d2 = d1, d1 = excluded.d1"""
_CHECK = "INSERT OR REPLACE INTO checks SELECT id, ?, ? FROM runs WHERE run_id = ?"
_BUILD = "INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?)"
_UNIT = "INSERT OR REPLACE INTO unit_passes VALUES (?, ?, ?)"
_END = "UPDATE runs SET finished_at = ?, exit_code = ? WHERE run_id = ?"
_PRUNE = """
    DELETE FROM runs WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER newest AS n, sum(size) OVER newest AS total FROM runs
            WINDOW newest AS (PARTITION BY env ORDER BY id DESC))
        WHERE n > ? OR (n > ? AND total > ?))"""


class StateStore:
    """Reads and writes ``.flowforge/state.db``. Safe from any thread; several processes at once are normal.

    Beginnings and ends of runs are committed before the method returns, the rest within a twentieth of a second by a
    thread of its own, so that nodes do not wait for the disk. Nothing raises for what is wrong with the disk or the
    file: the first such failure is told to *warn*, what could not be written waits in memory and is tried again.
    """

    def __init__(self, opened: Opened, warn: Callable[[Note], None], *, write: bool = True) -> None:
        self._file = StoreConnection(opened, warn, write=write)
        self.checks = CheckHistory(self._file)
        """What checks have found."""
        self.assets = AssetNotes(self._file)
        """When nodes were last built, and how old sources were."""
        self._positions = itertools.count()

    @classmethod
    def open(cls, folder: Path, warn: Callable[[Note], None], *, write: bool = True) -> StateStore:
        """Open the memory of a project; when that cannot be, one that ends with the process, and one note.

        Parameters
        ----------
        folder:
            The project's ``.flowforge``; made when it is missing.
        warn:
            Told what the user should know; from any thread.
        write:
            False for commands that only look: nothing is created, repaired or written.
        """
        opened = open_database(folder, write=write)
        if opened.note is not None:
            warn(opened.note)
        return cls(opened, warn, write=write)

    @property
    def lasting(self) -> bool:
        """Whether what is noted will be there after the process has ended."""
        return self._file.lasting

    # -- writing

    def begin_run(self, record: RunRecord) -> None:
        """Note that a run begins, before its first node does."""
        values = (
            *(storable(one) for one in (record.run_id, record.project, record.env, record.engine, record.command)),
            _json(record.options),
            _json(record.planned),
            len(record.planned),
            record.started_at.isoformat(),
            record.finished_at.isoformat() if record.finished_at else None,
            record.exit_code,
            storable(record.host),
            record.pid,
            record.birth or birth_of(record.pid),
        )
        self._file.write((_BEGIN, values))
        crash_point("state.run_begun")

    def note_node(self, run_id: str, record: NodeRecord) -> None:
        """Note how a node of a run ended; the durations of successes are remembered for later runs."""
        node = storable(record.node)
        values = (
            node,
            next(self._positions),
            record.status.value,
            record.started_at.isoformat(),
            float(record.duration),
            record.rows,
            storable(record.message)[:_MESSAGE] if record.message is not None else None,
            record.code,
            _json([[moment.isoformat() for moment in window] for window in record.windows]) if record.windows else None,
            run_id,
        )
        statements: list[Statement] = [(_NODE, values), ended(run_id, record, node)]
        if record.status is Status.SUCCESS:
            statements.append((_TIMING, (node, float(record.duration), run_id)))
        self._file.write_soon(*statements)
        crash_point("state.node_noted")

    def note_check(self, run_id: str, name: str, status: Status) -> None:
        """Note how a check of a run ended."""
        self._file.write_soon((_CHECK, (storable(name), status.value, run_id)))

    def note_build(self, env: str, record: BuildRecord) -> None:
        """Note what a build was made from, after it was published."""
        values = (
            storable(env),
            storable(record.node),
            storable(record.definition),
            storable(record.sql) if record.sql is not None else None,
            _json(record.config),
            _json(record.inputs),
            _json(record.files),
        )
        self._file.write_soon((_BUILD, values))

    def note_unit_pass(self, env: str, case: str, digest: str) -> None:
        """Note that a unit test has passed, and what it was made of."""
        self._file.write_soon((_UNIT, (storable(env), storable(case), digest)))

    def end_run(self, run_id: str, exit_code: int, finished_at: dt.datetime) -> None:
        """Note that a run ended, and forget the oldest ones."""
        self._file.write(
            (_END, (finished_at.isoformat(), exit_code, run_id)),
            (_PRUNE, (KEPT_RUNS, _ALWAYS_KEPT, KEPT_NODES)),
        )
        crash_point("state.run_ended")

    def forget_dead(self, run_ids: Iterable[str]) -> None:
        """Stop naming these runs as unfinished, because what they left behind was dealt with. History keeps them."""
        self._file.write(*(("UPDATE runs SET forgotten = 1 WHERE run_id = ?", (run_id,)) for run_id in run_ids))

    # -- reading

    def last_run(self, env: str, commands: Collection[str] | None = None) -> RunRecord | None:
        """The latest run of an environment to begin, of these commands if any are named; finished or not."""
        where, values = "env = ?", [env]
        if commands is not None:
            where += f" AND command IN ({', '.join('?' * len(commands))})"
            values += commands
        return next(iter(self._runs(f"{where} ORDER BY id DESC LIMIT 1", values)), None)

    def durations(self, env: str) -> Mapping[str, float]:
        """By node name, the median of its last five successful builds, in seconds."""
        found = {}
        for node, *times in self._file.rows("SELECT node, d1, d2, d3, d4, d5 FROM timings WHERE env = ?", (env,)):
            known = sorted(time for time in times if isinstance(time, float))
            if known:
                found[node] = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
        return found

    def last_builds(self, env: str) -> Mapping[str, BuildRecord]:
        """By node name, what its last successful build was made from."""
        found = {}
        for node, definition, sql, *texts in self._file.rows(
            "SELECT node, definition, sql, config, inputs, files FROM builds WHERE env = ?", (env,)
        ):
            values = [_parsed(text, dict) for text in texts]
            if None not in values:
                found[node] = BuildRecord(node, definition, sql, *values)
        return found

    def last_definitions(self, env: str) -> Mapping[str, str]:
        """By node name, the definition that its last successful build had."""
        return dict(self._file.rows("SELECT node, definition FROM builds WHERE env = ?", (env,)))

    def unit_passes(self, env: str) -> Mapping[str, str]:
        """By id of a unit test, what it was made of when it last passed."""
        return dict(self._file.rows("SELECT name, digest FROM unit_passes WHERE env = ?", (env,)))

    def unfinished_runs(self, host: str) -> tuple[RunRecord, ...]:
        """Runs of this host that have no end, and whose process is gone; oldest first.

        A run of which nobody can say whether it still goes on is not named.
        """
        runs = self._runs("host = ? AND finished_at IS NULL AND forgotten = 0 ORDER BY id", [host])
        return tuple(run for run in runs if is_gone(run.pid, run.birth))

    # -- the file

    def close(self) -> None:
        """Write what waits, and let go of the file; quiet when called twice."""
        self._file.close()

    def __enter__(self) -> StateStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _runs(self, where: str, values: Sequence[Any]) -> list[RunRecord]:
        found = []
        for row in self._file.rows(f"SELECT {_RUN} FROM runs WHERE {where}", values):
            number, run_id, project, env, engine, command, options, planned, started, finished, code, *process = row
            host, pid, birth = process
            nodes = self._file.rows(
                "SELECT node, status, started_at, duration, rows, message, code, windows FROM nodes WHERE run = ?"
                " ORDER BY position",
                (number,),
            )
            checks = self._file.rows("SELECT name, status FROM checks WHERE run = ?", (number,))
            try:
                found.append(
                    RunRecord(
                        run_id=run_id,
                        project=project,
                        env=env,
                        engine=engine,
                        command=command,
                        options=_parsed(options, dict) or {},
                        planned=tuple(_parsed(planned, list) or ()),
                        started_at=dt.datetime.fromisoformat(started),
                        finished_at=dt.datetime.fromisoformat(finished) if finished else None,
                        exit_code=code,
                        host=host,
                        pid=pid,
                        nodes={
                            name: NodeRecord(
                                name,
                                Status(status),
                                dt.datetime.fromisoformat(at),
                                took,
                                rows,
                                words,
                                flaw,
                                _windows(text),
                            )
                            for name, status, at, took, rows, words, flaw, text in nodes
                        },
                        checks={name: Status(status) for name, status in checks},
                        birth=birth,
                    )
                )
            except (ValueError, TypeError):
                continue  # written by another hand; a hint that cannot be read is none
        return found


def _windows(text: Any) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    """Starts and ends of windows.

    Raises
    ------
    ValueError, TypeError
        When they were written by another hand.
    """
    pairs = [
        (dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end)) for start, end in _parsed(text, list) or ()
    ]
    if any(moment.tzinfo is None for pair in pairs for moment in pair):
        raise ValueError("a time without its zone")
    return tuple(pairs)


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _parsed(text: Any, kind: type) -> Any:
    """The value behind a JSON text, if it is one of this kind; ``None`` otherwise."""
    try:
        value = json.loads(text)
    except (ValueError, TypeError):
        return None
    return value if isinstance(value, kind) else None
