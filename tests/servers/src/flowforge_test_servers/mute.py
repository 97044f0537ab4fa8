"""A server that takes connections and never says a word, as firewalls and balancers without anybody behind them do."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def mute_server() -> Iterator[int]:
    """Listen on loopback for as long as the context lasts; gives the port. The system itself takes the connections."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        port: int = listening.getsockname()[1]
        yield port
