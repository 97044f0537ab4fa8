"""Each check runs when the last table that it reads is about to be published, and nothing waits for itself."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from flowforge.graph.dag import Dag
from flowforge.project.manifest import CheckDecl, CheckTable
from flowforge.run.check_order import order_checks
from flowforge.run.plan import Plan
from flowforge.values import Location


def check(id_: str, node: str | None, *reads: str | None) -> CheckDecl:
    tables = tuple(CheckTable(str(name), str(name), name) for name in reads)
    return CheckDecl(id_, "t", node or "elsewhere", None, Location("x.yml"), node=node, reads=tables)


def planned(dag: Dag, *names: str) -> Plan:
    step: Any = None
    chosen = list(names or dag.names)
    return Plan(dict.fromkeys(chosen, step), {name: dag.subgraph(chosen).parents_of(name) for name in chosen})


CHAIN = Dag.build({"a": [], "b": ["a"], "c": ["b"], "lone": []})


def test_a_check_of_one_table_belongs_to_its_node() -> None:
    order = order_checks(
        [check("one", "b"), check("none", None), check("not planned", "lone")], planned(CHAIN, "a", "b"), CHAIN
    )
    assert order.homes == {"one": "b"}
    assert order.plan.parents == {"a": (), "b": ("a",)}


def test_a_check_of_what_was_built_before_belongs_to_its_own_node() -> None:
    order = order_checks([check("up", "c", "a")], planned(CHAIN), CHAIN)
    assert order.homes == {"up": "c"}


def test_a_check_of_what_is_built_later_waits_for_that() -> None:
    order = order_checks([check("down", "a", "c")], planned(CHAIN), CHAIN)
    assert order.homes == {"down": "c"}


def test_its_own_node_waits_for_strangers() -> None:
    order = order_checks([check("aside", "a", "lone"), check("back", "lone", "a")], planned(CHAIN), CHAIN)
    assert order.homes == {"aside": "a", "back": "a"}  # the second may not close a circle
    assert order.plan.parents["a"] == ("lone",)
    assert order.plan.parents["lone"] == ()


def test_tables_of_others_and_unplanned_nodes_keep_nobody_waiting() -> None:
    order = order_checks([check("x", "b", None, "lone")], planned(CHAIN, "a", "b"), CHAIN)
    assert order.homes == {"x": "b"}
    assert order.plan.parents["b"] == ("a",)


def test_an_ephemeral_model_stands_for_what_it_reads() -> None:
    order = order_checks([check("x", "lone", "b")], planned(CHAIN, "a", "c", "lone"), CHAIN, {"b"})
    assert order.plan.parents["lone"] == ("a",)


NAMES = [f"n{index}" for index in range(7)]


@st.composite
def graphs(draw: st.DrawFn) -> Dag:
    return Dag.build(
        {
            name: draw(st.lists(st.sampled_from(NAMES[:index]), unique=True, max_size=2)) if index else []
            for index, name in enumerate(NAMES)
        }
    )


TABLES = st.none() | st.sampled_from(NAMES)


@given(
    dag=graphs(),
    drawn=st.lists(st.tuples(TABLES, st.lists(TABLES, max_size=3)), max_size=6),
    left_out=st.sets(st.sampled_from(NAMES), max_size=3),
)
def test_every_order_works(dag: Dag, drawn: list[tuple[str | None, list[str | None]]], left_out: set[str]) -> None:
    plan = planned(dag, *(name for name in NAMES if name not in left_out))
    checks = [check(str(index), node, *reads) for index, (node, reads) in enumerate(drawn)]
    order = order_checks(checks, plan, dag)
    after = Dag.build(order.plan.parents)
    assert after.order()
    for one in checks:
        read = {name for name in (one.node, *(table.node for table in one.reads)) if name in plan.steps}
        home = order.homes.get(one.id)
        assert (home is None) == (not read)
        if home is not None:
            assert home in read
            assert read - {home} <= after.ancestors([home])
