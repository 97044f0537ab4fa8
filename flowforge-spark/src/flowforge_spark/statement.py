"""One statement at a time: its time limit, its end from another thread, and its error in the contract's words."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from flowforge.errors import EngineError, ErrorKind
from flowforge_spark.errors import Attempt, is_ours, translate


class Statements:
    """The statements of one session. :meth:`stop` may be called from any thread.

    Parameters
    ----------
    timeout:
        Seconds that each may take.
    """

    def __init__(self, spark: Any, timeout: float | None) -> None:
        self._spark = spark
        self._context = getattr(spark, "_sc", None)  # of a Spark in this process
        self._timeout = timeout
        self._tag = f"flowforge-{uuid.uuid4().hex}"
        self._mutex = threading.Lock()
        self._running = 0
        self._stopped: ErrorKind | None = None
        self.closed = False

    @contextlib.contextmanager
    def running(self, sql: str | None = None) -> Iterator[None]:
        """Work of one statement; *sql* is the caller's text, if that is what Spark is given.

        Raises
        ------
        EngineError
            For every error of Spark.
        """
        if self.closed:
            raise EngineError("the session is closed", kind=ErrorKind.CONNECTION)
        outermost = self._begin()
        timer = None
        if outermost and self._timeout is not None:
            timer = threading.Timer(self._timeout, self.stop, (ErrorKind.TIMEOUT,))
            timer.daemon = True
            timer.start()
        try:
            yield
        except Exception as exc:
            if isinstance(exc, EngineError) or not is_ours(exc):
                raise
            raise translate(exc, Attempt(sql, self._stopped, self._timeout)) from exc
        finally:
            if timer is not None:
                timer.cancel()
            self._end()

    def _begin(self) -> bool:
        with self._mutex:
            outermost = self._running == 0
            self._running += 1
            if outermost:
                self._stopped = None
        if outermost:
            # Tags belong to threads, which work for one session after the other.
            if self._context is not None:
                self._context.addJobTag(self._tag)
            else:
                self._spark.addTag(self._tag)
        return outermost

    def _end(self) -> None:
        with self._mutex:
            self._running -= 1
            outermost = self._running == 0
        if outermost:
            with contextlib.suppress(Exception):  # a Spark that is gone has no tags
                if self._context is not None:
                    self._context.removeJobTag(self._tag)
                else:
                    self._spark.removeTag(self._tag)

    def stop(self, why: ErrorKind = ErrorKind.CANCELLED) -> None:
        """End what runs now; quiet when nothing does."""
        with self._mutex:
            if not self._running:
                return
            self._stopped = self._stopped or why
        with contextlib.suppress(Exception):  # whoever waits for the statement sees whether it ended
            if self._context is not None:
                self._context.cancelJobsWithTag(self._tag)
            else:
                self._spark.interruptTag(self._tag)
