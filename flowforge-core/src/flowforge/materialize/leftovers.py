"""Staging relations of runs that were killed: finds them by name, and drops them."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from flowforge.contract import Capability, EngineSpec, Session
from flowforge.crash import crash_point
from flowforge.frozen import frozen
from flowforge.materialize.staging import STAGED, run_word
from flowforge.state.lease import Leases
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind

logger = logging.getLogger("flowforge.run")


@frozen
class Leftover:
    """A staging relation that nobody will ever publish. *run_id* is as far as the name tells it."""

    relation: Relation
    kind: RelationKind
    run_id: str


def find_leftovers(
    session: Session,
    namespaces: Iterable[Namespace],
    *,
    engine: EngineSpec,
    run_id: str,
    leases: Leases | None = None,
    listed: Iterable[RelationInfo] | None = None,
) -> tuple[Leftover, ...]:
    """The staging relations of dead runs.

    With transactions around DDL and locks, a living run's are invisible. Elsewhere a run is dead when it holds no
    lease, because it lost it, or never came to give it back.

    Parameters
    ----------
    namespaces:
        Where to look.
    run_id:
        The run that asks; its own relations are never found.
    listed:
        What stands in *namespaces*, when the caller has just asked; otherwise the session is asked.
    """
    if listed is None:
        listed = [info for namespace in dict.fromkeys(namespaces) for info in session.relations(namespace)]
    found = []
    for info in listed:
        name = STAGED.fullmatch(info.relation.name.lower())
        if name and name["run"] != run_word(run_id):
            found.append(Leftover(info.relation, info.kind, name["run"]))
    if found and not (engine.support(Capability.TRANSACTIONAL_DDL) and engine.support(Capability.LOCKS)):
        # Asked after the relations were listed: who stages under a lease that was taken later is not in the list.
        alive = {run_word(one) for one in leases.alive(session)} if leases is not None else set()
        found = [one for one in found if one.run_id not in alive]
    return tuple(found)


def drop_leftovers(session: Session, leftovers: Iterable[Leftover]) -> tuple[Leftover, ...]:
    """Drop them, and return those that are gone; what cannot be dropped stays, with a warning."""
    dropped = []
    for leftover in leftovers:
        try:
            session.drop(leftover.relation, leftover.kind)
        except Exception as error:  # noqa: BLE001 - whatever a driver raises: it is no reason not to run
            logger.warning("the leftover %s cannot be dropped: %s", leftover.relation, error)
            continue
        dropped.append(leftover)
        crash_point("leftovers.dropped")
    return tuple(dropped)


def cleaned(dropped: Iterable[Leftover]) -> tuple[str, ...]:
    """One line for people about each run that was cleaned up after."""
    counts: dict[str, int] = {}
    for leftover in dropped:
        counts[leftover.run_id] = counts.get(leftover.run_id, 0) + 1
    return tuple(f"cleaned {count} leftover{'s' if count > 1 else ''} of run {run}" for run, count in counts.items())
