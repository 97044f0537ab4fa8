"""Rendering: the text, where it comes from, and errors with a place."""

from __future__ import annotations

from typing import Any

import pytest

from flowforge.errors import FlowForgeError, RenderError
from flowforge.rendering.render import check_statement
from flowforge.values import Location

BOTH = pytest.mark.parametrize("simple", [True, False], ids=["direct", "jinja"])


@BOTH
@pytest.mark.parametrize(
    ("template", "sql"),
    [
        ("select 1", "select 1"),
        ("\n select 1 ;\n", "select 1"),
        ("select 1; -- the end", "select 1  -- the end"),
        ("select ';' -- ;", "select ';' -- ;"),
        ("{{ config(materialized='view') }}\n\nselect 1", "select 1"),
        ("select * from {{ ref('a') }}, {{ref(\"b\")}}", 'select * from "a", "b"'),
        ("{{ ref('pkg', 'a') }}{{ ref(name='b') }}", '"a""b"'),
        ("{{ source('g', 't') }}", '"g"."t"'),
        ("{{ var('n', 3) }} {{ var('l', [1, 'x']) }} {{ var('b', true) }}", "3 [1, 'x'] True"),
        ("{{ env('X', 'y') }} {{ engine() }} {{ engine('d') }} {{ is_incremental() }}", "y acme acme False"),
        ("{{ this }} {{ this.name }} {{ this.schema }} {{ this.materialized }}", '"main"."m" m main table'),
        ("a -- {{ ref('x') }} {% if %}\n/* {{ y }} {# */ b", "a -- {{ ref('x') }} {% if %}\n/* {{ y }} {# */ b"),
        ("a /*+ {{ var('h', 'hint') }} */", "a /*+ hint */"),
        ("'{{ var('x', 'it') }} -- {{ var('y', 2) }}'", "'it -- 2'"),
        ("a  {{- var('x', 1) -}}  b {#- c -#} d", "a1bd"),
        ("a {#-#} b {{+ var('x', 1) }} c", "a b 1 c"),
        ("a {# {{ ref('x') }} #} b", "a  b"),
        ("{{ var('x', '{{ no }}') }}", "{{ no }}"),
        ("a\r\nb {{ var('x', 1) }}", "a\nb 1"),
        ("x {{ var('x', 'a\\d\\n') }}", "x a\\d"),
        ("{ { }} %} #}", "{ { }} %} #}"),
    ],
)
def test_both_ways_of_rendering_give_this_text(recorder: Any, template: str, sql: str, simple: bool) -> None:
    assert recorder.render(template + ("" if simple else "\n{{ '' }}"), simple=simple).sql == sql


@pytest.mark.parametrize(
    ("template", "sql"),
    [
        ("{% for i in range(3) %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "0, 1, 2"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m(2) }}", "<1><2>"),
        ("{% raw %}{{ ref('x') }}{% endraw %}", "{{ ref('x') }}"),
        ("{% set x %}a -- {{ b }}\n{% endset %}{{ x | length }}", "13"),
        ("{% macro m() %}-- {{ x }}\n{% endmacro %}{{ m() }}1", "-- {{ x }}\n1"),
        (
            "{% set ns = namespace(a=[]) %}{% for i in [1, 2] %}{% set ns.a = ns.a + [i] %}{% endfor %}{{ ns.a }}",
            "[1, 2]",
        ),
        (
            "{{ ['b', 'a'] | sort | join(', ') }} {{ 'x-%s' % 1 }} {{ 'y{0}'.format(2) }} {{ 'a' ~ 1 }}",
            "a, b x-1 y2 a1",
        ),
        ("{{ {'a': 1}.a }} {{ {'items': 1}['items'] }} {{ {'pop': 2}.pop }} {{ 'abc'[1:] }}", "1 1 2 bc"),
        (
            "{{ {'b': 1, 'é': none} | tojson }} {{ [1, 2] | sum }} {{ [3, 3] | unique | list }}",
            '{"b": 1, "é": null} 3 [3]',
        ),
        ("{{ '%5.1f|%%|%(k)s' | format(2.5, k=1) if false else 'a,b'.split(',') | last }}", "b"),
        ("{{ nope | default('x') }} {{ nope is defined }}{{ (nope.a is defined) if false else '' }}", "x False"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{% do [] %}", "a1"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% for x in [[1, [2]], [3]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}", "123"),
        ("{% call(x) m() %}{{ x }}!{% endcall %}{% macro m() %}{{ caller(1) }}{% endmacro %}", None),
        ("{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(x) m() %}{{ x }}!{% endcall %}", "1!"),
        ("{% filter upper %}a{{ ref('b') }}{% endfilter %}{% with z = 1 %}{{ z }}{% endwith %}", 'A"B"1'),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}", "aba"),
        ("{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "a|b"),
        ("{{ '%s' % 'é' }}{{ 7 // 2 }}{{ 2 ** 10 }}{{ 7 % 4 }}{{ dict(a=1) }}", "é310243{'a': 1}"),
        ("{{ plus(1, 2) }} {{ 'a b' | title | replace(' ', '_') | indent(2) }}", "3 A_B"),
    ],
)
def test_what_jinja_can_do(recorder: Any, template: str, sql: str | None) -> None:
    recorder.extra["plus"] = lambda a, b: a + b
    if sql is None:
        with pytest.raises(RenderError):
            recorder.render(template)
    else:
        assert recorder.render(template).sql == sql


