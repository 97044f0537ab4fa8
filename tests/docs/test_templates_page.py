"""The page about templates names everything that there is, and its examples compile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowforge.api import Project
from flowforge.contract.functions import PARTS, TYPES
from flowforge.project.calls import RESERVED

PAGE = Path(__file__).parents[2] / "docs/reference/templates.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sql\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", sorted(RESERVED - {"caller", "loop"} | {*PARTS, *TYPES}))
def test_every_name_is_on_the_page(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", TEXT)


def test_no_function_is_on_the_page_that_there_is_not() -> None:
    assert set(re.findall(r"\bff_\w+", TEXT)) <= RESERVED


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_builds(example: str, tmp_path: Path) -> None:
    for path, text in {
        "project.yml": "name: p\nversion: 1\n",
        "profiles.yml": "dev: {engine: duckdb, duckdb: {path: p.duckdb}}\n",
        "seeds/orders.csv": "id,ordered_at,channel,amount\n1,2024-01-31 10:00:00,web,12.50\n2,2024-02-01 10:00:00,shop,x\n",
        "seeds/schema.yml": "columns:\n  orders: {amount: string}\n",
        "models/example.ff.sql": example.replace("amount > ", "id > ").replace("then amount end", "then id end"),
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    with Project.load(tmp_path) as project:
        project.validate()
        assert project.build().exit_code == 0
