"""Faults of FlowForge's predecessor in what it selected: one test for each, named after what is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Place

CHAIN = {
    "models/a.ff.sql": "{{ config(tags='red') }} select 1 as x",
    "models/b.ff.sql": "select x from {{ ref('a') }}",
    "models/c.ff.sql": "select x from {{ ref('b') }}",
}


@pytest.fixture
def chain(place: Place) -> Place:
    """a -> b -> c; a has a tag."""
    place.write(CHAIN)
    return place


@pytest.mark.parametrize("word", ["tga:red", "tag:rde", "no_such_model"])
def test_an_unknown_word_of_a_selection_is_an_error_and_not_nothing_to_do(chain: Place, word: str) -> None:
    ended = chain("run", "--select", word, ok=False)
    assert ended.code in (5, 64)
    assert "did you mean" in ended.err or "no_such_model" in ended.err
    assert not (chain.root / "place.duckdb").exists()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--select", "+b"], {"a", "b"}),
        (["--select", "b+"], {"b", "c"}),
        (["--select", "a c"], {"a", "c"}),
        (["--select", "a", "--select", "c"], {"a", "c"}),
        (["--select", "a+,tag:red"], {"a"}),
    ],
    ids=["ancestors", "descendants", "two words", "two options", "both"],
)
def test_selectors_have_the_grammar_of_everybody(chain: Place, words: list[str], names: set[str]) -> None:
    assert set(chain("ls", *words).out.split()) == names
    assert set(chain.statuses("run", *words, "--dry-run")) <= names


def test_a_state_joined_with_a_tag_is_both(chain: Place) -> None:
    chain("run")
    chain.write({"models/a.ff.sql": "{{ config(tags='red') }} select 2 as x", "models/b.ff.sql": "select 5 as x"})
    assert chain("ls", "--select", "state:modified").out.split() == ["a", "b"]
    assert chain("ls", "--select", "state:modified,tag:red").out.split() == ["a"]


def test_right_after_a_clean_run_nothing_is_modified(chain: Place) -> None:
    chain("run")
    chain("run")
    ended = chain("ls", "--select", "state:modified", ok=False)
    assert ended.code == 5
    assert ended.out == ""


def test_rebuilding_two_models_builds_the_upper_one_first(chain: Place) -> None:
    chain("run")
    ended = chain("run", "--rebuild-only", "b", "--rebuild-only", "a", "--log-format", "json")
    events = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert [event["node"] for event in events if event["event"] == "node_started"] == ["a", "b"]


def test_rebuilding_one_model_builds_that_one(chain: Place) -> None:
    chain("run")
    assert chain.statuses("run", "--rebuild-only", "a") == {"a": "success"}
