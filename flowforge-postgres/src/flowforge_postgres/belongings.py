"""What belongs to a relation and would be lost with it: views on it, rights, indexes, comments. Reads the catalogue only.

It becomes frozen values that know the SQL which makes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from flowforge_postgres import catalogue
from flowforge_postgres.catalogue import text
from flowforge_postgres.dialect import exactly

Rows = Callable[[str], Sequence[tuple[Any, ...]]]
"""Runs a query and gives its rows."""


@attrs.frozen
class Dependent:
    """A view that reads the relation, directly or by other views.

    Parameters
    ----------
    name:
        Written as SQL.
    mine:
        May we drop it and make it anew?
    """

    oid: int
    name: str
    kind: str
    owner: str
    mine: bool
    definition: str
    options: tuple[str, ...]
    extras: tuple[str, ...]
    remake: tuple[str, ...]

    @property
    def create(self) -> str:
        """SQL that makes the view."""
        options = f" WITH ({', '.join(self.options)})" if self.options else ""
        return f"CREATE VIEW {self.name}{options} AS\n{self.definition}"


def dependents_of(rows: Rows, oid: int) -> list[Dependent]:
    """The views on a relation, each behind those that it reads."""
    step = (
        "SELECT DISTINCT r.ev_class AS oid, {depth} AS depth FROM {start}"
        " JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid"
        " WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
        " AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND r.ev_class <> d.refobjid"
    )
    first = step.format(depth="1", start="pg_catalog.pg_depend d") + f" AND d.refobjid = {oid}"
    further = step.format(depth="f.depth + 1", start="found f JOIN pg_catalog.pg_depend d ON d.refobjid = f.oid")
    found = rows(
        f"WITH RECURSIVE found AS ({first} UNION {further})"
        " SELECT c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_get_userbyid(c.relowner),"
        " pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.pg_get_viewdef(c.oid), c.reloptions"
        " FROM (SELECT oid, max(depth) AS depth FROM found GROUP BY oid) f"
        " JOIN pg_catalog.pg_class c ON c.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " ORDER BY f.depth, n.nspname, c.relname"
    )
    views = []
    for number, schema, name, kind, owner, mine, definition, options in found:
        rendered = catalogue.qualified(schema, name)
        views.append(
            Dependent(
                oid=number,
                name=rendered,
                kind=kind,
                owner=owner,
                mine=mine,
                definition=(definition or "").rstrip().removesuffix(";"),
                options=tuple(options or ()),
                extras=tuple(_extras(rows, number)),
                remake=tuple(
                    each.sql
                    for each in (*grants_of(rows, number, rendered), *comments_of(rows, number, rendered, "VIEW"))
                ),
            )
        )
    return views


def _extras(rows: Rows, oid: int) -> list[str]:
    """What stands on a view and is not made anew."""
    found = rows(
        f"SELECT 'the trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = {oid} AND NOT tgisinternal"
        f" UNION ALL SELECT 'the rule ' || rulename FROM pg_catalog.pg_rewrite"
        f" WHERE ev_class = {oid} AND rulename <> '_RETURN'"
        f" UNION ALL SELECT 'the default of ' || a.attname FROM pg_catalog.pg_attrdef d"
        f" JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {oid}"
    )
    return [words for (words,) in found]


def options_of(rows: Rows, oid: int) -> tuple[str, ...]:
    """The options of a view, as ``WITH (...)`` takes them."""
    ((options,),) = rows(f"SELECT reloptions FROM pg_catalog.pg_class WHERE oid = {oid}")
    return tuple(options or ())


def columns_of(rows: Rows, oid: int) -> frozenset[str]:
    """Names of a relation's columns."""
    return frozenset(name for (name,) in rows(catalogue.columns(oid)))


@attrs.frozen
class Belonging:
    """A right or a comment: SQL that gives it to a relation, and the column that it is about, if it is about one."""

    sql: str
    column: str | None


