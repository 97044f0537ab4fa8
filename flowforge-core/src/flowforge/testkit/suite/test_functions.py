"""The portable functions give the same rows on every engine, wherever in a query they stand.

An engine may say that it does not have one. It may never give something else.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, Session
from flowforge.errors import RenderError, UnsupportedError
from flowforge.testkit.cases import is_kept
from flowforge.testkit.functions import FunctionCase, read_functions, written
from flowforge.testkit.lab import Lab
from flowforge.values import Relation

CASES = read_functions(Path(__file__).parent / "cases" / "functions")


def sql_of(lab: Lab, call: str) -> str:
    try:
        return written(lab.dialect, call)
    except RenderError as error:
        if error.code != "FF1418":
            raise
        pytest.xfail(error.message)


def load(lab: Lab, session: Session, case: FunctionCase) -> Relation:
    rows = len(next(iter(case.columns.values())))
    try:
        return lab.table(session, "given", {"nr": pa.array(range(rows), pa.int64()), **case.columns})
    except UnsupportedError as error:
        pytest.xfail(f"refused: {error.message}")


def wrong_rows(lab: Lab, case: FunctionCase, query: str) -> str:
    """The rows of *query* (``nr``, ``r``) in which ``r`` is not what is expected, as the engine itself compares."""
    tests = []
    for nr, value in enumerate(case.expected):
        right = "r IS NULL" if value is None else f"r = {lab.dialect.literal(value)}"
        tests.append(f"WHEN {nr} THEN CASE WHEN {right} THEN 1 ELSE 0 END")
    return f"SELECT nr, r FROM ({query}) answers WHERE CASE nr {' '.join(tests)} ELSE 0 END = 0"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_call_gives_the_rows(lab: Lab, case: FunctionCase) -> None:
    sql = sql_of(lab, case.call)
    session = lab.session()
    table = load(lab, session, case)
    nr = "0 AS nr" if case.aggregate else "nr"
    query = f"SELECT {nr}, {sql} AS r FROM {lab.sql(table)}"
    rows = lab.rows(session, f"SELECT COUNT(*) AS n FROM ({query}) answers")
    assert rows == [(len(case.expected),)]
    wrong = lab.rows(session, wrong_rows(lab, case, query))
    assert wrong == [], f"{sql}: {[(nr, case.expected[nr], found) for nr, found in wrong]}"
    schema = session.schema_of(query)
    assert schema is not None
    if not pa.types.is_null(schema.field(1).type):  # an engine may have no types of expressions
        assert is_kept(case.type, schema.field(1).type, wider=lab.decimals_widen), sql


def test_calls_stand_in_every_clause(lab: Lab) -> None:
    session = lab.session()
    days = [dt.date(2024, 1, 31), dt.date(2024, 2, 1), dt.date(2024, 2, 29), None]
    table = lab.table(session, "given", {"d": pa.array(days, pa.date32()), "t": ["1", "2", "x", "4"]})
    month, number = sql_of(lab, "ff_date_trunc('d', 'month')"), sql_of(lab, "ff_safe_cast('t', 'integer', -1)")
    january = lab.dialect.literal(dt.datetime(2024, 1, 1))  # noqa: DTZ001
    grouped = f"SELECT {month} AS m, SUM({number}) AS n FROM {lab.sql(table)} WHERE d IS NOT NULL GROUP BY {month}"
    assert lab.rows(session, f"SELECT n FROM ({grouped}) g WHERE m = {january}") == [(1,)]
    assert lab.rows(session, f"SELECT n FROM ({grouped}) g WHERE m > {january}") == [(1,)]
    latest = sql_of(lab, "ff_date_diff('MIN(d)', 'MAX(d)', 'day')")
    assert lab.rows(session, f"SELECT {latest} AS n FROM {lab.sql(table)}") == [(29,)]
    left, right = (sql_of(lab, f"ff_safe_cast('{side}.t', 'integer')") for side in "ab")
    joined = f"SELECT COUNT(*) AS n FROM {lab.sql(table)} a JOIN {lab.sql(table)} b ON {left} = {right}"
    assert lab.rows(session, joined) == [(3,)]
    later = sql_of(lab, "ff_date_add('d', 'day', 't')")
    ordered = f"SELECT t FROM {lab.sql(table)} WHERE t IN ('1', '2') ORDER BY {later} DESC"
    assert lab.rows(session, ordered) == [("2",), ("1",)]


def test_the_default_in_a_cast_is_a_value_of_the_type(lab: Lab) -> None:
    for call in ("ff_safe_cast('t', 'timestamp', '2024-01-31T10:00:00Z')", "ff_safe_cast('t', 'date', '2024-01-31')"):
        session = lab.session()
        table = lab.table(session, "given" + str(len(call)), {"t": ["x"]})
        created = lab.relation("made" + str(len(call)))
        session.create_as(created, f"SELECT {sql_of(lab, call)} AS r FROM {lab.sql(table)}", CreateKind.TABLE)
        value: Any = lab.rows(session, created)[0][0]
        assert str(value).startswith("2024-01-31")


def test_the_present_moment_is_in_utc(lab: Lab) -> None:
    session = lab.session()
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(hours=1)
    moments = f"{lab.dialect.literal(before)} AND {lab.dialect.literal(before + dt.timedelta(hours=2))}"
    sql = (
        f"SELECT COUNT(*) AS n FROM (SELECT {sql_of(lab, 'ff_current_timestamp()')} AS r) now WHERE r BETWEEN {moments}"
    )
    assert lab.rows(session, sql) == [(1,)]


@pytest.mark.parametrize("word", ["string", "integer", "bigint", "double", "boolean", "date", "timestamp"])
def test_type_names_make_columns(lab: Lab, word: str) -> None:
    session = lab.session()
    relation = lab.relation("typed")
    name = sql_of(lab, f"ff_type('{word}')")
    session.execute(f"CREATE TABLE {lab.sql(relation)} ({lab.names('v')} {name})")
    assert lab.count(session, relation) == 0
