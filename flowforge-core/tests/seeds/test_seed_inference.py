"""Shapes of columns: the answer must not depend on how a column is cut into blocks."""

from __future__ import annotations

import hypothesis.strategies as st
import pyarrow as pa
from hypothesis import given

from flowforge.seeds.infer import join, shape_of, type_for

TEXTS = st.sampled_from(
    [
        None,
        "1",
        "-1",
        "007",
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775808",
        "9" * 38,
        "9" * 39,
        "0.5",
        "0.30000000000000004",
        "0.300000000000000041",
        "12345678901234567890.5",
        "true",
        "FALSE",
        "True",
        "2024-01-01",
        "2024-13-01",
        "2024-01-01 10:00:00",
        "2024-01-01T10:00:00Z",
        "x",
        "",
    ]
)


def shape(texts: list[str | None]) -> object:
    return shape_of(pa.array(texts, pa.string()))


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=8))
def test_two_blocks_tell_the_same_type_as_one(one: list[str | None], other: list[str | None]) -> None:
    whole = shape_of(pa.array(one + other, pa.string()))
    parts = join(shape_of(pa.array(one, pa.string())), shape_of(pa.array(other, pa.string())))
    assert type_for(whole) == type_for(parts)


@given(
    st.lists(
        st.lists(TEXTS, max_size=4).map(lambda texts: shape_of(pa.array(texts, pa.string()))), min_size=3, max_size=3
    )
)
def test_joining_is_the_same_in_any_order(shapes: list) -> None:  # type: ignore[type-arg]
    a, b, c = shapes
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))


@given(st.lists(TEXTS, max_size=8))
def test_nulls_change_nothing(texts: list[str | None]) -> None:
    assert shape(texts) == shape([*texts, None]) == shape([None, *texts])
