"""Templates of literal calls with macros: read without Jinja's parser, rendered with macros that are compiled once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.errors import FlowForgeError, Problems
from flowforge.project.macros import MacroLibrary, read_macros
from flowforge.project.scan import Findings, scan_sql
from flowforge.project.scan_jinja import read_tree
from flowforge.rendering import flat
from flowforge.rendering.render import RenderContext, Rendered, render

MACROS = """
{%- macro cents(column, digits=2) -%} ({{ column }} / 100)::numeric(16, {{ digits }}) {%- endmacro -%}
{% set margin = 'it''s' %}
{% macro both(a, b='x') %}-- {{ a }} it's
{{ cents(a) }} {{ engine('d') | upper }} {{ margin }}{% for i in range(2) %} {{ b }}{{ i }}{% endfor %}{% endmacro %}
{% macro reads() %}{{ ref('m1') }}, {{ this.name }}, {{ var('x', 'y') }}{{ 'up' if is_incremental() else '' }}{% endmacro %}
{% macro whole(values) %}{{ values | join(', ') }}{{ kwargs }}{% endmacro %}
{% macro fails() %}{{ 1 / 0 }}{% endmacro %}
{% macro empty() %}{% endmacro %}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MacroLibrary:
    root = tmp_path_factory.mktemp("macros")
    Path(root, "money.sql").write_text(MACROS)
    problems = Problems()
    found = read_macros(root, ["money.sql"], [], problems)
    problems.raise_if_any()
    return found


SPACE = st.sampled_from([" ", "\n", "\n  ", ""])
DASH = st.sampled_from(["", "-"])
CALLS = st.sampled_from(
    [
        "cents('amount')",
        'cents("a.b", 4)',
        "cents(column='it\\'s', digits=-1)",
        "both('a')",
        "both('{{ x }}', b=none)",
        "both(b=[1, 'two'], a=1.5)",
        "reads()",
        "whole(('a', 'b',))",
        "whole([1, true], more={'k': 1})",
        "empty()",
    ]
)
KNOWN = st.sampled_from(["ref('m2')", "source('src', 't')", "this", "this.schema", "var('v', 3)", "config(tags=['a'])"])
PARTS = st.one_of(
    st.sampled_from(
        ["select", "'it''s'", "-- {{ ref('no') }} it's\n", "/* {% if %} */", "{# it's #}", '"q"', "(", "%}"]
    ),
    st.builds(lambda left, call, right: f"{{{{{left} {call} {right}}}}}", DASH, st.one_of(CALLS, KNOWN), DASH),
    st.builds(lambda call: f"'x {{{{ {call} }}}}'", CALLS),
)
TEMPLATES = st.lists(st.tuples(PARTS, SPACE), max_size=8).map(lambda rows: "".join(part + gap for part, gap in rows))


def rendered(recorder: Any, library: MacroLibrary, text: str, **others: Any) -> Rendered:
    context: RenderContext = attrs.evolve(recorder.context(), library=library, **others)
    return render(text, context, path="models/m.ff.sql", model="m", simple=False)


def by_jinja() -> Any:
    return mock.patch("flowforge.rendering.flat.render_flat", return_value=False)


@settings(max_examples=40)
@given(text=TEMPLATES)
def test_it_gives_what_jinja_gives(new_recorder: Callable[[], Any], library: MacroLibrary, text: str) -> None:
    quick, slow = new_recorder(), new_recorder()
    with mock.patch("flowforge.rendering.jinja.render_jinja", side_effect=AssertionError("it fell back")):
        one = rendered(quick, library, text)
    with by_jinja():
        other = rendered(slow, library, text)
    assert one.sql == other.sql
    assert (quick.refs, quick.sources) == (slow.refs, slow.sources)
    for offset in range(len(one.sql)):
        assert one.source_map.locate(offset) == other.source_map.locate(offset)


@settings(max_examples=40)
@given(text=TEMPLATES)
def test_the_scan_reads_what_the_parser_reads(text: str) -> None:
    scan, tree = scan_sql(text, "m.sql"), Findings(text, "m.sql")
    read_tree(tree)
    assert list(scan.refs) == [*tree.refs, *tree.deps]
    assert list(scan.sources) == tree.sources
    assert (scan.config, scan.config_locations) == (tree.config, tree.config_locations)
    assert (scan.vars, scan.envs) == (tuple(sorted(tree.vars)), tuple(sorted(tree.envs)))
    assert scan.simple or scan.names == tree.names
    assert scan.simple is (tree.names <= {"ref", "source", "this", "var", "config"})
    assert {str(problem) for problem in tree.problems} <= {str(problem) for problem in scan.problems}


def test_no_parser_is_needed_to_read_calls_of_macros() -> None:
    with mock.patch("flowforge.project.scan_jinja.read_tree", side_effect=AssertionError("parsed")):
        scan = scan_sql("select {{ cents('a', digits=3) }} from {{ ref('m') }}", "m.sql")
    assert scan.names == {"cents", "ref"}
    assert [ref.name for ref in scan.refs] == ["m"]


@pytest.mark.parametrize(
    "tag",
    [
        "{{ not ('a') }}",
        "{{ this('a') }}",
        "{{ none('a') }}",
        "{{ cents(a) }}",
        "{{ cents('a') | upper }}",
        "{{ cents }}",
        "{{ a.cents('a') }}",
        "{{ cents('a')('b') }}",
        "{{ cents('a', 'b' 'c') }}",
        "{{ cents('\U000ff810') }}",
    ],
)
def test_what_is_more_than_a_literal_call_is_parsed(tag: str) -> None:
    with mock.patch("flowforge.project.scan_jinja.read_tree") as read:
        scan_sql(f"select {tag}", "m.sql")
    assert read.called


@pytest.mark.parametrize(
    "text",
    ["select {{ cents() }}", "a\n {{ fails() }}", "{{ cents('a', nothing=1) }}", "{{ cent('a') }}", "{{ whole(1) }}"],
)
def test_what_fails_is_told_by_jinja(new_recorder: Callable[[], Any], library: MacroLibrary, text: str) -> None:
    told = []
    for way in (contextlib.nullcontext(), by_jinja()):
        with way, pytest.raises(FlowForgeError) as caught:
            rendered(new_recorder(), library, text)
        told.append((caught.value.code, str(caught.value), caught.value.location, caught.value.help))
    assert told[0] == told[1]
    assert told[0][2] is not None


def test_nothing_is_asked_twice(new_recorder: Callable[[], Any], library: MacroLibrary) -> None:
    asked: list[str] = []

    def run_query(sql: str) -> str:
        asked.append(sql)
        return "it"

    assert rendered(new_recorder(), library, "{{ run_query('select 1') }}", run_query=run_query).sql == "it"
    assert asked == ["select 1"]


def test_files_of_macros_are_compiled_once(new_recorder: Callable[[], Any], library: MacroLibrary) -> None:
    flat._compiled.cache_clear()
    for number in range(5):
        rendered(new_recorder(), library, f"select {{{{ cents('a{number}') }}}}")
    assert flat._compiled.cache_info().misses == 1
