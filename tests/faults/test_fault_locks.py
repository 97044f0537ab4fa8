"""K16, K17: others hold what a run needs. It says for whom it waits, gives up in time, and unties knots."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import Any

import pytest
from breaking.projects import (
    GATE,
    HELD,
    OURS,
    PLAIN,
    assert_right,
    assert_standing,
    outside,
    project,
    run_to_end,
    started,
    until,
)
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import Ended, finish
from flowforge_test_servers.faults import provoked

READS = HELD.replace("from ", "from {{ ref('first') }}, ")
AT_THE_GATE = (
    "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    f" WHERE l.locktype = 'advisory' AND l.objid = {GATE} AND NOT l.granted AND {OURS}"
)
WAITS = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock' AND wait_event = 'relation'"
FOREIGN_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'first'::regclass"


def one(connection: Any, sql: str) -> bool:
    """Is the answer the number 1?"""
    return bool(connection.execute(sql).fetchone() == (1,))


def knot(place: Place, gate: Any) -> None:
    """Tie a knot: the run holds ``first`` and wants ``middle``; a foreign session does it the other way round.

    The foreign session is more patient than the server's search for deadlocks, so it is the run that is ended.
    *gate* holds the gate before and afterwards.
    """
    until("the run holds first", lambda: one(gate, AT_THE_GATE))
    with outside(place, options="-c deadlock_timeout=1h") as foreign, foreign.transaction():
        foreign.execute("LOCK TABLE middle IN ACCESS EXCLUSIVE MODE")
        lock_both = threading.Thread(
            target=foreign.execute, args=["LOCK TABLE first IN ACCESS EXCLUSIVE MODE"], daemon=True
        )
        lock_both.start()
        until("the foreign session waits", lambda: one(gate, FOREIGN_WAITS))
        gate.execute(f"SELECT pg_advisory_unlock({GATE})")
        lock_both.join(30)
        assert not lock_both.is_alive(), "nobody untied the knot"
        gate.execute(f"SELECT pg_advisory_lock({GATE})")


def entangled(place: Place, knots: int) -> Ended:
    """A run that gets into so many knots."""
    project(place, READS, 2)
    with outside(place) as gate:
        gate.execute(f"SELECT pg_advisory_lock({GATE})")
        with started(place, "run") as running:
            for _ in range(knots):
                knot(place, gate)
            gate.execute(f"SELECT pg_advisory_unlock({GATE})")
            return finish(running)


def test_one_deadlock_is_tried_again(postgres: Place) -> None:
    with provoked("K16", "postgres", "one deadlock with a foreign session", "tried again, then right"):
        ended = entangled(postgres, 1)
        assert "deadlock" in ended.stderr  # a retry is not hidden
        assert_right(ended, postgres, 2)


@pytest.mark.full
def test_deadlocks_without_end_are_given_up(postgres: Place) -> None:
    with provoked("K16", "postgres", "a deadlock at each attempt", "exit 1 after three attempts, old rows"):
        ended = entangled(postgres, 3)
        assert ended.code == 1, ended.stderr
        assert "deadlock detected" in ended.stderr
        assert "middle" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert_standing(postgres, 1)


def test_a_wait_for_a_foreign_lock_has_an_end(postgres: Place) -> None:
    project(postgres, PLAIN, 2)
    with (
        provoked("K17", "postgres", "foreign LOCK TABLE, for long", "holder named, exit 1 in time, old rows"),
        outside(postgres) as look,
    ):
        with look.transaction():
            look.execute("LOCK TABLE middle IN ACCESS EXCLUSIVE MODE")
            since = time.monotonic()
            ended = run_to_end(postgres, "--lock-timeout", "3")
            assert time.monotonic() - since < 15
            pid = look.info.backend_pid
        assert ended.code == 1, ended.stderr
        assert re.search(rf"is waiting for a lock on \S*middle\S* that is held by outside \(pid {pid}\)", ended.stderr)
        assert re.search(rf"waited 3 seconds for .*{pid}", ended.stderr), ended.stderr
        assert "--lock-timeout" in ended.stderr
        assert_standing(postgres, 1)
        assert_right(run_to_end(postgres), postgres, 2)


@pytest.mark.full
def test_a_wait_for_a_foreign_lock_ends_well(postgres: Place) -> None:
    project(postgres, PLAIN, 2)
    with (
        provoked("K17", "postgres", "foreign LOCK TABLE, for a moment", "waited for, then right"),
        outside(postgres) as look,
        outside(postgres) as foreign,
        started(postgres, "run") as running,
    ):
        with foreign.transaction():
            foreign.execute("LOCK TABLE middle IN ACCESS EXCLUSIVE MODE")
            until("the run waits", lambda: one(look, WAITS))
        assert_right(finish(running), postgres, 2)


def test_a_wait_for_a_foreign_lock_is_ended_by_ctrl_c(postgres: Place) -> None:
    project(postgres, PLAIN, 2)
    with (
        provoked("K3", "postgres", "while a lock is waited for", "exit 130, old rows, nobody waits any more"),
        outside(postgres) as look,
        outside(postgres) as foreign,
        started(postgres, "run") as running,
    ):
        with foreign.transaction():
            foreign.execute("LOCK TABLE middle IN ACCESS EXCLUSIVE MODE")
            until("the run waits", lambda: one(look, WAITS))
            since = time.monotonic()
            os.killpg(running.process.pid, signal.SIGINT)
            ended = finish(running)
            assert time.monotonic() - since < 15
            assert not one(look, WAITS)
        assert ended.code == 130, ended.stderr
        assert "Traceback" not in ended.stderr
        assert_standing(postgres, 1)
