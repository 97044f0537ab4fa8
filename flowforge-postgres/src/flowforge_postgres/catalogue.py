"""Questions to PostgreSQL's catalogue, as SQL. Every function in it is called by its full name, so nobody's own is."""

from __future__ import annotations

from flowforge.values import RelationKind
from flowforge_postgres.dialect import exactly

TABLES = "rpf"
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
    return f"pg_catalog.to_regclass({text(rendered)})"


def find(rendered: str) -> str:
    """Number and kind of one relation."""
    return f"SELECT oid, relkind FROM pg_catalog.pg_class WHERE oid = {oid_of(rendered)} AND relkind IN ({_KNOWN})"


def list_relations(schema: str) -> str:
    """Name and kind of all relations of a schema."""
    return (
        "SELECT c.relname, c.relkind FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {text(schema)} AND c.relkind IN ({_KNOWN})"
    )


_COLUMN = (
    "pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)"
    " || CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN"
    " ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text ELSE '' END"
)
_LAYOUT = f"pg_catalog.string_agg({_COLUMN}, ', ' ORDER BY a.attnum)"
_COLUMNS = (
    "pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " WHERE a.attnum > 0 AND NOT a.attisdropped"
)


def layout(rendered: str) -> str:
    """The columns of one relation as text."""
    return f"SELECT {_LAYOUT} FROM {_COLUMNS} AND a.attrelid = {oid_of(rendered)}"


def layouts(schema: str) -> str:
    """Name and columns of all relations of a schema."""
    return (
        f"SELECT c.relname, coalesce((SELECT {_LAYOUT} FROM {_COLUMNS} AND a.attrelid = c.oid), '')"
        f" FROM ({list_relations(schema).replace('c.relkind FROM', 'c.oid FROM')}) AS c"
    )


def columns(oid: int) -> str:
    """Names of a relation's columns, in order."""
    return (
        f"SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum"
    )


def comments(oid: int) -> str:
    """Column name (NULL for the relation itself) and text of all comments of a relation."""
    return (
        "SELECT a.attname, d.description FROM pg_catalog.pg_description d"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid"
        f" WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = {oid} ORDER BY d.objsubid"
    )


def schema_exists(schema: str) -> str:
    """One row, if there is such a schema."""
    return f"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {text(schema)}"


def without_send_function(oid: int) -> str:
    """One row, if a column's type has no binary form."""
    return (
        "SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
        f" WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped AND t.typsend = 0 LIMIT 1"
    )


def qualified(schema: str, name: str) -> str:
    """A relation as the catalogue names it."""
    return f"{exactly(schema)}.{exactly(name)}"
