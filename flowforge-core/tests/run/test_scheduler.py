from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.run.scheduler import FailPolicy, Finished, NotRun, Stop, critical_paths, schedule

Parents = dict[str, tuple[str, ...]]


def play(
    parents: Parents,
    work: Callable[[str], bool],
    *,
    jobs: int = 3,
    policy: FailPolicy = FailPolicy.FINISH_RUNNING,
    stop: Stop | None = None,
    cancel: Callable[[], None] = lambda: None,
    patience: float = 1.5,
) -> list[Finished | NotRun]:
    return list(
        schedule(parents, work, jobs=jobs, policy=policy, stop=stop or Stop(), cancel=cancel, patience=patience)
    )


@st.composite
def dags(draw: st.DrawFn) -> Parents:
    size = draw(st.integers(1, 12))
    return {
        f"n{index}": tuple(
            sorted(draw(st.sets(st.sampled_from([f"n{above}" for above in range(index)]), max_size=3)) if index else ())
        )
        for index in range(size)
    }


def below(parents: Parents, name: str) -> set[str]:
    found: set[str] = set()
    grown = True
    while grown:
        more = {child for child, above in parents.items() if found & set(above) or name in above} - found
        found |= more
        grown = bool(more)
    return found


@settings(max_examples=60, deadline=None)
@given(dags(), st.integers(1, 4), st.data())
def test_parents_are_done_before_children_start_and_everything_is_accounted_for(
    parents: Parents, jobs: int, data: st.DataObject
) -> None:
    failing = data.draw(st.sets(st.sampled_from(sorted(parents)), max_size=2))
    lock, done, running, most = threading.Lock(), set[str](), set[str](), 0

    def work(name: str) -> bool:
        nonlocal most
        with lock:
            assert set(parents[name]) <= done
            running.add(name)
            most = max(most, len(running))
        with lock:
            running.discard(name)
            if name not in failing:
                done.add(name)
        return name not in failing

    outcomes = play(parents, work, jobs=jobs, policy=FailPolicy.KEEP_GOING)
    assert sorted(outcome.name for outcome in outcomes) == sorted(parents)
    assert most <= jobs
    hidden = {name for bad in failing for name in below(parents, bad)}
    not_run = {outcome.name for outcome in outcomes if isinstance(outcome, NotRun)}
    assert not_run == hidden
    assert done == set(parents) - hidden - failing


def test_the_longest_path_starts_first() -> None:
    parents: Parents = {"short": (), "a": (), "b": ("a",), "c": ("b",)}
    started: list[str] = []
    play(parents, lambda name: not started.append(name), jobs=1)
    assert started == ["a", "b", "short", "c"] or started[0] == "a"
    assert critical_paths(parents, lambda name: 1.0) == {"short": 1.0, "c": 1.0, "b": 2.0, "a": 3.0}


def test_after_a_failure_running_nodes_finish_and_nothing_new_starts() -> None:
    slow_runs, failed = threading.Event(), threading.Event()

    def work(name: str) -> bool:
        if name == "slow":
            slow_runs.set()
            assert failed.wait(5)
            return True
        if name == "bad":
            assert slow_runs.wait(5)
            failed.set()
            return False
        raise AssertionError(f"{name} must not start")

    outcomes = play({"bad": (), "slow": (), "child": ("bad",), "after": ("slow",)}, work, jobs=2)
    assert {outcome.name: type(outcome).__name__ for outcome in outcomes} == {
        "bad": "Finished",
        "slow": "Finished",
        "child": "NotRun",
        "after": "NotRun",
    }
    assert NotRun("child", "bad") in outcomes
    assert NotRun("after", None) in outcomes


def test_fail_fast_cancels_what_runs_and_waits_for_it() -> None:
    slow_runs, cancelled = threading.Event(), threading.Event()

    def work(name: str) -> bool:
        if name == "bad":
            assert slow_runs.wait(5)
            return False
        slow_runs.set()
        assert cancelled.wait(5)
        return False

    outcomes = play({"bad": (), "slow": ()}, work, jobs=2, policy=FailPolicy.FAIL_FAST, cancel=cancelled.set)
    assert all(isinstance(outcome, Finished) for outcome in outcomes)


def test_a_stop_leaves_behind_what_does_not_end() -> None:
    stop, forever, calls = Stop(), threading.Event(), []

    def work(name: str) -> bool:
        stop.set(15)
        forever.wait(30)
        return True

    outcomes = play({"stuck": (), "next": ("stuck",)}, work, stop=stop, cancel=lambda: calls.append(1), patience=0.2)
    forever.set()
    assert [type(outcome) for outcome in outcomes] == [NotRun, NotRun]
    assert calls
    assert stop.signum == 15


def test_a_chain_of_ten_thousand_needs_no_stack() -> None:
    parents: Parents = {f"n{i}": (f"n{i - 1}",) if i else () for i in range(10_000)}
    outcomes = play(parents, lambda name: True, jobs=1)
    assert [outcome.name for outcome in outcomes] == list(parents)


@pytest.mark.parametrize("jobs", [1, 4])
def test_no_worker_is_left_over(jobs: int) -> None:
    before = threading.active_count()
    play({"a": (), "b": ()}, lambda name: True, jobs=jobs)
    for thread in threading.enumerate():
        if thread.name.startswith("flowforge-"):
            thread.join(5)
    assert threading.active_count() <= before


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(0), KeyboardInterrupt()])
def test_what_work_raises_reaches_the_caller_instead_of_being_waited_for(error: BaseException) -> None:
    def work(name: str) -> bool:
        raise error

    with pytest.raises(type(error)) as caught:
        play({"a": (), "b": ("a",)}, work)
    assert caught.value is error
