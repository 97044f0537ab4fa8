"""Behind something that pools the server's sessions, as PgBouncer does: by session all works, by transaction it is refused."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from flowforge.contract import CreateKind, Session
from flowforge.errors import EngineError, UnsupportedError
from flowforge.values import Relation
from flowforge_postgres.executor import PostgresExecutor
from flowforge_postgres.settings import PostgresSettings

T = Relation("t", "public")
READY = b"Z\x00\x00\x00\x05I"


class Pooler:
    """Two sessions of the server for any number of clients, one client at a time.

    Parameters
    ----------
    by_transaction:
        Each transaction gets the next session; else a client keeps the one that it got.
    """

    def __init__(self, dsn: str, *, by_transaction: bool) -> None:
        self._by_transaction = by_transaction
        self._servers = [psycopg.connect(dsn, autocommit=True) for _ in range(2)]
        self._lines = [socket.socket(fileno=os.dup(server.pgconn.socket)) for server in self._servers]
        for line in self._lines:
            line.setblocking(True)
        self._next = 0
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.dsn = urlsplit(dsn)._replace(netloc=f"ff:any@127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        threading.Thread(target=self._listen, daemon=True).start()

    def _server(self) -> socket.socket:
        with self._guard:
            self._next += 1
            return self._lines[self._next % 2]

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(client):
            while self._is_greeting(client):
                client.sendall(b"N")  # no encryption
            client.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x00")
            for name, value in (("server_version", "18.0"), ("client_encoding", "UTF8")):
                words = f"{name}\0{value}\0".encode()
                client.sendall(b"S" + struct.pack("!i", len(words) + 4) + words)
            client.sendall(b"K" + struct.pack("!iii", 12, 1, 2) + READY)
            server = self._server()
            while True:
                message = self._message(client)
                if message[:1] == b"X":
                    return
                server.sendall(message)
                if message[:1] in b"QS":  # the client now waits until the server is ready
                    answer = b""
                    while answer[:1] != b"Z":
                        answer = self._message(server)
                        client.sendall(answer)
                    if self._by_transaction and answer == READY:
                        server = self._server()

    def _is_greeting(self, client: socket.socket) -> bool:
        (size,) = struct.unpack("!i", self._exactly(client, 4))
        (code,) = struct.unpack("!i", self._exactly(client, size - 4)[:4])
        return bool(code != 196608)

    def _message(self, line: socket.socket) -> bytes:
        head = self._exactly(line, 5)
        return head + self._exactly(line, struct.unpack("!i", head[1:])[0] - 4)

    def _exactly(self, line: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += line.recv(size - len(data)) or self._gone()
        return data

    def _gone(self) -> bytes:
        raise OSError("the other side is gone")

    def close(self) -> None:
        self._listener.close()
        for line in (*self._open, *self._lines):
            line.close()
        for server in self._servers:
            server.close()


@pytest.fixture
def behind(postgres_dsn: str) -> Iterator[Callable[..., PostgresExecutor]]:
    """An executor behind a pooler."""
    with contextlib.ExitStack() as stack:

        def make(*, by_transaction: bool) -> PostgresExecutor:
            pooler = stack.enter_context(contextlib.closing(Pooler(postgres_dsn, by_transaction=by_transaction)))
            return stack.enter_context(contextlib.closing(PostgresExecutor(PostgresSettings(dsn=pooler.dsn))))

        yield make


def publish(session: Session) -> None:
    staged = Relation("staged", "public")
    with session.transaction():
        session.lock("t", timeout=1)
        session.create_as(staged, "select 1 as id", CreateKind.TABLE)
        session.replace(staged, T)


def test_a_pooler_by_session_changes_nothing(behind: Callable[..., Any], outside: psycopg.Connection[Any]) -> None:
    with behind(by_transaction=False).session(label="flowforge/r/t") as session:
        for _ in range(3):
            publish(session)
        assert session.query("select interval '1 month' as v, current_setting('TimeZone') as zone").read_all().num_rows
        names = outside.execute(
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'flowforge/r/t'"
        ).fetchall()
        assert (
            names
            == outside.execute(
                "select pid from pg_stat_activity where datname = current_database() and application_name like 'flowforge/%'"
            ).fetchall()
        )
        assert len(names) == 1
    assert outside.execute("select id from t").fetchall() == [(1,)]


def test_a_pooler_by_transaction_is_found_out_before_anything_is_written(
    behind: Callable[..., Any], outside: psycopg.Connection[Any]
) -> None:
    with behind(by_transaction=True).session(label="x") as session:
        with pytest.raises(UnsupportedError, match="pooler") as refusal:
            publish(session)
        assert "session" in (refusal.value.help or "")
    assert isinstance(refusal.value, EngineError)
    assert outside.execute("select count(*) from pg_class where relname in ('t', 'staged')").fetchone() == (0,)
