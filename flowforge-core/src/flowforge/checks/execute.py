"""Runs checks on one relation and says how each of them ended.

Knows a session's ``query`` and the plans; publishes and prints nothing. Runs in the thread that owns the session.
One broken check never hides the others: when the common scan fails, every check is asked alone.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from flowforge.checks.plan import (
    COUNT_HEAD,
    SAMPLE_HEAD,
    BoundCheck,
    CheckPlan,
    CheckSql,
    Tables,
    Verdict,
    check_sql,
    count_query,
    no_tables,
    plan_scan,
    sample_query,
)
from flowforge.contract import Dialect, Session
from flowforge.errors import EngineError, ErrorKind, FlowForgeError
from flowforge.frozen import frozen
from flowforge.materialize.column_types import ColumnTypes
from flowforge.project.manifest import CheckDecl, Limit
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BoundCheck", "CheckOutcome", "Translate", "run_checks", "subject"]

Translate = Callable[[BaseException], EngineError | None]
"""An executor's ``error``: the driver's exception in the contract's words."""

_HOPELESS = (ErrorKind.CONNECTION, ErrorKind.AUTH)
"""Trouble that no other statement on this session escapes."""


@frozen
class CheckOutcome:
    """How a check ended.

    Parameters
    ----------
    status:
        ``fail``, ``warn`` and ``info`` are one finding under different severities and limits; ``error``: the check could
        not run; ``skip``: it was not asked, because another one that broke ended the transaction.
    failures:
        Number of failing rows, or of failures where several rows make one; ``None`` for measures and errors.
    message:
        What is wrong, beginning with the table or column; ``None`` when nothing is.
    sql:
        A statement that shows the failing rows or the measured value.
    duration:
        Seconds of wall time; checks that share a scan share its time in equal parts.
    rows:
        Number of rows of the relation, where it was counted.
    error:
        The engine's error behind ``error``, if it was one.
    problem:
        The same, or what else there is to say, with the place in the project's files that is to blame.
    samples:
        A few failing rows, for checks that are queries.
    measure:
        The number that was measured, where one was.
    failing:
        A statement that gives the failing rows, as the engine gets it; ``None``: this check knows of none. It may hold
        secrets.
    measured:
        As in :class:`BoundCheck`.
    remark:
        What there is to say though it passes.
    """

    check: CheckDecl
    status: Literal["pass", "fail", "warn", "info", "error", "skip"]
    message: str | None = None
    failures: int | None = None
    sql: str | None = None
    duration: float = 0.0
    rows: int | None = None
    error: EngineError | None = None
    samples: tuple[Mapping[str, Any], ...] = ()
    problem: FlowForgeError | None = None
    measure: float | None = None
    failing: str | None = attrs.field(default=None, repr=False)
    measured: str = ""
    remark: str | None = None


@frozen
class _Answer:
    """What the engine said to one check.

    Parameters
    ----------
    value:
        A count, or an Arrow scalar, as converting what was measured to Python may fail too.
    missing:
        True when *error* is that the whole relation is not there.
    shared:
        How many checks *error* is about, because they share a scan and cannot be asked alone.
    unasked:
        True when nothing was asked, because an earlier error spoilt the transaction.
    position:
        Where in the check's own query the engine found *error*.
    """

    value: int | pa.Scalar | None = None
    rows: int | None = None
    error: EngineError | None = None
    missing: bool = False
    shared: int = 1
    unasked: bool = False
    duration: float = 0.0
    samples: tuple[Mapping[str, Any], ...] = ()
    position: int | None = None


@frozen
class _Row:
    """The first row that a statement gave, or the engine's error; *duration* is in seconds.

    *values* are counts as the engine gives them to Python, or Arrow scalars.
    """

    duration: float
    values: Sequence[Any] = ()
    error: EngineError | None = None
    samples: tuple[Mapping[str, Any], ...] = ()


