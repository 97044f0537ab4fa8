"""K3, K4: Ctrl-C and SIGTERM end a run soon, with a message, and nothing goes on working."""

from __future__ import annotations

import os
import signal
import time

import pytest
from breaking.projects import (
    ASLEEP,
    BUSY,
    PLAIN,
    assert_right,
    assert_standing,
    outside,
    project,
    run_to_end,
    started_until_working,
    until,
    working,
)
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import Running, finish, start
from flowforge_test_servers.faults import provoked

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="POSIX signals")

DEAF = {
    "models/deaf.ff.py": "import time\nfrom flowforge import model\n\n\n@model(materialized='table')\ndef deaf():\n"
    "    print('deaf', flush=True)\n    time.sleep(600)\n"
}


def begun(place: Place, line: str) -> Running:
    """A run that has said *line*."""
    running = start(place, "run", "-v", "--jobs", "2")
    assert running.process.stderr is not None
    for said in running.process.stderr:
        if line in said:
            return running
    raise AssertionError(f"the run ended without saying {line!r}")


def send(running: Running, number: signal.Signals) -> None:
    """As a terminal and as a supervisor would: Ctrl-C goes to the whole group."""
    if number is signal.SIGINT:
        os.killpg(running.process.pid, number)
    else:
        running.process.send_signal(number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_postgres_stops_at_once(postgres: Place, number: signal.Signals, code: int) -> None:
    project(postgres, ASLEEP, 2)
    fault = "K3" if number is signal.SIGINT else "K4"
    with provoked(fault, "postgres", "while a statement runs", f"exit {code}, statement cancelled, old rows"):
        with outside(postgres) as look:
            with started_until_working(postgres, look) as running:
                since = time.monotonic()
                send(running, number)
                ended = finish(running, timeout=30)
            took = time.monotonic() - since
            assert working(look) == []
        assert ended.code == code, ended.stderr
        assert took < 6, f"{took:.1f} s"  # half a second as a rule; three are promised
        assert "cancelled: 1 running, 1 not started" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert_standing(postgres, 1)
        project(postgres, PLAIN, 2)
        assert_right(run_to_end(postgres), postgres, 2)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.full)]
)
def test_duckdb_stops_at_once(duck: Place, number: signal.Signals, code: int) -> None:
    project(duck, BUSY, 2)
    fault = "K3" if number is signal.SIGINT else "K4"
    with provoked(fault, "duckdb", "while a statement runs", f"exit {code}, statement cancelled, old rows"):
        running = begun(duck, "started middle")
        since = time.monotonic()
        send(running, number)
        ended = finish(running, timeout=30)
        assert ended.code == code, ended.stderr
        assert time.monotonic() - since < 15
        assert "cancelled: 1 running, 1 not started" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert_standing(duck, 1)
        project(duck, PLAIN, 2)
        assert_right(run_to_end(duck), duck, 2)


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.full), "duck"], indirect=True)
def test_a_second_signal_ends_what_does_not_listen(place: Place) -> None:
    """A Python model that sleeps cannot be cancelled; a user who asks twice does not want to wait for it."""
    project(place, PLAIN, 2, DEAF)
    with provoked("K3", place.arena.name, "twice, at a model that does not listen", "exit 130 at once, nothing half"):
        running = begun(place, "deaf\n")
        send(running, signal.SIGINT)
        time.sleep(0.1)  # between two key presses of a person
        since = time.monotonic()
        send(running, signal.SIGINT)
        ended = finish(running, timeout=30)
        assert ended.code == 130, ended.stderr
        assert time.monotonic() - since < 15
        assert "Traceback" not in ended.stderr
        if place.arena.name == "postgres":
            with outside(place) as look:
                sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'flowforge/%'"
                sessions += " AND datname = current_database()"
                until("our sessions are gone", lambda: look.execute(sessions).fetchone() == (0,))
        with place.look() as look:
            assert "deaf" not in look.kinds()
            assert look.staged() == []
        (place.root / "models/deaf.ff.py").unlink()
        assert_right(run_to_end(place), place, 2)
