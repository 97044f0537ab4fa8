"""What starting costs: commands import only what they use, and plugins are found without their drivers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HEAVY = {
    "jinja2", "ruamel", "yaml", "cattrs", "rich", "duckdb", "pandas", "pyarrow", "numpy", "sqlglot", "dotenv", "asyncio",
}  # fmt: skip
DRIVERS = {
    "duckdb", "psycopg", "psycopg2", "google", "bigframes", "pyspark", "delta", "snowflake", "pandas", "numpy", "pyarrow",
}  # fmt: skip


def imported(arguments: Sequence[str], folder: Path) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The top-level modules that ``python ARGUMENTS`` imports, and how it ended."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert "site" in names, "importtime gives no list here"
    return names, done


def imported_at_start(tmp_path: Path) -> set[str]:
    """What the interpreter itself imports, for example through `.pth` files of the environment."""
    return imported(["-c", "pass"], tmp_path)[0]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    names, done = imported(["-m", "flowforge", *arguments], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not (names - imported_at_start(tmp_path)) & HEAVY


def test_importing_the_package_costs_next_to_nothing(tmp_path: Path) -> None:
    names, _ = imported(["-c", "import flowforge"], tmp_path)
    assert names - imported_at_start(tmp_path) - sys.stdlib_module_names == {"flowforge"}


def test_the_entry_module_imports_no_driver(distribution, tmp_path: Path) -> None:
    for module in distribution.entry_modules:
        names, done = imported(["-c", f"import {module}"], tmp_path)
        assert done.returncode == 0, done.stderr
        assert not (names - imported_at_start(tmp_path)) & DRIVERS


def test_offers_import_no_driver(distribution, tmp_path: Path) -> None:
    """Discovery calls the offering hooks, so these may not import a driver either."""
    for module in distribution.entry_modules:
        if distribution.name == "flowforge-core":
            continue
        names, done = imported(["-c", f"import {module} as plugin; list(plugin.flowforge_engines())"], tmp_path)
        assert done.returncode == 0, done.stderr
        assert not (names - imported_at_start(tmp_path)) & DRIVERS


def cpu(arguments: Sequence[str], folder: Path) -> float:
    """Seconds of CPU of one child process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


@pytest.mark.parametrize(("option", "limit"), [("--version", 2.0), ("--help", 3.0)])
def test_cpu_against_click_alone(option: str, limit: float, tmp_path: Path) -> None:
    """Measured in turns and compared by the best of each, so that other work on the machine weighs on both alike."""
    floor, ours = [], []
    for _ in range(9):
        floor.append(cpu(["-c", "import click"], tmp_path))
        ours.append(cpu(["-m", "flowforge", option], tmp_path))
    assert min(ours) <= limit * min(floor)
