"""Stops a statement from another thread: on request, or because it took too long. Knows no DuckDB."""

from __future__ import annotations

import threading
from collections.abc import Callable

_TRIES, _PAUSE = 100, 0.02  # up to two seconds


class Watch:
    """Watches the one statement that a session runs.

    DuckDB forgets an interrupt that comes just before a statement starts. So a stop is repeated until the call into
    DuckDB is over; and it names the statement that it means, so that it never hits the next one.

    Parameters
    ----------
    interrupt:
        Stops what runs; callable from any thread.
    timeout:
        Seconds that one statement may take; ``None``: any time.
    """

    def __init__(self, interrupt: Callable[[], None], timeout: float | None) -> None:
        self._interrupt = interrupt
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._statement = 0
        self._active = False
        self._timer: threading.Timer | None = None
        self.expired: float | None = None
        self.stopped = False

    def begin(self) -> None:
        """A statement starts."""
        with self._lock:
            self._statement += 1
            self._active = True
            self.expired, self.stopped = None, False
            self._idle.clear()
        if self._timeout is not None:
            self._timer = threading.Timer(self._timeout, self._expire, (self._statement,))
            self._timer.daemon = True
            self._timer.start()

    def pause(self) -> None:
        """The statement's rows are being read by somebody else; DuckDB itself does nothing now."""
        self._idle.set()

    def resume(self) -> None:
        """DuckDB is asked for more rows of the same statement."""
        self._idle.clear()

    def end(self) -> None:
        """The statement is over; quiet when it was before."""
        with self._lock:
            self._active = False
            self._idle.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancel(self) -> None:
        """Stop the statement that runs now; quiet when none does. Any thread."""
        self._stop(self._statement, None)

    def _expire(self, statement: int) -> None:
        self._stop(statement, self._timeout)

    def _stop(self, statement: int, expired: float | None) -> None:
        for _ in range(_TRIES):
            with self._lock:
                if not self._active or self._statement != statement:
                    return
                self.expired, self.stopped = expired, True
                self._interrupt()
            if self._idle.wait(_PAUSE):
                return