def test_templates_share_nothing(recorder: Any) -> None:
    recorder.render("{% set leak = 1 %}{% macro m() %}{% endmacro %}{{ leak }}")
    with pytest.raises(RenderError, match="'leak' is not defined"):
        recorder.render("{% if true %}{{ leak }}{% endif %}")


# -- places ----------------------------------------------------------------------------------------------------------------


def place(recorder: Any, template: str, word: str, *, simple: bool = False) -> tuple[int | None, int | None]:
    rendered = recorder.render(template, simple=simple)
    where = rendered.source_map.locate(rendered.sql.index(word))
    assert where.path == "models/m.ff.sql"
    return where.line, where.column


@BOTH
@pytest.mark.parametrize(
    ("template", "word", "expected"),
    [
        ("\n\n  select here", "here", (3, 10)),
        ("a {{ ref('xxxxxxxxxxxxxxxxxx') }} here", "here", (1, 35)),
        ("a\n{{ ref('wanted') }} b", "wanted", (2, 1)),
        ("a\n  '{{ var('x', 'one\ntwo wanted') }}' b", "wanted", (2, 4)),
        ("a {{- ref('b') -}} \n\n here", "here", (3, 2)),
        ("-- {{ x }}\nhere", "here", (2, 1)),
        ("-- {{ here }}", "here", (1, 7)),
        ("{# a\nb #} ; here", "here", (2, 8)),
    ],
)
def test_positions_lead_back_to_the_template(
    recorder: Any, template: str, word: str, expected: tuple[int, int], simple: bool
) -> None:
    assert place(recorder, template + ("" if simple else "{{ '' }}"), word, simple=simple) == expected


@pytest.mark.parametrize(
    ("template", "word", "expected"),
    [
        ("{% if true %}\n a here{% endif %}", "here", (2, 4)),
        ("{% if false %}{% elif true %}\n a here{% endif %}", "here", (2, 4)),
        ("{% if false %}{% else %}\n a here{% endif %}", "here", (2, 4)),
        ("{% for i in range(3) %}x{{ i }}\n y here{% endfor %}", "here", (2, 4)),
        ("{% for i in [] %}{% else %}\nhere{% endfor %}", "here", (2, 1)),
        ("{% with a = 1 %}\nhere{% endwith %}", "here", (2, 1)),
        ("{% raw %} {{\nhere {% endraw %}", "here", (2, 1)),
        ("{% macro m() %}here{% endmacro %}\n  {{ m() }}", "here", (2, 3)),
        ("{% set x %}here{% endset %}\n  {{ 1 }}{{ x | upper | lower }}", "here", (2, 10)),
        ("a\n{% filter lower %}HERE{% endfilter %}", "here", (2, 1)),
        ("{% macro m() %}{{ caller() }}{% endmacro %}\n{% call m() %}here{% endcall %}", "here", (2, 1)),
        ("{% for x in [[1]] recursive %}{% endfor %}\nhere", "here", (2, 1)),
        ("{{ 1 }}\n{%- set a = 1 -%}\n here", "here", (3, 2)),
    ],
)
def test_positions_lead_back_through_blocks(recorder: Any, template: str, word: str, expected: tuple[int, int]) -> None:
    assert place(recorder, template, word) == expected


def test_a_position_in_an_expression_underlines_the_tag(recorder: Any) -> None:
    for simple in (True, False):
        rendered = recorder.render("a {{ ref('b') }} c", simple=simple)
        assert rendered.source_map.locate(rendered.sql.index("b")) == Location("models/m.ff.sql", 1, 3, 14)


# -- errors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("template", "word"), [("{{ my_macro (1) }}", "macros/"), ("{{ my_value }}", "var()")])
def test_who_names_something_unknown_is_told_where_such_things_stand(recorder: Any, template: str, word: str) -> None:
    with pytest.raises(RenderError) as caught:
        recorder.render(template)
    assert word in (caught.value.help or "")


