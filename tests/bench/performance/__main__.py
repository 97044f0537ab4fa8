"""Measures FlowForge on generated projects and writes the page about it: ``python tests/bench/performance --help``."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import csv_seeds
import frames
from csv_seeds import SEED
from frames import FRAME
from page import Row, Size, text
from processes import FLOWFORGE, Cost, Side, baseline, compared
from shapes import SHAPES, write_project

LOAD, RUN = 5000, 1000
"""From which sizes on there is a target: models that are loaded, models that are run."""

Figures = tuple[list[Row], list[Size]]


class Bench:
    """One round of measurements in a folder of its own."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder = folder
        self.times = times

    def project(self, shape: str, count: int) -> Path:
        """A project, made once."""
        root = self.folder / f"{shape}-{count}"
        if not root.exists():
            write_project(root, shape, count)
        return root

    def compare(self, *sides: Side) -> list[Cost]:
        """The medians of what is compared; one line on standard error for each."""
        costs = compared(sides, self.times)
        for side, cost in zip(sides, costs, strict=True):
            words = " ".join(Path(word).name if os.sep in word else word for word in side.command)
            print(
                f"{cost.cpu:8.2f} CPU s {cost.wall:8.2f} s {cost.peak:6.0f} MB  {side.folder.name}: {words}",
                file=sys.stderr,
            )
        return costs

    def start(self) -> list[Row]:
        """What it costs to start at all."""
        click = Side(baseline("click", self.folder), self.folder)
        rows = []
        for words, target in ((["--version"], 2.0), (["--help"], 2.5)):
            ours, theirs = self.compare(Side([*FLOWFORGE, *words], self.folder), click)
            rows.append(Row(f"`flowforge {words[0]}`", '`python -c "import click"`', ours, theirs, target))
        return rows

    def load(self, shape: str, count: int) -> Figures:
        """Load a project from nothing, once more, and after an edit."""
        root = self.project(shape, count)
        edited = next((root / "models").rglob("*.ff.sql"))

        def edit() -> None:
            with edited.open("a") as file:
                file.write("-- edited\n")

        def listing(before: Callable[[], object]) -> Side:
            return Side([*FLOWFORGE, "ls", "."], root, before)

        read = Side(baseline("read", root / "models"), root)
        ours, warm, again, theirs = self.compare(
            listing(lambda: shutil.rmtree(root / ".flowforge", ignore_errors=True)),
            listing(lambda: None),
            listing(edit),
            read,
        )
        against = "reading all files, YAML parsed in C"
        rows = [
            # Below this size, starting costs more than reading.
            Row(f"{what} of {count:,} models, {shape}", against, cost, theirs, target if count >= LOAD else None)
            for what, cost, target in (
                ("`ls`", ours, 3.0),
                ("`ls`, nothing changed,", warm, 0.8),
                ("`ls`, one file edited,", again, 0.9),
            )
        ]
        return rows, [Size(shape, count, ours, theirs, None, None, None, warm)]

    def chains(self, count: int) -> list[Row]:
        """A chain of twice the length."""
        roots = [self.project("chain", size) for size in (2 * count, count)]
        sides = [
            Side(
                [*FLOWFORGE, "ls", "."], root, lambda root=root: shutil.rmtree(root / ".flowforge", ignore_errors=True)
            )
            for root in roots
        ]
        ours, theirs = self.compare(*sides)
        return [
            Row(
                f"`ls` of a chain of {2 * count:,} models",
                f"a chain of {count:,}",
                ours,
                theirs,
                2.2 if count >= LOAD else None,
            )
        ]

    def run(self, shape: str, count: int) -> Figures:
        """Everything from nothing on DuckDB; then checks, and a run in which nothing is to be done."""
        root = self.project(shape, count)
        (root / "empty.duckdb").unlink(missing_ok=True)
        compared([Side(baseline("sources", root, "empty.duckdb", count), root)], 1)

        def fresh() -> None:
            for name in ("db.duckdb", "bare.duckdb"):
                (root / f"{name}.wal").unlink(missing_ok=True)
                shutil.copyfile(root / "empty.duckdb", root / name)
            shutil.rmtree(root / ".flowforge", ignore_errors=True)

        listing = Side([*FLOWFORGE, "ls", "."], root, fresh)
        load, read, plan = self.compare(
            listing,
            Side(baseline("read", root / "models"), root),
            Side([*FLOWFORGE, "run", ".", "--dry-run"], root, fresh),
        )
        run, bare = self.compare(
            Side([*FLOWFORGE, "run", ".", "--jobs", "2"], root, fresh),
            Side(baseline("statements", root, "bare.duckdb"), root, fresh),
        )
        rows = [
            Row(
                f"full run, {count:,} models, {shape}, 2 jobs",
                "the same statements, bare driver",
                run,
                bare,
                1.6 if count >= RUN else None,
            )
        ]
        if shape != "chain":
            rows += self.rest(root, count, fresh)
        return rows, [Size(shape, count, load, read, plan, run, bare)]

    def rest(self, root: Path, count: int, fresh: Callable[[], object]) -> list[Row]:
        """What can be measured when all is built."""
        fresh()
        once_each = [
            Side([*FLOWFORGE, "run", ".", "--jobs", "2"], root),
            Side(baseline("statements", root, "bare.duckdb"), root),
        ]
        compared(once_each, 1)
        tests, bare_tests = self.compare(
            Side([*FLOWFORGE, "test", "."], root), Side(baseline("checks", root, "bare.duckdb"), root)
        )
        again, load, notes = self.compare(
            Side([*FLOWFORGE, "run", ".", "--assume-unchanged"], root),
            Side([*FLOWFORGE, "ls", "."], root),
            Side(baseline("notes", root, "db.duckdb"), root),
        )
        both = Cost(load.cpu + notes.cpu, load.wall + notes.wall, max(load.peak, notes.peak))
        number = (root / "bare.json").read_text().count("select count(*)")
        return [
            Row(
                f"{number:,} column checks on it",
                "the same checks, bare driver",
                tests,
                bare_tests,
                2.0 if count >= RUN else None,
            ),
            Row(
                "second run of it, nothing to do",
                "`ls`, opening the database, reading `_ff_meta`",
                again,
                both,
                1.5 if count >= RUN else None,
            ),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write the page."""
    numbers = argparse.ArgumentParser(description=__doc__)
    numbers.add_argument("--load", type=int, nargs="*", default=[100, 1000, 5000, 10_000], help="sizes that are loaded")
    numbers.add_argument("--run", type=int, nargs="*", default=[100, 1000], help="sizes that are run on DuckDB")
    numbers.add_argument(
        "--shapes", nargs="*", choices=SHAPES, default=["layered"], help="shapes of those that are run"
    )
    numbers.add_argument("--chain", type=int, default=5000, help="length of the shorter chain; 0: none")
    numbers.add_argument("--seed", type=int, default=1_000_000, help="rows of the CSV seed; 0: none")
    numbers.add_argument("--frame", type=int, default=FRAME, help="rows of the Python model; 0: none")
    numbers.add_argument(
        "--long-seeds", action="store_true", help="CSV seeds of 10,000,000 rows too; they take minutes"
    )
    numbers.add_argument("--postgres", action="store_true", help="seeds on PostgreSQL too; needs a server's programs")
    numbers.add_argument("--no-start", action="store_true", help="leave out what it costs to start")
    numbers.add_argument("--times", type=int, default=3, help="how often each process is measured")
    numbers.add_argument("--page", type=Path, help="where to write the page; standard output without it")
    given = numbers.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="flowforge-bench-") as folder:
        bench = Bench(Path(folder), given.times)
        rows, sizes = [] if given.no_start else bench.start(), list[Size]()
        for count in given.load:
            for shape in given.shapes if count <= 1000 else given.shapes[:1]:
                if count in given.run:
                    continue
                more, size = bench.load(shape, count)
                rows, sizes = rows + more, sizes + size
        if given.chain:
            rows += bench.chains(given.chain)
        for count in given.run:
            for shape in given.shapes:
                more, size = bench.run(shape, count)
                rows, sizes = rows + more, sizes + size
        lengths = [given.seed] if given.seed else []
        for count in [*lengths, *([10 * SEED] if given.long_seeds else [])]:
            rows += csv_seeds.on_duckdb(bench.compare, bench.folder, count)
            if given.postgres:
                rows += csv_seeds.on_postgres(bench.compare, bench.folder, count)
        if given.frame:
            rows += frames.on_duckdb(bench.compare, bench.folder, given.frame)
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    remark = f"The machine was doing other work too (load {busy:.1f} a core)." if busy > 1.2 else ""
    sizes.sort(key=lambda size: (size.shape != "layered", size.shape, size.models))
    page = text(rows, sizes, times=given.times, machine=machine, remark=remark)
    if given.page is None:
        print(page)
    else:
        given.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
