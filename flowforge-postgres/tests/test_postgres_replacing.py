"""A table is replaced: what belongs to it stays, what cannot stay is an error before anything changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from flowforge.contract import CreateKind, Index, Session, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Relation, RelationKind

Table = Callable[..., Relation]
Rows = Callable[[str], list[tuple[Any, ...]]]
T = Relation("t", "public")


def publish(session: Session, table: Table, **columns: Any) -> None:
    with session.transaction():
        session.replace(table("staged", **columns), T)


def test_views_on_views_show_the_new_rows(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1])
    outside.execute('create view "A view" as select id from t')
    outside.execute('create view second as select id + 1 as next from "A view"')
    outside.execute("create view third as select a.id, s.next from t a join second s on s.next > a.id")
    publish(session, table, id=[2, 3])
    assert sorted(rows("select next from second")) == [(3,), (4,)]
    publish(session, table, id=[5], more=["x"])
    assert rows("select id, next from third") == [(5, 6)]


def test_views_keep_rights_options_comments_and_owners(
    session: Session, table: Table, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1], gone=[1])
    outside.execute('create role "Reader\'s"; create view v with (security_barrier=true) as select id from t')
    try:
        outside.execute('grant select on v to "Reader\'s" with grant option; grant update (id) on v to public')
        outside.execute("comment on view v is 'it''s a view'; comment on column v.id is 'key'")
        publish(session, table, id=[2], fresh=[0.5])
        (acl, options), *_ = outside.execute("select relacl::text, reloptions::text from pg_class where relname='v'")
        assert '"Reader\'s"=r*/' in acl.replace('\\"', '"').replace('""', '"')
        assert options == "{security_barrier=true}"
        found = outside.execute("select obj_description('v'::regclass), col_description('v'::regclass, 1)").fetchone()
        assert found == ("it's a view", "key")
        assert outside.execute("select has_column_privilege('public', 'v', 'id', 'update')").fetchone() == (True,)
    finally:
        outside.execute('drop owned by "Reader\'s"; drop role "Reader\'s"')


def test_the_tables_rights_comments_and_indexes_move_to_the_new_one(
    session: Session, table: Table, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1], name=["a"], gone=[1])
    outside.execute(
        "create index by_name on t (lower(name)) where id > 0; alter table t add constraint pk primary key (id)"
    )
    outside.execute("create index by_gone on t (gone); grant select on t to public; grant update (name) on t to public")
    outside.execute(
        "comment on table t is 'people'; comment on column t.name is 'who'; comment on column t.gone is 'x'"
    )
    publish(session, table, id=[2], name=["b"], fresh=[1])
    found = outside.execute("select indexname, indexdef from pg_indexes where tablename = 't' order by 1").fetchall()
    assert [name for name, _ in found] == ["by_name", "pk"]
    assert "lower(name)" in found[0][1]
    assert "WHERE (id > 0)" in found[0][1]
    assert outside.execute(
        "select conname from pg_constraint where conrelid = 't'::regclass and contype = 'p'"
    ).fetchall() == [("pk",)]
    assert session.comments(T) == ("people", {"name": "who"})
    assert outside.execute("select has_table_privilege('public', 't', 'select')").fetchone() == (True,)
    assert outside.execute("select has_column_privilege('public', 't', 'name', 'update')").fetchone() == (True,)


def test_indexes_of_a_model_keep_one_name(session: Session, outside: psycopg.Connection[Any]) -> None:
    options = TableOptions(
        indexes=(Index(("id",)), Index(("id", "name"))), grants={"select": ("public",)}, comment="made"
    )
    staged = Relation("staged", "public")
    seen = []
    for value in range(3):
        with session.transaction():
            session.create_as(staged, f"select {value} as id, 'a' as name", CreateKind.TABLE, options)
            session.replace(staged, T)
            session.apply_options(T, options)
        names = outside.execute("select indexname from pg_indexes where tablename = 't' order by 1").fetchall()
        seen.append(names)
    assert seen[0] == sorted((index.name_on("t", 63),) for index in options.indexes)
    assert seen[0] == seen[1] == seen[2]
    assert session.comments(T)[0] == "made"


def test_an_index_that_a_model_got_later_is_made_although_the_table_stays(
    session: Session, table: Table, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1])
    outside.execute("create view v as select id from t")
    staged = Relation("staged", "public")
    session.create_as(staged, "select 2::bigint as id", CreateKind.TABLE, TableOptions(indexes=(Index(("id",)),)))
    session.replace(staged, T)
    assert outside.execute("select count(*) from pg_indexes where tablename = 't'").fetchone() == (1,)


@pytest.mark.parametrize("option", ["partition_by", "cluster_by"])
def test_other_options_are_refused(session: Session, option: str) -> None:
    with pytest.raises(UnsupportedError, match=option):
        session.create_as(T, "select 1 as id", CreateKind.TABLE, TableOptions(**{option: ("id",)}))
    with pytest.raises(UnsupportedError, match="read"):
        session.create_as(T, "select 1 as id", CreateKind.TABLE, TableOptions(grants={"read": ("x",)}))
    assert session.kind_of(T) is None


def test_a_materialized_view_survives_equal_columns_and_is_made_anew_for_others(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1])
    outside.execute("create materialized view m as select id from t; create view v as select id from m")
    publish(session, table, id=[2])
    outside.execute("refresh materialized view m")
    assert rows("select id from v") == [(2,)]
    publish(session, table, id=[3], more=[1])
    assert rows("select id from v") == [(3,)]
    with pytest.raises(EngineError, match=r'"m".*does not fit') as refusal:
        publish(session, table, other=[4])
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select id from t") == [(3,)]
    assert session.kind_of(Relation("staged", "public")) is None


def test_a_view_of_somebody_else_forbids_other_columns(
    table: Table, postgres_dsn: str, new_executor: Callable[..., Any], outside: psycopg.Connection[Any]
) -> None:
    name = "builder_" + outside.info.dbname
    outside.execute(f"create role {name} login password 'pw'; grant create, usage on schema public to {name}")
    try:
        dsn = psycopg.conninfo.make_conninfo(postgres_dsn, user=name, password="pw")
        with new_executor(dsn=dsn).session(label="x") as mine:
            mine.create_as(T, "select 1 as id", CreateKind.TABLE)
            outside.execute("create view theirs as select id from t")
            staged = Relation("staged", "public")
            mine.create_as(staged, "select 2 as id", CreateKind.TABLE)
            mine.replace(staged, T)
            assert outside.execute("select id from theirs").fetchall() == [(2,)]
            mine.create_as(staged, "select 3 as id, 4 as more", CreateKind.TABLE)
            with pytest.raises(EngineError, match=r'"theirs".*belongs to') as refusal:
                mine.replace(staged, T)
            assert refusal.value.kind is ErrorKind.DEPENDENT
        assert outside.execute("select id from theirs").fetchall() == [(2,)]
    finally:
        outside.execute(f"drop owned by {name} cascade; drop role {name}")


def test_a_view_that_does_not_fit_any_more_is_named(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1], name=["a"])
    outside.execute("create view v as select name from t")
    with pytest.raises(EngineError, match=r'"v".*does not fit') as refusal:
        publish(session, table, id=[2])
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select name from v") == [("a",)]


@pytest.mark.parametrize(
    ("setup", "what"),
    [
        ("alter table t enable row level security", "row security"),
        ("create table child (id bigint references t)", "foreign key"),
        ("create publication p for table t", "publication"),
        ("create table parent (id bigint); alter table t inherit parent", "place in parent"),
        ("alter table t add constraint positive check (id > 0)", "positive"),
    ],
)
def test_what_cannot_move_to_another_table_keeps_the_table(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any], setup: str, what: str
) -> None:
    table("t", id=[1])
    if "references" in setup:
        outside.execute("alter table t add primary key (id)")
    outside.execute(setup)
    before = outside.execute("select 't'::regclass::oid").fetchone()
    publish(session, table, id=[2])
    assert rows("select id from only t") == [(2,)]
    assert outside.execute("select 't'::regclass::oid").fetchone() == before
    with pytest.raises(EngineError, match=what) as refusal:
        publish(session, table, id=[3], more=[1])
    assert refusal.value.kind is ErrorKind.DEPENDENT
    assert rows("select id from only t") == [(2,)]


def test_table_and_view_change_places_under_a_dependent_view(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any]
) -> None:
    table("t", id=[1])
    outside.execute("create view v as select id from t; grant select on t to public; comment on column t.id is 'key'")
    session.replace_view(T, "select 5::bigint as id, 'x' as more")
    assert session.kind_of(T) is RelationKind.VIEW
    assert rows("select id from v") == [(5,)]
    session.replace_view(T, "select 'y' as more, 6::bigint as id")
    assert rows("select id from v") == [(6,)]
    session.replace(table("staged", id=[7]), T)
    assert session.kind_of(T) is RelationKind.TABLE
    assert rows("select id from v") == [(7,)]
    assert session.comments(T) == (None, {"id": "key"})
    assert outside.execute("select has_table_privilege('public', 't', 'select')").fetchone() == (True,)


def test_a_view_with_more_columns_stays_the_same_view(session: Session, outside: psycopg.Connection[Any]) -> None:
    session.replace_view(T, "select 1 as id")
    before = outside.execute("select 't'::regclass::oid").fetchone()
    session.replace_view(T, "select 2 as id, 3 as more")
    assert outside.execute("select 't'::regclass::oid").fetchone() == before


def test_the_place_of_an_error_in_a_replaced_view(session: Session) -> None:
    for _ in range(2):
        select = "select\n  1 as id, ghost"
        with pytest.raises(EngineError) as refusal:
            session.replace_view(T, select)
        assert refusal.value.position == select.index("ghost")
        session.replace_view(T, "select 1 as id")


@pytest.mark.parametrize("kind", ["materialized view t as select 1 as id", "sequence t"])
def test_other_kinds_in_the_place_of_a_table(
    session: Session, table: Table, outside: psycopg.Connection[Any], kind: str
) -> None:
    outside.execute(f"create {kind}")
    if kind.startswith("sequence"):
        with pytest.raises(EngineError) as refusal:
            publish(session, table, id=[1])
        assert refusal.value.kind is ErrorKind.DUPLICATE
    else:
        publish(session, table, id=[1])
        assert session.kind_of(T) is RelationKind.TABLE


def test_into_another_schema(session: Session, table: Table, rows: Rows) -> None:
    target = Relation("t", "else where")
    session.ensure_schema(target)
    for value in (1, 2):
        session.replace(table("staged", id=[value]), target)
        assert rows('select id from "else where".t') == [(value,)]


@pytest.mark.parametrize("name", ['x"; drop table victim; --', "ä" * 31, "per%cent", "select", "back\\slash", "a.b"])
def test_hostile_names_with_everything_that_belongs_to_them(
    session: Session, table: Table, rows: Rows, outside: psycopg.Connection[Any], name: str
) -> None:
    table("victim", id=[1])
    relation = table(name, **{name: [1]})
    quoted = '"' + name.replace('"', '""') + '"'
    outside.execute(f'create view {quoted[:-1]}v" as select {quoted} from {quoted}'.encode())
    outside.execute(f"create index on {quoted} ({quoted}); comment on column {quoted}.{quoted} is 'it''s'".encode())
    outside.execute(f"grant select on {quoted} to public".encode())
    session.replace(table("staged", **{name: [2]}), relation)
    session.replace(table("staged", **{name: [3], "more": [1]}), relation)
    assert rows(f'select * from {quoted[:-1]}v"') == [(3,)]
    assert session.comments(relation)[1] == {name: "it's"}
    assert rows("select id from victim") == [(1,)]
