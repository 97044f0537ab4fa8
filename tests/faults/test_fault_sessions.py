"""K8, K9: the server ends a session, or crashes. What was not committed is done again; what was, is not."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from breaking.projects import (
    GATE,
    HELD,
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
from breaking.proxy import Cut, proxied
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import Ended, finish
from flowforge_test_servers.faults import provoked
from flowforge_test_servers.postgres import PostgresServer

MARK = "cut_here"
MARKED = f"select {{edition}} as edition, 1 as {MARK}\n"


def assert_lost(ended: Ended) -> None:
    """The run failed and says at which model, and how to go on."""
    assert ended.code == 1, ended.stderr
    assert "the connection to the server was lost" in ended.stderr
    assert "middle" in ended.stderr
    assert "check that the server still runs" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_session_that_is_ended_once(postgres: Place) -> None:
    project(postgres, HELD, 2)
    with (
        provoked("K8", "postgres", "session ended in a statement, once", "tried again, then right"),
        outside(postgres) as look,
    ):
        look.execute(f"SELECT pg_advisory_lock({GATE})")
        with started_until_working(postgres, look) as running:
            (pid,) = working(look)
            look.execute(f"SELECT pg_terminate_backend({pid})")
            until("it tries again", lambda: bool(working(look)) and pid not in working(look))
            look.execute(f"SELECT pg_advisory_unlock({GATE})")
            ended = finish(running)
        assert_right(ended, postgres, 2)
        assert "the connection to the server was lost" in ended.stderr  # a retry is not hidden


@pytest.mark.full
def test_a_session_that_is_ended_again_and_again(postgres: Place) -> None:
    project(postgres, HELD, 2)
    with (
        provoked("K8", "postgres", "session ended in a statement, always", "exit 1, model named, old rows"),
        outside(postgres) as look,
    ):
        look.execute(f"SELECT pg_advisory_lock({GATE})")
        with started_until_working(postgres, look) as running:

            def ended_by_us() -> bool:
                for pid in working(look):
                    look.execute(f"SELECT pg_terminate_backend({pid})")
                return running.process.poll() is not None

            until("it gives up", ended_by_us)
            assert_lost(finish(running))
        assert_standing(postgres, 1)
        project(postgres, PLAIN, 2)
        assert_right(run_to_end(postgres), postgres, 2)


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=["not committed", "committed"])
def test_a_connection_that_is_lost_in_the_commit(postgres: Place, cut: Cut) -> None:
    """Nobody knows what came of such a commit; the note in the database does."""
    project(postgres, MARKED, 2)
    import psycopg

    words = psycopg.conninfo.conninfo_to_dict(postgres.env["BOARD_DSN"])
    outcome = {Cut.BEFORE: "found to be not done, tried again", Cut.AFTER: "found to be done, not done twice"}[cut]
    with (
        provoked("K8", "postgres", f"connection lost in COMMIT, {cut.value}", outcome),
        proxied(int(words["port"]), cut, MARK.encode()) as proxy,
    ):
        words["port"] = str(proxy.port)
        ended = run_to_end(postgres, BOARD_DSN=psycopg.conninfo.make_conninfo("", **words))
        assert proxy.was_cut.is_set(), "the COMMIT never came by"
        assert_right(ended, postgres, 2)
        with postgres.look() as look:
            (row,) = [row for row in look.meta() if row["node_name"] == "middle.ff"]
        assert row["sequence"] == 2  # published once, not twice
        again = run_to_end(postgres)
        assert_right(again, postgres, 2)
        assert "3 unchanged" in again.stderr


def test_a_crash_of_the_server_that_passes(crashable: Place, own_server: PostgresServer) -> None:
    """A process of the server dies, all sessions end, the server recovers."""
    project(crashable, HELD, 2)
    with provoked(
        "K9", "postgres", "a server process killed, recovery", "tried again, then right; or exit 1, old rows"
    ):
        with outside(crashable) as look:
            look.execute(f"SELECT pg_advisory_lock({GATE})")
            with started_until_working(crashable, look) as running:
                os.kill(working(look)[0], signal.SIGKILL)  # ours is ended with it, and with ours the gate opens
                ended = finish(running)
        assert "the connection to the server was lost" in ended.stderr
        if ended.code:  # the recovery took longer than the pauses between the attempts
            assert_lost(ended)
            _ready(own_server, crashable)
            assert_standing(crashable, 1)
            ended = run_to_end(crashable)
        assert_right(ended, crashable, 2)


@pytest.mark.full
def test_a_server_that_stays_away(crashable: Place, own_server: PostgresServer) -> None:
    project(crashable, HELD, 2)
    with provoked("K9", "postgres", "server crashed, restarted later", "exit 1, address named, old rows"):
        with outside(crashable) as look:
            look.execute(f"SELECT pg_advisory_lock({GATE})")
            with started_until_working(crashable, look) as running:
                since = time.monotonic()
                own_server.stop(immediate=True)
                ended = finish(running)
        assert time.monotonic() - since < 20
        assert ended.code == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        assert "middle" in ended.stderr
        assert str(own_server.port) in ended.stderr
        assert own_server.password not in ended.stderr
        own_server.start()
        assert_standing(crashable, 1)
        assert_right(run_to_end(crashable), crashable, 2)


def _ready(server: PostgresServer, place: Place) -> None:
    import psycopg

    def answers() -> bool:
        try:
            with outside(place) as look:
                answer: Any = look.execute("SELECT 1").fetchone()
                return bool(answer == (1,))
        except psycopg.OperationalError:
            return False

    until("the server has recovered", answers)
