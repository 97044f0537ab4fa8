"""The token that says whether a relation's data may have changed."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind


@requires(Capability.SOURCE_STATE)
def test_it_stays_while_nothing_is_written(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    first = session.source_state(table)
    assert first is not None
    lab.rows(session, table)
    assert session.source_state(table) == first
    assert lab.session().source_state(table) == first


@requires(Capability.SOURCE_STATE)
@pytest.mark.parametrize("change", ["insert", "replace", "delete"])
def test_it_changes_with_the_data(lab: Lab, change: str) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    seen = [session.source_state(table)]
    for value in range(5):
        if change == "insert":
            session.insert(table, f"SELECT {value} AS {lab.names('id')}", ["id"])
        elif change == "replace":
            session.replace(lab.table(session, "staged", {"id": [1]}), table)
        else:
            session.insert(table, f"SELECT {value + 10} AS {lab.names('id')}", ["id"])
            session.execute(f"DELETE FROM {lab.sql(table)} WHERE {lab.names('id')} = {value + 10}")
        seen.append(session.source_state(table))
    assert None not in seen
    assert len(set(seen)) == len(seen)


def test_nothing_has_no_state(lab: Lab) -> None:
    session = lab.session()
    assert session.source_state(lab.relation("ghost")) is None
    table = lab.table(session, "t", {"id": [1]})
    session.drop(table, RelationKind.TABLE)
    assert session.source_state(table) is None
