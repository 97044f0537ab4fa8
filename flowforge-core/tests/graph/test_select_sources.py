"""Selectors where sources count: for commands about sources, and for checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge.errors import SelectionError, UsageError
from flowforge.graph.sources import select_both, select_sources
from flowforge.project.manifest import Manifest

Make = Mapping[str, Callable[..., Any]]


@pytest.fixture
def shop(make: Make) -> Manifest:
    node, source = make["node"], make["source"]
    made: Manifest = make["manifest"](
        node("seeded"),
        node("stg", reads=("crm.users",), through_sources=("seeded",), tags=("own",)),
        node("mart", "stg", reads=("web.hits",)),
        node("crm", reads=("web.clicks",)),
        sources=(
            source("crm.users", "seeded", tags=("raw", "pii"), meta={"team": "core"}),
            source("crm.archive", tags=("raw",)),
            source("web.hits", tags=("big",), meta={"team": "web"}),
            source("web.clicks"),
        ),
    )
    return made


@pytest.mark.parametrize(
    ("select", "exclude", "expected"),
    [
        ([], [], "crm.archive crm.users web.clicks web.hits"),
        (["crm"], [], "crm.archive crm.users"),
        (["crm.users"], [], "crm.users"),
        (["source:crm"], [], "crm.archive crm.users"),
        (["source:crm.users", "web.h*"], [], "crm.users web.hits"),
        (["crm.users web.hits"], [], "crm.users web.hits"),
        (["*.users"], [], "crm.users"),
        (["tag:raw"], [], "crm.archive crm.users"),
        (["tag:raw,tag:pii"], [], "crm.users"),
        (["crm,tag:pii"], [], "crm.users"),
        (["tag:own"], [], ""),
        (["+tag:own"], [], "crm.users"),
        (["config.meta.team:web"], [], "web.hits"),
        (["config.tags:big"], [], "web.hits"),
        (["type:source"], ["crm"], "web.clicks web.hits"),
        (["type:model"], [], ""),
        (["path:sources.yml"], [], "crm.archive crm.users web.clicks web.hits"),
        (["package:this"], ["tag:raw"], "web.clicks web.hits"),
        (["+mart"], [], "crm.users web.hits"),
        (["1+mart"], [], "web.hits"),
        (["mart"], [], ""),
        (["seeded+"], [], "crm.users"),
        (["@crm.users"], [], "crm.users web.hits"),
        ([], ["+mart"], "crm.archive web.clicks"),
        (["kind:sql", "materialized:table", "config.materialized:seed"], [], ""),
        (["batch"], [], "crm.archive crm.users web.clicks web.hits"),
    ],
)
def test_sources(make: Make, shop: Manifest, select: list[str], exclude: list[str], expected: str) -> None:
    found = select_sources(shop, make["dag"](shop), select, exclude)
    assert [source.id for source in found] == expected.split()


@pytest.mark.parametrize(
    ("selector", "error", "words"),
    [
        ("crm.user", SelectionError, "did you mean 'crm.users'?"),
        ("source:crm.user", SelectionError, "did you mean 'crm.users'?"),
        ("tag:rew", SelectionError, "did you mean 'raw'?"),
        ("nothing", SelectionError, "`flowforge ls`"),
        ("tga:raw", UsageError, "did you mean tag:?"),
        ("crm,,web", UsageError, "for example"),
    ],
)
def test_mistakes(make: Make, shop: Manifest, selector: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        select_sources(shop, make["dag"](shop), [selector])
    assert words in (getattr(caught.value, "help", None) or "")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("crm", "crm"),
        ("web", "source:web.clicks source:web.hits"),
        ("source:crm.users", "source:crm.users stg"),
        ("crm.users", "source:crm.users"),
        ("crm.users+1", "source:crm.users stg"),
        ("+stg", "seeded source:crm.users stg"),
        ("type:source,tag:pii", "source:crm.users"),
    ],
)
def test_nodes_come_first_where_checks_are_meant(make: Make, shop: Manifest, selector: str, expected: str) -> None:
    assert select_both(shop, make["dag"](shop), [selector], []) == set(expected.split())


def test_many_sources_take_no_long_time(make: Make) -> None:
    node, source = make["node"], make["source"]
    sources = tuple(source(f"g{index % 50}.t{index}") for index in range(5000))
    manifest = make["manifest"](
        *(node(f"n{index}", reads=(sources[index].id,)) for index in range(5000)), sources=sources
    )
    assert len(select_sources(manifest, make["dag"](manifest), ["+n4*"])) == 1111
