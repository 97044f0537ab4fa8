"""What would run, where it would be written, and why."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping

from flowforge.contract import Dialect, EngineSpec
from flowforge.errors import Problems
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.project.manifest import Manifest, Node
from flowforge.project.names import check_lengths
from flowforge.project.quarantining import quarantine_checks
from flowforge.project.windows import Window
from flowforge.run.lacking import refuse_quarantine, refuse_what_is_lacking
from flowforge.values import Location, Namespace, Relation


class Action(enum.Enum):
    """What a run does, or would do, with a node."""

    BUILD = "build"
    SKIP = "skip"
    MAYBE = "maybe"
    """Decided when what it reads has been built: equal rows need no new build."""


@frozen
class PlanNode:
    """One step. *relation* is complete; *reason* says why it runs, *details* shows what changed, line by line.

    *prunes* says how many old versions would be removed from a snapshot's history.
    *windows* are those that would be built, of a node that is built in windows.
    """

    node: Node
    relation: Relation
    profile: str
    reason: str
    action: Action = Action.BUILD
    details: tuple[str, ...] = ()
    prunes: int | None = None
    windows: tuple[Window, ...] = ()


@frozen
class Plan:
    """The steps of a run in an order that works, and the parents that each has to wait for."""

    steps: Mapping[str, PlanNode]
    parents: Mapping[str, tuple[str, ...]]


def place(node: Node, namespace: Namespace) -> Relation:
    """Where a node is written under a profile: its own schema is added to the profile's."""
    relation = node.relation
    if relation.schema is not None and namespace.schema is not None:
        relation = Relation(relation.name, f"{namespace.schema}_{relation.schema}", relation.database)
    return relation.within(namespace)


def make_plan(
    manifest: Manifest,
    dag: Dag,
    names: Iterable[str],
    *,
    engine: EngineSpec,
    dialect: Dialect,
    namespace: Namespace,
    profile: str,
    databases: Collection[str] | None = None,
) -> Plan:
    """Plan to build *names*, given in topological order. Ephemeral models are no steps; what they read counts.

    Parameters
    ----------
    databases:
        Those that models may name; ``None``: nobody knows.

    Raises
    ------
    ModelConfigError, DuplicateNameError
        When the engine cannot hold what the project asks for.
    """
    problems = Problems()
    chosen = [name for name in names if manifest.nodes[name].materialized != "ephemeral"]
    steps, aside = {}, quarantine_checks(manifest.checks)
    for name in chosen:
        node = manifest.nodes[name]
        refuse_what_is_lacking(node, engine, dialect, databases, problems)
        refuse_quarantine(node, aside.get(name, ()), engine, dialect, problems)
        steps[name] = PlanNode(node, place(node, namespace), node.profile or profile, "selected")
    check_lengths(
        {name: (step.relation, Location(step.node.path)) for name, step in steps.items()},
        dialect.max_identifier_bytes,
        problems,
    )
    problems.raise_if_any()
    subgraph = dag.subgraph(chosen)
    return Plan(steps, {name: tuple(subgraph.parents_of(name)) for name in chosen})
