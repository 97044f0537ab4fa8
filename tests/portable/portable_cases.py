"""Writes what is promised of translated SQL: the constructs of all cases. ``python tests/portable/portable_cases.py``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import sqlglot

from flowforge.portable.promises import constructs

CASES = Path(__file__).resolve().parent / "cases"
REPOSITORY = CASES.parents[2]
PROMISES = REPOSITORY / "flowforge-core/src/flowforge/portable/promises.toml"
PAGE = REPOSITORY / "docs/how-to/write-portable-sql.md"
ENGINES = ("duckdb", "postgres")
BEGIN, END = "<!-- cases: begin -->", "<!-- cases: end -->"


@attrs.frozen
class Case:
    """One query, what it is written in, what it is translated to, and its rows in any order."""

    group: str
    sql: str
    dialect: str
    target: str
    rows: list[list[Any]]


def cases() -> Iterator[Case]:
    """All cases, each for each pair of dialects."""
    for path in sorted(CASES.glob("*.toml")):
        file = tomllib.loads(path.read_text("utf-8"))
        for one in file.get("case", ()):
            for dialect in one["dialects"]:
                for target in one.get("targets", [engine for engine in ENGINES if engine != dialect]):
                    yield Case(file["title"], one["sql"], dialect, target, json.loads(one["rows"]))


def promises() -> str:
    """The text of the file of promises."""
    found: dict[str, set[str]] = {}
    for case in cases():
        tree = sqlglot.parse_one(case.sql, read=case.dialect)
        found.setdefault(f"{case.dialect} to {case.target}", set()).update(name for name, _ in constructs(tree))
    lines = ["# Written by tests/portable/portable_cases.py: what the cases beside it are made of."]
    for pair, names in sorted(found.items()):
        lines += [f'\n["{pair}"]', "constructs = [", *(f"    {json.dumps(name)}," for name in sorted(names)), "]"]
    return "\n".join(lines) + "\n"


def tables() -> str:
    """The list of the page for users."""
    groups: dict[str, dict[str, list[str]]] = {}
    for case in cases():
        said = groups.setdefault(case.group, {}).setdefault(case.sql, [])
        if case.dialect not in said:
            said.append(case.dialect)
    parts = []
    for group, found in groups.items():
        parts.append(f"### {group}\n\n```sql\n")
        parts.extend(f"{sql}{'' if len(dialects) > 1 else f'  -- {dialects[0]}'}\n" for sql, dialects in found.items())
        parts.append("```\n\n")
    return "".join(parts).rstrip() + "\n"


def page(text: str) -> str:
    """The page with the list in it."""
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


if __name__ == "__main__":
    PROMISES.write_text(promises(), "utf-8")
    if PAGE.exists():
        PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
