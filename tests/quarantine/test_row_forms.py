"""What a check counts and which rows it would put aside are one opinion, whatever the rows."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.checks.builtin import CHECKS
from flowforge.checks.execute import run_checks
from flowforge.checks.plan import BoundCheck
from flowforge.contract import CheckContext, LoadMode
from flowforge.project.manifest import CheckDecl
from flowforge.values import Location, RelationKind
from flowforge_plain.place import Place, open_place

SPECS = {spec.name: spec for spec in CHECKS}
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
numbers = st.one_of(st.none(), st.integers(0, 3))
tables = st.lists(st.tuples(numbers, numbers), max_size=7)
conditions = st.sampled_from([None, '"k" >= 1', '"v" IS NULL'])
QUICK = settings(derandomize=True, deadline=None, max_examples=15)


@pytest.fixture(scope="module", params=["duckdb", "plain"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = open_place(request.param, tmp_path_factory.mktemp("forms"))
    yield made
    made.close()


def load(place: Place, name: str, rows: Sequence[tuple[Any, Any]]) -> str:
    relation, session = place.relation(name), place.session()
    session.drop(relation, RelationKind.TABLE)
    table = pa.table(
        {"k": pa.array([row[0] for row in rows], pa.int64()), "v": pa.array([row[1] for row in rows], pa.int64())}
    )
    session.load(relation, table.to_reader(), LoadMode.CREATE)
    return place.executor.dialect.render(relation)


def counted(place: Place, sql: str, bound: BoundCheck, other: str) -> int:
    """How many failures the check counts."""
    (outcome,) = run_checks(
        place.session(), place.executor.error, place.executor.dialect, sql, [bound], NOW, lambda check, name: other
    )
    assert outcome.error is None, outcome.message
    assert outcome.failures is not None
    return outcome.failures


def chosen(place: Place, sql: str, bound: BoundCheck, other: str) -> Counter[tuple[Any, ...]]:
    """The rows that the check would put aside."""
    write = bound.spec.row_condition
    assert write is not None
    condition = write(CheckContext(place.executor.dialect, sql, bound.check.params, lambda name: other))
    flagged = f'SELECT "k", "v", CASE WHEN ({condition}) THEN 1 ELSE 0 END AS bad FROM {sql} AS ff__source'
    return Counter(place.rows(f'SELECT "k", "v" FROM ({flagged}) AS ff_rows WHERE bad = 1'))


def bound(type_: str, **params: Any) -> BoundCheck:
    spec = SPECS[type_]
    return BoundCheck(CheckDecl(type_, type_, "t", spec.params(**params), Location("t.yml")), spec)


@QUICK
@given(rows=tables, parents=tables, where=conditions, to_where=conditions)
def test_relationships(place: Place, rows: Any, parents: Any, where: str | None, to_where: str | None) -> None:
    sql, other = load(place, "t", rows), load(place, "parents", parents)
    check = bound("relationships", column="k", to="parents", to_field="k", where=where, to_where=to_where)
    found = chosen(place, sql, check, other)
    assert found.total() == counted(place, sql, check, other)
    query = check.spec.query
    assert query is not None
    said = query(CheckContext(place.executor.dialect, sql, check.check.params, lambda name: other))
    assert found == Counter(place.rows(f'SELECT "k", "v" FROM ({said}) AS ff_rows'))


@QUICK
@given(rows=tables, where=conditions, columns=st.sampled_from([("k",), ("k", "v")]))
def test_unique(place: Place, rows: Any, where: str | None, columns: tuple[str, ...]) -> None:
    sql = load(place, "t", rows)
    check = bound("unique", columns=columns, where=where)
    found = chosen(place, sql, check, "")
    groups = {row[: len(columns)] for row in found}
    assert len(groups) == counted(place, sql, check, "")
    assert all(sum(count for row, count in found.items() if row[: len(columns)] == group) > 1 for group in groups)


@QUICK
@given(rows=tables, where=conditions)
@pytest.mark.parametrize(
    ("type_", "params"),
    [
        ("not_null", {"column": "k"}),
        ("accepted_values", {"column": "k", "values": (1, 2)}),
        ("between", {"column": "k", "min": 1, "max": 2}),
        ("expression", {"expression": "v > 1"}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_checks_of_rows(place: Place, type_: str, params: dict[str, Any], rows: Any, where: str | None) -> None:
    sql = load(place, "t", rows)
    check = bound(type_, where=where, **params)
    assert chosen(place, sql, check, "").total() == counted(place, sql, check, "")
