"""The working sessions of a run are cancelled together, whatever one of them does."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from flowforge.contract import Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.run.sessions import Sessions


class Fake:
    """Counts what is asked of it."""

    def __init__(self, cancel: Any = None) -> None:
        self.cancelled = threading.Event()
        self.closed = 0
        self._cancel = cancel

    def cancel(self) -> None:
        if self._cancel is not None:
            self._cancel()
        self.cancelled.set()

    def close(self) -> None:
        self.closed += 1


def test_a_session_that_raises_or_hangs_does_not_keep_the_others_from_being_cancelled() -> None:
    hang, sessions = threading.Event(), Sessions()

    def broken() -> None:
        raise RuntimeError("the driver is confused")

    fakes = [Fake(broken), Fake(hang.wait), Fake(), Fake()]
    blocks = [sessions.working(cast(Session, fake)) for fake in fakes]
    for block in blocks:
        block.__enter__()
    try:
        for _ in range(3):
            sessions.cancel()
        assert all(fake.cancelled.wait(5) for fake in fakes[2:])
        assert not fakes[1].cancelled.is_set()
        # One thread at a time for the session that hangs, however often the others are cancelled.
        assert sum(thread.name == "flowforge-cancel" for thread in threading.enumerate()) == 1
    finally:
        hang.set()
        for block in blocks:
            block.__exit__(None, None, None)
    assert [fake.closed for fake in fakes] == [1, 1, 1, 1]


def test_nothing_begins_after_a_cancel() -> None:
    sessions, late = Sessions(), Fake()
    sessions.cancel()
    with pytest.raises(EngineError) as caught, sessions.working(cast(Session, late)):
        pytest.fail("the block began")
    assert caught.value.kind is ErrorKind.CANCELLED
    assert late.closed == 1


def test_a_session_that_has_ended_is_left_alone() -> None:
    sessions, fake = Sessions(), Fake()
    with sessions.working(cast(Session, fake)):
        pass
    sessions.cancel()
    assert not fake.cancelled.is_set()
