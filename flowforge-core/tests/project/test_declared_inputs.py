"""``inputs``, ``timeout`` and ``cache`` of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.errors import Problems, ProjectError
from flowforge.project.deltas import DeltaReader
from flowforge.project.inputs import input_files
from flowforge.project.layering import Settings
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import ModelConfig
from flowforge.project.model_config import structure_config
from flowforge.project.python_model import read_python_models
from flowforge.project.python_nodes import python_nodes
from flowforge.project.scan import scan_sql
from flowforge.project.sql_nodes import sql_node
from flowforge.values import Location


def config(**raw: Any) -> tuple[ModelConfig | None, list[str]]:
    problems = Problems()
    made = structure_config(raw, lambda key: Location("models/m.ff.sql", 1, 1), problems)
    return made, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90), (0.5, 0.5), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("250ms", 0.25), (" 2 H ", 7200), ("1d", 86400)],
)
def test_timeouts(written: float | str, seconds: float) -> None:
    made, problems = config(timeout=written)
    assert problems == []
    assert made is not None
    assert made.timeout == seconds


@pytest.mark.parametrize(
    "written", [0, -1, "0s", "90", "s", "five", "", "1h30m", "-5s", True, [], float("inf"), float("nan")]
)
def test_times_that_are_none(written: Any) -> None:
    made, problems = config(timeout=written)
    assert made is None
    assert len(problems) == 1
    assert "'timeout'" in problems[0]


@given(st.floats(min_value=0.001, max_value=1e6).map(lambda number: round(number, 3)))
def test_seconds_as_number_and_as_text_are_the_same(number: float) -> None:
    one, two = config(timeout=number)[0], config(timeout=f"{number:.3f}s")[0]
    assert one is not None
    assert two is not None
    assert one.timeout == two.timeout == number


def test_defaults() -> None:
    made, _ = config()
    assert made is not None
    assert (made.timeout, made.cache, made.inputs) == (None, None, ())


@pytest.mark.parametrize("written", ["yes", 1, "false"])
def test_cache_is_true_or_false(written: Any) -> None:
    assert config(cache=written)[0] is None


@pytest.mark.parametrize(
    "pattern",
    ["../x.csv", "data/../../x", "/etc/passwd", "~/x", "C:\\x.csv", "..\\x", "", "  ", "a\x00b", ["data/*.csv", ".."]],
)
def test_inputs_stay_inside_of_the_project(pattern: Any) -> None:
    made, problems = config(inputs=pattern)
    assert made is None
    assert "'inputs'" in problems[0]


def test_both_kinds_of_models_take_the_keys() -> None:
    problems = Problems()
    sql = sql_node(
        scan_sql("{{ config(timeout='2m', cache=true, inputs='data/*.csv') }}\nselect 1", "models/a.ff.sql"),
        "models/a.ff.sql",
        problems,
        Settings(),
        MacroLibrary(),
        DeltaReader(Path()),
    )
    text = "from flowforge import model\n@model(timeout='2m', cache=True, inputs=['data/*.csv'])\ndef f():\n    pass\n"
    drafts = read_python_models(text, "models/b.ff.py", problems)
    (python,) = python_nodes(drafts, "models/b.ff.py", problems, Settings(), DeltaReader(Path()))
    assert not len(problems)
    assert sql is not None
    for node in (sql, python):
        assert (node.config.timeout, node.config.cache, node.config.inputs) == (120, True, ("data/*.csv",))


def test_the_decorator_takes_them_at_run_time() -> None:
    from flowforge import model

    @model(timeout="2m", cache=False, inputs="data/*.csv")
    def function() -> int:
        return 1

    assert function() == 1


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def test_files_behind_patterns(tmp_path: Path) -> None:
    write(tmp_path, "data/a.csv", "data/b.csv", "data/deep/c.csv", "data/x.txt", ".git/data/d.csv")
    assert input_files(tmp_path, ["data/*.csv"]).files == ("data/a.csv", "data/b.csv")
    assert input_files(tmp_path, ["**/*.csv"]).files == ("data/a.csv", "data/b.csv", "data/deep/c.csv")
    assert input_files(tmp_path, ["data"]).files == ("data/a.csv", "data/b.csv", "data/deep/c.csv", "data/x.txt")
    assert input_files(tmp_path, ["data/a.csv", "dat/*.csv"]).unmatched == ("dat/*.csv",)


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "outside/a.csv", "project/data/b.csv")
    (tmp_path / "project/data/a.csv").symlink_to(tmp_path / "outside/a.csv")
    with pytest.raises(ProjectError) as caught:
        input_files(tmp_path / "project", ["data/*.csv"])
    assert caught.value.code == "FF1021"
    assert input_files(tmp_path / "project", ["data/b.csv"]).files == ("data/b.csv",)
