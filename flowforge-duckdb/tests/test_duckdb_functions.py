"""The SQL of portable functions, word by word; that it gives the right rows is shown by the conformance suite."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.rendering.portable import literal_filter
from flowforge.testkit.functions import written
from flowforge.testkit.golden import Golden, assert_all_said, assert_golden, read_golden
from flowforge_duckdb.dialect import DuckDBDialect

DIALECT = DuckDBDialect()


@pytest.mark.parametrize("golden", read_golden(Path(__file__).with_name("portable_functions.toml")), ids=str)
def test_a_call_becomes_this_sql(golden: Golden) -> None:
    assert_golden(DIALECT, golden)


def test_every_function_is_written_or_refused_with_a_reason() -> None:
    assert_all_said(DIALECT)


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6) | st.text("~|01", max_size=5)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_hashes_are_equal_only_for_equal_rows(rows: list[tuple[str | None, str | None]]) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (nr INTEGER, a VARCHAR, b VARCHAR)")
    for nr, row in enumerate(rows):
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", [nr, *row])
    sql = written(DIALECT, "ff_hash('a', 'b')")
    hashes = [value for (value,) in connection.execute(f"SELECT {sql} FROM t ORDER BY nr").fetchall()]
    connection.close()
    for row, value in zip(rows, hashes, strict=True):
        assert [one == value for one in hashes] == [one == row for one in rows]
        coded = "|".join("~0" if one is None else one.replace("~", "~~").replace("|", "~1") for one in row)
        assert value == hashlib.md5(coded.encode()).hexdigest()


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=20),
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(VALUES)
def test_literals_are_exact(value: object) -> None:
    with duckdb.connect() as connection:
        sql = literal_filter(DIALECT)(value)
        found = connection.execute(f"SELECT {sql}").fetchone()
    assert found == (value,)
    assert type(found[0]) is type(value)
