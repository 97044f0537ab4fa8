"""A server of Spark Connect that lives as long as a test run: Sail, which needs no Java. Loopback, free port, own folder.

``python -m flowforge_test_servers.spark -- command ...`` runs a command beside one. Sail keeps a catalogue for each
session, so the address names one session, which all clients share.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from flowforge_test_servers.binaries import NoServerError

MASTER_VARIABLE = "FF_TEST_SPARK_MASTER"
WAREHOUSE_VARIABLE = "FF_TEST_SPARK_WAREHOUSE"
_PATIENCE = 30.0
# Ends with its standard input, so that it cannot outlive whoever started it.
_PROGRAM = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer(ip="127.0.0.1", port=0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextlib.contextmanager
def sail_server() -> Iterator[tuple[str, Path]]:
    """The address of a running server, as ``master`` in a profile, and its folder; both gone at the end of the block.

    Raises
    ------
    NoServerError
        Where there is no Sail, or it does not start.
    """
    root = Path(tempfile.mkdtemp(prefix="ffsail-"))
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,  # Ctrl-C in a test is not for the server
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port.isdigit():
            process.wait(_PATIENCE)
            raise NoServerError(f"Sail did not start:\n{(root / 'log').read_text(errors='replace')[-2000:]}")
        yield f"sc://127.0.0.1:{int(port)}/;session_id={uuid.uuid4()};user_id=flowforge", root
    finally:
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        process.stdout.close()
        shutil.rmtree(root, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Run a command with the address of a server in its environment, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flowforge_test_servers.spark")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- command ...")
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("say what to run: -- command ...")
    try:
        with sail_server() as (master, root):
            env = {**os.environ, MASTER_VARIABLE: master, WAREHOUSE_VARIABLE: str(root / "warehouse")}
            return subprocess.run(command, env=env, check=False).returncode
    except NoServerError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
