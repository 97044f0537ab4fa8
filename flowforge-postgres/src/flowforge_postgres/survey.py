"""Reads what belongs to relations, and the views that read them: all of it in two queries of the catalogue.

Everything in it is called by its full name, and every comparison is one between equal types, as PostgreSQL would take
somebody's own operator for unequal ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from flowforge_postgres import catalogue
from flowforge_postgres.belongings import Belongings, Column, Comment, Index, Right, Statistics, Tie

Rows = Callable[[str], Sequence[tuple[Any, ...]]]
"""Runs a query and gives its rows."""


@attrs.frozen
class Standing:
    """A relation as it stands in the catalogue.

    Parameters
    ----------
    letter:
        Its kind, as PostgreSQL writes it.
    me:
        Who we are.
    """

    oid: int
    letter: str
    schema: str
    relation: str
    owner: str
    me: str

    @property
    def name(self) -> str:
        """The relation as SQL."""
        return catalogue.qualified(self.schema, self.relation)

    @property
    def word(self) -> str:
        """What it is called in DDL."""
        return catalogue.WORDS[self.letter]

    @property
    def is_table(self) -> bool:
        """Has it rows of its own that can be written?"""
        return self.letter in "rp"


@attrs.frozen
class Reader:
    """A view, materialized or not, that reads the relation, directly or by other views.

    Parameters
    ----------
    mine:
        May we drop it?
    home:
        May we make something in its schema?
    """

    standing: Standing
    mine: bool
    home: bool
    query: str
    belongings: Belongings

    @property
    def create(self) -> str:
        """SQL that makes the view."""
        settings = self.belongings.settings
        options = f" WITH ({', '.join(settings)})" if settings else ""
        return f"CREATE {self.standing.word} {self.standing.name}{options} AS\n{self.query}"


@attrs.frozen
class Survey:
    """What belongs to the relations asked for, and who reads the first of them, each behind those that it reads."""

    belongings: dict[int, Belongings]
    readers: tuple[Reader, ...]


def standing(rows: Rows, *rendered: str) -> list[Standing | None]:
    """What stands under each of the names."""
    oids = ", ".join(f"({number}, {catalogue.oid_of(name)})" for number, name in enumerate(rendered))
    found = rows(
        "SELECT a.nr, c.oid, c.relkind, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), current_user"
        f" FROM (VALUES {oids}) AS a(nr, relation) JOIN pg_catalog.pg_class c ON c.oid = a.relation::pg_catalog.oid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    )
    by_number = {row[0]: Standing(*row[1:]) for row in found}
    return [by_number.get(number) for number in range(len(rendered))]


def survey(rows: Rows, of: Standing, *others: Standing) -> Survey:
    """Look at *of*, at all that reads it, and at the *others*."""
    depths: dict[int, int] = dict(rows(_readers(of.oid)))
    parts: dict[int, dict[str, list[Any]]] = {}
    for oid, what, payload in rows(_query([of.oid, *(each.oid for each in others), *depths])):
        parts.setdefault(oid, {}).setdefault(what, []).append(json.loads(payload))
    belongings = {oid: _belongings(each) for oid, each in parts.items()}
    readers = []
    for oid, depth in depths.items():
        schema, name, letter, owner, mine, home, query = parts[oid]["relation"][0][:7]
        view = Standing(oid, letter, schema, name, owner, of.me)
        readers.append((depth, schema, name, Reader(view, mine, home, query or "", belongings[oid])))
    readers.sort(key=lambda reader: reader[:3])
    return Survey(belongings, tuple(reader[3] for reader in readers))


def _belongings(parts: dict[str, list[Any]]) -> Belongings:
    ((settings, toast, replicates, persistence, guarded),) = (relation[7:] for relation in parts["relation"])
    columns = sorted(parts.get("column", ()))
    return Belongings(
        columns=tuple(
            Column(name, type_, not_null, default, sequence, target, tuple(options or ()))
            for _, name, type_, not_null, default, sequence, target, options in columns
        ),
        rights=tuple(Right(*right) for right in parts.get("right", ())),
        usual=tuple(Right(*right) for right in parts.get("usual", ())),
        comments=tuple(Comment(*comment) for comment in parts.get("comment", ())),
        indexes=tuple(
            sorted(
                (
                    Index(
                        name,
                        definition,
                        definition[definition.index(" USING ") :],
                        unique,
                        constraint,
                        frozenset(needed),
                        comment,
                        clustered,
                        identifies,
                    )
                    for name, definition, unique, constraint, needed, comment, clustered, identifies in parts.get(
                        "index", ()
                    )
                ),
                key=lambda index: index.name,
            )
        ),
        statistics=tuple(
            Statistics(catalogue.qualified(schema, name), definition, frozenset(needed), comment)
            for schema, name, definition, needed, comment in parts.get("statistics", ())
        ),
        ties=tuple(sorted({Tie(*tie) for tie in parts.get("tie", ())}, key=lambda tie: tie.words)),
        referenced=bool(parts.get("referenced")),
        guarded=guarded,
        settings=(*(settings or ()), *(f"toast.{setting}" for setting in toast or ())),
        replicates=replicates,
        unlogged=persistence == "u",
    )


def _catalogue_of(name: str) -> str:
    """The number of a catalogue, as a number: no operator of somebody else's compares two of them."""
    return f"'pg_catalog.{name}'::pg_catalog.regclass::pg_catalog.oid"


