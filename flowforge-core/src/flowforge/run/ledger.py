"""What one run knows of everything that it reads and writes, and what follows from that: build or skip.

It starts with ``_ff_meta``, the catalogue and the project's files as they are when the run begins, and learns of each
node that is settled. Whatever is noted here about an input was read *before* the input's rows are read, so a change in
between makes the next run build once more, and never makes it skip.
"""

from __future__ import annotations

import datetime as dt
import enum
import threading
from collections.abc import Callable, Collection, Iterable, Mapping

import attrs

from flowforge.contract import Dialect
from flowforge.frozen import frozen
from flowforge.project.manifest import Manifest, Node, NodeKind, Source
from flowforge.run.asking import asks
from flowforge.run.definition import Definer, Definition
from flowforge.run.plan import Action
from flowforge.run.span import Span
from flowforge.state.decisions import Released
from flowforge.state.fingerprint import (
    LATER,
    Fingerprint,
    Identity,
    combine,
    digest,
    fingerprint,
    parse_fingerprint,
    passed_on,
)
from flowforge.state.meta import MetaRow, relation_key
from flowforge.state.policy import CacheMode
from flowforge.state.windows import generation_of
from flowforge.values import Namespace, Relation, RelationKind

_PENDING = Identity("(decided later)", "(decided later)")


class Because(enum.Enum):
    """Why."""

    SAME = "up to date"
    FORCED = "asked for"
    CACHE_OFF = "the cache is not read"
    NEVER = "never built here"
    MISSING = "missing"
    KIND = "of another kind"
    COLUMNS = "its columns were changed"
    NOT_NOTED = "the last build noted nothing"
    VOLATILE = "volatile"
    DEFINITION = "changed"
    BROKEN = "does not compile"
    INPUTS = "its inputs changed"
    UNKNOWN_INPUT = "an input of unknown state"
    SOURCES = "its sources changed"
    UNKNOWN_SOURCE = "a source of unknown state"
    WINDOW = "a new window has begun"
    NAMED = "windows were named"
    RELEASED = "rows were released"
    ASKS = "its template asks the database"


@frozen
class Decision:
    """What to do with a node, and what to note when it is built.

    Parameters
    ----------
    fingerprint:
        ``None`` when it cannot be known.
    subjects:
        The inputs or sources that the reason speaks of, by name.
    pending:
        In a plan that is not carried out: something that it reads is decided later.
    """

    action: Action
    because: Because
    definition: Definition
    fingerprint: Fingerprint | None
    stands_on: Identity
    row: MetaRow | None = None
    subjects: tuple[str, ...] = ()
    pending: bool = False


@frozen
class Standing:
    """What the catalogue says about one name."""

    kind: RelationKind
    layout: str | None


@frozen
class Snapshot:
    """The database as it was when the run began: rows of ``_ff_meta`` and the catalogue, by relation key.

    *newest* says when the newest window of a table ends, by relation key and generation. *released* says, by relation
    key, what was released of the rows that were put aside.
    """

    rows: Mapping[str, MetaRow]
    standing: Mapping[str, Standing]
    newest: Mapping[tuple[str, str], dt.datetime] = attrs.field(factory=dict)
    released: Mapping[str, Released] = attrs.field(factory=dict)


@frozen
class Policy:
    """What the user asked for. *forced* are names of nodes; *from_scratch*: no table only grows; *span*: which windows."""

    mode: CacheMode = CacheMode.RW
    forced: Collection[str] = frozenset()
    assume_unchanged: bool = False
    from_scratch: bool = False
    span: Span = attrs.field(factory=Span)


