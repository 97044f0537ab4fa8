"""Materialized views, rights, indexes and hooks of models on PostgreSQL, in whole runs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError
from flowforge.run.result import RunResult

Build = Callable[[Mapping[str, str]], RunResult]
Rows = list[tuple[Any, ...]]


@pytest.fixture
def build(tmp_path: Path, postgres_dsn: str) -> Build:
    """Writes files of a project, each anew or changed, and builds it; ``None`` removes one."""

    def make(files: Mapping[str, str]) -> RunResult:
        base = {
            "project.yml": "name: shop\nversion: 1\n",
            "profiles.yml": "dev:\n  engine: postgres\n  postgres: {dsn: \"{{ env('FF_PG_DSN') }}\"}\n",
        }
        for path, text in {**base, **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, "utf-8")
        with Project.load(tmp_path, environ={"FF_PG_DSN": postgres_dsn}) as project:
            return project.build()

    return make


@pytest.fixture
def role(outside: psycopg.Connection[Any]) -> Iterator[str]:
    """A role that may not do anything."""
    name = f"ff_{uuid.uuid4().hex[:8]}"
    outside.execute(f"create role {name}")
    yield name
    outside.execute(f"drop owned by {name} cascade; drop role {name}")


def good(result: RunResult) -> dict[str, str]:
    assert result.ok, [str(one.error) for one in result.nodes]
    return {one.node.removesuffix(".ff"): "kept" if one.kept else one.status.value for one in result.nodes}


RAW = "seeds/raw.csv"
VIEW = "models/m.ff.sql"
TEXT = "{{{{ config(materialized='{}', indexes=[{{'columns': 'id', 'unique': true}}]{}) }}}}\nselect {} from {{{{ ref('raw') }}}}\n"
BELOW = {"models/below.ff.sql": "select count(*) as n from {{ ref('m') }}\n"}
CHECKED = {"models/m.yml": "models: [{name: m, columns: [{name: id, checks: [unique, {not_null: {}}]}]}]\n"}


def test_a_materialized_view_lives_like_a_table(build: Build, outside: psycopg.Connection[Any], role: str) -> None:
    files = {
        RAW: "id\n1\n2\n",
        VIEW: TEXT.format("materialized_view", f", grants={{'select': '{role}'}}", "id"),
        **BELOW,
        **CHECKED,
    }
    assert good(build(files)) == {"raw": "success", "m": "success", "below": "success"}

    def facts() -> Rows:
        return outside.execute(
            "select relkind, (select count(*) from pg_index where indrelid = c.oid and indisunique),"
            f" has_table_privilege('{role}', c.oid, 'select') from pg_class c where relname = 'm'"
        ).fetchall()

    assert facts() == [("m", 1, True)]
    assert set(good(build({})).values()) == {"cached"}
    outside.execute("create view reader as select id from m; create index by_hand on m (id desc)")
    assert good(build({RAW: "id\n1\n2\n3\n"}))["m"] == "success"
    assert outside.execute("select count(*) from reader").fetchone() == (3,)
    assert outside.execute("select count(*) from pg_indexes where indexname = 'by_hand'").fetchone() == (1,)
    assert outside.execute("select n from below").fetchone() == (3,)
    found = good(build({VIEW: files[VIEW].replace("select id", "select id + 0 as id")}))
    assert (found["m"], found["below"]) == ("kept", "cached")
    refused = build({RAW: "id\n1\n1\n"})
    assert not refused.ok
    assert outside.execute("select count(*) from reader").fetchone() == (3,)
    assert facts() == [("m", 1, True)]


@pytest.mark.parametrize(
    "kinds", [("table", "materialized_view", "view"), ("materialized_view", "table"), ("view", "materialized_view")]
)
def test_kinds_change(build: Build, outside: psycopg.Connection[Any], kinds: tuple[str, ...]) -> None:
    letters = {"table": "r", "materialized_view": "m", "view": "v"}
    for kind in kinds:
        text = TEXT.format(kind, "", "id")
        text = text.replace("indexes=[{'columns': 'id', 'unique': true}]", "tags='x'") if kind == "view" else text
        good(build({RAW: "id\n1\n", VIEW: text, **BELOW}))
        assert outside.execute("select relkind from pg_class where relname = 'm'").fetchone() == (letters[kind],)
        assert set(good(build({})).values()) == {"cached"}


def test_a_table_under_a_materialized_view_gets_other_columns(build: Build, outside: psycopg.Connection[Any]) -> None:
    view = TEXT.format("materialized_view", "", "id").replace("'raw'", "'base'")
    base = {"models/base.ff.sql": "select id from {{ ref('raw') }}\n"}
    good(build({RAW: "id\n1\n", **base, VIEW: view, **BELOW}))
    good(build({"models/base.ff.sql": "select id, 'x' as more from {{ ref('raw') }}\n", RAW: "id\n1\n2\n"}))
    assert outside.execute("select count(*) from m").fetchone() == (2,)
    assert outside.execute("select n from below").fetchone() == (2,)
    assert outside.execute("select count(*) from pg_indexes where tablename = 'm'").fetchone() == (1,)


@pytest.mark.parametrize("kind", ["table", "view", "incremental"])
def test_rights_are_those_that_the_model_names(
    build: Build, outside: psycopg.Connection[Any], role: str, kind: str
) -> None:
    key = ", unique_key='id'" if kind == "incremental" else ""
    text = f"{{{{{{{{ config(materialized='{kind}'{key}, grants={{}}) }}}}}}}}\nselect id from {{{{{{{{ ref('raw') }}}}}}}}\n"

    def may() -> tuple[Any, ...] | None:
        return outside.execute(
            f"select has_table_privilege('{role}', 'm', 'select'), has_table_privilege('{role}', 'm', 'insert'),"
            " has_table_privilege('public', 'm', 'select')"
        ).fetchone()

    def said(grants: str) -> dict[str, str]:
        return {VIEW: text.format(grants)}

    good(build({RAW: "id\n1\n", **said(f"{{'select': ['{role}', 'PUBLIC'], 'insert': '{role}'}}")}))
    assert may() == (True, True, True)
    good(build(said(f"{{'select': ['{role}']}}")))
    assert may() == (True, True, False), "insert is named no more, so it stays as it is"
    good(build({RAW: "id\n1\n2\n"}))
    assert may() == (True, True, False)
    good(build(said("{'select': [], 'insert': []}")))
    assert may() == (False, False, False)
    result = build(said("{'select': 'nobody_of_this_name'}"))
    assert not result.ok
    assert may() == (False, False, False)


def test_an_index_that_is_asked_for_no_more_goes_and_one_by_hand_stays(
    build: Build, outside: psycopg.Connection[Any]
) -> None:
    good(build({RAW: "id\n1\n", VIEW: TEXT.format("table", "", "id")}))
    outside.execute("create index by_hand on m (id desc)")
    good(build({VIEW: "select id from {{ ref('raw') }} where id < 5\n"}))
    names = outside.execute("select indexname from pg_indexes where tablename = 'm'").fetchall()
    assert names == [("by_hand",)]
    outside.execute("create view reader as select id from m")
    good(build({VIEW: TEXT.format("table", "", "id")}))
    good(
        build(
            {
                RAW: "id\n1\n2\n",
                VIEW: TEXT.format("table", "", "id").replace("'columns': 'id'", "'columns': 'id', 'type': 'btree'"),
            }
        )
    )
    assert outside.execute("select count(*) from pg_indexes where tablename = 'm'").fetchone() == (2,)


def test_vacuum_after_the_commit_and_what_cannot_be(build: Build, outside: psycopg.Connection[Any]) -> None:
    hook = "{'sql': 'vacuum analyze {{ this }}', 'transaction': false}"
    good(
        build(
            {
                VIEW: f"{{{{ config(post_hook=[{hook}, 'comment on table {{{{ this }}}} is $$made$$']) }}}}\nselect 1 as id\n"
            }
        )
    )
    assert outside.execute(
        "select obj_description('m'::regclass), relpages from pg_class where relname = 'm'"
    ).fetchone() == ("made", 1)
    assert set(good(build({})).values()) == {"cached"}
    for config in (
        "database='elsewhere'",
        "grants={'read': 'x'}",
        "indexes=[{'columns': 'id', 'type': 'art'}]",
        "cluster_by='id'",
    ):
        with pytest.raises(FlowForgeError) as refused:
            build({VIEW: f"{{{{ config({config}) }}}}\nselect 2 as id\n"})
        assert str(refused.value.location) == "models/m.ff.sql:1:11"
    good(build({VIEW: f"{{{{ config(database='{outside.info.dbname}') }}}}\nselect 2 as id\n"}))
    assert outside.execute("select id from m").fetchone() == (2,)
    assert set(good(build({})).values()) == {"cached"}