@pytest.mark.parametrize(
    ("template", "code", "line", "column", "message"),
    [
        ("a\n {{ nam }}{% set name = 1 %}", "FF1410", 2, 5, "'nam' is not defined"),
        ("{% if true %}\n{{ 'x' ~ reff('a') }}{% endif %}", "FF1410", 2, 10, "'reff' is not defined"),
        ("a {{ this.shcema }}", "FF1410", 1, 11, "This has no 'shcema'"),
        ("\n{{ {'a': 1}.b.c }}", "FF1410", 2, 13, "dict has no 'b'"),
        ("a {{ 1 | uper }}", "FF1410", 1, 10, "there is no filter 'uper'"),
        ("a {{ 1 is evn }}", "FF1410", 1, 11, "there is no test 'evn'"),
        ("a\n{{ 1 + 'b' }}", "FF1413", 2, 1, "TypeError"),
        ("a {{ 1 // 0 }}", "FF1413", 1, 3, "ZeroDivisionError"),
        ("{% macro m(x) %}\n {{ 1 // x }}{% endmacro %}{{ m(0) }}", "FF1413", 2, 2, "ZeroDivisionError"),
        ("{% for x in 5 %}{% endfor %}", "FF1413", 1, 1, "not iterable"),
        ("a {{ ref }}", "FF1413", 1, 3, "cannot be written"),
        ("a {{ ref('a', 'b', 'c') }}", "FF1407", 1, 3, "arguments"),
        ("a {{ 1 | round('x') }}", "FF1413", 1, 3, "Error"),
        ("a {{ boom() }}", "FF1413", 1, 3, "KeyError"),
        ("a {{ var('unset') }}", "FF1001", 1, 3, "unset"),
        ("a {{ '\U000ff810' }}", "FF1401", 1, 7, "reserved"),
        ("a {% block x %}{% endblock %}", "FF1411", 1, 3, "not allowed in templates"),
        ("a {% if x %}", "FF1401", 1, 11, "unexpected end"),
    ],
)
def test_errors_have_a_place_and_a_next_step(
    recorder: Any, template: str, code: str, line: int, column: int, message: str
) -> None:
    def boom() -> None:
        raise KeyError("x")

    recorder.extra["boom"] = boom
    with pytest.raises(FlowForgeError) as caught:
        recorder.render(template)
    error = caught.value
    assert (error.code, message in error.message) == (code, True), error.message
    assert error.location is not None
    assert (error.location.line, error.location.column) == (line, column)
    assert error.help
    assert error.__cause__ is None


def test_a_misspelled_name_gets_a_suggestion(recorder: Any) -> None:
    for template, word in [
        ("{{ reef('a') }}", "ref"),
        ("{% set orders = 1 %}{{ order }}", "orders"),
        ("{{ 1|jon }}", "join"),
    ]:
        with pytest.raises(RenderError) as caught:
            recorder.render(template)
        assert f"did you mean '{word}'?" in (caught.value.help or "")


@BOTH
def test_errors_of_the_context_get_a_place(recorder: Any, simple: bool) -> None:
    with pytest.raises(FlowForgeError) as caught:
        recorder.render("a\n b {{ var('unset') }}" + ("" if simple else "{{ '' }}"), simple=simple)
    assert caught.value.location == Location("models/m.ff.sql", 2, 4, 18)


def test_a_wrong_simple_flag_does_no_harm(recorder: Any) -> None:
    assert recorder.render("{% if true %}{{ ref('a') }}{% endif %}", simple=True).sql == '"a"'
    assert recorder.refs == ["a"]


# -- what was rendered must be one query -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "code", "line", "column"),
    [
        ("select 1;\n drop table x", "FF1125", 2, 2),
        ("{{ var('sql', 'select 1;') }} select 2", "FF1125", 1, 31),
        ("select 1\n{{ var('sql', '; drop table x') }}", "FF1125", 2, 1),
        ("{% if true %}delete from x{% endif %}", "FF1124", 1, 14),
        ("-- c\n{{ var('s', 'insert into x') }}", "FF1124", 2, 1),
        ("{{ var('s', 'create table x as select 1') }}", "FF1124", 1, 1),
        ("with a as (select 1) delete from x", "FF1124", 1, 22),
        ("{% if false %}select 1{% endif %}", "FF1123", 1, 1),
        ("-- {{ x }}", "FF1123", 1, 1),
    ],
)
def test_what_is_no_single_query_is_refused(recorder: Any, template: str, code: str, line: int, column: int) -> None:
    rendered = recorder.render(template)
    with pytest.raises(RenderError) as caught:
        check_statement(rendered.sql, "models/m.ff.sql", rendered.source_map)
    assert caught.value.code == code
    where = caught.value.location
    assert where is not None
    assert (where.line, where.column) == (line, column)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "(select 1)",
        "with a as (select 1) select 1",
        "from x",
        "values (1)",
        "select ';'",
        "select 'it\\'s; x'",
    ],
)
def test_queries_pass(recorder: Any, sql: str) -> None:
    rendered = recorder.render(sql + ";")
    check_statement(rendered.sql, "m", rendered.source_map)
    assert rendered.sql == sql