_ROW = "pg_catalog.jsonb_build_array"
_THESE = "IN (THESE)"  # the numbers of the relations that are looked at
_CLASS = _catalogue_of("pg_class")
_WHO = "CASE WHEN x.grantee = '0' THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END"
_VIEW_READS = (
    "SELECT DISTINCT r.ev_class AS oid, {depth} AS depth FROM {start}"
    " JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid"
    f" WHERE d.classid = {_catalogue_of('pg_rewrite')} AND d.refclassid = {_CLASS} AND r.ev_class <> d.refobjid"
)
_RELATION = (
    f"SELECT t.oid, 'relation', {_ROW}(n.nspname::text, t.relname::text, t.relkind::text,"
    " pg_catalog.pg_get_userbyid(t.relowner)::text, pg_catalog.pg_has_role(t.relowner, 'USAGE'),"
    " pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE'),"
    " CASE WHEN t.relkind IN ('v', 'm') THEN pg_catalog.rtrim(pg_catalog.pg_get_viewdef(t.oid), '; ') END,"
    " t.reloptions, (SELECT o.reloptions FROM pg_catalog.pg_class o WHERE o.oid = t.reltoastrelid),"
    " t.relreplident::text, t.relpersistence::text, t.relforcerowsecurity)"
    f" FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE t.oid {_THESE}"
)
_COLUMN = (
    f"SELECT a.attrelid, 'column', {_ROW}(a.attnum, a.attname::text, {catalogue.TYPE_OF_COLUMN}, a.attnotnull,"
    " CASE WHEN a.atthasdef AND a.attgenerated = '' THEN (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
    "  FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,"
    " CASE a.attidentity WHEN '' THEN (SELECT s.oid::pg_catalog.regclass::text FROM pg_catalog.pg_depend d"
    f"  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' WHERE d.classid = {_CLASS}"
    f"  AND d.refclassid = {_CLASS} AND d.refobjid = a.attrelid"
    "  AND d.refobjsubid = a.attnum::pg_catalog.int4 AND d.deptype = 'a' LIMIT 1) END,"
    " coalesce(a.attstattarget::pg_catalog.int4, -1), a.attoptions)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid"
    f" WHERE a.attrelid {_THESE} AND a.attnum > 0 AND NOT a.attisdropped"
)
_RIGHTS = (
    f"SELECT t.oid, 'right', {_ROW}(x.privilege_type, NULL, {_WHO}, x.is_grantable)"
    " FROM pg_catalog.pg_class t CROSS JOIN LATERAL pg_catalog.aclexplode(t.relacl) x"
    f" WHERE t.oid {_THESE} AND x.grantee <> t.relowner"
    f" UNION ALL SELECT t.oid, 'right', {_ROW}(x.privilege_type, a.attname::text, {_WHO}, x.is_grantable)"
    " FROM pg_catalog.pg_class t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid"
    " CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x"
    f" WHERE t.oid {_THESE} AND NOT a.attisdropped AND x.grantee <> t.relowner"
    f" UNION ALL SELECT t.oid, 'usual', {_ROW}(x.privilege_type, NULL, {_WHO}, x.is_grantable)"
    " FROM pg_catalog.pg_class t JOIN pg_catalog.pg_default_acl p ON p.defaclrole = t.relowner"
    " AND p.defaclobjtype = 'r' AND p.defaclnamespace IN ('0', t.relnamespace)"
    f" CROSS JOIN LATERAL pg_catalog.aclexplode(p.defaclacl) x WHERE t.oid {_THESE} AND x.grantee <> t.relowner"
)
_COMMENTS = (
    f"SELECT d.objoid, 'comment', {_ROW}(a.attname::text, d.description) FROM pg_catalog.pg_description d"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid::pg_catalog.int2"
    f" AND d.objsubid <> 0 WHERE d.classoid = {_CLASS} AND d.objoid {_THESE}"
)


