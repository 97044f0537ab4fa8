"""Selectors where sources count as much as nodes: for commands about sources, and for checks.

The grammar is the same. Sources stand in the graph before what reads them, so that ``+orders`` reaches them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from flowforge.config.flaws import nearest
from flowforge.errors import SelectionError
from flowforge.graph.dag import Dag
from flowforge.graph.methods import METHODS, Method, fitting, has_wildcard, meaning_all
from flowforge.graph.select import select as select_names
from flowforge.project.manifest import Manifest, ModelConfig, Node, NodeKind, SeedBody, Source
from flowforge.values import Relation

_KEY = "source:{}"
_ON_BOTH = frozenset({"tag", "path", "package"})
_SETTINGS = ("meta", "tags", "description")


def select_sources(
    manifest: Manifest,
    dag: Dag,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    methods: Mapping[str, Method] = METHODS,
) -> tuple[Source, ...]:
    """The sources that are selected, sorted by id; a bare word is a source's id, its group, or else a node.

    Raises
    ------
    UsageError, SelectionError
        As :func:`flowforge.graph.select.select`.
    """
    chosen = select_both(manifest, dag, select, exclude, methods=methods, first="source")
    return tuple(source for id_, source in sorted(manifest.sources.items()) if source_key(id_) in chosen)


def source_key(id_: str) -> str:
    """What a source is called among nodes."""
    return _KEY.format(id_)


def select_both(
    manifest: Manifest,
    dag: Dag,
    select: Sequence[str],
    exclude: Sequence[str],
    *,
    methods: Mapping[str, Method] = METHODS,
    first: Literal["node", "source"] = "node",
) -> frozenset[str]:
    """The names of the nodes, and the keys of the sources, that are selected.

    Parameters
    ----------
    first:
        What a bare word means when both are called so, and whether ``source:x`` means only the source or also what
        reads it.
    """
    parents: dict[str, Iterable[str]] = {
        source_key(id_): (source.node,) if source.node is not None else () for id_, source in manifest.sources.items()
    }
    for name, node in manifest.nodes.items():
        parents[name] = (*node.depends_on, *(source_key(id_) for id_ in node.reads if id_ in manifest.sources))
    both = attrs.evolve(manifest, nodes={**manifest.nodes, **{one.name: one for one in map(_as_node, _all(manifest))}})
    widened = {name: _widened(name, method, manifest, both, first) for name, method in methods.items()}
    return frozenset(select_names(manifest, Dag.build(parents), select, exclude, methods=widened))


def _all(manifest: Manifest) -> Iterable[Source]:
    return manifest.sources.values()


def _as_node(source: Source) -> Node:
    """What the methods may ask of a source as of a node: tags, meta, description, its file."""
    return Node(
        name=source_key(source.id),
        kind=NodeKind.SEED,
        path=source.location.path,
        relation=Relation(source.table),
        config=ModelConfig(tags=source.tags, meta=source.meta, description=source.description),
        body=SeedBody(""),
    )


def _widened(name: str, method: Method, manifest: Manifest, both: Manifest, first: str) -> Method:
    """*method* for nodes and sources."""
    keys = frozenset(source_key(id_) for id_ in manifest.sources)

    def by_name(_: Manifest, key: str, value: str) -> frozenset[str]:
        if not key and "/" not in value:
            meant = _sources_called(manifest, value)
            node = manifest.find(value) if not has_wildcard(value) else None
            if has_wildcard(value):
                return meant | method(manifest, key, value)
            if meant and (first == "source" or node is None):
                return meant
            if node is None and meaning_all(value):
                return keys | method(manifest, key, value)
            if node is None and first == "source":
                near = nearest(value, manifest.sources)
                if near is not None:
                    raise SelectionError(f"there is no source {value!r}", help=near)
        return method(both if "/" in value else manifest, key, value)

    def by_source(_: Manifest, key: str, value: str) -> frozenset[str]:
        readers = method(manifest, key, value)  # complains about what is no source, too
        return _sources_called(manifest, value) | (readers if first == "node" else frozenset())

    def by_type(_: Manifest, key: str, value: str) -> frozenset[str]:
        return method(manifest, key, value) | (keys if value == "source" and not key else frozenset())

    def on_both(_: Manifest, key: str, value: str) -> frozenset[str]:
        return method(both, key, value)

    def on_nodes(_: Manifest, key: str, value: str) -> frozenset[str]:
        return method(manifest, key, value)

    if name in ("name", "source"):
        return by_name if name == "name" else by_source
    if name in ("type", "resource_type"):
        return by_type
    if name == "config":
        return lambda _, key, value: (on_both if key.split(".")[0] in _SETTINGS else on_nodes)(_, key, value)
    return on_both if name in _ON_BOTH else on_nodes


def _sources_called(manifest: Manifest, value: str) -> frozenset[str]:
    fits = fitting(value)
    return frozenset(source_key(id_) for id_, source in manifest.sources.items() if fits(id_) or fits(source.group))
