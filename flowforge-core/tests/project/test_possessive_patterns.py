"""Python before 3.11.5 matches a possessively repeated group wrongly where it could go back into one (gh-106052).

So such a group is atomic itself, which means the same and is right everywhere.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowforge
from flowforge.seeds.csv_grammar import grammar

parser: Any = re._parser  # type: ignore[attr-defined]

SOURCES = Path(flowforge.__file__).parent
REPEATS = re.compile(r"\)(?:\*|\+|\?|\{[0-9,]+\})\+")
USERS = sorted(
    ".".join(("flowforge", *path.relative_to(SOURCES).with_suffix("").parts))
    for path in SOURCES.rglob("*.py")
    if REPEATS.search(path.read_text("utf-8"))
)


def repeats(pattern: str | bytes, flags: int = 0) -> Iterator[Any]:
    """What a pattern repeats possessively."""
    todo: list[Any] = [parser.parse(pattern, flags & ~re.DEBUG)]
    while todo:
        part = todo.pop()
        if isinstance(part, parser.SubPattern):
            todo += part.data
        elif isinstance(part, (list, tuple)):
            if len(part) == 2 and str(part[0]) == "POSSESSIVE_REPEAT":
                yield part[1][2]
            todo += [one for one in part if isinstance(one, (list, tuple, parser.SubPattern))]


def is_safe(repeated: Any) -> bool:
    """One character, or one atomic group: nothing to go back into."""
    names = [str(part[0]) for part in repeated.data]
    return names in (["ATOMIC_GROUP"], ["IN"], ["LITERAL"], ["NOT_LITERAL"], ["ANY"])


def patterns_of(name: str) -> list[re.Pattern[Any]]:
    module = importlib.import_module(name)
    found = [value for value in vars(module).values() if isinstance(value, re.Pattern)]
    if name.endswith("csv_grammar"):
        marks = grammar(";", "'")
        found += [marks.well_quoted, marks.quoted, marks.record, marks.field]
    return found


def test_there_are_such_patterns() -> None:
    assert len(USERS) >= 3


@pytest.mark.parametrize("name", USERS)
def test_a_group_that_repeats_possessively_is_atomic(name: str) -> None:
    patterns = patterns_of(name)
    repeated = [(pattern.pattern, part) for pattern in patterns for part in repeats(pattern.pattern, pattern.flags)]
    assert repeated
    assert not [pattern for pattern, part in repeated if not is_safe(part)]


def test_the_judge_can_tell() -> None:
    assert [is_safe(part) for part in repeats(r"(?:ab?c)*+")] == [False]
    assert [is_safe(part) for part in repeats(r"x(?>ab?c)*+[a-z]++")].count(True) == 2
