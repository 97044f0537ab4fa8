"""What a model may ask of its table: clustering, a table without fail-safe, rights, a comment. Knows no connection."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flowforge.contract import CreateKind, Dialect, TableOptions
from flowforge.errors import UnsupportedError

RIGHTS = frozenset(["select", "insert", "update", "delete", "truncate", "references", "all"])
OPTIONS = {
    "cluster_by": frozenset[str](),
    "comment": frozenset[str](),
    "grants": RIGHTS,
    "options": frozenset(["transient", "data_retention_time_in_days"]),
}
_KEPT = "data_retention_time_in_days"
_CLUSTERED = re.compile(r"^LINEAR(?=\s*\()", re.IGNORECASE)
_ELSEWHERE = ("external", "iceberg", "hybrid", "dynamic", "event")
_EACH = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES")


def check_options(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what cannot be done, before anything is.

    Raises
    ------
    UnsupportedError
        Naming the option.
    """
    if kind is CreateKind.MATERIALIZED_VIEW:
        raise UnsupportedError("Snowflake keeps its materialized views up to date by itself", help="make it a table")
    for name in options.named:
        if name not in OPTIONS:
            raise UnsupportedError(
                f"the snowflake engine makes no tables with {name}", help=f"remove {name}, or limit it to others"
            )
        if kind is CreateKind.VIEW and name in ("cluster_by", "options"):
            raise UnsupportedError(f"a view has no {name}", help=f"remove {name}, or make it a table")
    for key, value in options.options.items():
        if key not in OPTIONS["options"]:
            listed = ", ".join(sorted(OPTIONS["options"]))
            raise UnsupportedError(f"there is no option {key!r} of a table", help=f"write one of {listed}")
        wanted = bool if key == "transient" else int
        if type(value) is not wanted:
            word = "true or false" if wanted is bool else "a whole number"
            raise UnsupportedError(f"{key} is {word}, not {value!r}", help=f"write {key}: {word}")
    for right in options.grants:
        if right.lower() not in RIGHTS:
            listed = ", ".join(sorted(RIGHTS))
            raise UnsupportedError(f"there is no right {right!r} on a table", help=f"write one of {listed}")


def is_transient(options: TableOptions, otherwise: bool) -> bool:
    """Whether a table is made without fail-safe."""
    return bool(options.options.get("transient", otherwise))


def clauses(options: TableOptions, dialect: Dialect) -> str:
    """What stands behind the name of a new table, with a space in front of each clause."""
    parts = []
    if options.cluster_by:
        parts.append(f" CLUSTER BY ({', '.join(map(dialect.quote, options.cluster_by))})")
    if "data_retention_time_in_days" in options.options:
        parts.append(f" DATA_RETENTION_TIME_IN_DAYS = {options.options['data_retention_time_in_days']}")
    return "".join(parts)


def refuse_to_clone(options: TableOptions, shown: Mapping[str, Any], *, transient: bool) -> None:
    """Say that the rows of a table have to be written to have it as *options* say.

    Parameters
    ----------
    shown:
        What SHOW TABLES says of the table.
    transient:
        The copy is to be a table without fail-safe.

    Raises
    ------
    UnsupportedError
        When it cannot be cloned, or to one of its own kind only.
    """
    for word in _ELSEWHERE:
        if str(shown.get(f"is_{word}") or "N").upper() in ("Y", "YES", "TRUE"):
            raise UnsupportedError(f"a table that is {word} is not cloned to a table of Snowflake's own")
    if str(shown["kind"]).upper() == "TRANSIENT" and not transient:
        raise UnsupportedError("a table without fail-safe cannot be cloned to one that has it")


def relayed(options: TableOptions, shown: Mapping[str, Any], copy: str, dialect: Dialect) -> Iterator[str]:
    """SQL that lays a clone out as *options* say, where its source is not: clustering, and how long changes are kept.

    Parameters
    ----------
    shown:
        What SHOW TABLES says of the source.
    copy:
        The clone, as SQL.
    """
    standing = _CLUSTERED.sub("", str(shown.get("cluster_by") or "").strip())
    if _named(standing) != _named(",".join(map(dialect.quote, options.cluster_by))):
        listed = ", ".join(map(dialect.quote, options.cluster_by))
        yield f"ALTER TABLE {copy} CLUSTER BY ({listed})" if listed else f"ALTER TABLE {copy} DROP CLUSTERING KEY"
    days = options.options.get(_KEPT)
    if days is not None and str(shown.get("retention_time")) != str(days):
        yield f"ALTER TABLE {copy} SET {_KEPT.upper()} = {days}"


def _named(listed: str) -> str:
    return re.sub(r'[\s"()]', "", listed)


def right_statements(
    options: TableOptions, standing: Collection[tuple[str, str]], rendered: str, dialect: Dialect, word: str
) -> Iterator[str]:
    """SQL that gives the rights which the options name to exactly these roles.

    Parameters
    ----------
    standing:
        Rights, each with the role that has it, as ``SHOW GRANTS`` tells them.
    word:
        TABLE or VIEW.
    """
    wanted: dict[str, set[str]] = {}
    for right, roles in options.grants.items():
        for one in _EACH if right.lower() == "all" else (right.upper(),):
            wanted.setdefault(one, set()).update(dialect.fold(role) for role in roles)
    for right, role in sorted(standing):
        if right in wanted and role not in wanted[right]:
            yield f"REVOKE {right} ON {word} {rendered} FROM ROLE {dialect.quote(role)}"
    for right, names in wanted.items():
        for role in sorted(names):
            if (right, role) not in standing:
                yield f"GRANT {right} ON {word} {rendered} TO ROLE {dialect.quote(role)}"
