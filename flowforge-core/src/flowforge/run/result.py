"""What a run left behind, as frozen values."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from flowforge.errors import CHECKS_FAILED, FAILED, OK, FlowForgeError, Note
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.project.windows import Window
from flowforge.values import Location, Relation

if TYPE_CHECKING:
    from flowforge.run.ledger import Decision


@frozen
class WindowResult:
    """Which windows of a node were built, and which a retry has to build."""

    done: tuple[Window, ...] = ()
    failed: tuple[Window, ...] = ()

    @property
    def words(self) -> str:
        """How many, for people."""
        return f"{len(self.done)} window{'' if len(self.done) == 1 else 's'}"


@frozen
class NodeResult:
    """How one node ended.

    Parameters
    ----------
    duration:
        Wall time in seconds.
    error:
        There when it did not end well.
    kept:
        It was built, but the rows were those that stood there already, so nothing was replaced.
    pruned:
        How many old versions were removed from its history.
    notes:
        Warnings about the model.
    decision:
        Why it was built or skipped, and what from.
    windows:
        What was built of it, when it is built in windows of time.
    quarantined:
        How many of its new rows were put aside, because they fail a check.
    same_data:
        It was built, and who reads it need not be for that: its data id is the one that it had.
    """

    node: str
    kind: str
    materialized: str
    relation: Relation | None
    status: Status
    started_at: dt.datetime
    duration: float
    rows: int | None = None
    bytes_scanned: int | None = None
    sql: str | None = None
    error: FlowForgeError | None = None
    blocked_by: str | None = None
    kept: bool = False
    pruned: int = 0
    notes: tuple[Note, ...] = ()
    decision: Decision | None = attrs.field(default=None, repr=False)
    windows: WindowResult | None = None
    quarantined: int = 0
    same_data: bool = False


@frozen
class CheckResult:
    """How one check ended. *failures* counts rows (or groups), where it is counted; *location* is its declaration,
    *stored* the table that holds its failing rows.

    *problem* is why it could not run, with the place in the project's files that is to blame, where that is known.
    *at* is when it ended, in UTC; *rows* counts those of the relation and *measure* is the number that it judged, where
    there are such, *measured* says what that is the number of, where it is compared with earlier runs. *remark* is what
    there is to say though it passes.
    """

    check: str
    type: str
    node: str | None
    table: str
    column: str | None
    severity: str
    status: Status
    duration: float
    failures: int | None = None
    message: str | None = None
    sql: str | None = None
    tags: tuple[str, ...] = ()
    location: Location | None = None
    stored: str | None = None
    problem: FlowForgeError | None = attrs.field(default=None, eq=False)
    at: dt.datetime | None = None
    rows: int | None = None
    measure: float | None = None
    measured: str = ""
    remark: str | None = None


@frozen
class UnitTestResult:
    """How one unit test ended in a build. *lines* say what differs, or why it could not run; *error* only the latter.

    ``CACHED``: it passed before, and nothing of it has changed. ``SKIPPED``: it is meant for another engine.
    """

    case: str
    node: str
    status: Status
    duration: float
    lines: tuple[str, ...] = ()
    location: Location | None = None
    error: FlowForgeError | None = None


@frozen
class RunResult:
    """A whole run.

    Parameters
    ----------
    error:
        What ended the run from outside (an interrupt), if anything did.
    notes:
        Warnings that came up on the way, each once.
    """

    run_id: str
    command: str
    started_at: dt.datetime
    duration: float
    nodes: tuple[NodeResult, ...]
    checks: tuple[CheckResult, ...] = ()
    error: FlowForgeError | None = None
    notes: tuple[Note, ...] = ()
    unit_tests: tuple[UnitTestResult, ...] = ()

    @property
    def errors(self) -> tuple[FlowForgeError, ...]:
        """All errors of nodes, in the order in which they happened."""
        return tuple(result.error for result in self.nodes if result.error is not None)

    @property
    def counts(self) -> Mapping[Status, int]:
        """Number of nodes by status."""
        return Counter(result.status for result in self.nodes)

    @property
    def quarantined(self) -> int:
        """How many new rows of all nodes were put aside."""
        return sum(result.quarantined for result in self.nodes)

    @property
    def check_counts(self) -> Mapping[Status, int]:
        """Number of checks by status."""
        return Counter(result.status for result in self.checks)

    @property
    def unit_test_counts(self) -> Mapping[Status, int]:
        """Number of unit tests by status."""
        return Counter(result.status for result in self.unit_tests)

    @property
    def exit_code(self) -> int:
        """0, 1 when a node, a check or a unit test broke, 2 when checks or unit tests failed, 130 or 143 when the run was stopped.

        A node that somebody else cancelled, on the server, is a node that broke.
        """
        if self.error is not None:
            return self.error.exit_code
        found = (self.counts, self.check_counts, self.unit_test_counts)
        if any(counts.get(Status.ERROR) for counts in found):
            return FAILED
        if any(counts.get(Status.FAIL) for counts in found):
            return CHECKS_FAILED
        nodes = self.counts
        if nodes.get(Status.CANCELLED) or nodes.get(Status.SKIPPED):
            return FAILED
        return OK

    @property
    def ok(self) -> bool:
        """True when everything that was asked for succeeded."""
        return self.exit_code == OK
