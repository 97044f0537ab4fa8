"""Arrow values go in by the bulk path and come back equal; literals agree with them.

An engine may refuse a type that is not required. It may never change a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from flowforge.contract import CreateKind, LoadMode, Session
from flowforge.errors import UnsupportedError
from flowforge.testkit.cases import TypeCase, differences, read_cases
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import Relation

CASES = read_cases(Path(__file__).parent / "cases" / "types")


def each(cases: list[TypeCase]) -> list[Any]:
    return [pytest.param(case, id=case.id, marks=[requires(*case.requires)] if case.requires else []) for case in cases]


def load(lab: Lab, session: Session, case: TypeCase) -> Relation:
    columns = {"nr": pa.array(range(len(case.values)), pa.int64()), "v": case.array}
    try:
        return lab.table(session, "kept", columns)
    except UnsupportedError as error:
        if not case.may_be_refused(lab.spec):
            raise
        pytest.xfail(f"refused: {error.message}")


def read(lab: Lab, session: Session, relation: Relation) -> pa.ChunkedArray:
    names = lab.names("nr", "v")
    table = session.query(f"SELECT {names} FROM {lab.sql(relation)} ORDER BY {lab.names('nr')}").read_all()
    assert table.column_names == lab.folded("nr", "v")
    return table.column(1)


@pytest.mark.parametrize("case", each(CASES))
def test_values_come_back(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    relation = load(lab, session, case)
    assert differences(case, read(lab, session, relation), wider=lab.decimals_widen) is None


@pytest.mark.parametrize("case", each(CASES))
def test_values_survive_a_copy_and_an_append(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    relation = load(lab, session, case)
    copy = lab.relation("copy")
    session.create_as(copy, f"SELECT * FROM {lab.sql(relation)}", CreateKind.TABLE)
    more = arrow_table({"nr": pa.array([len(case.values)], pa.int64()), "v": case.array.slice(0, 1)})
    session.load(copy, more.to_reader(), LoadMode.APPEND)
    values, wider = read(lab, session, copy), lab.decimals_widen
    assert differences(case, values.slice(0, len(case.values)), wider=wider) is None
    first = attrs.evolve(case, values=case.values[:1])
    assert differences(first, values.slice(len(case.values)), wider=wider) is None


@pytest.mark.parametrize("case", each(CASES))
def test_the_schema_says_what_the_rows_are(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    relation = load(lab, session, case)
    schema = session.schema_of(relation)
    assert schema is not None
    assert schema.field(1).type == read(lab, session, relation).type


@pytest.mark.parametrize("case", each([case for case in CASES if case.literals]))
def test_literals_equal_the_values(lab: Lab, case: TypeCase) -> None:
    session = lab.session()
    relation = load(lab, session, case)
    column = lab.names("v")
    for nr, value in enumerate(case.array.to_pylist()):
        if value is None:
            continue
        condition = f"{column} = {lab.dialect.literal(value)}"
        found = lab.rows(session, f"SELECT {lab.names('nr')} FROM {lab.sql(relation)} WHERE {condition}")
        assert found == [(nr,)], condition
    nothing = lab.rows(session, f"SELECT {lab.names('nr')} FROM {lab.sql(relation)} WHERE {column} IS NULL")
    assert nothing == [(nr,) for nr, value in enumerate(case.values) if value is None]
