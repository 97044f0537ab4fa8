"""Runs the conformance suite many times, in processes that need not import everything again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[3]
SOURCES = [ROOT / "tests/third_party/flowforge-sqlite/src", ROOT / "flowforge-duckdb/src"]

FORGE = """
import json, os, sys
import pyarrow.compute, pytest
import flowforge.config.structure, flowforge.plugins.loading
try:
    import duckdb
except ImportError:
    pass
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(order["folder"])
        sys.path[:0] = order["path"]
        out = os.open("output.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = pytest.main(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@attrs.frozen
class Outcome:
    """How a run of pytest ended, and all that it wrote."""

    returncode: int
    output: str


class Forge:
    """A process that makes a fresh copy of itself for each run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORGE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )

    def run(self, folder: Path, *arguments: str) -> Outcome:
        """Run pytest in *folder*, where modules are found as well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        plugin = ["-q", "-ra", "--noconftest", "-p", "no:cacheprovider", "-p", "flowforge.testkit.plugin"]
        order = {
            "folder": str(folder),
            "path": [str(folder), *(str(source) for source in SOURCES)],
            "arguments": [*plugin, *arguments],
        }
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        return Outcome(int(answer), (folder / "output.txt").read_text("utf-8"))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """The one forge of a test run."""
    forge = Forge()
    yield forge
    forge.close()
