"""Whether a query is a count is told from its text; SQLite says whether that is true."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.checks.shape import is_count

COLUMNS = [
    "count(*)",
    "coalesce(sum(id), 0) + 1 as n",
    "case when max(id) > 3 then 1 else 0 end",
    "id",
    "1",
    "upper('x')",
    "count(*) over ()",
    "(select count(*) from t)",
    "*",
    "id, 2",
    "count(*), 2",
]
SOURCES = [
    "",
    "from t",
    "from t a cross join t b",
    "from (select count(*) as id from t) q",
    "from (select id from t) q",
    "from (select count(*) as id from t) a cross join (select 1 as two) b",
    "from (select count(*) as id from t) a join (select 1 as two) b on a.id = b.two",
    "from (select 1 as id where 1 = 0) q",
]
TAILS = ["", "where id > 1", "where 1 = 0", "group by id", "having count(*) > 1", "limit 1", "limit 0", "order by 1"]
WRAPS = ["{}", "with c as ({}) select * from c", "select * from ({}) q", "{} union all select 5"]

queries = st.builds(
    lambda column, source, tail, wrap: wrap.format(f"select {column} {source} {tail}".strip()),
    st.sampled_from(COLUMNS),
    st.sampled_from(SOURCES),
    st.sampled_from(TAILS),
    st.sampled_from(WRAPS),
)


def shapes(sql: str) -> set[tuple[int, int]]:
    """Rows and columns of the answer over several tables; none for what is no query."""
    found = set()
    for rows in ([], [0], [1, 2, 2], [None]):
        connection = sqlite3.connect(":memory:")
        connection.execute("create table t (id integer)")
        connection.executemany("insert into t values (?)", [(row,) for row in rows])
        try:
            answer = connection.execute(sql).fetchall()
        except sqlite3.Error:
            return set()
        finally:
            connection.close()
        found.add((len(answer), len(answer[0]) if answer else 1))
    return found


@given(queries)
@settings(derandomize=True, deadline=None, max_examples=250)
def test_what_counts_as_a_count_is_one_value_whatever_the_table_holds(sql: str) -> None:
    if is_count(sql, "sqlite"):
        assert shapes(sql) <= {(1, 1)}, sql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) from t", True),
        ("with bad as (select id from t) select count(*) from bad", True),
        ("with c as (select count(*) as n from t) select n from c", True),
        ("with c as (select count(*) as n from t) select n from c where n > 0", False),
        ("select (select count(*) from a) - (select count(*) from b)", True),
        ("select id from t where id < 0", False),
        ("select 1 from t", False),
        ("select count(*) from t group by id", False),
        ("select count(*) from t having count(*) > 0", False),
        ("select my_own(id) from t", None),
        ("select count(*) from t limit 1", None),
        ("this is no sql at all (", None),
    ],
)
def test_the_answers_that_the_page_promises(sql: str, expected: bool | None) -> None:
    assert is_count(sql, "duckdb") is expected
