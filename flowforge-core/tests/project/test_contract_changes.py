"""What changes of contracts mean to others: each rule, and what holds for all of them."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from flowforge.project.contract_changes import OF_TABLES, RULES, ContractChange, Level, compare_contracts, state_of
from flowforge.project.contracts import Contract, ContractColumn
from flowforge.values import Location

HERE = Location("x.contracts.yml")
QUICK = settings(derandomize=True, deadline=None, max_examples=150)


def contract(columns: dict[str, dict[str, Any]], **settings: Any) -> Contract:
    made = {name: ContractColumn(name, HERE, **said) for name, said in columns.items()}
    return Contract("orders", HERE, made, **settings)


def compared(old: Contract | None, new: Contract | None) -> tuple[ContractChange, ...]:
    """As after a way through a file."""
    before, after = (json.loads(json.dumps({} if one is None else {"orders.ff": state_of(one)})) for one in (old, new))
    return compare_contracts(before, after)


RULE_CASES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"type": "bigint"}, {"type": "string"}, "type", "breaking"),
    ({"type": "bigint"}, {}, "type", "breaking"),
    ({}, {"type": "bigint"}, "type", "stricter"),
    ({"physical": "int"}, {"physical": "text"}, "physical", "breaking"),
    ({"nullable": False}, {"nullable": True}, "nullable", "breaking"),
    ({"nullable": True}, {"nullable": False}, "nullable", "stricter"),
    ({"unique": True}, {"unique": False}, "unique", "breaking"),
    ({"unique": False}, {"unique": True}, "unique", "stricter"),
    ({"enum": ("a",)}, {"enum": ("a", "b")}, "enum", "breaking"),
    ({"enum": ("a", "b")}, {"enum": ("a",)}, "enum", "stricter"),
    ({"enum": ("a", "b")}, {"enum": ("b", "c")}, "enum", "breaking"),
    ({"enum": ("a",)}, {}, "enum", "breaking"),
    ({}, {"enum": ("a",)}, "enum", "stricter"),
    ({"enum": (1,)}, {"enum": (True,)}, "enum", "breaking"),
    ({"regex": "a"}, {"regex": "b"}, "regex", "breaking"),
    ({"regex": "a"}, {}, "regex", "breaking"),
    ({"min": 1}, {"min": 0}, "min", "breaking"),
    ({"min": 1}, {"min": 2}, "min", "stricter"),
    ({"min": 1}, {}, "min", "breaking"),
    ({"max": 1}, {"max": 2}, "max", "breaking"),
    ({"max": 2.5}, {"max": 1}, "max", "stricter"),
    ({}, {"max": 1}, "max", "stricter"),
    ({"max": 1}, {"max": "2024-01-01"}, "max", "breaking"),
]


@pytest.mark.parametrize(("old", "new", "key", "level"), RULE_CASES)
def test_each_rule(old: dict[str, Any], new: dict[str, Any], key: str, level: str) -> None:
    (change,) = compared(contract({"x": old}), contract({"x": new}))
    assert (change.table, change.column, change.key, change.level.value) == ("orders.ff", "x", key, level)


def test_every_rule_has_a_case() -> None:
    assert {key for *_, key, _ in RULE_CASES} == set(RULES)


def test_columns_and_contracts_that_come_and_go() -> None:
    one, two = contract({"x": {}}), contract({"x": {}, "y": {"nullable": False}})
    assert [(each.column, each.key, each.level.value) for each in compared(two, one)] == [("y", "column", "breaking")]
    assert [(each.column, each.key, each.level.value) for each in compared(one, two)] == [("y", "column", "stricter")]
    assert [(each.key, each.level.value) for each in compared(one, None)] == [("contract", "breaking")]
    assert [(each.key, each.level.value) for each in compared(None, one)] == [("contract", "stricter")]
    only = contract({"x": {}}, allow_extra_columns=False, mode="verify")
    assert [(each.key, each.level.value) for each in compared(only, one)] == [
        ("allow_extra_columns", "breaking"),
        ("mode", "compatible"),
    ]
    assert [each.key for each in compared(one, only)] == ["allow_extra_columns", "mode"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "integer"}, {"type": "integer"}),
        ({"physical": "Numeric (10, 2)"}, {"physical": "decimal(10,2)"}),
        ({"physical": "INT"}, {"physical": "integer"}),
        ({"enum": ("a", "b")}, {"enum": ("b", "a", "a")}),
        ({"description": "old"}, {"description": "new"}),
        ({"min": 1}, {"min": 1.0}),
    ],
)
def test_another_spelling_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert compared(contract({"x": old}), contract({"X": new})) == ()


def test_the_words_of_a_change() -> None:
    old = contract({"x": {"enum": ("a",), "max": 1, "nullable": False}, "gone": {}})
    new = contract({"x": {"enum": ("a", "b"), "nullable": True, "regex": "^a"}})
    assert [f"{one.level.value} {one.column}: {one.words}" for one in compared(old, new)] == [
        "breaking x: nullable is true, and was false",
        "breaking x: enum is [a, b], and was [a]",
        "breaking x: max is not said any more, and was 1",
        "breaking gone: column removed",
        "stricter x: regex is ^a, and was not said",
    ]


bounds = st.none() | st.integers(-3, 3) | st.sampled_from(["2024-01-01", "a"])
columns = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "bigint", "numeric(10,2)"]),
        "physical": st.sampled_from(["int", "text", "odd type"]),
        "nullable": st.booleans(),
        "unique": st.booleans(),
        "enum": st.lists(st.sampled_from(["a", "b", 1, True]), max_size=3).map(tuple),
        "regex": st.sampled_from(["a", "b"]),
        "min": bounds,
        "max": bounds,
    },
)
contracts = st.none() | st.builds(
    contract,
    st.dictionaries(st.sampled_from(["x", "y", "Z"]), columns, max_size=3),
    mode=st.sampled_from(["off", "verify", "cast"]),
    allow_extra_columns=st.booleans(),
)


@QUICK
@given(contracts)
def test_a_contract_compared_with_itself_is_no_change(one: Contract | None) -> None:
    assert compared(one, one) == ()


@QUICK
@given(contracts, contracts)
def test_the_way_back_is_the_other_way_round(one: Contract | None, two: Contract | None) -> None:
    """What is stricter one way is breaking the other way, and what is compatible is so in both."""
    there = {(change.column, change.key): change for change in compared(one, two)}
    back = {(change.column, change.key): change for change in compared(two, one)}
    assert there.keys() == back.keys()
    for place, change in there.items():
        other = back[place]
        assert (change.before, change.after) == (other.after, other.before)
        levels = {change.level, other.level}
        assert levels in ({Level.BREAKING}, {Level.BREAKING, Level.STRICTER}, {Level.COMPATIBLE}), place


@QUICK
@given(contracts, contracts, contracts)
def test_what_breaks_nothing_step_by_step_breaks_nothing_at_once(
    one: Contract | None, two: Contract | None, three: Contract | None
) -> None:
    def breaks(old: Contract | None, new: Contract | None) -> bool:
        return any(change.level is Level.BREAKING for change in compared(old, new))

    if not breaks(one, two) and not breaks(two, three):
        assert not breaks(one, three)


def test_tables_have_rules_too() -> None:
    assert set(OF_TABLES) == {"allow_extra_columns"}
