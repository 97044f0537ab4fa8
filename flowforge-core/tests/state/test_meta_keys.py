"""Under which name ``_ff_meta`` knows a relation."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowforge.contract import Dialect
from flowforge.state.meta import relation_key
from flowforge.values import Namespace, Relation


class Standard(Dialect):
    """Folds to capitals, as standard SQL does."""

    name = "standard"

    def fold(self, name: str) -> str:
        return name.upper()

    def type_name(self, type_: object) -> str:
        return "TEXT"


HOME = Namespace("analytics", "db")
DIALECT = Standard()
PARTS = st.text(st.sampled_from('aB."_ 1ß\n\t,é\x7f'), min_size=1, max_size=6)
PLACES = st.none() | PARTS


def key(relation: Relation, namespace: Namespace = HOME) -> str:
    return relation_key(DIALECT, relation, namespace)


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        (Relation("Orders"), "orders"),
        (Relation("orders", "Analytics"), "orders"),
        (Relation("orders", "analytics", "DB"), "orders"),
        (Relation("orders", "other"), "other.orders"),
        (Relation("orders", "other", "db"), "other.orders"),
        (Relation("orders", "analytics", "db2"), "db2.analytics.orders"),
        (Relation("other.orders"), '"other.orders"'),
        (Relation('sa"id'), '"sa""id"'),
        (Relation("two words"), '"two words"'),
    ],
)
def test_it_is_readable(relation: Relation, expected: str) -> None:
    assert key(relation) == expected


def test_without_a_schema_there_is_only_the_name() -> None:
    assert key(Relation("orders"), Namespace()) == "orders"
    assert key(Relation("orders", "s"), Namespace()) == "s.orders"
    assert key(Relation("orders", None, "d"), Namespace()) == 'd."".orders'


@given(one=st.builds(Relation, PARTS, PLACES, PLACES), other=st.builds(Relation, PARTS, PLACES, PLACES))
@example(one=Relation("b", "a"), other=Relation("a.b"))
@example(one=Relation('b"', '"a'), other=Relation('"a"."b"'))
@example(one=Relation("c", "b", "a"), other=Relation("b.c", "a"))
def test_two_relations_have_one_key_exactly_when_they_are_one(one: Relation, other: Relation) -> None:
    def whole(relation: Relation) -> tuple[str, ...]:
        full = relation.within(HOME)
        return tuple(DIALECT.fold(part or "").casefold() for part in (full.database, full.schema, full.name))

    assert (key(one) == key(other)) == (whole(one) == whole(other))
