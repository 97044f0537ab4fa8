"""Python models that yield frames, and that take polars frames, in whole runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowforge import Project

Make = Callable[..., Project]
YIELDS = """\
import pyarrow as pa

from flowforge import model


@model(deps=['raw'])
def m(raw):
    for number in raw['id']:
{}
        yield pa.table({{'x': [number, number * 10]}})
"""


def test_a_model_yields_its_rows(make: Make, rows: Callable[[Project, str], list[tuple[Any, ...]]]) -> None:
    project = make({"models/m.ff.py": YIELDS.format("        pass"), "seeds/raw.csv": "id\n1\n2\n"})
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert rows(project, "m") == [(1,), (10,), (2,), (20,)]


def test_what_fails_between_two_frames_has_its_line_and_leaves_nothing(
    make: Make, relations: Callable[[Project], dict[str, str]]
) -> None:
    project = make(
        {"models/m.ff.py": YIELDS.format("        assert number < 2, 'too much'"), "seeds/raw.csv": "id\n1\n2\n"}
    )
    (error,) = [one.error for one in project.build().nodes if one.error is not None]
    assert "too much" in error.message
    assert str(error.location) == "models/m.ff.py:9"
    assert "m" not in relations(project)


def test_polars(make: Make, rows: Callable[[Project, str], list[tuple[Any, ...]]]) -> None:
    pytest.importorskip("polars")
    model = (
        "import polars as pl\nfrom flowforge import model\n\n\n@model(deps=['raw'], frame='polars')\n"
        "def m(raw):\n    return raw.with_columns(twice=pl.col('id') * 2)\n"
    )
    project = make({"models/m.ff.py": model, "seeds/raw.csv": "id\n1\n2\n"})
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert rows(project, "m") == [(1, 2), (2, 4)]
