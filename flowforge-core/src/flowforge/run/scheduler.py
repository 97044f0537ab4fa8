"""Runs the nodes of a DAG on threads, each as soon as its parents are done, longest expected path first."""

from __future__ import annotations

import enum
import heapq
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

_POLL = 0.2  # seconds between looks at the stop flag; a signal only sets it


class FailPolicy(enum.Enum):
    """What happens to the rest when a node fails."""

    FINISH_RUNNING = "finish running"
    """Nothing new starts, running nodes finish."""
    KEEP_GOING = "keep going"
    """Everything that does not depend on the failure goes on."""
    FAIL_FAST = "fail fast"
    """Nothing new starts, running nodes are cancelled."""


@attrs.frozen
class Finished:
    """A node's work is done. *ok* says whether its children may run."""

    name: str
    ok: bool


@attrs.frozen
class NotRun:
    """A node was never started. *blocked_by* is the failed ancestor, or ``None`` when the run just stopped."""

    name: str
    blocked_by: str | None


class Stop:
    """A flag that anyone may raise, also a signal handler; *reason* is the signal's number or ``None``. Thread-safe."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signum: int | None = None

    def set(self, signum: int | None = None) -> None:
        """Ask for a stop; the first reason stays."""
        if not self._event.is_set():
            self.signum = signum
            self._event.set()

    def is_set(self) -> bool:
        """Has anyone asked?"""
        return self._event.is_set()


def critical_paths(parents: Mapping[str, Sequence[str]], cost: Callable[[str], float]) -> dict[str, float]:
    """For each node the cost of the most expensive path from it to the end; linear in edges, no recursion."""
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    waiting = {name: len(below) for name, below in children.items()}
    ready = [name for name, count in waiting.items() if not count]
    longest: dict[str, float] = {}
    while ready:
        name = ready.pop()
        longest[name] = cost(name) + max((longest[child] for child in children[name]), default=0.0)
        for parent in parents[name]:
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    return longest


def schedule(
    parents: Mapping[str, Sequence[str]],
    work: Callable[[str], bool],
    *,
    jobs: int,
    policy: FailPolicy,
    stop: Stop,
    cancel: Callable[[], None],
    cost: Callable[[str], float] = lambda name: 1.0,
    patience: float = 1.5,
) -> Iterator[Finished | NotRun]:
    """Run *work* for every node, and yield what became of each, as it happens, in the caller's thread.

    Parameters
    ----------
    parents:
        Direct predecessors of each node; acyclic. The order of the mapping breaks ties.
    work:
        Called on worker threads; answers whether the node's children may run. What it raises is raised here.
    jobs:
        How many nodes may run at once.
    stop:
        When it is set, nothing new starts, *cancel* is called, and nodes that do not end within *patience* seconds
        are left behind.
    cancel:
        Stops the statements that run now; called from this thread.
    cost:
        Expected duration of a node, in any unit.
    """
    order = {name: index for index, name in enumerate(parents)}
    priority = critical_paths(parents, cost)
    children: dict[str, list[str]] = {name: [] for name in parents}
    missing = {name: len(above) for name, above in parents.items()}
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    ready = [(-priority[name], order[name], name) for name, count in missing.items() if not count]
    heapq.heapify(ready)

    todo: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, bool, BaseException | None]] = queue.SimpleQueue()

    def worker() -> None:
        while (name := todo.get()) is not None:
            try:
                done.put((name, work(name), None))
            except BaseException as error:  # noqa: BLE001 - a worker that dies silently would be waited for forever
                done.put((name, False, error))

    threads = [
        threading.Thread(target=worker, name=f"flowforge-{number}", daemon=True)
        for number in range(min(jobs, max(len(parents), 1)))
    ]
    for thread in threads:
        thread.start()

    running: set[str] = set()
    settled: set[str] = set()
    blocked: dict[str, str] = {}
    accepting = True
    stopped = False
    cancelled_at: float | None = None
    try:
        while True:
            while accepting and not stop.is_set() and ready and len(running) < jobs:
                _, _, name = heapq.heappop(ready)
                running.add(name)
                todo.put(name)
            if stop.is_set() and not stopped:
                stopped, cancelled_at = True, 0.0
                cancel()
            if not running:
                break
            try:
                name, ok, error = done.get(timeout=_POLL)
            except queue.Empty:
                if cancelled_at is not None:
                    cancelled_at += _POLL
                    cancel()  # a statement may have begun just after the first call
                    if stop.is_set() and cancelled_at >= patience:
                        break
                continue
            if error is not None:
                raise error
            running.discard(name)
            settled.add(name)
            yield Finished(name, ok)
            if ok:
                for child in children[name]:
                    missing[child] -= 1
                    if not missing[child] and child not in blocked:
                        heapq.heappush(ready, (-priority[child], order[child], child))
                continue
            blockade = [name]
            while blockade:
                for child in children[blockade.pop()]:
                    if child not in blocked:
                        blocked[child] = name
                        blockade.append(child)
            if policy is not FailPolicy.KEEP_GOING:
                accepting = False
            if policy is FailPolicy.FAIL_FAST and cancelled_at is None:
                cancel()
                cancelled_at = 0.0
    finally:
        for _ in threads:
            todo.put(None)
    for name in parents:
        if name not in settled:
            yield NotRun(name, blocked.get(name))
