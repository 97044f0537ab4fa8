"""What has to hold for every template: the scan sees all that a render uses, and both ways of rendering agree."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.errors import FlowForgeError, ProjectError
from flowforge.project.scan import scan_sql
from flowforge.rendering.render import check_statement

Recorders = Callable[[], Any]


@attrs.frozen
class Part:
    """A piece of a template. *refs* are those that rendering it uses for certain, *maybe* those that it can use."""

    text: str
    refs: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()


NAMES = st.sampled_from([f"m{index}" for index in range(8)])
SPACE = st.sampled_from([" ", "\n", "\n  ", ""])
DASH = st.sampled_from(["", "-"])
WORDS = st.sampled_from(["select", "a.b", "+ 1", "{ }", "it", "(", ")", ",", "%}", "- -"])
LITERALS = st.sampled_from(["'it''s'", '"col; x"', "`c`", "$$ it's $$", "'-- no'", "'/*'"])
HIDDEN = st.sampled_from(
    [
        "-- {{ ref('hidden') }} it's {% if %}\n",
        "/* {{ ref('hidden') }} ' {% endfor %} {# */",
        "{# {{ ref('hidden') }} -- ' #}",
        "/* /* {{ ref('hidden') }} */ ' */",
    ]
)


def plain(text: str) -> Part:
    return Part(text)


@st.composite
def ref_calls(draw: st.DrawFn) -> Part:
    name = draw(NAMES)
    arguments = draw(
        st.sampled_from(
            [f"'{name}'", f'"{name}"', f"'pkg', '{name}'", f"name='{name}'", f"\n '{name}',", f"'pkg', name='{name}'"]
        )
    )
    left, right = draw(DASH), draw(DASH)
    call = f"{{{{{left} ref({arguments}) {right}}}}}"
    text = draw(st.sampled_from([call, f"'{call}'", f"'-- {call}'", f"/*+ {call} */"]))
    return Part(text, frozenset({name}), frozenset({name}))


@st.composite
def source_calls(draw: st.DrawFn) -> Part:
    name = draw(NAMES)
    arguments = draw(st.sampled_from([f"'src', '{name}'", f"group='src', table='{name}'", f"'src', table=\"{name}\""]))
    return Part(f"{{{{ source({arguments}) }}}}", frozenset({f"src.{name}"}), frozenset({f"src.{name}"}))


OTHER_CALLS = st.sampled_from(
    [
        "{{ this }}",
        "{{ this.name }}",
        "{{ var('x', 'it') }}",
        "{{- var('y', [1, -2.5, none, 'é']) -}}",
        "{{ engine('d') }}",
    ]
).map(plain)
SIMPLE_PARTS = st.one_of(st.one_of(WORDS, LITERALS, HIDDEN).map(plain), ref_calls(), source_calls(), OTHER_CALLS)


def joined(parts: list[Part], spaces: list[str]) -> Part:
    return Part(
        "".join(part.text + space for part, space in zip(parts, spaces, strict=True)),
        frozenset().union(*(part.refs for part in parts)),
        frozenset().union(*(part.maybe for part in parts)),
    )


def bodies(parts: st.SearchStrategy[Part], size: int = 4) -> st.SearchStrategy[Part]:
    rows = st.lists(st.tuples(parts, st.sampled_from([" ", "\n", "\n  "])), max_size=size)
    return rows.map(lambda row: joined([part for part, _ in row], [space for _, space in row]))


SIMPLE = bodies(SIMPLE_PARTS, 8)


def blocks(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    """Statements around parts that are rendered in any case."""

    def make(shape: str, body: Part, name: str) -> Part:
        shapes = {
            "set": (f"{{% set v = ref('{name}') %}}{{{{ v }}}}", {name}, {name}),
            "block set": (f"{{% set v %}}{body.text}{{% endset %}}{{{{ v }}}}", body.refs, body.maybe),
            "filter": (f"{{% filter upper %}}{body.text}{{% endfilter %}}", body.refs, body.maybe),
            "with": (
                f"{{% with w = ref('{name}') -%}}\n{body.text}{{% endwith %}}",
                {name} | body.refs,
                {name} | body.maybe,
            ),
            "macro": (
                f"{{% macro f(x) %}}{body.text}{{{{ x }}}}{{% endmacro %}}{{{{ f(ref('{name}')) }}}}",
                {name} | body.refs,
                {name} | body.maybe,
            ),
            "call": (
                f"{{% macro g() %}}{{{{ caller() }}}}{{% endmacro %}}{{%- call g() -%}}{body.text}{{% endcall %}}",
                body.refs,
                body.maybe,
            ),
            "raw": ("{% raw %}{{ ref('hidden') }} ' {% if %}{%- endraw -%}", set(), set()),
            "pipe": (f"{{{{ ref('{name}') | upper | replace('\"', '') }}}}", {name}, {name}),
            "concat": (f"{{{{ 'x}}}}' ~ ref('{name}') ~ {{'a': {{}}}} }}}}", {name}, {name}),
        }
        text, refs, maybe = shapes[shape]
        return Part(text, frozenset(refs), frozenset(maybe))

    shape = st.sampled_from(["set", "block set", "filter", "with", "macro", "call", "raw", "pipe", "concat"])
    return st.builds(make, shape, inner, NAMES)


def branches(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    """Statements around parts that are rendered sometimes."""

    def make(shape: str, first: Part, second: Part, name: str) -> Part:
        text = {
            "if": f"{{% if var('c', false) %}}{first.text}{{% else %}}{second.text}{{% endif %}}",
            "elif": f"{{% if false -%}}{first.text}{{% elif ref('{name}') == 'x' %}}{second.text}{{% endif %}}",
            "for": f"{{% for i in range(var('n', 2)) %}}{first.text}{{% else %}}{second.text}{{% endfor %}}",
            "inline": f"{{{{ ref('{name}') if var('c', false) else ref('other') }}}}",
            "uncalled": f"{{% macro h() %}}{first.text}{{% endmacro %}}",
            "and": f"{{{{ (var('c', false) and ref('{name}')) or '' }}}}",
        }[shape]
        names = {"elif": {name}, "inline": {name, "other"}, "and": {name}}.get(shape, set())
        shown = {"uncalled": [first], "inline": [], "and": []}.get(shape, [first, second])
        return Part(text, frozenset(), frozenset(names).union(*(part.maybe for part in shown)))

    shape = st.sampled_from(["if", "elif", "for", "inline", "uncalled", "and"])
    return st.builds(make, shape, inner, inner, NAMES)


CERTAIN = bodies(st.recursive(SIMPLE_PARTS, lambda inner: blocks(bodies(inner)), max_leaves=6))
ANY = bodies(st.recursive(SIMPLE_PARTS, lambda inner: blocks(bodies(inner)) | branches(bodies(inner)), max_leaves=8))


def scanned(text: str) -> set[str]:
    scan = scan_sql(text, "m.sql")
    assert not [problem for problem in scan.problems if not problem.code.startswith("FF112")], (text, scan.problems)
    return {ref.name for ref in scan.refs} | {f"{source.source}.{source.table}" for source in scan.sources}


def used(recorder: Any) -> set[str]:
    return {*recorder.refs, *(f"{group}.{table}" for group, table in recorder.sources)}


@given(part=CERTAIN)
def test_without_branches_the_scan_finds_exactly_what_a_render_uses(new_recorder: Recorders, part: Part) -> None:
    recorder = new_recorder()
    recorder.render(part.text)
    assert used(recorder) == scanned(part.text) == part.refs


@given(part=ANY, condition=st.booleans(), rounds=st.integers(0, 2))
def test_a_render_uses_nothing_that_the_scan_did_not_find(
    new_recorder: Recorders, part: Part, condition: bool, rounds: int
) -> None:
    recorder = new_recorder()
    recorder.vars |= {"c": condition, "n": rounds}
    recorder.render(part.text)
    assert part.refs <= used(recorder) <= scanned(part.text) == part.maybe


@given(part=SIMPLE)
def test_both_ways_of_rendering_agree(new_recorder: Recorders, part: Part) -> None:
    assert scan_sql(part.text, "m.sql").simple
    direct, jinja = new_recorder(), new_recorder()
    left = direct.render(part.text, simple=True)
    with mock.patch("flowforge.rendering.flat.render_flat", return_value=False):
        right = jinja.render(part.text, simple=False)
    assert left.sql == right.sql
    assert (direct.refs, direct.sources) == (jinja.refs, jinja.sources)
    for offset in range(len(left.sql)):
        assert left.source_map.locate(offset) == right.source_map.locate(offset)


@given(
    part=st.one_of(SIMPLE, ANY), places=st.lists(st.integers(0, 10_000), min_size=1, max_size=5), simple=st.booleans()
)
def test_every_word_is_found_in_its_line(new_recorder: Recorders, part: Part, places: list[int], simple: bool) -> None:
    """Unique words are put between lines that hold no open tag; where they come out, they lead back there."""
    lines = part.text.split("\n")
    for number, place in enumerate(places):
        lines.insert(place % (len(lines) + 1), f" unique{number}x ")
    text = "\n".join(lines)
    recorder = new_recorder()
    recorder.vars |= {"c": True}
    try:
        rendered = recorder.render(text, simple=simple)
    except ProjectError:
        return  # a word fell into a tag
    captured = [match.span() for match in _CAPTURES.finditer(text)]
    for match in re.finditer(r"unique\d+x", rendered.sql):
        at = text.index(match.group())
        where = rendered.source_map.locate(match.start())
        if not any(start <= at < end for start, end in captured):
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            assert (where.line, where.column) == (line, column)


_CAPTURES = re.compile(r"\{%-? (set v|filter|macro|call).*\{% end(set|filter|macro|call) %\}|\{\{.*?\}\}", re.S)


_TOKENS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{{-",
        "-}}",
        "ref('a')",
        "ref(",
        "source('a','b')",
        "config(a=1)",
        "var('x',1)",
        "if",
        "else",
        "elif",
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
        "m()",
        "call",
        "endcall",
        "raw",
        "endraw",
        "filter",
        "upper",
        "endfilter",
        "'",
        '"',
        "--",
        "/*",
        "*/",
        ";",
        "select",
        "delete",
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
        "true",
        "*",
        "**",
        "%",
        "+",
        "-",
        "==",
        "this",
        "self",
        "loop",
        ".",
        "__class__",
        "do",
        "break",
        "is",
        "not",
        "and",
    ]
)


@settings(max_examples=300)
@given(
    text=st.one_of(
        st.text(), st.text(st.sampled_from("{}%# \n'\"abref()-/*;.|1\\\U000ff810")), st.lists(_TOKENS).map(" ".join)
    )
)
@pytest.mark.parametrize("simple", [True, False])
def test_any_text_renders_or_is_refused(new_recorder: Recorders, text: str, simple: bool) -> None:
    begin = time.process_time()
    recorder = new_recorder()
    try:
        rendered = recorder.render(text, simple=simple)
        check_statement(rendered.sql, "m.sql", rendered.source_map)
    except FlowForgeError as error:
        assert isinstance(error, ProjectError)
        assert error.location is not None
        assert error.message
    else:
        for offset in range(len(rendered.sql)):
            where = rendered.source_map.locate(offset)
            assert where.line is not None
    scan_sql(text, "m.sql")
    assert time.process_time() - begin < 5
