"""``engines``, ``@engine_model`` and ``env_match``: a model is part of the project only where it is meant to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError

FILES = {
    "project.yml": "name: demo\nversion: 1\nmodels:\n  light: {+engines: [sqlite, nobodys]}\n",
    "profiles.yml": "dev: {engine: duckdb, duckdb: {path: ':memory:'}}\nlite: {engine: sqlite, sqlite: {path: x.db}}\n",
    "models/heavy/orders.ff.sql": "{{ config(engines='duckdb') }} select 1 as heavy",
    "models/light/orders.ff.sql": "select 1 as light",
    "models/below.ff.sql": "select * from {{ ref('orders') }}",
    "models/frames.ff.py": "from flowforge import engine_model\n\n\n"
    "@engine_model(only=['duckdb'], deps=['orders'], name='frames')\ndef f(orders):\n    return orders\n",
    "models/variant.ff.py": "import flowforge\n\n\n"
    "@flowforge.engine_model(env_match={'FF_VARIANT': 'large'})\ndef g():\n    return None\n",
}


def load(root: Path, env: str, files: dict[str, str] | None = None, **environ: str) -> Project:
    for path, text in {**FILES, **(files or {})}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return Project.load(root, env=env, environ=environ)


@pytest.mark.parametrize(
    ("env", "variant", "expected"),
    [
        ("dev", "", {"below.ff": "below", "frames": "frames", "orders.ff": "heavy"}),
        ("lite", "", {"below.ff": "below", "orders.ff": "light"}),
        ("lite", "large", {"below.ff": "below", "orders.ff": "light", "variant.ff": "variant"}),
    ],
)
def test_who_is_there(tmp_path: Path, env: str, variant: str, expected: dict[str, str]) -> None:
    if env == "lite":
        pytest.importorskip("flowforge_sqlite")
    nodes = load(tmp_path, env, FF_VARIANT=variant).manifest.nodes
    assert set(nodes) == set(expected)
    assert expected["orders.ff"] in nodes["orders.ff"].path
    assert nodes["below.ff"].depends_on == ("orders.ff",)


def test_a_model_of_another_engine_counts_as_disabled(tmp_path: Path) -> None:
    pytest.importorskip("flowforge_sqlite")
    with pytest.raises(FlowForgeError) as caught:
        load(tmp_path, "lite", {"models/more.ff.sql": "select * from {{ ref('frames') }}"})
    assert caught.value.code == "FF1206"


def test_a_mistyped_engine_is_found(tmp_path: Path) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load(tmp_path, "dev", {"models/more.ff.sql": "{{ config(engines=['duckdbb']) }} select 1 as x"})
    assert caught.value.code == "FF4003"
    assert caught.value.help == "did you mean 'duckdb'?"


def test_the_engine_is_only_asked_for_when_a_model_names_some(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: demo\nversion: 1\n")
    (tmp_path / "profiles.yml").write_text("dev: {engine: nobodys}\n")
    (tmp_path / "models/a.ff.sql").write_text("select 1 as x")
    Project.load(tmp_path, environ={})
    (tmp_path / "models/a.ff.sql").write_text("{{ config(engines='nobodys') }} select 1 as x")
    with pytest.raises(FlowForgeError) as caught:
        Project.load(tmp_path, environ={})
    assert "nobodys" in caught.value.message
