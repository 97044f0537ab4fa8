"""Values of PostgreSQL's own types, and texts that look like something else."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from flowforge.contract import LoadMode, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Relation

Rows = Callable[[str], list[tuple[Any, ...]]]
T = Relation("t", "public")

READ: dict[str, tuple[str, pa.DataType, Any]] = {
    "json": ("""'{"a": 1}'::json""", pa.string(), '{"a": 1}'),
    "jsonb": ("""'{"a":1}'::jsonb""", pa.string(), '{"a": 1}'),
    "uuid": (
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        pa.string(),
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    "inet": ("'10.0.0.1/8'::inet", pa.string(), "10.0.0.1/8"),
    "range": ("int4range(1, 3)", pa.string(), "[1,3)"),
    "record": ("row(1, 'a b')", pa.string(), '(1,"a b")'),
    "enum": ("'sad'::mood", pa.string(), "sad"),
    "enum array": ("array['sad'::mood]", pa.string(), "{sad}"),
    "char": ("'a'::char(3)", pa.string(), "a  "),
    "name": ("'n'::name", pa.string(), "n"),
    "bare numeric": ("1.50::numeric", pa.decimal256(76, 38), decimal.Decimal("1.5")),
    "numeric": ("1.50::numeric(6,2)", pa.decimal128(6, 2), decimal.Decimal("1.50")),
    "numeric of negative scale": ("1234::numeric(3,-2)", pa.decimal128(5, 0), decimal.Decimal(1200)),
    "numeric of small values": ("0.00123::numeric(3,5)", pa.decimal128(5, 5), decimal.Decimal("0.00123")),
    "wide numeric": ("1::numeric(100,2)", pa.string(), "1.00"),
    "array": ("array[1, null, 3]", pa.list_(pa.int32()), [1, None, 3]),
    "array of numerics": ("array[1.5::numeric(4,2)]", pa.list_(pa.decimal128(4, 2)), [decimal.Decimal("1.50")]),
    "array of dates": ("array[date '2024-02-29']", pa.list_(pa.date32()), [dt.date(2024, 2, 29)]),
    "array of uuids": ("array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]", pa.list_(pa.string()),
                       ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    "oid": ("1::oid", pa.int64(), 1),
    "nothing": ("null", pa.string(), None),
}  # fmt: skip


@pytest.mark.parametrize("name", list(READ))
def test_values_of_all_kinds_are_read(session: Session, outside: psycopg.Connection[Any], name: str) -> None:
    outside.execute("create type mood as enum ('sad', 'ok')")
    expression, type_, value = READ[name]
    table = session.query(f"select {expression} as v").read_all()
    assert table.schema.field("v").type == type_
    assert table.to_pylist() == [{"v": value}]
    assert session.schema_of(f"select {expression} as v") == table.schema
    assert session.query(f"select {expression} as v where false").schema == table.schema


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 year 2 mons -3 days 04:05:06.000007", (14, -3, 14_706_000_007_000)),
        ("-1 mons +1 day -00:00:01.5", (-1, 1, -1_500_000_000)),
        ("30 days", (0, 30, 0)),
        ("1 mon", (1, 0, 0)),
        ("0", (0, 0, 0)),
        ("-25:00:00", (0, 0, -90_000_000_000_000)),
    ],
)
def test_intervals_keep_months_days_and_time_apart(session: Session, text: str, expected: tuple[int, int, int]) -> None:
    ((value,),) = (row.values() for row in session.query(f"select interval '{text}' as v").read_all().to_pylist())
    assert tuple(value) == expected
    array = pa.array([pa.MonthDayNano(expected)])
    session.load(T, pa.table({"v": array}).to_reader(), LoadMode.CREATE)
    assert session.query(f"select v = interval '{text}' as same from t").read_all().to_pylist() == [{"same": True}]


@pytest.mark.parametrize(
    "expression",
    [
        "'infinity'::timestamp", "'-infinity'::date", "'NaN'::numeric(4,2)", "'infinity'::numeric", "date '0044-03-15 BC'",
        "time '24:00'", "1e-39::numeric", "1e38::numeric", "array[array[1]]", "timestamptz '12345-01-01'",
    ],
)  # fmt: skip
def test_what_arrow_cannot_hold_is_an_error_and_never_another_value(session: Session, expression: str) -> None:
    with pytest.raises(EngineError) as refusal:
        session.query(f"select {expression} as v").read_all()
    assert refusal.value.kind is ErrorKind.TYPE
    assert session.execute("select 1").rows == 1


@pytest.mark.parametrize(
    "value", ["\\.", "", "\\N", "a\n\\.\nb", "\r", "\r\n", '"', '""', ",", " ", "NULL", "\x01", "é🦆"]
)
def test_texts_that_look_like_the_protocol(session: Session, rows: Rows, value: str) -> None:
    for columns in ({"v": [value, None, value]}, {"v": [value, None, value], "w": [1, 2, 3]}):
        assert session.load(T, pa.table(columns).to_reader(), LoadMode.CREATE) == 3
        assert rows("select v from t order by ctid") == [(value,), (None,), (value,)]
        session.execute("drop table t")


def test_lists_of_awkward_values(session: Session, rows: Rows) -> None:
    values: dict[str, Any] = {
        "texts": pa.array([["", "NULL", 'a"b\\c', "{x,y}", None, " ", "é"]]),
        "bytes": pa.array([[b"\x00\\", None]]),
        "floats": pa.array([[float("inf"), -0.0, 0.1, None]]),
        "flags": pa.array([[True, None, False]]),
        "times": pa.array([[dt.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)]]),
        "spans": pa.array([[dt.timedelta(days=-1, microseconds=7)]]),
    }
    session.load(T, pa.table(values).to_reader(), LoadMode.CREATE)
    row = session.query("select * from t").read_all().to_pylist()[0]
    for name in ("texts", "bytes", "floats", "flags", "times"):
        assert row[name] == values[name].to_pylist()[0], name
    assert [tuple(span) for span in row["spans"]] == [(0, 0, (-86_400_000_000 + 7) * 1000)]


def test_nanoseconds_are_not_cut(session: Session) -> None:
    for array in (
        pa.array([1], pa.timestamp("ns")),
        pa.array([1], pa.time64("ns")),
        pa.array([1], pa.duration("ns")),
        pa.array([pa.MonthDayNano((0, 0, 1))]),
    ):
        with pytest.raises(EngineError) as refusal:
            session.load(T, pa.table({"v": array}).to_reader(), LoadMode.CREATE)
        assert refusal.value.kind is ErrorKind.TYPE
        assert session.kind_of(T) is None


def test_names_of_more_than_63_bytes_are_refused_and_not_cut(session: Session) -> None:
    with pytest.raises(EngineError, match="63"):
        session.load(T, pa.table({"x" * 64: [1]}).to_reader(), LoadMode.CREATE)


def test_bigints_that_postgres_hashes_alike_are_told_apart(session: Session) -> None:
    tokens = set()
    for value in (1, 2**32, -2, -(2**32) - 1):
        session.execute(f"create table t as select {value}::bigint as v")
        tokens.add(session.content_hash(T))
        session.execute("drop table t")
    assert len(tokens) == 4


def test_columns_are_not_mixed_up_between_rows(session: Session) -> None:
    tokens = set()
    for sql in ("select 1 as a, 'x' as b union all select 2, 'y'", "select 1 as a, 'y' as b union all select 2, 'x'"):
        session.execute(f"create table t as {sql}")
        tokens.add(session.content_hash(T))
        session.execute("drop table t")
    assert len(tokens) == 2


def test_a_type_without_a_binary_form_is_hashed_as_text(session: Session) -> None:
    session.execute("create table t as select relacl[1] as acl from pg_class where relacl is not null limit 1")
    token = session.content_hash(T)
    assert token
    session.execute("update t set acl = null")
    assert session.content_hash(T) != token
    session.execute("drop table t")
    session.execute("create table t as select relacl as acl from pg_class where relacl is not null limit 1")
    assert session.content_hash(T) is None  # inside an array


@pytest.mark.parametrize("column", ["ff__rows", "record_send", "t"])
def test_columns_called_like_what_the_hash_uses(session: Session, column: str) -> None:
    session.execute(f"create table t as select 1 as {column}, 2 as other")
    token = session.content_hash(T)
    session.execute("update t set other = 3")
    assert session.content_hash(T) != token
