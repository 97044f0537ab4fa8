"""Writes the page of provoked faults out of what runs of the tests recorded.

    FF_FAULT_TABLE=faults.jsonl pytest -m "" tests/crash tests/faults
    python tests/crash/table.py faults.jsonl

`nox -t full` records too, and says where. Several files are counted as one; the page is
``docs/explanation/fault-table.md``, unless ``--page`` names another.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from flowforge_test_servers.faults import Case, read

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "fault-table.md"

MADE = "<!-- Made by tests/crash/table.py from a run of the tests. Do not edit. -->"
HEAD = f"""\
{MADE}

# What was broken on purpose, and what came of it

FlowForge promises that a relation is the old one or the new one, never a third thing, whatever happens to the process,
the database or the machine. This page lists what the tests did to break that promise. The tests wrote it: each row is
a fault, the engine on which it was provoked, how, how many times, and what the user was left with.

*Damage* means that something was lost, doubled, mixed or reported wrongly. *Old* and *new* are the rows before and
after the run that was disturbed. `plain` is an engine for tests that has neither locks nor transactions around DDL, as
some warehouses, and `cloning` is the same with copies of tables that grow. How a run is protected is in
[the design](design.md); what to do after a fault is in [find out what went wrong](../troubleshooting.md).

"""

FAULTS = {
    "K1": "kill -9 in the middle of a run",
    "K1b": "the process dies at a named step",
    "K2": "kill -9 while the server works on a statement",
    "K3": "Ctrl-C",
    "K4": "SIGTERM",
    "K5": "kill -9 while a seed is loaded",
    "K6": "kill -9 while documentation is written",
    "K7": "several runs on one target at once",
    "K8": "the session is ended by the server",
    "K9": "the server crashes and restarts",
    "K10": "the disk is full",
    "K11": "the project's folder is read-only",
    "K12": "files of earlier runs are damaged",
    "K13": "the server is down",
    "K14": "a kill, then a default run that may skip",
    "K15": "a kill between publishing and noting",
    "K16": "deadlock",
    "K17": "somebody else holds a lock",
    "K18": "a statement takes too long",
    "K19": "out of memory",
    "K20": "clocks and time zones",
    "K21": "unusual file systems",
    "K22": "a network that stops",
    "S10": "least privileges, hostile search path",
    "H200": "200 healthy runs in a row",
}


def cell(text: str) -> str:
    """*text* inside of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def page(cases: Iterable[Case]) -> str:
    """The whole page. Cases that differ in nothing but their number are one row.

    Raises
    ------
    ValueError
        When a fault has no name in :data:`FAULTS`.
    """
    counted: dict[tuple[str, str, str, str, bool], int] = {}
    for case in cases:
        key = case.fault, case.engine, case.how, case.outcome, case.damage
        counted[key] = counted.get(key, 0) + case.cases
    total = sum(counted.values())
    damaged = sum(count for key, count in counted.items() if key[-1])
    parts = [HEAD, f"{total:,} faults in this run; damage: {damaged or 'none'}.\n"]
    for fault in sorted({key[0] for key in counted}, key=list(FAULTS).index):
        parts.append(f"\n## {fault}: {FAULTS[fault]}\n\n")
        parts.append("| engine | how | cases | outcome | damage |\n| --- | --- | ---: | --- | --- |\n")
        rows = sorted((key, count) for key, count in counted.items() if key[0] == fault)
        parts.extend(
            f"| {engine} | {cell(how)} | {count} | {cell(outcome)} | {'**yes**' if damage else 'none'} |\n"
            for (_, engine, how, outcome, damage), count in rows
        )
    return "".join(parts)


def main() -> None:
    """Write the page; exit with 1 when there was damage, so that nobody overlooks it."""
    parser = argparse.ArgumentParser(description="Writes the page of provoked faults.")
    parser.add_argument("records", nargs="+", type=Path, help="files that FF_FAULT_TABLE named")
    parser.add_argument("--page", default=PAGE, type=Path, help="what to write")
    options = parser.parse_args()
    cases = [case for file in options.records for case in read(file)]
    options.page.write_text(page(cases), "utf-8")
    print(f"{options.page}: {sum(case.cases for case in cases):,} cases")
    sys.exit(any(case.damage for case in cases))


if __name__ == "__main__":
    main()
