"""Runs the checks of nodes: on staged rows before they are published, and on what stands in the database."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.contract import CheckSpec, Dialect, Session
from flowforge.errors import AuditFailedError, EngineError, ModelExecutionError
from flowforge.events import CheckFinished, Status
from flowforge.materialize.publish import Audit
from flowforge.project.manifest import CheckDecl, Node
from flowforge.run.bus import EventBus
from flowforge.run.result import CheckResult
from flowforge.values import Location

_STATUS = {"pass": Status.SUCCESS, "fail": Status.FAIL, "warn": Status.WARN, "info": Status.INFO, "error": Status.ERROR}


class Auditor:
    """Runs checks and keeps their results in the order in which they ended. Safe from any thread.

    Parameters
    ----------
    error:
        The executor's translation of its driver's exceptions.
    redact:
        Masks secrets in messages.
    """

    def __init__(
        self,
        checks: Iterable[CheckDecl],
        specs: Mapping[str, CheckSpec],
        dialect: Dialect,
        error: Callable[[BaseException], EngineError | None],
        bus: EventBus,
        run_id: str,
        redact: Callable[[str], str],
    ) -> None:
        self._by_node: dict[str, list[CheckDecl]] = {}
        for check in checks:
            if check.node is not None:
                self._by_node.setdefault(check.node, []).append(check)
        self._specs = specs
        self._dialect = dialect
        self._error = error
        self._bus = bus
        self._run_id = run_id
        self._redact = redact
        self._lock = threading.Lock()
        self._results: list[CheckResult] = []

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """What ended so far."""
        with self._lock:
            return tuple(self._results)

    def audit_of(self, node: Node, standing: bool = False) -> Audit | None:
        """The audit of a node's rows: it raises when a check of severity *error* fails or breaks.

        Parameters
        ----------
        standing:
            The rows are published already; else they are staged.
        """
        checks = self._by_node.get(node.name)
        if not checks:
            return None

        if standing:
            words = (f"the rows of {node.short_name!r}, which are up to date with its inputs", "")
        else:
            words = (f"the new rows of {node.short_name!r}, so nothing was replaced", "the rows were not published; ")

        def audit(session: Session, relation_sql: str) -> None:
            self._forget(node.name)
            results = self.run(session, relation_sql, checks)
            broken = [result for result in results if result.status is Status.ERROR]
            failed = [result for result in results if result.status is Status.FAIL]
            if broken:
                raise ModelExecutionError(
                    f"the check {broken[0].check!r} could not run: {broken[0].message}",
                    node=node.name,
                    code="FF3004",
                    location=self._place(broken[0], checks),
                    notes=[f"{one.check}: {one.message}" for one in broken[1:]],
                    help=f"{words[1]}correct the check or the model",
                )
            if failed:
                raise AuditFailedError(
                    f"{len(failed)} check{'s' if len(failed) > 1 else ''} failed on {words[0]}",
                    location=self._place(failed[0], checks) if len(failed) == 1 else Location(node.path),
                    notes=[f"{one.type}: {one.message}" for one in failed],
                    help="correct the model or its inputs, or give the check `severity: warn`",
                )

        return audit

    def _forget(self, node: str) -> None:
        """Drop what an attempt that is repeated now has found."""
        with self._lock:
            self._results = [result for result in self._results if result.node != node]

    def _place(self, result: CheckResult, checks: Sequence[CheckDecl]) -> Location | None:
        return next((check.location for check in checks if check.id == result.check), None)

    def run(self, session: Session, relation_sql: str, checks: Sequence[CheckDecl]) -> list[CheckResult]:
        """Run *checks* on one relation (or subquery), report them, and keep the results."""
        bound = [BoundCheck(check, self._specs[check.type]) for check in checks]
        outcomes = run_checks(session, self._error, self._dialect, relation_sql, bound, dt.datetime.now(dt.UTC))
        results = [self._result(outcome) for outcome in outcomes]
        with self._lock:
            self._results.extend(results)
        for result in results:
            self._bus.emit(
                CheckFinished(
                    self._run_id,
                    dt.datetime.now(dt.UTC),
                    check=result.check,
                    node=result.node or result.table,
                    column=result.column,
                    severity=result.severity,
                    status=result.status,
                    duration=result.duration,
                    failures=result.failures,
                    message=result.message,
                    sql=result.sql,
                )
            )
        return results

    def _result(self, outcome: CheckOutcome) -> CheckResult:
        check = outcome.check
        return CheckResult(
            check=check.id,
            type=check.type,
            node=check.node,
            table=check.table.removesuffix(".ff"),
            column=check.column,
            severity=check.severity,
            status=_STATUS[outcome.status],
            duration=outcome.duration,
            failures=outcome.failures,
            message=self._redact(outcome.message) if outcome.message else None,
            sql=self._redact(outcome.sql) if outcome.sql else None,
            tags=check.tags,
            location=check.location,
        )
