"""Measures whole processes: CPU seconds, seconds by the clock, and the peak of memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

BASELINE = str(Path(__file__).with_name("baseline.py"))
FLOWFORGE = [sys.executable, "-m", "flowforge"]
ENVIRONMENT = {**os.environ, "NO_COLOR": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode


class Cost(NamedTuple):
    """What one process took: seconds of CPU, seconds by the clock, megabytes."""

    cpu: float
    wall: float
    peak: float


class Side(NamedTuple):
    """One of the processes that are compared, and what is done before each time."""

    command: Sequence[str]
    folder: Path
    before: Callable[[], object] = lambda: None
    beside: Callable[[], float] = lambda: 0.0
    """The CPU seconds that a server has used so far for this process and others."""


def baseline(*words: str | Path | int) -> list[str]:
    """The command line of a baseline."""
    return [sys.executable, BASELINE, *map(str, words)]


def once(side: Side) -> Cost:
    """Run a process to its end."""
    side.before()
    beside = side.beside()
    start = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(side.command, cwd=side.folder, env=ENVIRONMENT, **quiet) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(side.command)} ended with {process.returncode}:\n{said.decode()[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime + side.beside() - beside, wall, used.ru_maxrss / 1024)


def compared(sides: Sequence[Side], times: int) -> list[Cost]:
    """The medians of several processes, which take turns, so that all of them meet the same load of the machine."""
    found: list[list[Cost]] = [[] for _ in sides]
    for _ in range(times):
        for costs, side in zip(found, sides, strict=True):
            costs.append(once(side))
    return [Cost(*(statistics.median(column) for column in zip(*costs, strict=True))) for costs in found]
