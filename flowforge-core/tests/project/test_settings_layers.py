"""Settings of folders and models in ``project.yml``, in YAML files beside the models, and in the models: nearest wins."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.project.manifest import Manifest

Load = Callable[[Mapping[str, str]], Manifest]
FILES = {
    "models/top.ff.sql": "select 1 as x",
    "models/staging/a.ff.sql": "select 1 as x",
    "models/staging/deep/b.ff.sql": "{{ config(tags='own', meta={'own': 1}) }} select 1 as x",
    "models/marts/p.ff.py": "from flowforge import model\n\n@model(tags=['own'])\ndef p():\n    return None\n",
}


def load_in(root: Path, files: Mapping[str, str]) -> Manifest:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return Project.load(root, environ={}).manifest


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads :data:`FILES` with the given ones on top; ``project.yml`` gets a head."""

    def loader(files: Mapping[str, str]) -> Manifest:
        merged = {**FILES, **files}
        return load_in(tmp_path, {**merged, "project.yml": "name: demo\nversion: 1\n" + files.get("project.yml", "")})

    return loader


def of(manifest: Manifest, setting: str) -> dict[str, Any]:
    return {node.short_name: getattr(node.config, setting) for node in manifest.nodes.values()}


def test_folders_inherit_and_the_nearest_wins(load: Load) -> None:
    manifest = load(
        {
            "project.yml": "models:\n"
            "  +materialized: view\n"
            "  timeout: 5m\n"
            "  staging:\n"
            "    +schema: stg\n"
            "    +timeout: 10\n"
            "    deep: {b: {+materialized: ephemeral, +alias: bee}}\n"
            "  marts: {materialized: table}\n"
        }
    )
    assert of(manifest, "materialized") == {"top": "view", "a": "view", "b": "ephemeral", "p": "table"}
    assert of(manifest, "timeout") == {"top": 300.0, "a": 10.0, "b": 10.0, "p": 300.0}
    assert {name: str(node.relation) for name, node in manifest.nodes.items()} == {
        "top.ff": "top",
        "a.ff": "stg.a",
        "b.ff": "stg.bee",
        "p.ff": "p",
    }


@pytest.mark.parametrize("tags", ["{'py'}", "5", "[['a'], {'b': 'c'}]", "{'a': 'b'}"])
def test_what_is_no_tag_is_refused_below_a_folder_with_tags_too(load: Load, tags: str) -> None:
    text = f"from flowforge import model\n\n@model(tags={tags})\ndef p():\n    return None\n"
    with pytest.raises((FlowForgeError, ProjectErrors)) as caught:
        load({"project.yml": "models:\n  +tags: all\n", "models/marts/p.ff.py": text})
    errors = caught.value.errors if isinstance(caught.value, ProjectErrors) else [caught.value]
    assert {one.code for one in errors} == {"FF1101"}
    assert {one.location.path for one in errors if one.location is not None} == {"models/marts/p.ff.py"}


def test_tags_that_say_nothing_leave_those_of_the_folder(load: Load) -> None:
    files = {"project.yml": "models:\n  +tags: all\n", "models/more.yml": "models: [{name: top, config: {tags: }}]\n"}
    assert of(load(files), "tags")["top"] == ("all",)


def test_tags_and_meta_are_joined(load: Load) -> None:
    manifest = load(
        {
            "project.yml": "models:\n  +tags: all\n  +meta: {team: data, own: 0}\n  staging: {+tags: [all, stg]}\n",
            "models/props.yml": "models:\n  - name: b\n    tags: yaml\n    meta: {team: b}\n    config: {+tags: [cfg]}\n",
        }
    )
    assert of(manifest, "tags") == {
        "top": ("all",),
        "a": ("all", "stg"),
        "b": ("all", "stg", "cfg", "own", "yaml"),
        "p": ("all", "own"),
    }
    assert of(manifest, "meta")["b"] == {"team": "b", "own": 1}


def test_the_name_of_the_project_may_stand_above_the_folders(load: Load) -> None:
    manifest = load({"project.yml": "models:\n  +owner: x\n  demo:\n    +materialized: view\n    marts: {+owner: y}\n"})
    assert set(of(manifest, "materialized").values()) == {"view"}
    assert of(manifest, "owner") == {"top": "x", "a": "x", "b": "x", "p": "y"}


def test_yaml_beside_the_models_is_nearer_than_the_project_and_farther_than_the_model(load: Load) -> None:
    manifest = load(
        {
            "project.yml": "models: {+materialized: view, +owner: project}\n",
            "models/props.yml": "models:\n"
            "  - {name: a.ff, owner: yaml, config: {materialized: ephemeral, enabled: true}}\n"
            "  - {name: top, config: {alias: yaml}}\n",
            "models/top.ff.sql": "{{ config(alias='own', materialized='table') }} select 1 as x",
        }
    )
    assert of(manifest, "materialized") == {"top": "table", "a": "ephemeral", "b": "view", "p": "view"}
    assert of(manifest, "owner") == {"top": "project", "a": "yaml", "b": "project", "p": "project"}
    assert of(manifest, "alias")["top"] == "own"


