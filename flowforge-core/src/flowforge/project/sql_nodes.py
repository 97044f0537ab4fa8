"""Turns one ``.ff.sql`` file into a node, by the static scan; nothing is rendered."""

from __future__ import annotations

from pathlib import Path

import attrs

from flowforge.config.parsed import Parsed
from flowforge.errors import FlowForgeError, ModelConfigError, Problems, ProjectError
from flowforge.project.deltas import DeltaReader
from flowforge.project.files import read_text
from flowforge.project.layering import Settings
from flowforge.project.macros import Macro, MacroLibrary
from flowforge.project.manifest import Node, NodeKind, SqlBody
from flowforge.project.model_config import structure_config
from flowforge.project.scanned import Scan, keep_scan, kept_scan
from flowforge.values import Location, Relation, relation_for


def read_sql(root: Path, path: str, problems: Problems, parsed: Parsed) -> Scan | None:
    """What stands in the file of a SQL model; ``None`` when it cannot be read. Errors go to *problems*."""
    scan = kept_scan(parsed, path)
    if scan is not None:
        return scan
    try:
        text = read_text(root, path, parsed)
    except FlowForgeError as error:
        problems.add(error)
        return None
    if not text.strip():
        problems.add(
            ModelConfigError(
                "this model is empty",
                code="FF1106",
                location=Location(path, 1, 1),
                help="write a SELECT, or delete the file",
            )
        )
        return None
    from flowforge.project.scan import scan_sql

    scan = scan_sql(text, path)
    for problem in scan.problems:
        problems.add(problem)
    keep_scan(parsed, path, scan)
    return scan


def sql_node(
    scan: Scan, path: str, problems: Problems, settings: Settings, library: MacroLibrary, deltas: DeltaReader
) -> Node | None:
    """The node of a SQL model; ``None`` when its settings are wrong. Errors go to *problems*."""
    name = path.rsplit("/", 1)[-1].removesuffix(".sql")

    def place_here(key: str) -> Location:
        return scan.locate([key]) or Location(path, 1, 1)

    own = scan.config or {}
    if scan.asks:
        before = len(problems)
        own = settings.answered(own, place_here, problems)
        if len(problems) > before:
            return None
    raw, place = settings.joined(path, name, own, place_here)
    created_kind, created_name = scan.create or (None, None)
    if created_kind is not None:
        raw["materialized"] = own.get("materialized", created_kind)
        if created_name is not None:
            raw["alias"] = own.get("alias", created_name)
    hooks = settings.hooks(path, name, own, place_here)
    config = structure_config(raw, place, problems, kind=NodeKind.SQL, hooks=hooks, library=library, made=settings.made)
    if config is None:
        return None
    if config.dialect is None and settings.dialect is not None:
        config = attrs.evolve(config, dialect=settings.dialect)
    macros = library.used_by(scan.names) if library.macros else ()
    if "deps" not in raw:
        for macro in macros:
            for place_of in macro.computed:
                problems.add(_computed(macro, place_of, path))
    refs, sources = scan.refs, scan.sources
    for macro in macros:
        refs, sources = (*refs, *macro.refs), (*sources, *macro.sources)
    inputs: set[str | tuple[str, str]] = set()
    if config.incremental is not None:
        inputs = {ref.name.removesuffix(".ff") for ref in refs} | {(call.source, call.table) for call in sources}
    return Node(
        name=name,
        kind=NodeKind.SQL,
        path=path,
        relation=Relation(config.alias or relation_for(name), config.schema, config.database),
        config=config,
        body=SqlBody(scan.template, scan.simple),
        refs=refs,
        sources=sources,
        description=config.description,
        delta=deltas.read(config.incremental, raw, place, len(inputs), problems),
        place_of=place,
    )


def _computed(macro: Macro, where: Location, path: str) -> ProjectError:
    return ProjectError(
        f"the macro {macro.name!r} refers to something that is computed, so it cannot be known before the run",
        code="FF1406",
        location=where,
        help="add config(deps=['...']) to the model, with the names of all models that it can be",
        notes=[f"{path} uses this macro"],
    )