def grants_of(rows: Rows, oid: int, rendered: str) -> list[Belonging]:
    """The rights that others have on a relation and its columns, to be given on *rendered*."""
    who = "CASE WHEN x.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END"
    found = rows(
        f"SELECT x.privilege_type, NULL, {who}, x.is_grantable FROM pg_catalog.pg_class c"
        f" CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x WHERE c.oid = {oid} AND x.grantee <> c.relowner"
        f" UNION ALL SELECT x.privilege_type, a.attname, {who}, x.is_grantable"
        " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
        " CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x"
        f" WHERE a.attrelid = {oid} AND NOT a.attisdropped AND x.grantee <> c.relowner"
    )
    return [
        Belonging(
            f"GRANT {right}{f' ({exactly(column)})' if column else ''} ON {rendered}"
            f" TO {exactly(role) if role else 'PUBLIC'}{' WITH GRANT OPTION' if grantable else ''}",
            column,
        )
        for right, column, role, grantable in found
    ]


def commented(rows: Rows, oid: int) -> set[str | None]:
    """What has a comment: columns by name, and ``None`` for the relation itself."""
    return {column for column, _ in rows(catalogue.comments(oid))}


def comments_of(rows: Rows, oid: int, rendered: str, word: str) -> list[Belonging]:
    """The comments of a relation and its columns, to be given to *rendered*, which is a *word*."""
    return [
        Belonging(
            f"COMMENT ON {word} {rendered} IS {text(words)}"
            if column is None
            else f"COMMENT ON COLUMN {rendered}.{exactly(column)} IS {text(words)}",
            column,
        )
        for column, words in rows(catalogue.comments(oid))
    ]


@attrs.frozen
class Index:
    """An index of a table.

    Parameters
    ----------
    pattern:
        Its definition behind the table's name: two indexes with one pattern do the same.
    constraint:
        The definition of the constraint that it stands for, if it stands for one.
    columns:
        The columns that it needs.
    """

    name: str
    definition: str
    pattern: str
    unique: bool
    constraint: str | None
    columns: frozenset[str]


def indexes_of(rows: Rows, oid: int) -> list[Index]:
    """All indexes of a table."""
    found = rows(
        "SELECT i.relname, pg_catalog.pg_get_indexdef(i.oid), x.indisunique,"
        " (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k"
        "  WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = x.indrelid LIMIT 1),"
        " ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum > 0"
        "  AND (a.attnum = ANY (x.indkey::pg_catalog.int2[]) OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"
        "   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.oid"
        "   AND d.refobjid = x.indrelid AND d.refobjsubid = a.attnum)))"
        " FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid"
        f" WHERE x.indrelid = {oid} ORDER BY i.relname"
    )
    return [
        Index(name, definition, definition[definition.index(" USING ") :], unique, constraint, frozenset(columns))
        for name, definition, unique, constraint, columns in found
    ]


def attachments_of(rows: Rows, oid: int) -> list[str]:
    """What stands on a table and cannot be given to another: it forbids to drop the table."""
    number = str(oid)
    found = rows(
        "SELECT 'row security' FROM pg_catalog.pg_class"
        f" WHERE oid = {number} AND (relrowsecurity OR relforcerowsecurity)"
        f" UNION ALL SELECT 'the policy ' || polname FROM pg_catalog.pg_policy WHERE polrelid = {number}"
        " UNION ALL SELECT 'the trigger ' || tgname FROM pg_catalog.pg_trigger"
        f" WHERE tgrelid = {number} AND NOT tgisinternal"
        " UNION ALL SELECT 'the rule ' || rulename FROM pg_catalog.pg_rewrite"
        f" WHERE ev_class = {number} AND rulename <> '_RETURN'"
        " UNION ALL SELECT 'the foreign key ' || conname || ' of ' || conrelid::pg_catalog.regclass::text"
        f" FROM pg_catalog.pg_constraint WHERE contype = 'f' AND {number} IN (conrelid, confrelid)"
        " UNION ALL SELECT 'the constraint ' || conname FROM pg_catalog.pg_constraint"
        f" WHERE contype = 'c' AND conrelid = {number}"
        " UNION ALL SELECT 'inheritance' FROM pg_catalog.pg_inherits"
        f" WHERE {number} IN (inhrelid, inhparent)"
        " UNION ALL SELECT 'the publication ' || p.pubname FROM pg_catalog.pg_publication_rel r"
        f" JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = {number}"
    )
    return sorted({words for (words,) in found})


def has_column_rules(rows: Rows, oid: int) -> bool:
    """Has a column a default, or may it not be NULL?"""
    return bool(
        rows(
            f"SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped"
            " AND (attnotnull OR atthasdef OR attidentity <> '') LIMIT 1"
        )
    )
