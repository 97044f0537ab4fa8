"""Runs of FlowForge as processes of their own: to their end, to a named point, or to a moment in time."""

from __future__ import annotations

import collections
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from flowforge_test_servers.board.arena import Place, interpreter

KILLED = 137
PATIENCE = 120.0
"""Seconds until a process counts as hung."""


@attrs.frozen
class Ended:
    """How a process ended. *duration* is in seconds."""

    code: int
    stdout: str
    stderr: str
    duration: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """The records of ``--log-format json``."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def statuses(self) -> dict[str, str]:
        """What became of each node, by name."""
        found = {}
        for event in self.events:
            if event.get("event") == "node_finished":
                found[str(event["node"])] = str(event["status"])
        return found


def run(place: Place, *args: str, **variables: str) -> Ended:
    """Run ``flowforge ARGS`` at *place* and wait for its end. *variables* are added to its environment."""
    return finish(start(place, *args, **variables))


@attrs.frozen
class Running:
    """A process that was started, at *since* on the clock of ``time.perf_counter``."""

    process: subprocess.Popen[str]
    since: float


def start(place: Place, *args: str, command: Sequence[str] | None = None, **variables: str) -> Running:
    """Start ``flowforge ARGS`` in a process group of its own."""
    since = time.perf_counter()
    process = subprocess.Popen(
        [*(command or interpreter()), *args],
        cwd=place.root,
        env=place.arena.environment(place.env, **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Running(process, since)


def finish(running: Running, timeout: float = PATIENCE) -> Ended:
    """Wait for the end of a process; one that does not end within *timeout* seconds is killed, and that is an error."""
    process = running.process
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = process.communicate()
        raise AssertionError(f"hung for {timeout:.0f} s\n{stdout}\n{stderr}") from None
    return Ended(process.returncode, stdout, stderr, time.perf_counter() - running.since)


@attrs.frozen
class Swept:
    """A process that was killed at a moment in time.

    Parameters
    ----------
    length:
        Seconds from the beginning of the run, as the process told it, to the end.
    killed:
        It did not end by itself before.
    """

    code: int
    stderr: str
    length: float
    killed: bool


def kill_after(place: Place, args: Sequence[str], seconds: float | None) -> Swept:
    """Start a run, wait until it says that it has begun, and kill its process group *seconds* later.

    With ``None`` nothing is killed: so it is measured how long a run takes.
    """
    process = subprocess.Popen(
        [*interpreter(), *args, "--log-format", "json"],
        cwd=place.root,
        env=place.arena.environment(place.env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    with process.stderr as stderr:
        said = []
        for line in stderr:
            said.append(line)
            if '"run_started"' in line:
                break
        since = time.perf_counter()
        killed = False
        try:
            process.wait(PATIENCE if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed = True
            process.wait()
        length = time.perf_counter() - since
        said.append(stderr.read())
    return Swept(process.returncode, "".join(said), length, killed)


def count_points(place: Place, *args: str) -> tuple[Ended, dict[str, int]]:
    """Run to the end, and count how many times each crash point was reached."""
    trace = Path(place.root) / ".points"
    trace.unlink(missing_ok=True)
    counter = [sys.executable, "-m", "flowforge_test_servers.board.counted", str(trace)]
    ended = finish(start(place, *args, command=counter))
    lines = trace.read_text("utf-8").split() if trace.exists() else []
    trace.unlink(missing_ok=True)
    return ended, dict(collections.Counter(lines))
