"""Makes the catalogue of a project, which renderers of documentation get. Nothing is run, and nothing is connected."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowforge.contract import Catalogue, CatalogueCheck, CatalogueColumn, CatalogueEntry
from flowforge.project.contracts import Contract
from flowforge.project.manifest import CheckDecl, ColumnInfo, Node, Source
from flowforge.run.plan import place

if TYPE_CHECKING:
    from flowforge.api.project import Project

_SOURCE = "source:"


def catalogue_of(project: Project) -> Catalogue:
    """What a loaded project says of its models, seeds and sources; secrets are masked.

    Raises
    ------
    FlowForgeError
        When the profile cannot be used: it says where relations stand.
    """
    redact = project.redactor.redact
    manifest, namespace = project.manifest, project.compiler.namespace
    checks = _checks(manifest.checks, redact)
    readers = _readers(manifest.nodes.values())

    def of_node(node: Node) -> CatalogueEntry:
        config = node.config
        return CatalogueEntry(
            id=node.name,
            name=node.short_name,
            kind=node.kind.value,
            path=node.path,
            materialized=node.materialized,
            relation=None if node.materialized == "ephemeral" else place(node, namespace),
            description=_shown(node.description, redact),
            owner=_shown(config.owner, redact),
            group=config.group,
            tags=config.tags,
            columns=_columns(node.columns, node.contract, redact),
            depends_on=tuple(sorted({*node.depends_on, *(_SOURCE + one for one in node.reads)})),
            used_by=readers[node.name],
            checks=checks[node.name],
            meta=_plain(config.meta, redact),
        )

    def of_source(source: Source) -> CatalogueEntry:
        id_ = _SOURCE + source.id
        return CatalogueEntry(
            id=id_,
            name=source.table,
            kind="source",
            path=source.location.path,
            relation=None if source.files is not None else source.relation.within(namespace),
            description=_shown(source.description, redact),
            group=source.group,
            tags=source.tags,
            columns=_columns(source.columns, manifest.contracts.get(source.id), redact),
            depends_on=(source.node,) if source.node is not None else (),
            used_by=readers[id_],
            checks=checks[id_],
            meta=_plain(source.meta, redact),
        )

    nodes, sources = manifest.nodes.values(), manifest.sources.values()
    # A source that is a table of the project's own is one of its readers, too.
    for source in sources:
        if source.node is not None:
            readers[source.node] = tuple(sorted({*readers[source.node], _SOURCE + source.id}))
    entries = [*(of_node(node) for node in nodes), *(of_source(source) for source in sources)]
    return Catalogue(
        project=manifest.project,
        version=manifest.version,
        engine=project.engine.name,
        entries=tuple(sorted(entries, key=lambda entry: entry.id)),
    )


def _readers(nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = collections.defaultdict(set)
    for node in nodes:
        for id_ in (*node.depends_on, *(_SOURCE + one for one in node.reads)):
            found[id_].add(node.name)
    return collections.defaultdict(tuple, {id_: tuple(sorted(names)) for id_, names in found.items()})


def _checks(declared: Iterable[CheckDecl], redact: Callable[[str], str]) -> Mapping[str, tuple[CatalogueCheck, ...]]:
    found: dict[str, dict[str, CatalogueCheck]] = collections.defaultdict(dict)
    for check in declared:
        one = CatalogueCheck(
            id=check.id,
            type=check.type,
            column=check.column,
            severity=check.severity,
            description=_shown(check.description, redact),
        )
        others = [table.node for table in check.reads if table.node is not None]
        for id_ in {*check.subjects, *others, *([_SOURCE + check.source] if check.source is not None else [])}:
            found[id_][check.id] = one
    by_id = {key: tuple(one for _, one in sorted(checks.items())) for key, checks in found.items()}
    return collections.defaultdict(tuple, by_id)


def _columns(
    said: Mapping[str, ColumnInfo], contract: Contract | None, redact: Callable[[str], str]
) -> tuple[CatalogueColumn, ...]:
    """The columns that the project describes, then those that only the contract knows."""
    promised = contract.columns if contract is not None else {}
    columns = []
    for name in (*said, *(name for name in promised if name not in said)):
        about, promise = said.get(name), promised.get(name)
        texts = [one.description for one in (about, promise) if one is not None and one.description]
        columns.append(
            CatalogueColumn(
                name=name,
                type=promise.wanted if promise is not None else None,
                nullable=promise.nullable if promise is not None else None,
                description=redact(texts[0]) if texts else None,
            )
        )
    return tuple(columns)


def _shown(text: str | None, redact: Callable[[str], str]) -> str | None:
    return redact(text) if text is not None else None


def _plain(value: Any, redact: Callable[[str], str]) -> Any:
    """Values of ``meta`` as every format can hold them, without secrets."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, redact) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
