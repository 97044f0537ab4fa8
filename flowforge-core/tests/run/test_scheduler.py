from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.run.scheduler import FailPolicy, Finished, NotRun, Stop, critical_paths, expected_cost, schedule

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

    outcomes = play({"stuck": (), "next": ("stuck",)}, work, stop=stop, cancel=lambda: calls.append(1), patience=0.4)
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


def test_expected_costs_are_durations_and_unknown_nodes_are_usual_ones() -> None:
    cost = expected_cost({"a": 1.0, "b": 7.0, "c": 100.0})
    assert [cost(name) for name in ("a", "b", "c", "new")] == [1.0, 7.0, 100.0, 7.0]
    assert expected_cost({})("new") == 1.0


def test_what_takes_long_by_experience_starts_first() -> None:
    parents: Parents = {"quick": (), "after": ("quick",), "long": ()}
    begun: list[str] = []
    costs = expected_cost({"quick": 0.1, "after": 0.1, "long": 60.0})
    list(
        schedule(
            parents,
            lambda name: not begun.append(name),
            jobs=1,
            policy=FailPolicy.KEEP_GOING,
            stop=Stop(),
            cancel=lambda: None,
            cost=costs,
        )
    )
    assert begun == ["long", "quick", "after"]


def test_blocked_nodes_are_told_at_once_and_not_at_the_end() -> None:
    told = threading.Event()

    def work(name: str) -> bool:
        if name == "slow":
            assert told.wait(5)
        return name != "bad"

    outcomes = []
    for outcome in schedule(
        {"bad": (), "slow": (), "child": ("bad",), "grandchild": ("child",)},
        work,
        jobs=2,
        policy=FailPolicy.KEEP_GOING,
        stop=Stop(),
        cancel=lambda: None,
    ):
        outcomes.append(outcome)
        if outcome == NotRun("grandchild", "bad"):
            told.set()
    assert outcomes == [
        Finished("bad", False),
        NotRun("child", "bad"),
        NotRun("grandchild", "bad"),
        Finished("slow", True),
    ]


