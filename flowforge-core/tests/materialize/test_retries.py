"""Which failures are tried again, how often, and that nothing is done twice."""

from __future__ import annotations

import threading
import time

import pytest

from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge.materialize import retries
from flowforge.materialize.retries import retrying


class DriverError(Exception):
    """What a driver raises."""


class Step:
    """Fails with the given errors, one after the other, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.told: list[tuple[EngineError, float]] = []
        self.stop = threading.Event()

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self, **options: int) -> str:
        def as_engine_error(error: BaseException) -> EngineError | None:
            return passing() if isinstance(error, DriverError) else None

        return retrying(
            self,
            as_engine_error=as_engine_error,
            stop=self.stop,
            on_retry=lambda error, pause: self.told.append((error, pause)),
            **options,
        )


def passing(kind: ErrorKind = ErrorKind.DEADLOCK, committed: Committed = Committed.NO) -> EngineError:
    return EngineError("later, perhaps", kind=kind, retryable=True, committed=committed)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST", 0.001)


def test_what_succeeds_is_called_once() -> None:
    step = Step()
    assert (step.run(), step.calls, step.told) == ("done", 1, [])


@pytest.mark.parametrize("error", [passing(), DriverError(), passing(ErrorKind.CONNECTION)])
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    step = Step(error, error)
    assert (step.run(), step.calls) == ("done", 3)
    assert [told.retryable for told, _ in step.told] == [True, True]
    assert 0 < step.told[0][1] < step.told[1][1]


def test_the_last_error_comes_as_it_was_raised() -> None:
    errors = [passing(), DriverError("one"), DriverError("two")]
    step = Step(*errors)
    with pytest.raises(DriverError) as caught:
        step.run()
    assert caught.value is errors[-1]
    assert (step.calls, len(step.told)) == (3, 2)


def test_the_number_of_attempts() -> None:
    step = Step(*[passing() for _ in range(9)])
    with pytest.raises(EngineError):
        step.run(attempts=5)
    assert step.calls == 5


@pytest.mark.parametrize(
    "error",
    [
        EngineError("never", kind=ErrorKind.DEADLOCK),
        passing(ErrorKind.LOCKED),
        passing(ErrorKind.TIMEOUT),
        passing(ErrorKind.CANCELLED),
        passing(committed=Committed.UNKNOWN),
        passing(committed=Committed.YES),
        ZeroDivisionError(),
    ],
)
def test_what_does_not_pass_or_may_have_been_done_is_not_tried_again(error: Exception) -> None:
    step = Step(error)
    with pytest.raises(type(error)):
        step.run()
    assert (step.calls, step.told) == (1, [])


def test_an_interrupt_is_not_tried_again() -> None:
    step = Step()
    step.errors = [KeyboardInterrupt()]  # type: ignore[list-item]
    with pytest.raises(KeyboardInterrupt):
        step.run()
    assert step.calls == 1


def test_a_stop_ends_the_pause_and_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST", 60.0)
    monkeypatch.setattr(retries, "_LONGEST", 60.0)
    step = Step(*[passing() for _ in range(9)])
    threading.Timer(0.1, step.stop.set).start()
    started = time.monotonic()
    with pytest.raises(EngineError):
        step.run()
    assert time.monotonic() - started < 30
    assert step.calls <= 2


def test_after_a_stop_nothing_is_tried_again() -> None:
    step = Step(passing())
    step.stop.set()
    with pytest.raises(EngineError):
        step.run()
    assert step.calls == 1
