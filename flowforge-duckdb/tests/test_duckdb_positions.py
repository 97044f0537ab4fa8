"""Positions, read from the picture that DuckDB draws under a line of the statement."""

from __future__ import annotations

import contextlib

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from flowforge_duckdb.errors import Attempt, find_position, translate

TEXT = st.text(
    st.characters(
        codec="utf-8", exclude_characters="'\0\r\n", exclude_categories=["Cs", "Cc", "Mn", "Me", "Cf", "Zl", "Zp"]
    ),
    max_size=150,
)


def message_of(sql: str) -> str:
    with duckdb.connect() as connection, contextlib.closing(connection.cursor()) as cursor:
        try:
            cursor.execute(sql).fetchall()
        except duckdb.Error as exc:
            return str(exc)
    raise AssertionError("no error")


@given(before=TEXT, after=TEXT, lines=st.integers(0, 3), blanks=st.text(" ", max_size=3))
def test_the_position_is_that_of_the_mistake_or_unknown(before: str, after: str, lines: int, blanks: str) -> None:
    sql = "SELECT 1" + "\n" * lines + f",{blanks}'{before}', ghost_column, '{after}' AS x"
    position = find_position(message_of(sql), sql)
    assert position in (None, sql.index("ghost_column"))


@given(
    before=st.text(st.characters(codec="ascii", exclude_characters="'", categories=["L", "N", "P", "Zs"]), max_size=200)
)
def test_the_position_is_known_for_plain_text(before: str) -> None:
    sql = f"SELECT '{before}', ghost_column"
    assert find_position(message_of(sql), sql) == sql.index("ghost_column")


def test_wide_letters_take_two_columns() -> None:
    sql = "SELECT '日本語 🦆 é', ghost_column"
    assert find_position(message_of(sql), sql) == sql.index("ghost_column")


def test_a_line_that_is_cut_on_both_sides() -> None:
    numbers = ", ".join(str(number) for number in range(1000, 1100))
    sql = f"SELECT {numbers}, ghost_column, {numbers}"
    assert find_position(message_of(sql), sql) == sql.index("ghost_column")


def test_a_cut_line_that_says_the_same_again_and_again_is_not_guessed() -> None:
    sql = "SELECT " + "1, " * 200 + "ghost_column" + ", 1" * 200
    assert find_position(message_of(sql), sql) in (None, sql.index("ghost_column"))


def test_text_that_is_not_the_statement() -> None:
    message = 'Binder Error: Referenced column "x" not found\n\nLINE 1: SELECT x FROM inner_view\n               ^'
    assert find_position(message, "SELECT * FROM my_view") is None
    assert find_position(message, "") is None


def test_a_line_that_does_not_exist() -> None:
    assert find_position("Parser Error: syntax error\n\nLINE 7: SELEC\n        ^", "SELEC") is None


def test_the_offset_is_taken_off() -> None:
    head = "CREATE TABLE x AS\n"
    sql = head + "SELECT ghost_column"
    exc = duckdb.BinderException(message_of(sql))
    assert translate(exc, Attempt(sql, len(head))).position == len("SELECT ")


def test_a_mistake_in_the_head_has_no_position() -> None:
    head = "INSERT INTO ghost_table (a)\n"
    sql = head + "SELECT 1"
    assert translate(duckdb.CatalogException(message_of(sql)), Attempt(sql, len(head))).position is None
