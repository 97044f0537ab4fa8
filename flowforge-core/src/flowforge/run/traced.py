"""The SQL debug channel: a session that logs what it is asked to do on the logger ``flowforge.sql``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("flowforge.sql")

_LOGGED = {
    "execute": lambda sql: sql,
    "query": lambda sql: sql,
    "create_as": lambda relation, select, kind, options=None: f"create {kind.value} {relation} as\n{select}",
    "insert": lambda relation, select, columns: f"insert into {relation} ({', '.join(columns)})\n{select}",
    "load": lambda relation, reader, mode, options=None: (
        f"load {relation} ({', '.join(reader.schema.names)}) [{mode.value}]"
    ),
    "apply_options": lambda relation, options: f"give {relation} its {', '.join(options.named) or 'bare form'}",
    "replace": lambda staged, target: f"replace {target} by {staged}",
    "drop": lambda relation, kind: f"drop {kind.value} {relation}",
}


class TracedSession:
    """Passes everything on to a session; statements are logged first, with secrets masked."""

    def __init__(self, session: Any, redact: Callable[[str], str]) -> None:
        self._session = session
        self._redact = redact

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._session, name)
        describe = _LOGGED.get(name)
        if describe is None:
            return method

        def logged(*args: Any, **kwargs: Any) -> Any:
            logger.debug(self._redact(describe(*args, **kwargs)))  # type: ignore[operator]
            return method(*args, **kwargs)

        return logged


def traced(session: Any, redact: Callable[[str], str]) -> Any:
    """*session*, with a log of its statements when someone listens."""
    return TracedSession(session, redact) if logger.isEnabledFor(logging.DEBUG) else session
