"""Which nodes a run has to be about: the selectors that the world uses, worked out from its description alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from worlds.nodes import Description, Model


def selected(world: Description, select: Collection[str]) -> set[str]:
    """Names of the nodes that *select* means; of all of them without a selector. Ephemeral models are left out."""
    nodes = {model.name: model for model in world.nodes()}
    above = parents(world)
    chosen: set[str] = set() if select else set(nodes)
    for one in select:
        name = one.strip("+")
        if one.startswith("tag:"):
            chosen |= {model.name for model in nodes.values() if one.removeprefix("tag:") in model.tags}
            continue
        chosen.add(name)
        if one.startswith("+"):
            chosen |= ancestors(name, above)
        if one.endswith("+"):
            chosen |= {other for other in nodes if name in ancestors(other, above)}
    return {name for name in chosen if nodes[name].materialized != "ephemeral"}


def ancestors(name: str, above: Mapping[str, Iterable[str]]) -> set[str]:
    """Everything that *name* stands on."""
    found: set[str] = set()
    todo = [name]
    while todo:
        for parent in above[todo.pop()]:
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return found


def parents(world: Description) -> dict[str, set[str]]:
    """The nodes that each node reads, by name."""
    return {model.name: {read.name for read in world.reads(model)} for model in world.nodes()}


def fits(command: str, model: Model) -> bool:
    """Whether *command* is about such nodes at all."""
    if command == "snapshot":
        return model.materialized == "snapshot"
    return (command == "build") or ((command == "seed") == (model.language == "seed"))
