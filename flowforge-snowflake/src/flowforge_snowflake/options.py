"""What a model may ask of its table: clustering, a table without fail-safe, rights, a comment. Knows no connection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flowforge.contract import CreateKind, Dialect, TableOptions
from flowforge.errors import UnsupportedError

RIGHTS = frozenset(["select", "insert", "update", "delete", "truncate", "references", "all"])
OPTIONS = {
    "cluster_by": frozenset[str](),
    "comment": frozenset[str](),
    "grants": RIGHTS,
    "options": frozenset(["transient", "data_retention_time_in_days"]),
}
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
