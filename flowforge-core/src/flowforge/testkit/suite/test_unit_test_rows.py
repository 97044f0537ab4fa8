"""Rows of unit tests become queries: on this engine they give the values that were written, in temporary tables too."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.utest.fixtures import Rows, select_of
from flowforge.values import Location, Relation

PLACE = Location("t.yml", 1, 1)
PLAIN: list[tuple[list[Any], str | None]] = [
    ([1, None, -(2**53) - 1, 2**63 - 1], None),
    ([0.5, None, -1e300, 3], None),
    (["a", None, "", 'it\'s; -- "x"', "a\\nb", "Füße 🦶"], None),
    (["007", None, "NULL", " "], "string"),
]


def asked(lab: Lab, values: list[Any], word: str | None, *, texts: bool = False) -> list[Any]:
    awkward = lab.allowed('awk"ward')
    rows = Rows(
        ("n", awkward), tuple((str(index) if texts else index, value) for index, value in enumerate(values)), texts
    )
    types = {} if word is None else {awkward: word}
    select = select_of(rows, types | ({"n": "bigint"} if texts else {}), lab.dialect, PLACE, "input")
    session = lab.session()
    relation = Relation("ff_given")
    session.create_as(relation, select, CreateKind.TEMP)
    found = session.query(f"SELECT * FROM {lab.dialect.render(relation)}").read_all()
    assert [lab.dialect.fold(name) for name in found.column_names] == [lab.dialect.fold(name) for name in rows.columns]
    pairs = sorted(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
    return [value for _, value in pairs]


@pytest.mark.parametrize(("values", "word"), PLAIN)
def test_plain_values(lab: Lab, values: list[Any], word: str | None) -> None:
    assert asked(lab, values, word) == values


def test_truth_values(lab: Lab) -> None:
    assert [None if value is None else bool(value) for value in asked(lab, [True, None, False], None)] == [
        True,
        None,
        False,
    ]


@requires(Capability.EXACT_DECIMALS)
def test_decimals(lab: Lab) -> None:
    found = asked(lab, ["1.10", None, "-12345678901234567890.123456789"], "numeric(38,9)", texts=True)
    assert found == [decimal.Decimal("1.10"), None, decimal.Decimal("-12345678901234567890.123456789")]


@requires(Capability.TIME_ZONES)
def test_times(lab: Lab) -> None:
    assert asked(lab, ["2024-02-29", None], "date") == [dt.date(2024, 2, 29), None]
    moment = dt.datetime(2024, 2, 29, 23, 59, 59, 123456)  # noqa: DTZ001
    assert asked(lab, ["2024-02-29 23:59:59.123456", None], "timestamp") == [moment, None]
    (found,) = asked(lab, ["2024-02-29T23:59:59.123456+02:00"], "timestamptz")
    assert found == moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))


def test_many_rows(lab: Lab) -> None:
    assert asked(lab, [*range(650)], None) == [*range(650)]


def test_no_rows_still_have_columns(lab: Lab) -> None:
    assert asked(lab, [], "string") == []
