"""The words of ``state:``: what about a node is different, and from what; also when the memory of builds is gone."""

from __future__ import annotations

import json
import shutil

import pytest

PARTS = ("modified.body", "modified.configs", "modified.relation")
VIEW = "{{ config(materialized='view') }}\nselect 1 as one\n"
ELSEWHERE = "{{ config(alias='alone') }}\nselect 1 as one\n"


def words_of(shop, node: str, *args: str) -> set[str]:
    listed = ("modified", *PARTS, "new", "old", "unmodified")
    return {word for word in listed if node in shop("ls", "-s", f"state:{word}", *args, ok=False).names}


@pytest.mark.parametrize("state", ["builds", "file", "folder"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select 1 as one\n", {"old", "unmodified"}),
        ("select 2 as one\n", {"old", "modified", "modified.body"}),
        (VIEW, {"old", "modified", "modified.configs"}),
        (ELSEWHERE, {"old", "modified", "modified.relation"}),
    ],
)
def test_what_about_a_node_is_modified(shop, state: str, text: str, words: set[str]) -> None:
    against: tuple[str, ...] = ()
    if state == "builds":
        shop("build")
    else:
        (shop.root / "main").mkdir()
        shop("compile", "--manifest", "main" if state == "folder" else "main/it.json")
        against = ("--state", "main" if state == "folder" else "main/it.json")
    shop.write("models/lone.ff.sql", text)
    assert words_of(shop, "lone", *against) == words


def test_new_nodes_are_modified_in_every_respect(shop) -> None:
    shop("build")
    shop.write("models/new.ff.sql", "select 1 as x")
    assert words_of(shop, "new") == {"new", "modified", *PARTS}
    assert shop("ls", "-s", "state:old", "--exclude", "state:unmodified", ok=False).code == 5


def test_a_file_of_a_seed_is_its_body(shop) -> None:
    shop("build")
    shop.write("seeds/raw.csv", "id,v\n5,50\n")
    assert words_of(shop, "raw") == {"old", "modified", "modified.body"}


def test_a_run_that_skips_everything_restores_what_was_forgotten(shop) -> None:
    shop("build")
    shutil.rmtree(shop.root / ".flowforge")
    assert shop("ls", "-s", "state:modified", ok=False).code == 5
    assert set(shop.statuses("build").values()) == {"cached"}
    assert sorted(shop("ls", "-s", "state:unmodified").names) == ["a", "b", "c", "lone", "raw"]
    shop.write("models/b.ff.sql", "select id, v + 5 as v from {{ ref('a') }}")
    assert shop("ls", "-s", "state:modified+").names == ["b", "c"]
    assert "at models/b.ff.sql:1" in shop("run", "--dry-run").out


def test_builds_without_the_cache_count_too(shop) -> None:
    shop("build", "--no-cache")
    assert sorted(shop("ls", "-s", "state:unmodified").names) == ["a", "b", "c", "lone", "raw"]
    shop.write("models/b.ff.sql", "select id, v + 5 as v from {{ ref('a') }}")
    assert shop("ls", "-s", "state:modified").names == ["b"]
    shop("build", "--no-cache", "-q")
    assert shop("ls", "-s", "state:modified", ok=False).code == 5


def test_a_folder_without_a_manifest_is_named(shop) -> None:
    (shop.root / "main").mkdir()
    ended = shop("ls", "-s", "state:modified", "--state", "main", ok=False)
    assert ended.code == 1
    assert "error[FF2341]: the manifest 'main/manifest.json' cannot be read" in ended.err
    (shop.root / "main/manifest.json").write_text(json.dumps({"metadata": {}, "nodes": {}}))
    ended = shop("ls", "-s", "state:modified", "--state", "main", ok=False)
    assert "error[FF2341]: 'main/manifest.json' is no manifest of FlowForge" in ended.err
