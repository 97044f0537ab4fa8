"""The graph as a Mermaid flowchart, which code hosts and editors draw in Markdown. Text only, no browser."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from flowforge.graph.dag import Dag
from flowforge.project.manifest import Manifest, Node, Source

_STYLES = {
    "sql": "fill:#dbeafe,stroke:#2563eb,color:#1e3a8a",
    "python": "fill:#fef3c7,stroke:#d97706,color:#78350f",
    "seed": "fill:#dcfce7,stroke:#16a34a,color:#14532d",
    "source": "fill:#f3f4f6,stroke:#6b7280,color:#1f2937",
}
_SHAPES = {"view": ("([", "])"), "ephemeral": ("{{", "}}"), "seed": ("[(", ")]"), "source": ("[/", "/]")}
_TABLE = ("[", "]")
_PLAIN = re.compile(r"[^0-9A-Za-z]+")


def mermaid(manifest: Manifest, dag: Dag, names: Iterable[str] | None = None) -> str:
    """The nodes and the sources that they read as a flowchart, from left to right; ends with a newline.

    Colours say what a node is made from, shapes how it is stored: boxes are tables, rounded ones views, hexagons
    ephemeral, cylinders seeds, slanted ones sources. A dotted arrow stands for a path through nodes that are not
    shown. The same graph gives the same text.

    Parameters
    ----------
    names:
        The nodes to show; by default all.
    """
    shown = frozenset(dag.names if names is None else names)
    part = dag.subgraph(shown)
    nodes = [manifest.nodes[name] for name in part.order()]
    sources = [manifest.sources[id_] for id_ in sorted({id_ for node in nodes for id_ in node.reads})]
    node_ids = _ids("n_", {node.name: _shown(node) for node in nodes})
    source_ids = _ids("s_", {source.id: source.id for source in sources})

    lines = ["flowchart LR"]
    lines += [_box(source_ids[source.id], source.id, "source", "source") for source in sources]
    lines += [_box(node_ids[node.name], _shown(node), node.materialized, node.kind.value) for node in nodes]
    for source in sources:
        if source.node in shown:
            lines.append(f"    {node_ids[source.node]} --> {source_ids[source.id]}")
    for node in nodes:
        target = node_ids[node.name]
        lines += [f"    {source_ids[id_]} --> {target}" for id_ in node.reads]
        through_sources = _only_through_sources(manifest, node)
        for parent in part.parents_of(node.name):
            if parent not in through_sources:
                arrow = "-->" if parent in node.depends_on else "-.->"
                lines.append(f"    {node_ids[parent]} {arrow} {target}")
    used = {*(node.kind.value for node in nodes), *("source" for _ in sources[:1])}
    lines += [f"    classDef {kind} {style}" for kind, style in _STYLES.items() if kind in used]
    return "\n".join(lines) + "\n"


def _only_through_sources(manifest: Manifest, node: Node) -> frozenset[str]:
    """Parents that *node* knows as sources alone: the arrow by way of the source says it already."""
    behind = {source.node for source in _reads(manifest, node) if source.node is not None}
    if not behind:
        return frozenset()
    referred = {found.name for ref in node.refs if (found := manifest.find(ref.name)) is not None}
    return frozenset(behind - referred)


def _reads(manifest: Manifest, node: Node) -> Iterable[Source]:
    return (manifest.sources[id_] for id_ in node.reads)


def _shown(node: Node) -> str:
    return node.short_name or node.name  # a file called `.ff.sql` has no short name


def _box(id_: str, label: str, shape: str, kind: str) -> str:
    left, right = _SHAPES.get(shape, _TABLE)
    return f'    {id_}{left}"{_label(label)}"{right}:::{kind}'


def _label(text: str) -> str:
    """*text* so that Mermaid shows it as it is: no HTML, no Markdown, no end of the quotes."""

    def plain(place: int, char: str) -> bool:
        if char in "-.":
            # "1. x" and "- x" would be Markdown lists.
            return place > 0 and not text[:place].isdigit()
        return char.isalnum() or char in "_ "

    return "".join(char if plain(place, char) else f"#{ord(char)};" for place, char in enumerate(text))


def _ids(prefix: str, texts: Mapping[str, str]) -> Mapping[str, str]:
    """A word for each key, made from its text, that Mermaid takes as it is; look-alikes get a digest of their own.

    The prefix keeps models from being called ``end`` or ``graph``, which Mermaid reads as its own words.
    """
    slugs = {key: prefix + _PLAIN.sub("_", text) for key, text in texts.items()}
    count = Counter(slugs.values())
    return {
        key: slug if count[slug] == 1 else f"{slug}_{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"
        for key, slug in slugs.items()
    }
