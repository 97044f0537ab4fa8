"""The selection grammar: each method and operator, each mistake, and whatever else may be typed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.errors import SelectionError, UsageError
from flowforge.graph.dag import Dag
from flowforge.graph.methods import METHODS
from flowforge.graph.select import parse, select
from flowforge.project.manifest import Manifest

Make = Mapping[str, Callable[..., Any]]
ALL = {
    "raw_users", "raw_orders", "stg_users.ff", "stg_orders.ff", "scores", "int_orders.ff", "mart.ff", "lonely.ff",
}  # fmt: skip


@pytest.fixture
def pick(shop: Manifest, make: Make) -> Callable[..., set[str]]:
    dag: Dag = make["dag"](shop)

    def run(*selectors: str, exclude: tuple[str, ...] = ()) -> set[str]:
        names = select(shop, dag, selectors, exclude)
        assert list(names) == [name for name in dag.order() if name in names], "not in topological order"
        return set(names)

    return run


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        # names
        ("mart.ff", "mart.ff"),
        ("mart", "mart.ff"),
        ("orders_mart", "mart.ff"),
        ("scores.ff", "scores"),
        ("name:mart", "mart.ff"),
        ("stg_*", "stg_users.ff stg_orders.ff"),
        ("*_orders", "raw_orders stg_orders.ff int_orders.ff"),
        ("*_orders.ff", "stg_orders.ff int_orders.ff"),
        ("orders_*", "mart.ff"),
        ("stg_use[qr]s", "stg_users.ff"),
        ("s?ores", "scores"),
        ("nothing_*", ""),
        ("STG_*", ""),
        # operators
        ("+scores", "scores stg_users.ff raw_users"),
        ("scores+", "scores mart.ff"),
        ("1+scores", "scores stg_users.ff"),
        ("0+scores+0", "scores"),
        ("2+int_orders+1", "int_orders.ff stg_orders.ff stg_users.ff raw_orders raw_users mart.ff"),
        ("1+int_orders", "int_orders.ff stg_orders.ff stg_users.ff"),
        ("+scores+", "scores stg_users.ff raw_users mart.ff"),
        (
            "@stg_orders",
            "stg_orders.ff int_orders.ff mart.ff scores stg_users.ff raw_users raw_orders",
        ),
        ("@lonely", "lonely.ff"),
        ("99999999999999999999+mart", " ".join(sorted(ALL - {"lonely.ff"}))),
        ("+stg_*", "stg_users.ff stg_orders.ff raw_users raw_orders"),
        # methods
        ("tag:nightly", "stg_users.ff mart.ff"),
        ("tag:night*", "stg_users.ff mart.ff"),
        ("tag:zzz*", ""),
        ("+tag:ml", "scores stg_users.ff raw_users"),
        ("path:models/staging", "stg_users.ff stg_orders.ff"),
        ("path:models/staging/", "stg_users.ff stg_orders.ff"),
        ("path:./models/staging/deep", "stg_orders.ff"),
        ("path:models/staging/stg_users.ff.sql", "stg_users.ff"),
        ("path:models/stag*", "stg_users.ff stg_orders.ff"),
        ("path:models/**/stg_*.sql", "stg_users.ff stg_orders.ff"),
        ("path:models/**/mart.ff.sql", "mart.ff"),
        ("path:.", " ".join(sorted(ALL))),
        ("path:seeds", "raw_users raw_orders"),
        ("models/staging", "stg_users.ff stg_orders.ff"),
        ("models/*/deep/*", "stg_orders.ff"),
        ("kind:python", "scores"),
        ("kind:seed", "raw_users raw_orders"),
        ("type:model", " ".join(sorted(ALL - {"raw_users", "raw_orders"}))),
        ("resource_type:seed", "raw_users raw_orders"),
        ("type:source", ""),
        ("materialized:view", "stg_users.ff stg_orders.ff"),
        ("config.materialized:ephemeral", "int_orders.ff"),
        ("config.materialized:seed", "raw_users raw_orders"),
        ("source:crm", "stg_users.ff stg_orders.ff"),
        ("source:crm.users", "stg_users.ff"),
        ("source:crm.u*", "stg_users.ff"),
        ("source:crm.users+", "stg_users.ff scores int_orders.ff mart.ff"),
        ("source:web.hits", ""),
        ("owner:ada", "stg_orders.ff"),
        ("config.owner:ada", "stg_orders.ff"),
        ("config.schema:gold", "mart.ff"),
        ("config.tags:ml", "scores"),
        ("config.meta.team:data", "scores"),
        ("config.meta.pii:true", "scores"),
        ("config.enabled:true", " ".join(sorted(ALL))),
        ("package:extras", "lonely.ff"),
        ("package:shop", " ".join(sorted(ALL - {"lonely.ff"}))),
        ("package:this,tag:ml", "scores"),
        ("engine:e1", "mart.ff"),
        ("config.engines:e*", "mart.ff"),
        ("fqn:staging", "stg_users.ff stg_orders.ff"),
        ("fqn:shop.staging.deep", "stg_orders.ff"),
        ("fqn:staging.deep.stg_orders", "stg_orders.ff"),
        ("fqn:staging.deep.stg_orders.ff+1", "stg_orders.ff int_orders.ff"),
        ("fqn:extras.*", "lonely.ff"),
        ("fqn:mart", "mart.ff"),
        ("materialized:incremental", ""),
        ("batch", " ".join(sorted(ALL))),
        ("batch,tag:ml", "scores"),
        ("streaming", ""),
        # combinations
        ("tag:nightly,tag:staging", "stg_users.ff"),
        ("tag:nightly,+mart,stg_*", "stg_users.ff"),
        ("scores lonely", "scores lonely.ff"),
        ("  scores   lonely ", "scores lonely.ff"),
        ("tag:mart,tag:ml lonely", "lonely.ff"),
        ("mart mart.ff", "mart.ff"),
    ],
)
def test_what_a_selector_fits(pick: Callable[..., set[str]], selector: str, expected: str) -> None:
    assert pick(selector) == set(expected.split())


def test_nothing_given_takes_everything(pick: Callable[..., set[str]]) -> None:
    assert pick() == ALL


def test_several_selectors_are_a_union(pick: Callable[..., set[str]]) -> None:
    assert pick("scores", "lonely") == pick("scores lonely") == {"scores", "lonely.ff"}


def test_exclude_removes_exactly_what_it_fits(pick: Callable[..., set[str]]) -> None:
    assert pick(exclude=("stg_users",)) == ALL - {"stg_users.ff"}
    assert pick("+mart", exclude=("tag:staging", "+scores")) == {"mart.ff", "int_orders.ff", "raw_orders"}
    assert pick("scores", exclude=("scores+",)) == set()


@pytest.mark.parametrize(
    ("selector", "message", "help_"),
    [
        ("stg_usrs", "no node is called 'stg_usrs'", "did you mean 'stg_users'?"),
        ("+stg_usrs", "no node is called 'stg_usrs'", "did you mean 'stg_users'?"),
        ("qqq", "no node is called 'qqq'", "`flowforge ls` lists all nodes"),
        ("nightly", "no node is called 'nightly'", "nightly is a tag: tag:nightly"),
        ("crm.users", "no node is called 'crm.users'", "crm.users is a source; source:crm.users takes"),
        ("tag:nightli", "no node has the tag 'nightli'", "did you mean 'nightly'?"),
        ("tag:qqq", "no node has the tag 'qqq'", "known here: mart, ml, nightly, staging"),
        ("path:models/stagin", "no node stands under the path 'models/stagin'", "did you mean 'models/staging'?"),
        ("source:crm.user", "no node reads the source 'crm.user'", "did you mean 'crm.users'?"),
        ("owner:bob", "no node has the owner 'bob'", "known here: ada"),
        ("package:extra", "no node comes from the package 'extra'", "did you mean 'extras'?"),
        ("config.meta.team:dat", "no node has config.meta.team 'dat'", "did you mean 'data'?"),
        ("config.meta.nothing:x", "no node has config.meta.nothing 'x'", ""),
        ("staging", "no node is called 'staging'", "staging is a tag: tag:staging"),
        ("deep", "no node is called 'deep'", "models/staging/deep is a folder: path:models/staging/deep"),
        ("engine:e3", "no node is limited to the engine 'e3'", "known here: e1"),
        ("group:nobody", "no node belongs to the group 'nobody'", ""),
        ("fqn:stagin", "no node has the path 'stagin'", "did you mean"),
    ],
)
@pytest.mark.parametrize("exclude", [False, True])
def test_what_stands_nowhere_is_an_error(
    pick: Callable[..., set[str]], selector: str, message: str, help_: str, exclude: bool
) -> None:
    with pytest.raises(SelectionError) as caught:
        pick("scores", exclude=(selector,)) if exclude else pick(selector)
    assert caught.value.code == "FF5002"
    assert caught.value.exit_code == 5
    assert caught.value.message == message
    assert (caught.value.help or "").startswith(help_)


def test_all_unknown_names_are_reported_together(pick: Callable[..., set[str]]) -> None:
    with pytest.raises(SelectionError) as caught:
        pick("stg_usrs scores", "tag:martt", exclude=("lonly",))
    report = "\n".join([caught.value.message, *caught.value.notes])
    assert all(word in report for word in ("'stg_usrs'", "'martt'", "'lonly'", "did you mean 'mart'?"))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("", "FF6402"),
        ("   ", "FF6402"),
        ("+", "FF6402"),
        ("++", "FF6402"),
        ("++scores", "FF6402"),
        ("scores++", "FF6402"),
        ("@", "FF6402"),
        ("@@scores", "FF6402"),
        ("@+scores", "FF6402"),
        ("+@scores", "FF6402"),
        ("@scores+", "FF6402"),
        ("3+", "FF6402"),
        ("scores,", "FF6402"),
        (",scores", "FF6402"),
        ("scores,,mart", "FF6402"),
        (",", "FF6402"),
        ("tag:", "FF6402"),
        ("+tag:+", "FF6402"),
        ("tag.x:ml", "FF6402"),
        ("config.:x", "FF6402"),
        ("config:x", "FF6402"),
        ("state:modified", "FF6403"),
        ("result:error", "FF6403"),
        ("tga:nightly", "FF6403"),
        ("Tag:nightly", "FF6403"),
        ("kind:pyton", "FF6404"),
        ("type:modle", "FF6404"),
        ("materialized:tabel", "FF6404"),
        ("config.materialised:view", "FF6404"),
        ("config.nope.deep:x", "FF6404"),
        ("exposure:dashboard", "FF6403"),
        ("engine.x:e1", "FF6402"),
        ("fqn.x:e1", "FF6402"),
    ],
)
def test_what_cannot_be_read_is_a_wrong_command_line(pick: Callable[..., set[str]], selector: str, code: str) -> None:
    for arguments in ({"selectors": (selector,)}, {"selectors": (), "exclude": (selector,)}):
        with pytest.raises(UsageError) as caught:
            pick(*arguments["selectors"], exclude=arguments.get("exclude", ()))
        assert (caught.value.code, caught.value.exit_code) == (code, 64)
        assert caught.value.help


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["tga:nightly"])
    assert "did you mean tag:?" in (caught.value.help or "")
    assert all(f"{name}:" in (caught.value.help or "") for name in METHODS)


def test_further_methods_can_be_added(shop: Manifest, make: Make) -> None:
    methods = {
        **METHODS,
        "state": lambda manifest, key, value: frozenset({"scores"}) if value == "new" else frozenset(),
    }
    assert select(shop, make["dag"](shop), ["state:new+"], methods=methods) == ("scores", "mart.ff")


# -- whatever is typed ----------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=12), max_size=3))
@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_an_answer_or_a_user_error(shop: Manifest, make: Make, selectors: list[str]) -> None:
    try:
        names = select(shop, make["dag"](shop), selectors)
    except (SelectionError, UsageError):
        return
    assert set(names) <= ALL


@given(st.lists(st.text(alphabet="+@:,.*?[]/123 tagconfigpath\t-", max_size=20), max_size=3))
@settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300
)
def test_near_misses_of_the_grammar_give_an_answer_or_a_user_error(
    shop: Manifest, make: Make, selectors: list[str]
) -> None:
    try:
        names = select(shop, make["dag"](shop), selectors)
    except (SelectionError, UsageError):
        return
    assert set(names) <= ALL


def test_a_hostile_pattern_does_not_hang(shop: Manifest, make: Make) -> None:
    started = time.process_time()
    select(shop, make["dag"](shop), ["*a" * 40 + "b", "tag:" + "*e" * 40])
    select(shop, make["dag"](shop), ["models/" + "**/" * 12 + "zz*"])
    assert time.process_time() - started < 5


def test_a_chain_of_ten_thousand_is_selected(make: Make) -> None:
    names = [f"n{index:05}" for index in range(10_000)]
    manifest = make["manifest"](
        *(make["node"](name, *(names[index - 1 : index] if index else [])) for index, name in enumerate(names))
    )
    assert select(manifest, make["dag"](manifest), ["+n09999"]) == tuple(names)
    assert select(manifest, make["dag"](manifest), ["@n05000"], ["n0[0-4]*"]) == tuple(names[5000:])