def test_single_models_can_be_listed_under_a_setting(load: Load) -> None:
    manifest = load(
        {
            "project.yml": "models:\n  incremental:\n    a: {unique_key: id}\n    b.ff: {unique_key: [id, day], enabled: false}\n"
        }
    )
    found = of(manifest, "incremental")
    assert found["a"].unique_key == ("id",)
    assert [found[name] for name in ("top", "b", "p")] == [None, None, None]


def test_folders_can_be_switched_off(load: Load) -> None:
    assert sorted(load({"project.yml": "models: {staging: {+enabled: false}}\n"}).nodes) == ["p.ff", "top.ff"]


def test_a_create_in_the_file_is_nearer_than_the_folder(load: Load) -> None:
    manifest = load(
        {
            "project.yml": "models: {+materialized: view, top: {+alias: far}}\n",
            "models/top.ff.sql": "create table near as select 1 as x",
        }
    )
    assert manifest.nodes["top.ff"].config.materialized == "table"
    assert manifest.nodes["top.ff"].relation.name == "near"


@pytest.mark.parametrize(
    ("models", "properties", "code", "place"),
    [
        ("models: 5\n", "", "FF1005", "project.yml:3:9"),
        ("models:\n  +materialised: view\n", "", "FF1004", "project.yml:4:3"),
        ("models:\n  materialised: view\n", "", "FF1004", "project.yml:4:3"),
        ("models:\n  +materialized: cube\n", "", "FF1005", "project.yml:4:18"),
        ("models:\n  staging:\n    +timeout: [1]\n", "", "FF1005", "project.yml:5:15"),
        ("models:\n  +tags: a\n  tags: b\n", "", "FF1004", "project.yml:5:3"),
        ("models:\n  +unique_key: id\n", "", "FF1130", "project.yml:4:16"),
        ("models:\n  +http: 1\n", "", "FF1007", "project.yml:4:3"),
        ("models:\n  incremental: {c: {unique_key: id}}\n", "", "FF1027", "project.yml:4:17"),
        ("models:\n  incremental: {a: {uniqe_key: id}}\n", "", "FF1004", "project.yml:4:21"),
        ("models:\n  storage: {a: {pathe: x, path: y}}\n", "", "FF1004", "project.yml:4:17"),
        ("models:\n  stagin: {+tags: a}\n", "", "FF1027", "project.yml:4:3"),
        ("models:\n  staging: {a: {+tags: x}, c: {+tags: a}}\n", "", "FF1027", "project.yml:4:28"),
        ("", "models: [{name: a, config: {materialised: view}}]", "FF1004", "models/props.yml:1:29"),
        ("", "models: [{name: a, config: {tags: [5]}}]", "FF1005", "models/props.yml:1:36"),
        ("", "models: [{name: p, config: {materialized: ephemeral}}]", "FF1107", "models/props.yml:1:43"),
    ],
)
def test_what_is_wrong_is_told_once_and_at_its_place(
    load: Load, models: str, properties: str, code: str, place: str
) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load({"project.yml": models, "models/props.yml": properties})
    error = caught.value
    errors = error.errors if isinstance(error, ProjectErrors) else (error,)
    assert [(one.code, str(one.location)) for one in errors] == [(code, place)]


def test_a_mistyped_folder_has_a_suggestion(load: Load) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load({"project.yml": "models:\n  stagin: {+tags: a}\n"})
    assert caught.value.help == "did you mean 'staging'?"


FOLDERS = ((), ("x",), ("x", "y"), ("z",))
trees = st.dictionaries(st.sampled_from(FOLDERS), st.sampled_from(["a", "b", "c"]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(trees, st.sampled_from(FOLDERS), st.one_of(st.none(), st.sampled_from(["m", "n"])))
def test_the_nearest_of_any_tree_wins(
    owners: dict[tuple[str, ...], str], place: tuple[str, ...], own: str | None
) -> None:
    tree: dict[str, Any] = {}
    for folders, owner in owners.items():
        level = tree
        for folder in folders:
            level = level.setdefault(folder, {})
        level["+owner"] = owner
    head = f"{{{{ config(owner='{own}') }}}} " if own else ""
    files = {f"models/{'/'.join((*folders, 'm' + ''.join(folders)))}.ff.sql": "select 1" for folders in FOLDERS}
    target = f"models/{'/'.join((*place, 'target'))}.ff.sql"
    project = json.dumps({"name": "demo", "version": 1, "models": tree})
    with tempfile.TemporaryDirectory() as root:
        manifest = load_in(Path(root), {**files, target: f"{head}select 1", "project.yml": project})
    above = [owners[place[:end]] for end in range(len(place), -1, -1) if place[:end] in owners]
    assert manifest.nodes["target.ff"].config.owner == (own or (above[0] if above else None))
