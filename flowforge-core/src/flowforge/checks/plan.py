"""Writes the SQL of checks: all violations and measures of one relation in one scan, queries each on their own.

Pure text: knows declarations and a dialect, opens nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import attrs

from flowforge.contract import CheckContext, CheckSpec, Dialect, Session
from flowforge.project.manifest import CheckDecl
from flowforge.values import Location

SAMPLE_ROWS = 5
"""How many failing rows of a query are fetched."""

# Aliases that no column of a user should have.
_ROWS, _SOURCE, _FLAG = "ff__rows", "ff__source", "ff__flag"
COUNT_HEAD, SAMPLE_HEAD = "SELECT COUNT(*) AS ff__0 FROM (\n", "SELECT * FROM (\n"
"""What stands in front of a query whose rows are counted, or shown."""


@attrs.frozen
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
    """

    sql: str
    shown: str
    counts: bool
    locate: Callable[[int], Location | None]


@attrs.frozen
class Verdict:
    """What a check in Python says: whether all is well, if not why, and a statement that shows it."""

    ok: bool
    message: str | None = None
    sql: str | None = None


@attrs.frozen
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
    """

    check: CheckDecl
    spec: CheckSpec
    write: Callable[[], OwnQuery] | None = None
    ask: Callable[[Session], Verdict] | None = None
    spared: str | None = None


@attrs.frozen
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

    Exactly one of *flag*, *aggregate* and *query* is given.
    """

    failing: str
    flag: str | None = None
    aggregate: str | None = None
    query: str | None = None
    judged: bool = False
    counted: bool = False
    locate: Callable[[int], Location | None] | None = None


@attrs.frozen
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


def check_sql(dialect: Dialect, relation_sql: str, bound: BoundCheck, tables: Tables = no_tables) -> CheckSql:
    """Let a check write its SQL.

    Raises
    ------
    Exception
        Whatever the check's own functions raise.
    """
    spec = bound.spec
    if bound.write is not None:
        own = bound.write()
        return CheckSql(own.shown, query=own.sql, counted=own.counts, locate=own.locate)
    ctx = CheckContext(dialect, relation_sql, bound.check.params, functools.partial(tables, bound.check))
    if bound.spared is not None and spec.row_condition is not None:
        flag = f"({spec.row_condition(ctx)}) AND NOT ({bound.spared})"
        return CheckSql(_failing(relation_sql, flag), flag=flag)
    if spec.query is not None:
        query = spec.query(ctx)
        return CheckSql(query, query=query, judged=spec.judge is not None)
    if spec.measure is not None:
        aggregate = spec.measure(ctx)
        return CheckSql(f"SELECT {aggregate} AS measured FROM {relation_sql} AS {_SOURCE}", aggregate=aggregate)
    assert spec.violation is not None  # one of the three is always there
    violation = spec.violation(ctx)
    failing = _failing(relation_sql, violation)
    return CheckSql(failing, flag=spec.tally(ctx) if spec.tally is not None else violation)


def _failing(relation_sql: str, violation: str) -> str:
    """The rows for which a condition is true. A window function cannot stand in WHERE, so it is a column first."""
    return (
        f"SELECT * FROM (SELECT {_SOURCE}.*, ({violation}) AS {_FLAG} FROM {relation_sql} AS {_SOURCE}) AS {_ROWS} "
        f"WHERE {_FLAG}"
    )


def plan_scan(dialect: Dialect, relation_sql: str, checks: Sequence[CheckSql]) -> CheckPlan:
    """One statement for all *checks*, none of which may be a query. Equal expressions are computed once."""
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
    selected = ", ".join(f"{column} AS ff__{position}" for column, position in columns.items())
    source = f"{relation_sql} AS {_SOURCE}"
    if flags:
        inner = [f"({flag}) AS {name}" for flag, name in flags.items()]
        if any(check.aggregate is not None for check in checks):
            inner.insert(0, f"{_SOURCE}.*")
        source = f"(SELECT {', '.join(inner)} FROM {source}) AS {_ROWS}"
    return CheckPlan(f"SELECT {selected} FROM {source}", tuple(positions))


def count_query(query: str) -> str:
    """A statement that counts the rows of *query*, which stands behind :data:`COUNT_HEAD`."""
    return f"{COUNT_HEAD}{query}\n) AS {_ROWS}"


def sample_query(query: str) -> str:
    """A statement for the first few rows of *query*."""
    return f"{SAMPLE_HEAD}{query}\n) AS {_ROWS} LIMIT {SAMPLE_ROWS}"
