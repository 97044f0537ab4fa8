"""The publishing protocol: how one relation is written so that nobody ever sees half of it.

With locks and transactions around DDL: lock, stage, audit, replace and note, all in one transaction on one session. A
kill at any moment leaves the old relation or the new one, never a third thing: the database forgets what was not
committed. A failed audit rolls everything back. The other engines do it step by step, under a lease:
:mod:`flowforge.materialize.stepwise`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from flowforge.contract import Capability, Dialect, EngineSpec, Session
from flowforge.crash import crash_point
from flowforge.errors import Committed, EngineError, ErrorKind, FlowForgeError, InternalError
from flowforge.frozen import frozen
from flowforge.materialize.history import Past
from flowforge.materialize.hooks import Hooks, run_statements
from flowforge.materialize.steps import Audit, Publication, Published, Steps, Writer
from flowforge.materialize.stepwise import publish_stepwise, refuse_what_is_not_atomic
from flowforge.state.lease import Leases
from flowforge.state.meta import MetaRow, write_meta
from flowforge.values import Namespace, Relation, RelationKind

__all__ = ["Audit", "Publication", "Published", "Publisher", "Writer"]


_SAYS_NOTHING = (ErrorKind.CANCELLED, ErrorKind.TIMEOUT, ErrorKind.LOCKED, ErrorKind.CONNECTION)
"""Kinds of errors that say nothing about names."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _ensure_schema(session: Session, target: Relation) -> None:
    if target.schema:
        try:
            session.ensure_schema(target)
        except Exception:  # noqa: BLE001 - another session made it at the same moment, or it fails again now
            session.ensure_schema(target)


def _is_taken(session: Session, target: Relation, problem: Exception) -> bool:
    """Whether *problem*, after which nothing was written, may come from what stands under the name of *target*."""
    if isinstance(problem, EngineError):
        if problem.kind in _SAYS_NOTHING or problem.committed is not Committed.NO:
            return False
    elif isinstance(problem, FlowForgeError):
        return False
    try:
        return session.kind_of(target) is not None
    except Exception:  # noqa: BLE001 - the first problem is what is to be told
        return False


