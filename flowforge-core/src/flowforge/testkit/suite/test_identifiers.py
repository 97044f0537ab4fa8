"""Names of relations and columns: whatever a project calls them, they arrive and come back, and never become SQL.

An engine that has no such names refuses them. It may never take another one.
"""

from __future__ import annotations

import pytest

from flowforge.testkit.lab import Lab
from flowforge.values import Relation, RelationKind

NAMES = {
    "reserved": "select",
    "reserved-too": "order",
    "space": "two words",
    "dot": "a.b",
    "double-quote": 'say "yes"',
    "single-quote": "it's",
    "backtick": "back`tick",
    "backslash": "back\\slash",
    "semicolon": "a;b",
    "comment": "a--b",
    "block-comment": "a/*b*/",
    "percent": "100% %s %(x)s",
    "braces": "{{ x }} {0}",
    "colon": ":name",
    "question-mark": "why?",
    "digit-first": "2024",
    "umlauts": "ünïcödé",
    "other-scripts": "日本語",
    "emoji": "🦆",
    "injection": 'x"; DROP TABLE victim; --',
}
hostile = pytest.mark.parametrize("name", list(NAMES.values()), ids=list(NAMES))


@hostile
def test_a_relation_may_have_any_name(lab: Lab, name: str) -> None:
    lab.expect_refusal(name)
    session = lab.session()
    victim = lab.table(session, "victim", {"id": [1]})
    relation = lab.table(session, name, {"id": [1, 2]})
    assert lab.rows(session, relation) == [(1,), (2,)]
    assert session.kind_of(relation) is RelationKind.TABLE
    listed = [info.relation.name for info in session.relations(lab.namespace)]
    assert sorted(listed) == sorted(lab.folded("victim", name))
    session.drop(relation, RelationKind.TABLE)
    assert session.kind_of(relation) is None
    assert lab.count(session, victim) == 1


@hostile
def test_a_column_may_have_any_name(lab: Lab, name: str) -> None:
    lab.expect_refusal(name, column=True)
    session = lab.session()
    relation = lab.table(session, "t", {name: [1, None]})
    schema = session.schema_of(relation)
    assert schema is not None
    assert schema.names == lab.folded(name)
    quoted = lab.dialect.quote(name)
    assert lab.rows(session, f"SELECT {quoted} FROM {lab.sql(relation)} WHERE {quoted} IS NOT NULL") == [(1,)]


@hostile
def test_any_name_can_be_replaced(lab: Lab, name: str) -> None:
    lab.expect_refusal(name)
    session = lab.session()
    relation = lab.table(session, name, {"id": [1]})
    staged = lab.table(session, "staged", {"id": [2]})
    session.replace(staged, relation)
    assert lab.rows(session, relation) == [(2,)]


def test_sql_typed_by_hand_finds_what_was_built(lab: Lab) -> None:
    """A relation is found when its name is typed without quotes, in the case in which the project has it."""
    session = lab.session()
    relation = lab.table(session, "MixedCase", {"SomeId": [7]})
    place = lab.sql(relation).removesuffix(lab.dialect.quote("MixedCase"))
    assert place != lab.sql(relation)
    assert lab.rows(session, f"SELECT SomeId FROM {place}MixedCase") == [(7,)]


def test_names_of_any_length_that_the_dialect_allows(lab: Lab) -> None:
    limit = lab.dialect.max_identifier_bytes or 120
    session = lab.session()
    first = lab.table(session, "n" * (limit - 1) + "a", {"id": [1]})
    second = lab.table(session, "n" * (limit - 1) + "b", {"id": [2]})
    assert lab.rows(session, first) == [(1,)]
    assert lab.rows(session, second) == [(2,)]
    assert len(session.relations(lab.namespace)) == 2


def test_a_dot_in_a_name_is_no_path(lab: Lab) -> None:
    lab.expect_refusal("a.b")
    session = lab.session()
    lab.table(session, "a.b", {"id": [1]})
    assert session.kind_of(Relation("b", "a", lab.namespace.database)) is None
