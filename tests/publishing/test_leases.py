"""Leases: one holder at a time, whatever clocks, connections and processes do."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from flowforge.contract import Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.state.lease import Holder, Leases
from flowforge.state.process import birth_of
from flowforge_plain.place import PATIENCE, Place, together

NAME = "`orders`"


class Clock:
    """The database's time, as a test wants it; a session that is wrapped tells it."""

    def __init__(self) -> None:
        self.now = "2024-05-06 07:08:09"

    def wrap(self, session: Session) -> Any:
        clock = self

        class Clocked:
            def __getattr__(self, name: str) -> Any:
                return getattr(session, name)

            def query(self, sql: str) -> Any:
                assert "CURRENT_TIMESTAMP" in sql
                return session.query(sql.replace("CURRENT_TIMESTAMP", f"'{clock.now}'"))

        return Clocked()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def holders(leases: Leases, session: Session) -> list[Holder]:
    return leases._read(session, NAME)[0]


def write(leases: Leases, session: Session, **changes: object) -> None:
    """Change the one row behind everybody's back."""
    sets = ", ".join(f"{column} = {leases.dialect.literal(value)}" for column, value in changes.items())
    session.execute(f"UPDATE {leases.dialect.render(leases.table)} SET {sets}")


def refused(leases: Leases, session: Session, *, timeout: float = 0.0) -> EngineError:
    with pytest.raises(EngineError) as caught, leases.hold(session, NAME, timeout=timeout):
        pytest.fail("two hold it")
    return caught.value


@pytest.fixture
def held(plain: Place, clock: Clock) -> Iterator[tuple[Leases, Session]]:
    """A lease of run1 that is not renewed."""
    leases, session = plain.leases("run1"), clock.wrap(plain.session())
    with leases.hold(session, NAME, timeout=0):
        yield leases, session


def test_it_is_refused_while_another_run_holds_it_and_says_who(plain: Place) -> None:
    one, two = plain.leases("run1"), plain.leases("run2")
    with one.hold(plain.session(), NAME, timeout=0):
        error = refused(two, plain.session(), timeout=0.2)
        assert two.alive(plain.session()) == {"run1"}
    assert error.kind is ErrorKind.LOCKED
    assert NAME in error.message
    assert f"run run1 (pid {os.getpid()} on " in error.message
    assert "UTC" in error.message
    assert two.alive(plain.session()) == frozenset()


