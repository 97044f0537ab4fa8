"""One view takes the place of another relation."""

from __future__ import annotations

import threading

import pytest

from flowforge.contract import Capability, CreateKind, Session
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind

pytestmark = requires(Capability.VIEWS)


def numbers(lab: Lab, *values: int, column: str = "id") -> str:
    return " UNION ALL ".join(f"SELECT {value} AS {lab.names(column)}" for value in values)


def reader_of(lab: Lab, session: Session, target: Relation) -> Relation:
    view = lab.relation("reader")
    session.create_as(view, f"SELECT {lab.names('id')} FROM {lab.sql(target)}", CreateKind.VIEW)
    return view


def test_nothing_is_replaced(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.replace_view(target, numbers(lab, 1, 2))
    assert session.kind_of(target) is RelationKind.VIEW
    assert lab.rows(session, target) == [(1,), (2,)]


def test_a_view_is_replaced_with_other_columns(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.create_as(target, f"SELECT 1 AS {lab.names('id')}, 'x' AS {lab.names('old')}", CreateKind.VIEW)
    session.replace_view(target, f"SELECT 0.5 AS {lab.names('new')}, 2 AS {lab.names('id')}")
    schema = session.schema_of(target)
    assert schema is not None
    assert schema.names == lab.folded("new", "id")
    assert lab.rows(session, target, "id") == [(2,)]
    assert [info.kind for info in session.relations(lab.namespace)] == [RelationKind.VIEW]


def test_a_table_is_replaced_by_a_view(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "old": ["x"]})
    session.replace_view(target, numbers(lab, 2))
    assert session.kind_of(target) is RelationKind.VIEW
    assert lab.rows(session, target) == [(2,)]


def test_a_view_shows_the_rows_of_its_table(lab: Lab) -> None:
    session = lab.session()
    one, other = lab.table(session, "one", {"id": [1]}), lab.table(session, "other", {"id": [2]})
    target = lab.relation("target")
    session.replace_view(target, f"SELECT * FROM {lab.sql(one)}")
    session.replace_view(target, f"SELECT * FROM {lab.sql(other)}")
    session.insert(other, numbers(lab, 3), ["id"])
    assert lab.rows(lab.session(), target) == [(2,), (3,)]


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.parametrize("was", [RelationKind.TABLE, RelationKind.VIEW])
def test_a_reader_goes_on_working(lab: Lab, was: RelationKind, in_transaction: bool) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.create_as(target, numbers(lab, 1), CreateKind[was.name])
    reader = reader_of(lab, session, target)
    more = f"SELECT 2 AS {lab.names('id')}, 'x' AS {lab.names('more')}"
    if in_transaction:
        with session.transaction():
            session.replace_view(target, more)
    else:
        session.replace_view(target, more)
    assert session.kind_of(reader) is RelationKind.VIEW
    assert lab.rows(session, reader) == [(2,)]
    session.replace_view(target, numbers(lab, 3))
    assert lab.rows(lab.session(), reader) == [(3,)]


@requires(Capability.TRANSACTIONAL_DDL)
@pytest.mark.parametrize("was", [RelationKind.TABLE, RelationKind.VIEW])
def test_a_replacement_is_rolled_back(lab: Lab, was: RelationKind) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.create_as(target, numbers(lab, 1), CreateKind[was.name])
    reader = reader_of(lab, session, target)
    with lab.given_up(session):
        session.replace_view(target, numbers(lab, 2))
        assert lab.rows(session, target) == [(2,)]
    assert session.kind_of(target) is was
    assert lab.rows(session, target) == [(1,)]
    assert lab.rows(session, reader) == [(1,)]


def test_a_replacement_that_fails_leaves_the_old_view(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.replace_view(target, numbers(lab, 1))
    with lab.refused(ErrorKind.SYNTAX):
        session.replace_view(target, "SELECT FROM FROM x")
    assert session.kind_of(target) is RelationKind.VIEW
    assert lab.rows(session, target) == [(1,)]


@requires(Capability.ERROR_POSITION)
def test_the_position_is_where_the_mistake_is(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.replace_view(target, numbers(lab, 1))
    select = f"-- ghost_column\nSELECT {lab.names('id')},\n  ghost_column FROM ({numbers(lab, 2)}) parts"
    with lab.refused(ErrorKind.MISSING) as refusal:
        session.replace_view(target, select)
    assert refusal.error.position == select.rindex("ghost_column")
    assert lab.rows(session, target) == [(1,)]


@requires(Capability.PARALLEL_SESSIONS, telling=False)
def test_another_session_always_finds_the_view(lab: Lab) -> None:
    session, other = lab.session(), lab.session()
    target = lab.relation("target")
    session.replace_view(target, numbers(lab, 0))
    done = threading.Event()

    def watch() -> set[int]:
        seen = set()
        while not done.is_set():
            ((value,),) = lab.rows(other, target)
            seen.add(int(value))
        return seen

    watching = lab.start(watch)
    try:
        for value in range(1, 15):
            session.replace_view(target, numbers(lab, value))
    finally:
        done.set()
    assert watching.result() <= set(range(15))
