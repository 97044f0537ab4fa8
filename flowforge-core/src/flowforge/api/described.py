"""A project as others compare with it: what each node says of itself, without rows, places and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.frozen import frozen
from flowforge.project.contract_changes import state_of
from flowforge.rendering.engines import find_among
from flowforge.run.definition import Definition, definitions

if TYPE_CHECKING:
    from flowforge.api.project import Project


@frozen
class NodeState:
    """What one node says.

    Parameters
    ----------
    digest:
        Equal for equal definitions; ``None``: the node cannot be compiled, so nobody knows.
    sql:
        Its compiled SQL, with secrets masked.
    config:
        The settings that matter to its rows.
    files:
        Digests of the files that it is made from, by path.
    """

    kind: str
    path: str
    materialized: str
    depends_on: tuple[str, ...]
    digest: str | None
    sql: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    files: Mapping[str, str] = attrs.field(factory=dict)


@frozen
class ProjectState:
    """All nodes of a project by name, as they are for one engine.

    Parameters
    ----------
    contracts:
        By the node that makes the table, or by the id of the source, as :func:`state_of` makes them; ``None``: nobody
        has kept them.
    """

    project: str
    engine: str
    nodes: Mapping[str, NodeState]
    contracts: Mapping[str, Mapping[str, Any]] | None = attrs.field(factory=dict)


def definitions_of(project: Project, like: Project | None = None) -> Mapping[str, Definition]:
    """The definitions of all nodes, wherever the profile puts them.

    Parameters
    ----------
    like:
        Take the engine and the environment of this project, to compare with it.
    """
    around = like or project
    return definitions(
        project.manifest,
        project.dag,
        project.root,
        engine=around.engine,
        dialect=around.compiler.dialect,
        environ=around.environ,
        vars=project.manifest.vars,
        macros={macro.name: macro.function for macro in around.plugins.macros.values()},
        find_engine=find_among(around.plugins.engines),
    )


def describe(project: Project, like: Project | None = None) -> ProjectState:
    """The state of a loaded project; nothing is run, and nothing is connected where the engine can do without.

    Parameters
    ----------
    like:
        As in :func:`definitions_of`.
    """
    redact = (like or project).redactor.redact
    known = definitions_of(project, like)
    nodes = {}
    for name, node in project.manifest.nodes.items():
        found = known[name]
        nodes[name] = NodeState(
            kind=node.kind.value,
            path=node.path,
            materialized=node.materialized,
            depends_on=node.depends_on,
            digest=found.digest,
            sql=redact(found.sql) if found.sql is not None else None,
            config={key: _redacted(value, redact) for key, value in found.config.items()},
            files=dict(found.files),
        )
    contracts = {key: _redacted(state_of(one), redact) for key, one in project.manifest.contracts.items()}
    return ProjectState(project.manifest.project, (like or project).engine.name, nodes, contracts)


def _redacted(value: Any, redact: Any) -> Any:
    """A setting as JSON can hold it, without secrets."""
    if isinstance(value, Mapping):
        return {str(key): _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, redact) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
