"""How the assets of a project stand, as far as its memory knows: built, checked, fresh. Asks no database.

A verdict is made of what runs under this profile and engine have noted in this folder. Whether code or sources have changed
since is another question, which ``--dry-run`` answers.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from flowforge.errors import Note, NothingSelectedError
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.graph.methods import Method
from flowforge.graph.sources import select_both, source_key
from flowforge.project.manifest import CheckDecl, Node, NodeKind, Source
from flowforge.state.assets import AgeNote, NodeNote
from flowforge.state.check_results import PastResult
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project


class Verdict(enum.Enum):
    """How an asset stands, from good to bad."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    """Of a source, of which nobody has noted anything."""
    NEVER_BUILT = "never built"
    WARNING = "warning"
    STALE = "stale"
    """Its rows are older than they should be: its source is too old, it was skipped because of others, or what it reads
    has been built anew since."""
    FAILING = "failing"


@frozen
class CheckState:
    """The last results of an asset's checks: how many ended so, and when the newest one did (UTC).

    *unknown* are those of which no result is known.
    """

    passed: int = 0
    warned: int = 0
    failed: int = 0
    unknown: int = 0
    at: dt.datetime | None = None


@frozen
class AssetStatus:
    """How one asset stands.

    Parameters
    ----------
    name:
        The node's full name, or the source's id.
    kind:
        ``model``, ``seed``, ``snapshot`` or ``source``.
    reasons:
        Why it is not healthy, the worst one first.
    build:
        What is known of its builds.
    age:
        How old a source was when somebody looked.
    """

    name: str
    kind: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    build: NodeNote | None = None
    age: AgeNote | None = None
    checks: CheckState = CheckState()


@frozen
class ProjectStatus:
    """How a project stands; *notes* are warnings about the memory."""

    assets: tuple[AssetStatus, ...]
    notes: tuple[Note, ...] = ()


def project_status(
    project: Project, select: Sequence[str], exclude: Sequence[str], methods: Mapping[str, Method]
) -> ProjectStatus:
    """How the selected nodes and sources stand: sources first, then nodes, parents before children.

    Ephemeral models are left out: they are built with what reads them. *methods* are those of selectors.

    Raises
    ------
    UsageError, SelectionError
        When a selector cannot be read, or names what the project does not have.
    NothingSelectedError
        When nothing is selected.
    """
    nodes, sources = _selected(project, select, exclude, methods)
    if not nodes and not sources:
        raise NothingSelectedError(
            "the selection is empty", help="`flowforge status` without a selector shows everything"
        )
    notes: list[Note] = []
    env, engine = project.profile.name, project.engine.name
    checks = _by_asset(project.manifest.checks)
    with StateStore.open(project.root / ".flowforge", notes.append, write=False) as store:
        built, ages = store.assets.nodes(env, engine), store.assets.ages(env, engine)
        names = [check.id for check in project.manifest.checks]
        results = {name: found[-1] for name, found in store.checks.results(env, engine, 1, names).items()}
    assets = [_of_source(one, ages.get(one.id), checks.get(source_key(one.id), ()), results) for one in sources]
    newer = _Newer(project, built)
    assets += [_of_node(one, built.get(one.name), checks.get(one.name, ()), results, newer.than(one)) for one in nodes]
    return ProjectStatus(tuple(assets), tuple(dict.fromkeys(notes)))


def _selected(
    project: Project, select: Sequence[str], exclude: Sequence[str], methods: Mapping[str, Method]
) -> tuple[list[Node], list[Source]]:
    manifest = project.manifest
    order = [name for name in project.dag.order() if manifest.nodes[name].materialized != "ephemeral"]
    if not select and not exclude:
        return [manifest.nodes[name] for name in order], [one for _, one in sorted(manifest.sources.items())]
    chosen = select_both(manifest, project.dag, select, exclude, methods=methods)
    return (
        [manifest.nodes[name] for name in order if name in chosen],
        [one for id_, one in sorted(manifest.sources.items()) if source_key(id_) in chosen],
    )


def _by_asset(checks: Iterable[CheckDecl]) -> Mapping[str, Sequence[CheckDecl]]:
    """By node and by key of a source, the checks that are about it."""
    found: dict[str, list[CheckDecl]] = {}
    for check in checks:
        keys = set(check.subjects)
        if check.source is not None:
            keys.add(source_key(check.source))
        for key in keys:
            found.setdefault(key, []).append(check)
    return found


_CHECK_WORDS = {Status.FAIL: "fails", Status.ERROR: "could not run", Status.WARN: "warns"}


def _checked(
    checks: Sequence[CheckDecl], results: Mapping[str, PastResult]
) -> tuple[CheckState, list[tuple[Verdict, str]]]:
    known = [(check, results[check.id]) for check in checks if check.id in results]
    statuses = [result.status for _, result in known]
    bad = [(check, result.status) for check, result in known if result.status in _CHECK_WORDS]
    state = CheckState(
        passed=sum(status in (Status.SUCCESS, Status.INFO) for status in statuses),
        warned=statuses.count(Status.WARN),
        failed=statuses.count(Status.FAIL) + statuses.count(Status.ERROR),
        unknown=len(checks) - len(known) + statuses.count(Status.SKIPPED),
        at=max((result.at for _, result in known), default=None),
    )
    return state, [
        (Verdict.WARNING if status is Status.WARN else Verdict.FAILING, f"{check.id} {_CHECK_WORDS[status]}")
        for check, status in bad
    ]


def _judged(found: list[tuple[Verdict, str]], otherwise: Verdict) -> tuple[Verdict, tuple[str, ...]]:
    """The worst verdict, and all reasons in the order of how bad they are."""
    order = list(Verdict)
    found = sorted(found, key=lambda one: -order.index(one[0]))
    return (found[0][0] if found else otherwise), tuple(reason for _, reason in found)


def _of_node(
    node: Node,
    note: NodeNote | None,
    checks: Sequence[CheckDecl],
    results: Mapping[str, PastResult],
    newer: Sequence[str],
) -> AssetStatus:
    state, found = _checked(checks, results)
    if note is None:
        if state.at is None:  # what was checked is there: others have built it
            found.append((Verdict.NEVER_BUILT, "no build is known"))
    else:
        found = _attempt(note) + found
        if newer and note.status in (Status.SUCCESS, Status.CACHED):
            found.append(
                (Verdict.STALE, f"{newer[0]} has new rows since{f', {len(newer) - 1} more' if newer[1:] else ''}")
            )
    verdict, reasons = _judged(found, Verdict.HEALTHY)
    kind = "seed" if node.kind is NodeKind.SEED else "snapshot" if node.materialized == "snapshot" else "model"
    return AssetStatus(node.name, kind, verdict, reasons, note, None, state)


_LIVE = ("view", "ephemeral")


class _Newer:
    """Tells what a node reads that has got other rows since the node was looked at last."""

    def __init__(self, project: Project, built: Mapping[str, NodeNote]) -> None:
        self._nodes, self._built = project.manifest.nodes, built
        self._changed: dict[str, dt.datetime | None] = {}
        for name in project.dag.order():  # parents first
            times = [note.changed_at] if (note := built.get(name)) is not None else []
            if self._nodes[name].materialized in _LIVE:  # its rows are those of what it reads
                times += [self._changed[parent] for parent in self._nodes[name].depends_on]
            self._changed[name] = max(filter(None, times), default=None)

    def than(self, node: Node) -> Sequence[str]:
        """The names of what is newer, as people write them; of a view nothing is."""
        note = self._built.get(node.name)
        if note is None or node.materialized in _LIVE:
            return ()
        parents = [(name, self._changed[name]) for name in sorted(node.depends_on)]
        return [name.removesuffix(".ff") for name, at in parents if at is not None and at > note.ended_at]


def _attempt(note: NodeNote) -> list[tuple[Verdict, str]]:
    """What the last attempt to build a node says."""
    before = "" if note.built_at is not None else ", and it was never built"
    words = (note.message or "").split("\n", 1)[0]
    told = f"{f': {words}' if words else ''}{before}"
    match note.status:
        case Status.ERROR:
            return [(Verdict.FAILING, f"the last build failed{told}")]
        case Status.FAIL:
            return [(Verdict.FAILING, f"the last build was not published{before}")]
        case Status.SKIPPED:
            return [(Verdict.STALE if note.built_at else Verdict.NEVER_BUILT, f"the last build left it out{told}")]
        case Status.CANCELLED:
            return [
                (Verdict.WARNING if note.built_at else Verdict.NEVER_BUILT, f"the last build was cancelled{before}")
            ]
    return []


def _of_source(
    source: Source, note: AgeNote | None, checks: Sequence[CheckDecl], results: Mapping[str, PastResult]
) -> AssetStatus:
    state, found = _checked(checks, results)
    if source.freshness is not None:
        if note is None:
            found.append((Verdict.UNKNOWN, "nobody has looked how old it is"))
        elif note.status != "pass":
            found.append(_AGES.get(note.status, (Verdict.FAILING, "its age is not known")))
            if note.message:
                found[-1] = (found[-1][0], f"{found[-1][1]}: {note.message}")
    seen = (note is not None and source.freshness is not None) or len(checks) > state.unknown
    if not seen and not found:
        found.append((Verdict.UNKNOWN, "nobody has looked at it"))
    verdict, reasons = _judged(found, Verdict.HEALTHY)
    return AssetStatus(
        source.id, "source", verdict, reasons, None, note if source.freshness is not None else None, state
    )


_AGES = {
    "warn": (Verdict.WARNING, "its newest row is old"),
    "error": (Verdict.STALE, "its newest row is too old"),
    "failed": (Verdict.FAILING, "nobody could look how old it is"),
}