def run_checks(
    session: Session,
    translate: Translate,
    dialect: Dialect,
    relation_sql: str,
    checks: Sequence[BoundCheck],
    now: dt.datetime,
    tables: Tables = no_tables,
) -> list[CheckOutcome]:
    """Run *checks* on one relation; one outcome for each, in their order.

    Parameters
    ----------
    relation_sql:
        The relation, rendered, or a query in parentheses; empty for tests that stand for themselves.
    now:
        The current time with its zone; the age of values is counted from it.
    tables:
        Finds the further tables of a check.

    Raises
    ------
    EngineError
        Of kind ``CANCELLED``, when the run is being stopped.
    Exception
        Whatever *translate* does not know.
    """
    written: dict[int, CheckSql] = {}
    broken: dict[int, str] = {}
    said: dict[int, CheckOutcome] = {}
    for index, bound in enumerate(checks):
        if bound.spec.inspect is not None:
            continue
        try:
            if bound.ask is None or bound.spared is not None:
                written[index] = check_sql(dialect, relation_sql, bound, tables, session)
        except FlowForgeError as problem:
            said[index] = CheckOutcome(bound.check, "error", problem.message, problem=problem)
        except Exception as exc:  # noqa: BLE001 - a plugin's function may raise anything
            broken[index] = f"the check {bound.spec.name!r} cannot write its SQL: {_reason(exc)}"
    asker = _Asker(session, translate, dialect, relation_sql)
    answers = asker.ask_all(written)
    columns = ColumnTypes(session, dialect, f"SELECT * FROM {relation_sql} AS ff__source")
    outcomes = []
    for index, bound in enumerate(checks):
        if index in broken:
            outcomes.append(CheckOutcome(bound.check, "error", broken[index]))
        elif index in said:
            outcomes.append(said[index])
        elif index not in written and asker.spoilt:
            outcomes.append(_unasked(bound))
        elif bound.spec.inspect is not None:
            outcomes.append(_inspected(bound, columns, asker))
        elif index not in written and bound.ask is not None:
            outcomes.append(_called(bound, bound.ask, session, asker))
            if outcomes[-1].status == "error":
                asker.look()
        else:
            outcomes.append(_outcome(bound, written[index], answers[index], now))
    return outcomes


def _unasked(bound: BoundCheck) -> CheckOutcome:
    return CheckOutcome(bound.check, "skip", "was not asked, because a check that broke ended the transaction")


def _called(bound: BoundCheck, ask: Callable[[Session], Verdict], session: Session, asker: _Asker) -> CheckOutcome:
    """Let a check in Python say how it ended."""
    began = time.perf_counter()
    try:
        verdict = ask(session)
    except FlowForgeError as problem:
        if isinstance(problem, EngineError) and problem.kind is ErrorKind.CANCELLED:
            raise
        spent = time.perf_counter() - began
        return CheckOutcome(bound.check, "error", problem.message, duration=spent, problem=problem)
    done = CheckOutcome(bound.check, "pass", sql=verdict.sql, duration=time.perf_counter() - began)
    if verdict.ok:
        return done
    said = verdict.message or "fails, and does not say why"
    message = f"{subject(bound.check)}: {said}" if verdict.message else f"{subject(bound.check)} {said}"
    if bound.spec.key is None or verdict.sql is None:
        return attrs.evolve(done, status=_severity(bound.check, None, None), message=message)
    answer = asker.count(verdict.sql, in_percent=bound.in_percent)
    if answer.error is not None or answer.value is None:
        text = f"the statement that it returned cannot be asked: {answer.error.message if answer.error else 'nothing'}"
        return attrs.evolve(done, status="error", message=text, error=answer.error)
    failures = _count(answer.value)
    if not failures:
        return attrs.evolve(done, status="error", message=f"it says {said!r}, but its statement gives no failing row")
    return attrs.evolve(
        done,
        status=_severity(bound.check, failures, answer.rows),
        failures=failures,
        rows=answer.rows,
        samples=answer.samples,
        failing=verdict.sql,
        message=message,
    )


