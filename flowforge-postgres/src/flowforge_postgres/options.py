"""What a model may ask of its table: indexes, rights, a comment. Everything else is refused. Knows no connection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from flowforge.contract import CreateKind, Index, TableOptions, is_our_index
from flowforge.errors import UnsupportedError
from flowforge_postgres import catalogue
from flowforge_postgres.dialect import PostgresDialect, exactly

RIGHTS = frozenset(["select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain", "all"])
INDEXES = frozenset(["btree", "hash", "gist", "spgist", "gin", "brin"])
OPTIONS = {"indexes": INDEXES, "grants": RIGHTS, "comment": frozenset[str]()}
_ALL = "all"


def check_options(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what cannot be done, before anything is.

    Raises
    ------
    UnsupportedError
        Naming the option.
    """
    for name in options.named:
        if name not in OPTIONS:
            raise UnsupportedError(
                f"the postgres engine makes no tables with {name}", help=f"remove {name}, or limit it to others"
            )
    if options.indexes and kind is CreateKind.VIEW:
        raise UnsupportedError("a view has no indexes", help="remove indexes, or make it a table")
    for index in options.indexes:
        if index.type is not None and index.type.lower() not in INDEXES:
            listed = ", ".join(sorted(INDEXES))
            raise UnsupportedError(f"there are no {index.type!r} indexes", help=f"write one of {listed}")
    for right in options.grants:
        if right.lower() not in RIGHTS:
            listed = ", ".join(sorted(RIGHTS))
            raise UnsupportedError(f"there is no right {right!r} on a table", help=f"write one of {listed}")


@attrs.frozen
class StandingIndex:
    """An index as the catalogue describes it; *columns* without expressions."""

    name: str
    unique: bool
    type: str
    columns: tuple[str, ...]


def index_statements(
    wanted: Collection[Index],
    standing: Collection[StandingIndex],
    schema: str,
    relation: str,
    dialect: PostgresDialect,
) -> Iterator[str]:
    """SQL that leaves a relation with the wanted indexes, and with those that are not ours.

    One that does what is wanted, and was made for a staged table, gets its name.
    """
    rendered = catalogue.qualified(schema, relation)
    named = {index.name_on(relation, dialect.max_identifier_bytes): index for index in wanted}
    names = {index.name for index in standing}
    spare = [index for index in standing if is_our_index(index.name) and index.name not in named]
    for name, index in named.items():
        if name in names:
            continue
        columns = tuple(dialect.fold(column) for column in index.columns)
        use = index.unique, (index.type or "btree").lower(), columns
        twin = next((one for one in spare if (one.unique, one.type, one.columns) == use), None)
        if twin is not None:
            spare.remove(twin)
            yield f"ALTER INDEX {catalogue.qualified(schema, twin.name)} RENAME TO {exactly(name)}"
            continue
        listed = ", ".join(map(exactly, columns))
        using = f" USING {index.type.lower()}" if index.type else ""
        yield f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {exactly(name)} ON {rendered}{using} ({listed})"
    for one in spare:
        yield f"DROP INDEX {catalogue.qualified(schema, one.name)}"


def right_statements(
    options: TableOptions, standing: Collection[tuple[str, str | None]], rendered: str, dialect: PostgresDialect
) -> Iterator[str]:
    """SQL that gives the rights which the options name to exactly these roles.

    Parameters
    ----------
    standing:
        Rights, each with the role that has it; ``None`` is everybody.
    """
    wanted = {right.lower(): {_role(role, dialect) for role in roles} for right, roles in options.grants.items()}
    everything = wanted.get(_ALL, set())
    for right, role in standing:
        named = right.lower() in wanted or _ALL in wanted
        if named and role not in wanted.get(right.lower(), set()) | everything:
            yield f"REVOKE {right} ON {rendered} FROM {_who(role)}"
    for right, roles in wanted.items():
        for role in sorted(roles, key=str):
            if (right.upper(), role) not in standing:
                yield f"GRANT {right.upper()} ON {rendered} TO {_who(role)}"


def _role(role: str, dialect: PostgresDialect) -> str | None:
    return None if role.lower() == "public" else dialect.fold(role)


def _who(role: str | None) -> str:
    return "PUBLIC" if role is None else exactly(role)


def rights_asked(options: TableOptions, dialect: PostgresDialect) -> frozenset[tuple[str, str]]:
    """The rights that the options name, each with its role as the server calls it."""
    return frozenset((right.upper(), dialect.fold(role)) for right, roles in options.grants.items() for role in roles)
