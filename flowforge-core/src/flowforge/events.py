"""What happens in a run, as frozen values: the one feed for console, JSON lines, reports and plugins."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.frozen import frozen
from flowforge.values import Relation


class Status(enum.Enum):
    """How a node or a check ended."""

    SUCCESS = "success"
    ERROR = "error"
    FAIL = "fail"
    """Checks failed; the relation was not replaced."""
    WARN = "warn"
    INFO = "info"
    """A check of severity *info* has found something."""
    SKIPPED = "skipped"
    """Not run, because something it depends on failed, or the run stopped."""
    CACHED = "cached"
    CANCELLED = "cancelled"


@frozen
class Event:
    """Base of all events. *at* is UTC."""

    run_id: str
    at: dt.datetime


@frozen
class RunStarted(Event):
    """A run begins. *nodes* are the names of what will run, in plan order; *command* is ``run``, ``build`` ..."""

    command: str
    project: str
    env: str
    engine: str
    namespace: str
    nodes: tuple[str, ...]
    jobs: int
    parent: Mapping[str, Any] = attrs.field(factory=dict)


@frozen
class NodeStarted(Event):
    """A worker begins a node. *node_run_id* is unique over all runs; *index* counts what began, from 1."""

    node_run_id: str
    node: str
    kind: str
    relation: Relation | None
    index: int
    total: int
    inputs: tuple[Relation, ...] = ()


@frozen
class NodeFinished(Event):
    """A node ended. *duration* is in seconds of wall time; *sql* is compiled and holds no secret; *index* counts what
    ended, from 1. *windows_done* and *windows_failed* are starts and ends in UTC, of a node that is built in windows. *quarantined* is the number of new rows
    that were put aside. *same_data*: it was built, and who reads it need not be for that."""

    node_run_id: str
    node: str
    kind: str
    materialized: str
    relation: Relation | None
    status: Status
    index: int
    total: int
    started_at: dt.datetime
    duration: float
    rows: int | None = None
    bytes_scanned: int | None = None
    sql: str | None = None
    message: str | None = None
    code: str | None = None
    inputs: tuple[Relation, ...] = ()
    windows_done: tuple[tuple[dt.datetime, dt.datetime], ...] = ()
    windows_failed: tuple[tuple[dt.datetime, dt.datetime], ...] = ()
    quarantined: int = 0
    same_data: bool = False


@frozen
class CheckFinished(Event):
    """A check ended. *failures* is the number of failing rows (or groups), where it is counted; *stored* is the table
    in which they are, when somebody asked for that. *measure* is the number that it judged, where there is one, *remark*
    what there is to say though it passes."""

    check: str
    node: str
    column: str | None
    severity: str
    status: Status
    duration: float
    failures: int | None = None
    message: str | None = None
    sql: str | None = None
    stored: str | None = None
    measure: float | None = None
    remark: str | None = None


@frozen
class UnitTestFinished(Event):
    """A unit test of a model ended, as a part of a build. *lines* say what differs, or why it could not run.

    ``CACHED``: it passed before, and nothing of it has changed. *path* and *line* are where it is declared.
    """

    case: str
    node: str
    status: Status
    duration: float
    lines: tuple[str, ...] = ()
    path: str | None = None
    line: int | None = None


@frozen
class RunFinished(Event):
    """A run ended. *counts* maps each status to a number of nodes; *checks* likewise."""

    command: str
    duration: float
    counts: Mapping[Status, int]
    checks: Mapping[Status, int]
    exit_code: int
