"""Finds names that would overwrite each other, and names that an engine would cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowforge.errors import DuplicateNameError, Problems, shown
from flowforge.project.manifest import Node
from flowforge.values import Location, Relation

_RESERVED = ("_ff_", "__ff_", "ff__")  # our own tables, those under Python views, and what runs stage


def check_names(nodes: Sequence[Node], problems: Problems) -> dict[str, Node]:
    """Index *nodes* by name; two that share a name, or a relation, are reported with both files."""
    by_name: dict[str, Node] = {}
    by_relation: dict[tuple[str, str], Node] = {}
    for node in nodes:
        key = node.short_name.casefold()
        place = ((node.relation.schema or "").casefold(), node.relation.name.casefold())
        strange = next((text for text in (node.name, node.path, node.relation.name) if shown(text) != text), None)
        if strange is not None:
            problems.add(
                DuplicateNameError(
                    f"the name {strange!r} holds control characters",
                    code="FF1209",
                    location=Location(shown(node.path)),
                    help="rename the file",
                )
            )
            continue
        if place[1].startswith(_RESERVED):
            problems.add(
                DuplicateNameError(
                    f"the relation name {node.relation.name!r} is kept for FlowForge's own tables",
                    code="FF1208",
                    location=Location(node.path),
                    help=f"choose a name that does not begin with {', '.join(_RESERVED[:-1])} or {_RESERVED[-1]}",
                )
            )
        other = by_name.get(key) or by_relation.get(place)
        if other is not None:
            same = node.short_name == other.short_name
            what = (
                f"two files define {node.short_name!r}"
                if same
                else (
                    f"{node.short_name!r} and {other.short_name!r} would both become the relation {node.relation.name!r}"
                )
            )
            problems.add(
                DuplicateNameError(
                    what,
                    code="FF1201" if same else "FF1202",
                    location=Location(node.path),
                    notes=[f"the other one is {other.path}"],
                    help="rename one of them, or give one an alias" if not same else "rename one of them",
                )
            )
            continue
        by_name[key] = node
        by_relation[place] = node
    return {node.name: node for node in by_name.values()}


def check_lengths(relations: Mapping[str, tuple[Relation, Location]], limit: int | None, problems: Problems) -> None:
    """Report names that an engine with identifiers of at most *limit* bytes would cut, and what they collide with."""
    if limit is None:
        return
    cut: dict[bytes, str] = {}
    for node, (relation, place) in relations.items():
        encoded = relation.name.encode()
        head = encoded[:limit]
        if len(encoded) > limit:
            notes = [f"cut to {limit} bytes it would be the same as that of {cut[head]!r}"] if head in cut else []
            problems.add(
                DuplicateNameError(
                    f"the relation of {node!r} has a name of {len(encoded)} bytes; the engine keeps {limit}",
                    code="FF1205",
                    location=place,
                    notes=notes,
                    help="shorten the name, or give the model an alias",
                )
            )
        cut.setdefault(head, node)
