"""Whatever rows are loaded come back as they were, or are refused; and equal tokens mean equal rows. Random tables."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from flowforge.contract import CreateKind, LoadMode, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Relation, RelationKind

T = Relation("t", "public")
FEW = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = settings(FEW, max_examples=1000)

# PostgreSQL has no text with NUL, and a lone surrogate is no text at all.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    [
        "",
        "NULL",
        "\\N",
        "\\.",
        "\\",
        '"',
        "'",
        ",",
        "\n",
        "\r\n",
        "\n\\.\n",
        "{}",
        "{NULL}",
        "é\u0301",
        "\U0010ffff",
        " x ",
    ]
)
UNIT_SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST, LAST = -62_135_596_800, 253_402_300_799  # seconds of the years 1 to 9999
DAY = 86_400


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    """Numbers of a range, and its ends more often than by chance."""
    return st.integers(low, high) | st.sampled_from([low, high])


def stamps(unit: str, zone: str | None) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    scale = UNIT_SECONDS[unit]
    low, high = FIRST * scale, LAST * scale + scale - 1
    if unit == "ns":
        values = whole(-(2**63) // 1000 + 1, 2**63 // 1000 - 1).map(lambda value: value * 1000)
    else:
        values = whole(low, high)
    return pa.timestamp(unit, zone), values


def decimals(precision: int, scale: int, wide: bool) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    import decimal

    context = decimal.Context(prec=100)
    values = whole(-(10**precision) + 1, 10**precision - 1).map(
        lambda value: decimal.Decimal(value).scaleb(-scale, context)
    )
    return (pa.decimal256 if wide else pa.decimal128)(precision, scale), values


@st.composite
def some_decimals(draw: Any) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    wide = draw(st.booleans())
    precision = draw(whole(1, 76 if wide else 38))
    return decimals(precision, draw(st.integers(0, precision)), wide)


PLAIN = {
    "null": (pa.null(), st.none()),
    "bool": (pa.bool_(), st.booleans()),
    **{f"int{bits}": (pa.type_for_alias(f"int{bits}"), whole(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (pa.type_for_alias(f"uint{bits}"), whole(0, 2**bits - 1)) for bits in (8, 16, 32, 64)},
    "float16": (pa.float16(), st.floats(width=16)),
    "float32": (pa.float32(), st.floats(width=32)),
    "float64": (pa.float64(), st.floats()),
    "date32": (pa.date32(), whole(FIRST // DAY, LAST // DAY)),
    "date64": (pa.date64(), whole(FIRST // DAY, LAST // DAY).map(lambda days: days * DAY * 1000)),
    "time32[s]": (pa.time32("s"), whole(0, DAY - 1)),
    "time32[ms]": (pa.time32("ms"), whole(0, DAY * 10**3 - 1)),
    "time64[us]": (pa.time64("us"), whole(0, DAY * 10**6 - 1)),
    "time64[ns]": (pa.time64("ns"), whole(0, DAY * 10**6 - 1).map(lambda value: value * 1000)),
    **{f"timestamp[{unit}]": stamps(unit, None) for unit in UNIT_SECONDS},
    **{f"timestamp[{unit}, {zone}]": stamps(unit, zone) for unit, zone in [("us", "UTC"), ("s", "Asia/Tokyo"), ("ns", "+02:00")]},
    "duration[s]": (pa.duration("s"), whole(-(9 * 10**9), 9 * 10**9)),
    "duration[us]": (pa.duration("us"), whole(-(9 * 10**15), 9 * 10**15)),
    "duration[ns]": (pa.duration("ns"), whole(-(10**15), 10**15).map(lambda value: value * 1000)),
    "interval": (
        pa.month_day_nano_interval(),
        st.tuples(
            whole(-(10**6), 10**6), whole(-(10**6), 10**6), whole(-(10**15), 10**15).map(lambda value: value * 1000)
        ).map(pa.MonthDayNano),
    ),
    "string": (pa.string(), TEXTS),
    "large_string": (pa.large_string(), TEXTS),
    "string_view": (pa.string_view(), TEXTS),
    "binary": (pa.binary(), st.binary(max_size=12)),
    "large_binary": (pa.large_binary(), st.binary(max_size=12)),
    "binary_view": (pa.binary_view(), st.binary(max_size=12)),
    "binary(3)": (pa.binary(3), st.binary(min_size=3, max_size=3)),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
}  # fmt: skip


def of_type(name: str) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    return some_decimals() if name == "decimal" else st.just(PLAIN[name])


def lists_of(name: str) -> st.SearchStrategy[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    return st.builds(
        lambda make, of: (make(of[0]), st.lists(st.none() | of[1], max_size=4)),
        st.sampled_from([pa.list_, pa.large_list]),
        of_type(name),
    )


def array_of(values: list[Any], type_: pa.DataType) -> pa.Array:
    """Numbers as what they are stored as: Python's own dates and times do not reach as far as Arrow's."""
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        flat = array_of([item for value in values if value is not None for item in value], type_.value_type)
        offsets, end = [], 0
        for value in values:
            offsets.append(end)
            end += len(value or ())
        big = pa.types.is_large_list(type_)
        mask = pa.array([value is None for value in values], pa.bool_())
        return (pa.LargeListArray if big else pa.ListArray).from_arrays(
            pa.array([*offsets, end], pa.int64() if big else pa.int32()), flat, mask=mask
        )
    if pa.types.is_float16(type_):
        return pa.array(values, pa.float32()).cast(pa.float16())
    if pa.types.is_temporal(type_) and not pa.types.is_interval(type_):
        width = pa.int32() if type_.bit_width == 32 else pa.int64()
        return pa.array(values, width).view(type_)
    return pa.array(values, type_)


NAMES = sorted([*PLAIN, "decimal"])
COLUMNS = [*map(of_type, NAMES), *(lists_of(name) for name in NAMES if name not in ("null", "dictionary"))]


@st.composite
def tables(draw: Any) -> pa.Table:
    rows = draw(st.integers(0, 4))
    arrays = []
    for number in draw(st.lists(st.integers(0, len(COLUMNS) - 1), min_size=1, max_size=6)):
        type_, values = draw(COLUMNS[number])
        arrays.append(array_of(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type_))
    return pa.table(arrays, names=[f"c{number}" for number in range(len(arrays))])


def plainly(value: Any, type_: pa.DataType) -> Any:
    """A scalar as something that is equal if and only if the values are."""
    types = pa.types
    if isinstance(value, pa.Scalar):
        if not value.is_valid:
            return None
        if types.is_list(type_) or types.is_large_list(type_):
            return [plainly(item, type_.value_type) for item in value.values]
        if types.is_dictionary(type_):
            return plainly(value.value, type_.value_type)
        if types.is_date(type_):
            return value.cast(pa.date32()).value
        if types.is_timestamp(type_) or types.is_time(type_):
            return value.value * 10**9 // UNIT_SECONDS[type_.unit]
        if types.is_duration(type_):
            return ("interval", 0, 0, value.value * 10**9 // UNIT_SECONDS[type_.unit])
        if types.is_interval(type_):
            return ("interval", *value.as_py())
        if types.is_floating(type_):
            number = float(value.as_py())
            return "nan" if number != number else struct.pack(">d", number)
        value = value.as_py()
    return value if isinstance(value, (str, bytes)) else int(value) if isinstance(value, bool) else value


def plain_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    cells = [[plainly(value, column.type) for value in column] for column in table.columns]
    return list(zip(*cells, strict=True))


def loaded(session: Session, table: pa.Table, relation: Relation = T) -> Relation:
    session.drop(relation, RelationKind.TABLE)
    session.load(relation, table.to_reader(max_chunksize=3), LoadMode.CREATE)
    return relation


def comes_back(session: Session, table: pa.Table) -> None:
    loaded(session, table)
    back = session.query("SELECT * FROM public.t").read_all()
    assert plain_rows(back) == plain_rows(table)
    assert session.schema_of(T) == back.schema
    for name, type_ in zip(table.column_names, table.schema.types, strict=True):
        assert pa.types.is_nested(back.schema.field(name).type) == pa.types.is_nested(type_)


@FEW
@given(table=tables())
def test_tables_come_back(session: Session, table: pa.Table) -> None:
    comes_back(session, table)


@pytest.mark.full
@MANY
@given(table=tables())
def test_many_tables_come_back(session: Session, table: pa.Table) -> None:
    comes_back(session, table)


@FEW
@given(data=st.data(), unit=st.sampled_from(["date32", "duration", *UNIT_SECONDS]))
def test_times_beyond_all_calendars_come_back_or_are_refused(session: Session, data: Any, unit: str) -> None:
    if unit == "date32":
        type_, values = pa.date32(), st.integers(-(2**31), 2**31 - 1)
    else:
        type_ = pa.duration("s") if unit == "duration" else pa.timestamp(unit)
        values = st.integers(-(2**63), 2**63 - 1)
    table = pa.table({"c": array_of(data.draw(st.lists(values, min_size=1, max_size=2)), type_)})
    try:
        comes_back(session, table)
    except EngineError as error:
        assert error.kind is ErrorKind.TYPE, error
        event("refused")


# equal tokens, equal rows

NUMBERS = st.sampled_from([0.0, -0.0, float("nan"), 1.0, -1.0, float("inf"), 5e-324])
SMALL_ROWS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0, 1, -1, 2**62]),
        st.none() | NUMBERS,
        st.none() | st.sampled_from(["", "a", "A", "a ", "ä", "a\u0308"]),
        st.none() | st.lists(st.none() | st.integers(0, 1), max_size=2),
    ),
    max_size=5,
)
SMALL_TYPES = (pa.int64(), pa.float64(), pa.string(), pa.list_(pa.int32()))


def small(rows: list[tuple[Any, ...]]) -> pa.Table:
    cells = list(zip(*rows, strict=True)) or [()] * len(SMALL_TYPES)
    arrays = [pa.array(values, type_) for values, type_ in zip(cells, SMALL_TYPES, strict=True)]
    return pa.table(arrays, names=list("abcd"))


def tokens_tell(session: Session, one: list[Any], other: list[Any]) -> None:
    tokens = [
        session.content_hash(loaded(session, small(rows), Relation(name, "public")))
        for name, rows in (("one", one), ("other", other))
    ]
    assert None not in tokens
    bags = [Counter(map(repr, plain_rows(small(rows)))) for rows in (one, other)]
    event("equal" if bags[0] == bags[1] else "different")
    assert (tokens[0] == tokens[1]) == (bags[0] == bags[1])


@FEW
@given(one=SMALL_ROWS, other=SMALL_ROWS, data=st.data())
def test_equal_tokens_mean_equal_rows(session: Session, one: list[Any], other: list[Any], data: Any) -> None:
    tokens_tell(session, one, other)
    tokens_tell(session, one, data.draw(st.permutations(one)))
    if one:
        changed = list(one)
        changed[data.draw(st.integers(0, len(one) - 1))] = data.draw(st.sampled_from(one + other))
        tokens_tell(session, one, changed)


@pytest.mark.full
@MANY
@given(one=SMALL_ROWS, other=SMALL_ROWS)
def test_equal_tokens_mean_equal_rows_of_many_tables(session: Session, one: list[Any], other: list[Any]) -> None:
    tokens_tell(session, one, other)


# the place of an error

FILLERS = st.lists(
    st.sampled_from(
        [
            "1 as a",
            "'it''s' as b",
            "'ä😀' as c",
            "/* ä\n 😀 */ 2 as d",
            '3 as "é \'x"',
            "-- note\n4 as e",
            "$$a\n'b$$ as f",
            "5",
        ]
    ),
    max_size=6,
)
MARKED = {
    "ghost_column": ErrorKind.MISSING,
    "no_such_function()": ErrorKind.MISSING,
    "1 +* 2": None,
    "'x'::integer": None,
}


@FEW
@given(
    before=FILLERS,
    after=FILLERS,
    marked=st.sampled_from(sorted(MARKED)),
    gap=st.sampled_from([" ", "\n", "\r\n", "\n\n\t"]),
    way=st.sampled_from(["query", "execute", "schema_of", "table", "view", "insert", "replace_view"]),
)
def test_an_error_is_where_it_was_put(
    session: Session, before: list[str], after: list[str], marked: str, gap: str, way: str
) -> None:
    head = f"select{gap}" + "".join(f"{filler},{gap}" for filler in before)
    sql = head + marked + "".join(f",{gap}{filler}" for filler in after)
    view = Relation("v", "public")
    ways = {
        "query": lambda: session.query(sql),
        "execute": lambda: session.execute(sql),
        "schema_of": lambda: session.schema_of(sql),
        "table": lambda: session.create_as(T, sql, CreateKind.TABLE),
        "view": lambda: session.create_as(T, sql, CreateKind.VIEW),
        "insert": lambda: session.insert(T, sql, ["a"]),
        "replace_view": lambda: session.replace_view(view, sql),
    }
    if way == "insert":
        loaded(session, pa.table({"a": [1]}))
    else:
        session.drop(T, RelationKind.TABLE)
    with pytest.raises(EngineError) as refusal:
        ways[way]()
    position = refusal.value.position
    # A query that fails only when it runs has no place in the text, and some ways run nothing.
    assume(position is not None)
    assert position is not None
    assert len(head) <= position < len(head) + len(marked)
    assert sql.count("\n", 0, position) == head.count("\n") + marked.count("\n", 0, position - len(head))
