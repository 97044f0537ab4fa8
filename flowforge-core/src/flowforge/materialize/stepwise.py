"""Publishing where DDL takes part in no transaction: announce, replace in one atomic step, and note.

(a) The long statement writes only a staging relation of this run's own, and the audit looks at that; for a table that
grows, that is a copy which shares its rows, where there are such: :mod:`flowforge.materialize.clones`. (b) A row without
a fingerprint is added to ``_ff_meta``: whoever reads it knows that he knows nothing. (c) One atomic step puts the new
rows in place. (d) The full row is added, and (e) the older ones are removed. A kill between (b) and (d) leaves the old
rows or the new ones, and the next run builds them again.
"""

from __future__ import annotations

import contextlib
import logging

import attrs

from flowforge.contract import Capability, Session
from flowforge.crash import crash_point
from flowforge.errors import EngineError, UnsupportedError
from flowforge.materialize.clones import continued_clone, grown_clone
from flowforge.materialize.history import Past
from flowforge.materialize.hooks import Hooks, run_statements
from flowforge.materialize.steps import Audit, Publication, Published, Staged, Steps
from flowforge.state.lease import Lease
from flowforge.state.meta import MetaRow, append_meta, forget
from flowforge.values import Relation, RelationKind

logger = logging.getLogger("flowforge.run")


def refuse_what_is_not_atomic(steps: Steps, publication: Publication) -> None:
    """Say before anything is written that the engine cannot replace a table in one step.

    Raises
    ------
    UnsupportedError
        Unless the publication allows for it.
    """
    support = steps.engine.support(Capability.ATOMIC_REPLACE)
    transactions = steps.engine.support(Capability.TRANSACTIONAL_DDL)
    if support or transactions or publication.is_query or publication.allow_non_atomic:
        return
    raise UnsupportedError(
        f"{steps.engine.name} cannot replace a table in one step ({support.reason}), so readers could see half of it",
        help="choose a table format that can, or a view; or say allow_non_atomic: true",
    )


def publish_stepwise(
    steps: Steps, lease: Lease, session: Session, publication: Publication, audit: Audit | None
) -> Published:
    """Write one relation under a lease, or leave it; see :meth:`Publisher.publish`."""
    row = steps.noted(session, publication.target)
    publication = steps.as_cast(session, steps.alone(session, publication, row))
    if row is not None and steps.is_built(session, publication, row):
        if audit is not None:
            audit(session, steps.dialect.render(publication.target))
        return Published(row, row.rows, kept=True)
    steps.refuse_to_lose_a_history(session, publication, row)
    growing = publication.growing_hooks is not None and steps.grows(session, publication)
    hooks = publication.growing_hooks if growing and publication.growing_hooks is not None else publication.hooks
    run_statements(session, hooks.before)
    past = steps.past(session, publication) if publication.history is not None else None
    try:
        if past is not None:
            staged = _stage_history(steps, session, publication, past, row)
            crash_point("open.versioned")
            kept = staged is None
            if audit is not None:
                audit(session, steps.dialect.render(publication.target if staged is None else staged.relation))
            if kept and row is not None and publication.prunes:
                return Published(row, 0, kept=True)
            if publication.prunes and row is not None:
                publication = attrs.evolve(publication, fingerprint=row.fingerprint)
        else:
            staged = None if publication.is_query else _stage(steps, session, publication, row)
            crash_point("open.staged")
            steps.audit(session, publication, staged, audit)
            if staged is not None:
                staged = steps.hashed(session, publication, staged)
            kept = staged is not None and (staged.stands or steps.are_equal(session, publication, staged, row))
        if row is not None and kept:
            lease.confirm(session)
            if staged is not None and not staged.stands:
                session.drop(staged.relation, publication.staged_kind)
            _part(session, publication)
            _finish_parting(session, publication)
            steps.note_windows(session, publication, staged.rows if staged is not None else None)
            noted, kept = _keep(steps, lease, session, publication, staged, row, hooks)
        else:
            noted = _replace(steps, lease, session, publication, staged, row, hooks)
        crash_point("open.noted")
    except BaseException:
        if not publication.is_query:
            _clear_away(session, steps.staging(publication), publication.staged_kind)
            for spare in _spares(steps, publication):
                _clear_away(session, spare)
        raise
    forget(session, steps.dialect, steps.meta_table, noted.relation, before=noted.sequence)
    crash_point("open.cleaned")
    aside = publication.hold.kept if publication.hold is not None else None
    return Published(noted, staged.rows if staged else 0 if past else None, kept, aside)


def _part(session: Session, publication: Publication) -> None:
    """Put rows aside before the others are published: nobody may lose them in between."""
    if publication.hold is not None:
        publication.hold.write(session)
        crash_point("open.parted")


def _finish_parting(session: Session, publication: Publication) -> None:
    """Take released rows out of the quarantine when they are published: nobody may lose them in between."""
    if publication.hold is not None:
        publication.hold.finish(session)
        crash_point("open.settled")


