"""Ephemeral models as common table expressions."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.rendering.cte import with_ctes

QUERIES = [
    "select * from e2",
    "-- with a comment\nselect * from e2 -- behind",
    "/* c */ with a as (select x from e2) select * from a",
    "WITH RECURSIVE r(x) AS (select x from e2 union all select x + 1 from r where x < 3) select * from r where x = 1",
    "with -- c\n a as (select 1 as x) select e2.x from a, e2",
    "with recursive_thing as (select x from e2) select * from recursive_thing",
    "values (1)",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_the_query_can_read_them(sql: str) -> None:
    joined = with_ctes(sql, [("e1", "select 1 as x -- c"), ("e2", "with q as (select x from e1) select x from q")])
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(joined.sql).fetchall() == [(1,)]


def test_without_any_nothing_changes() -> None:
    joined = with_ctes("select 1", [])
    assert joined.sql == "select 1"
    assert joined.locate(7) == (None, 7)


def test_names_are_quoted() -> None:
    joined = with_ctes('select * from "a b"', [("a b", "select 1")], lambda name: f'"{name}"')
    assert '"a b" as (' in joined.sql


@given(st.sampled_from(QUERIES), st.lists(st.sampled_from(QUERIES), max_size=3))
def test_every_character_is_located_in_its_query(sql: str, queries: list[str]) -> None:
    joined = with_ctes(sql, [(f"e{index}", query) for index, query in enumerate(queries)])
    seen: dict[int | None, list[int]] = {}
    for offset, character in enumerate(joined.sql):
        where = joined.locate(offset)
        if where is not None:
            index, inner = where
            assert character == (sql if index is None else queries[index])[inner]
            seen.setdefault(index, []).append(inner)
    assert seen == {index: list(range(len(text))) for index, text in [(None, sql), *enumerate(queries)]}


@given(st.sampled_from(QUERIES), st.lists(st.sampled_from(QUERIES), max_size=3))
def test_the_end_of_the_text_is_the_end_of_the_query(sql: str, queries: list[str]) -> None:
    joined = with_ctes(sql, [(f"e{index}", query) for index, query in enumerate(queries)])
    assert joined.locate(len(joined.sql)) == (None, len(sql))
    assert joined.locate(len(joined.sql) + 1) is None
