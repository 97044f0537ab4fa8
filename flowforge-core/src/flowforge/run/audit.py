"""Runs the checks of nodes: on staged rows before they are published, and on what stands in the database."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks, subject
from flowforge.checks.plan import what_is_measured
from flowforge.contract import Past, Session
from flowforge.errors import AuditFailedError, EngineError, FlowForgeError, ModelExecutionError
from flowforge.events import CheckFinished, Status
from flowforge.project.manifest import CheckDecl, Node
from flowforge.project.quarantining import QUARANTINE
from flowforge.run.bus import EventBus
from flowforge.run.check_tables import CheckTables
from flowforge.run.failures import Storing
from flowforge.run.result import CheckResult
from flowforge.run.row_conditions import RowConditions
from flowforge.run.sparing import spared
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.materialize.publish import Audit

_STATUS = {
    "pass": Status.SUCCESS,
    "fail": Status.FAIL,
    "warn": Status.WARN,
    "info": Status.INFO,
    "error": Status.ERROR,
    "skip": Status.SKIPPED,
}


class Auditor:
    """Runs checks and keeps their results in the order in which they ended. Safe from any thread.

    Parameters
    ----------
    error:
        The executor's translation of its driver's exceptions.
    redact:
        Masks secrets in messages.
    homes:
        By a check's id, the node whose publication it belongs to.
    conditions:
        Says which rows fail, and asks the checks that the project brings itself.
    storing:
        Stores failing rows.
    past_of:
        By what a check measures, tells what earlier runs measured.
    """

    def __init__(
        self,
        checks: Iterable[CheckDecl],
        homes: Mapping[str, str],
        conditions: RowConditions,
        error: Callable[[BaseException], EngineError | None],
        bus: EventBus,
        run_id: str,
        redact: Callable[[str], str],
        storing: Storing,
        past_of: Callable[[str], Past],
    ) -> None:
        self._by_node: dict[str, list[CheckDecl]] = {}
        for check in checks:
            if check.id in homes:
                self._by_node.setdefault(homes[check.id], []).append(check)
        self.conditions = conditions
        self._specs = conditions.specs
        self._tables = conditions.tables
        self._error = error
        self._bus = bus
        self._run_id = run_id
        self._redact = redact
        self._storing = storing
        self._past_of = past_of
        self._lock = threading.Lock()
        self._results: list[CheckResult] = []

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """What ended so far."""
        with self._lock:
            return tuple(self._results)

    def audit_of(self, node: Node, standing: bool = False) -> Audit | None:
        """The audit of a node's rows: it raises when they break their contract, or a check of severity *error* fails.

        Parameters
        ----------
        standing:
            The rows are published already; else they are staged.
        """
        from flowforge.run.contracts import verification_of  # not for who only checks

        checks = self._by_node.get(node.name, [])
        # What stands there was built under this contract, which is a part of its definition.
        verify = None if standing else verification_of(node, self._tables.dialect, self._error)
        if not standing:  # who puts rows aside has looked at all of them already
            checks = [check for check in checks if check.on_fail != QUARANTINE]
        if not checks:
            return verify

        if standing:
            words = (f"the rows of {node.short_name!r}, which are up to date with its inputs", "")
        else:
            words = (f"the new rows of {node.short_name!r}, so nothing was replaced", "the rows were not published; ")

        def audit(session: Session, relation_sql: str) -> None:
            self._forget(checks)
            if verify is not None:
                verify(session, relation_sql)
            results = self._run(session, checks, {node.name: relation_sql})
            broken = [result for result in results if result.status is Status.ERROR]
            failed = [result for result in results if result.status is Status.FAIL]
            unasked = [result for result in results if result.status is Status.SKIPPED]
            if broken:
                problem = broken[0].problem
                raise ModelExecutionError(
                    f"the check {broken[0].check!r} could not run: {broken[0].message}",
                    node=node.name,
                    code="FF3004",
                    location=self._place(broken[0], checks),
                    notes=[f"{one.check}: {one.message}" for one in (*broken[1:], *failed, *unasked)],
                    help=f"{words[1]}{problem.help if problem and problem.help else 'correct the check or the model'}",
                )
            if failed:
                raise AuditFailedError(
                    f"{len(failed)} check{'s' if len(failed) > 1 else ''} failed on {words[0]}",
                    location=self._place(failed[0], checks) if len(failed) == 1 else Location(node.path),
                    notes=[f"{one.type}: {one.message}{_where(one)}" for one in failed],
                    help=f"correct the model or its inputs, or give the check `severity: warn`{_new_level(failed)}",
                )

        return audit

    def put_aside(self, checks: Sequence[CheckDecl], counts: Mapping[str, int]) -> None:
        """Keep and report what checks found whose failing rows are put aside. On a worker's thread."""
        self._forget(checks)
        results = []
        for check in checks:
            count = counts[check.id]
            bad = count > 0
            rows = "1 row was" if count == 1 else f"{count} rows were"
            results.append(
                CheckResult(
                    check=check.id,
                    type=check.type,
                    node=check.node,
                    table=check.table.removesuffix(".ff"),
                    column=check.column,
                    severity="warn",
                    status=Status.WARN if bad else Status.SUCCESS,
                    duration=0.0,
                    failures=count,
                    message=f"{subject(check)}: {rows} put into quarantine" if bad else None,
                    tags=check.tags,
                    location=check.location,
                    at=dt.datetime.now(dt.UTC),
                )
            )
        self._keep(results)

    def _forget(self, checks: Sequence[CheckDecl]) -> None:
        """Drop what an attempt that is repeated now has found."""
        ids = {check.id for check in checks}
        with self._lock:
            self._results = [result for result in self._results if result.check not in ids]

    def _place(self, result: CheckResult, checks: Sequence[CheckDecl]) -> Location | None:
        if result.problem is not None and result.problem.location is not None:
            return result.problem.location
        return next((check.location for check in checks if check.id == result.check), None)

    def run(self, session: Session, checks: Sequence[CheckDecl]) -> list[CheckResult]:
        """Run *checks* on what stands in the database, report them, and keep the results."""
        return self._run(session, checks, {})

    def _run(self, session: Session, checks: Sequence[CheckDecl], staged: Mapping[str, str]) -> list[CheckResult]:
        """*staged*: by name of a node, rows that are to be looked at in place of those that stand."""

        tables = self._tables.reading(staged)

        def table(check: CheckDecl, written: str) -> str:
            return next(tables.find(one.node, one.name) for one in check.reads if one.written == written)

        grouped: dict[str, list[BoundCheck]] = {}
        outcomes: list[CheckOutcome] = []
        for check in checks:
            try:
                where = "" if check.is_singular and check.node is None else tables.main(check)
            except FlowForgeError as problem:
                outcomes.append(CheckOutcome(check, "error", problem.message, problem=problem))
                continue
            grouped.setdefault(where, []).append(self._bound(session, check, tables))
        now, dialect = dt.datetime.now(dt.UTC), tables.dialect
        for relation_sql, group in grouped.items():
            outcomes += run_checks(session, self._error, dialect, relation_sql, group, now, table)
        stored = {}
        for outcome in outcomes:
            place = self._storing.of(session, outcome, staged=bool(staged))
            if place is not None:
                stored[outcome.check.id] = place
        return self._report(outcomes, stored)

    def _bound(self, session: Session, check: CheckDecl, tables: CheckTables) -> BoundCheck:
        own, free = check.own, spared(session, self._tables, check)
        bound = self.conditions.own.bound(check, own, tables) if own is not None else None
        bound = self._watching(bound or BoundCheck(check, self._specs[check.type]), tables)
        if free is None:
            return bound
        writes = bound.spec.key is not None
        return attrs.evolve(
            bound,
            spared=free,
            condition=(lambda session, sql: self.conditions.of(check, session, sql)) if writes else None,
        )

    def _watching(self, bound: BoundCheck, tables: CheckTables) -> BoundCheck:
        """*bound* with what earlier runs measured, if it compares with that."""
        if bound.spec.weigh is None:
            return bound
        try:
            measured = what_is_measured(tables.dialect, bound.check, bound.spec)
        except Exception:  # noqa: BLE001 - of a plugin, or of a dialect; it is said when the check is asked
            return bound
        return attrs.evolve(bound, measured=measured, past=self._past_of(measured))

    def broken(self, checks: Sequence[CheckDecl], error: FlowForgeError) -> list[CheckResult]:
        """Report that none of *checks* could be asked, for one reason."""
        return self._report([CheckOutcome(check, "error", error.message, problem=error) for check in checks])

    def _report(self, outcomes: Sequence[CheckOutcome], stored: Mapping[str, str] | None = None) -> list[CheckResult]:
        where = stored or {}
        return self._keep([attrs.evolve(self._result(one), stored=where.get(one.check.id)) for one in outcomes])

    def _keep(self, results: list[CheckResult]) -> list[CheckResult]:
        """Keep *results*, and tell all who listen."""
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
                    stored=result.stored,
                    measure=result.measure,
                    remark=result.remark,
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
            problem=self._clean(outcome.problem),
            at=dt.datetime.now(dt.UTC),
            rows=outcome.rows,
            measure=outcome.measure,
            measured=outcome.measured,
            remark=self._redact(outcome.remark) if outcome.remark else None,
        )

    def _clean(self, problem: FlowForgeError | None) -> FlowForgeError | None:
        """A problem without a secret in its texts."""
        if problem is not None:
            problem.message = self._redact(problem.message)
            problem.args = (problem.message,)
            problem.help = problem.help and self._redact(problem.help)
            problem.notes = tuple(self._redact(note) for note in problem.notes)
        return problem


def _new_level(failed: Sequence[CheckResult]) -> str:
    """What else helps where a number is unusual, and right."""
    if not any(result.measured for result in failed):
        return ""
    return f"; where a new level is right, `since: {dt.datetime.now(dt.UTC):%Y-%m-%d}` lets it learn anew"


def _where(result: CheckResult) -> str:
    return f"; its rows are in {result.stored}" if result.stored else ""
