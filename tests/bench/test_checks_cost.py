"""What 200 checks of one table cost beside one query by hand, in CPU seconds of whole processes. `pytest -s` shows it.

``FLOWFORGE_BENCH_ROWS`` says how many rows the table has; ten million, when nothing does.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROWS = int(os.environ.get("FLOWFORGE_BENCH_ROWS", "10_000_000"))
CHECKS, RUNS, TIMES = 200, 3, 1.5
NUMBERS, AMOUNTS, TEXTS, DAYS = range(1, 8), range(1, 5), range(1, 6), range(1, 4)
BY_HAND = """
import duckdb, pathlib
connection = duckdb.connect("bench.duckdb")
(row,) = connection.sql(pathlib.Path("by_hand.sql").read_text()).fetchall()
assert not any(row[1:]), row
"""

Check = tuple[dict[str, Any], str]
"""A check as YAML has it, and the aggregate that says the same by hand: 0 when all is well."""


def checks() -> Iterator[Check]:
    """More than enough of them; all pass."""
    names = ["id", *(f"n{i}" for i in NUMBERS), *(f"d{i}" for i in AMOUNTS), *(f"t{i}" for i in TEXTS)]
    for name in [*names, *(f"b{i}" for i in DAYS)]:
        yield {"type": "not_null", "column": name}, f"count(*) filter ({name} is null)"
    kinds = [f"k{number}" for number in range(20)]
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    for i in TEXTS:
        yield (
            {"type": "accepted_values", "column": f"t{i}", "values": kinds},
            f"count(*) filter (t{i} not in ({listed}))",
        )
        yield {"type": "not_accepted_values", "column": f"t{i}", "values": ["x"]}, f"count(*) filter (t{i} in ('x'))"
        matches = f"regexp_matches(t{i}, '^(?:k[0-9]+)')"
        yield (
            {"type": "regex_match", "column": f"t{i}", "pattern": "k[0-9]+"},
            f"count(*) filter (t{i} is not null and not {matches})",
        )
    for number in range(100):
        for i in NUMBERS:
            low, high = -number, 1000 + number
            yield (
                {"type": "between", "column": f"n{i}", "min": low, "max": high},
                f"count(*) filter (n{i} < {low} or n{i} > {high})",
            )
        for i in AMOUNTS:
            yield (
                {"type": "greater_equal", "column": f"d{i}", "threshold": -number},
                f"count(*) filter (d{i} < {-number})",
            )
        for i in DAYS:
            said = f"b{i} >= DATE '2019-01-{number % 28 + 1:02d}' or n{i} < {number}"
            yield {"type": "expression", "expression": said}, f"count(*) filter (not ({said}))"


def write_project(root: Path, chosen: list[Check]) -> None:
    columns = [
        "range as id",
        *(f"(hash(range + {i}) % 1000)::integer as n{i}" for i in NUMBERS),
        *(f"(hash(range * {i}) % 100000)::decimal(18, 2) / 100 as d{i}" for i in AMOUNTS),
        *(f"'k' || (hash(range + {i} * 7) % 20) as t{i}" for i in TEXTS),
        *(f"date '2020-01-01' + (range % 1000 + {i})::integer as b{i}" for i in DAYS),
    ]
    entries = [{**entry, "table": "big", "name": f"check {number}"} for number, (entry, _) in enumerate(chosen)]
    for path, text in {
        "project.yml": json.dumps({"name": "bench", "version": 1, "tests": entries}),
        "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: bench.duckdb}\n",
        "models/big.ff.sql": f"select {', '.join(columns)} from range({ROWS})\n",
        "by_hand.sql": f"select count(*), {', '.join(sql for _, sql in chosen)} from big",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")


def measured(command: list[str], root: Path) -> tuple[float, float]:
    """CPU seconds of a process, and the most memory that it had, in megabytes."""
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    assert process.returncode == 0, said
    return used.ru_utime + used.ru_stime, _megabytes(used)


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


@pytest.mark.parametrize("unique", [False, True], ids=["one scan", "and unique"])
def test_two_hundred_checks(tmp_path: Path, unique: bool) -> None:
    found = checks()
    chosen = [next(found) for _ in range(CHECKS - unique)]
    if unique:
        chosen.append(({"type": "unique", "column": "id"}, "count(*) - count(distinct id)"))
    write_project(tmp_path, chosen)
    program = [sys.executable, "-m", "flowforge"]
    measured([*program, "run", "-q"], tmp_path)
    commands = {"flowforge": [*program, "test", "-q"], "by hand": [sys.executable, "-c", BY_HAND]}
    runs = {name: [measured(command, tmp_path) for _ in range(RUNS)] for name, command in commands.items()}
    cpu = {name: statistics.median(seconds for seconds, _ in some) for name, some in runs.items()}
    memory = {name: max(size for _, size in some) for name, some in runs.items()}
    print(f"\n\n| {CHECKS} checks, {ROWS:,} rows{', one unique' if unique else ''} | CPU s | MB |\n|---|---|---|")
    for name in commands:
        print(f"| {name} | {cpu[name]:.2f} | {memory[name]:.0f} |")
    print(f"| ratio | {cpu['flowforge'] / cpu['by hand']:.2f} | |")
    assert cpu["flowforge"] <= TIMES * cpu["by hand"] or unique
