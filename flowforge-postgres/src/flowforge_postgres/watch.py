"""Stops a statement from another thread, and knows since when it runs. Knows no PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSES = (0.02, 0.05, 0.1, 0.2, *(0.4,) * 8)  # seconds between tries
_ENOUGH = 4.0  # seconds after which no more is tried: whoever cancels has other sessions to stop


class Watch:
    """Watches the one statement that a session runs.

    The server ignores a cancellation that comes before the statement does. So a stop is repeated until the statement
    is over; and it names the statement that it means, so that it never hits the next one.

    Parameters
    ----------
    interrupt:
        Asks the server to stop what runs; callable from any thread.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._statement = 0
        self._active = False
        self._started = 0.0
        self.stopped = False
        self.blocker: str | None = None
        self.silence: float | None = None

    def begin(self) -> None:
        """A statement starts."""
        with self._lock:
            self._statement += 1
            self._active, self.stopped, self.blocker, self.silence = True, False, None, None
            self._started = time.monotonic()
            self._idle.clear()

    def pause(self) -> None:
        """The statement's rows are being read by somebody else; nothing waits for the server now."""
        self._idle.set()

    def resume(self) -> None:
        """The server is asked for more rows of the same statement."""
        self._idle.clear()

    def end(self) -> None:
        """The statement is over; quiet when it was before."""
        with self._lock:
            self._active = False
            self._idle.set()

    @property
    def took(self) -> float:
        """Seconds since the last statement began."""
        return time.monotonic() - self._started

    def waiting(self) -> float | None:
        """Seconds for which a call into the server has been running; ``None`` when none does. Any thread."""
        with self._lock:
            return time.monotonic() - self._started if self._active and not self._idle.is_set() else None

    def cancel(self) -> None:
        """Stop the statement that runs now; quiet when none does. Any thread."""
        statement, begun = self._statement, time.monotonic()
        for pause in _PAUSES:
            with self._lock:
                if not self._active or self._statement != statement:
                    return
                self.stopped = True
                self._interrupt()
            if self._idle.wait(pause) or time.monotonic() - begun > _ENOUGH:
                return
