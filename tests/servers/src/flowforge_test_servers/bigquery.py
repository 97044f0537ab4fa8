"""An emulator of BigQuery that lives as long as a test run: loopback, free ports, a home of its own, gone afterwards.

``python -m flowforge_test_servers.bigquery -- command ...`` runs a command beside one. The emulator needs other versions
of libraries than we do, so it lives in an environment of its own: ``FLOWFORGE_BQ_EMULATOR`` names that one's Python.
What it surely does otherwise than BigQuery is mended: see :mod:`flowforge_test_servers.bigquery_emulator`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from flowforge_test_servers.binaries import NoServerError

VARIABLE = "FLOWFORGE_BQ_EMULATOR"
ENDPOINT_VARIABLE = "FF_TEST_BIGQUERY_ENDPOINT"
PROJECT_VARIABLE = "FF_TEST_BIGQUERY_PROJECT"
PROJECT = "flowforge-test"
_PATIENCE = 60.0

# Without this the emulator looks for the extension on the network. Run by the emulator's own Python.
_INSTALL = """
import pathlib, sys, duckdb, duckdb_extension_spatial as spatial
files = sorted(pathlib.Path(spatial.__file__).parent.glob("extensions/v*/*.duckdb_extension"))
duckdb.connect(config={"extension_directory": sys.argv[1]}).execute(f"INSTALL '{files[-1]}'")
"""


class BigQueryServer:
    """An emulator of this process. One thread.

    Parameters
    ----------
    python:
        The interpreter of an environment with ``bqemulator``.
    root:
        An empty folder of its own, which is removed by :meth:`remove`.
    """

    def __init__(self, python: Path, root: Path) -> None:
        self.python = python
        self.root = root
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._env = {**os.environ, "HOME": str(root)}
        for name in ("PYTHONPATH", "PYTHONHOME"):  # ours are not for another environment
            self._env.pop(name, None)

    @property
    def endpoint(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def create(self) -> None:
        """Give the emulator what it would load from the network.

        Raises
        ------
        NoServerError
            When its environment is not complete, with what it said.
        """
        folder = self.root / ".duckdb" / "extensions"
        try:
            done = subprocess.run(
                [str(self.python), "-c", _INSTALL, str(folder)],
                env=self._env,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as exc:
            raise NoServerError(f"cannot run {self.python}: {exc}") from exc
        if done.returncode:
            raise NoServerError(f"the emulator's environment is not complete: {done.stderr.strip()[-2000:]}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = [str(self.python), str(Path(__file__).with_name("bigquery_emulator.py"))]
        for _ in range(3):  # somebody may take a free port before it does
            rest, grpc = _free_ports(2)
            words = ["start", "--rest-port", str(rest), "--grpc-port", str(grpc), "--log-level", "error"]
            with (self.root / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [*program, *words],
                    cwd=self.root,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # Ctrl-C in a test is not for the server
                )
            self.port = rest
            if self._becomes_ready():
                return
            self.stop()
        raise NoServerError(f"bqemulator did not start:\n{self.log()[-2000:]}")

    def _becomes_ready(self) -> bool:
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return True
            time.sleep(0.1)
        return False

    def log(self) -> str:
        """What the emulator wrote."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / "log").read_text(errors="replace")
        return ""

    def stop(self) -> None:
        """Stop it; quiet when it is down."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """Stop it and remove all that it stored."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def bigquery_server(python: str | Path | None = None) -> Iterator[BigQueryServer]:
    """A running emulator, removed at the end of the block.

    Parameters
    ----------
    python:
        The interpreter of its environment; without it, the variable ``FLOWFORGE_BQ_EMULATOR`` says it.

    Raises
    ------
    NoServerError
        Where there is none, or it does not start.
    """
    named = python or os.environ.get(VARIABLE)
    if not named:
        raise NoServerError(
            f"{VARIABLE} is not set: it names the Python of an environment with bqemulator, duckdb==1.5.5,"
            " duckdb-extension-spatial==1.5.5 and numpy"
        )
    server = BigQueryServer(Path(named), Path(tempfile.mkdtemp(prefix="ffbq-")))
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def main(arguments: list[str] | None = None) -> int:
    """Run a command with the address of an emulator in its environment, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flowforge_test_servers.bigquery")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- command ...")
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("say what to run: -- command ...")
    try:
        with bigquery_server() as server:
            env = {**os.environ, ENDPOINT_VARIABLE: server.endpoint, PROJECT_VARIABLE: PROJECT}
            return subprocess.run(command, env=env, check=False).returncode
    except NoServerError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