def _columns_of(table: str, keys: str, catalogue_: str, number: str) -> str:
    """The columns that an index or the like needs: by name, and in its expressions."""
    return (
        f"ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = {table} AND a.attnum > 0"
        f" AND (a.attnum = ANY ({keys}::pg_catalog.int2[]) OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"
        f"  WHERE d.classid = {_catalogue_of(catalogue_)} AND d.objid = {number}"
        f"  AND d.refobjid = {table} AND d.refobjsubid = a.attnum::pg_catalog.int4)))"
    )


_INDEXES = (
    f"SELECT x.indrelid, 'index', {_ROW}(i.relname::text, pg_catalog.pg_get_indexdef(i.oid), x.indisunique,"
    " (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k"
    "  WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = x.indrelid LIMIT 1),"
    f" {_columns_of('x.indrelid', 'x.indkey', 'pg_class', 'i.oid')},"
    " pg_catalog.obj_description(i.oid, 'pg_class'), x.indisclustered, x.indisreplident)"
    f" FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid WHERE x.indrelid {_THESE}"
)
_STATISTICS = (
    f"SELECT s.stxrelid, 'statistics', {_ROW}(n.nspname::text, s.stxname::text,"
    f" pg_catalog.pg_get_statisticsobjdef(s.oid), {_columns_of('s.stxrelid', 's.stxkeys', 'pg_statistic_ext', 's.oid')},"
    " pg_catalog.obj_description(s.oid, 'pg_statistic_ext')) FROM pg_catalog.pg_statistic_ext s"
    f" JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid {_THESE}"
)


def _tie(relation: str, words: str, source: str, *, forbids: str = "false") -> str:
    """What cannot be given to another relation.

    Parameters
    ----------
    relation, words, forbids:
        Expressions over *source*.
    """
    return f"SELECT {relation}, 'tie', {_ROW}({words}, {forbids}) FROM {source} AND {relation} {_THESE}"


def _name(column: str) -> str:
    return f"{column}::pg_catalog.regclass::text"


