"""Tells from a query alone whether its answer is a number of failures, or the failing rows.

A query that gives exactly one row of one column, whatever the tables hold, is a count: ``select count(*) from ...``. Any
other gives rows. The rows themselves are never asked, because one failing row whose only column is 0 looks like a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


def is_count(sql: str, dialect: str | None) -> bool | None:
    """Whether *sql* gives exactly one row of one column; ``None`` when nobody can tell.

    Parameters
    ----------
    dialect:
        The grammar's name, if the engine has one that is known.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError):
        return None
    if not isinstance(tree, exp.Query):
        return None
    try:
        return _one_value(tree, {})
    except RecursionError:
        return None


def _one_value(query: exp.Expr, known: dict[str, bool | None]) -> bool | None:
    from sqlglot import exp

    while isinstance(query, (exp.Subquery, exp.Paren)):
        query = query.this
    if not isinstance(query, exp.Select):
        return False  # a union and the like
    if len(query.expressions) != 1:
        return False
    column = query.expressions[0]
    if column.is_star or isinstance(column.unalias(), exp.Star):
        return False
    return _one_row(query, known)


def _one_row(query: exp.Expr, known: dict[str, bool | None]) -> bool | None:
    """Whether *query* gives exactly one row. *known*: the same of the named queries around it."""
    from sqlglot import exp

    while isinstance(query, (exp.Subquery, exp.Paren)):
        query = query.this
    if not isinstance(query, exp.Select):
        return False
    known = dict(known)
    with_ = query.args.get("with_") or query.args.get("with")
    for named in with_.expressions if with_ is not None else ():
        known[named.alias.lower()] = _one_row(named.this, known)
    if any(query.args.get(part) is not None for part in ("group", "having", "qualify")):
        return False
    aggregates = [_aggregates(column) for column in query.expressions]
    cut = any(query.args.get(part) is not None for part in ("limit", "offset", "distinct"))
    if True in aggregates:
        return None if cut else True
    if cut:
        return False
    source = query.args.get("from_") or query.args.get("from")
    if source is None:
        return query.args.get("where") is None and not any(
            column.find(exp.Explode, exp.Unnest) for column in query.expressions
        )
    if query.args.get("where") is not None or query.args.get("laterals"):
        found: bool | None = False
    else:
        rows = [_source_is_one_row(source.this, known)]
        for join in query.args.get("joins") or ():
            plain = not join.args.get("on") and not join.args.get("using")
            rows.append(_source_is_one_row(join.this, known) if plain else False)
        found = False if False in rows else None if None in rows else True
    if found is False and None in aggregates:
        return None  # perhaps an aggregate of the engine that nobody here knows
    return found


def _source_is_one_row(source: exp.Expr, known: dict[str, bool | None]) -> bool | None:
    from sqlglot import exp

    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) and not source.db:
        return known.get(source.name.lower(), False)
    if isinstance(source, exp.Subquery):
        return _one_row(source.this, known)
    return False


def _aggregates(column: exp.Expr) -> bool | None:
    """Whether a column is made of all rows; ``None`` when it calls a function that nobody knows."""
    from sqlglot import exp

    unknown = False
    for node in column.walk(prune=lambda node: isinstance(node, (exp.Query, exp.Window))):
        if isinstance(node, exp.Query | exp.Window):
            continue
        if isinstance(node, exp.AggFunc):
            return True
        unknown = unknown or isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc))
    return None if unknown else False
