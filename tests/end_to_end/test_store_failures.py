"""Failing rows are stored when it is asked for, in place of those before, and never otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from flowforge.events import CheckFinished
from flowforge.run.options import RunOptions
from flowforge.values import Relation

SHOP = {
    "seeds/raw.csv": "id,amount\n1,10\n2,-5\n3,-7\n3,1\n",
    "models/orders.ff.sql": "select * from {{ ref('raw') }}\n",
    "models/checks.yml": """
version: 1
models:
  - name: orders
    checks: [{row_count_between: {min_rows: 9, name: few, severity: warn}}]
    columns:
      - name: id
        checks: [{unique: {name: doubled}}, {not_null: {name: there}}]
      - name: amount
        checks: [{greater_equal: {name: negative, severity: warn}}]
""",
}
STORING = RunOptions(store_failures=True)
DOUBLED, NEGATIVE = "_ff_failures_orders_doubled", "_ff_failures_orders_negative"


def failures(relations: Callable[..., Any], project: Any) -> set[str]:
    return {name for name in relations(project) if name.startswith("_ff_failures")}


def test_a_test_stores_what_fails(
    make: Callable[..., Any], rows: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    project = make(SHOP)
    assert project.seed().ok
    assert project.run().ok
    assert project.test().exit_code == 2
    assert failures(relations, project) == set()
    events: list[Any] = []
    result = project.test(options=STORING, listener=events.append)
    assert result.exit_code == 2
    assert failures(relations, project) == {DOUBLED, NEGATIVE}
    assert rows(project, DOUBLED) == [(3, -7), (3, 1)]
    assert rows(project, NEGATIVE) == [(2, -5), (3, -7)]
    stored = {check.check: check.stored for check in result.checks}
    assert stored == {"few": None, "there": None, "doubled": f"main.{DOUBLED}", "negative": f"main.{NEGATIVE}"}
    assert {event.check: event.stored for event in events if isinstance(event, CheckFinished)} == stored
    assert project.test().exit_code == 2
    assert rows(project, NEGATIVE) == [(2, -5), (3, -7)]
    better = make({**SHOP, "seeds/raw.csv": "id,amount\n1,10\n4,-1\n"})
    assert better.seed().ok
    assert better.run().ok
    assert better.test(options=STORING).ok
    assert failures(relations, better) == {NEGATIVE}
    assert rows(better, NEGATIVE) == [(4, -1)]


def test_a_build_stores_rows_that_were_not_published(
    make: Callable[..., Any], rows: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    project = make(SHOP)
    assert project.build(options=attrs.evolve(STORING, store_failures=False)).exit_code == 2
    assert failures(relations, project) == set()
    result = project.build(options=STORING)
    assert result.exit_code == 2
    assert "orders" not in relations(project)
    assert rows(project, DOUBLED) == [(3, -7), (3, 1)]
    assert rows(project, NEGATIVE) == [(2, -5), (3, -7)]
    (error,) = result.errors
    assert [note for note in error.notes if DOUBLED in str(note)]


def test_what_cannot_be_stored_is_a_warning(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    project = make(SHOP)
    assert project.seed().ok
    assert project.run().ok
    monkeypatch.setattr("flowforge.run.failures.failures_relation", lambda tables, check: Relation("x", "nowhere"))
    for result in (project.test(options=STORING), project.build(options=STORING)):
        assert result.exit_code == 2
        assert {note.code for note in result.notes} == {"FF3028"}
        assert len(result.checks) == 4
