"""Contracts on this engine: a cast keeps every value or is refused, and what stands there stays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import Capability, CreateKind, LoadMode, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.materialize.casting import Casting, Target
from flowforge.materialize.column_types import ColumnTypes
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import Location, Relation

HERE = Location("t.contracts.yml", 1, 1)
STRICT = requires(Capability.STRICT_CASTS, telling=False)


def casting(lab: Lab, **words: str) -> Casting:
    targets = tuple(Target(column, None, word, HERE) for column, word in words.items())
    return Casting("t", targets, HERE, lab.dialect, "run1", lab.executor.error)


def cast(lab: Lab, session: Session, source: Relation, **words: str) -> Relation:
    made = lab.relation("cast")
    select = f"SELECT * FROM {lab.sql(source)}"
    casting(lab, **words).create(session, made, select, CreateKind.TABLE, TableOptions())
    return made


def leftovers(lab: Lab, session: Session) -> list[str]:
    return [info.relation.name for info in session.relations(lab.namespace) if "ff__" in info.relation.name.lower()]


@STRICT
def test_a_cast_that_keeps_every_value(lab: Lab) -> None:
    session = lab.session()
    values = {
        "z": pa.array([1, None, 3], pa.int32()),
        "text": pa.array(["7", None, "-12"], pa.string()),
        "half": pa.array([2.0, None, 5.0], pa.float64()),
        lab.allowed('awk"ward'): pa.array(["x", "y", None], pa.string()),
    }
    source = lab.table(session, "source", values)
    made = cast(lab, session, source, z="bigint", text="bigint", half="integer")
    columns = ColumnTypes(session, lab.dialect, f"SELECT * FROM {lab.sql(made)}")
    assert list(columns.names) == lab.folded(*values)
    assert [
        columns.is_of(columns.names[place], word) for place, word in enumerate(("bigint", "bigint", "integer"))
    ] == [
        True,
        True,
        True,
    ]
    found = {tuple(map(str, row)) for row in lab.rows(session, made)}
    assert found == {("1", "7", "2", "x"), ("None", "None", "None", "y"), ("3", "-12", "5", "None")}
    assert leftovers(lab, session) == []


def skip_if_one_type(lab: Lab, session: Session, source: Relation, word: str) -> None:
    """Some engines have fewer types than there are words: nothing is cast then."""
    columns = ColumnTypes(session, lab.dialect, f"SELECT * FROM {lab.sql(source)}")
    if columns.is_of(columns.names[0], word):
        pytest.skip("the engine has one type for both")


LOSSES: list[tuple[str, Any, str]] = [
    ("a fraction", pa.array([2.0, 1.7], pa.float64()), "integer"),
    ("zeros in front", pa.array(["7", "007"], pa.string()), "integer"),
    ("no number", pa.array(["7", "seven"], pa.string()), "integer"),
    ("too large", pa.array([1, 10**12], pa.int64()), "smallint"),
]


@STRICT
@pytest.mark.parametrize(("values", "word"), [pytest.param(*rest, id=name) for name, *rest in LOSSES])
def test_a_cast_that_loses_is_refused(lab: Lab, values: pa.Array, word: str) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"v": values})
    skip_if_one_type(lab, session, source, word)
    with pytest.raises(ModelExecutionError) as caught:
        cast(lab, session, source, v=word)
    assert (caught.value.code, caught.value.location) == ("FF3064", HERE)
    fresh = lab.session()
    assert fresh.kind_of(lab.relation("cast")) is None
    assert leftovers(lab, fresh) == []


@requires(Capability.STRICT_CASTS, Capability.EXACT_DECIMALS, telling=False)
def test_digits_are_not_rounded(lab: Lab) -> None:
    import decimal

    session = lab.session()
    values = pa.array([decimal.Decimal("1.250"), decimal.Decimal("1.255")], pa.decimal128(10, 3))
    source = lab.table(session, "source", {"v": values})
    skip_if_one_type(lab, session, source, "numeric(10,2)")
    with pytest.raises(ModelExecutionError) as caught:
        cast(lab, session, source, v="numeric(10,2)")
    assert caught.value.code == "FF3064"


@STRICT
@requires(Capability.VIEWS)
def test_a_view_is_cast_only_where_no_value_can_change(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"v": pa.array([1], pa.int64())})
    select = f"SELECT * FROM {lab.sql(source)}"
    with pytest.raises(ModelExecutionError) as caught:
        casting(lab, v="string").view(session, select)
    assert caught.value.code == "FF3065"
    assert casting(lab, v="bigint").view(session, select) == select


@STRICT
@pytest.mark.parametrize(("word", "kept"), [("bigint", 7), ("string", "7")])
def test_rows_that_were_written_are_cast_too(lab: Lab, word: str, kept: int | str) -> None:
    session, made = lab.session(), lab.relation("cast")

    def write(session: Session, relation: Relation) -> int:
        return session.load(relation, arrow_table({"v": pa.array(["7"])}).to_reader(), LoadMode.CREATE)

    assert casting(lab, v=word).written(write, TableOptions())(session, made) == 1
    assert lab.rows(session, made) == [(kept,)]
    assert leftovers(lab, session) == []
