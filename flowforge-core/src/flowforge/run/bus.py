"""Carries the events of a run to whoever listens: the console at once, plugins from a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

from flowforge.events import Event

Listener = Callable[[Event], None]

_CAPACITY = 10_000
_FAREWELL = 5.0  # seconds that plugins get at the end of a run to read what is left


class EventBus:
    """Delivers events in order. :meth:`emit` may be called from any thread.

    Parameters
    ----------
    listener:
        Called at once, one event at a time.
    notify:
        Called on one thread of its own behind a bounded queue, so that it cannot slow the run. When the queue is
        full, the event is dropped for it and counted in :attr:`dropped`.
    """

    def __init__(self, listener: Listener | None, notify: Listener | None) -> None:
        self._listener = listener
        self._notify = notify
        self._lock = threading.Lock()
        self._queue: queue.Queue[Event | None] = queue.Queue(_CAPACITY)
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def __enter__(self) -> EventBus:
        if self._notify is not None:
            self._thread = threading.Thread(target=self._deliver, name="flowforge-notices", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            try:
                self._queue.put(None, timeout=_FAREWELL)
            except queue.Full:
                return  # a plugin hangs; its thread is a daemon and ends with the process
            self._thread.join(_FAREWELL)

    def emit(self, event: Event) -> None:
        """Hand *event* to everybody."""
        with self._lock:
            if self._listener is not None:
                self._listener(event)
            if self._thread is not None:
                try:
                    self._queue.put_nowait(event)
                except queue.Full:
                    self.dropped += 1

    def _deliver(self) -> None:
        assert self._notify is not None
        while (event := self._queue.get()) is not None:
            self._notify(event)
