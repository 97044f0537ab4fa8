"""Runs the queries that templates ask for by ``run_query()``, each in a transaction that is given up afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from flowforge.contract import Session
from flowforge.errors import EngineError, RenderError
from flowforge.project.manifest import Manifest, Node
from flowforge.rendering.limits import MAX_TEXT, TooExpensive, size
from flowforge.rendering.render import words_of
from flowforge.rendering.table import QueryTable
from flowforge.run.sessions import Sessions

MAX_ROWS = 10_000
"""Rows that a template may be given."""

Ask = Callable[[Node, str], QueryTable]
"""Runs one query for a node."""


class OpenSession(Protocol):
    """Opens a session, as ``Executor.session`` does."""

    def __call__(self, *, label: str, timeout: float | None) -> Session:
        """A session under a label, whose statements may take so many seconds."""


class _GivenUp(Exception):
    """Ends a transaction in which nothing was to be changed."""


class Asker:
    """Asks the database for templates. Safe from any thread; a query runs on a session of its own.

    Parameters
    ----------
    open_session:
        Takes a label and the `timeout` of a statement in seconds, if the node has one.
    error:
        The driver's exceptions in the contract's words.
    sessions:
        What is cancelled when the run is.
    prefix:
        Of the labels.
    """

    def __init__(
        self,
        open_session: OpenSession,
        error: Callable[[BaseException], EngineError | None],
        redact: Callable[[str], str],
        sessions: Sessions,
        prefix: str,
    ) -> None:
        self._open_session = open_session
        self._error = error
        self._redact = redact
        self._sessions = sessions
        self._prefix = prefix

    def __call__(self, node: Node, sql: str) -> QueryTable:
        """The rows of *sql*.

        Raises
        ------
        RenderError
            ``FF1420`` when the engine refuses it, ``FF1421`` when there are too many rows.
        """
        try:
            label = f"{self._prefix}/{node.short_name}"
            with self._sessions.working(self._open_session(label=label, timeout=node.config.timeout)) as session:
                return self._rows(session, sql)
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else self._error(problem)
            if error is None:
                raise
            raise RenderError(
                f"run_query() failed: {self._redact(error.message)}",
                code="FF1420",
                help=self._redact(error.help) if error.help else "the query that failed is in the notes",
                notes=(self._redact(f"the query: {' '.join(sql.split())}"),),
            ) from error

    def _rows(self, session: Session, sql: str) -> QueryTable:
        rows: list[tuple[Any, ...]] = []
        names: list[str] = []
        try:
            with session.transaction():
                with session.query(sql) as reader:
                    names = reader.schema.names
                    for batch in reader:
                        if len(rows) + batch.num_rows > MAX_ROWS:
                            raise RenderError(
                                f"run_query() gives more than {MAX_ROWS:,} rows",
                                code="FF1421",
                                help="ask for fewer: group, filter, or say LIMIT; large results belong into SQL",
                            )
                        rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
                raise _GivenUp
        except _GivenUp:
            pass
        try:
            size(rows, MAX_TEXT)
        except TooExpensive as error:
            raise RenderError(
                "run_query() gives more than a template can hold", code="FF1421", help="ask for fewer columns or rows"
            ) from error
        return QueryTable(names, rows)


def asks(node: Node, manifest: Manifest) -> bool:
    """Whether a SQL model, or an ephemeral one that becomes part of it, may ask the database while it is compiled."""
    todo, seen = [node], {node.name}
    while todo:
        one = todo.pop()
        for body in (one.query, one.delta.query if one.delta is not None else None):
            if body is None or body.simple:
                continue
            words = words_of(body.template)
            used = {use for macro in manifest.macros.used_by(words) for use in macro.uses}
            if not {"run_query", "execute"}.isdisjoint(words | used):
                return True
        for name in one.depends_on:
            parent = manifest.nodes[name]
            if parent.materialized == "ephemeral" and name not in seen:
                seen.add(name)
                todo.append(parent)
    return False
