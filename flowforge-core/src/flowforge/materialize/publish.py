"""The publishing protocol: lock, stage, audit, replace and note, all in one transaction on one session.

A kill at any moment leaves the old relation or the new one, never a third thing: the database forgets what was not
committed. A failed audit rolls everything back.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from flowforge.contract import Capability, CreateKind, Dialect, EngineSpec, Session, TableOptions
from flowforge.errors import UnsupportedError
from flowforge.materialize.staging import staging_name
from flowforge.state.meta import MetaRow, write_meta
from flowforge.values import Relation, RelationKind

Audit = Callable[[Session, str], None]
"""Called with the session and the SQL of the staged rows (a relation, or a subquery); raises to refuse them."""

Writer = Callable[[Session, Relation], int | None]
"""Creates the given staging table and returns its number of rows, if known."""


@attrs.frozen
class Publication:
    """One relation that is to be written.

    Parameters
    ----------
    select:
        The query whose rows it gets; or
    write:
        the function that writes the staging table. For a view made of rows, *backing* is the table under it.
    """

    target: Relation
    kind: RelationKind
    meta: MetaRow
    select: str | None = None
    write: Writer | None = None
    backing: Relation | None = None
    options: TableOptions = TableOptions()


@attrs.frozen
class Publisher:
    """Publishes relations of one run.

    Parameters
    ----------
    meta_table:
        Where the run notes what it wrote.
    lock_timeout:
        Seconds to wait for another run that writes the same relation; ``None`` waits for ever.
    """

    engine: EngineSpec
    dialect: Dialect
    run_id: str
    meta_table: Relation
    lock_timeout: float | None = None

    def publish(self, session: Session, publication: Publication, audit: Audit | None) -> int | None:
        """Write one relation and return its number of rows, when it is known. Called from a worker's thread."""
        support = self.engine.support(Capability.TRANSACTIONAL_DDL)
        if not support:
            raise UnsupportedError(
                f"publishing needs transactions around DDL, which {self.engine.name} does not offer: {support.reason}"
            )
        target = publication.target
        if target.schema:
            session.ensure_schema(target)
        with session.transaction():
            session.lock(self.dialect.render(target), timeout=self.lock_timeout)
            if publication.kind is RelationKind.VIEW and publication.select is not None:
                rows = None
                self._view(session, target, publication.select, audit)
            else:
                rows = self._table(session, publication, audit)
            write_meta(session, self.dialect, self.meta_table, attrs.evolve(publication.meta, rows=rows))
        return rows

    def _table(self, session: Session, publication: Publication, audit: Audit | None) -> int | None:
        target = publication.backing or publication.target
        limit = self.dialect.max_identifier_bytes
        staged = target.renamed(staging_name(target.name, self.run_id, limit=limit))
        if publication.write is not None:
            rows = publication.write(session, staged)
        else:
            assert publication.select is not None
            rows = session.create_as(staged, publication.select, CreateKind.TABLE, publication.options).rows
        if audit is not None:
            audit(session, self.dialect.render(staged))
        session.replace(staged, target)
        if publication.backing is not None:
            self._view(session, publication.target, f"SELECT * FROM {self.dialect.render(target)}", None)
        return rows

    def _view(self, session: Session, target: Relation, select: str, audit: Audit | None) -> None:
        if audit is not None:
            audit(session, f"(\n{select}\n)")
        standing = session.kind_of(target)
        if standing is not None:
            session.drop(target, standing)
        session.create_as(target, select, CreateKind.VIEW)
