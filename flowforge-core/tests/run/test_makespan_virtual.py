"""The scheduler on a clock that only moves when everybody works or nobody can: exact makespans, and no sleeping."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.run.scheduler import FailPolicy, Finished, NotRun, Stop, critical_paths, schedule

Parents = dict[str, tuple[str, ...]]
Costs = dict[str, int]


class VirtualTime:
    """Lets nodes end one after the other, in the order of their virtual ends, and checks every round of starts."""

    def __init__(
        self,
        parents: Parents,
        costs: Costs,
        jobs: int,
        failing: frozenset[str] = frozenset(),
        patience: float = 10.0,
    ) -> None:
        self.parents, self.costs, self.jobs, self.failing = parents, costs, jobs, failing
        self.priority = critical_paths(parents, costs.__getitem__)
        self.now = 0
        self.started: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.complaints: list[str] = []
        self.over = threading.Event()
        self._patience = patience
        self._running: dict[str, threading.Event] = {}
        self._told: set[str] = set()
        self._changed = threading.Condition()

    def work(self, name: str) -> bool:
        """What the scheduler calls."""
        ends = threading.Event()
        with self._changed:
            if name in self.started:
                self.complaints.append(f"{name} runs twice")
            if not all(parent in self.ended and parent not in self.failing for parent in self.parents[name]):
                self.complaints.append(f"{name} runs before its parents are done")
            self.started[name] = self.now
            self._running[name] = ends
            if len(self._running) > self.jobs:
                self.complaints.append(f"{sorted(self._running)} run at once")
            self._changed.notify_all()
        while not self.over.is_set() and not ends.wait(0.05):
            pass
        return name not in self.failing

    def told(self, name: str) -> None:
        """The scheduler has noticed the end of a node, and has started what it could."""
        with self._changed:
            self._told.add(name)
            self._changed.notify_all()

    def _could_run(self) -> set[str]:
        return {
            name
            for name, above in self.parents.items()
            if name not in self.ended and all(one in self.ended and one not in self.failing for one in above)
        }

    def drive(self) -> None:
        """Move the clock until nothing can run any more. On a thread of its own."""
        known: set[str] = set()
        while True:
            with self._changed:
                could = self._could_run()
                if not could:
                    return
                expected = min(self.jobs, len(could))

                def is_settled(expected: int = expected) -> bool:
                    return len(self._running) >= expected and self.ended.keys() <= self._told

                if not self._changed.wait_for(is_settled, timeout=self._patience):
                    self.complaints.append(f"{expected} could run, {sorted(self._running)} do")
                fresh, waiting = set(self._running) - known, could - set(self._running)
                if fresh and waiting:
                    shortest = min(self.priority[name] for name in fresh)
                    if shortest < max(self.priority[name] for name in waiting):
                        self.complaints.append(f"{sorted(fresh)} started before {sorted(waiting)}")
                if self.complaints:
                    self.over.set()
                    return
                name = min(self._running, key=lambda one: (self.started[one] + self.costs[one], one))
                self.now = self.started[name] + self.costs[name]
                self.ended[name] = self.now
                known = set(self._running) - {name}
                self._running.pop(name).set()


def play(
    parents: Parents, costs: Costs, jobs: int, failing: frozenset[str] = frozenset()
) -> tuple[VirtualTime, list[Finished | NotRun]]:
    time = VirtualTime(parents, costs, jobs, failing)
    driver = threading.Thread(target=time.drive, daemon=True)
    driver.start()
    outcomes = []
    for outcome in schedule(
        parents,
        time.work,
        jobs=jobs,
        policy=FailPolicy.KEEP_GOING,
        stop=Stop(),
        cancel=lambda: None,
        cost=costs.__getitem__,
    ):
        outcomes.append(outcome)
        time.told(outcome.name)
    driver.join(30)
    assert time.complaints == []
    return time, outcomes


@st.composite
def problems(draw: st.DrawFn) -> tuple[Parents, Costs]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 25)))]
    parents = {
        name: tuple(sorted(draw(st.sets(st.sampled_from(names[:index]), max_size=3)))) if index else ()
        for index, name in enumerate(names)
    }
    return parents, {name: draw(st.integers(1, 20)) for name in names}


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(1, 6))
def test_no_worker_idles_while_a_node_could_run_and_the_makespan_is_bounded(
    problem: tuple[Parents, Costs], jobs: int
) -> None:
    parents, costs = problem
    time, outcomes = play(parents, costs, jobs)
    assert sorted(outcome.name for outcome in outcomes) == sorted(parents)
    assert all(isinstance(outcome, Finished) and outcome.ok for outcome in outcomes)
    total, longest = sum(costs.values()), max(time.priority.values())
    assert max(longest, total / jobs) <= time.now <= total / jobs + (1 - 1 / jobs) * longest + 1e-9


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(1, 4), st.data())
def test_keep_going_runs_exactly_what_no_failure_stands_above(
    problem: tuple[Parents, Costs], jobs: int, data: st.DataObject
) -> None:
    parents, costs = problem
    failing = frozenset(data.draw(st.sets(st.sampled_from(sorted(parents)), max_size=3)))
    hidden: set[str] = set()
    for name, above in parents.items():  # parents stand before their children
        if any(one in hidden or one in failing for one in above):
            hidden.add(name)
    time, outcomes = play(parents, costs, jobs, failing)
    assert {outcome.name for outcome in outcomes if isinstance(outcome, NotRun)} == hidden
    assert set(time.started) == set(parents) - hidden
    assert {one.name for one in outcomes if isinstance(one, Finished) and not one.ok} == failing - hidden
    assert all(one.blocked_by in failing for one in outcomes if isinstance(one, NotRun))


@pytest.mark.parametrize("jobs", [1, 2, 4, 8])
def test_a_long_node_starts_before_the_short_ones_that_are_ready_too(jobs: int) -> None:
    parents: Parents = {f"short{number}": () for number in range(30)} | {"long": ()}
    costs = {**dict.fromkeys(parents, 1), "long": 10}
    time, _ = play(parents, costs, jobs)
    assert time.started["long"] == 0
    assert time.now == max(10, -(-40 // jobs))


@pytest.mark.parametrize(
    ("real_jobs", "claimed_jobs", "cost", "complaint"),
    [
        (2, 3, 1.0, "3 could run"),
        (1, 1, -1.0, "started before"),
    ],
)
def test_the_checks_of_this_file_can_fail(real_jobs: int, claimed_jobs: int, cost: float, complaint: str) -> None:
    parents: Parents = {f"n{number}": () for number in range(10)}
    costs = {name: number + 1 for number, name in enumerate(parents)}
    time = VirtualTime(parents, costs, claimed_jobs, patience=0.5)
    driver = threading.Thread(target=time.drive, daemon=True)
    driver.start()
    for _ in schedule(
        parents,
        time.work,
        jobs=real_jobs,
        policy=FailPolicy.KEEP_GOING,
        stop=Stop(),
        cancel=lambda: None,
        cost=lambda name: cost * costs[name],
    ):
        pass
    driver.join(30)
    assert complaint in " ".join(time.complaints)


def test_other_wrong_starts_are_noticed_too() -> None:
    time = VirtualTime({"a": (), "b": ("a",)}, {"a": 1, "b": 1}, jobs=1)
    time.over.set()  # nodes end at once
    for name in ("a", "b", "b"):
        time.work(name)
    assert time.complaints == [
        "b runs before its parents are done",
        "['a', 'b'] run at once",
        "b runs twice",
        "b runs before its parents are done",
        "['a', 'b'] run at once",
    ]
