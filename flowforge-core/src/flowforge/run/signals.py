"""Turns Ctrl-C and SIGTERM into a polite stop, and a second one into an end at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from flowforge.run.scheduler import Stop


@contextlib.contextmanager
def stop_on_signals(stop: Stop, *, enabled: bool) -> Iterator[None]:
    """While the block runs, SIGINT and SIGTERM set *stop*. Only the main thread can do this; elsewhere a no-op."""
    if not enabled or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + signum)  # asked twice: whatever still computes cannot be waited for
        stop.set(signum)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
