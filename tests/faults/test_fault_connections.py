"""K13: the server cannot be reached, or does not want us. Who, what to do, soon; the password never."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from breaking.projects import PLAIN, assert_standing, outside, project, run_to_end
from flowforge_test_servers.board.arena import Place, write_files
from flowforge_test_servers.board.process import finish, start
from flowforge_test_servers.faults import provoked

PASSWORD = "wr0ng_S3cret"


@attrs.frozen
class Trouble:
    """An address that does not work.

    Parameters
    ----------
    words:
        What is different in the address.
    says:
        What the error holds.
    callers:
        Counts those who came, where somebody can count them.
    """

    words: dict[str, Any]
    says: tuple[str, ...]
    callers: list[float] = attrs.field(factory=list)


Provoke = Callable[[Place], contextlib.AbstractContextManager[Trouble]]


@contextlib.contextmanager
def nobody_listens(place: Place) -> Iterator[Trouble]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        yield Trouble({"port": port}, (f"127.0.0.1:{port}", "refused", "check that the server runs"))


@contextlib.contextmanager
def no_such_host(place: Place) -> Iterator[Trouble]:
    host = "x" * 64 + ".invalid"  # no name may have so long a part, so nobody has to be asked
    yield Trouble({"host": host, "port": 5432}, (f"{host}:5432", "correct the host"))


@contextlib.contextmanager
def wrong_password(place: Place) -> Iterator[Trouble]:
    yield Trouble({}, ("password authentication failed", "check user and password"))


@contextlib.contextmanager
def no_such_database(place: Place) -> Iterator[Trouble]:
    with role(place) as words:
        yield Trouble({**words, "dbname": "nowhere"}, ("nowhere", "does not exist", "create the database"))


@contextlib.contextmanager
def too_many_connections(place: Place) -> Iterator[Trouble]:
    with role(place, "CONNECTION LIMIT 0") as words:
        yield Trouble(words, ("too many connections", "lower --jobs"))


@contextlib.contextmanager
def hangs_up(place: Place) -> Iterator[Trouble]:
    with listening(answers=False) as (port, callers):
        yield Trouble({"port": port}, (f"127.0.0.1:{port}", "check that the server runs"), callers)


@contextlib.contextmanager
def is_silent(place: Place) -> Iterator[Trouble]:
    with listening(answers=None) as (port, callers):
        yield Trouble({"port": port}, (f"127.0.0.1:{port}", "timeout", "check that the server runs"), callers)


@contextlib.contextmanager
def speaks_another_language(place: Place) -> Iterator[Trouble]:
    with listening(answers=True) as (port, callers):
        yield Trouble({"port": port}, (f"127.0.0.1:{port}", "check that the server runs"), callers)


@contextlib.contextmanager
def role(place: Place, options: str = "") -> Iterator[dict[str, Any]]:
    """A role of the server whose password is :data:`PASSWORD`, as words of an address."""
    name = f"role_{place.database}"
    with outside(place) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}")
        try:
            yield {"user": name}
        finally:
            admin.execute(f"DROP ROLE {name}")


@contextlib.contextmanager
def listening(answers: bool | None) -> Iterator[tuple[int, list[float]]]:
    """Somebody who takes calls, and answers as HTTP servers do, hangs up, or (``None``) says nothing."""
    callers: list[float] = []
    kept: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            callers.append(time.monotonic())
            if answers is None:
                kept.append(caller)
                continue
            with caller, contextlib.suppress(OSError):
                if answers:
                    caller.recv(1024)
                    caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], callers
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for caller in kept:
            caller.close()


TROUBLES: dict[str, Provoke] = {
    "nobody listens": nobody_listens,
    "no such host": no_such_host,
    "wrong password": wrong_password,
    "no such database": no_such_database,
    "too many connections": too_many_connections,
    "hangs up": hangs_up,
    "is silent": is_silent,
    "no PostgreSQL": speaks_another_language,
}
QUICK = ("nobody listens", "wrong password", "is silent")


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[] if how in QUICK else [pytest.mark.full]) for how in TROUBLES]
)
def test_a_server_that_cannot_be_had(postgres: Place, how: str) -> None:
    from psycopg import conninfo

    project(postgres, PLAIN, 2)
    profile = (postgres.root / "profiles.yml").read_text()
    write_files(postgres.root, {"profiles.yml": profile.replace("dsn:", "connect_timeout: 2, dsn:")})
    own = conninfo.conninfo_to_dict(postgres.env["BOARD_DSN"])
    with TROUBLES[how](postgres) as trouble:
        words = {**own, "password": PASSWORD, **trouble.words}
        with provoked("K13", "postgres", how, "exit 1 at once, address and next step named, no password"):
            since = time.monotonic()
            # With -vv there is a traceback, and in tracebacks passwords are found.
            ended = finish(start(postgres, "run", "-vv", BOARD_DSN=conninfo.make_conninfo("", **words)))
            assert time.monotonic() - since < 10
            assert ended.code == 1, ended.stderr
            for text in (*trouble.says, "help:"):
                assert text in ended.stderr, ended.stderr
            assert len(trouble.callers) <= 3, "a storm of attempts"
            assert PASSWORD not in ended.stderr + ended.stdout
            for file in postgres.root.rglob("*"):
                assert file.is_dir() or PASSWORD.encode() not in file.read_bytes(), file
            assert_standing(postgres, 1)


@pytest.mark.parametrize("how", ["no database", pytest.param("a folder", marks=pytest.mark.full)])
def test_a_file_that_is_no_database(duck: Place, how: str) -> None:
    project(duck, PLAIN, 2)
    file = duck.root / "board.db"
    file.unlink()
    if how == "no database":
        file.write_bytes(b"PK\x03\x04" * 9999)
    else:
        file.mkdir()
    with provoked("K13", "duckdb", f"the database's file: {how}", "exit 1, file named, nothing touched"):
        ended = run_to_end(duck)
        assert ended.code == 1, ended.stderr
        assert "board.db" in ended.stderr
        assert file.is_dir() or file.read_bytes() == b"PK\x03\x04" * 9999
