"""Projects that are larger than usual: time grows with their size, and nothing recurses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]
Flowforge = Callable[..., Any]
Read = Callable[[Path, str], list[tuple[Any, ...]]]

FRAME = "from flowforge import model\n\n\n@model(deps=['fine'], frame='{kind}')\ndef {kind}(fine):\n    return fine\n"


def chain(length: int) -> dict[str, str | bytes]:
    """Each model reads the one before; the first reads `fine`."""
    names = ["fine", *(f"m{index}" for index in range(length))]
    return {
        f"models/{name}.ff.sql": f"select * from {{{{ ref('{before}') }}}}"
        for before, name in itertools.pairwise(names)
    }


LONG = 10_000


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory: pytest.TempPathFactory, write: Callable[..., Path]) -> Path:
    """A project that many tests only read: writing it takes longer than most of them."""
    return write(tmp_path_factory.mktemp("long"), chain(LONG))


@pytest.mark.parametrize("columns", [1_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_wide_tables(columns: int, project: Project, flowforge: Flowforge, read: Read) -> None:
    names = [f"c{index}" for index in range(columns)]
    files: dict[str, str | bytes] = {
        "models/fine.ff.sql": "select " + ", ".join(f"{index} as {name}" for index, name in enumerate(names)),
        "seeds/wide.csv": f"{','.join(names)}\n{','.join(map(str, range(columns)))}\n",
    }
    relations = ["fine", "wide"]
    if columns == 1_000:
        files |= {f"models/{kind}.ff.py": FRAME.format(kind=kind) for kind in ("pandas", "arrow")}
        relations += ["pandas", "arrow"]
    folder = project(files)
    outcome = flowforge(folder, "build", "--jobs", "1", seconds=10 + columns / 200)
    assert outcome.code == 0, outcome.text
    for relation in relations:
        assert read(folder, f"select {names[-1]} from {relation}") == [(columns - 1,)]


def test_many_checks_on_one_table(project: Project, flowforge: Flowforge) -> None:
    count = 1_000
    columns = ", ".join(f"{index} as c{index}" for index in range(count))
    checks = "\n".join(f"  - {{type: not_null, table: fine, column: c{index}}}" for index in range(count))
    files = {"models/fine.ff.sql": f"select {columns}", "project.yml": f"name: a\nversion: 1\ntests:\n{checks}\n"}
    outcome = flowforge(project(files), "build", seconds=30)
    assert outcome.code == 0, outcome.text
    assert f"{count} passed" in outcome.text


@pytest.mark.parametrize("command", ["ls", pytest.param("validate", marks=pytest.mark.full)])
def test_a_very_deep_chain_is_read(command: str, long_chain: Path, flowforge: Flowforge) -> None:
    outcome = flowforge(long_chain, command, seconds=60)
    assert outcome.code == 0, outcome.text[-2000:]
    assert f"m{LONG - 1}" in outcome.out or command == "validate"


def test_a_deep_chain_is_valid(project: Project, flowforge: Flowforge) -> None:
    outcome = flowforge(project(chain(1_000)), "validate")
    assert outcome.code == 0, outcome.text[-2000:]


def test_a_deep_chain_of_ephemeral_models_becomes_one_statement(project: Project, flowforge: Flowforge) -> None:
    depth = 300
    files = {path: "{{ config(materialized='ephemeral') }} " + str(text) for path, text in chain(depth).items()}
    files["models/last.ff.sql"] = f"select * from {{{{ ref('m{depth - 1}') }}}}"
    outcome = flowforge(project(files), "compile", "-s", "last")
    assert outcome.code == 0, outcome.text[-2000:]


def test_a_selection_in_a_deep_chain(long_chain: Path, flowforge: Flowforge) -> None:
    outcome = flowforge(long_chain, "ls", "-s", "+m9999", seconds=60)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 10_001
    outcome = flowforge(long_chain, "ls", "-s", "2+m5000+2", seconds=60)
    assert sorted(outcome.out.split()) == ["m4998", "m4999", "m5000", "m5001", "m5002"]


def test_a_circle_of_ten_thousand_is_told_in_few_lines(long_chain: Path, flowforge: Flowforge) -> None:
    first = long_chain / "models/fine.ff.sql"
    before = first.read_text("utf-8")
    first.write_text("select * from {{ ref('m9999') }}", "utf-8")
    try:
        outcome = flowforge(long_chain, "ls", seconds=60)
    finally:
        first.write_text(before, "utf-8")
    assert outcome.code == 1
    assert outcome.codes == ["FF1204"]
    assert "models/fine.ff.sql:1:23" in outcome.text
    assert len(outcome.text) < 5_000


def test_one_model_that_reads_ten_thousand(project: Project, flowforge: Flowforge) -> None:
    files: dict[str, str | bytes] = {f"models/m{index}.ff.sql": "select 1 as x" for index in range(10_000)}
    files["models/all.ff.sql"] = "\nunion all ".join(
        f"select * from {{{{ ref('m{index}') }}}}" for index in range(10_000)
    )
    outcome = flowforge(project(files), "compile", "-s", "all", seconds=60)
    assert outcome.code == 0, outcome.text[-2000:]
    assert outcome.out.count("union all") == 9_999


def test_a_seed_of_many_rows(project: Project, flowforge: Flowforge, read: Read) -> None:
    rows = 300_000
    lines = "".join(f"{index},name {index},{index / 8}\n" for index in range(rows))
    folder = project({"seeds/long.csv": "id,name,amount\n" + lines})
    outcome = flowforge(folder, "build", seconds=30)
    assert outcome.code == 0, outcome.text
    assert read(folder, "select count(*), sum(id), count(distinct name) from long") == [
        (rows, rows * (rows - 1) // 2, rows)
    ]
