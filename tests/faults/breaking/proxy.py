"""A proxy before a server that loses connections in the ways in which networks do. Loopback only."""

from __future__ import annotations

import contextlib
import ctypes
import enum
import socket
import struct
import threading
from collections.abc import Iterator

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER of Linux


class Cut(enum.Enum):
    """When a connection is lost, seen from the COMMIT that a client sends."""

    NEVER = "never"
    BEFORE = "before the server gets it"
    AFTER = "after the server has answered, before the client knows"


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def deafen(connection: socket.socket) -> None:
    """Let the kernel drop all that arrives, without any answer: so a peer looks that was unplugged.

    A process that merely stops reading is another thing: its kernel goes on answering.
    """
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # "return 0 bytes" in BPF
    program = _Filter(1, ctypes.cast(drop_all, ctypes.c_void_p))
    connection.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, bytes(program))


class Proxy:
    """Listens on a free port until it is closed. Its methods may be called from any thread.

    Parameters
    ----------
    port:
        Of the server.
    cut, mark:
        Of connections on which the text *mark* was sent, the first COMMIT afterwards is lost so; one in all.
    """

    def __init__(self, port: int, cut: Cut = Cut.NEVER, mark: bytes = b"") -> None:
        self._server = port
        self._cut, self._mark = cut, mark
        self._guard = threading.Lock()
        self._open: list[socket.socket] = []
        self._stopped = False
        self.was_cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def unplug(self) -> None:
        """From now on nothing goes through, and nobody is told."""
        with self._guard:
            self._stopped = True
            for connection in self._open:
                deafen(connection)

    def close(self) -> None:
        """Close everything."""
        with self._guard:
            self._stopped = True
            for connection in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._guard:
                self._open.append(client)
                if self._stopped:
                    continue
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open.append(server)
            swallow = threading.Event()
            threading.Thread(target=self._upwards, args=(client, server, swallow), daemon=True).start()
            threading.Thread(target=self._downwards, args=(client, server, swallow), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        marked = False
        while data := _received(client):
            if self._stopped:
                continue
            marked = marked or bool(self._mark and self._mark in data)
            if marked and b"COMMIT" in data and not self.was_cut.is_set() and self._cut is not Cut.NEVER:
                if self._cut is Cut.BEFORE:
                    self.was_cut.set()
                    break
                swallow.set()
            if not _sent(server, data):
                break
        _end(client, server)

    def _downwards(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        while data := _received(server):
            if self._stopped:
                continue
            if swallow.is_set():
                self.was_cut.set()
                break
            if not _sent(client, data):
                break
        if not self._stopped:
            _end(client, server)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _sent(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(port: int, cut: Cut = Cut.NEVER, mark: bytes = b"") -> Iterator[Proxy]:
    """A proxy for the time of a block; the parameters are those of :class:`Proxy`."""
    proxy = Proxy(port, cut, mark)
    try:
        yield proxy
    finally:
        proxy.close()
