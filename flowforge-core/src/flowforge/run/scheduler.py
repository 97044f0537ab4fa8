"""Runs the nodes of a DAG on threads, each as soon as its parents are done, longest expected path first."""

from __future__ import annotations

import enum
import heapq
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from flowforge.frozen import frozen

logger = logging.getLogger("flowforge.run")

_POLL = 0.1  # seconds between looks at the stop flag; a signal only sets it
_AGAIN = 0.1  # seconds between two attempts to cancel
_FAREWELL = 0.2  # seconds for the last attempt to come back
_GOODBYE = 2.0  # seconds for workers that have nothing left to do but to end; a busy machine takes its time


class FailPolicy(enum.Enum):
    """What happens to the rest when a node fails."""

    FINISH_RUNNING = "finish running"
    """Nothing new starts, running nodes finish."""
    KEEP_GOING = "keep going"
    """Everything that does not depend on the failure goes on."""
    FAIL_FAST = "fail fast"
    """Nothing new starts, running nodes are cancelled."""


@frozen
class Finished:
    """A node's work is done. *ok* says whether its children may run."""

    name: str
    ok: bool


@frozen
class NotRun:
    """A node was never started, or left behind by a stop.

    *blocked_by* is the failed ancestor, or ``None`` when the run just stopped.
    """

    name: str
    blocked_by: str | None


class Stop:
    """A flag that anyone may raise, also a signal handler; *reason* is the signal's number or ``None``. Thread-safe."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signum: int | None = None

    @property
    def event(self) -> threading.Event:
        """Set when a stop is asked for, to be waited for."""
        return self._event

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


def expected_cost(durations: Mapping[str, float]) -> Callable[[str], float]:
    """How long each node will probably take, from how long it took; unknown ones as the median of the known, or 1."""
    known = sorted(durations.values())
    usual = known[len(known) // 2] if known else 1.0
    return lambda name: durations.get(name, usual)


class _Line:
    """Who may run, who waits, who never will: the bookkeeping of one run. One thread."""

    def __init__(self, parents: Mapping[str, Sequence[str]], cost: Callable[[str], float]) -> None:
        self._order = {name: index for index, name in enumerate(parents)}
        self._priority = critical_paths(parents, cost)
        self._missing = {name: len(above) for name, above in parents.items()}
        self._children: dict[str, list[str]] = {name: [] for name in parents}
        for name, above in parents.items():
            for parent in above:
                self._children[parent].append(name)
        self.blocked: dict[str, str] = {}
        self._ready: list[tuple[float, int, str]] = []
        for name, count in self._missing.items():
            if not count:
                self._enter(name)

    def __bool__(self) -> bool:
        return bool(self._ready)

    def _enter(self, name: str) -> None:
        heapq.heappush(self._ready, (-self._priority[name], self._order[name], name))

    def pop(self) -> str:
        """The ready node with the longest way to go."""
        return heapq.heappop(self._ready)[2]

    def succeeded(self, name: str) -> None:
        """Its children wait for one node less."""
        for child in self._children[name]:
            self._missing[child] -= 1
            if not self._missing[child] and child not in self.blocked:
                self._enter(child)

    def failed(self, name: str) -> list[str]:
        """Everything below that was not blocked before; the order is that of the plan."""
        found, grown = [], [name]
        while grown:
            for child in self._children[grown.pop()]:
                if child not in self.blocked:
                    self.blocked[child] = name
                    found.append(child)
                    grown.append(child)
        return sorted(found, key=self._order.__getitem__)


class _Canceller:
    """Calls *cancel* until everything has ended, on a thread of its own: a call may hang where a server does.

    Once is not enough: a call between two statements, or just before a wait, stops nothing.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; quiet when begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._repeat, name="flowforge-cancel", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Call no more; a call that hangs is left behind."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(_FAREWELL)

    def _repeat(self) -> None:
        while not self._over.is_set():
            try:
                self._cancel()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything, and the next call may succeed
                logger.debug("cannot cancel: %s: %s", type(error).__name__, error)
            self._over.wait(_AGAIN)


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
        Called on worker threads; answers whether the node's children may run. What it raises is raised here, after
        the other nodes were cancelled.
    jobs:
        How many nodes may run at once; at least one.
    stop:
        When it is set, nothing new starts, *cancel* is called, and nodes that do not end within *patience* seconds
        are left behind.
    cancel:
        Stops the statements that run now. Called on a thread of its own, again and again until all nodes have ended.
    cost:
        Expected duration of a node, in any unit.
    patience:
        In seconds.
    """
    line = _Line(parents, cost)
    todo: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, bool, BaseException | None]] = queue.SimpleQueue()

    def worker() -> None:
        while (name := todo.get()) is not None:
            try:
                done.put((name, work(name), None))
            except BaseException as error:  # noqa: BLE001 - a worker that dies silently would be waited for forever
                done.put((name, False, error))

    jobs = max(jobs, 1)
    threads = [
        threading.Thread(target=worker, name=f"flowforge-{number}", daemon=True)
        for number in range(min(jobs, len(parents)))
    ]
    canceller = _Canceller(cancel)
    running: set[str] = set()
    settled: set[str] = set()
    news: list[Finished | NotRun] = []
    accepting = True
    defect: BaseException | None = None
    deadline: float | None = None
    try:
        for thread in threads:
            thread.start()
        while True:
            if deadline is None and (stop.is_set() or defect is not None):
                deadline = time.monotonic() + patience
                accepting = False
                canceller.start()
            while accepting and line and len(running) < jobs:
                name = line.pop()
                running.add(name)
                todo.put(name)
            if news:  # told only now, so that the workers need not wait for the listener
                told, news = news, []
                yield from told
                continue  # the listener may have asked for a stop
            rest = _POLL if deadline is None else min(_POLL, deadline - time.monotonic())
            if not running or rest <= 0:
                break
            try:
                name, ok, error = done.get(timeout=rest)
            except queue.Empty:
                continue
            running.discard(name)
            settled.add(name)
            if error is not None:
                defect = defect or error
                continue
            news.append(Finished(name, ok))
            if ok:
                line.succeeded(name)
                continue
            blocked = line.failed(name)
            settled.update(blocked)
            news += (NotRun(below, name) for below in blocked)
            if policy is not FailPolicy.KEEP_GOING:
                accepting = False
            if policy is FailPolicy.FAIL_FAST:
                canceller.start()
        if defect is not None:
            raise defect
    finally:
        if deadline is None and running:  # the caller has gone, or Ctrl-C came without a handler
            _cancel_all(running, done, canceller, patience)
        canceller.end()
        for _ in threads:
            todo.put(None)
        if not running:
            # A thread that still lives when the program ends keeps what its last call held, and drivers complain.
            goodbye = time.monotonic() + _GOODBYE
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(goodbye - time.monotonic(), 0.0))
    for name in parents:
        if name not in settled:
            yield NotRun(name, None)


def _cancel_all(
    running: set[str],
    done: queue.SimpleQueue[tuple[str, bool, BaseException | None]],
    canceller: _Canceller,
    patience: float,
) -> None:
    """Cancel what runs, and wait for it as long as *patience* (seconds) lasts."""
    canceller.start()
    deadline = time.monotonic() + patience
    while running and (rest := deadline - time.monotonic()) > 0:
        try:
            running.discard(done.get(timeout=rest)[0])
        except queue.Empty:
            return
