"""S10: a role that may do little, and strangers who lay traps where they may create functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from breaking.projects import outside
from flowforge_test_servers.board.arena import Place, write_files
from flowforge_test_servers.board.process import Ended, finish, start
from flowforge_test_servers.faults import provoked

PASSWORD = "pw_of_least"
FILES = {
    "project.yml": "name: faults\nversion: 1\n",
    "profiles.yml": "dev: {engine: postgres, postgres: {dsn: \"{{ env('BOARD_DSN') }}\", schema: mine}}\n",
    "seeds/people.csv": "id,name\n1,Ada\n2,Grace\n",
    "models/middle.ff.sql": "select id, lower(name::varchar) as name from {{ ref('people') }} where name::varchar = 'Ada'\n",
    "models/seen.ff.sql": "{{ config(materialized='view') }}\nselect * from {{ ref('middle') }}\n",
    "models/python.ff.py": "from flowforge import model\n\n\n@model(materialized='table', deps=['seen.ff'])\n"
    "def python(seen):\n    return seen\n",
}
# Each would fit better than the system's own, if its schema were looked into.
TRAPS = (
    ("lower(varchar)", "text"),
    ("quote_ident(name)", "text"),
    ("format_type(oid, integer)", "text"),
    ("to_regclass(text)", "text"),
    ("record_send(record)", "bytea"),
    ("set_config(text, text, boolean)", "text"),
    ("pg_try_advisory_xact_lock(bigint)", "boolean"),
    ("pg_get_viewdef(oid)", "text"),
)


@attrs.frozen
class Least:
    """The place as the least privileged role has it: it may log in, and use and create in the schema ``mine``.

    *owner* is the place as the owner of the database has it.
    """

    place: Place
    owner: Place
    name: str


@pytest.fixture
def least(postgres: Place) -> Iterator[Least]:
    import psycopg

    name = f"least_{postgres.database}"
    dsn = psycopg.conninfo.make_conninfo(postgres.env["BOARD_DSN"], user=name, password=PASSWORD)
    for file in postgres.root.glob("models/*"):
        file.unlink()
    write_files(postgres.root, FILES)
    with outside(postgres) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"CREATE SCHEMA mine AUTHORIZATION {name}; CREATE SCHEMA mine_theirs")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        try:
            yield Least(attrs.evolve(postgres, env={**postgres.env, "BOARD_DSN": dsn}), postgres, name)
        finally:
            admin.execute(f"DROP OWNED BY {name} CASCADE")
            admin.execute(f"DROP ROLE {name}")


def lay_traps(admin: Any, victim: str) -> None:
    """Functions and an operator in ``public`` that note who has called them."""
    admin.execute(f"CREATE TABLE public.trap (who text); GRANT INSERT, SELECT ON public.trap TO {victim}")
    body = "LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.trap VALUES (current_user); RETURN NULL; END'"
    for signature, kind in TRAPS:
        admin.execute(f"CREATE FUNCTION public.{signature} RETURNS {kind} {body}")
    for kind in ("varchar", "text", "name"):
        admin.execute(f"CREATE FUNCTION public.trap_{kind}({kind}, {kind}) RETURNS boolean {body}")
        admin.execute(f"CREATE OPERATOR public.= (FUNCTION = public.trap_{kind}, LEFTARG = {kind}, RIGHTARG = {kind})")


def build(least: Least, *words: str) -> Ended:
    ended = finish(start(least.place, "build", *words))
    assert "Traceback" not in ended.stderr, ended.stderr
    assert PASSWORD not in ended.stderr + ended.stdout
    return ended


def test_the_least_privileged_role_falls_into_no_trap(least: Least) -> None:
    with outside(least.owner) as admin:
        lay_traps(admin, least.name)
        with provoked("S10", "postgres", "functions and operators of strangers in public", "none was called"):
            ended = build(least)
            assert ended.code == 0, ended.stderr
            again = build(least)
            assert again.code == 0, again.stderr
            assert "4 unchanged" in again.stderr
            assert admin.execute("SELECT count(*) FROM public.trap").fetchone() == (0,)
            assert admin.execute("SELECT id::int, name FROM mine.python").fetchall() == [(1, "ada")]
        # The traps work: whoever looks into public falls into them.
        with outside(least.place, options="-c search_path=public") as careless:
            careless.execute("SELECT lower('A'::varchar), 'a'::varchar = 'b'::varchar")
        assert admin.execute("SELECT count(*) FROM public.trap").fetchone() == (2,)


REFUSED = {
    "a schema of others": ("{{ config(schema='theirs') }}\nselect 1 as id\n", "mine_theirs"),
    "a schema that is not there": ("{{ config(schema='another') }}\nselect 1 as id\n", "board_"),
    "a table of others": ("select * from public.first\n", "first"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[] if what == "a schema of others" else [pytest.mark.full]) for what in REFUSED]
)
def test_what_a_role_may_not_do_is_said(least: Least, what: str) -> None:
    sql, named = REFUSED[what]
    write_files(least.place.root, {"models/refused.ff.sql": sql})
    with provoked("S10", "postgres", f"no right to use {what}", "exit 1, model and right named, the rest is built"):
        ended = build(least, "--keep-going")
        assert ended.code == 1, ended.stderr
        assert "permission denied for" in ended.stderr
        assert named in ended.stderr, ended.stderr
        assert "models/refused.ff.sql" in ended.stderr
        assert "grant the right" in ended.stderr
        with outside(least.owner) as admin:
            assert admin.execute("SELECT id::int, name FROM mine.python").fetchall() == [(1, "ada")]
