"""What a model may ask of its table: indexes, rights, a comment. Everything else is refused."""

from __future__ import annotations

from flowforge.contract import TableOptions
from flowforge.errors import UnsupportedError
from flowforge_postgres.dialect import PostgresDialect

_NO_SUCH_OPTIONS = ("partition_by", "cluster_by", "format", "location")
_RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger", "all")


def check_options(options: TableOptions, *, table: bool) -> None:
    """Refuse what cannot be done, before anything is.

    Raises
    ------
    UnsupportedError
        Naming the option.
    """
    for option in _NO_SUCH_OPTIONS:
        if getattr(options, option):
            raise UnsupportedError(
                f"the postgres engine makes no tables with {option}", help=f"remove {option}, or limit it to others"
            )
    if options.indexes and not table:
        raise UnsupportedError("a view has no indexes", help="remove indexes, or make it a table")
    for right in options.grants:
        if right.lower() not in _RIGHTS:
            raise UnsupportedError(f"there is no right {right!r} on a table", help=f"write one of {', '.join(_RIGHTS)}")


def option_statements(options: TableOptions, rendered: str, dialect: PostgresDialect, *, table: bool) -> list[str]:
    """SQL that gives a new relation what was asked for; a column that does not exist is the server's error."""
    statements = []
    for index in options.indexes:
        columns = ", ".join(dialect.quote(column) for column in index)
        statements.append(f"CREATE INDEX ON {rendered} ({columns})")
    for right, roles in options.grants.items():
        for role in roles:
            who = "PUBLIC" if role.lower() == "public" else dialect.quote(role)
            statements.append(f"GRANT {right.upper()} ON {rendered} TO {who}")
    if options.comment is not None:
        word = "TABLE" if table else "VIEW"
        statements.append(f"COMMENT ON {word} {rendered} IS {dialect.literal(options.comment)}")
    return statements


def rights_asked(options: TableOptions, dialect: PostgresDialect) -> frozenset[tuple[str, str]]:
    """The rights that the options name, each with its role as the server calls it."""
    return frozenset((right.upper(), dialect.fold(role)) for right, roles in options.grants.items() for role in roles)
