"""Rows are told apart by a hash that every session computes alike: decisions about them are kept by it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import Session
from flowforge.errors import UnsupportedError
from flowforge.testkit.cases import TypeCase, comparable, read_cases
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Relation

TYPES = read_cases(Path(__file__).parent / "cases" / "types")
CASES = [pytest.param(case, id=case.id, marks=[requires(*case.requires)] if case.requires else []) for case in TYPES]


def hashes(lab: Lab, session: Session, table: Relation, *columns: str) -> list[str]:
    """The hashes of all rows over some columns, in the order of ``nr``; xfails when the engine says that it has none."""
    schema = session.schema_of(table)
    assert schema is not None
    types = {field.name: field.type for field in schema if field.name.casefold() in columns}
    assert len(types) == len(columns)
    try:
        sql = lab.dialect.row_hash(types)
    except UnsupportedError as error:
        pytest.xfail(error.message)
    found = lab.rows(session, f"SELECT {sql} AS h FROM {lab.sql(table)} AS ff_rows ORDER BY {lab.names('nr')}")
    return [value for (value,) in found]


def load(lab: Lab, session: Session, **columns: Any) -> Relation:
    rows = len(next(iter(columns.values())))
    try:
        return lab.table(session, "t", {"nr": pa.array(range(rows), pa.int64()), **columns})
    except UnsupportedError as error:  # test_types.py judges it
        pytest.skip(f"refused: {error.message}")


def test_rows_with_the_same_values_have_one_hash_in_all_sessions(lab: Lab) -> None:
    session = lab.session()
    table = load(lab, session, a=["x", "y", None, "x"], b=[1, 2, None, 1])
    found = hashes(lab, session, table, "a", "b")
    assert found[0] == found[3]
    assert len(set(found)) == 3
    assert all(0 < len(one) <= 64 for one in found)
    assert hashes(lab, lab.session(), table, "a", "b") == found


def test_texts_do_not_run_into_each_other(lab: Lab) -> None:
    values = [None, "", "a", "|", "~", "~n", "~p", "~~", "a|", "|a", "n", "v", "'", "\\", "NULL", "ä"]
    pairs = [(one, other) for one in values for other in values]
    session = lab.session()
    table = load(lab, session, a=[one for one, _ in pairs], b=[other for _, other in pairs])
    found = hashes(lab, session, table, "a", "b")
    assert len(set(found)) == len(pairs)


def test_rows_with_very_many_columns_have_one(lab: Lab) -> None:
    session = lab.session()
    table = load(lab, session, **{f"c{index}": [index, index, index + 1] for index in range(120)})
    found = hashes(lab, session, table, *(f"c{index}" for index in range(120)))
    assert len(set(found)) == 2
    assert found[0] == found[1]


@pytest.mark.parametrize("case", CASES)
def test_no_two_values_of_a_type_share_one(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    table = load(lab, session, v=case.array)
    rows = f"SELECT {lab.names('v')} FROM {lab.sql(table)} ORDER BY {lab.names('nr')}"
    values = [repr(comparable(value)) for (value,) in lab.rows(session, rows)]
    found = hashes(lab, session, table, "v")
    assert None not in found
    for one, other in combinations(range(len(values)), 2):
        if values[one] != values[other]:
            assert found[one] != found[other], f"{values[one]} and {values[other]} look alike"
    assert hashes(lab, lab.session(), table, "v") == found