class Ledger:
    """The knowledge of one run. Safe from any thread, as long as a node is decided after its parents are settled.

    Parameters
    ----------
    planned:
        The nodes that this run builds or skips.
    relation:
        Where a node is written.
    source_state:
        Called at most once for each source; ``None``: not known.
    """

    def __init__(
        self,
        manifest: Manifest,
        planned: Collection[str],
        definer: Definer,
        snapshot: Snapshot,
        policy: Policy,
        *,
        dialect: Dialect,
        namespace: Namespace,
        relation: Callable[[Node], Relation],
        source_state: Callable[[Source], str | None],
    ) -> None:
        self._manifest = manifest
        self._planned = planned
        self.definer = definer
        self._snapshot = snapshot
        self.policy = policy
        self._dialect = dialect
        self._namespace = namespace
        self._relation = relation
        self._source_state = source_state
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._identities: dict[str, Identity] = {}
        self._rows: dict[str, MetaRow] = {}
        self._states: dict[str, str | None] = {}
        self._state_locks: dict[str, threading.Lock] = {}
        self._unbuilt: set[str] = set()

    def key(self, node: Node) -> str:
        """The key of a node's relation in ``_ff_meta``."""
        known = self._keys.get(node.name)
        if known is None:  # two threads may find the same
            known = self._keys[node.name] = relation_key(self._dialect, self._relation(node), self._namespace)
        return known

    def row(self, node: Node) -> MetaRow | None:
        """What ``_ff_meta`` says about a node's relation, as far as this run knows."""
        with self._lock:
            return self._rows.get(node.name) or self._snapshot.rows.get(self.key(node))

    def kind_at(self, relation: Relation) -> RelationKind | None:
        """What stood under a name when the run began, as far as somebody has looked there."""
        standing = self._snapshot.standing.get(relation_key(self._dialect, relation, self._namespace))
        return standing.kind if standing is not None else None

    def is_vacant(self, node: Node) -> bool:
        """Whether nothing stood under a node's name when the run began, and nothing is noted of it."""
        key = self.key(node)
        return key not in self._snapshot.standing and key not in self._snapshot.rows

    def retired(self, node: Node) -> Relation | None:
        """The table that stood under *node* while it was a view of rows, if it still stands there."""
        former = _under(self._relation(node))
        if backing_of(node, self._relation(node)) is not None:
            return None
        standing = self._snapshot.standing.get(relation_key(self._dialect, former, self._namespace))
        return former if standing is not None and standing.kind is RelationKind.TABLE else None

    # -- decisions

    def decide(self, name: str) -> Decision:
        """Whether to build a node, now that everything it reads is settled (or marked as pending)."""
        node = self._manifest.nodes[name]
        mode = self.policy.mode
        if not mode.reads and not mode.writes:
            # Of all this only the definition will be asked for, by `state:modified`.
            definition = attrs.evolve(self.definer.of(name), notes=())
            return Decision(Action.BUILD, Because.CACHE_OFF, definition, None, Identity(None))
        inputs = {parent: self.identity(parent) for parent in node.depends_on}
        waits = [parent for parent, one in inputs.items() if one == _PENDING]
        unbuilt = self._unbuilt_below(node)
        asking = bool(unbuilt) and asks(node, self._manifest)
        definition = Definition(None) if asking else self.definer.of(name)
        states = self._states_of(node)
        stands_on = combine(inputs, states)
        released = self._snapshot.released.get(self.key(node)) if self._snapshot.released else None
        defined = definition.digest
        if released is not None and defined is not None:
            defined = digest([defined, released.digest])
        known = None if definition.volatile else defined
        row = self.row(node)

        def decision(because: Because, subjects: Iterable[str] = (), action: Action = Action.BUILD) -> Decision:
            below = stands_on if stands_on.sources != LATER else Identity(stands_on.nodes, self._sources_below(node))
            noted = None if waits else fingerprint(known, below)
            return Decision(action, because, definition, noted, below, row, tuple(subjects), bool(waits))

        if self.policy.span.names_windows(node):
            none = row is not None and not self.policy.span.named(node)
            return decision(Because.NAMED, action=Action.SKIP if none else Action.BUILD)
        if name in self.policy.forced:
            return decision(Because.FORCED)
        if not mode.reads:
            return decision(Because.CACHE_OFF)
        if definition.error is not None:
            return decision(Because.BROKEN)
        wrong = self._wrong(node, row)
        if wrong is not None:
            return decision(wrong)
        assert row is not None
        if definition.volatile:
            return decision(Because.VOLATILE, definition.volatile)
        before = parse_fingerprint(row.fingerprint)
        if before is None:
            return decision(Because.NOT_NOTED)
        if asking:
            return decision(Because.ASKS, unbuilt, Action.MAYBE)
        if before.definition != defined:
            fresh = released is not None and released.newest > row.built_at
            return decision(Because.RELEASED if fresh else Because.DEFINITION)
        unknown = [parent for parent, one in inputs.items() if one.nodes is None]
        if unknown:
            return decision(Because.UNKNOWN_INPUT, unknown)
        if waits:
            return decision(Because.INPUTS, waits, Action.MAYBE)
        now = Fingerprint(defined or "", stands_on.nodes or "", stands_on.sources)
        if now.same_as(before, assume_unchanged=self.policy.assume_unchanged):
            if self._lacks_a_window(node, row):
                return decision(Because.WINDOW)
            return Decision(Action.SKIP, Because.SAME, definition, before, stands_on, row)
        if now.nodes != before.nodes:
            return decision(Because.INPUTS, self._newer_than(row, inputs))
        if stands_on.sources is None:
            return decision(Because.UNKNOWN_SOURCE, self._unknown_sources(states, inputs))
        return decision(Because.SOURCES, states or inputs)

    def _unbuilt_below(self, node: Node) -> list[str]:
        """What *node* reads, itself or by views and ephemeral models, that a plan does not carry out."""
        if not self._unbuilt:
            return []
        found, todo, seen = list[str](), list(node.depends_on), set[str]()
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._unbuilt:
                found.append(name)
            elif _is_query(self._manifest.nodes[name]):
                todo.extend(self._manifest.nodes[name].depends_on)
        return sorted(found)

    def _wrong(self, node: Node, row: MetaRow | None) -> Because | None:
        """What is wrong with what stands there, apart from its age."""
        if row is None:
            return Because.NEVER
        touched = self._touched(node, row)
        if touched is not None:
            return touched
        if row.node_name != node.name:
            return Because.DEFINITION
        backing = backing_of(node, self._relation(node))
        if backing is not None and relation_key(self._dialect, backing, self._namespace) not in self._snapshot.standing:
            return Because.MISSING
        return None

    def _touched(self, node: Node, row: MetaRow) -> Because | None:
        """How what stands there differs from what FlowForge left there, as far as the catalogue tells."""
        standing = self._snapshot.standing.get(self.key(node))
        if standing is None:
            return Because.MISSING
        if standing.kind is not kind_of(node):
            return Because.KIND
        if row.layout and standing.layout is not None and standing.layout != row.layout:
            return Because.COLUMNS
        return None

    def _lacks_a_window(self, node: Node, row: MetaRow) -> bool:
        """Whether a window has begun since the last one was built; all before it are there, or nothing was noted."""
        if node.config.incremental is None or not node.config.incremental.in_windows:
            return False
        generation = generation_of(row.data_id)
        newest = self._snapshot.newest.get((self.key(node), generation)) if generation is not None else None
        return newest is None or newest <= self.policy.span.now

    def _newer_than(self, row: MetaRow, inputs: Mapping[str, Identity]) -> list[str]:
        """The inputs that were written in this run, or after the node was, as far as rows tell; else all of them."""
        with self._lock:
            mine = [parent for parent in inputs if parent in self._rows]
        if mine:
            return mine
        rows = {parent: self.row(self._manifest.nodes[parent]) for parent in inputs}
        late = [parent for parent, one in rows.items() if one is not None and one.built_at > row.built_at]
        return late or list(inputs)

    @staticmethod
    def _unknown_sources(states: Mapping[str, str | None], inputs: Mapping[str, Identity]) -> list[str]:
        own = [source for source, state in states.items() if state is None]
        return own or [parent for parent, one in inputs.items() if one.sources is None]

    # -- what is learnt

    def settled(self, decision: Decision, node: Node, row: MetaRow | None) -> None:
        """*node* was built (its new row is *row*) or skipped (its row is that of the decision)."""
        standing = row or decision.row
        if node.materialized == "view" and node.kind is NodeKind.SQL:
            known = None if decision.definition.volatile else decision.definition.digest
            identity = passed_on(known, decision.stands_on)
        else:
            identity = Identity(standing.data_id if standing is not None else None)
        with self._lock:
            self._identities[node.name] = identity
            if row is not None:
                self._rows[node.name] = row

    def expected(self, decision: Decision, node: Node) -> None:
        """For a plan that is not carried out: what the readers of *node* may count on."""
        if decision.action is Action.SKIP:
            self.settled(decision, node, None)
            return
        self._unbuilt.add(node.name)
        identity = _PENDING
        if decision.definition.content is not None:
            identity = Identity(decision.definition.content)
        elif node.materialized == "view" and node.kind is NodeKind.SQL and decision.action is Action.BUILD:
            known = None if decision.definition.volatile else decision.definition.digest
            identity = _PENDING if decision.pending else passed_on(known, decision.stands_on)
        with self._lock:
            self._identities[node.name] = identity

    # -- inputs

    def identity(self, name: str) -> Identity:
        """What a node means to its readers, as far as it is known; without recursion, for chains of any depth."""
        stack = [name]
        while stack:
            top = stack[-1]
            with self._lock:
                done = top in self._identities
            node = self._manifest.nodes[top]
            if done:
                stack.pop()
                continue
            if not _is_query(node):
                self._learn(top, self._standing(node))
                stack.pop()
                continue
            with self._lock:
                missing = [parent for parent in node.depends_on if parent not in self._identities]
            if missing:
                stack.extend(missing)
                continue
            self._learn(top, self._passed_on(node))
            stack.pop()
        with self._lock:
            return self._identities[name]

    def _learn(self, name: str, identity: Identity) -> None:
        with self._lock:
            self._identities.setdefault(name, identity)

    def _standing(self, node: Node) -> Identity:
        """The identity of a table that this run does not touch: known, unless others changed it."""
        row = self.row(node)
        if row is None or not row.data_id or self._touched(node, row):
            return Identity(None)
        return Identity(row.data_id)

    def _passed_on(self, node: Node) -> Identity:
        """The identity of an ephemeral model, or of a view that this run does not touch."""
        with self._lock:
            inputs = {parent: self._identities[parent] for parent in node.depends_on}
        if _PENDING in inputs.values():
            return _PENDING
        definition = self.definer.of(node.name)
        known = None if definition.volatile else definition.digest
        if node.materialized == "view":
            row = self.row(node)
            standing = parse_fingerprint(row.fingerprint) if row is not None else None
            if row is None or standing is None or standing.definition != known or self._touched(node, row):
                known = None  # what stands there is not what the project's file says
        return passed_on(known, combine(inputs, self._states_of(node)))

    def _states_of(self, node: Node) -> Mapping[str, str | None]:
        """The states of the sources that *node* reads itself.

        Where they count for nothing they are not asked for, which may take a look at all their rows, until something
        is built that has to note them.
        """
        sources = self._sources(node)
        if self.policy.assume_unchanged:
            return {source.id: LATER for source in sources}
        return {source.id: self._state(source) for source in sources}

    def _sources_below(self, node: Node) -> str | None:
        """What the states of the sources below *node* come to, asked for now; without recursion, as above."""
        stack = [node.name]
        while True:
            top = self._manifest.nodes[stack[-1]]
            with self._lock:
                inputs = {parent: self._identities[parent] for parent in top.depends_on}
            missing = [parent for parent, one in inputs.items() if one.sources == LATER]
            if missing:
                stack.extend(missing)
                continue
            found = combine(inputs, {source.id: self._state(source) for source in self._sources(top)}).sources
            if len(stack) == 1:
                return found
            with self._lock:
                self._identities[top.name] = attrs.evolve(self._identities[top.name], sources=found)
            stack.pop()

    def _sources(self, node: Node) -> list[Source]:
        """The tables that *node* reads and that are not the project's own."""
        found = (self._manifest.sources.get(id_) for id_ in node.reads)
        return [source for source in found if source is not None and source.node is None]

    def _state(self, source: Source) -> str | None:
        if source.assume_unchanged:
            return "assumed"
        with self._lock:
            lock = self._state_locks.setdefault(source.id, threading.Lock())
        with lock:
            if source.id not in self._states:
                self._states[source.id] = self._source_state(source)
            return self._states[source.id]


def _is_query(node: Node) -> bool:
    """Whether a node holds no rows of its own."""
    return node.materialized == "ephemeral" or (node.materialized == "view" and node.kind is NodeKind.SQL)


def kind_of(node: Node) -> RelationKind:
    """What a node becomes in the database."""
    views = {"view": RelationKind.VIEW, "materialized_view": RelationKind.MATERIALIZED_VIEW}
    return views.get(node.materialized, RelationKind.TABLE)


def backing_of(node: Node, relation: Relation) -> Relation | None:
    """The table under a view that is made of a Python model's rows."""
    if node.kind is NodeKind.PYTHON and node.materialized == "view":
        return _under(relation)
    return None


def _under(relation: Relation) -> Relation:
    return relation.renamed(f"__ff_py_{relation.name}")