class _Asker:
    """Puts the questions of checks to one relation. One thread."""

    def __init__(self, session: Session, translate: Translate, dialect: Dialect, relation_sql: str) -> None:
        self._session = session
        self._translate = translate
        self._dialect = dialect
        self._relation_sql = relation_sql
        self.spoilt = False
        """Whether an error has spoilt the transaction, in which nothing more can be asked."""

    def look(self) -> None:
        """After an error, find out whether anything more can be asked."""
        self.spoilt = self.spoilt or self._ask("SELECT 1 AS ff__0", counts=True).error is not None

    def ask_all(self, questions: Mapping[int, CheckSql]) -> dict[int, _Answer]:
        """An answer for every question; those that can share a scan do, unless it fails."""
        scanned = {index: sql for index, sql in questions.items() if sql.query is None}
        answers = self._scan(scanned) if scanned else {}
        hopeless = next((answer for answer in answers.values() if _is_hopeless(answer)), None)
        for index, sql in questions.items():
            if sql.query is not None:
                one = sql.judged or sql.counted
                answers[index] = hopeless or (
                    _Answer(unasked=True)
                    if self.spoilt
                    else self._ask_row(sql.query)
                    if one
                    else self.count(sql.query, in_percent=sql.in_percent)
                )
                hopeless = hopeless or (answers[index] if _is_hopeless(answers[index]) else None)
        return answers

    def _scan(self, questions: Mapping[int, CheckSql]) -> dict[int, _Answer]:
        row, plan = self._ask_scan(list(questions.values()))
        if row.error is not None:
            failed = self._failed(row)
            alone = len(questions) > 1 and not _is_hopeless(failed) and not self.spoilt
            if alone:
                return self._each_alone(questions)
            return dict.fromkeys(questions, attrs.evolve(failed, shared=len(questions) if self.spoilt else 1))
        rows, share = _count(row.values[plan.rows_position]), row.duration / len(questions)
        return {
            index: _Answer(row.values[position], rows, duration=share)
            for index, position in zip(questions, plan.positions, strict=True)
        }

    def _each_alone(self, questions: Mapping[int, CheckSql]) -> dict[int, _Answer]:
        alone: dict[int, _Answer] = {}
        for index, sql in questions.items():
            if self.spoilt:
                alone[index] = _Answer(unasked=True)
                continue
            row, plan = self._ask_scan([sql])
            if row.error is not None:
                alone[index] = _Answer(error=row.error, duration=row.duration)
                self.look()
            else:
                rows = _count(row.values[plan.rows_position])
                alone[index] = _Answer(row.values[plan.positions[0]], rows, duration=row.duration)
        return alone

    def count(self, query: str, *, in_percent: bool = False) -> _Answer:
        """How many rows *query* gives, with some of them; and how many the relation has, for limits that are shares."""
        row = self._ask(count_query(query), counts=True)
        if row.error is not None:
            return self._failed(row, len(COUNT_HEAD))
        if _count(row.values[0]) == 0:
            return _Answer(row.values[0], duration=row.duration)
        sample = self._ask(sample_query(query), samples=True)
        if sample.error is not None:
            return self._failed(sample, len(SAMPLE_HEAD))
        rows = None
        if in_percent:
            whole, _ = self._ask_scan([])
            if whole.error is not None:
                return self._failed(whole)
            rows = _count(whole.values[0])
        return _Answer(row.values[0], rows, duration=row.duration + sample.duration, samples=sample.samples)

    def _ask_row(self, query: str) -> _Answer:
        row = self._ask(query, samples=True)
        return self._failed(row) if row.error is not None else _Answer(duration=row.duration, samples=row.samples)

    def _failed(self, row: _Row, head: int = 0) -> _Answer:
        """The answer for an error; says whether it is the relation itself that is missing.

        *head*: how many characters stand in front of the check's own query.
        """
        missing = False
        if row.error is not None and row.error.kind not in _HOPELESS:
            self.look()
        if row.error is not None and row.error.kind is ErrorKind.MISSING and self._relation_sql and not self.spoilt:
            probe, _ = self._ask_scan([])
            missing = probe.error is not None and probe.error.kind is ErrorKind.MISSING
        place = row.error.position - head if row.error is not None and row.error.position is not None else -1
        return _Answer(error=row.error, missing=missing, duration=row.duration, position=place if place >= 0 else None)

    def _translated(self, exc: Exception) -> EngineError | None:
        error = exc if isinstance(exc, EngineError) else self._translate(exc)
        if error is not None and error.kind is ErrorKind.CANCELLED:
            raise error from exc
        return error

    def refused(self, exc: Exception, began: float) -> _Answer | None:
        """What *exc* says of a question that was asked at *began*; ``None``, when it is not the engine's."""
        error = self._translated(exc)
        return self._failed(_Row(time.perf_counter() - began, error=error)) if error is not None else None

    def _ask_scan(self, questions: Sequence[CheckSql]) -> tuple[_Row, CheckPlan]:
        """The answers to *questions* in one row, and where they stand in it."""
        plan = plan_scan(self._dialect, self._relation_sql, questions)
        return self._ask(plan.sql, counts=all(sql.aggregate is None for sql in questions)), plan

    def _ask(self, sql: str, *, samples: bool = False, counts: bool = False) -> _Row:
        """The first row of *sql*, or some as *samples*. Where all are *counts*, engines need no Arrow to tell them."""
        began = time.perf_counter()
        try:
            if counts:
                values = self._session.fetch(sql)[0]
                return _Row(time.perf_counter() - began, values)
            with self._session.query(sql) as reader:
                table = reader.read_all()
        except Exception as exc:  # drivers raise what they like; what is not theirs goes on
            error = self._translated(exc)
            if error is None:
                raise
            return _Row(time.perf_counter() - began, error=error)
        duration = time.perf_counter() - began
        if samples:
            return _Row(duration, samples=_samples(table))
        return _Row(duration, [column[0] for column in table.columns])


