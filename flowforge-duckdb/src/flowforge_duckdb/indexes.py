"""What a model may ask of a DuckDB table: indexes, as SQL. Everything else is refused. Knows no connection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flowforge.contract import CreateKind, Dialect, Index, TableOptions, is_our_index
from flowforge.errors import UnsupportedError
from flowforge.values import Relation

OPTIONS = {"indexes": frozenset({"art"}), "comment": frozenset[str]()}
"""What there is, and the one type of indexes."""


def check_options(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what cannot be done.

    Raises
    ------
    UnsupportedError
        Naming the option.
    """
    for name in options.named:
        if name not in OPTIONS:
            raise UnsupportedError(f"DuckDB tables have no {name}", help=f"remove {name}, or limit it to others")
    if kind is CreateKind.MATERIALIZED_VIEW:
        raise UnsupportedError("DuckDB has no materialized views", help="make it a table")
    if options.indexes and kind is CreateKind.VIEW:
        raise UnsupportedError("a view has no indexes", help="remove indexes, or make it a table")
    for index in options.indexes:
        if index.type not in (None, "art"):
            raise UnsupportedError(f"DuckDB has no {index.type!r} indexes", help="remove the type")


def of_table(relation: Relation, dialect: Dialect) -> str:
    """The names of a table's indexes, as a query."""
    same = [f"lower(table_name) = lower({dialect.literal(relation.name)})"]
    schema = dialect.literal(relation.schema) if relation.schema else "current_schema()"
    database = dialect.literal(relation.database) if relation.database else "current_database()"
    same += [f"lower(schema_name) = lower({schema})", f"lower(database_name) = lower({database})"]
    return f"SELECT index_name FROM duckdb_indexes() WHERE {' AND '.join(same)} ORDER BY index_name"


def drop(relation: Relation, name: str, dialect: Dialect) -> str:
    """SQL that removes an index of a table."""
    return f"DROP INDEX {dialect.render(relation.renamed(name))}"


def statements(
    relation: Relation, wanted: Collection[Index], standing: Collection[str], dialect: Dialect
) -> Iterator[str]:
    """SQL that leaves a table with the wanted indexes, and with those that are not ours."""
    named = {index.name_on(relation.name, dialect.max_identifier_bytes): index for index in wanted}
    for name in standing:
        if is_our_index(name) and name not in named:
            yield drop(relation, name, dialect)
    for name, index in named.items():
        if name not in standing:
            columns = ", ".join(dialect.quote(column) for column in index.columns)
            unique = "UNIQUE " if index.unique else ""
            yield f"CREATE {unique}INDEX {dialect.quote(name)} ON {dialect.render(relation)} ({columns})"
