"""Loading whole projects; nothing is run and no engine is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors

Load = Callable[[Mapping[str, str]], Project]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes and loads a project."""

    def loader(files: Mapping[str, str]) -> Project:
        for path, text in {"project.yml": "name: demo\nversion: 1\n", "models/.keep": "", **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return Project.load(tmp_path, environ={})

    return loader


def problems(load: Load, files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Codes and places of what is wrong."""
    with pytest.raises(FlowForgeError) as caught:
        load(files)
    error = caught.value
    errors = error.errors if isinstance(error, ProjectErrors) else (error,)
    return [(one.code, str(one.location)) for one in errors]


def test_names_relations_and_edges(load: Load) -> None:
    manifest = load(
        {
            "models/staging/a.ff.sql": "select 1 as x",
            "models/b.ff.sql": "{{ config(alias='bee', schema='mart', tags='t') }} select * from {{ ref('a') }}, {{ ref('a.ff') }}",
            "models/c.ff.py": "from flowforge import model\n\n@model(deps=['b', 's'])\ndef anything(b, s):\n    return b\n",
            "seeds/s.csv": "x\n1\n",
        }
    ).manifest
    assert list(manifest.nodes) == ["a.ff", "b.ff", "c.ff", "s"]
    assert {name: node.depends_on for name, node in manifest.nodes.items()} == {
        "a.ff": (),
        "b.ff": ("a.ff",),
        "c.ff": ("b.ff", "s"),
        "s": (),
    }
    assert str(manifest.nodes["b.ff"].relation) == "mart.bee"
    assert manifest.nodes["b.ff"].config.tags == ("t",)
    for name in ("b", "b.ff", "bee"):
        assert manifest.find(name) is manifest.nodes["b.ff"]


def test_a_source_that_is_a_seed_or_a_model_is_a_dependency(load: Load) -> None:
    manifest = load(
        {
            "sources.yml": "crm: {users: {identifier: s}, orders: {}}\nother: {s: {schema: else}}\n",
            "seeds/s.csv": "x\n1\n",
            "models/a.ff.sql": "select * from {{ source('crm', 'users') }}, {{ source('crm', 'orders') }}",
            "models/b.ff.sql": "select * from {{ source('other', 's') }}",
        }
    ).manifest
    assert manifest.nodes["a.ff"].depends_on == ("s",)
    assert manifest.nodes["a.ff"].reads == ("crm.orders", "crm.users")
    assert manifest.nodes["b.ff"].depends_on == ()


def test_all_problems_of_all_files_come_in_one_report(load: Load) -> None:
    found = problems(
        load,
        {
            "sources.yml": "version: 3\n",
            "models/a.ff.sql": "select *\nfrom {{ ref('bb') }}\njoin {{ source('x', 'y') }}",
            "models/b.ff.sql": "{{ config(materialised='view') }} select 1",
            "models/c.ff.py": "def f(:\n",
            "models/d.ff.sql": "",
            "models/e.ff.sql": "drop table x",
            "models/m.yml": "models: [{name: nothing}]\n",
        },
    )
    assert [place.split(":")[0] for _, place in found] == [
        *[
            "models/a.ff.sql",
            "models/b.ff.sql",
            "models/c.ff.py",
            "models/d.ff.sql",
            "models/e.ff.sql",
            "models/m.yml",
            "sources.yml",
        ],
    ]
    assert ("FF1203", "models/a.ff.sql:2:14") in found


def test_cycles_name_the_way_and_every_one_is_found(load: Load) -> None:
    files = {f"models/{name}.ff.sql": f"select * from {{{{ ref('{to}') }}}}" for name, to in ["ab", "ba", "cc"]}
    with pytest.raises(ProjectErrors) as caught:
        load(files)
    assert [error.code for error in caught.value.errors] == ["FF1204", "FF1204"]
    assert "a.ff -> b.ff -> a.ff" in caught.value.errors[0].message
    assert "c.ff -> c.ff" in caught.value.errors[1].message


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"models/a.ff.sql": "select 1", "models/x/a.ff.sql": "select 1"}, "FF1201"),
        ({"models/a.ff.sql": "select 1", "seeds/a.csv": "x\n1\n"}, "FF1201"),
        ({"models/a.ff.sql": "select 1", "models/A.ff.sql": "select 1"}, "FF1202"),
        ({"models/a.ff.sql": "select 1", "models/b.ff.sql": "create table a as select 1"}, "FF1202"),
        (
            {
                "models/a.ff.sql": "select 1",
                "models/b.ff.py": "from flowforge import model\n\n@model(name='a')\ndef f():\n    pass\n",
            },
            "FF1201",
        ),
    ],
)
def test_two_files_for_one_name_are_both_named(load: Load, files: dict[str, str], code: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load(files)
    assert caught.value.code == code
    text = f"{caught.value.location} {caught.value.notes}"
    assert all(path in text for path in files)


def test_disabled_models_are_no_nodes_and_references_to_them_are_errors(load: Load) -> None:
    off = {"models/a.ff.sql": "{{ config(enabled=false) }} select 1"}
    assert list(load(off).manifest.nodes) == []
    found = problems(load, {**off, "models/b.ff.sql": "select * from {{ ref('a') }}"})
    assert [code for code, _ in found] == ["FF1206"]


def test_descriptions_come_from_yaml_config_and_docstrings(load: Load) -> None:
    nodes = load(
        {
            "models/a.ff.sql": "{{ config(description='from config') }} select 1",
            "models/b.ff.py": 'from flowforge import model\n\n@model\ndef f():\n    """From the docstring.\n\n    More."""\n',
            "models/c.ff.sql": "select 1",
            "models/m.yml": "models: [{name: c, description: from yaml, columns: [{name: x, description: ex}]}]\n",
        }
    ).manifest.nodes
    assert [nodes[name].description for name in ("a.ff", "b.ff", "c.ff")] == [
        "from config",
        "From the docstring.",
        "from yaml",
    ]
    assert nodes["c.ff"].columns["x"].description == "ex"


def test_a_model_described_twice_is_an_error(load: Load) -> None:
    found = problems(
        load,
        {
            "models/a.ff.sql": "select 1",
            "models/x.yml": "models: [{name: a}]\n",
            "models/y.yml": "models: [{name: a.ff}]\n",
        },
    )
    assert found == [("FF1024", "models/y.yml:1:17")]


def test_files_that_are_no_models_are_mentioned(load: Load) -> None:
    notes = load({"models/a.sql": "select 1", "models/macros_py/m.txt": "", "models/lib.py": ""}).manifest.notes
    assert [str(note.location) for note in notes] == ["models/a.sql"]
    assert "a.ff.sql" in (notes[0].help or "")


def test_links_out_of_the_project_are_refused(
    load: Load, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("outside") / "secret.ff.sql"
    secret.write_text("select 'secret'")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/link.ff.sql").symlink_to(secret)
    assert problems(load, {}) == [("FF1021", "models/link.ff.sql")]


def test_a_chain_of_ten_thousand_models_loads(load: Load) -> None:
    files = {
        f"models/m{index:05d}.ff.sql": f"select * from {{{{ ref('m{index - 1:05d}') }}}}" if index else "select 1 as x"
        for index in range(10_000)
    }
    project = load(files)
    assert len(project.select("m00000+")) == 10_000


def test_names_that_could_steer_a_terminal_are_refused(load: Load) -> None:
    found = problems(load, {"models/a\x1b[31m.ff.sql": "select 1", "seeds/b\n.csv": "x\n1\n"})
    assert sorted(code for code, _ in found) == ["FF1209", "FF1209"]
    assert all("\x1b" not in place and "\n" not in place for _, place in found)


def test_sources_that_nobody_understood_are_not_unknown_too(load: Load) -> None:
    model = {"models/m.ff.sql": "select * from {{ source('crm', 'users') }}"}
    wrong = "version: 1\nsources: [{name: crm, tables: [{name: users, shcema: x}]}]\n"
    assert problems(load, {**model, "sources.yml": wrong}) == [("FF1004", "sources.yml:2:46")]
    right = "version: 1\nsources: [{name: crm, tables: [{name: orders}]}]\n"
    assert problems(load, {**model, "sources.yml": right}) == [("FF1207", "models/m.ff.sql:1:33")]
