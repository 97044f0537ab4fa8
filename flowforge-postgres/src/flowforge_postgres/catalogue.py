"""Questions to PostgreSQL's catalogue, as SQL.

Functions are called by their full names, and only equal types are compared: for others PostgreSQL would take an operator
that somebody has put into a schema.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowforge.values import RelationKind
from flowforge_postgres.dialect import exactly

KINDS = {
    "r": RelationKind.TABLE,
    "p": RelationKind.TABLE,
    "f": RelationKind.TABLE,
    "v": RelationKind.VIEW,
    "m": RelationKind.MATERIALIZED_VIEW,
}
WORDS = {"r": "TABLE", "p": "TABLE", "f": "FOREIGN TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW"}
_KNOWN = ", ".join(f"'{letter}'" for letter in KINDS)


def text(value: str) -> str:
    """A Python string as a literal."""
    return "'" + value.replace("'", "''") + "'"


def oid_of(rendered: str) -> str:
    """An expression: the number of a relation that is written in SQL; NULL when there is none."""
    return f"pg_catalog.to_regclass({text(rendered)})::pg_catalog.oid"


def _one(rendered: str) -> str:
    return f"FROM pg_catalog.pg_class c WHERE c.oid = {oid_of(rendered)} AND c.relkind IN ({_KNOWN})"


def _all(schema: str) -> str:
    return (
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {text(schema)} AND c.relkind IN ({_KNOWN})"
    )


def find(rendered: str) -> str:
    """Number and kind of one relation."""
    return f"SELECT c.oid, c.relkind {_one(rendered)}"


def list_relations(schema: str) -> str:
    """Name and kind of all relations of a schema."""
    return f"SELECT c.relname, c.relkind {_all(schema)}"


TYPE_OF_COLUMN = (
    "pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation NOT IN ('0', y.typcollation) THEN"
    " ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text ELSE '' END"
)
"""An expression over ``pg_attribute a`` and its ``pg_type y``."""
_LAYOUT = (
    "coalesce((SELECT"
    f" pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) || ' ' || {TYPE_OF_COLUMN}, ', ' ORDER BY a.attnum)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = c.oid), '')"
)


def layout(rendered: str) -> str:
    """The columns of one relation as text; no row when there is none."""
    return f"SELECT {_LAYOUT} {_one(rendered)}"


def layouts(schema: str) -> str:
    """Name and columns of all relations of a schema."""
    return f"SELECT c.relname, {_LAYOUT} {_all(schema)}"


def hashable(rendered: str) -> str:
    """The columns of one relation as text, whether all have a binary form, and whether one holds other types."""
    types = (
        "(SELECT {} FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
        " WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = c.oid)"
    )
    binary = types.format("coalesce(pg_catalog.bool_and(y.typsend::pg_catalog.oid <> '0'), true)")
    nested = types.format("coalesce(pg_catalog.bool_or(y.typtype <> 'b' OR y.typelem <> '0'), false)")
    return f"SELECT {_LAYOUT}, {binary}, {nested} {_one(rendered)}"


def type_words(types: Sequence[tuple[int, int]]) -> str:
    """One row for each type, given by its number and its modifier: how PostgreSQL writes it."""
    rows = ", ".join(
        f"({place}, '{oid}'::pg_catalog.oid, '{modifier}'::int)" for place, (oid, modifier) in enumerate(types)
    )
    nothing = "SELECT 0, '0'::pg_catalog.oid, 0 WHERE false"
    return (
        "SELECT pg_catalog.format_type(t.oid, t.modifier) FROM"
        f" ({f'VALUES {rows}' if rows else nothing}) AS t (place, oid, modifier) ORDER BY t.place"
    )


def column_names(rendered: str) -> str:
    """Names of a relation's columns."""
    return (
        f"SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = {oid_of(rendered)} AND attnum > 0"
        " AND NOT attisdropped"
    )


def comments(oid: int) -> str:
    """Column name (NULL for the relation itself) and text of all comments of a relation."""
    return (
        "SELECT a.attname, d.description FROM pg_catalog.pg_description d"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid::pg_catalog.int2"
        " AND d.objsubid <> 0 WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid"
        f" AND d.objoid = '{oid}' ORDER BY d.objsubid"
    )


def indexes(oid: int) -> str:
    """Name, uniqueness, type and columns of the indexes of a relation; those of constraints are left out."""
    columns = (
        "ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(x.indkey) WITH ORDINALITY AS k(attnum, nr)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum ORDER BY k.nr)"
    )
    return (
        f"SELECT i.relname::text, x.indisunique, m.amname::text, {columns} FROM pg_catalog.pg_index x"
        " JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid JOIN pg_catalog.pg_am m ON m.oid = i.relam"
        f" WHERE x.indrelid = '{oid}'"
        " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid) ORDER BY i.relname"
    )


def rights(oid: int) -> str:
    """Right and role (NULL is everybody) of all rights on a relation that its owner gave to others."""
    return (
        "SELECT x.privilege_type, CASE WHEN x.grantee = '0' THEN NULL ELSE"
        " pg_catalog.pg_get_userbyid(x.grantee)::text END FROM pg_catalog.pg_class c"
        " CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x"
        f" WHERE c.oid = '{oid}' AND x.grantee <> c.relowner"
    )


def schema_exists(schema: str) -> str:
    """One row, if there is such a schema."""
    return f"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {text(schema)}"


def qualified(schema: str, name: str) -> str:
    """A relation as the catalogue names it."""
    return f"{exactly(schema)}.{exactly(name)}"
