"""K18, K19: statements that take too long, and work that needs more memory than there is."""

from __future__ import annotations

import resource
import sys
import time

import pytest
from breaking.projects import (
    ASLEEP,
    BUSY,
    PLAIN,
    assert_right,
    assert_standing,
    outside,
    program,
    project,
    run_to_end,
    working,
)
from flowforge_test_servers.board.arena import Place, write_files
from flowforge_test_servers.board.process import Ended, finish, start
from flowforge_test_servers.faults import provoked

SLOW = {"postgres": ASLEEP, "duckdb": BUSY}
LIMITED = "{{ config(timeout=1) }}\n"


def assert_stopped(ended: Ended, place: Place, seconds: int) -> None:
    """The run failed and says why, and nothing goes on working."""
    assert ended.code == 1, ended.stderr
    assert f"stopped after {seconds} second" in ended.stderr
    assert "middle" in ended.stderr
    assert_standing(place, 1)
    if place.arena.name == "postgres":
        with outside(place) as look:
            assert working(look) == []


@pytest.mark.parametrize(
    ("place", "how"),
    [
        ("postgres", "model"),
        ("duck", "option"),
        pytest.param("postgres", "option", marks=pytest.mark.full),
        pytest.param("duck", "model", marks=pytest.mark.full),
    ],
    indirect=["place"],
)
def test_a_statement_that_takes_too_long_is_stopped(place: Place, how: str) -> None:
    engine = place.arena.name
    words = ["--timeout", "2"] if how == "option" else []
    project(place, ("" if words else LIMITED) + SLOW[engine], 2)
    written = "--timeout" if words else "config(timeout=...)"
    with provoked("K18", engine, f"limited by {written}", "stopped on time, exit 1, old rows"):
        since = time.monotonic()
        ended = run_to_end(place, *words)
        assert time.monotonic() - since < 20
        assert_stopped(ended, place, 2 if words else 1)


GREEDY_SQL = "select {edition} as edition, list(a.range) as l from range(30000000) a\n"


def test_duckdb_runs_out_of_memory(duck: Place) -> None:
    project(duck, GREEDY_SQL, 2)
    profile = (duck.root / "profiles.yml").read_text()
    write_files(duck.root, {"profiles.yml": profile.replace("board.db", "board.db, memory_limit: 50MB, threads: 1")})
    with provoked("K19", "duckdb", "memory_limit 50MB", "exit 1, model named, old rows"):
        ended = run_to_end(duck)
        assert ended.code == 1, ended.stderr
        assert "memory" in ended.stderr.lower()
        assert "middle" in ended.stderr
        assert_standing(duck, 1)
        write_files(duck.root, {"profiles.yml": profile})
        project(duck, PLAIN, 2)
        assert_right(run_to_end(duck), duck, 2)


GREEDY_PYTHON = {
    "models/greedy.ff.py": "from flowforge import model\n\n\n@model(materialized='table')\ndef greedy():\n"
    "    return {'x': [len(bytearray(64 << 30))]}\n"
}
LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))\n"


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(resource, "RLIMIT_AS"), reason="limits of Linux")
def test_a_python_model_runs_out_of_memory(duck: Place) -> None:
    project(duck, PLAIN, 2, GREEDY_PYTHON)
    with provoked("K19", "duckdb", "Python model under RLIMIT_AS", "exit 1, model named, the rest is right"):
        ended = finish(start(duck, "run", "--keep-going", command=program(duck.root, LIMIT)))
        assert ended.code == 1, ended.stderr
        assert "greedy" in ended.stderr
        assert "memory" in ended.stderr.lower()
        assert "Traceback" not in ended.stderr
        assert_standing(duck, 2)
        with duck.look() as look:
            assert "greedy" not in look.kinds()
