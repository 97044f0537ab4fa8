"""Everything that people put on a table by hand is there after a run, or the run is refused and changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from flowforge.contract import CreateKind, Index, Session, TableOptions
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Relation, RelationKind

Table = Callable[..., Relation]
Rows = Callable[[str], list[tuple[Any, ...]]]
T = Relation("t", "public")
FACTS = {
    "columns": "select attname, attnotnull, attidentity, attgenerated, attoptions::text, pg_get_expr(adbin, adrelid)"
    " from pg_attribute a left join pg_attrdef on adrelid = attrelid and adnum = attnum"
    " where attrelid = 't'::regclass and attnum > 0 and not attisdropped and attname in ('id', 'name') order by 1",
    "rights": "select grantee::regrole::text, privilege_type, is_grantable from pg_class, aclexplode(relacl)"
    " where oid = 't'::regclass order by 1, 2",
    "column rights": "select attname, grantee::regrole::text, privilege_type, is_grantable from pg_attribute,"
    " aclexplode(attacl) where attrelid = 't'::regclass order by 1, 2, 3",
    "owner": "select relowner::regrole::text, reloptions::text, relreplident::text, relpersistence::text from pg_class"
    " where oid = 't'::regclass",
    "comments": "select objsubid, description from pg_description where objoid = 't'::regclass and objsubid < 2"
    " order by 1",
    "indexes": "select pg_get_indexdef(indexrelid), indisprimary, indisclustered, indisreplident,"
    " obj_description(indexrelid, 'pg_class') from pg_index where indrelid = 't'::regclass order by 1",
    "constraints": "select conname, pg_get_constraintdef(oid) from pg_constraint"
    " where conrelid = 't'::regclass and contype <> 'n' order by 1",
    "statistics": "select pg_get_statisticsobjdef(oid), obj_description(oid, 'pg_statistic_ext')"
    " from pg_statistic_ext order by 1",
    "policies": "select polname, pg_get_expr(polqual, polrelid) from pg_policy order by 1",
    "triggers": "select tgname from pg_trigger where tgrelid = 't'::regclass and not tgisinternal order by 1",
    "views": "select viewname, viewowner, definition from pg_views where schemaname in ('public', 'other') order by 1",
    "references": "select conrelid::regclass::text, conname from pg_constraint where confrelid = 't'::regclass",
    "publications": "select pubname from pg_publication_tables where tablename = 't'",
}
OTHER_COLUMNS = {"more": [1]}


@pytest.fixture
def role(outside: psycopg.Connection[Any]) -> Iterator[str]:
    """A role that may not do anything."""
    name = f"ff_{uuid.uuid4().hex[:8]}"
    outside.execute(f"create role {name}")
    yield name
    outside.execute(f"drop owned by {name} cascade; drop role {name}")


def publish(session: Session, table: Table, **columns: Any) -> None:
    with session.transaction():
        session.replace(table("staged", **columns), T)


def facts(outside: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    return {name: outside.execute(sql).fetchall() for name, sql in FACTS.items()}


KEPT = {
    "primary-key": "alter table t add constraint pk primary key (id)",
    "unique-constraint": "alter table t add constraint once unique (id) deferrable initially deferred",
    "unique-index": "create unique index once on t (id); comment on index once is 'it''s one'",
    "partial-index": "create index few on t (id) include (name) where name is not null",
    "expression-index": "create index low on t (lower(name) desc nulls last, id) with (fillfactor = 50)",
    "hash-index": "create index hashed on t using hash (name)",
    "clustered-index": "create index ordered on t (id); alter table t cluster on ordered",
    "replica-identity": "alter table t alter id set not null; create unique index one on t (id);"
    " alter table t replica identity using index one",
    "replica-identity-full": "alter table t replica identity full",
    "not-null": "alter table t alter id set not null",
    "default": "alter table t alter name set default 'it''s ' || current_date::text",
    "sequence": "create sequence numbers owned by t.id; alter table t alter id set default nextval('numbers')",
    "statistics": "create statistics two (dependencies) on id, name from t; comment on statistics two is 'they''re'",
    "statistics-of-expressions": "create statistics exprs on (id % 2), (lower(name)) from t",
    "settings": "alter table t set (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false)",
    "column-settings": "alter table t alter id set (n_distinct = -0.5); alter table t alter name set statistics 500",
    "unlogged": "alter table t set unlogged",
    "comments": "comment on table t is 'it''s a table'; comment on column t.id is 'the \\ key'",
    "right": "grant select, update on t to {role}",
    "right-to-grant": "grant select on t to {role} with grant option; grant insert on t to public",
    "right-on-a-column": "grant update (id) on t to {role} with grant option; grant select (name) on t to public",
    "views": "create view a as select id from t; create view other.b as select a.id, t.name from a, t;"
    " create view c as select * from other.b where id in (select id from a)",
    "materialized-views": "create view a as select id from t; create materialized view m as select a.id, t.name from a, t;"
    " create unique index once on m (id); create index low on m (lower(name)); comment on index once is 'one';"
    " comment on materialized view m is 'rows'; comment on column m.id is 'key'; grant select on m to {role};"
    " create view b as select count(*) as n from m; alter materialized view m set (fillfactor = 70)",
    "view-with-check": "create view a as select id, name from t where id > 0 with cascaded check option",
    "view-of-a-recursion": "create recursive view a (n) as select id from t union all select n + 1 from a where n < 3",
}
KEPT_WITH_THE_TABLE = {
    "identity": ("alter table t alter id set not null, alter id add generated by default as identity", "identity of id"),
    "identity-always": ("alter table t alter id set not null, alter id add generated always as identity", "identity"),
    "check": ("alter table t add constraint positive check (id > 0)", "constraint positive"),
    "trigger": (
        ("create function nothing() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger watch before insert on t for each row execute function nothing()"),
        "trigger watch",
    ),
    "rule": ("create rule quiet as on delete to t do also select 1", "rule quiet"),
    "policy": ("create policy mine on t using (id > 0)", "policy mine"),
    "row-security": ("alter table t enable row level security", "row security"),
    "forced-row-security": (
        ("alter table t enable row level security; alter table t force row level security;"
        " create policy mine on t using (true)"),
        "row security",
    ),
    "publication": ("create publication p for table t", "publication p"),
    "foreign-key": (("create table o (id bigint primary key); insert into o values (1), (2), (3);"
    " alter table t add constraint away foreign key (id) references o"), "foreign key away"),
    "foreign-key-of-another": (
        ("alter table t add primary key (id); create table child (t_id bigint references t);"
        " insert into child values (1)"),
        "foreign key child_t_id_fkey of child",
    ),
    "function": (
        "create function look() returns bigint language sql begin atomic select count(*) from t; end",
        "function look()",
    ),
    "function-of-its-type": ("create function f(t) returns bigint language sql as 'select 1::bigint'", "function f(t)"),
    "column-of-its-type": ("create table holder (it t)", "column it of table holder"),
    "policy-of-another": (
        "create table o (id bigint); create policy theirs on o using (id in (select id from t))",
        "policy theirs on table o",
    ),
    "rule-of-another": (
        "create table o (id bigint); create rule copied as on insert to o do also insert into t values (new.id)",
        "rule copied",
    ),
    "view-of-another": ("create view v as select id from t; alter view v owner to {role}", None),
    "trigger-of-a-view": (
        ("create view v as select id from t;"
        " create function nothing() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger instead instead of insert on v for each row execute function nothing()"),
        "trigger instead",
    ),
    "default-of-a-view": (
        "create view v as select id from t; alter view v alter id set default 7",
        "default of id",
    ),
    "function-of-a-view": (
        ("create view v as select id from t;"
        " create function look() returns bigint language sql begin atomic select count(*) from v; end"),
        "function look()",
    ),
    "child-of-a-table": ("create table p (id bigint); alter table t inherit p", "place in p"),
}  # fmt: skip
REFUSED = {
    "generated": ("alter table t drop name; alter table t add name text generated always as ('x') stored", "generated"),
    "children": ("create table child () inherits (t); insert into child values (7, 'c')", "rows of child"),
    "cascade": (
        (
            "alter table t add primary key (id); create table child (t_id bigint references t on delete cascade);"
            " insert into child values (1)"
        ),
        "on delete cascade",
    ),
    "set-null": (
        (
            "alter table t add primary key (id); create table child (t_id bigint references t on delete set null);"
            " insert into child values (1)"
        ),
        "on delete set null",
    ),
}


def prepared(outside: psycopg.Connection[Any], table: Table, sql: str, role: str = "") -> dict[str, list[Any]]:
    table("t", id=[1], name=["a"])
    outside.execute("create schema other")
    outside.execute(sql.replace("{role}", role).encode())
    return facts(outside)


@pytest.mark.parametrize("what", sorted(KEPT))
def test_what_is_carried_over(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any], role: str, what: str
) -> None:
    before = prepared(outside, table, KEPT[what], role)
    publish(session, table, id=[2], name=["b"])
    assert facts(outside) == before
    publish(session, table, id=[3], name=["c"], **OTHER_COLUMNS)
    assert facts(outside) == before
    assert rows("select id, name, more from t") == [(3, "c", 1)]
    if what == "views":
        assert rows("select id, name from c") == [(3, "c")]
    if what == "sequence":
        outside.execute("insert into t (name) values ('n')")
        assert rows("select id from t where name = 'n'") == [(1,)]
        outside.execute("drop table t")  # takes the sequence along


@pytest.mark.parametrize("what", sorted(KEPT_WITH_THE_TABLE))
def test_what_keeps_the_table_and_forbids_other_columns(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any], role: str, what: str
) -> None:
    sql, words = KEPT_WITH_THE_TABLE[what]
    before = prepared(outside, table, sql, role)
    number = outside.execute("select 't'::regclass::oid").fetchone()
    publish(session, table, id=[1, 2], name=["b", "c"])
    assert sorted(rows("select id, name from t")) == [(1, "b"), (2, "c")]
    assert facts(outside) == before
    assert outside.execute("select 't'::regclass::oid").fetchone() == number
    if words is None:  # the role of this test may do everything
        return
    for change in (
        lambda: publish(session, table, id=[3], **OTHER_COLUMNS),
        lambda: session.replace_view(T, "select 1"),
    ):
        with pytest.raises(EngineError, match=words.replace("(", r"\(").replace(")", r"\)")) as refusal:
            change()
        assert refusal.value.kind is ErrorKind.DEPENDENT
        assert "nothing was changed" in refusal.value.notes
        assert refusal.value.help
    assert facts(outside) == before
    assert sorted(rows("select id, name from t")) == [(1, "b"), (2, "c")]


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_new_rows_would_destroy_is_refused(
    session: Session, table: Table, outside: psycopg.Connection[Any], what: str
) -> None:
    sql, words = REFUSED[what]
    before = prepared(outside, table, sql)
    tables = ["t", *(["child"] if "table child" in sql else [])]
    had = [outside.execute(f"select * from {name}").fetchall() for name in tables]
    for columns in ({}, OTHER_COLUMNS):
        with pytest.raises(EngineError, match=words) as refusal:
            publish(session, table, id=[1], name=["x"], **columns)
        assert refusal.value.kind is ErrorKind.DEPENDENT
    assert facts(outside) == before
    assert [outside.execute(f"select * from {name}").fetchall() for name in tables] == had


def test_rows_that_others_refer_to_stay_or_nothing_changes(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    prepared(outside, table, KEPT_WITH_THE_TABLE["foreign-key-of-another"][0])
    with pytest.raises(EngineError) as refusal:
        publish(session, table, id=[2], name=["b"])
    assert refusal.value.kind is ErrorKind.CONSTRAINT
    assert "child" in refusal.value.message
    assert rows("select id, name from t") == [(1, "a")]
    publish(session, table, id=[2, 1], name=["b", "z"])
    assert sorted(rows("select id, name from t")) == [(1, "z"), (2, "b")]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("create rule away as on insert to t do instead nothing", "the rule away"),
        (
            (
                "create function few() returns trigger language plpgsql as"
                " 'begin if new.id > 1 then return null; end if; return new; end';"
                " create trigger away before insert on t for each row execute function few()"
            ),
            "1 of 2 rows .* the trigger away",
        ),
    ],
)
def test_rows_that_do_not_arrive_are_missed(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any], sql: str, words: str
) -> None:
    prepared(outside, table, sql)
    with pytest.raises(EngineError, match=words) as refusal:
        publish(session, table, id=[1, 2], name=["b", "c"])
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select id, name from t") == [(1, "a")]


def test_a_partitioned_table_keeps_its_partitions(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    outside.execute(
        "create table t (id bigint, name text) partition by list (id);"
        " create table one partition of t for values in (1); create table rest partition of t default;"
        " insert into t values (1, 'a'), (2, 'b')"
    )
    publish(session, table, id=[1, 3], name=["x", "y"])
    assert rows("select name from one") == [("x",)]
    assert rows("select name from rest") == [("y",)]
    with pytest.raises(EngineError, match="partitions") as refusal:
        publish(session, table, id=[1])
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select name from one") == [("x",)]


def test_a_partition_takes_only_rows_that_belong_there(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    outside.execute(
        "create table whole (id bigint, name text) partition by list (id);"
        " create table t partition of whole for values in (1)"
    )
    publish(session, table, id=[1], name=["a"])
    with pytest.raises(EngineError, match="partition"):
        publish(session, table, id=[2], name=["b"])
    assert rows("select id, name from whole") == [(1, "a")]


def test_a_unique_index_is_not_exchanged_for_a_plain_one(session: Session, outside: psycopg.Connection[Any]) -> None:
    options, staged = TableOptions(indexes=(Index(("id",)),)), Relation("staged", "public")
    session.create_as(T, "select 1 as id", CreateKind.TABLE)
    outside.execute("create unique index once on t (id)")
    session.create_as(staged, "select 2 as id", CreateKind.TABLE, options)
    session.replace(staged, T)
    found = outside.execute("select indisunique from pg_index where indrelid = 't'::regclass").fetchall()
    assert (True,) in found


def test_a_right_that_was_taken_away_does_not_come_back(
    session: Session, outside: psycopg.Connection[Any], role: str
) -> None:
    """Rights that every new table gets are for new tables, not for one that gets new rows."""
    outside.execute(f"alter default privileges in schema public grant select, insert on tables to {role}")
    staged = Relation("staged", "public")

    def may() -> tuple[Any, ...] | None:
        return outside.execute(
            f"select has_table_privilege('{role}', 't', 'select'), has_table_privilege('{role}', 't', 'insert')"
        ).fetchone()

    def build(query: str, /, **grants: tuple[str, ...]) -> None:
        session.create_as(staged, query, CreateKind.TABLE, TableOptions(grants=grants))
        session.replace(staged, T)

    build("select 1 as id")
    assert may() == (True, True)
    outside.execute(f"revoke all on t from {role}")
    build("select 2 as id")
    assert may() == (False, False)
    outside.execute("create view v as select id from t")
    build("select 3 as id")
    assert may() == (False, False)
    build("select 4 as id", select=(role,))
    assert may() == (True, False)
    outside.execute(f"revoke all on t from {role}; drop view v")
    build("select 5 as id, 6 as more", insert=(role,))
    assert may() == (False, True)
    outside.execute(f"grant select on t to {role} with grant option")
    build("select 7 as id")
    assert may() == (True, True)
    assert outside.execute(f"select has_table_privilege('{role}', 't', 'select with grant option')").fetchone() == (
        True,
    )


def test_a_schema_in_which_a_view_cannot_be_made_anew(
    session: Session, table: Table, rows: Rows, new_executor: Callable[..., Any], outside: psycopg.Connection[Any],
    role: str,
) -> None:  # fmt: skip
    outside.execute(
        f"create schema mine authorization {role}; create schema theirs; grant all on schema theirs to {role}"
    )
    target, staged = Relation("t", "mine"), Relation("staged", "mine")
    with new_executor(role=role, schema="mine").session(label="x") as own:
        own.create_as(target, "select 1 as id", CreateKind.TABLE)
        own.execute("create view theirs.v as select id from mine.t")
        outside.execute(f"revoke create on schema theirs from {role}")
        own.create_as(staged, "select 2 as id, 3 as more", CreateKind.TABLE)
        with pytest.raises(EngineError, match="theirs") as refusal:
            own.replace(staged, target)
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select * from theirs.v") == [(1,)]


def test_a_foreign_table_is_not_taken_for_a_table(
    session: Session, table: Table, outside: psycopg.Connection[Any]
) -> None:
    outside.execute(
        "create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;"
        " create foreign table t (id bigint) server nowhere"
    )
    assert session.kind_of(T) is RelationKind.TABLE
    publish(session, table, id=[1])
    assert outside.execute("select relkind::text from pg_class where relname = 't'").fetchone() == ("r",)
