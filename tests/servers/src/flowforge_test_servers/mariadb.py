"""A MariaDB server that lives as long as a test run: loopback, free port, no durability, gone afterwards.

``python -m flowforge_test_servers.mariadb -- command ...`` runs a command beside one. It takes the programs that are
installed on this machine (Debian: ``mariadb-server``), and needs no driver to start or stop.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from flowforge_test_servers.binaries import NoServerError

PORT, PASSWORD = "FF_TEST_MARIADB_PORT", "FF_TEST_MARIADB_PASSWORD"
USER = "ff"
_PATIENCE = 60.0
_ALSO = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/usr/local/mysql/bin"))


@attrs.frozen
class MariaDBServer:
    """Where a server listens, and the password of its one user."""

    port: int
    password: str


def program(name: str) -> str | None:
    """Where a program of MariaDB's is on this machine."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), _ALSO)))


@contextlib.contextmanager
def mariadb_server() -> Iterator[MariaDBServer]:
    """A running server, removed at the end of the block.

    Raises
    ------
    NoServerError
        Where there is no MariaDB, or it does not start.
    """
    daemon, installer = program("mariadbd"), program("mariadb-install-db")
    if daemon is None or installer is None:
        raise NoServerError("there is no MariaDB on this machine: mariadbd and mariadb-install-db are not found")
    root = Path(tempfile.mkdtemp(prefix="ffmdb-"))
    try:
        server = MariaDBServer(_free_port(), secrets.token_urlsafe(12))
        user = ["--user=root"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [installer, "--no-defaults", f"--datadir={root / 'data'}", "--skip-test-db", *user],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise NoServerError(f"mariadb-install-db failed: {made.stderr.strip() or made.stdout.strip()}")
        first = root / "first.sql"
        first.write_text(
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{server.password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n"
        )
        options = [
            "--no-defaults",
            *user,
            f"--datadir={root / 'data'}",
            f"--socket={root / 'socket'}",
            f"--pid-file={root / 'pid'}",
            f"--port={server.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            f"--init-file={first}",
        ]
        with (root / "log").open("wb") as log:
            process = subprocess.Popen(
                [daemon, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        try:
            _await(process, server.port, root / "log")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """The server opens its port after it has read its first statements."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NoServerError(f"MariaDB did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: list[str] | None = None) -> int:
    """Run a command with the address of a server in its environment, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flowforge_test_servers.mariadb", description=__doc__)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command to run")
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("say what to run: -- command ...")
    try:
        with mariadb_server() as server:
            env = {**os.environ, PORT: str(server.port), PASSWORD: server.password}
            return subprocess.run(command, env=env, check=False).returncode
    except NoServerError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
