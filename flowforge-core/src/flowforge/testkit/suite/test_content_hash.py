"""The token that says whether two relations hold the same rows: to the last bit, in whatever order."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import Capability, CreateKind, LoadMode, Session, SupportLevel
from flowforge.errors import UnsupportedError
from flowforge.testkit.cases import TypeCase, comparable, read_cases, read_pairs
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind

pytestmark = requires(Capability.CONTENT_HASH)

CASES = Path(__file__).parent / "cases"
TYPES = read_cases(CASES / "types")
PAIRS = read_pairs(CASES / "rows")


def each(cases: list[Any]) -> list[Any]:
    return [pytest.param(case, id=case.id, marks=[requires(*case.requires)] if case.requires else []) for case in cases]


def token(session: Session, relation: Relation) -> str:
    found = session.content_hash(relation)
    assert found is not None
    return found


def load(lab: Lab, session: Session, name: str, array: pa.Array) -> Relation:
    try:
        return lab.table(session, name, {"nr": pa.array(range(len(array)), pa.int64()), "v": array})
    except UnsupportedError as error:  # test_types.py judges it
        pytest.skip(f"refused: {error.message}")


def kept(lab: Lab, session: Session, relation: Relation) -> list[Any]:
    """The values as the engine keeps them, in the order in which they were loaded."""
    rows = f"SELECT {lab.names('v')} FROM {lab.sql(relation)} ORDER BY {lab.names('nr')}"
    return [comparable(value) for (value,) in lab.rows(session, rows)]


def test_equal_rows_have_one_token(lab: Lab) -> None:
    session = lab.session()
    rows: dict[str, list[Any]] = {"id": [1, 2, None, 2], "name": ["a", None, "", "a"], "v": [0.5, -0.0, 0.0, None]}
    first = token(session, lab.table(session, "one", rows))
    assert token(session, lab.table(session, "other", rows)) == first
    turned = {name: values[::-1] for name, values in rows.items()}
    assert token(session, lab.table(session, "turned", turned)) == first
    halves = lab.table(session, "halves", {name: values[2:] for name, values in rows.items()})
    types = {name: array.type for name, array in zip(rows, arrow_table(rows).columns, strict=True)}
    more = {name: pa.array(values[:2], types[name]) for name, values in rows.items()}
    session.load(halves, arrow_table(more).to_reader(), LoadMode.APPEND)
    assert token(session, halves) == first
    copy = lab.relation("copy")
    session.create_as(copy, f"SELECT * FROM {lab.sql(halves)}", CreateKind.TABLE)
    assert token(lab.session(), copy) == first


def test_it_stays_after_a_replacement_and_a_detour(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1, 2], "name": ["a", "b"]})
    first = token(session, table)
    session.replace(lab.table(session, "staged", {"id": [2, 1], "name": ["b", "a"]}), table)
    assert token(session, table) == first
    session.insert(table, f"SELECT 3 AS {lab.names('id')}, 'c' AS {lab.names('name')}", ["id", "name"])
    assert token(session, table) != first
    session.execute(f"DELETE FROM {lab.sql(table)} WHERE {lab.names('id')} = 3")
    assert token(session, table) == first


@pytest.mark.parametrize("pair", each(PAIRS))
def test_rows_that_differ_in_one_thing(lab: Lab, pair: Any) -> None:
    session = lab.session()
    tables = []
    for name, values in (("one", pair.one), ("other", pair.other)):
        try:
            tables.append(lab.table(session, name, {"v": pa.array(values, pair.type)}))
        except UnsupportedError as error:
            pytest.skip(f"refused: {error.message}")
    one, other = ([comparable(value) for (value,) in lab.rows(session, table)] for table in tables)
    if sorted(map(repr, one)) == sorted(map(repr, other)):
        pytest.skip("the engine does not keep the difference")
    tokens = [session.content_hash(table) for table in tables]
    partial = lab.spec.support(Capability.CONTENT_HASH).level is SupportLevel.PARTIAL
    if partial and pa.types.is_nested(pair.type) and tokens == [None, None]:
        pytest.skip("the engine has no exact hash of this type")
    assert None not in tokens
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("case", each(TYPES))
def test_no_two_values_of_a_type_look_alike(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    table = load(lab, session, "t", case.array)
    values = kept(lab, session, table)
    tokens = []
    for nr in range(len(values)):
        single = lab.relation("single")
        select = f"SELECT {lab.names('v')} FROM {lab.sql(table)} WHERE {lab.names('nr')} = {nr}"
        session.create_as(single, select, CreateKind.TABLE)
        tokens.append(session.content_hash(single))
        assert session.content_hash(single) == tokens[-1]
        session.drop(single, RelationKind.TABLE)
    if not case.required and set(tokens) == {None}:
        pytest.skip("the engine has no exact hash of this type")
    assert None not in tokens
    for one, other in combinations(range(len(values)), 2):
        if repr(values[one]) != repr(values[other]):
            assert tokens[one] != tokens[other], f"{values[one]!r} and {values[other]!r}"


@pytest.mark.parametrize("case", each(TYPES))
def test_the_order_of_the_rows_is_nothing(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    one = load(lab, session, "one", case.array)
    other = lab.relation("other")
    backwards = f"SELECT * FROM {lab.sql(one)} ORDER BY {lab.names('nr')} DESC"
    session.create_as(other, backwards, CreateKind.TABLE)
    assert session.content_hash(one) == session.content_hash(other)


CHANGES: dict[str, dict[str, Any]] = {
    "another value": {"id": [1, 2], "name": ["a", "c"]},
    "a row more": {"id": [1, 2, 3], "name": ["a", "b", "c"]},
    "a row less": {"id": [1], "name": ["a"]},
    "a row twice": {"id": [1, 2, 2], "name": ["a", "b", "b"]},
    "the other row twice": {"id": [1, 1, 2], "name": ["a", "a", "b"]},
    "values that changed rows": {"id": [1, 2], "name": ["b", "a"]},
    "a NULL": {"id": [1, 2], "name": ["a", None]},
    "a row of NULL more": {"id": [1, 2, None], "name": ["a", "b", None]},
    "another name": {"id": [1, 2], "label": ["a", "b"]},
    "another order of columns": {"name": ["a", "b"], "id": [1, 2]},
    "a column more": {"id": [1, 2], "name": ["a", "b"], "more": [None, None]},
    "a column less": {"id": [1, 2]},
    "texts for numbers": {"id": ["1", "2"], "name": ["a", "b"]},
    "no rows": {"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())},
    "no rows of other columns": {"id": pa.array([], pa.int64()), "label": pa.array([], pa.string())},
}


def test_every_change_has_a_token_of_its_own(lab: Lab) -> None:
    session = lab.session()
    tokens = {"before": token(session, lab.table(session, "t", {"id": [1, 2], "name": ["a", "b"]}))}
    for nr, (change, columns) in enumerate(CHANGES.items()):
        tokens[change] = token(session, lab.table(session, f"t{nr}", columns))
    for one, other in combinations(tokens, 2):
        assert tokens[one] != tokens[other], f"{one} / {other}"


def test_uncommitted_rows_count(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    before = token(session, table)
    with session.transaction():
        session.insert(table, f"SELECT 2 AS {lab.names('id')}", ["id"])
        inside = token(session, table)
    assert inside != before
    assert token(lab.session(), table) == inside


def test_many_rows(lab: Lab) -> None:
    session = lab.session()
    rows = 20_000
    columns: dict[str, list[Any]] = {
        "id": list(range(rows)),
        "name": [f"n{nr % 100}" for nr in range(rows)],
        "v": [nr / 7 for nr in range(rows)],
    }
    one = lab.table(session, "one", columns)
    turned = lab.table(session, "turned", {name: values[::-1] for name, values in columns.items()})
    assert token(session, one) == token(session, turned)
    columns["v"][rows // 2] += 1e-9
    assert token(session, lab.table(session, "other", columns)) != token(session, one)
