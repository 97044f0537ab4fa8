"""The sessions that work right now, so that they can be cancelled together."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from flowforge.contract import Session
from flowforge.errors import EngineError, ErrorKind

logger = logging.getLogger("flowforge.run")


class Sessions:
    """The working sessions of one run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Session] = set()
        self._cancelling: dict[Session, threading.Thread] = {}
        self._cancelled = False

    @contextlib.contextmanager
    def working(self, session: Session) -> Iterator[Session]:
        """Let *session* be cancelled with the others while the block runs, and close it afterwards.

        Raises
        ------
        EngineError
            Of kind ``CANCELLED``, when the others were cancelled already.
        """
        try:
            with self._lock:
                if self._cancelled:
                    raise EngineError("cancelled before it began", kind=ErrorKind.CANCELLED)
                self._open.add(session)
            yield session
        finally:
            with self._lock:
                self._open.discard(session)
            session.close()

    def cancel(self) -> None:
        """Cancel what runs in all of them, each on a thread of its own: one that hangs does not keep the others.

        From any thread; called again until everything has ended, because a statement may have begun just after.
        """
        with self._lock:
            self._cancelled = True
            for session in [one for one, thread in self._cancelling.items() if not thread.is_alive()]:
                del self._cancelling[session]
            threads = []
            for session in self._open - self._cancelling.keys():
                thread = threading.Thread(target=_cancel, args=(session,), name="flowforge-cancel", daemon=True)
                self._cancelling[session] = thread
                threads.append(thread)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.1)


def _cancel(session: Session) -> None:
    try:
        session.cancel()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises; it is tried again soon
        logger.debug("a session could not be cancelled: %s", error)
