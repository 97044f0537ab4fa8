"""How to run: what whoever starts a run may ask for. Values, and what follows from them alone."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Mapping

import attrs

from flowforge.contract import Capability, EngineSpec
from flowforge.frozen import frozen
from flowforge.project.windows import Window
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode


@frozen
class RunOptions:
    """How to run.

    Parameters
    ----------
    jobs:
        Nodes at once; ``None``: as many as there are processors, at most eight.
    timeout:
        Seconds that one statement may take.
    lock_timeout:
        Seconds to wait for another run's lock.
    handle_signals:
        Take SIGINT and SIGTERM while the run lasts (main thread only).
    cache:
        What to believe of earlier runs.
    rebuild:
        Selectors of nodes to build whatever is known of them; they are built only if they are selected too.
    full_refresh:
        Build all that is selected, from nothing.
    store_failures:
        Store the failing rows of checks.
    keep_last:
        Of the histories of snapshots keep only so many of the newest versions of each key; ``None``: all.
    assume_unchanged:
        Take for granted that the rows of sources did not change since they were last read.
    event_time_start, event_time_end:
        Build exactly the windows that have a part in this time, of models that are built in windows; UTC.
    windows:
        Build exactly these windows of a node, by its name.
    now:
        The moment of the run, which decides what windows have begun, and is noted in histories; UTC. ``None``: by the clock.
    unit_tests:
        A build runs the unit tests of a model before it builds it.
    """

    jobs: int | None = None
    policy: FailPolicy = FailPolicy.FINISH_RUNNING
    timeout: float | None = None
    lock_timeout: float | None = 300.0
    handle_signals: bool = False
    cache: CacheMode = CacheMode.RW
    rebuild: tuple[str, ...] = ()
    full_refresh: bool = False
    store_failures: bool = False
    assume_unchanged: bool = False
    keep_last: int | None = None
    event_time_start: dt.datetime | None = None
    event_time_end: dt.datetime | None = None
    windows: Mapping[str, tuple[Window, ...]] = attrs.field(factory=dict)
    now: dt.datetime | None = None
    unit_tests: bool = True


def new_run_id() -> str:
    """An id that sorts by time and is unique over machines."""
    moment = dt.datetime.now(dt.UTC).strftime("%Y%m%d%H%M%S")
    return f"{moment}{uuid.uuid4().hex[:6]}"


def effective_jobs(options: RunOptions, engine: EngineSpec) -> int:
    """How many nodes run at once on *engine*."""
    if not engine.support(Capability.PARALLEL_SESSIONS):
        return 1
    return options.jobs or min(os.cpu_count() or 1, 8)
