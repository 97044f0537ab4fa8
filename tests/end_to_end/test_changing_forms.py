"""A model changes its form: table, view, view of a Python model's rows, SQL, Python. Nothing of the former one stays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project

PYTHON = (
    "import pyarrow as pa\nfrom flowforge import model\n\n\n"
    "@model(materialized='{}')\ndef m():\n    return pa.table({{'x': [{}]}})\n"
)
SQL = "{{{{ config(materialized='{}') }}}}\nselect {} as x\n"
FORMS = {
    "SQL table": ("m.ff.sql", SQL, "table"),
    "SQL view": ("m.ff.sql", SQL, "view"),
    "Python table": ("m.ff.py", PYTHON, "table"),
    "Python view": ("m.ff.py", PYTHON, "view"),
}
STANDING = {
    "SQL table": {"m": "table"},
    "SQL view": {"m": "view"},
    "Python table": {"m": "table"},
    "Python view": {"m": "view", "__ff_py_m": "table"},
}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(FORMS, 2)))
def test_from_one_form_to_another(
    make: Callable[..., Project],
    tmp_path: Path,
    rows: Callable[[Project, str], list[tuple[Any, ...]]],
    relations: Callable[[Project], dict[str, str]],
    before: str,
    after: str,
) -> None:
    for number, form in enumerate((before, after)):
        file, text, kind = FORMS[form]
        for other in (tmp_path / "project/models").glob("m.*"):
            other.unlink()
        below = "select sum(x) as x from {{ ref('m') }}"
        project = make({f"models/{file}": text.format(kind, number), "models/below.ff.sql": below})
        result = project.run()
        assert result.ok, [node.error for node in result.nodes]
        standing = {name: kind for name, kind in relations(project).items() if not name.startswith("_ff_")}
        assert standing == {**STANDING[form], "below": "table"}
        assert rows(project, "m") == rows(project, "below") == [(number,)]
        project.close()
