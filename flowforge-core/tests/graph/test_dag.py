"""The graph against brute force, and at depths that would break a recursive walk."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.errors import ModelCycleError
from flowforge.graph.dag import Dag, check_cycles
from flowforge.values import Location

Parents = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = True) -> Parents:
    """Random graphs; names are drawn apart from the order, so that sorting by name is no topological order by luck."""
    size = draw(st.integers(0, 9))
    names = draw(st.permutations([f"m{index}" for index in range(size)]))
    parents: Parents = {}
    for index, name in enumerate(names):
        allowed = names[:index] if acyclic else names
        parents[name] = draw(st.lists(st.sampled_from(allowed), max_size=4)) if allowed else []
    return parents


def reachable(parents: Mapping[str, list[str]], start: str, depth: int) -> set[str]:
    """Everything within *depth* edges above *start*, the slow and obvious way."""
    if depth == 0:
        return set()
    found = set(parents[start])
    for parent in parents[start]:
        found |= reachable(parents, parent, depth - 1)
    return found


def flipped(parents: Parents) -> Parents:
    return {name: [child for child in parents if name in parents[child]] for name in parents}


def here(name: str) -> Location:
    return Location(f"models/{name}.ff.sql")


@given(graphs())
def test_order_puts_each_node_after_its_parents(parents: Parents) -> None:
    order = Dag.build(parents).order()
    assert sorted(order) == sorted(parents)
    for name, above in parents.items():
        assert all(order.index(parent) < order.index(name) for parent in above)


@given(graphs(), st.randoms())
def test_order_depends_on_the_graph_alone(parents: Parents, random: object) -> None:
    names = list(parents)
    random.shuffle(names)  # type: ignore[attr-defined]
    same = {name: parents[name][::-1] + parents[name] for name in names}
    assert Dag.build(same).order() == Dag.build(parents).order()
    assert Dag.build(same) == Dag.build(parents)


def test_order_takes_the_smallest_name_that_is_ready() -> None:
    assert Dag.build({"c": [], "b": ["c"], "a": ["c"], "d": []}).order() == ("c", "a", "b", "d")


@given(graphs())
def test_levels_stand_right_below_the_deepest_parent(parents: Parents) -> None:
    levels = Dag.build(parents).levels()
    level = {name: depth for depth, names in enumerate(levels) for name in names}
    assert all(list(names) == sorted(names) for names in levels)
    assert level == {name: max((level[parent] + 1 for parent in above), default=0) for name, above in parents.items()}


@given(graphs(), st.data())
def test_neighbourhoods_match_brute_force(parents: Parents, data: st.DataObject) -> None:
    dag = Dag.build(parents)
    names = data.draw(st.lists(st.sampled_from(sorted(parents)), max_size=3)) if parents else []
    depth = data.draw(st.none() | st.integers(0, 4))
    steps = 9 if depth is None else depth
    assert dag.ancestors(names, depth) == set().union(*(reachable(parents, name, steps) for name in names))
    below = flipped(parents)
    assert dag.descendants(names, depth) == set().union(*(reachable(below, name, steps) for name in names))
    for name in names:
        assert dag.parents_of(name) == tuple(sorted(set(parents[name])))
        assert dag.children_of(name) == tuple(sorted(below[name]))


@given(graphs(), st.data())
def test_a_subgraph_keeps_who_waits_for_whom(parents: Parents, data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(parents)))) if parents else set()
    dag = Dag.build(parents)
    part = dag.subgraph(kept)
    assert set(part.names) == kept
    for name in kept:
        assert part.ancestors([name]) == dag.ancestors([name]) & kept
        direct = set(parents[name]) & kept
        assert direct <= set(part.parents_of(name))
        for bridge in set(part.parents_of(name)) - direct:
            others = set(part.parents_of(name)) - {bridge}
            assert bridge not in part.ancestors(others), "an edge that says nothing new"


def test_a_subgraph_bridges_left_out_nodes() -> None:
    dag = Dag.build({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]})
    assert dag.subgraph(["a", "d"]).parents_of("d") == ("a",)
    assert dag.subgraph(["a", "c"]).parents_of("c") == ("a",)
    assert dag.subgraph(["b", "d"]).parents_of("d") == ("b",)


def test_a_left_out_hub_of_layers_costs_no_edge_for_each_pair() -> None:
    layers = [[f"{layer}_{index:04}" for index in range(500)] for layer in "abcd"]
    parents: Parents = {name: [] for name in layers[0]}
    for hub, (above, below) in zip("xyz", pairwise(layers), strict=True):
        parents[hub] = above
        parents |= {name: [hub] for name in below}
    kept = [*layers[0][:1], *layers[1][:1], *layers[2][:1], *layers[3]]
    part = Dag.build(parents).subgraph(kept)
    assert sum(len(part.parents_of(name)) for name in kept) == 2 + 500
    assert all(part.parents_of(name) == ("c_0000",) for name in layers[3])


def test_a_subgraph_of_strangers_is_refused() -> None:
    with pytest.raises(KeyError, match="b"):
        Dag.build({"a": []}).subgraph(["b"])


@given(graphs(acyclic=False))
def test_a_cycle_is_found_exactly_when_there_is_one(parents: Parents) -> None:
    dag = Dag.build(parents)
    cycle = dag.cycle()
    knotted = {name for name in parents if name in dag.ancestors([name])}
    assert (cycle is not None) == bool(knotted)
    if cycle is None:
        assert len(dag.order()) == len(parents)
        return
    assert cycle[0] == cycle[-1] == min(knotted)
    assert len(set(cycle)) == len(cycle) - 1
    assert all(parent in parents[name] for name, parent in pairwise(cycle))
    for refused in (dag.order, dag.levels):
        with pytest.raises(ModelCycleError):
            refused()


@given(graphs(acyclic=False))
def test_every_knot_is_reported_once(parents: Parents) -> None:
    dag = Dag.build(parents)
    knots = {
        frozenset({name, *(dag.ancestors([name]) & dag.descendants([name]))})
        for name in parents
        if name in dag.ancestors([name])
    }
    errors = list(check_cycles(parents, here))
    assert len(errors) == len(knots)
    assert [error.location for error in errors] == [here(min(knot)) for knot in sorted(knots, key=min)]


def test_a_cycle_is_shown_with_arrows_and_files() -> None:
    (error,) = check_cycles({"c": ["b"], "b": ["a"], "a": ["c"], "free": ["a"]}, here)
    assert error.code == "FF1204"
    assert error.message.endswith(": a -> c -> b -> a")
    assert error.notes == (
        "a (models/a.ff.sql) refers to c",
        "c (models/c.ff.sql) refers to b",
        "b (models/b.ff.sql) refers to a",
    )
    assert error.help


def test_a_reference_to_itself_is_a_cycle() -> None:
    (error,) = check_cycles({"a": ["a"]}, here)
    assert error.message == "a depends on itself: a -> a"


def test_the_shorter_of_two_cycles_is_shown() -> None:
    assert Dag.build({"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}).cycle() == ["a", "d", "a"]


def test_independent_cycles_are_all_reported_and_unknown_parents_ignored() -> None:
    parents = {"a": ["b"], "b": ["a", "nowhere"], "x": ["y"], "y": ["x"], "z": ["z"]}
    assert [error.message.partition(": ")[2] for error in check_cycles(parents, here)] == [
        "a -> b -> a",
        "x -> y -> x",
        "z -> z",
    ]


def test_a_long_cycle_fits_on_a_screen() -> None:
    names = [f"n{index:05}" for index in range(10_000)]
    (error,) = check_cycles({name: [names[index - 1]] for index, name in enumerate(names)}, here)
    assert len(error.notes) <= 10
    assert len(error.message) < 300
    assert error.message.startswith("models depend on each other in a circle: n00000 -> n09999 -> ")
    assert error.message.endswith(" -> n00000")


def test_an_unknown_parent_is_refused() -> None:
    with pytest.raises(ValueError, match="'b', a parent of 'a', is no node"):
        Dag.build({"a": ["b"]})


def test_a_chain_of_ten_thousand_needs_no_stack() -> None:
    names = [f"n{index:05}" for index in range(10_000)]
    dag = Dag.build({name: [names[index - 1]] if index else [] for index, name in enumerate(names)})
    assert dag.order() == tuple(names)
    assert len(dag.levels()) == 10_000
    assert len(dag.ancestors([names[-1]])) == len(dag.descendants([names[0]])) == 9_999
    assert dag.subgraph([names[0], names[-1]]).parents_of(names[-1]) == (names[0],)
    assert dag.cycle() is None


def test_a_graph_cannot_be_changed() -> None:
    parents = {"a": [], "b": ["a"]}
    dag = Dag.build(parents)
    parents["b"].append("b")
    parents["c"] = []
    assert dag.order() == ("a", "b")
    with pytest.raises(AttributeError):
        dag._parents = {}  # type: ignore[misc]
