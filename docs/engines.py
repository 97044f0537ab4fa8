"""The page on engines: what runs of the conformance suite found, kept as data, and made into text.

`python docs/engines.py ROW REPORT [PARITY]` keeps what a run has recorded; it is run by the Python of the run, so it
imports nothing but the standard library. `docs/generate.py` makes the page.
"""

from __future__ import annotations

import collections
import datetime as dt
import importlib.metadata
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
GAP = re.compile(r"(?:\[NOTRUN\] )?known gap: ")
MARKS = {"full": "yes", "partial": "partly", "not implemented": "not yet", "unsupported": "no"}


def rows() -> dict[str, dict[str, Any]]:
    """What is said of each row by hand, in the order of the page."""
    return tomllib.loads((DATA / "engines.toml").read_text("utf-8"))


def record(row: str, report: Path, parity: Path | None) -> None:
    """Keep what one run has found.

    Parameters
    ----------
    report:
        What `--ff-report` wrote.
    parity:
        What the parity tests wrote, where they ran.
    """
    if row not in rows():
        print(f"{row} is not on the page: {DATA / 'engines.toml'} names the rows", file=sys.stderr)
        return
    found = json.loads(report.read_text("utf-8"))
    outcomes: collections.Counter[str] = collections.Counter()
    gaps: collections.Counter[str] = collections.Counter()
    for case in found["cases"].values():
        reason = case.get("reason", "")
        gap = case["outcome"] == "expected failure" and GAP.match(reason)
        outcomes["known gap" if gap else case["outcome"]] += 1
        if gap:
            gaps[reason[gap.end() :]] += 1
    if outcomes["failed"]:
        raise SystemExit(f"{row}: {outcomes['failed']} cases failed, so nothing is recorded")
    kept = {
        "engine": found["engine"],
        "recorded": dt.datetime.now(dt.UTC).date().isoformat(),
        "versions": versions(rows()[row]["runs"]),
        "outcomes": dict(sorted(outcomes.items())),
        "capabilities": found["capabilities"],
        "gaps": dict(sorted(gaps.items())),
        "parity": json.loads(parity.read_text("utf-8")) if parity is not None else None,
    }
    file = DATA / "engines" / f"{row}.json"
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def versions(text: str) -> dict[str, str]:
    """The versions of the distributions and programs that a text names."""
    names = re.findall(r"\{([\w-]+)\}", text)
    return {name: PROGRAMS[name]() if name in PROGRAMS else importlib.metadata.version(name) for name in names}


def mariadb() -> str:
    """The version of the server of this machine."""
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"])
    program = shutil.which("mariadbd", path=places) or "mariadbd"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"[0-9]+(\.[0-9]+)+", said)
    return found[0] if found else said.strip()


# What is no distribution, and how it tells its version.
PROGRAMS: dict[str, Callable[[], str]] = {"sqlite": lambda: sqlite3.sqlite_version, "mariadb": mariadb}


# -- the page -----------------------------------------------------------------------------------------------------------


def page() -> str:
    """The text behind the note of where it comes from."""
    found = {row: json.loads((DATA / "engines" / f"{row}.json").read_text("utf-8")) for row in rows()}
    return "".join([INTRODUCTION, *proofs(found), *capabilities(found), *gaps(found), *parity(found)])


INTRODUCTION = """\
# Engines

Every engine is held to the same conformance suite, and whoever writes one runs it [too](../plugins/testing-your-engine.md).
A claim that is too large fails, and so does one that is too small. What is written here was recorded by such runs.

## What stands behind the results

A service cannot be run on a machine without a network, so something stands in for it. The column *proof* says what:

- **real engine**: the product itself.
- **independent implementation**: another program that speaks the same protocol and runs the SQL in its own way. What it
  accepts, the product may refuse, and the other way round; rows that are equal were computed twice.
- **DuckDB in disguise**: the driver is real, and so are the requests; what answers them is DuckDB. Texts, positions and
  numbers of errors, limits, and everything that costs money are not shown by that.

*Passed* counts cases of the suite. *Refused* are cases that fail as they should, because the engine does not claim the
capability or refuses a name or type. *Gaps* fail because of what stands in for the service, each for a reason
[below](#known-gaps-of-what-stands-in). None fails otherwise, or nothing would have been recorded.

"""


