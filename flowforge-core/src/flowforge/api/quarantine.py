"""What is done with rows that were put aside: they are counted, shown, released, held again and dropped.

Each decision is noted, and the log of them can be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.api.quarantine_desk import Choice, Desk, Held, whole_or_begun
from flowforge.contract import Session
from flowforge.errors import UsageError
from flowforge.materialize.quarantine import HASH
from flowforge.run.plan import place
from flowforge.state.decisions import (
    DROP,
    HOLD,
    RELEASE,
    Decision,
    Entry,
    ensure_log,
    hashes_of,
    log_table,
    read_decisions,
    read_log,
    write_decisions,
)
from flowforge.state.meta import relation_key
from flowforge.values import Namespace, Relation

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge.api.project import Project, Selectors

__all__ = ["Choice", "Held", "decisions", "drop", "held_rows", "hold", "log_of_decisions", "quarantines", "release"]


def quarantines(project: Project, select: Selectors = (), exclude: Selectors = ()) -> tuple[Held, ...]:
    """The quarantines of the selected models that hold rows, by name; those of models that were never built are none."""
    nodes = [node for node in project.select(select, exclude) if node.materialized != "ephemeral"]
    found = []
    with project.looking(), project.session("flowforge/quarantine") as session:
        places = {place(node, project.executor.namespace): node for node in nodes}
        homes = dict.fromkeys(Namespace(one.schema, one.database) for one in places)
        standing = {
            (home.database, home.schema, project.executor.dialect.fold(info.relation.name).casefold())
            for home in homes
            for info in session.relations(home)
        }
        for relation, node in places.items():
            desk = Desk.at(project, node, relation)
            name = project.executor.dialect.fold(desk.table.name).casefold()
            if (relation.database, relation.schema, name) in standing:
                held = desk.held(session)
                if held.rows:
                    found.append(held)
    return tuple(sorted(found, key=lambda one: one.node))


def held_rows(project: Project, model: str, choice: Choice = Choice(), *, limit: int | None = 20) -> pa.Table:
    """Rows in the quarantine of *model*, the oldest first.

    Raises
    ------
    NothingSelectedError
        When it has none.
    UsageError
        When there is no such model, check or row.
    """
    with project.looking(), project.session("flowforge/quarantine") as session:
        desk = Desk.of(project, model)
        condition = desk.condition(session, choice)
        order = f"ff_held.{desk.quote('_ff_quarantined_at')}, ff_held.{desk.quote(HASH)}"
        some = f" LIMIT {limit}" if limit is not None else ""
        sql = f"SELECT ff_held.* FROM {desk.sql} AS ff_held WHERE {condition} ORDER BY {order}{some}"
        return session.query(sql).read_all()


def release(project: Project, model: str, choice: Choice, *, note: str | None = None) -> int:
    """Let rows pass the checks for which they were put aside, in the next build and all later ones.

    A decision is about a row as it is: one that changes in any column is looked at again.

    Parameters
    ----------
    note:
        Why, for the log.

    Returns
    -------
    int
        How many rows were not released from these checks before.

    Raises
    ------
    NothingSelectedError
        When no rows are meant.
    UsageError
        When nobody says which rows are meant, or there is no such model, check or row.
    """
    with _deciding(project, model, choice) as (session, desk, log):
        sets = desk.reasons(session)
        condition = desk.condition(session, choice)
        new = []
        for check in sorted({reason for reasons in sets.values() for reason in reasons}):
            if choice.checks and check not in choice.checks:
                continue
            texts = [text for text, reasons in sets.items() if check in reasons]
            known = desk.released(log, check)
            fresh = f"{desk.has(texts)} AND ff_held.{desk.quote(HASH)} NOT IN ({known})"
            new.append((check, f"({condition}) AND {fresh}"))
        count = desk.count(session, " OR ".join(f"({one})" for _, one in new) or "1 = 0")
        made = desk.decision(session, log, RELEASE, note)
        for check, fresh in new:
            write_decisions(session, desk.dialect, log, attrs.evolve(made, check_name=check), desk.hashes(fresh))
    return count


def drop(project: Project, model: str, choice: Choice, *, note: str | None = None) -> int:
    """Remove rows from a quarantine for good: as long as they do not change, they are neither published nor shown.

    Returns
    -------
    int
        How many rows were removed.

    Raises
    ------
    NothingSelectedError, UsageError
        As in :func:`release`.
    """
    with _deciding(project, model, choice) as (session, desk, log):
        condition = desk.condition(session, choice)
        count = desk.count(session, condition)
        write_decisions(session, desk.dialect, log, desk.decision(session, log, DROP, note), desk.hashes(condition))
        gone = hashes_of(desk.dialect, log, desk.key, DROP)
        session.execute(f"DELETE FROM {desk.sql} WHERE {desk.quote(HASH)} IN ({gone})")
    return count


def hold(project: Project, model: str, choice: Choice, *, note: str | None = None) -> int:
    """Take releases back: from the next build on, the rows are put aside again for the checks that they fail.

    Where all rows are made anew, that is so whether they were published meanwhile or not. Rows that an incremental model or
    a snapshot has published already stay there until it is built from nothing.

    Returns
    -------
    int
        How many rows are held again.

    Raises
    ------
    NothingSelectedError
        When no row that is meant is released.
    UsageError
        As in :func:`release`.
    """
    with _deciding(project, model, choice) as (session, desk, log):
        freed = desk.freed(session, log, choice)
        chosen = {row for rows in freed.values() for row in rows}
        made = desk.decision(session, log, HOLD, note)
        column = desk.quote("row_hash")
        for check in sorted(freed):
            hashes = f"SELECT ff_free.{column} AS ff_hash FROM ({desk.released(log, check)}) AS ff_free"
            if choice.hashes:
                listed = ", ".join(desk.dialect.literal(row) for row in freed[check])
                hashes += f" WHERE ff_free.{column} IN ({listed})"
            write_decisions(session, desk.dialect, log, attrs.evolve(made, check_name=check), hashes)
    return len(chosen)


def log_of_decisions(
    project: Project,
    select: Selectors = (),
    exclude: Selectors = (),
    *,
    choice: Choice = Choice(),
    limit: int | None = 20,
) -> Sequence[Entry]:
    """What was decided about rows in quarantine, the newest first.

    Parameters
    ----------
    select, exclude:
        Without any, the log is shown of all models, those too that are no part of the project any more.
    choice:
        Only decisions about these checks and rows.
    limit:
        So many at most; ``None``: all.

    Raises
    ------
    UsageError
        When something cannot be a hash.
    """
    for text in choice.hashes:
        whole_or_begun(text)
    with project.looking(), project.session("flowforge/quarantine") as session:
        dialect, namespace = project.executor.dialect, project.executor.namespace
        keys = None
        if select or exclude:
            nodes = [node for node in project.select(select, exclude) if node.materialized != "ephemeral"]
            keys = {relation_key(dialect, place(node, namespace), namespace) for node in nodes}
        if session.kind_of(log_table(namespace)) is None:
            return ()
        log = ensure_log(session, dialect, namespace)
        return read_log(session, dialect, log, keys=keys, checks=choice.checks, hashes=choice.hashes, limit=limit)


def decisions(project: Project, model: str) -> Sequence[Decision]:
    """Everything that was decided about rows of *model*, the oldest first."""
    with project.looking(), project.session("flowforge/quarantine") as session:
        desk = Desk.of(project, model)
        log = ensure_log(session, desk.dialect, project.executor.namespace)
        return read_decisions(session, desk.dialect, log, desk.key)


@contextlib.contextmanager
def _deciding(project: Project, model: str, choice: Choice) -> Iterator[tuple[Session, Desk, Relation]]:
    """A session, the model's quarantine, and the log of decisions, while no run writes the model."""
    _refuse_silence(choice)
    with project.session("flowforge/quarantine") as session:
        desk = Desk.of(project, model)
        log = ensure_log(session, desk.dialect, project.executor.namespace)
        with desk.alone(session):
            yield session, desk, log


def _refuse_silence(choice: Choice) -> None:
    if choice.everything and choice.hashes:
        raise UsageError("--all and --row contradict each other", code="FF3027", help="give one of them")
    if not (choice.everything or choice.checks or choice.hashes):
        raise UsageError(
            "nobody says which rows are meant",
            code="FF3027",
            help="name them: --row HASH, --check NAME, or --all; `flowforge quarantine show` lists them",
        )
