"""Several sessions, cancelling, time limits, and what a session can stand."""

from __future__ import annotations

import threading
import time

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import PATIENCE, Lab
from flowforge.testkit.marks import requires

SLOW = 6.0
"""Seconds that an undisturbed slow query takes, within limits; long against what a stop should take."""


def stop_until(done: threading.Event, session: object) -> None:
    """Call ``cancel`` until it worked, as a run does: the first call may come before the statement began."""
    ends = time.monotonic() + SLOW / 2
    while not done.wait(0.1) and time.monotonic() < ends:
        session.cancel()  # type: ignore[attr-defined]


@requires(Capability.CANCEL)
@pytest.mark.parametrize("way", ["query", "execute", "create_as"])
def test_a_statement_is_cancelled_from_another_thread(lab: Lab, way: str) -> None:
    session = lab.session()
    query = lab.slow_query(session, seconds=SLOW)
    done = threading.Event()
    stopping = lab.start(stop_until, done, session)
    started = time.perf_counter()
    try:
        with lab.refused(ErrorKind.CANCELLED):
            if way == "query":
                session.query(query).read_all()
            elif way == "execute":
                session.execute(query)
            else:
                session.create_as(lab.relation("t"), query, CreateKind.TABLE)
    finally:
        done.set()
    took = time.perf_counter() - started
    stopping.result(PATIENCE)
    assert took < SLOW / 2
    assert session.kind_of(lab.relation("t")) is None
    assert lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]


@requires(Capability.CANCEL)
def test_a_cancelled_transaction_is_rolled_back(lab: Lab) -> None:
    session = lab.session()
    query = lab.slow_query(session, seconds=SLOW)
    done = threading.Event()
    try:
        with lab.refused(ErrorKind.CANCELLED), session.transaction():
            stopping = lab.start(stop_until, done, session)
            session.query(query).read_all()
    finally:
        done.set()
    stopping.result(PATIENCE)
    with session.transaction():
        table = lab.table(session, "t", {"id": [1]})
    assert lab.rows(session, table) == [(1,)]


def test_cancelling_nothing_is_quiet(lab: Lab) -> None:
    session = lab.session()
    session.cancel()
    assert lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]
    session.cancel()
    assert lab.rows(session, lab.table(session, "t", {"id": [1]})) == [(1,)]


@requires(Capability.TIMEOUT)
def test_a_statement_that_takes_too_long_is_stopped(lab: Lab) -> None:
    query = lab.slow_query(lab.session(), seconds=SLOW)
    session = lab.session(timeout=0.5)
    started = time.perf_counter()
    with lab.refused(ErrorKind.TIMEOUT):
        session.query(query).read_all()
    assert time.perf_counter() - started < SLOW / 2
    assert lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]


def test_the_time_limit_is_for_each_statement(lab: Lab) -> None:
    session = lab.session(timeout=1.0)
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends:
        assert lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]


@requires(Capability.PARALLEL_SESSIONS)
def test_two_sessions_write_at_the_same_time(lab: Lab) -> None:
    one, two = lab.session(), lab.session(timeout=5)
    with one.transaction():
        first = lab.table(one, "first", {"id": [1]})
        with two.transaction():
            second = lab.table(two, "second", {"id": [2]})
    assert lab.rows(one, second) == [(2,)]
    assert lab.rows(two, first) == [(1,)]


@requires(Capability.PARALLEL_SESSIONS, telling=False)
def test_many_sessions_publish_at_the_same_time(lab: Lab) -> None:
    notes = lab.table(lab.session(), "notes", {"worker": [-1], "nr": [-1]})
    ready = threading.Barrier(4, timeout=PATIENCE)

    def work(worker: int) -> None:
        with lab.session(f"worker {worker}") as session:
            ready.wait()
            for nr in range(5):
                target = lab.relation(f"t_{worker}_{nr}")
                with session.transaction():
                    staged = lab.table(session, f"staged_{worker}_{nr}", {"id": [worker * 100 + nr]})
                    session.replace(staged, target)
                    note = f"SELECT {worker} AS {lab.names('worker')}, {nr} AS {lab.names('nr')}"
                    session.insert(notes, note, ["worker", "nr"])

    for future in [lab.start(work, worker) for worker in range(4)]:
        future.result(PATIENCE * 2)
    session = lab.session()
    assert lab.count(session, notes) == 21
    for worker in range(4):
        for nr in range(5):
            assert lab.rows(session, lab.relation(f"t_{worker}_{nr}")) == [(worker * 100 + nr,)]


@requires(Capability.ESTIMATE)
def test_an_estimate_runs_nothing(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": list(range(1000))})
    size = session.estimate(f"SELECT * FROM {lab.sql(table)}")
    assert size is not None
    assert size > 0
    session.estimate(f"DELETE FROM {lab.sql(table)} WHERE 1 = 1")
    assert lab.count(session, table) == 1000
    with lab.refused(ErrorKind.MISSING):
        session.estimate(f"SELECT * FROM {lab.sql(lab.relation('ghost'))}")


def test_a_stream_may_be_left_unfinished(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": list(range(50_000))})
    for _ in range(3):
        reader = session.query(f"SELECT * FROM {lab.sql(table)}")
        reader.read_next_batch()
        reader.close()
        assert lab.count(session, table) == 50_000


def test_a_session_may_be_closed_twice(lab: Lab) -> None:
    session = lab.session()
    session.close()
    session.close()


def test_a_session_closes_at_the_end_of_a_block(lab: Lab) -> None:
    with lab.session() as session:
        lab.table(session, "t", {"id": [1]})
    with pytest.raises(Exception, match=r"."):
        session.execute("SELECT 1")
    assert lab.count(lab.session(), lab.relation("t")) == 1