def test_whoever_waits_is_told_for_whom(
    held: tuple[Leases, Session], plain: Place, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    refused(plain.leases("run2", poll=0.05), clock.wrap(plain.session()), timeout=1.3)
    told = [record for record in caplog.records if record.name == "flowforge.locks"]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert "run run1" in told[0].getMessage()


def test_given_back_it_is_free_and_its_epoch_goes_on(plain: Place) -> None:
    for number, run in enumerate(["run1", "run2", "run1"], start=1):
        leases, session = plain.leases(run), plain.session()
        with leases.hold(session, NAME, timeout=0) as lease:
            assert holders(leases, session) == [lease.mine]
            assert (lease.mine.epoch, lease.mine.run_id) == (number, run)
        (row,) = holders(leases, session)
        assert (row.holder, row.epoch) == ("", number)


def test_an_error_inside_gives_it_back(plain: Place) -> None:
    with pytest.raises(ZeroDivisionError), plain.leases("run1").hold(plain.session(), NAME, timeout=0):
        raise ZeroDivisionError
    with plain.leases("run2").hold(plain.session(), NAME, timeout=0):
        pass


def test_names_do_not_get_into_each_others_way(plain: Place) -> None:
    one, two = plain.leases("run1"), plain.leases("run2")
    with (
        one.hold(plain.session(), "it's `a`", timeout=0),
        two.hold(plain.session(), "it's `b`", timeout=0),
        two.hold(plain.session(), NAME, timeout=0),
    ):
        assert one.alive(plain.session()) == {"run1", "run2"}


def test_only_one_of_many_holds_it(plain: Place) -> None:
    inside: list[int] = []
    most: list[int] = []
    epochs: list[int] = []

    def work(index: int) -> None:
        leases = plain.leases(f"run{index}", poll=0.01)
        with plain.executor.session(label="test") as session:
            for _ in range(5):
                with leases.hold(session, NAME, timeout=PATIENCE) as lease:
                    inside.append(index)
                    most.append(len(inside))
                    epochs.append(lease.mine.epoch)
                    inside.remove(index)

    together(6, work)
    assert most == [1] * 30
    # When two step back from each other, an epoch goes by in which nobody held it.
    assert len(set(epochs)) == 30
    assert epochs == sorted(epochs)


def test_rows_that_stand_there_twice_do_no_harm(plain: Place) -> None:
    """Two runs that find no row both add one."""
    leases, session = plain.leases("run1"), plain.session()
    leases._ensure(session)
    leases._insert(session, NAME)
    leases._insert(session, NAME)
    other = plain.leases("run2")
    with leases.hold(session, NAME, timeout=0) as lease:
        leases._insert(session, NAME)  # somebody was late
        assert refused(other, plain.session()).kind is ErrorKind.LOCKED
        lease.confirm(session)
        assert refused(other, plain.session()).kind is ErrorKind.LOCKED
    with other.hold(session, NAME, timeout=0):
        assert refused(leases, plain.session()).kind is ErrorKind.LOCKED
    assert len(holders(leases, session)) == 3


def test_of_two_that_took_different_rows_none_holds_it(plain: Place) -> None:
    leases, session = plain.leases("run1"), plain.session()
    leases._ensure(session)
    leases._insert(session, NAME)
    read = leases._read(session, NAME)

    session.execute(f"CREATE TEMP TABLE theirs AS SELECT * FROM {plain.executor.dialect.render(leases.table)}")
    session.execute("UPDATE theirs SET holder = 'theirs', run_id = 'run2', epoch = 1")
    table = plain.executor.dialect.render(leases.table)
    session.execute(f"INSERT INTO {table} SELECT * FROM theirs")
    assert leases._try(session, NAME, read[0][0], read[1], unchanged=0) is None
    assert sorted(one.holder for one in holders(leases, session)) == ["", "theirs"]


def test_what_has_ended_may_be_taken_and_the_late_one_is_told(
    held: tuple[Leases, Session], plain: Place, clock: Clock
) -> None:
    leases, session = held
    (before,) = holders(leases, session)
    second, other = plain.leases("run2"), clock.wrap(plain.session())
    clock.now = "2024-05-06 07:08:39"
    refused(second, other)
    clock.now = "2024-05-06 07:08:40"
    with second.hold(other, NAME, timeout=0) as taken:
        assert taken.mine.epoch == before.epoch + 1
        assert leases.renew(session, NAME, before) is None
        taken.confirm(other)


def test_a_confirmed_lease_lasts_for_its_full_length_again(plain: Place, clock: Clock) -> None:
    leases, session = plain.leases("run1"), clock.wrap(plain.session())
    with leases.hold(session, NAME, timeout=0) as lease:
        clock.now = "2024-05-06 07:08:50"  # ended, but nobody has taken it
        lease.confirm(session)
        clock.now = "2024-05-06 07:09:20"
        refused(plain.leases("run2"), clock.wrap(plain.session()))


def test_confirming_what_another_run_has_taken_is_an_error_with_a_code(plain: Place, clock: Clock) -> None:
    leases, session = plain.leases("run1"), clock.wrap(plain.session())
    with leases.hold(session, NAME, timeout=0) as lease:
        clock.now = "2024-05-07 00:00:00"
        with plain.leases("run2").hold(clock.wrap(plain.session()), NAME, timeout=0):
            with pytest.raises(EngineError, match="taken over") as caught:
                lease.confirm(session)
            assert (caught.value.code, caught.value.kind) == ("FF2303", ErrorKind.LOCKED)
        with pytest.raises(EngineError, match="taken over"):
            lease.confirm(session)  # given back by the other one, it is still not ours


def test_a_clock_that_jumps_back_does_not_lock_for_ever(
    held: tuple[Leases, Session], plain: Place, clock: Clock
) -> None:
    clock.now = "2024-05-05 00:00:00"
    refused(plain.leases("run2", length=60.0), clock.wrap(plain.session()), timeout=0.3)
    with plain.leases("run3", length=0.3, poll=0.05).hold(clock.wrap(plain.session()), NAME, timeout=PATIENCE):
        pass


def test_a_process_that_is_gone_holds_nothing(plain: Place) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    birth = birth_of(process.pid)
    leases, session = plain.leases("run1"), plain.session()
    with leases.hold(session, NAME, timeout=0):
        write(leases, session, pid=process.pid, birth=birth)
        second = plain.leases("run2")
        refused(second, plain.session())
        process.stdin.close()
        process.wait(PATIENCE)
        if not birth:
            pytest.skip("this system does not tell when a process was born")
        assert second.alive(plain.session()) == frozenset()
        with second.hold(plain.session(), NAME, timeout=0):
            pass


@pytest.mark.parametrize("birth", ["", "another-boot pid:[1] 7", "x"])
def test_of_a_process_elsewhere_nobody_knows_whether_it_is_gone(plain: Place, birth: str) -> None:
    leases, session = plain.leases("run1"), plain.session()
    with leases.hold(session, NAME, timeout=0):
        write(leases, session, pid=2**22 + 5, birth=birth)
        refused(plain.leases("run2"), plain.session())


def test_a_run_takes_back_what_its_lost_connection_held(plain: Place, caplog: pytest.LogCaptureFixture) -> None:
    leases = plain.leases("run1")
    session = plain.session()
    with leases.hold(session, NAME, timeout=0):
        session.close()
    assert "was not given back" in caplog.text
    refused(plain.leases("run2"), plain.session())
    with leases.hold(plain.session(), NAME, timeout=0):
        pass


def test_it_is_renewed_while_the_model_runs(plain: Place) -> None:
    leases, session = plain.leases("run1", beat=0.02, length=1000), plain.session()
    other = plain.session()
    with leases.hold(session, NAME, timeout=0) as lease:
        write(leases, session, until_ms=5)
        deadline = time.monotonic() + PATIENCE
        while holders(leases, other)[0].until_ms == 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        lease.confirm(session)
    assert not [one for one in threading.enumerate() if one.name == "flowforge-lease"]


def test_renewals_that_fail_are_told_of_only_when_it_matters(plain: Place) -> None:
    failed = threading.Event()

    def broken(label: str) -> Session:
        failed.set()
        raise OSError("no route to the database")

    leases, session = attrs.evolve(plain.leases("run1", beat=0.01), open_session=broken), plain.session()
    with leases.hold(session, NAME, timeout=0) as lease:
        assert failed.wait(PATIENCE)
        lease.confirm(session)
        write(leases, session, holder="theirs", epoch=7)
        deadline = time.monotonic() + PATIENCE
        while lease._lost is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(EngineError) as caught:
            lease.confirm(session)
    assert "no route to the database" in caught.value.notes[0]


def test_a_stop_ends_the_wait(plain: Place) -> None:
    waiting = plain.leases("run2")
    with plain.leases("run1").hold(plain.session(), NAME, timeout=0):
        threading.Timer(0.1, waiting.stop.set).start()
        started = time.monotonic()
        assert refused(waiting, plain.session(), timeout=PATIENCE).kind is ErrorKind.CANCELLED
        assert time.monotonic() - started < PATIENCE / 2


def test_another_run_that_will_step_back_costs_nobody_the_lease(plain: Place) -> None:
    """Two rows of one name and epoch stand there for a moment, when two runs begin at once: the second sees the first."""
    one, session = plain.leases("run1"), plain.session()
    with one.hold(session, NAME, timeout=0) as lease:
        other = attrs.evolve(lease.mine, holder="other", run_id="run2", until_ms=lease.mine.until_ms + 60_000)
        one._insert(session, NAME)
        one.update(session, NAME, Holder(), other)
        lease.confirm(session)
        one.update(session, NAME, other, attrs.evolve(other, epoch=other.epoch + 1))
        with pytest.raises(EngineError, match="taken over"):
            lease.confirm(session)