_ATTRIBUTE = "pg_catalog.pg_attribute a WHERE NOT a.attisdropped AND"
_TIES = (
    _tie("t.oid", "'row security'", "pg_catalog.pg_class t WHERE (t.relrowsecurity OR t.relforcerowsecurity)"),
    _tie("t.oid", "'its partitions'", "pg_catalog.pg_class t WHERE t.relkind = 'p'"),
    _tie(
        "t.oid",
        "'its type ' || t.reloftype::pg_catalog.regtype::text",
        "pg_catalog.pg_class t WHERE t.reloftype <> '0'",
    ),
    _tie("p.polrelid", "'the policy ' || p.polname::text", "pg_catalog.pg_policy p WHERE true"),
    _tie("g.tgrelid", "'the trigger ' || g.tgname::text", "pg_catalog.pg_trigger g WHERE NOT g.tgisinternal"),
    _tie("r.ev_class", "'the rule ' || r.rulename::text", "pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN'"),
    _tie("a.attrelid", "'the identity of ' || a.attname::text", f"{_ATTRIBUTE} a.attidentity <> ''"),
    _tie(
        "a.attrelid",
        "'the generated column ' || a.attname::text",
        f"{_ATTRIBUTE} a.attgenerated <> ''",
        forbids="true",
    ),
    _tie(
        "a.attrelid",
        "'the default of ' || a.attname::text",
        "pg_catalog.pg_class t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid"
        " WHERE a.atthasdef AND t.relkind = 'v'",
    ),
    _tie(
        "k.conrelid",
        "CASE k.contype WHEN 'c' THEN 'the constraint ' ELSE 'the foreign key ' END || k.conname::text",
        "pg_catalog.pg_constraint k WHERE k.contype IN ('c', 'f')",
    ),
    # Where a reference is to go or to be emptied with the row, new rows would take the rows of others along.
    _tie(
        "k.confrelid",
        f"'the foreign key ' || k.conname::text || ' of ' || {_name('k.conrelid')} || CASE k.confdeltype"
        " WHEN 'c' THEN ' on delete cascade' WHEN 'n' THEN ' on delete set null' WHEN 'd' THEN ' on delete set default'"
        " ELSE '' END",
        "pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid <> k.confrelid",
        forbids="k.confdeltype IN ('c', 'n', 'd')",
    ),
    _tie("h.inhrelid", f"'its place in ' || {_name('h.inhparent')}", "pg_catalog.pg_inherits h WHERE true"),
    _tie(
        "t.oid",
        f"'the rows of ' || {_name('h.inhrelid')} || ', which inherits from it'",
        "pg_catalog.pg_inherits h JOIN pg_catalog.pg_class t ON t.oid = h.inhparent WHERE t.relkind = 'r'",
        forbids="true",
    ),
    _tie(
        "r.prrelid",
        "'the publication ' || p.pubname::text",
        "pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE true",
    ),
    _tie("l.objoid", "'the label of ' || l.provider", f"pg_catalog.pg_seclabel l WHERE l.classoid = {_CLASS}"),
    _tie(
        "d.objid",
        "pg_catalog.pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)",
        f"pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.classid = {_CLASS}",
    ),
)
# Functions, policies of other tables, columns of its type: whatever else the server would not let it go without.
_DESCRIBED = "pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)"
_KNOWN = ", ".join(map(_catalogue_of, ("pg_rewrite", "pg_constraint", "pg_trigger", "pg_statistic_ext")))
_OTHERS = (
    _tie(
        "d.refobjid",
        _DESCRIBED,
        f"pg_catalog.pg_depend d WHERE d.deptype = 'n' AND d.refclassid = {_CLASS} AND d.classid NOT IN ({_KNOWN})"
        " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_policy p"
        f"  WHERE d.classid = {_catalogue_of('pg_policy')} AND p.oid = d.objid AND p.polrelid = d.refobjid)"
        " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attrdef f"
        f"  WHERE d.classid = {_catalogue_of('pg_attrdef')} AND f.oid = d.objid AND f.adrelid = d.refobjid)"
        # of relations, only columns: those that inherit are known
        f" AND (d.classid <> {_CLASS} OR d.objsubid <> 0 AND d.objid <> d.refobjid)",
    ),
    _tie(
        "t.oid",
        _DESCRIBED,
        "pg_catalog.pg_class t JOIN pg_catalog.pg_type y ON y.oid = t.reltype JOIN pg_catalog.pg_depend d"
        f" ON d.refclassid = {_catalogue_of('pg_type')} AND d.refobjid IN (y.oid, y.typarray)"
        f" WHERE d.deptype = 'n' AND d.classid <> {_catalogue_of('pg_rewrite')}",
    ),
)
_REFERENCED = (
    f"SELECT DISTINCT k.confrelid, 'referenced', {_ROW}() FROM pg_catalog.pg_constraint k"
    f" WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND k.confrelid {_THESE}"
)


def _readers(oid: int) -> str:
    """The views on a relation, each with the longest way to it."""
    first = _VIEW_READS.format(depth="1", start="pg_catalog.pg_depend d") + f" AND d.refobjid = '{oid}'"
    further = _VIEW_READS.format(
        depth="f.depth + 1", start="readers f JOIN pg_catalog.pg_depend d ON d.refobjid = f.oid"
    )
    return f"WITH RECURSIVE readers AS ({first} UNION {further}) SELECT oid, max(depth) FROM readers GROUP BY oid"


def _query(oids: Iterable[int]) -> str:
    """All that belongs to these relations. Their numbers stand in it as such, so PostgreSQL plans for few of them."""
    parts = (_RELATION, _COLUMN, _RIGHTS, _COMMENTS, _INDEXES, _STATISTICS, _REFERENCED, *_TIES, *_OTHERS)
    listed = ", ".join(f"'{oid}'" for oid in oids)
    return " UNION ALL ".join(parts).replace(_THESE, f"IN ({listed})")
