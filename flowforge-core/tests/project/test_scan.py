"""The static scan of SQL templates."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.errors import FlowForgeError
from flowforge.project.scan import scan_sql
from flowforge.project.scanned import Scan
from flowforge.values import Location


def scan(text: str) -> Scan:
    return scan_sql(textwrap.dedent(text), "models/m.ff.sql")


def found(result: Scan, location: Location | None, text: str) -> str:
    """The text that a location underlines."""
    assert location is not None
    assert location.line is not None
    assert location.column is not None
    line = text.split("\n")[location.line - 1]
    return line[location.column - 1 : location.column - 1 + location.length]


REFERENCES = """\
    {{ config(materialized='view', deps=['d1', "d2"]) }}
    select 'it''s {{ var("k", 1) }}', "{{ ref('in_string') }}" -- {{ ref('no') }}
    from {{ source('crm', 'users') }} u /* {{ ref('no') }}
    {{ ref('no') }} */ join {{ ref("stg.ff") }}
    {# {{ ref('no') }} #} , {{ref(name='kw')}}, {{- ref('pkg', 'two') -}}
    , {{ source(group='g', table='t') }} {{ env('HOME') }} {{ this }} {{ this.name }} /*+ {{ ref('hint') }} */
    """


@pytest.mark.parametrize(("tail", "simple"), [("", True), ("{% if x %}{% endif %}", False)])
def test_references_are_found_with_exact_places_by_both_readers(tail: str, simple: bool) -> None:
    text = textwrap.dedent(REFERENCES) + tail
    result = scan_sql(text, "m.sql")
    assert result.problems == ()
    assert result.simple is simple
    assert [ref.name for ref in result.refs] == ["in_string", "stg.ff", "kw", "two", "hint", "d1", "d2"]
    assert [(source.source, source.table) for source in result.sources] == [("crm", "users"), ("g", "t")]
    assert [found(result, ref.location, text) for ref in result.refs] == [ref.name for ref in result.refs]
    assert [found(result, source.location, text) for source in result.sources] == ["users", "t"]
    assert result.config == {"materialized": "view", "deps": ["d1", "d2"]}
    assert found(result, result.config_location, text) == "config"
    assert {key: found(result, place, text) for key, place in result.config_locations.items()} == {
        "materialized": "materialized",
        "deps": "deps",
    }
    assert (result.vars, result.envs) == (("k",), ("HOME",))


def test_all_branches_count() -> None:
    text = textwrap.dedent(
        """\
        {% macro m(x) %}{{ ref('in_macro') }}{% endmacro %}
        {% set a = ref('in_set') %}{% set b %}{{ ref('in_block') }}{% endset %}
        {% if var('x') %}{{ ref('then') }}{% elif y %}{{ ref('elif') }}{% else %}{{ ref('else') }}{% endif %}
        {% for i in [ref('in_iter')] if ref('in_test') %}{{ ref('in_for') | upper }}{% else %}{{ ref('empty') }}{% endfor %}
        {% call m(ref('arg')) %}{{ ref('in_call') }}{% endcall %}{% filter upper %}{{ ref('in_filter') }}{% endfilter %}
        {% with z = ref('in_with') %}{{ ref('with_body') }}{% endwith %}
        {{ ref('left' if x else 'right') }}{{ [{'k': ref('deep')}, a ~ ref('concat')][0:ref('slice')] }}
        {% raw %}{{ ref('no') }}{% endraw %} -- {% if %} {{ ref('no') }}
        """
    )
    result = scan_sql(text, "m.sql")
    assert result.problems == ()
    names = [ref.name for ref in result.refs]
    assert sorted(names) == sorted(
        [
            "in_macro",
            "in_set",
            "in_block",
            "then",
            "elif",
            "else",
            "in_iter",
            "in_test",
            "in_for",
            "empty",
            "arg",
            "in_call",
            "in_filter",
            "in_with",
            "with_body",
            "left",
            "right",
            "deep",
            "concat",
            "slice",
        ]
    )
    assert [found(result, ref.location, text) for ref in result.refs] == names
    assert result.vars == ("x",)


@pytest.mark.parametrize("prefix", ["", "{% set q = 1 %}"])
@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'a'", "a"),
        ('"it\'s"', "it's"),
        (r"'a\'b\\d\d\n'", "a'b\\d\\d\n"),
        (r"'é\u00e9\x41\101'", "ééAA"),
        ("[1, -2.5, true, False, none, 'x',]", [1, -2.5, True, False, None, "x"]),
        ("('a', 'b')", ("a", "b")),
        ("('a')", "a"),
        ("('a',)", ("a",)),
        ("()", ()),
        ("{'a': {'b': [1e3, 0]}}", {"a": {"b": [1000.0, 0]}}),
        ("'a' 'b'", "ab"),
    ],
)
def test_settings_have_the_same_values_by_both_readers(prefix: str, literal: str, value: object) -> None:
    result = scan(f"{prefix}{{{{ config(x={literal}) }}}} select 1")
    assert result.problems == ()
    assert result.config == {"x": value}
    assert [type(part) for part in [(result.config or {})["x"]]] == [type(value)]


def codes(result: Scan) -> list[tuple[str, int | None, int | None]]:
    return [
        (problem.code, problem.location.line, problem.location.column)
        for problem in result.problems
        if problem.location
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1 from {{ ref(x) }}", [("FF1406", 1, 22)]),
        ("select 1 from\n {{ ref('a' ~ b) }}", [("FF1406", 2, 9)]),
        ("select {{ source('a', x) }}", [("FF1406", 1, 18)]),
        ("select {{ ref(*names) }}", [("FF1406", 1, 11)]),
        ("select {{ ref() }}", [("FF1407", 1, 11)]),
        ("select {{ ref(1) }}", [("FF1407", 1, 11)]),
        ("select {{ ref('a', 'b', 'c') }}", [("FF1407", 1, 11)]),
        ("select {{ ref(nme='a') }}", [("FF1407", 1, 11)]),
        ("select {{ source('a') }}", [("FF1407", 1, 11)]),
        ("{% if x %}{% endif %}select {{ source('a') }}", [("FF1407", 1, 32)]),
        ("{% set r = ref %}select {{ r('a') }}", [("FF1407", 1, 12)]),
        ("{{ config(a=1) }}\nselect {{ config(b=2) }}", [("FF1122", 2, 11)]),
        ("{{ config(a=x) }} select 1", [("FF1121", 1, 11)]),
        ("{{ config(a=1, b=1 + 1) }} select 1", [("FF1121", 1, 16)]),
        ("{{ config(deps='a') }} select 1", [("FF1121", 1, 11)]),
        ("{{ config(deps=['a', 1]) }} select 1", [("FF1121", 1, 11)]),
        ("{{ config({'a': 1}) }} select 1", [("FF1407", 1, 4)]),
        ("select {{ x\n", [("FF1401", 1, 11)]),
        ("select\n  {{ foo( }}", [("FF1401", 2, 11)]),
        ("select\n\n {% endif %}", [("FF1401", 3, 5)]),
        ("select {{ 1 +* 2 }}", [("FF1401", 1, 14)]),
        ("select {# x", [("FF1401", 1, 10)]),
        ("select {{ '\\x4' }}", [("FF1401", 1, 11)]),
        ("select {% include 'x' %}", [("FF1411", 1, 11)]),
        ("{% extends 'x' %}select 1", [("FF1411", 1, 4)]),
        ("", [("FF1123", 1, 1)]),
        ("-- nothing\n;", [("FF1123", 1, 1)]),
        ("create table x as", [("FF1123", 1, 1)]),
        ("delete from x", [("FF1124", 1, 1)]),
        ("{{ config(a=1) }}\n-- c\n drop table x", [("FF1124", 3, 2)]),
        ("create table x (id int)", [("FF1124", 1, 1)]),
        ("create table x as\ninsert into y select 1", [("FF1124", 2, 1)]),
        ("with a as (select 1)\nupdate x set y = 1", [("FF1124", 2, 1)]),
        ("select 1;\n drop table x", [("FF1125", 2, 2)]),
        ("create table x as select 1;\ncreate table y as select 2;", [("FF1125", 2, 1)]),
        ("select '{{ ref('a') }};' ; 'x'", [("FF1125", 1, 28)]),
    ],
)
def test_problems(text: str, expected: list[tuple[str, int, int]]) -> None:
    result = scan_sql(text, "m.sql")
    assert codes(result) == expected
    assert all(problem.help for problem in result.problems)


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",
        "select ';' -- ; drop",
        "select 1 ; -- the end",
        "{% if x %}select 1;{% else %}select 2;{% endif %}",
        "{% macro d() %}delete from x; drop table y{% endmacro %}select 1",
        "(select 1)",
        "from x select 1",
        "values (1)",
        "with a as (select 1) select * from a",
        "select {{ ref('a') }}::text, '{{ var('x') }};y' ",
        "{% if x %}delete{% endif %}",
        "pivot x on y",
        "select replace(a, 'b', 'c')",
        "{{ my_macro() }}",
    ],
)
def test_no_problem(text: str) -> None:
    assert scan_sql(text, "m.sql").problems == ()


def test_all_problems_are_reported_at_once() -> None:
    result = scan("select {{ ref(x) }}\n, {{ source('a') }}\n, {{ config(a=b) }} {{ config(c=1) }}; select 2")
    assert [code for code, _, _ in codes(result)] == ["FF1406", "FF1407", "FF1121", "FF1122", "FF1125"]


def test_deps_make_a_computed_ref_fine() -> None:
    result = scan("{{ config(deps=['a', 'b']) }} select * from {{ ref(var('which')) }}, {{ ref('c') }}")
    assert result.problems == ()
    assert [ref.name for ref in result.refs] == ["c", "a", "b"]
    assert not result.simple


def test_a_syntax_error_says_that_comments_are_not_evaluated() -> None:
    (problem,) = scan("{% if x %} select 1 -- {% endif %}").problems
    assert any("comment" in note for note in problem.notes)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_breaks_and_byte_order_mark_change_no_place(newline: str, mark: str) -> None:
    text = mark + "{{ config(a=1) }}\nselect\n  *\nfrom {{ ref('x') }} {% if y %}{{ ref('z') }}{% endif %}"
    result = scan_sql(text.replace("\n", newline), "m.sql")
    assert result.problems == ()
    places = [(ref.name, ref.location.line, ref.location.column) for ref in result.refs]
    assert places == [("x", 4, 14), ("z", 4, 39)]
    assert result.config_location == Location("m.sql", 1, 4, 6)


def test_a_create_becomes_space() -> None:
    text = "{{ config(materialized='view') }}\ncreate or replace table main.users as\nselect * from {{ ref('x') }};"
    result = scan_sql(text, "m.sql")
    assert result.create == ("table", "users")
    assert result.template == text.replace("create or replace table main.users as", " " * 37)
    assert result.problems == ()


def test_settings_are_located_by_key() -> None:
    result = scan("{{ config(a=1,\n  tags=['x', {'b': 2}]) }} select 1")
    assert result.locate(["tags", 1, "b"]) == Location("models/m.ff.sql", 2, 3, 4)
    assert result.locate(["unknown"]) == result.config_location


def test_simple_templates_need_no_jinja() -> None:
    code = (
        "import sys; from flowforge.project.scan import scan_sql; from flowforge.rendering.render import render;"
        "scan_sql(\"{{ config(a=1) }} select {{ ref('x') }} -- {% if %}\", 'm'); assert 'jinja2' not in sys.modules;"
        "scan_sql('{% if x %}{% endif %}', 'm'); assert 'jinja2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.text(st.sampled_from("abref()'\"{}%# \n-/*;,=[]|.~1\\"), max_size=80))
def test_any_text_gives_a_result(text: str) -> None:
    result = scan_sql(text, "m.sql")
    lines = result.template.split("\n")
    for problem in result.problems:
        assert isinstance(problem, FlowForgeError)
        where = problem.location
        assert where is not None
        assert 1 <= (where.line or 0) <= len(lines)
        assert 1 <= (where.column or 0) <= len(lines[(where.line or 1) - 1]) + 1


_WORDS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{-",
        "-%}",
        "ref('a')",
        "ref(",
        "source('a','b')",
        "config(a=1)",
        "if",
        "else",
        "endif",
        "for",
        "i",
        "in",
        "range(3)",
        "endfor",
        "set",
        "x",
        "=",
        "macro",
        "m()",
        "endmacro",
        "raw",
        "endraw",
        "'",
        '"',
        "--",
        "/*",
        "*/",
        ";",
        "select",
        "delete",
        "create",
        "table",
        "as",
        "\n",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "|",
        "~",
        "'a'",
        "1",
        "none",
    ]
)


@given(st.lists(_WORDS, max_size=30).map(" ".join))
def test_any_row_of_words_gives_a_result(text: str) -> None:
    for problem in scan_sql(text, "m.sql").problems:
        assert isinstance(problem, FlowForgeError)
        assert problem.location is not None


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + " }}",
        "{{ " + "not " * 50_000 + "x }}",
        "{{ x" + ".a" * 50_000 + " }}",
        "{{ x" + " + 1" * 50_000 + " }}",
        "{{ config(a=" + "[" * 5000 + "]" * 5000 + ") }}",
        "{% if a %}" * 3000 + "{% endif %}" * 3000,
        "{{ ref('a') }}" * 20_000,
        "{{ " + "9" * 100_000 + " }}",
        "x {% if a %}" * 100_000,
        "{{ ref(" + "'a' if x else " * 3000 + "'b') }}",
    ],
)
def test_monstrous_templates_are_answered_soon(text: str) -> None:
    begin = time.process_time()
    for problem in scan_sql(text, "m.sql").problems:
        assert isinstance(problem, FlowForgeError)
    assert time.process_time() - begin < 10
