"""The token that says whether a relation's data may have changed."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind


@requires(Capability.SOURCE_STATE)
def test_it_stays_while_nothing_is_written(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1], "name": ["a"]})
    first = session.source_state(table)
    assert first is not None
    lab.rows(session, table)
    session.schema_of(table)
    session.layouts(lab.namespace)
    assert session.source_state(table) == first
    assert lab.session().source_state(table) == first


@requires(Capability.SOURCE_STATE)
@pytest.mark.parametrize("change", ["insert", "insert again", "update", "update to NULL", "delete", "replace"])
def test_it_changes_with_the_data(lab: Lab, change: str) -> None:
    session, other = lab.session(), lab.session()
    table = lab.table(session, "t", {"id": list(range(10)), "v": [0.0] * 10})
    name, column, key = lab.sql(table), lab.names("v"), lab.names("id")
    seen = [session.source_state(table)]
    for value in range(5):
        if change == "insert":
            other.insert(table, f"SELECT {value} AS {key}, {value}.5 AS {column}", ["id", "v"])
        elif change == "insert again":
            other.insert(table, f"SELECT 1 AS {key}, 0.0 AS {column}", ["id", "v"])
        elif change == "update":
            other.execute(f"UPDATE {name} SET {column} = {column} + 0.5 WHERE {key} = 3")
        elif change == "update to NULL":
            other.execute(f"UPDATE {name} SET {column} = NULL WHERE {key} = {value}")
        elif change == "delete":
            other.execute(f"DELETE FROM {name} WHERE {key} = {value}")
        else:
            other.replace(lab.table(other, "staged", {"id": [value], "v": [0.0]}), table)
        seen.append(session.source_state(table))
    assert None not in seen
    assert len(set(seen)) == len(seen)


@requires(Capability.SOURCE_STATE)
def test_it_changes_inside_of_a_transaction_that_is_committed(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    before = session.source_state(table)
    with session.transaction():
        session.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
    after = session.source_state(table)
    assert after is not None
    assert after != before


@requires(Capability.SOURCE_STATE, Capability.VIEWS)
def test_a_view_is_unknown_or_changes_with_its_table(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    assert session.source_state(table) is not None
    view = lab.relation("v")
    session.create_as(view, f"SELECT * FROM {lab.sql(table)}", CreateKind.VIEW)
    before = session.source_state(view)
    session.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert before is None or session.source_state(view) != before


def test_nothing_has_no_state(lab: Lab) -> None:
    session = lab.session()
    assert session.source_state(lab.relation("ghost")) is None
    table = lab.table(session, "t", {"id": [1]})
    session.drop(table, RelationKind.TABLE)
    assert session.source_state(table) is None
