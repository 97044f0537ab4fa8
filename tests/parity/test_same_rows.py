"""The same project has the same relations, names, types and rows on every engine, and its checks say the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

KINDS = {
    **dict.fromkeys(("customers", "numbers", "orders", "events", "codes", "months"), "table"),
    **dict.fromkeys(("stg_customers", "stg_orders", "stg_paid_orders", "biggest", "shown"), "view"),
    **dict.fromkeys(
        ("mixed_case", "calendar", "clocks", "divisions", "order_lines", "referrals", "set_operations"), "table"
    ),
    **dict.fromkeys(("texts", "uncast_sums", "windows", "spent_arrow", "flags_pandas"), "table"),
    **dict.fromkeys(("revenue", "numbers_exactly"), "table"),
}

LENGTH = "the length of a text and a place in it are bigint here and integer there"
WIDENED = "a sum is wider than what it adds up, each engine in its own way"
UNSIZED = "PostgreSQL's functions and aggregates give a numeric without precision, which is read at full width"
ANY_NUMERIC = "decimal256(76, 38)"

DIFFERENT_TYPES = {
    ("stg_customers", "name_length"): ("int64", "int32", LENGTH),
    ("texts", "place_of_o"): ("int64", "int32", LENGTH),
    ("divisions", "rounded"): ("decimal128(18, 1)", ANY_NUMERIC, UNSIZED),
    ("revenue", "smallest"): ("decimal128(18, 2)", ANY_NUMERIC, UNSIZED),
    ("revenue", "largest"): ("decimal128(18, 2)", ANY_NUMERIC, UNSIZED),
    ("uncast_sums", "cents_sum"): ("decimal128(38, 0)", ANY_NUMERIC, WIDENED),
    ("uncast_sums", "amount_sum"): ("decimal128(38, 2)", ANY_NUMERIC, WIDENED),
    ("uncast_sums", "positive_count"): ("decimal128(38, 0)", "int64", WIDENED),
}
"""Columns without a cast whose type is the engine's own choice: on DuckDB, on PostgreSQL, and why."""

BIG = Decimal("123456789012345678901234567890")
TINY = Decimal("0.000000000000000000000001")
LONG = Decimal("12345678901234.999999999999999999999999")


@pytest.fixture(scope="module")
def both(pristine: Any) -> tuple[Any, Any]:
    """What stands in the two databases."""
    ours, theirs = (place.shown("parity", "parity_marts") for place in pristine.places)
    return ours, theirs


def test_the_same_relations_of_the_same_kinds(both: Any) -> None:
    for stands in both:
        assert {name: one.kind for name, one in stands.items()} == KINDS


def test_columns_have_the_same_names_in_the_same_order(both: Any) -> None:
    ours, theirs = ({name: list(one.types) for name, one in stands.items()} for stands in both)
    assert ours == theirs


def test_names_without_quotes_keep_their_letters_or_lose_their_case(both: Any) -> None:
    assert [stands["mixed_case"].names for stands in both] == [
        ("CustomerId", "CustomerName"),
        ("customerid", "customername"),
    ]


def test_types_differ_only_where_it_is_declared(both: Any) -> None:
    ours, theirs = both
    found = {
        (name, column): (mine, theirs[name].types[column])
        for name, one in ours.items()
        for column, mine in one.types.items()
        if mine != theirs[name].types[column]
    }
    assert found == {place: declared[:2] for place, declared in DIFFERENT_TYPES.items()}


@pytest.mark.parametrize("name", KINDS)
def test_the_same_rows(name: str, both: Any) -> None:
    ours, theirs = (stands[name].rows for stands in both)
    assert ours
    assert (ours - theirs, theirs - ours) == ({}, {})


@pytest.mark.parametrize("engine", [0, 1], ids=["duckdb", "postgres"])
def test_awkward_values_of_seeds_arrive_as_they_were_written(engine: int, both: Any) -> None:
    """Both could be wrong in the same way; so this is the text of the files once more."""
    customers, numbers = both[engine]["customers"], both[engine]["numbers"]
    assert {row[1] for row in customers.rows} == {"00123", "00045", "99999", "00000", "0x10"}
    assert {row[2] for row in customers.rows} == {"Zoë", 'O\'Brien "Bob"', "李小龍", "🦊 Fox", " padded "}
    assert {row[0]: row[6] for row in customers.rows} == {
        1: "first", 2: "", 3: None, 4: "two\nlines, one comma", 5: None,
    }  # fmt: skip
    column = {name: index for index, name in enumerate(numbers.types)}
    stands = {
        name: {row[0]: row[at] for row in numbers.rows} for name, at in column.items() if name not in {"id", "mixed"}
    }
    assert stands == {
        "whole": {1: 2**53 + 1, 2: -(2**63), 3: 2**63 - 1, 4: None, 5: 0},
        "wide": {1: BIG, 2: BIG.copy_negate(), 3: 0, 4: None, 5: 1},
        "tiny": {1: TINY, 2: TINY.copy_negate(), 3: 0, 4: None, 5: LONG},
        "exact": {1: Decimal("0.1"), 2: Decimal("0.2"), 3: Decimal("99999999.9"), 4: None, 5: Decimal("-0.3")},
        "ratio": {1: 0.1, 2: 1e-300, 3: -0.5, 4: None, 5: 1.7976931348623157e308},
        "zero_led": {1: "007", 2: "0", 3: "00", 4: None, 5: "-1"},
        "only_null": dict.fromkeys(range(1, 6)),
    }


@pytest.mark.parametrize("engine", [0, 1], ids=["duckdb", "postgres"])
def test_numbers_that_a_person_has_computed(engine: int, both: Any) -> None:
    revenue = both[engine]["revenue"]
    chosen = [list(revenue.types).index(name) for name in ("customer_id", "order_count", "revenue", "avg_cents")]
    assert {tuple(row[at] for at in chosen) for row in revenue.rows} == {
        (1, 2, Decimal("35.50"), Decimal("1775")),
        (2, 1, Decimal("0.01"), Decimal("1")),
        (3, 1, Decimal("3.33"), Decimal("-333")),
        (4, 1, Decimal("123456789012.34"), Decimal("12345678901234")),
    }


def test_nodes_report_the_same_rows_and_checks_the_same_words(pristine: Any) -> None:
    nodes, checks = [], []
    for ended in pristine.builds:
        nodes.append({one["node"]: (one["status"], one["rows"], one["inputs"]) for one in ended.of("node_finished")})
        keys = ("node", "column", "severity", "status", "failures", "message")
        checks.append({one["check"]: tuple(one[key] for key in keys) for one in ended.of("check_finished")})
    assert len(nodes[0]) == len(KINDS)
    assert nodes[0] == nodes[1]
    assert len(checks[0]) == 9
    assert checks[0] == checks[1]
