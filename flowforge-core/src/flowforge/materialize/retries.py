"""Tries a step again when it failed for a reason that may pass, and the database was not changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from flowforge.errors import Committed, EngineError, ErrorKind

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

_FIRST, _LONGEST = 0.2, 5.0  # seconds
_NEVER_AGAIN = (ErrorKind.LOCKED, ErrorKind.TIMEOUT, ErrorKind.CANCELLED)


def is_worth_another_try(error: EngineError | None) -> bool:
    """Whether the same step may succeed, and does nothing twice."""
    return (
        error is not None
        and error.retryable
        and error.committed is Committed.NO
        and error.kind not in _NEVER_AGAIN  # waited for, or stopped, long enough already
    )


def retrying(
    step: Callable[[], T],
    *,
    as_engine_error: Callable[[BaseException], EngineError | None],
    stop: threading.Event,
    on_retry: Callable[[EngineError, float], None],
    attempts: int = 3,
) -> T:
    """Call *step*, up to *attempts* times, with growing pauses of random length between.

    Parameters
    ----------
    as_engine_error:
        A driver's exception in the contract's words (``Executor.error``).
    stop:
        Ends a pause, and all further attempts.
    on_retry:
        Called before each pause with the error and the pause in seconds.

    Raises
    ------
    Exception
        What the last attempt raised, as it was raised.
    """
    try:
        return step()  # as nearly always: without a framework around it
    except Exception as error:  # noqa: BLE001 - raised again below, under tenacity's judgement
        failed = [error]
    import tenacity

    def again() -> T:
        if failed:
            raise failed.pop()
        return step()

    def translated(error: BaseException | None) -> EngineError | None:
        if error is None or isinstance(error, EngineError):
            return error
        return as_engine_error(error) if isinstance(error, Exception) else None

    def tell(state: RetryCallState) -> None:
        error = translated(state.outcome.exception() if state.outcome else None)
        if error is not None:
            on_retry(error, state.next_action.sleep if state.next_action else 0.0)

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(attempts) | tenacity.stop_when_event_set(stop),
        wait=tenacity.wait_exponential(multiplier=_FIRST, max=_LONGEST, exp_base=3) + tenacity.wait_random(0, _FIRST),
        sleep=tenacity.sleep_using_event(stop),
        retry=tenacity.retry_if_exception(lambda error: is_worth_another_try(translated(error))),
        before_sleep=tell,
        reraise=True,
    )(again)
