"""The Mermaid text: what is shown, how it is shaped, and that no name can break out of its box."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.graph.mermaid import mermaid
from flowforge.project.manifest import Manifest

Make = Mapping[str, Callable[..., Any]]
BOX = re.compile(r'    (?P<id>[ns]_[0-9A-Za-z_]*)(?P<left>[\[({/]+)"(?P<label>[^"]*)"[\])}/]+:::(?P<kind>[a-z]+)')
ARROW = re.compile(r"    (?P<from>[ns]_\w+) (?P<arrow>-->|-\.->) (?P<to>[ns]_\w+)", re.ASCII)
STYLE = re.compile(r"    classDef (sql|python|seed|source) [a-z0-9#:,]+")


def test_the_whole_picture(shop: Manifest, make: Make) -> None:
    assert mermaid(shop, make["dag"](shop)) == (
        "flowchart LR\n"
        '    s_crm_clicks[/"crm.clicks"/]:::source\n'
        '    s_crm_users[/"crm.users"/]:::source\n'
        '    n_lonely["lonely"]:::sql\n'
        '    n_raw_orders[("raw_orders")]:::seed\n'
        '    n_raw_users[("raw_users")]:::seed\n'
        '    n_stg_orders(["stg_orders"]):::sql\n'
        '    n_stg_users(["stg_users"]):::sql\n'
        '    n_int_orders{{"int_orders"}}:::sql\n'
        '    n_scores["scores"]:::python\n'
        '    n_mart["mart"]:::sql\n'
        "    n_raw_users --> s_crm_users\n"
        "    s_crm_clicks --> n_stg_orders\n"
        "    n_raw_orders --> n_stg_orders\n"
        "    s_crm_users --> n_stg_users\n"
        "    n_stg_orders --> n_int_orders\n"
        "    n_stg_users --> n_int_orders\n"
        "    n_stg_users --> n_scores\n"
        "    n_int_orders --> n_mart\n"
        "    n_scores --> n_mart\n"
        "    classDef sql fill:#dbeafe,stroke:#2563eb,color:#1e3a8a\n"
        "    classDef python fill:#fef3c7,stroke:#d97706,color:#78350f\n"
        "    classDef seed fill:#dcfce7,stroke:#16a34a,color:#14532d\n"
        "    classDef source fill:#f3f4f6,stroke:#6b7280,color:#1f2937\n"
    )


def test_a_part_shows_paths_through_hidden_nodes_dotted(shop: Manifest, make: Make) -> None:
    text = mermaid(shop, make["dag"](shop), ["mart.ff", "raw_orders", "scores"])
    assert [line.strip() for line in text.splitlines() if "->" in line] == [
        "n_raw_orders -.-> n_mart",
        "n_scores --> n_mart",
    ]
    assert "classDef source" not in text


def test_an_empty_project_is_an_empty_chart(make: Make) -> None:
    empty = make["manifest"]()
    assert mermaid(empty, make["dag"](empty)) == "flowchart LR\n"


def test_a_seed_that_is_read_by_name_and_as_a_source_keeps_both_arrows(make: Make) -> None:
    both = make["manifest"](
        make["node"]("seed"),
        make["node"]("m", "seed", reads=("crm.users",), through_sources=("seed",)),
        sources=(make["source"]("crm.users", node="seed"),),
    )
    arrows = [line.strip() for line in mermaid(both, make["dag"](both)).splitlines() if "-->" in line]
    assert arrows == ["n_seed --> s_crm_users", "s_crm_users --> n_m", "n_seed --> n_m"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("end", "end"),
        ('a"b', "a#34;b"),
        ("a[b](c){d}", "a#91;b#93;#40;c#41;#123;d#125;"),
        ("<script>", "#60;script#62;"),
        ("été 日本", "été 日本"),
        ("a#b;c", "a#35;b#59;c"),
        ("`md`", "#96;md#96;"),
        ("1. item", "1#46; item"),
        ("- item", "#45; item"),
        ("v1.2-x", "v1.2-x"),
        ("a\nb", "a#10;b"),
        ("🦆", "#129414;"),
    ],
)
def test_awkward_names_are_shown_as_they_are(make: Make, name: str, label: str) -> None:
    one = make["manifest"](make["node"](name))
    box = BOX.fullmatch(mermaid(one, make["dag"](one)).splitlines()[1])
    assert box is not None
    assert box["label"] == label


def test_names_that_look_alike_keep_boxes_of_their_own(make: Make) -> None:
    alike = make["manifest"](*(make["node"](name) for name in ("a.b", "a_b", "a b", "c.ff", "c")))
    lines = mermaid(alike, make["dag"](alike)).splitlines()
    ids = [box["id"] for line in lines if (box := BOX.fullmatch(line))]
    assert len(set(ids)) == 5


@given(names=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_breaks_out_of_its_box(make: Make, names: list[str], data: st.DataObject) -> None:
    parents = {
        name: data.draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    project = make["manifest"](*(make["node"](name, *above, relation="r") for name, above in parents.items()))
    text = mermaid(project, make["dag"](project))
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart LR"
    assert all(BOX.fullmatch(line) or ARROW.fullmatch(line) or STYLE.fullmatch(line) for line in lines)
    ids = [box["id"] for line in lines if (box := BOX.fullmatch(line))]
    assert len(set(ids)) == len(names)
    arrows = [arrow for line in lines if (arrow := ARROW.fullmatch(line))]
    assert len(arrows) == sum(map(len, parents.values()))
    assert {end for arrow in arrows for end in (arrow["from"], arrow["to"])} <= set(ids)
    assert text == mermaid(project, make["dag"](project))
