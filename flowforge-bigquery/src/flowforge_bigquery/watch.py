"""One job at a time, which another thread may stop, or the clock. Knows no BigQuery but how a job is called."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Watch:
    """Watches the one job that a session waits for.

    Parameters
    ----------
    stop:
        Asks the service to end a job; callable from any thread.
    """

    def __init__(self, stop: Callable[[Any], None]) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._job: Any = None
        self._active = False
        self._told = False
        self._started = 0.0
        self.stopped = False

    def begin(self) -> None:
        """A statement starts."""
        with self._lock:
            self._active, self._job, self.stopped, self._told = True, None, False, False
            self._started = time.monotonic()

    def started(self, job: Any) -> None:
        """The service has taken the statement on; a stop that came before is passed on now."""
        with self._lock:
            self._job = job
            told = self._told or not self.stopped
            self._told = self._told or self.stopped
        if not told:
            self._stop(job)

    def end(self) -> None:
        """The statement is over; quiet when it was before."""
        with self._lock:
            self._active, self._job = False, None

    @property
    def took(self) -> float:
        """Seconds since the statement began."""
        return time.monotonic() - self._started

    def cancel(self) -> None:
        """Stop what runs now; quiet when nothing does. Any thread."""
        with self._lock:
            if not self._active:
                return
            self.stopped = True
            job, told = self._job, self._told
            self._told = self._told or job is not None
        if job is not None and not told:
            self._stop(job)
