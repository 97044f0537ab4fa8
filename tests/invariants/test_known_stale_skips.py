"""Edits after which other tools left old rows standing: one test for each. What is not named in a run is skipped."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from flowforge.errors import NothingSelectedError

if TYPE_CHECKING:
    from conftest import Site

PYTHON = """\
import pyarrow as pa
from flowforge import model
{imports}

@model(deps=[], frame='arrow')
def m():
    return pa.table({{'x': [{value}]}})
"""


def test_nothing_is_built_twice(site: Site) -> None:
    site.write("seeds/s.csv", "k\n1\n")
    site.model("v", "select k from {{ ref('s') }}", materialized="view")
    site.model("t", "select k from {{ ref('v') }}")
    site.write("models/m.ff.py", PYTHON.format(imports="", value="1"))
    assert site.built() == {"s", "v", "t", "m"}
    assert site.built() == set()
    assert site.built("t") == set()


# -- what a model says


@pytest.mark.parametrize(("before", "after"), [("view", "table"), ("table", "view")])
def test_a_model_that_becomes_a_table_or_a_view(site: Site, before: str, after: str) -> None:
    site.model("a", "select 1 as x", materialized=before)
    site.model("b", "select x from {{ ref('a') }}")
    site.run()
    site.model("a", "select 1 as x", materialized=after)
    assert "a" in site.built()
    ((kind,),) = site.sql("select table_type from information_schema.tables where table_name = 'a'")
    assert kind == {"table": "BASE TABLE", "view": "VIEW"}[after]
    assert site.built() == set()


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_the_constant_of_a_python_model(site: Site, materialized: str) -> None:
    text = PYTHON.replace("frame='arrow'", f"frame='arrow', materialized='{materialized}'")
    site.write("models/m.ff.py", text.format(imports="K = 1", value="K"))
    site.model("b", "select x from {{ ref('m') }}")
    site.run()
    site.write("models/m.ff.py", text.format(imports="K = 2", value="K"))
    assert site.built() == {"m", "b"}
    assert site.rows("m") == site.rows("b") == [(2,)]


@pytest.mark.parametrize(
    ("imports", "edited"),
    [
        ("from .lib import K", "models/lib.py"),
        ("from .between import K", "models/lib.py"),
        ("from .kit import K", "models/kit/part.py"),
        ("from .kit.part import K", "models/kit/__init__.py"),
        ("from . import lib\nK = lib.K", "models/lib.py"),
        ("import importlib\nK = importlib.import_module('.' + 'lib', __package__).K", "models/lib.py"),
        ("def late():\n    from .lib import K\n    return K\nK = late()", "models/lib.py"),
    ],
    ids=["direct", "through another", "package", "init of a package", "module", "dynamic", "late"],
)
def test_a_module_that_a_python_model_imports(site: Site, imports: str, edited: str) -> None:
    site.write("models/lib.py", "K = 1\n")
    site.write("models/between.py", "from .lib import K\n")
    site.write("models/kit/__init__.py", "from .part import K\n")
    site.write("models/kit/part.py", "K = 1\n")
    site.write("models/m.ff.py", PYTHON.format(imports=imports, value="K"))
    site.run()
    assert site.rows("m") == [(1,)]
    assert site.built() == set()
    site.write(edited, "K = 1 + 1\n" if not edited.endswith("__init__.py") else "from . import part\npart.K = 2\n")
    assert site.built() == {"m"}
    assert site.rows("m") == [(2,)]


@pytest.mark.parametrize("where", ["at the top", "when it is called", "of a package"])
def test_a_module_from_a_folder_on_the_path_of_a_process_that_lives_on(
    site: Site, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notebooks and orchestrators run a project more than once; Python keeps what was imported."""
    monkeypatch.syspath_prepend(str(site.root / "lib"))
    imported = "from site_numbers.part import K" if where == "of a package" else "from site_numbers import K"
    edited = "lib/site_numbers/part.py" if where == "of a package" else "lib/site_numbers.py"
    if where == "when it is called":
        imported = f"def late():\n    {imported}\n    return K\n"
    value = "late()" if where == "when it is called" else "K"
    site.write("models/m.ff.py", PYTHON.format(imports=imported, value=value))
    for number in (1, 2, 3):
        site.write(edited, f"K = {number} + {'0' * number}\n")
        assert site.built() == {"m"}
        assert site.rows("m") == [(number,)]
        assert site.built() == set()


