"""K22: the network goes away without a word. No end of the line notices by itself; the run does."""

from __future__ import annotations

import sys
import time

import pytest
from breaking.projects import (
    GATE,
    HELD,
    PLAIN,
    assert_right,
    assert_standing,
    outside,
    program,
    project,
    run_to_end,
    started_until_working,
    until,
    working,
)
from breaking.proxy import proxied
from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import finish
from flowforge_test_servers.faults import provoked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="how to make a socket deaf is known for Linux only")

HASTY = """
import flowforge_postgres.executor as executor
from flowforge_postgres.blockers import Patience
import flowforge_postgres.connect as connect
connect._NETWORK_OF_SERVER = {"tcp_keepalives_idle": "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "2"}
executor.PostgresExecutor.__init__.__defaults__ = (Patience(answer=0.5, refusal=0.5, silence=2.0),)
"""


@pytest.mark.parametrize(
    ("prelude", "connect_timeout", "limit"),
    [(HASTY, 2, 20), pytest.param("", 8, 60, marks=pytest.mark.full)],
    ids=["hasty", "as users have it"],
)
def test_a_connection_that_is_unplugged(postgres: Place, prelude: str, connect_timeout: int, limit: int) -> None:
    from psycopg import conninfo

    project(postgres, HELD, 2)
    profile = postgres.root / "profiles.yml"
    profile.write_text(profile.read_text().replace("dsn:", f"connect_timeout: {connect_timeout}, dsn:"))
    words = conninfo.conninfo_to_dict(postgres.env["BOARD_DSN"])
    with (
        provoked("K22", "postgres", "nothing comes through any more, in a statement", "exit 1 in a minute, old rows"),
        outside(postgres) as look,
    ):
        look.execute(f"SELECT pg_advisory_lock({GATE})")
        with proxied(int(words["port"])) as proxy:
            dsn = conninfo.make_conninfo("", **{**words, "port": proxy.port})
            command = program(postgres.root, prelude)
            with started_until_working(postgres, look, command=command, BOARD_DSN=dsn) as running:
                proxy.unplug()
                since = time.monotonic()
                ended = finish(running)
            assert time.monotonic() - since < limit
            assert ended.code == 1, ended.stderr
            assert "Traceback" not in ended.stderr
            assert "middle" in ended.stderr
            assert "help:" in ended.stderr
            assert_standing(postgres, 1)
            # The server keeps the session until its own end of the line gives up; then its locks are free.
            until("the server has given it up", lambda: not working(look), limit)
        project(postgres, PLAIN, 2)
        assert_right(run_to_end(postgres), postgres, 2)
