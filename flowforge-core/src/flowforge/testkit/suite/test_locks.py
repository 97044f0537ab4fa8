"""Locks between sessions; between processes they are the same, by what the engine builds them on."""

from __future__ import annotations

import threading
import time

from flowforge.contract import Capability
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import PATIENCE, Lab
from flowforge.testkit.marks import requires

pytestmark = requires(Capability.LOCKS)


def take(lab: Lab, name: str, *, timeout: float) -> None:
    """Take a lock in a session of its own and give it back."""
    with lab.session("flowforge/other") as session, session.transaction():
        session.lock(name, timeout=timeout)


def test_a_held_lock_is_refused_after_the_time(lab: Lab) -> None:
    session = lab.session("flowforge/holder")
    with session.transaction():
        session.lock("orders", timeout=5)
        started = time.perf_counter()
        with lab.refused(ErrorKind.LOCKED):
            take(lab, "orders", timeout=0.5)
        assert 0.3 < time.perf_counter() - started < PATIENCE


@requires(Capability.PARALLEL_SESSIONS)
def test_the_refusal_names_the_holder(lab: Lab) -> None:
    session = lab.session("flowforge/holder")
    with session.transaction():
        session.lock("orders", timeout=5)
        with lab.refused(ErrorKind.LOCKED) as refusal:
            take(lab, "orders", timeout=0.2)
    assert "flowforge/holder" in " ".join([refusal.error.message, *refusal.error.notes])


@requires(Capability.PARALLEL_SESSIONS)
def test_other_names_are_free(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        session.lock("orders", timeout=5)
        take(lab, "users", timeout=1)


def test_taking_it_twice_is_taking_it_once(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        session.lock("orders", timeout=1)
        session.lock("orders", timeout=1)
    take(lab, "orders", timeout=1)


def test_a_commit_gives_it_back(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        session.lock("orders", timeout=1)
    take(lab, "orders", timeout=1)


def test_a_rollback_gives_it_back(lab: Lab) -> None:
    session = lab.session()
    with lab.given_up(session):
        session.lock("orders", timeout=1)
    take(lab, "orders", timeout=1)


def test_closing_gives_it_back(lab: Lab) -> None:
    session = lab.session()
    transaction = session.transaction()
    transaction.__enter__()
    session.lock("orders", timeout=1)
    session.close()
    take(lab, "orders", timeout=1)


def test_who_waited_sees_what_the_holder_did(lab: Lab) -> None:
    """The second run of a model builds on the first one's rows, not on what stood there when it began."""
    holder = lab.session()
    table = lab.table(holder, "t", {"id": [1]})
    about_to_wait = threading.Event()

    def second() -> int:
        session = lab.session()
        with session.transaction():
            about_to_wait.set()
            session.lock("t", timeout=PATIENCE)
            return lab.count(session, table)

    with holder.transaction():
        holder.lock("t", timeout=1)
        waiting = lab.start(second)
        assert about_to_wait.wait(PATIENCE)
        holder.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
        assert not waiting.done()
    assert waiting.result(PATIENCE) == 2


@requires(Capability.CANCEL)
def test_waiting_can_be_cancelled(lab: Lab) -> None:
    holder, other = lab.session(), lab.session()
    done = threading.Event()

    def wait() -> None:
        try:
            with lab.refused(ErrorKind.CANCELLED, ErrorKind.LOCKED), other.transaction():
                other.lock("orders", timeout=PATIENCE)
        finally:
            done.set()

    started = time.perf_counter()
    with holder.transaction():
        holder.lock("orders", timeout=1)
        waiting = lab.start(wait)
        while not done.wait(0.1) and time.perf_counter() - started < PATIENCE:
            other.cancel()
        waiting.result(PATIENCE)
    assert time.perf_counter() - started < PATIENCE / 2
