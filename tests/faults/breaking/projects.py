"""Small projects whose middle model hangs, and looks at what a run left, by the bare driver."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowforge_test_servers.board.arena import Place, write_files
from flowforge_test_servers.board.process import Ended, Running, finish, start

GATE = 4711
"""Number of the advisory lock at which :data:`HELD` waits."""
HELD = f"select {{edition}} as edition from pg_advisory_xact_lock_shared({GATE}) as gate\n"
ASLEEP = "select {edition} as edition from pg_sleep(600) as nothing\n"
BUSY = "select {edition} as edition, count(*) as n from range(10000000) a, range(10000000) b\n"
PLAIN = "select {edition} as edition\n"
BELOW = "select max(edition) as edition, count(*) as n from {{ ref('middle') }}\n"
PATIENCE = 30.0


def project(place: Place, middle: str, edition: int, more: Mapping[str, str] | None = None) -> None:
    """Write a project of three models in a row: *middle* is the SQL of the one that is broken."""
    files = {
        "project.yml": "name: faults\nversion: 1\n",
        "models/first.ff.sql": "select 1 as one\n",
        "models/middle.ff.sql": "-- {{ ref('first') }}\n" + middle.replace("{edition}", str(edition)),
        "models/below.ff.sql": BELOW,
    }
    write_files(place.root, {**files, **(more or {})})


def built(place: Place, edition: int = 1) -> None:
    """Write the project with an innocent middle and build it."""
    project(place, PLAIN, edition)
    assert_right(run_to_end(place), place, edition)


def run_to_end(place: Place, *words: str, command: Sequence[str] | None = None, **variables: str) -> Ended:
    """Run ``flowforge run``, without traceback whatever happens."""
    ended = finish(start(place, "run", *words, command=command, **variables), timeout=100)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def assert_right(ended: Ended, place: Place, edition: int) -> None:
    """The run succeeded, and everything is of *edition*."""
    assert ended.code == 0, ended.stderr
    assert_standing(place, edition)


def assert_standing(place: Place, edition: int | None) -> None:
    """The middle and what is below it are of *edition* (``None``: not there), and nothing is staged."""
    with place.look() as look:
        assert look.staged() == []
        kinds = look.kinds()
        if edition is None:
            assert not {"middle", "below"} & set(kinds)
            return
        assert look.query('SELECT edition FROM "middle"')[1] == [(edition,)]
        assert look.query('SELECT * FROM "below"')[1] == [(edition, 1)]


def until(what: str, true: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Wait until *true* says so; returns the seconds that it took."""
    since = time.monotonic()
    while not true():
        assert time.monotonic() - since < seconds, f"{seconds:.0f} s later still not: {what}"
        time.sleep(0.02)  # a server cannot be waited for by an event
    return time.monotonic() - since


@contextlib.contextmanager
def outside(place: Place, **words: str) -> Iterator[Any]:
    """A connection to a place's PostgreSQL database that is not FlowForge's."""
    import psycopg

    dsn = psycopg.conninfo.make_conninfo(place.env["BOARD_DSN"], application_name="outside", **words)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


OURS = "datname = current_database() AND application_name LIKE 'flowforge%'"


def working(connection: Any) -> list[int]:
    """Processes of the server that work for the middle model."""
    rows = connection.execute(
        f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND state = 'active' AND query ~ 'edition' ORDER BY pid"
    )
    return [pid for (pid,) in rows]


@contextlib.contextmanager
def started(place: Place, *words: str, command: Sequence[str] | None = None, **variables: str) -> Iterator[Running]:
    """A process that does not outlive the block."""
    running = start(place, *words, command=command, **variables)
    try:
        yield running
    finally:
        if running.process.returncode is None:
            kill(running)


@contextlib.contextmanager
def started_until_working(
    place: Place, connection: Any, *, command: Sequence[str] | None = None, **variables: str
) -> Iterator[Running]:
    """A run for which the server works on the middle model when the block begins."""
    with started(place, "run", command=command, **variables) as running:
        until("the server works", lambda: running.process.poll() is not None or bool(working(connection)))
        assert running.process.poll() is None, running.process.communicate()
        yield running


def kill(running: Running) -> None:
    """End a process group as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
        running.process.communicate(timeout=10)


def program(root: Path, text: str) -> list[str]:
    """A command line of FlowForge that runs *text* first: what a fault changes in the process."""
    import sys

    path = root / ".broken.py"
    path.write_text(f"{text}\nimport sys\nfrom flowforge.cli.main import main\nsys.exit(main())\n", "utf-8")
    return [sys.executable, str(path)]