class FakeStatement:
    """A statement that runs until it is cancelled; cancelling it does nothing while it does not run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = False
        self._cancelled = threading.Event()
        self.attempts = 0
        self.tried = threading.Event()

    def run(self) -> bool:
        """True when it was cancelled."""
        with self._lock:
            self._runs = True
        return self._cancelled.wait(10)

    def cancel(self) -> None:
        with self._lock:
            self.attempts += 1
            if self._runs:
                self._cancelled.set()
        self.tried.set()


@pytest.mark.parametrize("policy", [FailPolicy.FINISH_RUNNING, FailPolicy.FAIL_FAST])
def test_a_cancel_between_two_statements_is_not_the_last_one(policy: FailPolicy) -> None:
    stop, statement, waits = Stop(), FakeStatement(), threading.Event()

    def work(name: str) -> bool:
        if name == "bad":
            assert waits.wait(5)
            if policy is FailPolicy.FINISH_RUNNING:
                stop.set(2)
            return policy is FailPolicy.FINISH_RUNNING
        waits.set()
        assert statement.tried.wait(5)  # the first cancel comes while nothing runs ...
        assert statement.run()  # ... such as just before a wait for a lock
        return False

    outcomes = play({"bad": (), "between": ()}, work, jobs=2, policy=policy, stop=stop, cancel=statement.cancel)
    assert {outcome.name for outcome in outcomes if isinstance(outcome, Finished)} == {"bad", "between"}
    assert statement.attempts >= 2


def test_a_stop_is_obeyed_while_other_nodes_keep_ending() -> None:
    stop, statement = Stop(), FakeStatement()
    go = threading.Event()

    def work(name: str) -> bool:
        if name == "stuck":
            assert statement.tried.wait(5)
            return not statement.run()
        if name == "first":
            stop.set(15)
            return True
        go.wait(0.05 * int(name))
        return True

    parents: Parents = {"stuck": (), "first": (), **{str(number): () for number in range(6)}}
    outcomes = play(parents, work, jobs=8, stop=stop, cancel=statement.cancel)
    assert Finished("stuck", False) in outcomes


def test_a_cancel_that_hangs_keeps_nobody_and_one_that_raises_is_tried_again() -> None:
    stop, forever = Stop(), threading.Event()

    def work(name: str) -> bool:
        stop.set(15)
        forever.wait(30)
        return True

    outcomes = play({"stuck": ()}, work, stop=stop, cancel=lambda: bool(forever.wait(30)) and None, patience=0.2)
    assert outcomes == [NotRun("stuck", None)]
    forever.set()

    statement, calls = FakeStatement(), []

    def cancel() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("the server hung up")
        statement.cancel()

    def other(name: str) -> bool:
        again.set(2)
        return not statement.run()

    again = Stop()
    assert play({"a": ()}, other, stop=again, cancel=cancel) == [Finished("a", False)]


def test_when_all_have_ended_nothing_is_cancelled_any_more() -> None:
    calls: list[int] = []
    play({"bad": ()}, lambda name: False, policy=FailPolicy.FAIL_FAST, cancel=lambda: calls.append(1))
    for thread in threading.enumerate():
        if thread.name == "flowforge-cancel":
            thread.join(5)
            assert not thread.is_alive()


def test_a_caller_who_leaves_leaves_nothing_running() -> None:
    statement, begun = FakeStatement(), threading.Event()

    def work(name: str) -> bool:
        if name == "quick":
            return begun.wait(5)
        begun.set()
        return not statement.run()

    outcomes = schedule(
        {"quick": (), "slow": ()},
        work,
        jobs=2,
        policy=FailPolicy.KEEP_GOING,
        stop=Stop(),
        cancel=statement.cancel,
    )
    assert next(outcomes) == Finished("quick", True)
    outcomes.close()  # type: ignore[attr-defined]
    assert statement.attempts >= 1
    assert statement._cancelled.is_set()


def test_a_defect_cancels_the_others_before_it_is_raised() -> None:
    statement, begun = FakeStatement(), threading.Event()
    ended: list[str] = []

    def work(name: str) -> bool:
        if name == "defect":
            assert begun.wait(5)
            raise RuntimeError("no")
        begun.set()
        statement.run()
        ended.append(name)
        return False

    with pytest.raises(RuntimeError):
        play({"defect": (), "other": ()}, work, jobs=2, cancel=statement.cancel)
    assert ended == ["other"]


@settings(max_examples=60, deadline=None)
@given(dags(), st.integers(1, 4), st.sampled_from([FailPolicy.FINISH_RUNNING, FailPolicy.FAIL_FAST]), st.data())
def test_after_a_failure_nothing_starts_that_had_not_started(
    parents: Parents, jobs: int, policy: FailPolicy, data: st.DataObject
) -> None:
    failing = data.draw(st.sampled_from(sorted(parents)))
    lock, started, after = threading.Lock(), list[str](), list[str]()
    heard = threading.Event()

    def work(name: str) -> bool:
        with lock:
            started.append(name)
            if heard.is_set():
                after.append(name)
        return name != failing

    outcomes = []
    for outcome in schedule(parents, work, jobs=jobs, policy=policy, stop=Stop(), cancel=lambda: None):
        outcomes.append(outcome)
        if outcome == Finished(failing, False):
            with lock:
                heard.set()
    finished = {outcome.name: outcome.ok for outcome in outcomes if isinstance(outcome, Finished)}
    assert sorted(finished) == sorted(started)
    assert len(set(started)) == len(started)
    assert {name for name, ok in finished.items() if not ok} == {failing}
    assert len(after) < jobs  # only those that a worker had in hand already
    blocked = {outcome.name for outcome in outcomes if isinstance(outcome, NotRun) and outcome.blocked_by == failing}
    assert blocked == below(parents, failing)
    stopped = {outcome.name for outcome in outcomes if outcome == NotRun(outcome.name, None)}
    assert stopped == set(parents) - set(finished) - blocked
    assert len(outcomes) == len(parents)


def test_no_worker_outlives_the_schedule() -> None:
    before = set(threading.enumerate())
    names = [str(number) for number in range(40)]
    for _ in range(5):
        list(
            schedule(
                dict.fromkeys(names, ()),
                lambda name: True,
                jobs=8,
                policy=FailPolicy.KEEP_GOING,
                stop=Stop(),
                cancel=lambda: None,
            )
        )
        assert set(threading.enumerate()) <= before
