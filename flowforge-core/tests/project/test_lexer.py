"""The lexer: what is code, text, comment and Jinja, and where statements begin and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.project.lexer import (
    JINJA,
    Kind,
    blank,
    code_spans,
    leading_create,
    leading_keyword,
    lex,
    position,
    statements,
)


def kinds(text: str, *, jinja: bool = True) -> list[tuple[str, str]]:
    return [(token.kind.name, text[token.start : token.end]) for token in lex(text, jinja=jinja)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", []),
        ("'a' \"b\" `c`", [("STRING", "'a'"), ("STRING", '"b"'), ("STRING", "`c`")]),
        ("'it''s'", [("STRING", "'it'"), ("STRING", "'s'")]),
        ("$$a ' b$$", [("STRING", "$$a ' b$$")]),
        ("$t$a $$ ; b$t$ c", [("STRING", "$t$a $$ ; b$t$")]),
        ("a$b$ c$b$", []),
        ("$1 + $2", []),
        ("1 -- x {{ y }}\n2", [("COMMENT", "-- x {{ y }}")]),
        ("/* {% if %} */ 1", [("COMMENT", "/* {% if %} */")]),
        ("/* a /* b */ c */ 1", [("COMMENT", "/* a /* b */ c */")]),
        ("/* a /* b */ select 1 /* c */", [("COMMENT", "/* a /* b */"), ("COMMENT", "/* c */")]),
        ("/*+ hint({{ x }}) */ 1", [("EXPRESSION", "{{ x }}")]),
        ("'a -- {{ x }} b'", [("STRING", "'a -- "), ("EXPRESSION", "{{ x }}"), ("STRING", " b'")]),
        ("$$ {{ x }} $$", [("STRING", "$$ "), ("EXPRESSION", "{{ x }}"), ("STRING", " $$")]),
        ("{{ '}}' }}-", [("EXPRESSION", "{{ '}}' }}")]),
        ("{{ {'a': {'b': 1}} }}x", [("EXPRESSION", "{{ {'a': {'b': 1}} }}")]),
        ("{{- x -}}", [("EXPRESSION", "{{- x -}}")]),
        ("{% if a == '%}' %}", [("STATEMENT", "{% if a == '%}' %}")]),
        ("{% set a = {'%}': 5 % 2} %}", [("STATEMENT", "{% set a = {'%}': 5 % 2} %}")]),
        ("{# ' -- {{ #} 'x'", [("JINJA_COMMENT", "{# ' -- {{ #}"), ("STRING", "'x'")]),
        ("{%- raw -%} '{{ {% endraw %} 'x'", [("RAW", "{%- raw -%} '{{ {% endraw %}"), ("STRING", "'x'")]),
        ("{{ '--' }} -- c", [("EXPRESSION", "{{ '--' }}"), ("COMMENT", "-- c")]),
        ("E'it\\'s -- no' -- c", [("STRING", "E'it\\'s -- no'"[1:]), ("COMMENT", "-- c")]),
        ("'C:\\' -- c", [("STRING", "'C:\\'"), ("COMMENT", "-- c")]),
        ("'it\\'s -- no', 'x", [("STRING", "'it\\'"), ("COMMENT", "-- no', 'x")]),
        ("'it\\'s', 'that\\'s'", [("STRING", "'it\\'s'"), ("STRING", "'that\\'s'")]),
        ("{ {", []),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("'abc", Kind.STRING),
        ("$x$ abc", Kind.STRING),
        ("/* abc", Kind.COMMENT),
        ("{{ abc", Kind.EXPRESSION),
        ("{{ { }}", Kind.EXPRESSION),
        ("{% abc", Kind.STATEMENT),
        ("{# abc", Kind.JINJA_COMMENT),
        ("{% raw %} abc", Kind.RAW),
    ],
)
def test_a_token_without_an_end_reaches_to_the_end_of_the_text(text: str, kind: Kind) -> None:
    (token,) = [token for token in lex(text) if not token.closed]
    assert (token.kind, token.end) == (kind, len(text))


def test_rendered_text_has_no_jinja() -> None:
    assert kinds("select {{ x }}, '{{ y'", jinja=False) == [("STRING", "'{{ y'")]


@given(st.text(st.sampled_from("ab \n'\"`$-/*+{}%#;\\()e"), max_size=60), st.booleans())
def test_tokens_and_code_cover_any_text_without_overlap(text: str, jinja: bool) -> None:
    tokens = lex(text, jinja=jinja)
    spans = sorted([*code_spans(text, tokens), *((token.start, token.end) for token in tokens)])
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    if not jinja:
        assert not any(token.kind in JINJA for token in tokens)


@given(st.text(st.sampled_from("ab\n'{ "), max_size=40), st.integers(0, 40))
def test_position_counts_lines_and_columns_from_one(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    line, column = position(text, offset)
    lines = text[:offset].split("\n")
    assert (line, column) == (len(lines), len(lines[-1]) + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ; ;\n-- only a comment\n;", []),
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        ("select ';' ; select 2 -- ; select 3", ["select ';'", "select 2"]),
        ("-- ;\nselect 1 /* ; */ ;\n", ["select 1"]),
        ("select $$;$$; -- done", ["select $$;$$"]),
        ('select ";" as `a;b`', ['select ";" as `a;b`']),
        ("select 'it\\'s; fine'", ["select 'it\\'s; fine'"]),
        ("select '\\'; drop table x; --'", ["select '\\'", "drop table x"]),
        ("'a';'b'", ["'a'", "'b'"]),
    ],
)
def test_statements(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in statements(text)] == expected


@given(st.lists(st.sampled_from(["select 1", "select ';'", 'delete from "a;b"', "select /* ; */ 2", "x -- ;\n"])))
def test_joined_statements_are_found_again(parts: list[str]) -> None:
    text = ";\n".join(parts)
    assert [text[start:end].split("--")[0].rstrip() for start, end in statements(text)] == [
        part.split("--")[0].rstrip() for part in parts
    ]


@pytest.mark.parametrize(
    ("text", "keyword", "at"),
    [
        ("select 1", "select", 0),
        ("-- c\n  ((SELECT 1))", "select", 9),
        ("/* c */insert into x", "insert", 7),
        ("with a as (select 1) select * from a", "select", 21),
        ("with a as (delete from b returning *) insert into c select * from a", "insert", 38),
        ("with recursive a(x) as (values (1)) from a", "from", 36),
        ("'text'", "", 0),
        ("", "", 0),
    ],
)
def test_the_leading_keyword_is_what_the_statement_does(text: str, keyword: str, at: int) -> None:
    assert leading_keyword(text) == (keyword, at)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("create table a as select 1", "table", "a"),
        ("CREATE OR REPLACE TABLE main.users AS\nselect 1;", "table", "users"),
        ("create view if not exists `a b` as select 1", "view", "a b"),
        ('create temp table "x""y" as(select 1)', "table", 'x"y'),
        ('create table db . "s.t" . "n.m" as select 1', "table", "n.m"),
        ("-- c\n{{ config(a=1) }}\n{# c #}\n{% set x = 1 %}\ncreate or replace view v as select 1", "view", "v"),
        ("create table {{ this }} as select 1", "table", None),
        ("create table x_{{ var('y') }} as select 1", "table", None),
        ("create /* c */ table -- c\n a as select 1", "table", "a"),
    ],
)
def test_a_create_in_front(text: str, kind: str, name: str | None) -> None:
    create = leading_create(text)
    assert create is not None
    assert (create.kind, create.name) == (kind, name)
    rest = blank(text, create.start, create.end)
    assert len(rest) == len(text)
    assert rest.count("\n") == text.count("\n")
    assert "create" not in rest.lower()
    assert "select 1" in rest
    assert rest.index("select") == text.index("select")


@pytest.mark.parametrize(
    "text",
    [
        "select 'create table a as select 1'",
        "create table a (id int)",
        "create table a (id) as select 1",
        "create materialized view a as select 1",
        "create table a",
        "create table a ascii",
        "{% if x %}create table a as select 1{% endif %}",
        "-- create table a as\nselect 1",
        "",
    ],
)
def test_no_create_in_front(text: str) -> None:
    assert leading_create(text) is None


@pytest.mark.parametrize(
    "unit", ["'", '"', "{{", "{{ '", "/*", "/* ", "$a$", "{% ", "(", "{{ (", "create table a.", "--"]
)
def test_repeated_openings_take_no_quadratic_time(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    lex(text)
    leading_create(text)
