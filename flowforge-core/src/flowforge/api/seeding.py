"""Loads one seed file into a staged table: joins the readers of formats with a session of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.contract import Capability, LoadMode, Session
from flowforge.crash import crash_point
from flowforge.project.manifest import Node, SeedBody
from flowforge.run.lacking import table_options
from flowforge.values import Relation

if TYPE_CHECKING:
    from flowforge.api.project import Project


def write_seed(project: Project, node: Node, session: Session, target: Relation, mode: LoadMode) -> int:
    """Write the rows of the seed *node* into *target*, and return how many. On a worker's thread.

    Raises
    ------
    SeedError, ProjectErrors
        When the file cannot be read exactly, or the engine cannot hold its columns.
    """
    from flowforge.seeds.load import open_seed
    from flowforge.seeds.loaded import Origin

    body = node.body
    assert isinstance(body, SeedBody)
    reader = open_seed(
        project.root,
        node.path,
        project.plugins.seed_formats[body.suffix],
        body.types,
        body.options,
        nested=bool(project.engine.support(Capability.NESTED_TYPES)),
    )
    origin = Origin.of(node, project.executor.dialect)
    options = table_options(node, project.engine).at_creation
    rows = session.load(target, origin.beside(reader) if origin is not None else reader, mode, options)
    crash_point("seed.loaded")
    return rows
