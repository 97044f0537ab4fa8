"""Runs unit tests: each case on a session of its own, beside tables that hold the rows which it is given.

A temporary table belongs to its session: cases do not see each other, nothing is left behind whatever happens, and no
table of the database is read or written. Engines without such tables use private schemas. Knows the world of a case
and sessions; prints nothing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from flowforge.contract import CheckSpec, Session
from flowforge.errors import EngineError, FlowForgeError
from flowforge.frozen import frozen
from flowforge.run.compile import Compiled
from flowforge.utest.comparing import Difference, compare
from flowforge.utest.expected_checks import Asked
from flowforge.utest.files import UnitCase
from flowforge.utest.fixtures import Rows, rows_of, with_types
from flowforge.utest.freezing import Clock
from flowforge.utest.homes import Homes
from flowforge.utest.world import NoTemporaryTables, Surroundings, World
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
class UnitResult:
    """How a case ended.

    Parameters
    ----------
    status:
        ``skip``: it is meant for another engine; ``error``: the model could not be run.
    differences:
        Of a case that failed.
    message:
        Why, of the others.
    duration:
        Seconds.
    cached:
        It was not run, because it passed before and nothing that it is made of has changed.
    """

    case: UnitCase
    status: Literal["pass", "fail", "error", "skip"]
    duration: float = 0.0
    differences: tuple[Difference, ...] = ()
    message: str | None = None
    error: FlowForgeError | None = None
    cached: bool = False

    @property
    def lines(self) -> list[str]:
        """What differs, or why it did not pass, line by line."""
        found = [line for difference in self.differences for line in difference.lines()]
        about = self.case.description if self.status in ("fail", "error") else None
        return [*([self.message] if self.message else []), *found, *([f"# {about}"] if about else [])]


@frozen
class Stand:
    """Everything that the cases of one run share. Safe from any thread.

    Parameters
    ----------
    open_session:
        Takes the label.
    homes:
        Where the tables stand on an engine without temporary ones.
    specs:
        All installed checks by name; called only for cases that have checks.
    """

    around: Surroundings
    open_session: Callable[[str], contextlib.AbstractContextManager[Session]]
    error: Callable[[BaseException], EngineError | None]
    homes: Homes
    specs: Callable[[], Mapping[str, CheckSpec]] = dict


def is_meant_for_another(case: UnitCase, around: Surroundings) -> bool:
    """Whether a case is kept to an engine that is not this one."""
    return case.engine is not None and case.engine not in (around.engine.name, *around.engine.aliases)


def run_case(case: UnitCase, stand: Stand) -> UnitResult:
    """Run one case. On a worker's thread; whatever goes wrong is in the result."""
    start = time.perf_counter()
    if is_meant_for_another(case, stand.around):
        return UnitResult(case, "skip", message=f"it is meant for {case.engine}")
    try:
        differences = _differences(case, stand)
    except FlowForgeError as error:
        error.location = error.location or case.location
        return UnitResult(case, "error", time.perf_counter() - start, message=error.message, error=error)
    except LookupError as problem:
        return UnitResult(case, "fail", time.perf_counter() - start, message=str(problem.args[0]))
    spent = time.perf_counter() - start
    return UnitResult(case, "fail" if differences else "pass", spent, tuple(differences))


def _differences(case: UnitCase, stand: Stand) -> list[Difference]:
    around = stand.around
    expected: Rows | None = None
    counted = case.expect.row_count
    if case.expect.rows is None and case.expect.csv is None and case.expect.sql is None:
        made = made_by(case, stand, check=True)
        return [*_counted(made.rows.num_rows, counted), *made.findings]
    if case.expect.sql is None:
        expected = rows_of(case.expect, around.root, case.path, case.location)
        expected = with_types(expected, case.expect.columns, case.location)
    made = made_by(case, stand, ask_expected=expected is None, check=True)
    came, wanted = made.rows, made.expected
    if expected is None:
        assert wanted is not None
        expected = Rows(tuple(wanted.column_names), tuple(plain_rows(wanted)))
    return [
        *_counted(came.num_rows, counted),
        *compare(came.column_names, plain_rows(came), expected, case.expect),
        *made.findings,
    ]


def _counted(came: int, expected: int | None) -> list[Difference]:
    if expected is None or came == expected:
        return []
    return [Difference(0, said=f"the model makes {came:,} rows, expected {expected:,}")]


@frozen
class Made:
    """What the model of a case makes: *rows*; the *expected* ones, if a query says them; what checks found."""

    rows: pa.Table
    expected: pa.Table | None = None
    findings: Sequence[Difference] = ()


def made_by(case: UnitCase, stand: Stand, *, ask_expected: bool = False, check: bool = False) -> Made:
    """Ask the model of a case; with *ask_expected* the query of the expected rows too, with *check* its checks."""
    if not stand.homes.needed:
        try:
            return _made(World(case, stand.around), case, stand, ask_expected, check)
        except NoTemporaryTables:
            stand.homes.needed = True
    with stand.homes.taken() as home:
        return _made(World(case, stand.around, home), case, stand, ask_expected, check)


def _made(world: World, case: UnitCase, stand: Stand, ask_expected: bool, check: bool) -> Made:
    asked: list[Compiled] = []
    wanted: pa.Table | None = None
    findings: list[Difference] = []
    try:
        with stand.open_session(f"flowforge/utest/{case.id}") as session:
            dialect = stand.around.dialect
            clock = Clock(case.now, dialect, session, case.location) if case.now is not None else None
            world.fill(session, clock)
            came = world.ask(session, clock, asked)
            if check and case.checks:
                relation = world.keep(session, came, asked[-1].executable if asked else None)
                asked.clear()
                now = case.now or dt.datetime.now(dt.UTC)
                sql = dialect.render(relation)
                judge = Asked(session, stand.around, world.check_tables, sql, stand.error, now)
                findings = judge.differences(case.node, case.checks, stand.specs)
            if ask_expected:
                assert case.expect.sql is not None
                asked.clear()
                sql = case.expect.sql if clock is None else clock.freeze(case.expect.sql, world.known).sql
                wanted = session.query(sql).read_all()
    except NoTemporaryTables:
        raise
    except Exception as problem:
        error = problem if isinstance(problem, EngineError) else stand.error(problem)
        if error is None or (isinstance(problem, FlowForgeError) and error is not problem):
            raise
        if asked:
            place = asked[0].locate(error.position) if error.position is not None else None
            error.location = place or Location(case.node.path)
        raise error from problem.__cause__
    return Made(came, wanted, findings)


def plain_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain Python values."""
    import pyarrow as pa

    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        columns.append(column.to_pylist())
    return list(zip(*columns, strict=True)) if columns else []
