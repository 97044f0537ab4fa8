"""When a build runs the checks that read several tables: as the last of those tables is about to be published.

Knows plans and declarations. Nothing is asked of a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import attrs

from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.project.manifest import CheckDecl
from flowforge.run.plan import Plan


@frozen
class CheckOrder:
    """Where each check belongs.

    Parameters
    ----------
    homes:
        By the check's id, the node at whose publication it runs; checks that read nothing of the plan are left out.
    plan:
        The plan, in which a node also waits for what its checks read.
    """

    homes: Mapping[str, str]
    plan: Plan


def order_checks(
    checks: Iterable[CheckDecl], plan: Plan, dag: Dag, ephemeral: Collection[str] = frozenset()
) -> CheckOrder:
    """Find each check's place.

    A check belongs to its own table's node, unless that comes before another that it reads. *ephemeral* are the nodes
    that are no steps, because their readers hold their queries.
    """
    homes: dict[str, str] = {}
    waits = _Waits(plan)
    for check in checks:
        own = check.node
        others = {name for table in check.reads for name in _steps(table.node, plan, dag, ephemeral)}
        if own in ephemeral:  # its rows are those of the steps that it reads
            others |= _steps(own, plan, dag, ephemeral)
            own = None
        others -= {own} if own is not None else set()
        if not others:
            if own is not None and own in plan.steps:
                homes[check.id] = own
            continue
        mine = own if own is not None and own in plan.steps else None
        later = others & waits.after(mine, others) if mine is not None else others
        if mine is None or later:
            # What comes last in an order that works already can wait for all the others.
            home = waits.last(later)
        else:
            home = mine
        homes[check.id] = home
        waits.add(home, (others | ({mine} if mine is not None else set())) - {home})
    return CheckOrder(homes, attrs.evolve(plan, parents=waits.parents()))


def _steps(name: str | None, plan: Plan, dag: Dag, ephemeral: Collection[str]) -> set[str]:
    """The steps that make the rows of a node: itself, or what an ephemeral model reads."""
    found: set[str] = set()
    stack = [name] if name is not None else []
    seen: set[str] = set()
    while stack:
        one = stack.pop()
        if one in plan.steps:
            found.add(one)
        elif one in ephemeral and one not in seen:
            seen.add(one)
            stack.extend(dag.parents_of(one))
    return found


class _Waits:
    """The plan's edges and those that checks add, which never close a circle."""

    def __init__(self, plan: Plan) -> None:
        self._parents = {name: list(parents) for name, parents in plan.parents.items()}
        self._children: dict[str, list[str]] = {name: [] for name in plan.steps}
        for name, parents in self._parents.items():
            for parent in parents:
                self._children[parent].append(name)

    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """What each node waits for."""
        return {name: tuple(parents) for name, parents in self._parents.items()}

    def after(self, name: str, among: set[str]) -> set[str]:
        """Those of *among* that wait for *name*, directly or not."""
        found: set[str] = set()
        seen, stack = {name}, [name]
        while stack and found != among:
            for child in self._children[stack.pop()]:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
                    if child in among:
                        found.add(child)
        return found

    def last(self, names: set[str]) -> str:
        """One of *names* that none of the others waits for."""
        return next(name for name in sorted(names) if not self.after(name, names - {name}))

    def add(self, name: str, parents: set[str]) -> None:
        """Let *name* wait for *parents*, none of which waits for it."""
        known = set(self._parents[name])
        for parent in sorted(parents - known):
            self._parents[name].append(parent)
            self._children[parent].append(name)
