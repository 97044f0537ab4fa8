"""FlowForge's own tables, when several runs begin at the same moment in a database that has none of them."""

from __future__ import annotations

import threading

import pytest

from flowforge.errors import EngineError
from flowforge.state.making import make_once
from flowforge.values import Relation, RelationKind
from flowforge_plain.fixtures import place as any_place
from flowforge_plain.place import PATIENCE, Place, together

RUNS = 6
ROUNDS = 5

__all__ = ["any_place"]


def test_several_runs_make_a_table_at_once(any_place: Place) -> None:
    executor, barrier = any_place.executor, threading.Barrier(RUNS)
    dialect = executor.dialect
    sessions = [any_place.session() for _ in range(RUNS)]

    def make(index: int) -> None:
        for number in range(ROUNDS):
            table = Relation(f"made_{number}").within(executor.namespace)
            barrier.wait(PATIENCE)
            make_once(sessions[index], dialect, table, {"Some word": "integer"})
            # Whoever comes back may use it at once, whether it was this run that made it or another one.
            assert sessions[index].kind_of(table) is RelationKind.TABLE

    together(RUNS, make)
    for number in range(ROUNDS):
        assert any_place.rows(f"made_{number}") == []


def test_a_table_that_stands_is_left_alone(any_place: Place) -> None:
    session, table = any_place.session(), Relation("stands").within(any_place.executor.namespace)
    dialect = any_place.executor.dialect
    make_once(session, dialect, table, {"x": "integer"})
    session.execute(f"INSERT INTO {dialect.render(table)} VALUES (5)")
    make_once(session, dialect, table, {"y": "integer"})
    assert any_place.rows("stands") == [(5,)]


def test_what_nobody_could_make_is_an_error(any_place: Place) -> None:
    table = Relation("never").within(any_place.executor.namespace)
    with pytest.raises(Exception) as caught:
        make_once(any_place.session(), any_place.executor.dialect, table, {"x": "integer", "X": "integer"})
    error = any_place.executor.error(caught.value)
    assert isinstance(error, EngineError)
    assert any_place.session().kind_of(table) is None