def _inspected(bound: BoundCheck, columns: ColumnTypes, asker: _Asker) -> CheckOutcome:
    """How a check of the columns ended."""
    check, began = bound.check, time.perf_counter()
    assert bound.spec.inspect is not None
    try:
        text = bound.spec.inspect(check.params, columns)
    except Exception as exc:  # noqa: BLE001 - drivers and a plugin's function may raise anything
        answer = asker.refused(exc, began)
        if answer is None:
            message = f"the check {bound.spec.name!r} cannot judge the columns: {_reason(exc)}"
            return CheckOutcome(check, "error", message, duration=time.perf_counter() - began)
        message = _missing(check) if answer.missing else str(answer.error and answer.error.message)
        return CheckOutcome(check, "error", message, duration=answer.duration, error=answer.error)
    duration = time.perf_counter() - began
    if text is None:
        return CheckOutcome(check, "pass", duration=duration)
    return CheckOutcome(check, _severity(check, None, None), f"{subject(check)} {text}", duration=duration)


def _missing(check: CheckDecl) -> str:
    return f"relation {check.table.removesuffix('.ff')} does not exist; run `flowforge run` first"


def _is_hopeless(answer: _Answer) -> bool:
    return answer.missing or (answer.error is not None and answer.error.kind in _HOPELESS)


def _count(value: Any) -> int:
    return int(_plain(value))


def _samples(table: pa.Table) -> tuple[Mapping[str, Any], ...]:
    names = table.column_names
    return tuple(
        {name: _shown(column[index]) for name, column in zip(names, table.columns, strict=True)}
        for index in range(table.num_rows)
    )


def _shown(value: pa.Scalar) -> Any:
    try:
        return _plain(value)
    except (ValueError, OverflowError):
        return f"a {value.type} that Python cannot hold"


def _plain(value: Any) -> Any:
    """An Arrow scalar as a value of Python; counts are that already."""
    if not hasattr(value, "as_py"):
        return value
    import pyarrow as pa

    if pa.types.is_timestamp(value.type) and value.type.unit == "ns":
        # Python's datetime ends at microseconds.
        value = value.cast(pa.timestamp("us", value.type.tz), safe=False)
    return value.as_py()


