"""K2: the process is killed while the server works for it. Nothing goes on working, and the next run is right."""

from __future__ import annotations

import time

import pytest
from breaking.projects import (
    ASLEEP,
    PLAIN,
    assert_right,
    assert_standing,
    kill,
    outside,
    program,
    project,
    run_to_end,
    started_until_working,
    until,
    working,
)
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.faults import provoked

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "killpg"), reason="POSIX signals")

CROSS = "select {edition} as edition from generate_series(1, 100000) a, generate_series(1, 10000000) b group by 1\n"


@pytest.mark.parametrize("query", [ASLEEP, pytest.param(CROSS, marks=pytest.mark.full)], ids=["asleep", "busy"])
def test_the_server_stops_working_for_a_killed_process(postgres: Place, query: str) -> None:
    project(postgres, query, 2)
    with provoked("K2", "postgres", "kill -9 while the server works", "ended by the server, next run right"):
        with outside(postgres) as look:
            with started_until_working(postgres, look) as running:
                kill(running)
            took = until("the orphan is gone", lambda: not working(look))
        assert took < 5, f"the orphan worked for {took:.1f} s"  # one second by the setting; the machine may be busy
        assert_standing(postgres, 1)
        project(postgres, PLAIN, 2)
        since = time.monotonic()
        assert_right(run_to_end(postgres), postgres, 2)
        assert time.monotonic() - since < 15  # a second as a rule: it waits for nobody


BLIND = "import flowforge_postgres.pool as pool\npool.looks_after_clients = lambda connection: False\n"


def test_the_next_run_ends_what_the_server_did_not(postgres: Place) -> None:
    """Where the server cannot notice that a client is gone, the next run ends its session, which holds locks."""
    project(postgres, ASLEEP, 2)
    command = program(postgres.root, BLIND)
    with (
        provoked("K2", "postgres", "kill -9, server that does not notice", "ended by the next run, which is right"),
        outside(postgres) as look,
    ):
        with started_until_working(postgres, look, command=command) as running:
            kill(running)
        (orphan,) = working(look)
        project(postgres, PLAIN, 2)
        since = time.monotonic()
        ended = run_to_end(postgres)
        assert time.monotonic() - since < 15
        assert "ended 1 statement of runs that were killed" in ended.stderr
        assert orphan not in working(look)
        assert_right(ended, postgres, 2)
