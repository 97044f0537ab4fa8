"""Each case gives its rows on the engine that it is written for, and translated on the other."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Callable
from typing import Any

import pytest
from portable_cases import PAGE, PROMISES, Case, cases, page, promises

from flowforge.contract import Dialect
from flowforge.portable.names import Placeholders
from flowforge.portable.promises import pairs, promised
from flowforge.portable.traits import Pair
from flowforge.portable.translate import BEYOND, translate

ALL = list(cases())
Run = Callable[[str, str], list[list[Any]]]


def plain(value: Any) -> Any:
    """A value as the case files write it."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral() else float(value)
    if isinstance(value, float):
        return int(value) if value == int(value) else value
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ")  # sessions are in UTC
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Equal values; doubles may differ in their last digits."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-12 * max(abs(one), abs(other), 1)
    return bool(one == other)


def rows(found: list[list[Any]]) -> list[Any]:
    return sorted((plain(row) for row in found), key=json.dumps)


def name_of(case: Case) -> str:
    return f"{case.dialect}-{case.target}-{case.sql}"


@pytest.mark.parametrize("case", ALL, ids=name_of)
def test_the_rows(case: Case, run_on: Run, dialects: dict[str, Dialect]) -> None:
    expected = rows(case.rows)
    if case.dialect in dialects:
        assert same(rows(run_on(case.dialect, case.sql)), expected), "where it is written for"
    translation = translate(case.sql, case.dialect, dialects[case.target], Placeholders())
    assert same(rows(run_on(case.target, translation.sql)), expected), translation.sql
    assert not [remark for remark in translation.warnings if remark.code == BEYOND]


def test_what_is_promised_is_what_is_tested() -> None:
    assert PROMISES.read_text("utf-8") == promises(), "run python tests/portable/portable_cases.py"
    assert set(pairs()) == {f"{case.dialect} to {case.target}" for case in ALL}


def test_the_page_lists_what_is_tested() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run python tests/portable/portable_cases.py"


def test_nothing_is_promised_where_nothing_is_tested() -> None:
    assert promised(Pair("mysql", "duckdb")) is None
    assert "Anonymous" not in (promised(Pair("duckdb", "postgres")) or ())