def _outcome(bound: BoundCheck, sql: CheckSql, answer: _Answer, now: dt.datetime) -> CheckOutcome:
    check, spec = bound.check, bound.spec
    done = CheckOutcome(
        check,
        "pass",
        sql=sql.failing,
        duration=answer.duration,
        rows=answer.rows,
        samples=answer.samples,
        failing=sql.rows,
    )
    if answer.unasked:
        return _unasked(bound)
    if answer.error is not None:
        message = answer.error.message
        if answer.missing:
            message = _missing(check)
        elif answer.shared > 1:
            message += f" (in one scan for {answer.shared} checks, of which one may be to blame)"
        return attrs.evolve(
            done, status="error", message=message, error=answer.error, problem=_placed(sql, answer, message)
        )
    failures: int | None = None
    try:
        value: Any
        if sql.judged:
            value = _only(answer.samples)
        else:
            value = _count_in(_only(answer.samples)) if sql.counted else _plain(answer.value)
        if spec.measure is not None:
            done = attrs.evolve(done, measure=_number(value), measured=bound.measured)
        if spec.weigh is not None:
            weighed = spec.weigh(check.params, value, bound.past or _no_past)
            text, done = weighed.failure, attrs.evolve(done, remark=weighed.remark)
        elif spec.judge is not None:
            text = spec.judge(check.params, value, now)
        else:
            failures = int(value)
            text = _failure_text(bound, failures)
    except FlowForgeError as problem:
        problem.location = problem.location or check.location
        return attrs.evolve(done, status="error", message=f"{subject(check)}: {problem.message}", problem=problem)
    except Exception as exc:  # noqa: BLE001 - a plugin's function may raise anything
        message = f"the check {spec.name!r} cannot judge what it measured: {_reason(exc)}"
        return attrs.evolve(done, status="error", message=message)
    if text is None:
        return attrs.evolve(done, failures=failures)
    status = _severity(check, failures, answer.rows)
    done = attrs.evolve(done, remark=None)
    said = f"{subject(check)} {text}" if status != "pass" else None
    return attrs.evolve(done, status=status, failures=failures, message=said)


def _placed(sql: CheckSql, answer: _Answer, message: str) -> FlowForgeError | None:
    """The engine's error at its place in the project's own SQL, where that is known."""
    place = sql.locate(answer.position if answer.position is not None else 0) if sql.locate is not None else None
    if place is None or answer.error is None:
        return None
    if answer.position is None:
        place = Location(place.path)
    return EngineError(message, kind=answer.error.kind, location=place, help=answer.error.help)


def _count_in(row: Mapping[str, Any]) -> int:
    """The number of failures that a query gave; NULL, such as the sum of nothing, is none."""
    values = list(row.values())
    if len(values) != 1:
        raise ValueError(f"its query gave {len(values)} columns instead of one number")
    value = values[0]
    if value is None:
        return 0
    whole = isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool)
    if not whole or value != value or value != value // 1 or value < 0:
        raise ValueError(f"its query gave {value!r}, which is no number of failures; say returns='rows' if it is a row")
    return int(value)


def _no_past(limit: int, since: dt.date | None = None) -> Sequence[float]:
    raise LookupError("nobody remembers what earlier runs measured")


def _number(value: Any) -> float | None:
    """What was measured as a number, if it is one that can be compared."""
    if isinstance(value, bool) or not isinstance(value, (int, float, decimal.Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _only(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(rows) != 1:
        raise ValueError(f"its query gave {len(rows)} rows instead of one")
    return rows[0]


def _severity(check: CheckDecl, failures: int | None, rows: int | None) -> Literal["pass", "fail", "warn", "info"]:
    """What a finding amounts to; *failures* is ``None`` for checks that count none."""

    def meant(limit: Limit | None) -> bool:
        return limit is None or failures is None or limit.holds(failures, rows)

    if check.severity == "error" and meant(check.error_if):
        return "fail"
    if not meant(check.warn_if):
        return "pass"
    return "info" if check.severity == "info" else "warn"


def _failure_text(bound: BoundCheck, failures: int) -> str | None:
    if failures == 0:
        return None
    if bound.spec.message is not None:
        return bound.spec.message(bound.check.params, failures)
    return f"has {failures} failing row{'s' if failures > 1 else ''}"


def subject(check: CheckDecl) -> str:
    """What a finding is about."""
    if check.is_singular:
        return check.id
    table = check.table.removesuffix(".ff")
    return f"{table}.{check.column}" if check.column else table


def _reason(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
