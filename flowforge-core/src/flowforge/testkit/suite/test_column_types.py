"""What the engine calls the types of columns: a word names its own type, spellings are no matter, and lengths count."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.checks.builtin import CHECKS
from flowforge.checks.execute import BoundCheck, CheckOutcome, run_checks
from flowforge.contract import Capability, SupportLevel
from flowforge.errors import UnsupportedError
from flowforge.materialize.column_types import ColumnTypes
from flowforge.project.manifest import CheckDecl
from flowforge.testkit.cases import TypeCase, read_cases
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Location

NOW = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
SPECS = {spec.name: spec for spec in CHECKS}
CASES = read_cases(Path(__file__).parent / "cases" / "types")
AWKWARD = 'awk"ward'
COLUMNS = {
    "id": pa.array([1, 2], pa.int64()),
    "name": pa.array(["a", None], pa.string()),
    "at": pa.array([dt.date(2024, 1, 1), None], pa.date32()),
    AWKWARD: pa.array([0.5, 1.0], pa.float64()),
}


def columns(lab: Lab, values: dict[str, pa.Array]) -> ColumnTypes:
    session = lab.session()
    table = lab.table(session, "typed", {lab.allowed(name): array for name, array in values.items()})
    return ColumnTypes(session, lab.dialect, f"SELECT * FROM {lab.sql(table)}")


def each(cases: list[TypeCase]) -> list[Any]:
    return [pytest.param(case, id=case.id, marks=[requires(*case.requires)] if case.requires else []) for case in cases]


@pytest.mark.parametrize("case", each(CASES))
def test_a_word_names_its_own_type(lab: Lab, case: TypeCase) -> None:
    try:
        found = columns(lab, {"v": case.array})
    except UnsupportedError as error:
        if not case.may_be_refused(lab.spec):
            raise
        pytest.xfail(f"refused: {error.message}")
    (name,) = found.names
    assert name == lab.dialect.fold("v")
    word = found.word_of(name)
    assert found.word_for(word) == word
    if not pa.types.is_null(case.array.type):
        assert found.word_for(case.array.type) == word


def test_types_are_told_apart(lab: Lab) -> None:
    found = columns(lab, COLUMNS)
    assert len({found.word_of(name) for name in found.names}) == len(COLUMNS)


@requires(Capability.EXACT_DECIMALS)
def test_the_digits_of_decimals_count(lab: Lab) -> None:
    support = lab.spec.support(Capability.EXACT_DECIMALS)
    if support.level is SupportLevel.PARTIAL:
        pytest.skip(support.reason)
    types = [pa.decimal128(10, 2), pa.decimal128(10, 3), pa.decimal128(12, 2)]
    found = columns(lab, {f"d{place}": pa.array([None], type_) for place, type_ in enumerate(types)})
    assert len({found.word_of(name) for name in found.names}) == len(types)


def test_a_word_that_names_no_type_is_refused(lab: Lab) -> None:
    found = columns(lab, COLUMNS)
    with lab.refused():
        found.word_for("no_such_type_anywhere")


def asked(lab: Lab, type_: str, name: str = "typed", **params: Any) -> CheckOutcome:
    session = lab.session()
    table = lab.table(session, name, {lab.allowed(column): array for column, array in COLUMNS.items()})
    params["column"] = lab.allowed(params["column"])
    decl = CheckDecl(type_, type_, "t", SPECS[type_].params(**params), Location("t.yml"), column=params["column"])
    (outcome,) = run_checks(
        session, lab.executor.error, lab.dialect, lab.sql(table), [BoundCheck(decl, SPECS[type_])], NOW
    )
    return outcome


@pytest.mark.parametrize(
    ("type_", "params", "status"),
    [
        ("column_type", {"column": "id", "type": "bigint"}, "pass"),
        ("column_type", {"column": "ID", "type": "bigint"}, "pass"),
        ("column_type", {"column": "name", "type": "text"}, "pass"),
        ("column_type", {"column": "at", "type": "date"}, "pass"),
        ("column_type", {"column": AWKWARD, "type": "double"}, "pass"),
        ("column_type", {"column": "id", "type": "string"}, "fail"),
        ("column_type", {"column": "name", "type": "date"}, "fail"),
        ("column_type", {"column": "ghost", "type": "date"}, "fail"),
        ("column_exists", {"column": AWKWARD}, "pass"),
        ("column_exists", {"column": "ghost"}, "fail"),
        ("column_physical_type", {"column": "ghost", "physical": "int"}, "fail"),
        ("column_physical_type", {"column": "id", "physical": "no_such_type_anywhere"}, "error"),
    ],
)
def test_checks_of_types(lab: Lab, type_: str, params: dict[str, Any], status: str) -> None:
    outcome = asked(lab, type_, **params)
    assert outcome.status == status, outcome.message


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_physical_types_by_the_words_of_the_dialect(lab: Lab, name: str) -> None:
    mine, other = COLUMNS[name].type, COLUMNS["id" if name != "id" else "name"].type
    for place, (type_, status) in enumerate([(mine, "pass"), (other, "fail")]):
        physical = lab.dialect.type_name(type_).lower()
        outcome = asked(lab, "column_physical_type", f"typed{place}", column=name, physical=physical)
        assert outcome.status == status, outcome.message
