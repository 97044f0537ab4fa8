"""From translated SQL back to the query: what is told is right, and most of it is told."""

from __future__ import annotations

import re

import pytest
from portable_cases import Case, cases

from flowforge.contract import Dialect
from flowforge.portable.names import Placeholders
from flowforge.portable.translate import translate

SOME = [case for number, case in enumerate(cases()) if number % 4 == 0]
TEXTS = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\")")
WORD = re.compile(r"[A-Za-z_]\w*")


def one_word_a_line(sql: str) -> str:
    """So that a wrong place is in a wrong line."""
    parts = TEXTS.split(sql)
    return "".join(part if number % 2 else part.replace(" ", "\n") for number, part in enumerate(parts))


def words(text: str) -> set[str]:
    return {word.casefold() for word in WORD.findall(text)}


@pytest.mark.parametrize("case", SOME, ids=lambda case: f"{case.dialect}-{case.target}-{case.sql}")
def test_what_is_told_exactly_is_the_same_word(case: Case, dialects: dict[str, Dialect]) -> None:
    sql = one_word_a_line(case.sql)
    translation = translate(sql, case.dialect, dialects[case.target], Placeholders())
    for match in WORD.finditer(translation.sql):
        origin = translation.locate(match.start())
        if origin is not None and origin.exact:
            there = sql[origin.offset :].lstrip('"`').casefold()
            assert there.startswith(match[0].casefold()[:3]), (match[0], there[:20])


def test_most_places_are_told(dialects: dict[str, Dialect]) -> None:
    told = count = 0
    for case in SOME:
        translation = translate(one_word_a_line(case.sql), case.dialect, dialects[case.target], Placeholders())
        for match in WORD.finditer(translation.sql):
            count += 1
            told += translation.locate(match.start()) is not None
    assert told / count > 0.7


def test_what_has_no_place_in_the_query_gets_none(dialects: dict[str, Dialect]) -> None:
    """The words that come from nowhere stand between two lines, and belong to neither."""
    sql = "select\n  id\nfrom t\nqualify\n  row_number() over (order by id) = 1"
    translation = translate(sql, "duckdb", dialects["postgres"], Placeholders())
    for word in ("_w", "_t"):
        for match in re.finditer(rf"\b{word}\b", translation.sql):
            origin = translation.locate(match.start())
            assert origin is None or not origin.exact