@frozen
class Publisher:
    """Publishes relations of one run.

    Parameters
    ----------
    namespace:
        The profile's own.
    meta_table:
        Where the run notes what it wrote.
    lock_timeout:
        Seconds to wait for another run that writes the same relation; ``None`` waits for ever.
    clock:
        The time in UTC, to be noted.
    moment:
        The one time in UTC that all histories of the run note.
    leases:
        What takes the place of locks, on engines that lack them, or transactions around DDL.
    """

    engine: EngineSpec
    dialect: Dialect
    namespace: Namespace
    run_id: str
    meta_table: Relation
    lock_timeout: float | None = None
    clock: Callable[[], dt.datetime] = _now
    leases: Leases | None = None
    moment: dt.datetime = attrs.field(factory=_now)

    def publish(self, session: Session, publication: Publication, audit: Audit | None) -> Published:
        """Write one relation, or find that what stands there is what would be written. On a worker's thread.

        Raises
        ------
        EngineError
            Of kind ``LOCKED`` when another run holds the relation for too long; whatever the engine raises.
        MovedError
            When the publication is for a table that another run has replaced meanwhile. Nothing was written.
        Exception
            What *audit* and the publication's own writer raise. Nothing was replaced then.
        """
        wanted = (Capability.TRANSACTIONAL_DDL, Capability.LOCKS)
        in_transaction = all(self.engine.support(one) for one in wanted)
        name = self.dialect.render(publication.target)
        publication = self._steps.held(publication, at_once=in_transaction)
        if not in_transaction:
            refuse_what_is_not_atomic(self._steps, publication)
        _ensure_schema(session, publication.target)
        if not in_transaction:
            if self.leases is None:
                raise InternalError("no leases for an engine that cannot lock")
            with self.leases.hold(session, name, timeout=self.lock_timeout) as lease:
                return publish_stepwise(self._steps, lease, session, publication, audit)
        try:
            return self._publish(session, publication, audit)
        except Exception as problem:
            if not publication.can_stand_at_once or not _is_taken(session, publication.target, problem):
                raise
            # Somebody has made something of this name since the run began: it is given way to like any other.
            return self._publish(session, attrs.evolve(publication, vacant=False), audit)

    def _publish(self, session: Session, publication: Publication, audit: Audit | None) -> Published:
        """One attempt, in one transaction."""
        run_statements(session, self._hooks(session, publication).before, in_transaction=False)
        with session.transaction():
            session.lock(self.dialect.render(publication.target), timeout=self.lock_timeout)
            crash_point("publish.locked")
            hooks = self._hooks(session, publication)
            published, unfinished = self._in_transaction(session, publication, audit, hooks)
        crash_point("publish.committed")
        if unfinished is not None:
            self._finish(session, publication, published.row, unfinished, hooks)
        return published

    def spare(self, publication: Publication) -> Relation:
        """A relation of this run's own that a publication's writer may use beside the one that it is given."""
        return self._steps.spare(publication)

    def _hooks(self, session: Session, publication: Publication) -> Hooks:
        """What is to be run around this publication."""
        growing = publication.growing_hooks
        return growing if growing is not None and self._steps.grows(session, publication) else publication.hooks

    def _finish(
        self, session: Session, publication: Publication, row: MetaRow, unfinished: MetaRow, hooks: Hooks
    ) -> None:
        """Run what is to be run outside of the transaction, and only then note that all is done."""
        run_statements(session, hooks.after, in_transaction=False)
        with session.transaction():
            session.lock(self.dialect.render(publication.target), timeout=self.lock_timeout)
            now = self._steps.noted(session, publication.target)
            if now is not None and (now.run_id, now.sequence) == (self.run_id, unfinished.sequence):
                # else another run was here meanwhile
                write_meta(session, self.dialect, self.meta_table, row)

    def cancel(self) -> None:
        """End all waiting for leases, now and from now on. Any thread."""
        if self.leases is not None:
            self.leases.stop.set()

    def settle(self, session: Session, publication: Publication) -> bool:
        """Whether *publication* is what stands there, after a commit of which nobody knows how it ended.

        Parameters
        ----------
        session:
            A new one; the one that published is lost.
        """
        row = self._steps.noted(session, publication.target)
        if row is None or row.run_id != self.run_id or publication.outlasts:
            return False
        return row.data_id == publication.data_id or bool(
            publication.fingerprint and row.fingerprint == publication.fingerprint
        )

    @property
    def _steps(self) -> Steps:
        return Steps(self.engine, self.dialect, self.namespace, self.run_id, self.meta_table, self.clock)

    def _in_transaction(
        self, session: Session, publication: Publication, audit: Audit | None, hooks: Hooks
    ) -> tuple[Published, MetaRow | None]:
        """What was published, and what was noted instead while hooks are to come: nobody can skip it by that."""
        steps = self._steps
        # What is made under a free name has no note to be read; should the name be taken, making it fails.
        row = None if publication.can_stand_at_once else steps.noted(session, publication.target)
        publication = steps.as_cast(session, steps.alone(session, publication, row))
        if row is not None and steps.is_built(session, publication, row):
            if audit is not None:
                audit(session, self.dialect.render(publication.target))
            return Published(row, row.rows, kept=True), None
        steps.refuse_to_lose_a_history(session, publication, row)
        run_statements(session, hooks.before, in_transaction=True)
        past = steps.past(session, publication) if publication.history is not None else None
        if past is not None and publication.prunes:
            published = self._pruned(session, publication, past, row)
            if published.kept:
                return published, None
        elif past is not None:
            published = self._continued(session, publication, past, audit, row, hooks)
        elif steps.grows(session, publication):
            published = self._grown(session, publication, audit, row, hooks)
        else:
            published = self._replaced(session, publication, audit, row, hooks)
        if publication.hold is not None:
            publication.hold.write(session)
            published = attrs.evolve(published, aside=publication.hold.kept)
            crash_point("publish.parted")
        steps.note_windows(session, publication, published.rows)
        unfinished = attrs.evolve(published.row, fingerprint="", content="") if hooks.outlasts else None
        write_meta(session, self.dialect, self.meta_table, unfinished or published.row, first=row is None)
        crash_point("publish.noted")
        return published, unfinished

    def _replaced(
        self, session: Session, publication: Publication, audit: Audit | None, row: MetaRow | None, hooks: Hooks
    ) -> Published:
        steps = self._steps
        at_once = row is None and publication.can_stand_at_once
        staged = None if publication.is_query else steps.stage(session, publication, at_once=at_once)
        crash_point("publish.staged")
        steps.audit(session, publication, staged, audit)
        crash_point("publish.audited")
        kept = False
        if staged is not None:
            staged = steps.hashed(session, publication, staged)
            kept = steps.are_equal(session, publication, staged, row)
        if staged is not None and kept:
            session.drop(staged.relation, publication.staged_kind)
        else:
            steps.replace(session, publication, staged, at_once=at_once)
            crash_point("publish.replaced")
        if self._after(session, hooks) and staged is not None:
            content = steps.content(session, publication, publication.table)
            kept = kept and content == staged.content
            staged = attrs.evolve(staged, content=content)
        if staged is not None and row is not None and kept:
            noted = steps.kept_row(publication, row)
        else:
            noted = steps.new_row(session, publication, staged, row)
        return Published(noted, staged.rows if staged else None, kept)

    def _continued(
        self,
        session: Session,
        publication: Publication,
        past: Past,
        audit: Audit | None,
        row: MetaRow | None,
        hooks: Hooks,
    ) -> Published:
        """Add versions to a history; the audit sees all of its versions as they will be."""
        steps = self._steps
        versions = steps.versions(session, publication, past)
        kept = versions.is_nothing and steps.is_as_noted(session, publication, row)
        if kept or versions.can_write:
            if not kept:
                versions.write()
            versions.spares.drop(session)
            steps.furnish(session, publication)
        else:
            steps.replace(session, publication, steps.stage_versions(session, publication, versions))
        crash_point("publish.versioned")
        if audit is not None:
            audit(session, self.dialect.render(publication.target))
        hooked = self._after(session, hooks)
        if kept and row is not None and not hooked:
            return Published(steps.kept_row(publication, row), 0, kept=True)
        return Published(steps.new_row(session, publication, None, row), versions.opened, kept=False)

    def _pruned(self, session: Session, publication: Publication, past: Past, row: MetaRow | None) -> Published:
        """Remove old versions; what is known of the rows that they were made from stays true."""
        steps = self._steps
        count = steps.old_versions(session, publication)
        if row is not None:
            publication = attrs.evolve(publication, fingerprint=row.fingerprint)
        if not count and row is not None:
            return Published(row, 0, kept=True)
        steps.replace(session, publication, steps.stage_kept(session, publication, past))
        crash_point("publish.pruned")
        return Published(steps.new_row(session, publication, None, row), count, kept=False)

    def _after(self, session: Session, hooks: Hooks) -> bool:
        """Run what belongs to the transaction when all else is done; was there anything?"""
        found = any(one.in_transaction for one in hooks.after)
        if found:
            run_statements(session, hooks.after, in_transaction=True)
            crash_point("publish.hooked")
        return found

    def _grown(
        self, session: Session, publication: Publication, audit: Audit | None, row: MetaRow | None, hooks: Hooks
    ) -> Published:
        """Add rows to the table; the audit sees all of its rows as they will be."""
        steps = self._steps
        growth = steps.growth(session, publication)
        known = publication.may_keep and row is not None and steps.stands(session, publication, row)
        kept = known and growth.is_nothing(steps.staging(publication))
        if kept or growth.can_write:
            if not kept:
                growth.write()
            session.drop(growth.batch, RelationKind.TABLE)
            steps.furnish(session, publication)
        else:
            steps.replace(session, publication, steps.stage_grown(session, publication, growth))
        crash_point("publish.grown")
        if audit is not None:
            audit(session, self.dialect.render(publication.target))
        hooked = self._after(session, hooks)
        if kept and row is not None and not hooked:  # nobody knows what hooks have done to the rows that stand
            return Published(steps.kept_row(publication, row), growth.rows, kept=True)
        return Published(steps.new_row(session, publication, None, row), growth.rows, kept=False)