def proofs(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| engine | proof | ran on | recorded | passed | refused | skipped | gaps | equal tables |\n"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n"
    for row, said in rows().items():
        one = found[row]
        counts = [one["outcomes"].get(name, 0) for name in ("passed", "expected failure", "skipped", "known gap")]
        cells = [said["title"], said["proof"], said["runs"].format(**one["versions"]), one["recorded"], *counts]
        yield "| " + " | ".join(map(str, [*cells, equal(said, one)])) + " |\n"
    yield "\nSpark itself, with Java, runs five files of the suite, those that decide on rows: tables that are made and replaced,\n"
    yield "types, names, merges. It is slow to say even little. Whoever has one of the services points the suite at it with\n"
    yield "`--ff-settings`, without the gaps.\n"


def equal(said: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """How many tables are those of DuckDB."""
    if one["parity"] is None:
        return str(said.get("parity", "not compared"))
    parts = []
    for project, told in one["parity"].items():
        parts.append(f"{told['tables'] - len(told['differences'])} of {told['tables']} ({project})")
    return ", ".join(parts)


def capabilities(found: Mapping[str, Any]) -> Iterator[str]:
    engines = {found[row]["engine"]: row for row in reversed(rows())}
    chosen = [row for row in rows() if row in engines.values()]
    yield "\n## What each engine claims\n\n"
    yield "| capability | " + " | ".join(rows()[row]["title"].removesuffix(" 2") for row in chosen) + " |\n"
    yield "| --- |" + " --- |" * len(chosen) + "\n"
    for name in found[chosen[0]]["capabilities"]:
        levels = [MARKS[found[row]["capabilities"][name]["level"]] for row in chosen]
        yield f"| {name.replace('_', ' ')} | " + " | ".join(levels) + " |\n"
    yield "\n*Zero copy clone*: the suite sees that a copy and its source go their own ways. That no rows are copied is the word of\n"
    yield "the product; an emulator copies them. What the words mean is in the [contract](../plugins/write-an-engine.md). The\n"
    yield "reasons:\n"
    for row in chosen:
        yield f"\n### {rows()[row]['title'].removesuffix(' 2')}\n\n"
        for name, one in found[row]["capabilities"].items():
            if one["reason"]:
                yield f"- {name.replace('_', ' ')}, {MARKS[one['level']]}: {one['reason']}\n"


def gaps(found: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Known gaps of what stands in\n\nA gap that is closed fails the run, and leaves this list.\n"
    for row, said in rows().items():
        if found[row]["gaps"]:
            yield f"\n### {said['title']}: {said['runs'].format(**found[row]['versions'])}\n\n"
            yield "| cases | reason |\n| ---: | --- |\n"
            for reason, count in sorted(found[row]["gaps"].items(), key=lambda one: (-one[1], one[0])):
                yield f"| {count} | {escaped(reason)} |\n"


def parity(found: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## The same rows as on DuckDB\n\n"
    yield "Two projects are built on DuckDB and, [translated](../how-to/write-portable-sql.md), on the other engine: the one\n"
    yield "of `tests/parity`, and `examples/nycflights` with 5,000 of its flights. Kinds, names and rows of all tables are\n"
    yield "compared, what the checks say, and that a second run builds nothing.\n"
    for row, said in rows().items():
        told = found[row]["parity"]
        if told is None:
            continue
        tables = sum(one["tables"] for one in told.values())
        others = [(project, name, one) for project in told for name, one in told[project]["differences"].items()]
        yield f"\n### {said['title']}: {tables - len(others)} of {tables} tables are equal\n\n"
        yield "| table | what differs | reason |\n| --- | --- | --- |\n" if others else ""
        for project, name, one in others:
            listed = ", ".join(f"`{column}`" for column in one.get("columns", ()))
            what = listed or ("it is not built" if one.get("missing") else "it is not read")
            yield f"| {project}: `{name}` | {what} | {escaped(one['reason'])} |\n"


def escaped(text: str) -> str:
    """A text as a cell of a table."""
    return text.replace("\\", "\\\\").replace("|", "\\|")


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
