"""One table takes the place of another relation."""

from __future__ import annotations

import threading

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind


def test_nothing_is_replaced(lab: Lab) -> None:
    session = lab.session()
    staged = lab.table(session, "staged", {"id": [1]})
    session.replace(staged, lab.relation("target"))
    assert lab.rows(session, lab.relation("target")) == [(1,)]
    assert session.kind_of(staged) is None


def test_a_table_is_replaced_with_other_columns(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "old": ["x"]})
    session.replace(lab.table(session, "staged", {"new": [0.5], "id": [2]}), target)
    schema = session.schema_of(target)
    assert schema is not None
    assert schema.names == lab.folded("new", "id")
    assert lab.rows(session, target, "id", "new") == [(2, 0.5)]
    assert [info.relation.name for info in session.relations(lab.namespace)] == lab.folded("target")


@requires(Capability.VIEWS)
def test_a_view_is_replaced_by_a_table(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.create_as(target, f"SELECT 1 AS {lab.names('id')}", CreateKind.VIEW)
    session.replace(lab.table(session, "staged", {"id": [2]}), target)
    assert session.kind_of(target) is RelationKind.TABLE
    assert lab.rows(session, target) == [(2,)]


@requires(Capability.VIEWS)
def test_a_dependent_view_shows_the_new_rows(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1]})
    view = lab.relation("dependent")
    session.create_as(view, f"SELECT {lab.names('id')} FROM {lab.sql(target)}", CreateKind.VIEW)
    session.replace(lab.table(session, "staged", {"id": [2, 3]}), target)
    assert session.kind_of(view) is RelationKind.VIEW
    assert lab.rows(session, view) == [(2,), (3,)]


def test_replacing_many_times(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    for value in range(5):
        session.replace(lab.table(session, "staged", {"id": [value]}), target)
    assert lab.rows(session, target) == [(4,)]


@requires(Capability.ATOMIC_REPLACE)
def test_a_replacement_that_fails_leaves_the_old_table(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1]})
    with lab.refused():
        session.replace(lab.relation("ghost"), target)
    assert lab.rows(session, target) == [(1,)]


@requires(Capability.ATOMIC_REPLACE, Capability.PARALLEL_SESSIONS, telling=False)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_reader_sees_the_old_or_the_new_table(lab: Lab, in_transaction: bool) -> None:
    session, reader = lab.session(), lab.session()
    target = lab.table(session, "target", {"v": [0] * 1000})
    done = threading.Event()
    v = lab.names("v")

    def watch() -> set[tuple[int, int, int]]:
        seen = set()
        while not done.is_set():
            row = lab.rows(reader, f"SELECT COUNT(*) AS a, MIN({v}) AS b, MAX({v}) AS c FROM {lab.sql(target)}")[0]
            seen.add((int(row[0]), int(row[1]), int(row[2])))
        return seen

    watching = lab.start(watch)
    try:
        for value in range(1, 15):
            if in_transaction:
                with session.transaction():
                    session.replace(lab.table(session, "staged", {"v": [value] * 1000}), target)
            else:
                session.replace(lab.table(session, "staged", {"v": [value] * 1000}), target)
    finally:
        done.set()
    for count, low, high in watching.result():
        assert count == 1000
        assert low == high
