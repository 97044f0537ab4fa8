"""Writes the SQL of checks: all violations and measures of one relation in one scan, queries each on their own.

Pure text: knows declarations and a dialect, opens nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence

import attrs

from flowforge.contract import CheckContext, CheckSpec, Dialect, Past, Session
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl
from flowforge.values import Location

SAMPLE_ROWS = 5
"""How many failing rows of a query are fetched."""

# Aliases that no column of a user should have.
_ROWS, _SOURCE, _FLAG = "ff__rows", "ff__source", "ff__flag"
_WINDOW = re.compile(r"\bOVER\s*\(", re.IGNORECASE)  # finding one where there is none costs a scan, and changes nothing
MOST_BESIDE_WINDOWS = 8
"""Up to so many flags are computed in one scan with window functions; more are apart from them."""
COUNT_HEAD, SAMPLE_HEAD = "SELECT COUNT(*) AS ff__0 FROM (\n", "SELECT * FROM (\n"
"""What stands in front of a query whose rows are counted, or shown."""


@frozen
class OwnQuery:
    """The query of a check that the project brings itself.

    Parameters
    ----------
    sql:
        What the engine gets.
    shown:
        What people may see of it.
    counts:
        It gives one number, that of the failures; else its rows are the failures.
    locate:
        From an offset in *sql* to the place in the project's files that made this text.
    is_condition:
        It is no query, but the condition of a failing row.
    """

    sql: str
    shown: str
    counts: bool
    locate: Callable[[int], Location | None]
    is_condition: bool = False


@frozen
class Verdict:
    """What a check in Python says: whether all is well, if not why, and a statement that shows it."""

    ok: bool
    message: str | None = None
    sql: str | None = None


@frozen
class BoundCheck:
    """A declared check together with what its type means.

    Parameters
    ----------
    write:
        Writes the query, for a check in SQL that the project brings itself.
    ask:
        Runs the function, for one in Python.
    spared:
        A boolean row expression: rows that somebody has released from this check. ``None``: there are none.
    condition:
        Writes the condition of a failing row of the relation, for a check that says it otherwise. May ask the session.
    measured:
        What it measures, for checks that compare that with earlier runs (:func:`what_is_measured`).
    past:
        Tells what these measured.
    """

    check: CheckDecl
    spec: CheckSpec
    write: Callable[[], OwnQuery] | None = None
    ask: Callable[[Session], Verdict] | None = None
    spared: str | None = None
    measured: str = ""
    past: Past | None = None
    condition: Callable[[Session, str], str] | None = None

    @property
    def in_percent(self) -> bool:
        """Whether the number of all rows has to be known."""
        return any(limit is not None and limit.percent for limit in (self.check.error_if, self.check.warn_if))


@frozen
class CheckSql:
    """What one check wants to know of a relation.

    Parameters
    ----------
    flag:
        A boolean row expression; the answer is the number of rows for which it is true.
    aggregate:
        An aggregate expression; the answer is its value.
    query:
        A SELECT; the answer is the number of its rows; or
    judged:
        its only row, or
    counted:
        the only value of that.
    locate:
        From an offset in *query* to a place in the project's files.
    failing:
        A statement that shows what the check complains about.
    rows:
        The same as the engine gets it, where it gives the failing rows.
    in_percent:
        The number of all rows of the relation is asked for too.

    Exactly one of *flag*, *aggregate* and *query* is given.
    """

    failing: str
    flag: str | None = None
    aggregate: str | None = None
    query: str | None = None
    judged: bool = False
    counted: bool = False
    locate: Callable[[int], Location | None] | None = None
    rows: str | None = None
    in_percent: bool = False


@frozen
class CheckPlan:
    """One statement that answers several checks.

    Parameters
    ----------
    sql:
        Gives one row.
    positions:
        For each check, in their order, the position of its answer in that row.
    """

    sql: str
    positions: tuple[int, ...]

    rows_position: int = 0
    """Where the number of all rows stands."""


Tables = Callable[[CheckDecl, str], str]
"""Finds a further table of a check by the name that the check has for it, rendered or as a subquery."""


def no_tables(check: CheckDecl, name: str) -> str:
    """For checks that read one relation only."""
    raise LookupError(f"{check.id} reads {name!r}, which is not at hand")


def check_sql(
    dialect: Dialect, relation_sql: str, bound: BoundCheck, tables: Tables = no_tables, session: Session | None = None
) -> CheckSql:
    """Let a check write its SQL.

    Parameters
    ----------
    session:
        Asked for what only the rows tell; needed for checks with a *condition* and released rows.

    Raises
    ------
    Exception
        Whatever the check's own functions raise.
    """
    spec = bound.spec
    ctx = CheckContext(dialect, relation_sql, bound.check.params, functools.partial(tables, bound.check))
    if bound.spared is not None and bound.condition is not None and session is not None:
        return _flagged(relation_sql, f"({bound.condition(session, relation_sql)}) AND NOT ({bound.spared})")
    if bound.write is not None:
        own = bound.write()
        if own.is_condition:
            flag, shown = (
                (f"({one}) AND NOT ({bound.spared})" if bound.spared else one) for one in (own.sql, own.shown)
            )
            return attrs.evolve(_flagged(relation_sql, flag), failing=_failing(relation_sql, shown), locate=own.locate)
        rows = None if own.counts else own.sql
        return CheckSql(
            own.shown, query=own.sql, counted=own.counts, locate=own.locate, rows=rows, in_percent=bound.in_percent
        )
    if bound.spared is not None and spec.row_condition is not None:
        return _flagged(relation_sql, f"({spec.row_condition(ctx)}) AND NOT ({bound.spared})")
    if spec.query is not None:
        query = spec.query(ctx)
        judged = spec.judge is not None
        return CheckSql(query, query=query, judged=judged, rows=None if judged else query, in_percent=bound.in_percent)
    if spec.measure is not None:
        aggregate = spec.measure(ctx)
        return CheckSql(f"SELECT {aggregate} AS measured FROM {relation_sql} AS {_SOURCE}", aggregate=aggregate)
    assert spec.violation is not None  # one of the three is always there
    violation = spec.violation(ctx)
    return attrs.evolve(
        _flagged(relation_sql, violation), flag=spec.tally(ctx) if spec.tally is not None else violation
    )


def _flagged(relation_sql: str, flag: str) -> CheckSql:
    failing = _failing(relation_sql, flag)
    return CheckSql(failing, flag=flag, rows=failing)


def what_is_measured(dialect: Dialect, check: CheckDecl, spec: CheckSpec) -> str:
    """Tells what a check measures from all else that is measured; empty for those that compare with no earlier run.

    It says nothing of how the number is judged, so whoever judges more strictly need not learn anew.

    Raises
    ------
    Exception
        Whatever the check's own function raises.
    """
    if spec.weigh is None or spec.measure is None:
        return ""
    expression = spec.measure(CheckContext(dialect, _SOURCE, check.params))
    told = json.dumps([check.node or check.table, expression])
    return hashlib.blake2b(told.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def _failing(relation_sql: str, violation: str) -> str:
    """The rows for which a condition is true. A window function cannot stand in WHERE, so it is a column first."""
    return (
        f"SELECT * FROM (SELECT {_SOURCE}.*, ({violation}) AS {_FLAG} FROM {relation_sql} AS {_SOURCE}) AS {_ROWS} "
        f"WHERE {_FLAG}"
    )


def plan_scan(dialect: Dialect, relation_sql: str, checks: Sequence[CheckSql]) -> CheckPlan:
    """One statement for all *checks*, none of which may be a query. Equal expressions are computed once.

    Window functions make engines hold all that is selected beside them, for every row. So where that is much, they get
    a scan of their own inside of the statement.
    """
    flags: dict[str, str] = {}
    columns: dict[str, int] = {"COUNT(*)": 0}
    positions: list[int] = []
    for check in checks:
        if check.flag is not None:
            name = flags.setdefault(check.flag, f"{_FLAG}_{len(flags)}")
            column = dialect.count_if(name)
        else:
            assert check.aggregate is not None
            column = check.aggregate
        positions.append(columns.setdefault(column, len(columns)))
    whole = any(check.aggregate is not None for check in checks)
    windows = {flag: name for flag, name in flags.items() if _WINDOW.search(flag)}
    plain = {flag: name for flag, name in flags.items() if flag not in windows}
    if not windows or (not whole and len(plain) <= MOST_BESIDE_WINDOWS):
        return CheckPlan(f"SELECT {_scan(relation_sql, columns, flags, whole=whole)}", tuple(positions))
    counted = {dialect.count_if(name) for name in windows.values()}
    apart = {column: position for column, position in columns.items() if column in counted}
    rest = {column: position for column, position in columns.items() if column not in counted}
    return CheckPlan(
        f"SELECT {', '.join(f'ff__{position}' for position in columns.values())} FROM"
        f" (SELECT {_scan(relation_sql, rest, plain, whole=whole)}) AS ff__beside"
        f" CROSS JOIN (SELECT {_scan(relation_sql, apart, windows, whole=False)}) AS ff__apart",
        tuple(positions),
    )


def _scan(relation_sql: str, columns: Mapping[str, int], flags: Mapping[str, str], *, whole: bool) -> str:
    """What is selected, by the position of each aggregate, and from where; *whole*: not of flags alone."""
    source = f"{relation_sql} AS {_SOURCE}"
    if flags:
        inner = [f"({flag}) AS {name}" for flag, name in flags.items()]
        if whole:
            inner.insert(0, f"{_SOURCE}.*")
        source = f"(SELECT {', '.join(inner)} FROM {source}) AS {_ROWS}"
    return f"{', '.join(f'{column} AS ff__{position}' for column, position in columns.items())} FROM {source}"


def count_query(query: str) -> str:
    """A statement that counts the rows of *query*, which stands behind :data:`COUNT_HEAD`."""
    return f"{COUNT_HEAD}{query}\n) AS {_ROWS}"


def sample_query(query: str) -> str:
    """A statement for the first few rows of *query*."""
    return f"{SAMPLE_HEAD}{query}\n) AS {_ROWS} LIMIT {SAMPLE_ROWS}"
