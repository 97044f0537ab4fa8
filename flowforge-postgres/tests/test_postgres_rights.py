"""What a role needs, and that functions of strangers are not called by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import attrs
import psycopg
import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, LoadMode
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace, Relation
from flowforge_postgres.executor import PostgresExecutor

Open = Callable[..., PostgresExecutor]


@attrs.frozen
class Role:
    """A role that may log in, use one schema and create in it, and nothing else."""

    name: str
    dsn: str


@pytest.fixture
def least(postgres_dsn: str, outside: psycopg.Connection[Any]) -> Iterator[Role]:
    """The least privileged role that can build."""
    name = "least_" + outside.info.dbname
    outside.execute(f"create role {name} login password 'pw'; create schema mine; create schema shared")
    outside.execute(f"grant usage, create on schema mine to {name}; grant usage on schema shared to {name}")
    yield Role(name, psycopg.conninfo.make_conninfo(postgres_dsn, user=name, password="pw"))
    outside.execute(f"drop owned by {name} cascade; drop role {name}")


def test_the_least_privileged_role_can_do_everything_in_its_schema(least: Role, new_executor: Open) -> None:
    with new_executor(dsn=least.dsn, schema="mine").session(label="x") as session:
        target, staged = Relation("t", "mine"), Relation("staged", "mine")
        session.ensure_schema(target)  # creating a schema is a right that it has not
        for columns in ({"id": [1]}, {"id": [2]}, {"id": [3], "more": [1]}):
            with session.transaction():
                session.lock("t", timeout=1)
                session.load(staged, pa.table(columns).to_reader(), LoadMode.CREATE)
                session.replace(staged, target)
                session.replace_view(Relation("v", "mine"), "select id from mine.t")
                session.comment(target, "text", {"id": "key"})
        assert session.content_hash(target)
        assert session.layouts(Namespace("mine")).keys() == {"t", "v"}
        with pytest.raises(EngineError) as refusal:
            session.create_as(Relation("t", "shared"), "select 1 as id", CreateKind.TABLE)
        assert refusal.value.kind is ErrorKind.PERMISSION
        assert refusal.value.help
        with pytest.raises(EngineError) as refusal:
            session.ensure_schema(Relation("t", "another"))
        assert refusal.value.kind is ErrorKind.PERMISSION


def test_functions_of_strangers_are_not_called(
    least: Role, new_executor: Open, outside: psycopg.Connection[Any]
) -> None:
    """A better fitting function in a schema that everybody may write to, as in CVE-2018-1058."""
    outside.execute("grant create on schema public to public")
    outside.execute(
        "create table public.trap (who text);"
        " create function public.lower(varchar) returns text language sql security invoker as"
        " 'insert into public.trap values (current_user) returning who';"
        " create function public.quote_ident(name) returns text language sql as"
        " 'insert into public.trap values (current_user) returning who';"
        " create function public.format_type(oid, integer) returns text language sql as"
        " 'insert into public.trap values (current_user) returning who';"
        f" grant insert, select on public.trap to {least.name}"
    )
    with new_executor(dsn=least.dsn, schema="mine").session(label="x") as session:
        table = Relation("t", "mine")
        session.create_as(table, "select lower('A'::varchar) as v", CreateKind.TABLE)
        session.layout(table)
        session.content_hash(table)
        session.create_as(Relation("s", "mine"), "select 'b' as v", CreateKind.TABLE)
        session.replace(Relation("s", "mine"), table)
    assert outside.execute("select count(*) from trap").fetchone() == (0,)
    with new_executor(dsn=least.dsn, schema="mine", search_path=("public",)).session(label="x") as session:
        session.query("select lower('A'::varchar) as v").read_all()
    assert outside.execute("select count(*) from trap").fetchone() == (1,)  # the trap works


COMPARED = ("oid", "integer", "bigint", "smallint", "regclass", "regproc", '"char"')
JOINED = ("text", "name", '"char"')


def test_our_own_questions_call_nobodys_functions_in_a_schema_that_all_may_write(
    least: Role, new_executor: Open, outside: psycopg.Connection[Any]
) -> None:
    outside.execute("grant create on schema public to public; create table public.trap (who text)")
    for signature in (
        "record_send(record)", "quote_ident(name)", "to_regclass(text)", "pg_try_advisory_xact_lock(bigint)",
        "format_type(oid, integer)", "pg_get_viewdef(oid)", "set_config(text, text, boolean)",
    ):  # fmt: skip
        outside.execute(
            f"create function public.{signature} returns text language plpgsql as"
            " 'begin insert into public.trap values (current_user); return null; end'".encode()
        )
    outside.execute(f"grant insert on public.trap to {least.name}")
    for left, right in product(COMPARED, COMPARED):
        outside.execute(
            f"create function public.evil({left}, {right}) returns boolean language plpgsql as"
            " 'begin insert into public.trap values (current_query()); return null; end'".encode()
        )
        for sign in ("=", "<>", ">", "<"):
            outside.execute(
                f"create operator public.{sign} (function = public.evil, leftarg = {left}, rightarg = {right})".encode()
            )
    for left, right in product(JOINED, JOINED):
        outside.execute(
            f"create function public.evil_text({left}, {right}) returns text language plpgsql as"
            " 'begin insert into public.trap values (current_query()); return null; end';"
            f" create operator public.|| (function = public.evil_text, leftarg = {left}, rightarg = {right})".encode()
        )
    executor = new_executor(dsn=least.dsn, schema="public")
    executor.reap(["none"])
    with executor.session(label="x") as session, executor.session(label="y") as other, session.transaction():
        session.lock("x", timeout=1)
        with pytest.raises(EngineError, match="held by x"), other.transaction():
            other.lock("x", timeout=0.01)
        session.ensure_schema(Relation("t", "public"))
        for number in (1, 2):
            session.create_as(Relation("s", "public"), f"select {number} as v", CreateKind.TABLE)
            session.replace(Relation("s", "public"), Relation("t", "public"))
            session.comment(Relation("t", "public"), "what", {"v": "it"})
            assert session.comments(Relation("t", "public")) == ("what", {"v": "it"})
        session.replace_view(Relation("v", "public"), "select v from t")
        session.create_as(Relation("s", "public"), "select 3 as w, 4 as v", CreateKind.TABLE)
        session.replace(Relation("s", "public"), Relation("t", "public"))
        assert session.content_hash(Relation("t", "public"))
        assert session.layouts(Namespace("public"))
    assert outside.execute("select * from trap").fetchall() == []
    with executor.session(label="x") as session:
        session.query("select * from pg_class where oid = 1").read_all()
    assert outside.execute("select count(*) from trap").fetchone() != (0,)  # the trap works


def test_a_role_is_taken_on_in_every_session(least: Role, new_executor: Open) -> None:
    executor = new_executor(role=least.name)
    for _ in range(2):
        with executor.session(label="x") as session:
            assert session.query("select current_user::text as who").read_all().to_pylist() == [{"who": least.name}]
