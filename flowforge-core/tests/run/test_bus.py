from __future__ import annotations

import datetime as dt
import threading

from flowforge.events import Event
from flowforge.run import bus as bus_module
from flowforge.run.bus import EventBus


def event(number: int) -> Event:
    return Event(str(number), dt.datetime.now(dt.UTC))


def test_both_get_every_event_in_order() -> None:
    heard: list[str] = []
    noticed: list[str] = []
    with EventBus(lambda one: heard.append(one.run_id), lambda one: noticed.append(one.run_id)) as bus:
        for number in range(100):
            bus.emit(event(number))
    assert heard == noticed == [str(number) for number in range(100)]


def test_a_slow_plugin_slows_nobody_and_is_told_what_is_left_at_the_end() -> None:
    go = threading.Event()
    noticed: list[str] = []

    def slow(one: Event) -> None:
        go.wait(10)
        noticed.append(one.run_id)

    with EventBus(None, slow) as bus:
        for number in range(10):
            bus.emit(event(number))
        assert noticed == []
        go.set()
    assert len(noticed) == 10


def test_a_full_queue_drops_and_counts() -> None:
    go, started = threading.Event(), threading.Event()

    def stuck(one: Event) -> None:
        started.set()
        go.wait(10)

    bus = EventBus(None, stuck)
    bus._queue.maxsize = 3
    with bus:
        bus.emit(event(0))
        assert started.wait(5)
        for number in range(5):
            bus.emit(event(number))
        assert bus.dropped == 2
        go.set()


def test_a_hanging_plugin_does_not_keep_the_program() -> None:
    import pytest

    forever = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus_module, "_FAREWELL", 0.1)
        with EventBus(None, lambda one: bool(forever.wait(30))) as bus:
            bus.emit(event(0))
    forever.set()


def test_listeners_are_called_one_at_a_time_from_many_threads() -> None:
    inside, worst = 0, 0
    lock = threading.Lock()

    def listen(one: Event) -> None:
        nonlocal inside, worst
        with lock:
            inside += 1
            worst = max(worst, inside)
        with lock:
            inside -= 1

    with EventBus(listen, None) as bus:
        threads = [threading.Thread(target=lambda: [bus.emit(event(n)) for n in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert worst == 1
