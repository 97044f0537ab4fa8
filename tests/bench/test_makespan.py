"""How close a run of sleeping nodes comes to the best that any scheduler could do. `pytest -s` shows the table."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import attrs
import pytest

from flowforge.run.scheduler import FailPolicy, Finished, Stop, critical_paths, expected_cost, schedule

Parents = dict[str, tuple[str, ...]]

OVERHEAD = 0.005  # seconds a node that the machinery may take
ABOVE_THE_BEST = 1.05

HEADER = "| graph | nodes | jobs | critical path s | total / jobs s | makespan s | over the best | ms a node |"


@attrs.frozen
class Case:
    name: str
    parents: Parents
    costs: dict[str, float]
    jobs: int


def layered(layers: int, width: int, seconds: float) -> tuple[Parents, dict[str, float]]:
    """Every node reads three of the layer above."""
    parents = {
        f"l{layer}_{place}": tuple(f"l{layer - 1}_{(place + step) % width}" for step in range(3)) if layer else ()
        for layer in range(layers)
        for place in range(width)
    }
    return parents, dict.fromkeys(parents, seconds)


def chain_beside_a_long_node() -> tuple[Parents, dict[str, float]]:
    """A chain, one node as long as all of it, and short ones that come first in the plan."""
    parents: Parents = {f"short{number}": () for number in range(20)}
    parents["long"] = ()
    parents |= {f"chain{number}": (f"chain{number - 1}",) if number else () for number in range(20)}
    return parents, {name: 1.0 if name == "long" else 0.05 for name in parents}


def wide(count: int, seconds: float) -> tuple[Parents, dict[str, float]]:
    """Nodes that know nothing of each other."""
    parents: Parents = {f"w{number}": () for number in range(count)}
    return parents, dict.fromkeys(parents, seconds)


def scattered(seed: int, count: int) -> tuple[Parents, dict[str, float]]:
    """A random graph with costs over two orders of magnitude."""
    dice = random.Random(seed)
    parents: Parents = {}
    for number in range(count):
        above = range(max(0, number - 30), number)
        parents[f"r{number}"] = tuple(f"r{one}" for one in dice.sample(above, min(len(above), dice.randrange(3))))
    return parents, {name: dice.choice([0.002, 0.01, 0.05, 0.2]) for name in parents}


CASES = [
    Case("layered 10 x 20", *layered(10, 20, 0.04), jobs=4),
    Case("layered 10 x 20", *layered(10, 20, 0.04), jobs=8),
    Case("chain beside a long node", *chain_beside_a_long_node(), jobs=3),
    Case("chain beside a long node", *chain_beside_a_long_node(), jobs=4),
    Case("200 wide", *wide(200, 0.04), jobs=4),
    Case("200 wide", *wide(200, 0.04), jobs=8),
    *(Case(f"random {seed}", *scattered(seed, 150), jobs=4) for seed in range(1, 4)),
]


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    print("\n\n" + "\n".join([HEADER, "|---" * HEADER.count(" | ") + "|---|", *rows]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}, {case.jobs} jobs")
def test_makespan(case: Case, table: list[str]) -> None:
    total, longest = sum(case.costs.values()), max(critical_paths(case.parents, case.costs.__getitem__).values())
    best = max(longest, total / case.jobs)

    def work(name: str) -> bool:
        time.sleep(case.costs[name])
        return True

    begin = time.perf_counter()
    outcomes = list(
        schedule(
            case.parents,
            work,
            jobs=case.jobs,
            policy=FailPolicy.KEEP_GOING,
            stop=Stop(),
            cancel=lambda: None,
            cost=expected_cost(case.costs),
        )
    )
    took = time.perf_counter() - begin
    count = len(case.parents)
    table.append(
        f"| {case.name} | {count} | {case.jobs} | {longest:.2f} | {total / case.jobs:.2f} | {took:.3f} |"
        f" {took / best:.3f} | {1000 * (took - best) / count:.2f} |"
    )
    assert len(outcomes) == count
    assert all(isinstance(outcome, Finished) and outcome.ok for outcome in outcomes)
    assert took <= ABOVE_THE_BEST * best + OVERHEAD * count


@pytest.mark.parametrize("jobs", [1, 4, 8])
def test_ten_thousand_nodes_that_do_nothing(jobs: int, table: list[str]) -> None:
    parents, _ = layered(100, 100, 0.0)
    lock, ran = threading.Lock(), 0

    def work(name: str) -> bool:
        nonlocal ran
        with lock:
            ran += 1
        return True

    begin = time.perf_counter()
    for _ in schedule(parents, work, jobs=jobs, policy=FailPolicy.KEEP_GOING, stop=Stop(), cancel=lambda: None):
        pass
    took = time.perf_counter() - begin
    table.append(f"| layered 100 x 100, no work | 10000 | {jobs} | 0 | 0 | {took:.3f} | – | {took / 10:.3f} |")
    assert ran == 10_000
    assert took <= 0.001 * 10_000
