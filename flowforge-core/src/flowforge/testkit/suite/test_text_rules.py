"""What the dialect writes does on the engine what it says."""

from __future__ import annotations

import pytest

from flowforge.errors import UnsupportedError
from flowforge.testkit.lab import Lab


def test_counting_where_a_condition_holds(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1, 2, 3, None]})
    column = lab.names("id")
    counted = lab.dialect.count_if(f"{column} > 1")
    assert lab.rows(session, f"SELECT {counted} AS n FROM {lab.sql(table)}") == [(2,)]
    assert lab.rows(session, f"SELECT {counted} AS n FROM {lab.sql(table)} WHERE 1 = 0") == [(0,)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a", ["abc", "a'b"]),
        ("b", ["abc", "a'b"]),
        ("c$", ["abc"]),
        ("^[0-9]+$", ["123"]),
        ("'", ["a'b"]),
        (r"\.", ["x.y"]),
        ("^(abc|123)$", ["123", "abc"]),
    ],
)
def test_regular_expressions_search(lab: Lab, pattern: str, expected: list[str]) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"v": ["abc", "123", "a'b", "x.y", "", None]})
    column = lab.names("v")
    try:
        condition = lab.dialect.regex_match(column, pattern)
    except UnsupportedError as error:
        pytest.xfail(f"refused: {error.message}")
    found = lab.rows(session, f"SELECT {column} FROM {lab.sql(table)} WHERE {condition}")
    assert sorted(value for (value,) in found) == sorted(expected)
