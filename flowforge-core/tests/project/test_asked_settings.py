"""``var()`` and ``env()`` as values of settings, in models and in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors


def load(root: Path, files: Mapping[str, str], vars: Mapping[str, Any] | None = None, **environ: str) -> Project:
    base = {
        "project.yml": "name: demo\nversion: 1\nvars: {kind: view, tag: nightly}\n",
        "models/a.ff.sql": "select 1 as x",
    }
    for path, text in {**base, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    return Project.load(root, environ=environ, vars=vars)


def test_in_a_model(tmp_path: Path) -> None:
    sql = (
        "{{ config(materialized=var('kind'), tags=[var('tag'), 'own'], alias=env('A', 'b'), meta={'who': env('WHO')},"
        " schema=var('gone', none)) }} select 1 as x"
    )
    config = load(tmp_path, {"models/a.ff.sql": sql}, WHO="me").manifest.nodes["a.ff"].config
    assert (config.materialized, config.tags, config.alias, config.meta, config.schema) == (
        "view",
        ("nightly", "own"),
        "b",
        {"who": "me"},
        None,
    )
    config = load(tmp_path, {"models/a.ff.sql": sql}, {"kind": "table"}, WHO="you", A="c").manifest.nodes["a.ff"].config
    assert (config.materialized, config.alias) == ("table", "c")


def test_in_yaml(tmp_path: Path) -> None:
    project = load(
        tmp_path,
        {
            "project.yml": "name: demo\nversion: 1\nvars: {kind: view}\n"
            "models:\n  +materialized: \"{{ var('kind') }}\"\n  +tags: [\"{{ env('TAG', 'none') }}\"]\n",
            "models/a.yml": 'models: [{name: a, config: {alias: "{{ env(\'ALIAS\') }}", description: "{{ braces }}"}}]\n',
        },
        ALIAS="other",
    )
    config = project.manifest.nodes["a.ff"].config
    assert (config.materialized, config.tags, config.alias, config.description) == (
        "view",
        ("none",),
        "other",
        "{{ braces }}",
    )


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        ({"models/a.ff.sql": "{{ config(alias=var('kid')) }} select 1"}, "FF1403", "models/a.ff.sql:1:11"),
        ({"models/a.ff.sql": "{{ config(alias=env('GONE')) }} select 1"}, "FF1404", "models/a.ff.sql:1:11"),
        ({"models/a.ff.sql": "{{ config(alias=env('FF_SECRET_X', 'a')) }} select 1"}, "FF1121", "models/a.ff.sql:1:11"),
        ({"models/a.ff.sql": "{{ config(alias=var()) }} select 1"}, "FF1407", "models/a.ff.sql:1:11"),
        ({"models/a.ff.sql": "{{ config(alias=var('kind') ~ 'x') }} select 1"}, "FF1121", "models/a.ff.sql:1:11"),
        ({"models/a.ff.sql": "{{ config(materialized=var('tag')) }} select 1"}, "FF1101", "models/a.ff.sql:1:11"),
        (
            {"models/a.yml": "models: [{name: a, config: {alias: \"x{{ var('kind') }}\"}}]"},
            "FF1121",
            "models/a.yml:1:36",
        ),
        ({"models/a.yml": "models: [{name: a, config: {alias: \"{{ var('kid') }}\"}}]"}, "FF1403", "models/a.yml:1:36"),
    ],
)
def test_what_cannot_be_answered(tmp_path: Path, files: Mapping[str, str], code: str, place: str) -> None:
    with pytest.raises(FlowForgeError) as caught:
        load(tmp_path, files, FF_SECRET_X="hidden")
    error = caught.value
    (only,) = error.errors if isinstance(error, ProjectErrors) else (error,)
    assert (only.code, str(only.location)) == (code, place)
    assert "hidden" not in str(only)