def _spares(steps: Steps, publication: Publication) -> tuple[Relation, ...]:
    aside = publication.hold.spares if publication.hold is not None else ()
    if publication.history is not None:
        spares = steps.spares(publication)
        return (spares.batch, spares.changed, spares.versions, *aside)
    spared = publication.increment is not None or publication.noting is not None
    return (steps.spare(publication), *aside) if spared else aside


def _stage_history(
    steps: Steps, session: Session, publication: Publication, past: Past, row: MetaRow | None
) -> Staged | None:
    """The history as it will be; ``None``: it stays as it is. Its rows are the versions that come, or go."""
    if publication.prunes:
        count = steps.old_versions(session, publication)
        if not count and row is not None:
            return None
        return attrs.evolve(steps.stage_kept(session, publication, past), rows=count)
    versions = steps.versions(session, publication, past)
    if versions.is_nothing and steps.is_as_noted(session, publication, row):
        versions.spares.drop(session)
        return None
    session.drop(steps.staging(publication), RelationKind.TABLE)  # of an attempt whose connection was lost
    return continued_clone(steps, session, publication, versions) or steps.stage_versions(
        session, publication, versions
    )


def _keep(
    steps: Steps,
    lease: Lease,
    session: Session,
    publication: Publication,
    staged: Staged | None,
    row: MetaRow,
    hooks: Hooks,
) -> tuple[MetaRow, bool]:
    """Note that equal rows stand there already; hooks are run all the same, and may change them."""
    noted, kept = steps.kept_row(publication, row), True
    if hooks.after:
        announced = steps.unknown_row(publication, row)
        append_meta(session, steps.dialect, steps.meta_table, announced)
        changed = _after(steps, lease, session, publication, staged, hooks)
        kept = staged is not None and changed is not None and bool(staged.content) and changed.content == staged.content
        noted = steps.new_row(session, publication, changed, announced)
        if kept:
            noted = attrs.evolve(steps.kept_row(publication, row), sequence=noted.sequence)
    append_meta(session, steps.dialect, steps.meta_table, noted)
    return noted, kept


def _after(
    steps: Steps, lease: Lease, session: Session, publication: Publication, staged: Staged | None, hooks: Hooks
) -> Staged | None:
    """Run what is to be run when the relation stands, and look at its rows again."""
    run_statements(session, hooks.after)
    crash_point("open.hooked")
    lease.confirm(session)
    if staged is None or staged.grown:
        return staged
    return attrs.evolve(staged, content=steps.content(session, publication, publication.table))


def _stage(steps: Steps, session: Session, publication: Publication, row: MetaRow | None) -> Staged:
    session.drop(steps.staging(publication), publication.staged_kind)  # of an attempt whose connection was lost
    if not steps.grows(session, publication):
        return steps.stage(session, publication)
    growth = steps.growth(session, publication)
    known = publication.may_keep and row is not None and steps.stands(session, publication, row)
    # A comparison is worth its scan only where somebody is spared work by it, as a hash of the rows would be.
    if known and row and growth.is_nothing(steps.staging(publication), compare=publication.hash_rows):
        session.drop(growth.batch, RelationKind.TABLE)
        return Staged(publication.table, growth.rows, row.content, stands=True)
    return grown_clone(steps, session, publication, growth) or steps.stage_grown(session, publication, growth)


def _replace(
    steps: Steps,
    lease: Lease,
    session: Session,
    publication: Publication,
    staged: Staged | None,
    row: MetaRow | None,
    hooks: Hooks,
) -> MetaRow:
    lease.confirm(session)
    announced = steps.unknown_row(publication, row)
    append_meta(session, steps.dialect, steps.meta_table, announced)
    crash_point("open.announced")
    _part(session, publication)
    atomic = session.transaction() if steps.engine.support(Capability.TRANSACTIONAL_DDL) else contextlib.nullcontext()
    with atomic:
        steps.replace(session, publication, staged)
    crash_point("open.replaced")
    try:
        lease.confirm(session)
    except EngineError:
        # This run was suspended in the middle of its replacement, and whose rows stand there now is anybody's guess.
        append_meta(
            session,
            steps.dialect,
            steps.meta_table,
            steps.unknown_row(attrs.evolve(publication, noting=None), steps.noted(session, publication.target)),
        )
        raise
    _finish_parting(session, publication)
    if publication.noting is not None:
        steps.note_windows(session, publication, staged.rows if staged is not None else None)
        crash_point("open.windows")
    if hooks.after:
        staged = _after(steps, lease, session, publication, staged, hooks)
    noted = steps.new_row(session, publication, staged, announced)
    append_meta(session, steps.dialect, steps.meta_table, noted)
    return noted


def _clear_away(session: Session, staged: Relation, kind: RelationKind = RelationKind.TABLE) -> None:
    try:
        session.drop(staged, kind)
    except Exception as error:  # noqa: BLE001 - it must not hide why it is cleared away; the next run finds it
        logger.debug("%s stays until the next run: %s", staged, error)
