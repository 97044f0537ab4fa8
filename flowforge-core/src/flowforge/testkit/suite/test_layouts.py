"""The columns of a relation as a text, which says the same from both sides and changes only with the columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import Capability, CreateKind, Session
from flowforge.errors import UnsupportedError
from flowforge.testkit.cases import read_cases
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind

CASES = read_cases(Path(__file__).parent / "cases" / "types")
BEFORE = {"id": pa.array([1], pa.int64()), "name": pa.array(["a"])}
AFTER: dict[str, dict[str, Any]] = {
    "a column more": {**BEFORE, "more": pa.array([1], pa.int64())},
    "a column less": {"id": BEFORE["id"]},
    "another name": {"id": BEFORE["id"], "label": BEFORE["name"]},
    "another type": {"id": pa.array(["1"]), "name": BEFORE["name"]},
    "another order": {"name": BEFORE["name"], "id": BEFORE["id"]},
    "swapped types": {"id": BEFORE["name"], "name": BEFORE["id"]},
}


def agreed(lab: Lab, session: Session, relation: Relation) -> str:
    """The layout, after asking for it in both ways."""
    text = session.layout(relation)
    assert text is not None
    assert session.layouts(lab.namespace)[lab.dialect.fold(relation.name)] == text
    return text


def test_tables_of_many_types(lab: Lab) -> None:
    session = lab.session()
    tables = []
    for nr, case in enumerate(CASES):
        try:
            tables.append(lab.table(session, f"t{nr}", {"nr": pa.array([1], pa.int64()), "v": case.array.slice(0, 1)}))
        except UnsupportedError:  # test_types.py judges it
            session.drop(lab.relation(f"t{nr}"), RelationKind.TABLE)
    found = session.layouts(lab.namespace)
    assert sorted(found) == sorted(info.relation.name for info in session.relations(lab.namespace))
    assert len(found) == len(tables)
    for info in session.relations(lab.namespace):
        assert session.layout(info.relation) == found[info.relation.name], info.relation.name


@requires(Capability.VIEWS)
def test_views(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", BEFORE)
    one, other = lab.relation("one"), lab.relation("other")
    session.create_as(one, f"SELECT {lab.names('id')} FROM {lab.sql(table)}", CreateKind.VIEW)
    session.create_as(other, f"SELECT {lab.names('name', 'id')} FROM {lab.sql(table)}", CreateKind.VIEW)
    assert len({agreed(lab, session, relation) for relation in (table, one, other)}) == 3
    assert sorted(session.layouts(lab.namespace)) == lab.folded("one", "other", "t")


@requires(Capability.VIEWS)
def test_a_view_with_other_columns(lab: Lab) -> None:
    session = lab.session()
    view = lab.relation("v")
    session.create_as(view, f"SELECT 1 AS {lab.names('id')}", CreateKind.VIEW)
    before = agreed(lab, session, view)
    session.replace_view(view, f"SELECT 2 AS {lab.names('id')}")
    assert agreed(lab, session, view) == before
    session.replace_view(view, f"SELECT 2 AS {lab.names('nr')}")
    assert agreed(lab, session, view) != before


def test_nothing_has_no_layout(lab: Lab) -> None:
    session = lab.session()
    assert session.layout(lab.relation("ghost")) is None
    assert dict(session.layouts(lab.namespace)) == {}
    table = lab.table(session, "t", BEFORE)
    session.drop(table, RelationKind.TABLE)
    assert session.layout(table) is None
    assert dict(session.layouts(lab.namespace)) == {}


def test_asking_does_no_harm_to_a_transaction(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        table = lab.table(session, "t", BEFORE)
        assert session.layout(lab.relation("ghost")) is None
        inside = session.layout(table)
    assert inside is not None
    assert agreed(lab, session, table) == inside
    assert lab.count(session, table) == 1


@pytest.mark.parametrize("change", list(AFTER))
def test_other_columns_have_another_layout(lab: Lab, change: str) -> None:
    session = lab.session()
    table = lab.table(session, "t", BEFORE)
    before = agreed(lab, session, table)
    other = lab.table(session, "other", AFTER[change])
    staged = agreed(lab, session, other)
    assert staged != before
    session.replace(other, table)
    assert agreed(lab, session, table) == staged


def test_equal_columns_have_one_layout(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", BEFORE)
    before = agreed(lab, session, table)
    session.insert(table, f"SELECT 7 AS {lab.names('id')}, 'x' AS {lab.names('name')}", ["id", "name"])
    assert agreed(lab, session, table) == before
    copy = lab.relation("copy")
    session.create_as(copy, f"SELECT * FROM {lab.sql(table)}", CreateKind.TABLE)
    assert agreed(lab, session, copy) == before
    session.replace(copy, table)
    assert agreed(lab, session, table) == before
    assert lab.session().layout(table) == before


@pytest.mark.parametrize("name", ["two words", "a, b", 'qu"ote', "UPPER", "ünïcödé"])
def test_names_that_are_hard(lab: Lab, name: str) -> None:
    lab.expect_refusal(name, column=True)
    session = lab.session()
    table = lab.table(session, "t", {name: [1]})
    other = lab.table(session, "other", {name + "x": [1]})
    assert agreed(lab, session, table) != agreed(lab, session, other)


@requires(Capability.SCHEMAS)
def test_other_schemas_are_left_out(lab: Lab) -> None:
    session = lab.session()
    lab.table(session, "here", BEFORE)
    other = lab.new_schema()
    there = Relation("there").within(other)
    session.create_as(there, f"SELECT 1 AS {lab.names('id')}", CreateKind.TABLE)
    assert list(session.layouts(lab.namespace)) == lab.folded("here")
    assert list(session.layouts(other)) == lab.folded("there")
    assert session.layouts(other)[lab.dialect.fold(there.name)] == session.layout(there)
    assert session.layout(Relation("here").within(other)) is None
