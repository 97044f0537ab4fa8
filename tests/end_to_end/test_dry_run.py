"""``--dry-run``: what would be done and why, and nothing is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flowforge import Project


def contents(root: Path) -> dict[str, str]:
    """Digests of all files, but of those that keep what was parsed: every command may make these."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("parsed.jsonl", ".gitignore")
    }


def actions(shop, *args: str) -> dict[str, str]:
    lines = [json.loads(line) for line in shop(*args, "--dry-run", "--log-format", "json").out.splitlines()]
    return {line["node"]: line["action"] for line in lines if line["event"] == "plan_node"}


def test_it_says_what_and_why_in_plan_order(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", "select id,\n  v * 2 as v\nfrom {{ ref('a') }}\n")
    ended = shop("build", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.split(None, 2) for line in ended.out.splitlines()]
    assert [line[:2] for line in lines[:-1]] == [
        ["skip", "lone"],
        ["skip", "raw"],
        ["skip", "a"],
        ["build", "b"],
        ["maybe", "c"],
    ]
    assert "b" in lines[4][2]
    assert ended.out.splitlines()[-1] == "dry run: 1 to build, 1 to build if what they read changes, 3 up to date"
    assert "v * 2" not in ended.out
    quiet = shop("build", "--dry-run", "-q").out.splitlines()
    assert [line.split()[0] for line in quiet] == ["build", "maybe", "dry"]
    detailed = shop("build", "--dry-run", "-v").out
    assert "-   v\n" in detailed
    assert "+   v * 2 as v\n" in detailed


def reasons(shop) -> dict[str, str]:
    lines = [json.loads(line) for line in shop("build", "--dry-run", "--log-format", "json").out.splitlines()]
    return {line["node"]: line["reason"] for line in lines if line["event"] == "plan_node"}


def test_a_changed_line_is_named_where_it_was_written(shop) -> None:
    header = "{{ config(materialized='ephemeral') }}\n"
    shop.write("models/inner.ff.sql", header + "{# a\nremark #}\nselect\n  1 as one\n")
    shop.write("models/outer.ff.sql", "select *\nfrom {{ ref('inner') }}\n\nwhere one > 0\n")
    shop("build")
    shop.write("models/inner.ff.sql", header + "{# a\nremark #}\nselect\n  2 as one\n")
    assert reasons(shop)["outer"] == "its SQL changed at models/inner.ff.sql:5"
    shop("build")
    shop.write("models/outer.ff.sql", "select *\nfrom {{ ref('inner') }}\n\nwhere one > 1\n")
    shop.write("models/b.ff.sql", "{{ config(materialized='view') }}\nselect id,\n\tv + 1 as v\nfrom {{ ref('a') }}\n")
    found = reasons(shop)
    assert found["outer"] == "its SQL changed at models/outer.ff.sql:4"
    assert found["b"] == "materialized changed from table to view; its SQL changed at models/b.ff.sql:3"
    detailed = shop("build", "--dry-run", "-v").out
    assert "models/outer.ff.sql:4: - where one > 0\n" in detailed
    assert "models/b.ff.sql:3: +     v + 1 as v\n" in detailed


def test_settings_that_stayed_are_not_called_changed(shop) -> None:
    """Lists of columns are lists in the memory of builds, and whatever the settings hold."""
    grown = "{{{{ config(materialized='incremental', unique_key=['id'], indexes=['id']) }}}}\nselect id, v + {} as v from {{{{ ref('raw') }}}}\n"
    kept = "{{{{ config(materialized='snapshot', strategy='check', unique_key='id', check_cols='all') }}}}\nselect id, v + {} as v from {{{{ ref('raw') }}}}\n"
    for number in (1, 2):
        if number == 2:
            shop("build")
        shop.write("models/grown.ff.sql", grown.format(number))
        shop.write("models/kept.ff.sql", kept.format(number))
    found = reasons(shop)
    assert found["grown"] == "its SQL changed at models/grown.ff.sql:2"
    assert found["kept"].startswith("its SQL changed at models/kept.ff.sql:2")
    assert "changed from" not in found["kept"]


def test_what_others_did_to_a_table_is_told(shop) -> None:
    shop("build")
    with Project.load(shop.root) as project, project.session("test") as session:
        session.execute("drop table b")
        session.execute("create view b as select 1 as id, 2 as v")
        session.execute("drop table lone")
        session.execute("alter table c add column more int")
    found = reasons(shop)
    assert found["b"] == "is no table in the database"
    assert found["lone"] == "is missing in the database"
    assert found["c"] == "its columns were changed in the database"


def test_space_at_the_ends_of_lines_is_called_so(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", "select id,  \n  v\nfrom {{ ref('a') }}\n")
    assert reasons(shop)["b"] == "space in its SQL changed"
    shop.write("models/b.ff.sql", "select id,\n  v\nfrom {{ ref('a') }}\n" + "-- more\n" * 20 + "where true\n")
    assert "and 15 more lines" in shop("build", "--dry-run", "-v").out


def test_it_writes_nothing(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", "select 1 as id, 2 as v")
    shop.write("seeds/raw.csv", "id,v\n7,7\n")
    before = contents(shop.root)
    for args in (("build",), ("run", "--full-refresh"), ("seed",), ("build", "--no-cache"), ("run", "-R", "b")):
        shop(*args, "--dry-run")
    assert contents(shop.root) == before


def test_the_first_time_nothing_is_made_either(shop) -> None:
    before = contents(shop.root)
    ended = shop("build", "--dry-run")
    assert ended.out.splitlines()[-1] == "dry run: 5 to build"
    assert contents(shop.root) == before


def test_it_foretells_what_the_run_does(shop) -> None:
    shop("build")
    shop.write("models/lone.ff.sql", "select 2 as one")
    shop.write("seeds/raw.csv", "id,v\n1,10\n2,20\n3,30\n")
    foretold = actions(shop, "build")
    came = shop.statuses("build")
    for node, action in foretold.items():
        if action != "maybe":
            assert came[node] == {"build": "success", "skip": "cached"}[action], node
    assert foretold["lone"] == "build"
    assert set(actions(shop, "build").values()) == {"skip"}


def test_records_have_a_version_and_a_summary(shop) -> None:
    lines = [json.loads(line) for line in shop("build", "--dry-run", "--log-format", "json").out.splitlines()]
    assert {line["version"] for line in lines} == {1}
    assert [line["event"] for line in lines] == ["plan_node"] * 5 + ["plan_summary"]
    assert lines[-1]["counts"] == {"build": 5, "maybe": 0, "skip": 0}
    assert lines[0]["reason"]


def test_an_empty_selection_is_one_here_too(shop) -> None:
    assert shop("build", "--dry-run", "-s", "x*", ok=False).code == 5
    assert shop("build", "--dry-run", "-s", "x*", "--allow-empty").code == 0
    assert not (shop.root / "demo.duckdb").exists()
