"""What is different between two states of a project, and what that concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from flowforge.api.described import NodeState, ProjectState
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.run.line_diff import changed_lines

_SHOWN = 12  # lines of one node


@frozen
class Line:
    """A changed line: of a file, or (with an empty path) of the compiled SQL. *sign* is ``-`` or ``+``."""

    path: str
    number: int
    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.path or 'compiled SQL'}:{self.number}: {self.sign} {self.text}"


@frozen
class Change:
    """One modified node.

    Parameters
    ----------
    reasons:
        Clauses such as ``materialized changed from view to table`` or ``models/orders.ff.sql changed``.
    lines:
        Some of the lines that changed; *more* says how many are left out.
    """

    name: str
    path: str
    reasons: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    more: int = 0


@frozen
class Changes:
    """The difference between two states; all names are full names of nodes, in the order of the DAG.

    Parameters
    ----------
    removed:
        Names that are there no more, sorted.
    affected:
        What is built from added or modified nodes, and is neither itself.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    modified: tuple[Change, ...]
    affected: tuple[str, ...]

    @property
    def closure(self) -> frozenset[str]:
        """Everything that has to be built again: added, modified and affected."""
        return frozenset((*self.added, *(one.name for one in self.modified), *self.affected))


def is_changed(before: NodeState, after: NodeState) -> bool:
    """Whether two states of a node mean different rows; true as well when one of them cannot be compiled."""
    return before.digest is None or before.digest != after.digest


def compare(
    before: ProjectState, after: ProjectState, dag: Dag, *, old_root: Path | None = None, new_root: Path | None = None
) -> Changes:
    """The changes that lead from *before* to *after*.

    Parameters
    ----------
    dag:
        The graph of *after*.
    old_root, new_root:
        Where the files of both stand, to show the lines that changed; without them, lines of compiled SQL are shown.
    """
    added = dag.ordered(name for name in after.nodes if name not in before.nodes)
    modified = dag.ordered(
        name for name, node in after.nodes.items() if name in before.nodes and is_changed(before.nodes[name], node)
    )
    affected = dag.descendants((*added, *modified)) - {*added, *modified}
    changes = []
    for name in modified:
        old, new = before.nodes[name], after.nodes[name]
        files = tuple(_changed_files(old, new, before, after, old_root, new_root))
        lines = list(_lines(old, new, files, old_root, new_root))
        changes.append(
            Change(name, new.path, tuple(_reasons(old, new, files)), tuple(lines[:_SHOWN]), max(0, len(lines) - _SHOWN))
        )
    return Changes(
        added, tuple(sorted(before.nodes.keys() - after.nodes.keys())), tuple(changes), dag.ordered(affected)
    )


def only(changes: Changes, names: Iterable[str]) -> Changes:
    """The part of *changes* that concerns these nodes; what was removed is no node any more, so it is left out."""
    kept = frozenset(names)
    return Changes(
        tuple(name for name in changes.added if name in kept),
        (),
        tuple(one for one in changes.modified if one.name in kept),
        tuple(name for name in changes.affected if name in kept),
    )


def _reasons(old: NodeState, new: NodeState, files: tuple[str, ...]) -> Iterator[str]:
    found = False
    if old.kind != new.kind:
        found = True
        yield f"kind changed from {old.kind} to {new.kind}"
    if old.path != new.path:
        found = True
        yield f"moved from {old.path} to {new.path}"
    for key in sorted({*old.config, *new.config}):
        if old.config.get(key) != new.config.get(key):
            found = True
            yield f"{key} changed from {old.config.get(key)} to {new.config.get(key)}"
    if files:
        found = True
        yield f"{', '.join(files[:3])}{f' and {len(files) - 3} more' if len(files) > 3 else ''} changed"
    elif old.sql != new.sql:
        found = True
        yield "compiled SQL changed"
    if new.digest is None:
        yield "does not compile now"
    elif old.digest is None:
        yield "did not compile before"
    elif not found:
        yield "versions of imported packages, variables or settings changed"


def _changed_files(
    old: NodeState,
    new: NodeState,
    before: ProjectState,
    after: ProjectState,
    old_root: Path | None,
    new_root: Path | None,
) -> Iterator[str]:
    """The files of a node that changed, as far as that can be told: its own, and what it is made from besides."""
    if old_root is None or new_root is None:
        yield from sorted(path for path in {*old.files, *new.files} if old.files.get(path) != new.files.get(path))
        return
    paths = dict.fromkeys([new.path, *sorted({*old.files, *new.files}), *_inlined(new, after), *_inlined(old, before)])
    for path in paths:
        if _text(old_root / path) != _text(new_root / path):
            yield path


def _inlined(node: NodeState, state: ProjectState) -> Iterator[str]:
    """Files of the ephemeral models whose text becomes part of a node's."""
    waiting, seen = list(node.depends_on), set[str]()
    while waiting:
        name = waiting.pop()
        parent = state.nodes.get(name)
        if parent is not None and name not in seen and parent.materialized == "ephemeral":
            seen.add(name)
            waiting += parent.depends_on
            yield parent.path


def _lines(
    old: NodeState, new: NodeState, files: tuple[str, ...], old_root: Path | None, new_root: Path | None
) -> Iterator[Line]:
    shown = False
    if old_root is not None and new_root is not None:
        for path in files:
            if not path.endswith((".csv", ".parquet", ".pq")):
                for line in _differing(path, _text(old_root / path) or "", _text(new_root / path) or ""):
                    shown = True
                    yield line
    if not shown and old.sql is not None and new.sql is not None:
        yield from _differing("", old.sql, new.sql)


def _differing(path: str, before: str, after: str) -> Iterator[Line]:
    for line in changed_lines(before.splitlines(), after.splitlines()):
        yield Line(path, line.number, line.sign, line.text)


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return None


def as_data(changes: Changes, nodes: Mapping[str, NodeState], removed: Mapping[str, NodeState]) -> Mapping[str, object]:
    """The changes as JSON can hold them."""

    def entry(name: str, node: NodeState) -> dict[str, object]:
        return {"name": name, "kind": node.kind, "path": node.path}

    return {
        "added": [entry(name, nodes[name]) for name in changes.added],
        "removed": [entry(name, removed[name]) for name in changes.removed],
        "modified": [
            {
                **entry(one.name, nodes[one.name]),
                "reasons": list(one.reasons),
                "lines": [attrs.asdict(line) for line in one.lines],
                "more": one.more,
            }
            for one in changes.modified
        ],
        "affected": [entry(name, nodes[name]) for name in changes.affected],
    }
