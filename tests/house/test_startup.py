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


def modules_of(arguments: Sequence[str], folder: Path) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The modules that ``python ARGUMENTS`` imports, and how it ended."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = {line.rsplit("|", 1)[1].strip() for line in lines}
    assert "site" in names, "importtime gives no list here"
    return names, done


def imported(arguments: Sequence[str], folder: Path) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The top-level modules that ``python ARGUMENTS`` imports, and how it ended."""
    names, done = modules_of(arguments, folder)
    return {name.partition(".")[0] for name in names}, done


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


PROJECT = {
    "project.yml": "name: shop\nversion: '1'\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: shop.duckdb\n",
    "seeds/orders.csv": "id,amount\n1,2\n2,4\n",
    "models/large.ff.sql": "select id, amount from {{ ref('orders') }} where amount > 2\n",
    "models/all.yml": "models:\n  - name: large\n    columns:\n      - name: id\n        checks: [not_null, unique]\n",
}
NEVER = {"asyncio", "pandas", "polars", "sqlglot", "rich", "flowforge.testkit", "flowforge.scaffold", "flowforge.docs"}
ARROW = {"pyarrow", "numpy"}
MAKING = {"flowforge.run.node", "flowforge.materialize.publish", "flowforge.utest", "flowforge.run.windows"}
RENDERING = {"jinja2", "flowforge.rendering", "flowforge.run", "flowforge.materialize", "flowforge.state"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is built, so that what was parsed is kept and nothing is to be done."""
    root = tmp_path_factory.mktemp("shop")
    for path, text in PROJECT.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    subprocess.run([sys.executable, "-m", "flowforge", "build", "."], cwd=root, check=True, capture_output=True)
    return root


@pytest.mark.parametrize(
    ("command", "never", "most"),
    [
        ("ls", {*NEVER, *ARROW, *MAKING, *RENDERING, "duckdb", "pluggy", "ruamel.yaml"}, 115),
        ("test", {*NEVER, *ARROW, *MAKING, "jinja2"}, 215),
        ("run", {*NEVER, *ARROW, "jinja2", "flowforge.utest", "flowforge.checks.own_sql"}, 275),
        ("seed", {*NEVER, "jinja2", "flowforge.utest", "flowforge.checks.own_sql"}, 275),
    ],
    ids=["ls", "test", "run", "seed"],
)
def test_a_command_imports_what_it_uses(command: str, never: set[str], most: int, shop: Path) -> None:
    """*most* is how many modules of the core it may import: each takes a third of a millisecond, classes more.

    What grows beyond it is imported where it is used, or has a reason that is worth a larger number.
    """
    names, done = modules_of(["-m", "flowforge", command, "."], shop)
    assert done.returncode == 0, done.stderr
    own = sorted(name for name in names if name.partition(".")[0] == "flowforge")
    assert not {name for name in names if any(name == room or name.startswith(f"{room}.") for room in never)}
    assert len(own) <= most, own
