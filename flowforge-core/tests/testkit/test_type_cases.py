"""How type cases are read and compared."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.testkit.cases import (
    TypeCase,
    comparable,
    differences,
    family,
    parse_type,
    parse_value,
    read_cases,
    read_pairs,
)
from flowforge.testkit.plugin import SUITE

SCALARS = [
    pa.int8(), pa.int64(), pa.uint64(), pa.float64(), pa.string(), pa.large_string(), pa.bool_(), pa.binary(),
    pa.date32(), pa.time64("us"), pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.decimal128(18, 4),
]  # fmt: skip


def types() -> st.SearchStrategy[pa.DataType]:
    def nest(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
        return st.one_of(
            inner.map(pa.list_),
            st.tuples(st.sampled_from([pa.string(), pa.int64()]), inner).map(lambda pair: pa.map_(*pair)),
            st.lists(inner, min_size=1, max_size=3).map(
                lambda parts: pa.struct([(f"f{index}", part) for index, part in enumerate(parts)])
            ),
        )

    return st.recursive(st.sampled_from(SCALARS), nest, max_leaves=6)


def written(type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return f"list<{written(type_.value_type)}>"
    if pa.types.is_map(type_):
        return f"map<{written(type_.key_type)}, {written(type_.item_type)}>"
    if pa.types.is_struct(type_):
        return "struct<" + ", ".join(f"{field.name}: {written(field.type)}" for field in type_) + ">"
    if pa.types.is_timestamp(type_):
        return f"timestamp[{type_.unit}, {type_.tz}]" if type_.tz else f"timestamp[{type_.unit}]"
    return str(type_).replace("date32[day]", "date32")


def test_all_pairs_are_pairs() -> None:
    pairs = read_pairs(SUITE / "cases" / "rows")
    assert len({pair.id for pair in pairs}) == len(pairs)
    for pair in pairs:
        one, other = (pa.array(values, pair.type).to_pylist() for values in (pair.one, pair.other))
        assert sorted(repr(comparable(value)) for value in one) != sorted(repr(comparable(value)) for value in other)
    wanted = {pair.id: [comparable(value) for value in (*pair.one, *pair.other)] for pair in pairs}
    assert wanted["negative-zero"] == [(0.0, 1.0), (0.0, -1.0)]
    assert wanted["month-or-thirty-days"] == [[1, 0, 0], [0, 30, 0]]


@given(types())
def test_types_are_read_from_their_names(type_: pa.DataType) -> None:
    assert parse_type(written(type_)) == type_


def test_all_case_files_are_read() -> None:
    cases = read_cases(SUITE / "cases" / "types")
    assert len({case.id for case in cases}) == len(cases)
    assert all(None in case.values for case in cases), "every case has a NULL"
    assert any(case.required for case in cases)
    for case in cases:
        assert differences(case, pa.chunked_array([case.array])) is None


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("1.50", pa.decimal128(5, 2), decimal.Decimal("1.50")),
        ("00ff", pa.binary(), b"\x00\xff"),
        ("2024-02-29", pa.date32(), dt.date(2024, 2, 29)),
        ([["a", 1]], pa.map_(pa.string(), pa.int64()), [("a", 1)]),
        (None, pa.int64(), None),
    ],
)
def test_values_are_read_from_json(value: Any, type_: pa.DataType, expected: Any) -> None:
    assert parse_value(value, type_) == expected


def a_case(type_: pa.DataType, *values: Any) -> TypeCase:
    return TypeCase("x", type_, values, required=True, requires=(), literals=False)


@pytest.mark.parametrize(
    ("case", "back"),
    [
        (a_case(pa.string(), "", None), pa.array([None, None], pa.string())),
        (a_case(pa.string(), "a"), pa.array([b"a"])),
        (a_case(pa.int64(), 1), pa.array([1.0])),
        (a_case(pa.float64(), -0.0), pa.array([0.0])),
        (a_case(pa.float64(), float("nan")), pa.array([None], pa.float64())),
        (a_case(pa.decimal128(5, 2), decimal.Decimal("1.50")), pa.array([decimal.Decimal("1.5")])),
        (a_case(pa.bool_(), True), pa.array([1])),
        (
            a_case(pa.timestamp("us", "UTC"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
            pa.array([dt.datetime(2024, 1, 1)]),  # noqa: DTZ001
        ),
        (a_case(pa.int64(), 1, 2), pa.array([2, 1])),
        (a_case(pa.int64(), 1, 2), pa.array([1])),
        (a_case(pa.list_(pa.int64()), [], None), pa.array([None, None], pa.list_(pa.int64()))),
    ],
)
def test_changes_are_seen(case: TypeCase, back: pa.Array) -> None:
    assert differences(case, pa.chunked_array([back])) is not None


@pytest.mark.parametrize(
    ("case", "back"),
    [
        (a_case(pa.int8(), 1, None), pa.array([1, None], pa.int64())),
        (a_case(pa.uint64(), 2**63), pa.array([decimal.Decimal(2**63)], pa.decimal128(20, 0))),
        (a_case(pa.float64(), float("nan")), pa.array([float("nan")])),
        (a_case(pa.dictionary(pa.int32(), pa.string()), "a"), pa.array(["a"])),
        (
            a_case(pa.timestamp("us", "Europe/Berlin"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
            pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        ),
        (a_case(pa.null(), None), pa.array([None], pa.int64())),
    ],
)
def test_wider_types_are_fine(case: TypeCase, back: pa.Array) -> None:
    assert differences(case, pa.chunked_array([back])) is None


@given(types())
def test_every_type_has_a_family(type_: pa.DataType) -> None:
    assert family(type_) == family(parse_type(written(type_)))


def test_a_case_is_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        a_case(pa.int64(), 1).id = "y"  # type: ignore[misc]


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[case]]\nname = "x"\ntype = "int65"\nvalues = "[1]"\n')
    with pytest.raises(ValueError, match="int65"):
        read_cases(tmp_path)
