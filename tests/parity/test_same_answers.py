"""Every line of the page on portable SQL, asked on both engines."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "same-rows-everywhere.md"
T = "with t(v) as (values (1), (2), (null)) select "
ROW = re.compile(
    r"^\| `(?P<sql>[^`]+)` \| (?P<ours>[^|]+) \| (?P<theirs>[^|]+) \| `(?P<portable>[^`]+)` \|$", re.MULTILINE
)


@attrs.frozen
class Line:
    """A line of a table: what is written, what comes of it on DuckDB and on PostgreSQL, what to write instead."""

    sql: str
    said: tuple[str, str]
    portable: str


def lines_of(text: str) -> list[Line]:
    found = [match.groupdict() for match in ROW.finditer(text)]
    return [Line(one["sql"], (one["ours"].strip("`"), one["theirs"].strip("`")), one["portable"]) for one in found]


VALUES, TYPES = map(lines_of, PAGE.read_text(encoding="utf-8").split("## Where only the type is another one"))


def spelled(value: object, kind: str) -> str:
    """A value as the page writes it; what has no type is the code of an error."""
    if not kind:
        return str(value)
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value)


@pytest.fixture(scope="module")
def asked(new_pair: Callable[..., Any]) -> Callable[[str], list[tuple[Any, str]]]:
    """The last column of the first row and its type, on both engines; an error is its code."""
    pair = new_pair(None, {"project.yml": "name: page\nversion: '1'\n", "models/one.ff.sql": "select 1 as one\n"})
    texts = [T + sql for line in (*VALUES, *TYPES) for sql in (line.sql, line.portable)]
    answers = [dict(zip(texts, place.answers(texts), strict=True)) for place in pair]
    return lambda sql: [answer[T + sql] for answer in answers]


def test_the_page_has_its_lines() -> None:
    tables = PAGE.read_text(encoding="utf-8").count("\n| --- ")
    written = sum(line.startswith("| ") for line in PAGE.read_text(encoding="utf-8").splitlines())
    assert len(VALUES) + len(TYPES) == written - 2 * tables
    assert tables == 5


@pytest.mark.parametrize("line", VALUES, ids=[line.sql for line in VALUES])
def test_the_values(line: Line, asked: Any) -> None:
    assert tuple(spelled(*answer) for answer in asked(line.sql)) == line.said
    ours, theirs = asked(line.portable)
    assert ours == theirs
    assert ours[1], "an error on both"


@pytest.mark.parametrize("line", TYPES, ids=[line.sql for line in TYPES])
def test_the_types(line: Line, asked: Any) -> None:
    (mine, ours), (other, theirs) = asked(line.sql)
    assert mine == other
    assert (ours, theirs) == line.said
    assert ours != theirs
    ours, theirs = asked(line.portable)
    assert ours == theirs
    assert ours[0] == mine
