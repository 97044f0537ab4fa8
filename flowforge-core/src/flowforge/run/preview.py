"""Reads the first rows of a model as it would be built now, without building anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.config.flaws import nearest
from flowforge.contract import Executor, Session
from flowforge.errors import ModelExecutionError, SelectionError, UsageError
from flowforge.project.manifest import Manifest, NodeKind
from flowforge.run.compile import Compiler
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa


def preview(
    manifest: Manifest,
    compiler: Compiler,
    executor: Executor,
    session: Session,
    name: str | None,
    inline: str | None,
    limit: int | None,
) -> pa.Table:
    """The first *limit* rows of a SQL model's query, of the table of a seed or Python model, or of an inline query.

    Raises
    ------
    SelectionError
        When there is no such node.
    ModelExecutionError
        When the engine refuses the query, with the line of the model.
    """
    if (name is None) == (inline is None):
        raise UsageError(
            "show needs the name of a node, or --inline with a query, and not both", help="flowforge show MODEL"
        )
    if inline is not None:
        compiled = compiler.compile_inline(inline, "<inline>")
        node_name, select = "<inline>", compiled.executable
        located = None
    else:
        assert name is not None
        node = manifest.find(name)
        if node is None:
            known = [one.short_name for one in manifest.nodes.values()]
            raise SelectionError(f"there is no model or seed {name!r}", help=nearest(name, known))
        node_name = node.name
        if node.kind is NodeKind.SQL:
            compiled = compiler.compile_shown(node.name)
            select, located = compiled.executable, compiled
        else:
            select, located = f"SELECT * FROM {executor.dialect.render(compiler.relation(node))}", None
    query = select if limit is None else f"SELECT * FROM (\n{select}\n) AS __ff_preview LIMIT {int(limit)}"
    try:
        return session.query(query).read_all()
    except Exception as problem:
        error = executor.error(problem)
        if error is None:
            raise
        where = None
        offset = query.find(select)
        if located is not None and error.position is not None:
            where = located.locate(error.position - offset)
        raise ModelExecutionError(
            error.message,
            node=node_name,
            code=error.code,
            location=where or (Location(manifest.nodes[node_name].path) if located else None),
            help=error.help,
            notes=error.notes,
        ) from error
