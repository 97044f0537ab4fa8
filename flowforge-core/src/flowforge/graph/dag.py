"""The graph of what is built from what. Knows names only; every walk is iterative, so depth costs no stack."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType

from flowforge.errors import ModelCycleError
from flowforge.frozen import frozen
from flowforge.values import Location

_SHOWN = 8


@frozen(slots=False)
class Dag:
    """A directed graph of names; an edge leads from a parent (read) to a child (built from it).

    Made by :meth:`build`; immutable and safe from any thread. A graph with a cycle can be made, so that the cycle can
    be reported, and cannot be ordered.
    """

    _parents: Mapping[str, tuple[str, ...]]

    @classmethod
    def build(cls, parents: Mapping[str, Iterable[str]]) -> Dag:
        """Make a graph.

        Parameters
        ----------
        parents:
            For every node the names that it is built from, in any order; doubles count once.

        Raises
        ------
        ValueError
            When a parent is no node itself.
        """
        sorted_parents = {name: tuple(sorted(set(parents[name]))) for name in sorted(parents)}
        for name, above in sorted_parents.items():
            for parent in above:
                if parent not in sorted_parents:
                    raise ValueError(f"{parent!r}, a parent of {name!r}, is no node of the graph")
        return cls(MappingProxyType(sorted_parents))

    @property
    def names(self) -> Collection[str]:
        """All nodes, sorted by name."""
        return self._parents.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._parents

    def __len__(self) -> int:
        return len(self._parents)

    def parents_of(self, name: str) -> tuple[str, ...]:
        """What *name* is built from, sorted."""
        return self._parents[name]

    def children_of(self, name: str) -> tuple[str, ...]:
        """What is built from *name*, sorted."""
        return self._children[name]

    @cached_property
    def _children(self) -> Mapping[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {name: [] for name in self._parents}
        for name, above in self._parents.items():
            for parent in above:
                children[parent].append(name)
        return {name: tuple(below) for name, below in children.items()}

    # -- order

    def order(self) -> tuple[str, ...]:
        """All nodes, each after its parents; among those that could be next, the smallest name comes first.

        Raises
        ------
        ModelCycleError
            When there is a cycle.
        """
        return self._order

    @cached_property
    def _order(self) -> tuple[str, ...]:
        waiting = {name: len(above) for name, above in self._parents.items()}
        ready = [name for name, count in waiting.items() if not count]  # sorted by name, hence a heap already
        order: list[str] = []
        while ready:
            name = heapq.heappop(ready)
            order.append(name)
            for child in self._children[name]:
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(ready, child)
        if len(order) < len(self._parents):
            raise ModelCycleError(f"models depend on each other in a circle: {_written(self.cycle() or [])}")
        return tuple(order)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self._order)}

    def ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        """Some of the nodes, without doubles, in the order of :meth:`order`."""
        return tuple(sorted(set(names), key=self._places.__getitem__))

    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The nodes in layers: each stands one layer below its deepest parent. Sorted within a layer.

        For display and planning; a run does not wait for layers.

        Raises
        ------
        ModelCycleError
            When there is a cycle.
        """
        depth: dict[str, int] = {}
        layers: list[list[str]] = []
        for name in self._order:
            depth[name] = max((depth[parent] + 1 for parent in self._parents[name]), default=0)
            if depth[name] == len(layers):
                layers.append([])
            layers[depth[name]].append(name)
        return tuple(tuple(sorted(layer)) for layer in layers)

    # -- neighbourhoods

    def ancestors(self, names: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """Everything that *names* are built from, directly or not.

        One of *names* itself belongs to the answer only when another of them is built from it.

        Parameters
        ----------
        depth:
            How many edges to follow; ``None`` follows all.
        """
        return _reach(names, self._parents, depth)

    def descendants(self, names: Iterable[str], depth: int | None = None) -> frozenset[str]:
        """Everything that is built from *names*, directly or not; the mirror of :meth:`ancestors`."""
        return _reach(names, self._children, depth)

    def subgraph(self, names: Iterable[str]) -> Dag:
        """The graph of some nodes, in which one still comes after another when only left-out nodes stand between.

        Edges between kept nodes stay. A path through left-out nodes becomes an edge, unless the edges that are there
        already say who waits for whom.

        Raises
        ------
        KeyError
            For a name that is no node.
        """
        kept = frozenset(names)
        for unknown in sorted(kept - self._parents.keys()):
            raise KeyError(unknown)
        if len(kept) == len(self._parents):
            return self
        # Sets of kept nodes are whole numbers with one bit for each node, in topological order: a left-out hub in
        # the middle of thousands of nodes would otherwise cost an edge for each pair.
        order = [name for name in self._order if name in kept]
        bit = {name: place for place, name in enumerate(order)}
        above: list[int] = []  # by bit: all kept ancestors and the node itself
        behind: dict[str, int] = {}  # by left-out node: the kept ancestors that it stands for
        parents: dict[str, list[str]] = {}
        for name in self._order:
            direct = [bit[parent] for parent in self._parents[name] if parent in kept]
            indirect = 0
            for parent in self._parents[name]:
                indirect |= behind.get(parent, 0)
            if name not in kept:
                for place in direct:
                    indirect |= 1 << place
                behind[name] = _nearest(indirect, above)[1]
                continue
            covered = 1 << bit[name]
            for place in direct:
                covered |= above[place]
            nearest, _ = _nearest(indirect & ~covered, above)
            for place in nearest:
                covered |= above[place]
            above.append(covered)
            parents[name] = [order[place] for place in (*direct, *nearest)]
        return Dag.build(parents)

    # -- cycles

    def cycle(self) -> list[str] | None:
        """A cycle as ``[a, b, c, a]``, where each name refers to the next one, or ``None``.

        It starts at the smallest name of its knot and is as short as a cycle through that name can be.
        """
        return next(_cycles(self._parents), None)


def check_cycles(parents: Mapping[str, Iterable[str]], where: Callable[[str], Location]) -> Iterator[ModelCycleError]:
    """One error for each knot of nodes that depend on each other (or on themselves).

    Parameters
    ----------
    parents:
        As for :meth:`Dag.build`; names that are no nodes are ignored, they are somebody else's error.
    where:
        Where a node is defined.
    """
    known = {name: tuple(sorted({parent for parent in parents[name] if parent in parents})) for name in sorted(parents)}
    for cycle in _cycles(known):
        if len(cycle) == 2:
            message, help_ = f"{cycle[0]} depends on itself", "remove the reference of the model to itself"
        else:
            message, help_ = "models depend on each other in a circle", "remove one of these references"
        steps = [f"{name} ({where(name)}) refers to {parent}" for name, parent in pairwise(cycle)]
        more = [f"and {len(steps) - _SHOWN} more"] if len(steps) > _SHOWN else []
        yield ModelCycleError(
            f"{message}: {_written(cycle)}", location=where(cycle[0]), help=help_, notes=[*steps[:_SHOWN], *more]
        )


def _written(cycle: Sequence[str]) -> str:
    """The cycle with arrows; a very long one is cut in the middle, for its reader's sake."""
    left_out = len(cycle) - 1 - _SHOWN
    shown = [*cycle[:_SHOWN], f"({left_out} more)", cycle[-1]] if left_out > 0 else cycle
    return " -> ".join(shown)


def _nearest(nodes: int, above: Sequence[int]) -> tuple[list[int], int]:
    """Those of *nodes* that are no ancestors of others among them, as places and as a set of bits."""
    places: list[int] = []
    bits = 0
    while nodes:
        place = nodes.bit_length() - 1  # the last in topological order cannot be anybody's ancestor here
        places.append(place)
        bits |= 1 << place
        nodes &= ~above[place]
    return places, bits


def _reach(starts: Iterable[str], edges: Mapping[str, tuple[str, ...]], depth: int | None) -> frozenset[str]:
    found: set[str] = set()
    frontier: Collection[str] = set(starts)
    steps = 0
    while frontier and (depth is None or steps < depth):
        frontier = {far for near in frontier for far in edges[near]} - found
        found |= frontier
        steps += 1
    return frozenset(found)


def _cycles(edges: Mapping[str, tuple[str, ...]]) -> Iterator[list[str]]:
    """One cycle for each strongly connected component that has any, by smallest name."""
    knots = [sorted(knot) for knot in _components(edges) if len(knot) > 1 or knot[0] in edges[knot[0]]]
    for knot in sorted(knots):
        yield _shortest_through(knot[0], frozenset(knot), edges)


def _shortest_through(start: str, knot: frozenset[str], edges: Mapping[str, tuple[str, ...]]) -> list[str]:
    came_from: dict[str, str] = {}
    queue = deque([start])
    while start not in came_from:  # a knot always leads back to where one starts
        near = queue.popleft()
        for far in edges[near]:
            if far in knot and far not in came_from:
                came_from[far] = near
                queue.append(far)
    path = [start]
    while len(path) == 1 or path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


def _components(edges: Mapping[str, tuple[str, ...]]) -> Iterator[list[str]]:
    """Strongly connected components (Tarjan's algorithm with a stack of its own)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    is_open: set[str] = set()
    for root in edges:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        visit: str | None = root
        while visit is not None or work:
            if visit is not None:
                index[visit] = low[visit] = len(index)
                open_.append(visit)
                is_open.add(visit)
                work.append((visit, iter(edges[visit])))
                visit = None
            name, rest = work[-1]
            for far in rest:
                if far not in index:
                    visit = far
                    break
                if far in is_open:
                    low[name] = min(low[name], index[far])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[name])
                if low[name] == index[name]:
                    component: list[str] = []
                    while not component or component[-1] != name:
                        component.append(open_.pop())
                        is_open.discard(component[-1])
                    yield component
