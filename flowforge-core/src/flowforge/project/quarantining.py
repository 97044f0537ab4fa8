"""What becomes of rows that fail a check: what checks and their models say of it, and what cannot be.

A model whose rows are put aside by a check reads the further tables of that check, as if it named them itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from flowforge.errors import CheckConfigError, Problems
from flowforge.project.fitting import why_not_aside
from flowforge.project.manifest import CheckDecl, CheckTable, Manifest, Node, NodeKind, Source

QUARANTINE = "quarantine"
_INSTEAD = "`on_fail: stop` keeps the old rows, `on_fail: warn` publishes the new ones and reports it"


def with_checks(manifest: Manifest, checks: Iterable[CheckDecl], problems: Problems) -> Manifest:
    """*manifest* with its *checks*, each of which knows what becomes of rows that fail it.

    What cannot be goes to *problems*, with its place.
    """
    settled = [_settled(check, manifest) for check in checks]
    nodes = dict(manifest.nodes)
    for check in settled:
        if check.on_fail != QUARANTINE:
            continue
        flaw = _flaw(check, manifest)
        if flaw is not None:
            problems.add(flaw)
            continue
        assert check.node is not None
        node = nodes[check.node]
        found = [(table, *_found(table, manifest)) for table in check.reads]
        missing = [table for table, own, source in found if own is None and source is None]
        if missing:
            problems.add(_stranger(check, missing[0]))
            continue
        parents = {own.name for _, own, _ in found if own is not None} - {node.name}
        sources = {source.id for _, _, source in found if source is not None}
        nodes[node.name] = attrs.evolve(
            node,
            depends_on=tuple(sorted({*node.depends_on, *parents})),
            reads=tuple(sorted({*node.reads, *sources})),
        )
    _refuse_circles(manifest.nodes, nodes, settled, problems)
    return attrs.evolve(manifest, nodes=nodes, checks=tuple(settled))


def quarantine_checks(checks: Iterable[CheckDecl]) -> Mapping[str, tuple[CheckDecl, ...]]:
    """The checks that put rows aside, by the node whose rows they are."""
    found: dict[str, list[CheckDecl]] = {}
    for check in checks:
        if check.on_fail == QUARANTINE and check.node is not None:
            found.setdefault(check.node, []).append(check)
    return {name: tuple(some) for name, some in found.items()}


def cannot_keep_back(node: Node) -> str | None:
    """Why the rows of a node cannot be put aside; ``None``: they can."""
    if node.kind is NodeKind.SEED:
        return "a seed is as its file says: correct the file"
    return why_not_aside(node.config)


def _settled(check: CheckDecl, manifest: Manifest) -> CheckDecl:
    """*check* with what its model says, where it says nothing itself."""
    node = manifest.nodes.get(check.node) if check.node is not None else None
    asked = node.config.on_fail if node is not None else None
    if asked is None or not check.is_silent:
        return check
    if asked == "warn":
        return attrs.evolve(check, on_fail="warn", severity="warn")
    if asked == QUARANTINE and check.judges_rows:
        return attrs.evolve(check, on_fail=QUARANTINE)
    return check


def _flaw(check: CheckDecl, manifest: Manifest) -> CheckConfigError | None:
    why: str | None = "it is no model of the project"
    if check.node is not None:
        why = cannot_keep_back(manifest.nodes[check.node])
    elif check.source is not None:
        why = "a source is not written by FlowForge: declare the check for a model that reads it"
    if why is None:
        return None
    table = check.table.removesuffix(".ff")
    return CheckConfigError(
        f"rows of {table!r} cannot be put aside: {why}", code="FF3021", location=check.location, help=_INSTEAD
    )


def _found(table: CheckTable, manifest: Manifest) -> tuple[Node | None, Source | None]:
    own = manifest.nodes.get(table.node) if table.node is not None else None
    return own, manifest.source_called(table.name) if own is None else None


def _stranger(check: CheckDecl, table: CheckTable) -> CheckConfigError:
    return CheckConfigError(
        f"{check.id!r} compares with {table.written!r}, which is no model, seed or source of the project, so nobody would "
        "notice that rows have to be looked at again",
        code="FF3022",
        location=check.location,
        help="declare it in sources.yml, or use another `on_fail`",
    )


def _refuse_circles(
    before: Mapping[str, Node], nodes: Mapping[str, Node], checks: Iterable[CheckDecl], problems: Problems
) -> None:
    """Say of checks that they read what is built from the rows that they judge."""
    for check in checks:
        if check.on_fail != QUARANTINE or check.node is None:
            continue
        for table in check.reads:
            if table.node is None or table.node == check.node or before[check.node] is nodes[check.node]:
                continue
            if check.node in _above(table.node, before):
                problems.add(
                    CheckConfigError(
                        f"{check.id!r} compares with {table.written!r}, which is built from the rows that it judges",
                        code="FF3022",
                        location=check.location,
                        help=_INSTEAD,
                    )
                )


def _above(name: str, nodes: Mapping[str, Node]) -> Iterator[str]:
    """*name* and all that it is built from."""
    seen, todo = {name}, [name]
    while todo:
        one = todo.pop()
        yield one
        fresh = [parent for parent in nodes[one].depends_on if parent in nodes and parent not in seen]
        seen.update(fresh)
        todo.extend(fresh)
