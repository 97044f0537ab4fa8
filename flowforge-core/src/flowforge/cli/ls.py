"""``flowforge ls``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import changed_since_option, project_argument, selection_options, vars_option
from flowforge.errors import NothingSelectedError
from flowforge.project.manifest import Node, Source


@click.command("ls", help="List models and seeds, parents first. Needs no connection.")
@project_argument
@selection_options
@changed_since_option
@vars_option
@click.option("--format", "shape", type=click.Choice(["text", "json", "paths"]), default="text", show_default=True)
@click.option("--checks", "only_checks", is_flag=True, help="List checks instead.")
@click.option("--sources", "only_sources", is_flag=True, help="List sources instead.")
@with_context
def command(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    changed_since: str | None,
    vars: tuple[str, ...],
    shape: str,
    only_checks: bool,
    only_sources: bool,
) -> int:
    """Print one line (or object) for each."""
    loaded = context.project(project, vars, state)
    answer = context.output.answer
    if only_checks:
        for check in loaded.select_checks(select, exclude):
            place = f"{check.table}.{check.column}" if check.column else check.table
            answer(
                json.dumps({"id": check.id, "type": check.type, "on": place, "severity": check.severity})
                if shape == "json"
                else str(check.location.path)
                if shape == "paths"
                else check.id
            )
        return 0
    if only_sources:
        sources = loaded.select_sources(select, exclude)
        if not sources:
            raise NothingSelectedError("no source is selected", help="sources are declared in sources.yml")
        for source in sources:
            place = source.location.path if shape == "paths" else source.id
            answer(json.dumps(_source_data(source), ensure_ascii=False, default=str) if shape == "json" else place)
        return 0
    nodes = loaded.select(select, exclude, changed_since=changed_since)
    if not nodes:
        raise NothingSelectedError("the selection is empty", help="`flowforge ls` without a selector lists everything")
    for node in nodes:
        answer({"text": node.short_name, "paths": node.path}.get(shape) or json.dumps(_data(node), ensure_ascii=False))
    return 0


def _source_data(source: Source) -> dict[str, object]:
    files = source.files
    return {
        "id": source.id,
        "relation": str(source.relation) if files is None else None,
        "location": files.location if files is not None else None,
        "format": files.format if files is not None else None,
        "node": source.node,
        "description": source.description,
        "columns": {column.name: column.description for column in source.columns.values()},
        "tags": list(source.tags),
        "meta": dict(source.meta),
    }


def _data(node: Node) -> dict[str, object]:
    return {
        "name": node.name,
        "kind": node.kind.value,
        "materialized": node.materialized,
        "path": node.path,
        "relation": str(node.relation),
        "depends_on": list(node.depends_on),
        "sources": list(node.reads),
        "tags": list(node.config.tags),
        "description": node.description,
    }