def test_two_edits_within_a_second(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytecode would not know them apart: the same size, the same time."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    late = "def late():\n    from .lib import K\n    return K\n"
    site.write("models/m.ff.py", PYTHON.format(imports=late, value="late()"))
    for number in (1, 2):
        site.write("models/lib.py", f"K = {number}\n")
        os.utime(site.root / "models/lib.py", (1_000_000_000, 1_000_000_000))
        if number == 1:
            py_compile.compile(str(site.root / "models/lib.py"), doraise=True)  # by whoever
        assert site.built() == {"m"}
        assert site.rows("m") == [(number,)]


def test_a_module_that_is_imported_from_now_on(site: Site) -> None:
    """The module is added beside one that was found elsewhere before; the model's own file stays as it is."""
    guarded = "try:\n    from .lib import K\nexcept ImportError:\n    K = 1"
    site.write("models/m.ff.py", PYTHON.format(imports=guarded, value="K"))
    site.run()
    assert site.rows("m") == [(1,)]
    site.write("models/lib.py", "K = 2\n")
    assert site.built() == {"m"}
    assert site.rows("m") == [(2,)]


def test_a_file_that_a_python_model_says_it_reads(site: Site) -> None:
    read = "import pathlib\nK = int((pathlib.Path(__file__).parents[1] / 'data/k.txt').read_text())"
    text = PYTHON.replace("frame='arrow'", "frame='arrow', inputs=['data/*.txt']").format(imports=read, value="K")
    site.write("data/k.txt", "1")
    site.write("models/m.ff.py", text)
    site.run()
    assert site.built() == set()
    site.write("data/k.txt", "2")
    assert site.built() == {"m"}
    assert site.rows("m") == [(2,)]


def test_variables_count_where_they_are_used(site: Site) -> None:
    site.model("a", "select {{ var('x') }} as x")
    site.model("b", "select {{ env('SITE_Y') }} as y")
    site.model("c", "select 0 as z")
    site.run(vars={"x": 1}, environ={"SITE_Y": "1"})
    assert site.built(vars={"x": 2}, environ={"SITE_Y": "1"}) == {"a"}
    assert site.built(vars={"x": 2}, environ={"SITE_Y": "2", "SITE_Z": "9"}) == {"b"}
    assert (site.rows("a"), site.rows("b")) == ([(2,)], [(2,)])


@pytest.mark.parametrize("reader", ["sql", "python"])
def test_an_ephemeral_model_has_no_relation_but_its_text_counts(site: Site, reader: str) -> None:
    site.model("e", "select 1 as x", materialized="ephemeral")
    if reader == "sql":
        site.model("m", "select x from {{ ref('e') }}")
    else:
        site.write("models/m.ff.py", PYTHON.format(imports="", value="e['x'][0].as_py()"))
        text = (site.root / "models/m.ff.py").read_text().replace("deps=[]", "deps=['e']").replace("m()", "m(e)")
        site.write("models/m.ff.py", text)
    site.run()
    assert site.built() == set()
    site.model("e", "select 2 as x", materialized="ephemeral")
    assert site.built() == {"m"}
    assert site.rows("m") == [(2,)]


def test_an_ephemeral_model_may_promise_for_its_own_text_only(site: Site) -> None:
    site.model("e", "select random() * 0 as x", materialized="ephemeral", cache=True)
    site.model("between", "select x from {{ ref('e') }}", materialized="ephemeral")
    site.model("read", "select x from {{ ref('between') }}")
    site.model("own", "select x + random() * 0 as x from {{ ref('e') }}")
    site.run()
    assert site.built() == {"own"}
    site.model("e", "select random() * 0 as x", materialized="ephemeral")
    site.run()
    assert site.built() == {"read", "own"}


# -- where a model is written


def test_an_alias_there_and_back(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select x from {{ ref('a') }}")
    site.run()
    site.model("a", "select 2 as x", alias="elsewhere")
    site.run()
    assert site.rows("b") == site.rows("elsewhere") == [(2,)]
    site.model("a", "select 3 as x")
    site.run()
    assert site.rows("a") == site.rows("b") == [(3,)]
    site.model("a", "select 2 as x", alias="elsewhere")
    assert "b" in site.built()
    assert site.rows("b") == [(2,)]


def test_two_models_that_had_each_others_names(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select 2 as x")
    site.model("c", "select x from {{ ref('a') }}")
    site.run()
    site.model("a", "select 2 as x")
    site.model("b", "select 1 as x")
    assert site.built() == {"a", "b", "c"}
    assert (site.rows("a"), site.rows("b"), site.rows("c")) == ([(2,)], [(1,)], [(2,)])


def test_a_model_under_another_name(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select x from {{ ref('a') }}")
    site.run()
    (site.root / "models/a.ff.sql").unlink()
    site.model("n", "select 2 as x", alias="a")
    site.model("b", "select x from {{ ref('n') }}")
    assert site.built() == {"n", "b"}
    assert site.rows("a") == site.rows("b") == [(2,)]


def test_names_that_differ_in_case_are_one_relation(site: Site) -> None:
    site.model("a", "select 1 as x", alias="Thing")
    site.run()
    site.model("a", "select 2 as x", alias="thing")
    assert site.built() == {"a"}
    assert site.rows("THING") == [(2,)]
    assert site.built() == set()
    site.model("a", "select 1 as x", alias="Thing")
    assert site.built() == {"a"}
    assert site.rows("thing") == [(1,)]


def test_two_projects_that_write_one_relation_in_turn(site: Site, other_site: Site) -> None:
    site.model("m", "select 1 as x")
    site.model("below", "select x from {{ ref('m') }}")
    other_site.model("m", "select 2 as x")
    site.run()
    assert other_site.built() == {"m"}
    assert site.built() == {"m", "below"}
    assert site.rows("m") == site.rows("below") == [(1,)]
    assert other_site.built() == {"m"}
    assert site.rows("m") == [(2,)]
    assert site.built("below") == {"below"}
    assert site.rows("below") == [(2,)]


# -- what a model stands on


@pytest.mark.parametrize("read", ["{{ ref('s') }}", "{{ source('own', 's') }}"], ids=["ref", "source"])
def test_a_seed_with_one_more_row(site: Site, read: str) -> None:
    site.write("seeds/s.csv", "k\n1\n")
    site.write("sources.yml", "own:\n  s: {identifier: s}\n")
    site.model("n", f"select count(*) as n from {read}")
    site.run()
    site.write("seeds/s.csv", "k\n1\n2\n")
    assert site.built() == {"s", "n"}
    assert site.rows("n") == [(2,)]


@pytest.mark.parametrize("between", ["table", "view", "ephemeral"])
def test_new_rows_of_a_source(site: Site, between: str) -> None:
    site.sql("create table outside as select unnest([1, 2]) as k")
    site.write("sources.yml", "theirs:\n  outside: {identifier: outside}\n")
    site.model("a", "select * from {{ source('theirs', 'outside') }}", materialized=between)
    site.model("b", "select * from {{ ref('a') }}")
    site.run()
    for change in (
        "insert into outside values (3)",
        "update outside set k = k + 1",
        "delete from outside where k = 2",
        "insert into outside select k from outside",
        "alter table outside add column more integer",
        "create or replace table outside as select 9 as k",
    ):
        site.sql(change)
        assert "b" in site.built(), change
        assert site.rows("b") == site.rows("outside"), change
        assert site.built() == set(), change
    site.sql("insert into outside values (1), (2)")
    site.run()
    site.sql("create or replace table outside as from outside order by all desc")
    assert site.built() == set(), "the same rows in another order"


def test_a_source_that_is_a_view_of_somebody_else(site: Site) -> None:
    site.sql("create table base as select 1 as k", "create view outside as select k from base")
    site.write("sources.yml", "theirs:\n  outside: {identifier: outside}\n")
    site.model("a", "select k from {{ source('theirs', 'outside') }}")
    site.run()
    assert site.built() == set()
    site.sql("update base set k = 2")
    assert site.built() == {"a"}
    assert site.rows("a") == [(2,)]


def test_a_table_that_is_read_without_being_declared(site: Site) -> None:
    site.sql("create table outside as select 1 as k")
    site.model("a", "select k from outside")
    site.model("b", "select k from {{ ref('a') }}")
    site.run()
    assert site.statuses() == {"a": "kept", "b": "cached"}
    site.sql("update outside set k = 2")
    assert site.built() == {"a", "b"}
    assert site.rows("b") == [(2,)]


@pytest.mark.parametrize("chain", [["view"], ["ephemeral"], ["view", "view"], ["ephemeral", "view"]], ids="-".join)
def test_what_stands_between_a_table_and_its_reader_hands_on_what_the_table_is(site: Site, chain: list[str]) -> None:
    """Only the table is built, then only the reader; what is between them is not built at all."""
    site.model("t", "select 1 as x")
    last = "t"
    for number, materialized in enumerate(chain):
        site.model(f"v{number}", f"select x from {{{{ ref('{last}') }}}}", materialized=materialized)
        last = f"v{number}"
    site.model("r", f"select x from {{{{ ref('{last}') }}}}")
    site.run()
    site.model("t", "select 2 as x")
    assert site.built("t") == {"t"}
    assert site.built("r") == {"r"}
    assert site.rows("r") == [(2,)]
    assert "r" not in site.built()


def test_the_view_that_stands_there_is_read_and_not_the_one_in_its_file(site: Site) -> None:
    site.model("v", "select 1 as x", materialized="view")
    site.model("r", "select x from {{ ref('v') }}")
    site.run()
    site.model("v", "select 2 as x", materialized="view")
    site.run("r")
    assert site.rows("r") == [(1,)]
    assert site.built() == {"v", "r"}
    assert site.rows("r") == [(2,)]


def test_a_parent_that_was_built_without_its_reader(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select x from {{ ref('a') }}")
    site.run()
    site.model("a", "select 2 as x")
    site.run("a")
    site.model("a", "select 1 as x")
    site.run("a")
    site.model("a", "select 2 as x")
    site.run("a", cache="ro")
    assert site.built("b") == {"b"}
    assert site.rows("b") == [(2,)]


# -- rows that are the same


def test_equal_rows_spare_the_readers(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select x from {{ ref('a') }}")
    site.run()
    site.model("a", "select 2 - 1 as x")
    assert site.statuses() == {"a": "kept", "b": "cached"}
    assert site.built() == set()


@pytest.mark.parametrize(
    "query",
    [
        "select unnest([1, 1]) as x",
        "select 1::bigint as x",
        "select 1 as y",
        "select 1 as x, null::integer as y",
        "select 1 as x where false",
        "select null::integer as x",
        "select * from (values (1), (2), (2)) as t(x)",
    ],
    ids=["twice", "type", "name", "column", "none", "null", "three"],
)
def test_rows_that_only_look_equal(site: Site, query: str) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select * from {{ ref('a') }}")
    site.run()
    site.model("a", query)
    assert site.statuses() == {"a": "success", "b": "success"}
    assert site.rows("b") == site.rows("a") == site.sql(query)


def test_duplicates_that_stand_in_for_each_other(site: Site) -> None:
    """Equal sets, equal counts, other multiplicities."""
    site.model("a", "select unnest([1, 1, 2]) as x")
    site.model("b", "select x, count(*) as n from {{ ref('a') }} group by x")
    site.run()
    site.model("a", "select unnest([1, 2, 2]) as x")
    site.run()
    assert site.rows("b") == [(1, 1), (2, 2)]


# -- others


@pytest.mark.parametrize(
    "statements",
    [
        ["drop table a"],
        ["drop table a", "create view a as select 9 as x, 9 as y"],
        ["alter table a drop column y"],
        ["alter table a add column z integer"],
        ["alter table a alter x type varchar"],
        ["alter table a rename x to z"],
        ["create or replace table a as select y, x from a"],
    ],
    ids=["drop", "view", "fewer columns", "more columns", "type", "name", "order"],
)
def test_a_table_that_others_changed(site: Site, statements: list[str]) -> None:
    site.model("a", "select 1 as x, 2 as y")
    site.model("b", "select * from {{ ref('a') }}")
    site.run()
    site.sql(*statements)
    assert "a" in site.built()
    assert site.rows("a") == site.rows("b") == [(1, 2)]
    assert site.built() == set()


def test_the_table_under_a_view_of_python_rows(site: Site) -> None:
    text = PYTHON.replace("frame='arrow'", "frame='arrow', materialized='view'").format(imports="", value="1")
    site.write("models/m.ff.py", text)
    site.run()
    site.sql("drop table __ff_py_m")
    assert site.built() == {"m"}
    assert site.rows("m") == [(1,)]


# -- what runs note


def test_after_a_clean_build_nothing_is_modified(site: Site) -> None:
    site.write("seeds/s.csv", "k\n1\n")
    site.model("v", "select k, {{ var('x', 1) }} as x from {{ ref('s') }}", materialized="view", tags=["t"])
    site.model("e", "select k from {{ ref('v') }}", materialized="ephemeral")
    site.model("t", "select k from {{ ref('e') }}")
    site.write("models/m.ff.py", PYTHON.format(imports="", value="1"))
    for _ in range(2):
        site.run()
        with pytest.raises(NothingSelectedError):
            site.run("state:modified")
    site.model("t", "select k + 1 as k from {{ ref('e') }}")
    assert site.built("state:modified") == {"t"}


def test_a_failing_model_costs_the_others_nothing(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select cast('x' as integer) as x from {{ ref('a') }}")
    site.model("c", "select x from {{ ref('b') }}")
    site.model("d", "select x from {{ ref('a') }}")
    assert site.statuses(ok=False) == {"a": "success", "b": "error", "c": "skipped", "d": "success"}
    assert site.statuses(ok=False) == {"a": "cached", "b": "error", "c": "skipped", "d": "cached"}
    site.model("b", "select x from {{ ref('a') }}")
    assert site.built() == {"b", "c"}


def test_a_kill_costs_only_what_was_not_finished(site: Site) -> None:
    for name, read in (("a", "(select 1 as x)"), ("b", "{{ ref('a') }}"), ("c", "{{ ref('b') }}")):
        site.model(name, f"select x from {read} as t")
    site.killed("publish.replaced:2")
    assert site.built() == {"b", "c"}
    site.model("a", "select 2 as x")
    site.killed("publish.committed:1")
    assert site.rows("a") == [(2,)]
    assert site.built() == {"b", "c"}
    assert site.rows("c") == [(2,)]


@pytest.mark.parametrize(
    ("cache", "builds_now", "builds_later"),
    [("off", True, True), ("ro", False, False), ("wo", True, False), ("rw", False, False)],
)
def test_what_each_mode_believes_and_notes(site: Site, cache: str, builds_now: bool, builds_later: bool) -> None:
    site.model("a", "select 1 as x")
    site.run()
    assert site.built(cache=cache) == ({"a"} if builds_now else set())
    assert site.built() == ({"a"} if builds_later else set())
    site.model("a", "select 2 as x")
    assert site.built(cache=cache) == {"a"}
    assert site.built() == ({"a"} if cache in ("off", "ro") else set())
    assert site.rows("a") == [(2,)]


def test_local_state_is_believed_in_nothing(site: Site) -> None:
    state, aside = site.root / ".flowforge", site.root.parent / "aside"
    site.model("a", "select 1 as x")
    site.run()
    shutil.copytree(state, aside)
    site.model("a", "select 2 as x")
    site.run()
    shutil.rmtree(state)
    assert site.built() == set()
    site.model("a", "select 1 as x")
    shutil.rmtree(state)
    shutil.copytree(aside, state)
    assert site.built() == {"a"}
    assert site.rows("a") == [(1,)]


def test_files_that_change_after_the_project_was_loaded(site: Site) -> None:
    """Whatever the run makes of that: the next one must not take it for the new state."""

    def write(number: int) -> None:
        site.write("seeds/s.csv", f"x\n{number}\n")
        site.model("sql", f"select {number} as x")
        site.model("v", f"select {number} as x", materialized="view")
        site.model("view", "select x from {{ ref('v') }}")
        site.model("e", f"select {number} as x", materialized="ephemeral")
        site.model("ephemeral", "select x from {{ ref('e') }}")
        site.model("seed", "select x from {{ ref('s') }}")
        site.write("models/python.ff.py", PYTHON.format(imports=f"K = {number}", value="K"))
        site.write("models/lib.py", f"K = {number}\n")
        site.write("models/helper.ff.py", PYTHON.format(imports="from .lib import K", value="K"))

    def wrong(number: int) -> list[str]:
        names = ["sql", "python", "helper", "seed", "view", "ephemeral"]
        return [name for name in names if site.rows(name) != [(number,)]]

    write(1)
    with site.load() as project:
        write(2)
        assert project.build().ok
    site.run()
    assert wrong(2) == []
    with site.load() as project:
        assert project.build().ok
        write(3)
        assert project.build().ok, "the same project again"
    site.run()
    assert wrong(3) == []
