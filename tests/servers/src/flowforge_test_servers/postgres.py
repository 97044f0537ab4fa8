"""A PostgreSQL server that lives as long as a test run: loopback, free port, no durability, gone afterwards.

``python -m flowforge_test_servers.postgres -- command ...`` runs a command beside one. Needs no driver to start or stop.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowforge_test_servers.binaries import NoServerError, check_bindir, find_bindir

DSN_VARIABLE = "FF_TEST_POSTGRES_DSN"
USER = "ff"
_PATIENCE = 30.0
_SETTINGS = {
    "deadlock_timeout": "100ms",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "unix_socket_directories": "",
}


class PostgresServer:
    """A server of this process. One thread.

    Parameters
    ----------
    root:
        An empty folder of its own, which is removed by :meth:`remove`.
    settings:
        What ``postgres -c`` gets beyond the usual.
    """

    def __init__(self, bindir: Path, root: Path, settings: Mapping[str, str]) -> None:
        self.bindir = bindir
        self.root = root
        self.data = root / "data"
        self.password = secrets.token_urlsafe(12)
        self.port = 0
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        self._env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        self._env["LC_ALL"] = "C.UTF-8"
        if os.geteuid() == 0:  # postgres refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(root, nobody.pw_uid, nobody.pw_gid)
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self.bindir = self._reachable(bindir)

    def _reachable(self, bindir: Path) -> Path:
        """*bindir*, or a copy of its installation when a folder above it is closed to the server's user."""
        try:
            subprocess.run([bindir / "initdb", "--version"], cwd="/", capture_output=True, check=True, **self._as_user)
        except OSError:
            package = bindir.parent.parent
            copy = self.root / "programs" / package.name
            shutil.copytree(bindir.parent, copy / bindir.parent.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # where wheels put what their programs load
            if libraries.is_dir():
                shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
            return copy / bindir.parent.name / bindir.name
        except subprocess.CalledProcessError:
            pass  # making the cluster will say what is wrong
        return bindir

    @property
    def dsn(self) -> str:
        """The address of the database ``postgres``, for its owner."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str, user: str = USER, password: str | None = None) -> str:
        """The address of a database, for a role."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None, "the server is stopped"
        return self._process.pid

    def create(self) -> None:
        """Make the cluster.

        Raises
        ------
        NoServerError
            When the programs do not run here, with what they said.
        """
        secret = self.root / "password"
        secret.write_text(self.password)
        if self._as_user:
            os.chown(secret, self._as_user["user"], self._as_user["group"])
        words = [
            *(str(self.bindir / "initdb"), "-D", str(self.data), "-U", USER, "--pwfile", str(secret)),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
        ]
        try:
            done = subprocess.run(
                words, cwd=self.root, env=self._env, capture_output=True, text=True, check=False, **self._as_user
            )
        except OSError as exc:
            raise NoServerError(f"cannot run {self.bindir / 'initdb'}: {exc}") from exc
        if done.returncode:
            raise NoServerError(f"initdb of {self.bindir} failed: {done.stderr.strip() or done.stdout.strip()}")

    def start(self) -> None:
        """Start the server and wait until it takes connections; on the port that it had before, if it had one."""
        for _ in range(1 if self.port else 3):
            port = self.port or _free_port()
            options = [word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")]
            with (self.root / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self.bindir / "postgres"), "-D", str(self.data), "-p", str(port), *options],
                    cwd=self.root,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # Ctrl-C in a test is not for the server
                    **self._as_user,
                )
            if self._becomes_ready():
                self.port = port
                return
            self.stop()
        raise NoServerError(f"PostgreSQL did not start:\n{self.log()[-2000:]}")

    def _becomes_ready(self) -> bool:
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
                if len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def log(self) -> str:
        """What the server wrote."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / "log").read_text(errors="replace")
        return ""

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server; *immediate* as in a crash, so that the next start has to recover. Quiet when it is down."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in [signal.SIGQUIT] if immediate else [signal.SIGINT, signal.SIGQUIT]:
            if process.poll() is None:
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
                return
        process.kill()
        process.wait()

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start."""
        self.stop(immediate=immediate)
        self.start()

    def remove(self) -> None:
        """Stop the server and remove all that it stored."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def postgres_server(bindir: str | Path | None = None, **settings: str) -> Iterator[PostgresServer]:
    """A running server, removed at the end of the block.

    Parameters
    ----------
    bindir:
        Where the programs are; looked for when it is not given.
    settings:
        Configuration of the server, as in ``postgresql.conf``.

    Raises
    ------
    NoServerError
        Where there is no PostgreSQL, or it does not start.
    """
    found = check_bindir(Path(bindir)) if bindir is not None else find_bindir()
    server = PostgresServer(found, Path(tempfile.mkdtemp(prefix="ffpg-")), settings)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: list[str] | None = None) -> int:
    """Run a command with the address of a server in its environment, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flowforge_test_servers.postgres")
    parser.add_argument("--bindir", help="the folder of initdb and postgres")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- command ...")
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.error("say what to run: -- command ...")
    try:
        with postgres_server(given.bindir) as server:
            return subprocess.run(command, env={**os.environ, DSN_VARIABLE: server.dsn}, check=False).returncode
    except NoServerError as exc:
        print(exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
