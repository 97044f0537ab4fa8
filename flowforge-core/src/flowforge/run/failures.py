"""Stores the failing rows of checks in tables of their own, when somebody asks for it: ``--store-failures``.

What stands in the database is asked for on the engine. Rows that are about to be published may be gone in a moment, with
the transaction that they are in, so some of them are kept in memory and written when the run has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flowforge.checks.execute import CheckOutcome
from flowforge.contract import CreateKind, Dialect, LoadMode, Session
from flowforge.errors import EngineError, Note
from flowforge.frozen import frozen
from flowforge.materialize.quarantine import quarantine_relation
from flowforge.materialize.staging import staging_name
from flowforge.project.manifest import CheckDecl
from flowforge.run.check_tables import CheckTables
from flowforge.values import Relation, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "_ff_failures_"
MOST = 10_000
"""Of rows that are not published, so many are kept."""
_FLAG = "ff__flag"


def failures_relation(tables: CheckTables, check: CheckDecl) -> Relation:
    """Where the failing rows of a check are stored: beside its model, or in the profile's own schema."""
    base = Relation(check.table.removesuffix(".ff")).within(tables.namespace)
    if check.node is not None and tables.manifest.nodes[check.node].materialized != "ephemeral":
        base = tables.compiler.relation(tables.manifest.nodes[check.node])
    name = check.id if check.is_singular else f"{base.name}_{check.id}"
    return quarantine_relation(tables.dialect, base.renamed(name), PREFIX)


class FailureStore:
    """The failing rows of one run. Safe from any thread.

    Parameters
    ----------
    error:
        The executor's translation of its driver's exceptions.
    note:
        Told what could not be stored; that makes nobody fail.
    """

    def __init__(
        self,
        tables: CheckTables,
        run_id: str,
        error: Callable[[BaseException], EngineError | None],
        redact: Callable[[str], str],
        note: Callable[[Note], None],
    ) -> None:
        self._tables = tables
        self._run_id = run_id
        self._error = error
        self._redact = redact
        self._note = note
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[CheckDecl, pa.Table | None]] = {}

    @property
    def _dialect(self) -> Dialect:
        return self._tables.dialect

    def store(self, session: Session, outcome: CheckOutcome) -> str | None:
        """Store the failing rows of standing tables; what was stored before goes. Answers with the table's name."""
        table = failures_relation(self._tables, outcome.check)

        def write() -> bool:
            with session.transaction():
                if not outcome.failures or outcome.failing is None:
                    session.drop(table, RelationKind.TABLE)
                    return False
                staged = self._staged(table)
                session.drop(staged, RelationKind.TABLE)
                session.create_as(staged, self._rows(session, outcome.failing), CreateKind.TABLE)
                session.replace(staged, table)
                return True

        return str(table) if self._tried(outcome.check, write) else None

    def keep(self, session: Session, outcome: CheckOutcome) -> str | None:
        """Keep failing rows that may not be there much longer; :meth:`flush` stores them. The table's name."""
        found: list[pa.Table] = []

        def read() -> bool:
            if outcome.failures and outcome.failing is not None:
                sql = f"SELECT * FROM ({self._rows(session, outcome.failing)}) AS ff_failing LIMIT {MOST}"
                found.append(session.query(sql).read_all())
            return True

        if not self._tried(outcome.check, read):
            return None
        with self._lock:
            self._kept[outcome.check.id] = (outcome.check, found[0] if found else None)
        if not found:
            return None
        name = str(failures_relation(self._tables, outcome.check))
        more = (outcome.failures or 0) > found[0].num_rows == MOST
        return f"{name} (the first {MOST:,})" if more else name

    def flush(self, open_session: Callable[[], Iterator[Session]]) -> None:
        """Store what was kept. When the run's nodes have ended."""
        if not self._kept:
            return
        for session in open_session():
            for check, rows in self._kept.values():
                self._write(session, check, rows)

    def _write(self, session: Session, check: CheckDecl, rows: pa.Table | None) -> None:
        table = failures_relation(self._tables, check)

        def write() -> bool:
            with session.transaction():
                if rows is None:
                    session.drop(table, RelationKind.TABLE)
                    return True
                staged = self._staged(table)
                session.drop(staged, RelationKind.TABLE)
                session.load(staged, rows.to_reader(), LoadMode.CREATE)
                session.replace(staged, table)
                return True

        self._tried(check, write)

    def _rows(self, session: Session, sql: str) -> str:
        """The query *sql* without the column that only says that a row fails."""
        schema = session.schema_of(sql)
        names = [] if schema is None else [name for name in schema.names if name.casefold() != _FLAG]
        listed = ", ".join(self._dialect.quote(name) for name in names) or "*"
        return f"SELECT {listed} FROM (\n{sql}\n) AS ff_failing"

    def _staged(self, table: Relation) -> Relation:
        return table.renamed(staging_name(table.name, self._run_id, limit=self._dialect.max_identifier_bytes))

    def _tried(self, check: CheckDecl, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else self._error(problem)
            if error is None:
                raise
            words = self._redact(error.message.split("\n", 1)[0])
            self._note(Note(f"the failing rows of {check.id!r} could not be stored: {words}", "FF3028", check.location))
            return False


@frozen
class Storing:
    """Decides for an auditor what is stored of an outcome; ``None`` as *store*: nothing is."""

    store: FailureStore | None = None

    def of(self, session: Session, outcome: CheckOutcome, *, staged: bool) -> str | None:
        """Store its rows, if they are asked for and it has such; the table's name."""
        own = outcome.check.own
        knows = outcome.failing is not None or (outcome.status == "pass" and own is not None and bool(own.key))
        if self.store is None or outcome.status in ("error", "skip") or not knows:
            return None
        return self.store.keep(session, outcome) if staged else self.store.store(session, outcome)
