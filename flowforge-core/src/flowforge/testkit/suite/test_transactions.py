"""What a transaction holds together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flowforge.contract import Capability, CreateKind, LoadMode
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind


def test_a_commit_keeps_everything(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        table = lab.table(session, "t", {"id": [1]})
        session.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(lab.session(), table) == [(1,), (2,)]


def test_own_changes_are_seen_inside(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        staged = lab.table(session, "staged", {"id": [1]})
        target = lab.relation("target")
        session.replace(staged, target)
        assert session.kind_of(target) is RelationKind.TABLE
        assert session.kind_of(staged) is None
        assert lab.rows(session, target) == [(1,)]
        assert len(session.relations(lab.namespace)) == 1


@requires(Capability.TRANSACTIONAL_DDL)
def test_a_created_table_is_rolled_back(lab: Lab) -> None:
    session = lab.session()
    with lab.given_up(session):
        session.create_as(lab.relation("t"), f"SELECT 1 AS {lab.names('id')}", CreateKind.TABLE)
    assert session.kind_of(lab.relation("t")) is None


@requires(Capability.TRANSACTIONAL_DDL)
def test_a_loaded_table_is_rolled_back(lab: Lab) -> None:
    session = lab.session()
    with lab.given_up(session):
        lab.table(session, "t", {"id": [1]})
    assert session.kind_of(lab.relation("t")) is None


@requires(Capability.TRANSACTIONAL_DDL)
def test_a_dropped_table_comes_back(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    with lab.given_up(session):
        session.drop(table, RelationKind.TABLE)
        assert session.kind_of(table) is None
    assert lab.rows(session, table) == [(1,)]


@requires(Capability.TRANSACTIONAL_DDL, telling=False)
def test_inserted_rows_are_rolled_back(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    with lab.given_up(session):
        session.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(session, table) == [(1,)]


@requires(Capability.TRANSACTIONAL_DDL, Capability.VIEWS)
def test_publishing_is_all_or_nothing(lab: Lab) -> None:
    """Stage, replace, note: the steps of a publication, given up at the very end."""
    session = lab.session()
    target = lab.table(session, "target", {"id": [1]})
    notes = lab.table(session, "notes", {"id": [1]})
    session.create_as(lab.relation("seen"), f"SELECT * FROM {lab.sql(target)}", CreateKind.VIEW)
    with lab.given_up(session):
        session.replace(lab.table(session, "staged", {"id": [2]}), target)
        session.insert(notes, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(session, target) == [(1,)]
    assert lab.rows(session, lab.relation("seen")) == [(1,)]
    assert lab.rows(session, notes) == [(1,)]
    assert len(session.relations(lab.namespace)) == 3


@requires(Capability.TRANSACTIONAL_DDL)
def test_an_error_of_the_engine_rolls_back_and_the_session_goes_on(lab: Lab) -> None:
    session = lab.session()
    with lab.refused(ErrorKind.MISSING), session.transaction():
        lab.table(session, "t", {"id": [1]})
        session.execute(f"INSERT INTO {lab.sql(lab.relation('ghost'))} SELECT 1")
    assert session.kind_of(lab.relation("t")) is None
    with session.transaction():
        table = lab.table(session, "t", {"id": [2]})
    assert lab.rows(session, table) == [(2,)]


@requires(Capability.TRANSACTIONAL_DDL)
def test_closing_a_session_gives_up_its_transaction(lab: Lab) -> None:
    session = lab.session()
    transaction = session.transaction()
    transaction.__enter__()
    lab.table(session, "t", {"id": [1]})
    session.close()
    assert lab.session().kind_of(lab.relation("t")) is None


@requires(Capability.TRANSACTIONAL_DDL, Capability.PARALLEL_SESSIONS)
def test_others_see_nothing_before_the_commit(lab: Lab) -> None:
    session, other = lab.session(), lab.session(timeout=5)
    target = lab.table(session, "target", {"id": [1]})
    with session.transaction():
        session.replace(lab.table(session, "staged", {"id": [2]}), lab.relation("fresh"))
        session.insert(target, f"SELECT 2 AS {lab.names('id')}", ["id"])
        assert other.kind_of(lab.relation("fresh")) is None
        assert lab.rows(other, target) == [(1,)]
        independent = lab.table(other, "independent", {"id": [3]})
    assert lab.rows(other, target) == [(1,), (2,)]
    assert lab.rows(other, lab.relation("fresh")) == [(2,)]
    assert lab.rows(session, independent) == [(3,)]


@pytest.mark.parametrize("made", ["query", "load"])
def test_many_rows_are_added_to_a_table_that_was_made_without_any(lab: Lab, made: str) -> None:
    """More than an engine puts into one block, then a few, and all of them are read before the commit."""
    session, many = lab.session(), 130_000
    source = lab.table(session, "source", {"id": list(range(many)), "v": [number % 10 for number in range(many)]})
    target, copy, names = lab.relation("target"), lab.relation("copy"), lab.names("id", "v")
    with session.transaction():
        if made == "query":
            session.create_as(target, f"SELECT {names} FROM {lab.sql(source)} WHERE 1 = 0", CreateKind.TABLE)
        else:
            session.load(target, arrow_table({"id": [1], "v": [1]}).slice(0, 0).to_reader(), LoadMode.CREATE)
        session.insert(target, f"SELECT {names} FROM {lab.sql(source)}", ["id", "v"])
        few = f"SELECT {names} FROM {lab.sql(source)} WHERE {lab.names('id')} < 3"
        session.insert(target, few, ["id", "v"])
        assert lab.count(session, target) == many + 3
        session.create_as(copy, f"SELECT {names} FROM {lab.sql(target)}", CreateKind.TABLE)
    assert (lab.count(session, target), lab.count(session, copy)) == (many + 3, many + 3)


@requires(Capability.TRANSACTIONAL_DDL, telling=False)
def test_a_row_of_our_own_takes_the_place_of_those_with_its_key(lab: Lab) -> None:
    session, dialect, table = lab.session(), lab.dialect, lab.relation("notes")
    kinds = {"name": "string", "noted_at": "timestamp[us]", "number": "int64"}
    session.create_table(dialect, table, {name: dialect.plain_type(kind) for name, kind in kinds.items()})
    noon, marks = dt.datetime(2024, 5, 6, 12, 0, 0, 123456), "? $1 %s :x 'y' \\"  # noqa: DTZ001
    rows: list[list[Any]] = [["a", noon, 1], ["a", None, 2], [marks, noon, 3], [None, noon, 4]]
    session.add_rows(dialect, table, list(kinds), rows)
    for key, expected in ({"name": "a"}, [1, 2]), ({"name": "a", "number": 2}, [2]), ({"name": marks}, [3]):
        assert sorted(session.find_rows(dialect, table, ["number"], key)) == [(number,) for number in expected]
    for number in (7, 8):
        with session.transaction():
            session.exchange_rows(dialect, table, ["number", "name"], [number, "a"], {"name": "a"})
            assert session.find_rows(dialect, table, ["name", "number"], {"name": "a"}) == [("a", number)]
    with lab.given_up(session):
        session.exchange_rows(dialect, table, ["number", "name"], [9, "a"], {"name": marks})
    found = lab.session().find_rows(dialect, table, ["number"], {"name": "a"})
    assert (found, lab.count(session, table)) == ([(8,)], 3)
    assert session.find_rows(dialect, table, ["number"], {"name": "A"}) == []
