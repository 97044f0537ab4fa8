"""What is kept of models between runs: it saves rendering them, and nothing that changes their rows escapes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from flowforge.project.manifest import ModelConfig
from flowforge.run import definition
from flowforge.run.compile import Compiler
from flowforge.run.kept_definitions import FILE

if TYPE_CHECKING:
    from conftest import Site

MACROS = {
    "models/macros/number.sql": "{% macro number() %}{{ other() }}{% endmacro %}\n",
    "models/macros/other.sql": "{% macro other() %}1{% endmacro %}\n",
    "models/macros/idle.sql": "{% macro idle() %}1{% endmacro %}\n",
}


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of models as they are rendered."""
    names: list[str] = []
    real = Compiler.compile

    def compile_(self: Compiler, name: str, **how: Any) -> Any:
        names.append(name.removesuffix(".ff"))
        return real(self, name, **how)

    monkeypatch.setattr(Compiler, "compile", compile_)
    return names


@contextmanager
def only(rendered: list[str], *names: str) -> Iterator[None]:
    """In the block these are rendered, and no others."""
    rendered.clear()
    yield
    assert set(rendered) == set(names)


def small_project(site: Site) -> None:
    for path, text in MACROS.items():
        site.write(path, text)
    site.write("sources.yml", "own:\n  s: {identifier: s}\n")
    site.write("seeds/s.csv", "k\n1\n")
    site.model("plain", "select k from {{ source('own', 's') }}")
    site.model("called", "select k, {{ number() }} as n from {{ ref('plain') }}", materialized="view")
    site.model("asked", "{% if var('x', 1) %}select {{ var('x', 1) }} as x{% else %}select 0 as x{% endif %}")
    site.model("told", "select '{{ env('SITE_E', 'e') }}' as e from {{ ref('called') }}", tags=["t"])
    site.model("inner", "select {{ number() }} + {{ var('y', 0) }} as n", materialized="ephemeral")
    site.model("whole", "select n from {{ ref('inner') }}")
    site.model(
        "grows",
        "select k from {{ ref('plain') }} {% if is_incremental() %}where k > {{ var('z', 0) }}{% endif %}",
        materialized="incremental",
        unique_key="k",
    )


EVERYTHING = ("plain", "called", "asked", "told", "whole", "grows")


def test_nothing_is_rendered_twice(site: Site, rendered: list[str]) -> None:
    small_project(site)
    with only(rendered, *EVERYTHING, "inner"):
        site.run()
    for _ in range(2):
        with only(rendered):
            assert site.built() == set()
    (site.root / ".flowforge" / FILE).unlink()
    with only(rendered, *EVERYTHING, "inner"):
        assert site.built() == set()


@pytest.mark.parametrize(
    ("path", "text", "again", "built"),
    [
        ("models/macros/other.sql", "{% macro other() %}2{% endmacro %}", "called whole", "called told whole"),
        ("models/macros/other.sql", "{% macro other() %}{{ var('x', 2) }}{% endmacro %}", "called whole", None),
        ("models/macros/idle.sql", "{% macro idle() %}2{% endmacro %}", "", ""),
        ("models/macros/more.sql", "{% macro more() %}2{% endmacro %}", " ".join(EVERYTHING), ""),
        ("models/inner.ff.sql", "{{ config(materialized='ephemeral') }} select 3 as n", "whole", "whole"),
        ("models/plain.ff.sql", "select k + 1 as k from {{ source('own', 's') }}", "plain", "plain called told grows"),
        ("models/plain.ff.sql", "select k from {{ source('own', 's') }} -- why", "plain", "plain"),
        ("sources.yml", "own:\n  s: {identifier: t}\n", "plain", "plain called told grows"),
        ("project.yml", "name: site\nversion: 1\nvars: {x: 5}\n", "asked", "asked"),
        ("project.yml", "name: site\nversion: 1\nvars: {y: 5}\n", "whole", "whole"),
        ("project.yml", "name: site\nversion: 1\nvars: {z: 5}\n", "grows", "grows"),
        ("project.yml", "name: site\nversion: 1\nvars: {w: 5}\n", "", ""),
        ("seeds/s.csv", "k\n2\n", "", "s plain called told grows"),
    ],
    ids=[
        *("macro", "asking macro", "idle macro", "new macro", "ephemeral", "query", "comment", "place of a source"),
        *("variable", "variable below", "variable of growth", "other variable", "rows only"),
    ],
)
def test_an_edit_is_seen_where_it_matters(
    site: Site, rendered: list[str], path: str, text: str, again: str, built: str | None
) -> None:
    small_project(site)
    site.run()
    site.sql("create table t as select 9::bigint as k")
    site.write(path, text)
    rendered.clear()
    with site.load() as project:
        planned = {
            name.removesuffix(".ff")
            for name, step in project.plan(command="build").steps.items()
            if step.action.value != "skip"
        }
    changed = {*again.split(), *(["inner"] if "whole" in again else [])}
    assert set(rendered) - planned == changed - planned
    done = site.built()
    assert done == (set(built.split()) if built is not None else {"called", "told", "whole"})
    assert done <= planned
    before = {name: site.rows(name) for name in EVERYTHING}
    (site.root / ".flowforge" / FILE).unlink()
    assert site.built() == set()
    site.run(cache="wo")
    assert before == {name: site.rows(name) for name in EVERYTHING}


def test_a_variable_of_another_type_or_none_at_all(site: Site, rendered: list[str]) -> None:
    site.model("m", "select '{{ var('x', 'none') }}{{ 1 if var('x', 0) is string else 0 }}' as x")
    for given, row in (
        ({}, "none0"),
        ({"x": 1}, "10"),
        ({"x": "1"}, "11"),
        ({"x": True}, "True0"),
        ({"x": None}, "None0"),
    ):
        with only(rendered, "m"):
            assert site.built(vars=given) == {"m"}
        assert site.rows("m") == [(row,)]
        with only(rendered):
            assert site.built(vars=given) == set()


def test_the_environment_counts_where_it_is_read(site: Site, rendered: list[str]) -> None:
    site.model("m", "select '{{ env('SITE_E', 'unset') }}' as x")
    site.model("n", "select 1 as x")
    for environ, row in (({}, "unset"), ({"SITE_E": ""}, ""), ({"SITE_E": "a", "SITE_F": "b"}, "a")):
        site.run(environ=environ)
        assert site.rows("m") == [(row,)]
        with only(rendered):
            assert site.built(environ={**environ, "SITE_G": "c"}) == set()


def test_the_value_of_a_secret_is_nowhere_in_the_file(site: Site, rendered: list[str]) -> None:
    site.model("m", "select length('{{ env('SITE_PASSWORD') }}') as x")
    site.run(environ={"SITE_PASSWORD": "hunter22"})
    assert b"hunter22" not in (site.root / ".flowforge" / FILE).read_bytes()
    with only(rendered):
        assert site.built(environ={"SITE_PASSWORD": "another"}) == set()  # as ever: its name counts


def test_a_schema_or_a_setting_of_the_profile(site: Site, rendered: list[str]) -> None:
    small_project(site)
    site.run()
    profile = (site.root / "profiles.yml").read_text()
    site.write("profiles.yml", profile.replace("path:", "threads: 1, path:"))
    assert site.built() == set()
    site.write("profiles.yml", profile.replace("path:", "schema: other, path:"))
    with only(rendered, *EVERYTHING, "inner"):
        assert site.built() == {"s", *EVERYTHING}
    assert site.rows("other.told") == site.rows("main.told")
    site.write("profiles.yml", profile)
    assert site.built() == set()


def test_profiles_do_not_disturb_each_other(site: Site, rendered: list[str]) -> None:
    small_project(site)
    profile = (site.root / "profiles.yml").read_text()
    site.write("profiles.yml", profile + profile.replace("dev:", "prod:").replace("path:", "schema: prod, path:"))
    for env in ("dev", "prod"):
        site.run(env=env)
    for env in ("dev", "prod"):
        with only(rendered):
            assert site.built(env=env) == set()


def test_a_model_in_another_dialect(site: Site, rendered: list[str]) -> None:
    query = "select 7 / 2 as x"
    site.model("m", query)
    site.run()
    assert site.rows("m") == [(3.5,)]
    site.model("m", query, dialect="postgres")
    with only(rendered, "m"):
        assert site.built() == {"m"}
    assert site.rows("m") == [(3,)]
    with only(rendered):
        assert site.built() == set()
    site.write("project.yml", "name: site\nversion: 1\ndialect: postgres\n")
    site.model("m", query)
    with only(rendered, "m"):
        assert site.built() == set()
    site.write("project.yml", "name: site\nversion: 1\n")
    with only(rendered, "m"):
        assert site.built() == {"m"}


ABOUT = "version: 1\nmodels:\n  - name: {}\n    config: {{{}}}\n"


@pytest.mark.parametrize(
    ("path", "text", "built", "again"),
    [
        ("models/about.yml", ABOUT.format("a", "alias: elsewhere"), "a read grows whole moving", "whole moving"),
        ("models/about.yml", ABOUT.format("read", "materialized: view"), "read whole moving", "whole moving"),
        ("models/about.yml", ABOUT.format("grows", "on_schema_change: fail"), "grows whole moving", "whole moving"),
        ("models/about.yml", ABOUT.format("read", "cache: false"), "read whole moving", "read whole moving"),
        ("models/about.yml", ABOUT.format("moving", "cache: true"), "whole moving", "whole"),
        ("models/about.yml", ABOUT.format("inner", "cache: true"), "whole moving", "moving"),
        ("sources.yml", "others:\n  t: {identifier: u}\n", "outside whole moving", "whole moving"),
    ],
    ids=["place of an input", "kind", "setting", "no cache", "promise", "promise below", "place of a source"],
)
def test_what_is_said_of_a_model_elsewhere(site: Site, path: str, text: str, built: str, again: str) -> None:
    """Its own file stays as it is."""
    site.sql("create table t as select 1 as k", "create table u as select 1 as k")
    site.write("sources.yml", "others:\n  t: {identifier: t}\n")
    site.model("a", "select 1 as x")
    site.model("read", "select x from {{ ref('a') }}")
    site.model("inner", "select x + 0 * random() as x from {{ ref('a') }}", materialized="ephemeral")
    site.model("whole", "select x from {{ ref('inner') }}")
    site.model("moving", "select random() as x")
    site.model("grows", "select x from {{ ref('a') }}", materialized="incremental", unique_key="x")
    site.model("outside", "select k from {{ source('others', 't') }}")
    site.run()
    assert site.built() == {"whole", "moving"}
    site.write(path, text)
    assert site.built() == set(built.split())
    assert site.built() == set(again.split())


@pytest.mark.parametrize("said", ["dialect: postgres", "models:\n  +dialect: postgres"], ids=["project", "folder"])
def test_a_dialect_that_the_folder_says(site: Site, said: str) -> None:
    """The model's own file stays as it is, and there is a translator already."""
    site.model("m", "select 7 / 2 as x")
    site.model("other", "select 1 as x", dialect="postgres")
    site.run()
    site.write("project.yml", f"name: site\nversion: 1\n{said}\n")
    assert site.built() == {"m"}
    assert site.rows("m") == [(3,)]


def test_a_computed_name_that_another_node_takes(site: Site) -> None:
    """What the model depends on stays the same, and is no longer what it asks for."""
    site.model("a", "select 1 as x", alias="b")
    site.model("m", "{% set name = 'b' %}select x from {{ ref(name) }}", deps=["a"])
    site.run()
    site.model("b", "select 2 as x", schema="extra")
    assert {node.node: node.error and node.error.code for node in site.run().nodes}["m.ff"] == "FF1402"


def test_an_engine_whose_rules_are_others(site: Site, rendered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from flowforge_duckdb.dialect import DuckDBDialect

    site.model("m", "select {{ 'a' | sql_literal }} as x")
    site.run()
    literal = DuckDBDialect.literal
    monkeypatch.setattr(DuckDBDialect, "literal", lambda self, value: f"({literal(self, value)})")
    with only(rendered, "m"):
        assert site.built() == {"m"}


def test_what_makes_a_model_volatile_is_remembered_with_its_warning(site: Site, rendered: list[str]) -> None:
    site.model("m", "select random() as x, * from raw_table")
    site.sql("create table raw_table (k bigint)")
    first = site.run()
    rendered.clear()
    second = site.run()
    assert first.notes == second.notes
    assert [(note.code, note.location.line) for note in second.notes] == [("FF2321", 2), ("FF2322", 2)]
    assert second.nodes[0].status.value == "success"
    site.model("m", "select random() as x, * from raw_table", cache=True)
    site.run()
    with only(rendered):
        assert site.built() == set()


def test_a_promise_of_an_ephemeral_model_that_is_taken_back(site: Site) -> None:
    site.model("e", "select random() * 0 as x", materialized="ephemeral", cache=True)
    site.model("m", "select x from {{ ref('e') }}")
    site.run()
    assert site.built() == set()
    site.model("e", "select random() * 0 as x", materialized="ephemeral")
    assert site.built() == {"m"}


@pytest.mark.parametrize(
    "query",
    [
        "select {{ run_query('select max(k) from t')[0][0] if execute else 0 }} as x",
        "select {{ newest() }} as x",
        "select {{ chance() }} as x",
    ],
    ids=["query", "macro that asks", "function"],
)
def test_what_asks_further_is_asked_every_time(site: Site, query: str) -> None:
    site.write(
        "models/macros_py/numbers.py", "import itertools\nN = itertools.count()\ndef chance():\n    return next(N)\n"
    )
    site.write(
        "models/macros/newest.sql",
        "{% macro newest() %}{{ run_query('select max(k) from t')[0][0] if execute else 0 }}{% endmacro %}",
    )
    site.sql("create table t as select 1 as k")
    site.model("m", query)
    site.run()
    site.sql("update t set k = 2")
    if "chance" in query:
        site.write("models/macros_py/numbers.py", "def chance():\n    return 2\n")
    assert site.built() == {"m"}
    assert site.rows("m") == [(2,)]


CODE = "import pyarrow as pa\nfrom flowforge import model\nfrom .lib import K\n\n@model(deps=[], frame='arrow'{})\ndef m():\n    return pa.table({{'x': [K]}})\n"


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of Python models as their code is read for what makes it volatile."""
    names: list[str] = []
    real = definition.python_notes

    def python_notes(node: Any, *given: Any, **more: Any) -> Any:
        names.append(node.short_name)
        return real(node, *given, **more)

    monkeypatch.setattr(definition, "python_notes", python_notes)
    return names


def test_the_code_of_a_python_model_is_read_closely_once(site: Site, judged: list[str]) -> None:
    site.write("models/lib.py", "K = 1\n")
    site.write("models/m.ff.py", CODE.format(""))
    with only(judged, "m"):
        site.run()
    with only(judged):
        assert site.built() == set()
    site.write("models/lib.py", "import time\nK = int(time.time() * 0)\n")
    for _ in range(2):
        result = site.run()
        assert [note.code for note in result.notes] == ["FF2323"]
        assert [node.status.value for node in result.nodes] == ["success"]
    assert judged == ["m"]
    site.write("models/lib.py", "K = 2\n")
    assert site.built() == {"m"}
    assert site.built() == set()


def test_files_that_a_python_model_declares_silence_its_warning(site: Site, judged: list[str]) -> None:
    site.write("models/lib.py", "K = int(open('data/k.txt').read())\n")
    site.write("data/k.txt", "1")
    site.write("models/m.ff.py", CODE.format(""))
    assert [note.code for note in site.run().notes] == ["FF2323"]
    site.write("models/m.ff.py", CODE.format(", inputs=['data/*.txt']"))
    assert site.run().notes == ()
    (site.root / "data/k.txt").rename(site.root / "data/k.csv")
    site.write("models/lib.py", "K = int(open('data/k.csv').read())\n")
    assert [note.code for note in site.run().notes] == ["FF2324", "FF2323"]


def test_code_that_changes_while_it_is_read_is_kept_under_no_name(
    site: Site, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write("models/lib.py", "K = 1\n")
    site.write("models/m.ff.py", CODE.format(""))
    real = definition.contents

    def contents(root: Any, paths: Any) -> Any:
        site.write("models/lib.py", "import time\nK = int(time.time() * 0)\n")
        return real(root, paths)

    monkeypatch.setattr(definition, "contents", contents)
    site.run()
    monkeypatch.setattr(definition, "contents", real)
    site.write("models/lib.py", "K = 1\n")
    with only(judged, "m"):
        site.run()
    assert site.built() == set()


def test_a_name_that_means_another_model(site: Site) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select 2 as x")
    site.model("m", "select x from {{ ref(var('which')) }}", deps=["a", "b"])
    site.run(vars={"which": "a"})
    assert site.built(vars={"which": "b"}) == {"m"}
    assert site.rows("m") == [(2,)]


@pytest.mark.parametrize(("mode", "believed", "kept"), [("rw", 1, 1), ("ro", 1, 0), ("wo", 0, 1), ("off", 0, 0)])
def test_modes_count_here_too(site: Site, rendered: list[str], mode: str, believed: int, kept: int) -> None:
    file = site.root / ".flowforge" / FILE
    site.model("m", "select 1 as x")
    site.run(cache=mode)
    assert file.exists() is bool(kept)
    site.run()
    rendered.clear()
    site.run(cache=mode)
    assert ("m" in rendered) is not bool(believed)


def test_a_plan_keeps_nothing_and_says_what_changed(site: Site, rendered: list[str]) -> None:
    site.model("m", "select 1 as x")
    site.run()
    before = (site.root / ".flowforge" / FILE).read_bytes()
    site.model("m", "select 2 as x")
    for _ in range(2):
        with site.load() as project:
            step = project.plan().steps["m.ff"]
        assert (step.reason, step.details) == (
            "its SQL changed at models/m.ff.sql:2",
            ("models/m.ff.sql:2: - select 1 as x", "models/m.ff.sql:2: + select 2 as x"),
        )
        assert (site.root / ".flowforge" / FILE).read_bytes() == before


def test_a_plan_after_a_run_that_failed_says_what_changed(site: Site, rendered: list[str]) -> None:
    """The run has kept what the model is made from now; the last build was made from something else."""
    site.model("m", "select 1 as x")
    site.run()
    site.model("m", "select no_such_column as x")
    assert not site.run().ok
    with only(rendered, "m"), site.load() as project:
        assert project.plan().steps["m.ff"].reason == "its SQL changed at models/m.ff.sql:2"


def test_selecting_what_is_modified_renders_only_that(site: Site, rendered: list[str]) -> None:
    site.model("a", "select 1 as x")
    site.model("b", "select 1 as x")
    site.run()
    site.model("b", "select 2 as x")
    with only(rendered, "b"), site.load() as project:
        assert [node.short_name for node in project.select("state:modified.body")] == ["b"]


def test_memory_that_was_lost_is_made_good(site: Site) -> None:
    """What runs remember of builds holds texts, which are not kept beside definitions."""
    site.model("m", "select 1 as x")
    site.run()
    (site.root / ".flowforge" / "state.db").unlink()
    assert site.built() == set()
    site.model("m", "select 2 as x")
    with site.load() as project:
        assert project.plan().steps["m.ff"].reason == "its SQL changed at models/m.ff.sql:2"


def test_models_that_are_gone_are_forgotten(site: Site) -> None:
    file = site.root / ".flowforge" / FILE
    site.model("a", "select 1 as x")
    site.model("b", "select 1 as x")
    site.run()
    (site.root / "models/b.ff.sql").unlink()
    assert site.built() == set()
    assert [line.split(b'"')[1] for line in file.read_bytes().splitlines()[1:]] == [b"dev\\na.ff"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-3]),
        lambda file: file.write_bytes(file.read_bytes() + b"\n[1]"),
        lambda file: file.write_bytes(file.read_bytes().replace(b"m.ff", b"n.ff")),
        lambda file: file.write_bytes((file.parent / "parsed.jsonl").read_bytes()),
        lambda file: file.chmod(0),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["empty", "cut", "longer", "changed", "foreign", "closed", "folder"],
)
def test_a_file_that_is_not_as_it_was_written_is_no_file(site: Site, damage: Any) -> None:
    site.model("m", "select random() as x")
    site.run()
    damage(site.root / ".flowforge" / FILE)
    assert [note.code for note in site.run().notes] == ["FF2321"]
    assert site.built() == {"m"}


def test_an_older_file_says_nothing_of_newer_models(site: Site) -> None:
    file = site.root / ".flowforge" / FILE
    site.model("m", "select 1 as x")
    site.run()
    older = file.read_bytes()
    site.model("m", "select 2 as x")
    site.run()
    file.write_bytes(older)
    assert site.built() == set()
    site.model("m", "select 1 as x")
    file.write_bytes(older)
    assert site.built() == {"m"}
    assert site.rows("m") == [(1,)]


def test_two_runs_at_once_leave_the_file_of_one_of_them(site: Site, rendered: list[str]) -> None:
    from flowforge.api.preparation import definer_of
    from flowforge.state.policy import CacheMode

    site.model("a", "select 1 as x")
    site.model("b", "select 1 as x")
    site.run()
    (site.root / ".flowforge" / FILE).unlink()
    with site.load() as one, site.load() as other:
        both = [definer_of(project, CacheMode.RW) for project in (one, other)]
        for definer, name in zip(both, ("a.ff", "b.ff"), strict=True):
            definer.of(name)
        for definer in both:
            definer.save()
    with only(rendered, "a"):
        assert site.built() == set()


def test_another_version_begins_anew(site: Site, rendered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from flowforge.run import kept_definitions

    site.model("m", "select 1 as x")
    site.run()
    monkeypatch.setattr(kept_definitions, "_makers", lambda: b"another")
    with only(rendered, "m"):
        assert site.built() == set()


NOT_COMPILED = {
    # for people and selectors, and whether the node is there at all
    *("tags", "meta", "description", "owner", "group", "enabled", "engines", "env_match", "deps", "timeout"),
    # of models in Python, of windows and of hooks, which have no key
    *("frame", "event_time", "pre_hook", "post_hook"),
    # of checks, which are part of the settings where they put rows aside
    "on_fail",
}
"""Settings that a compiled query does not depend on."""
COMPILED = {
    # part of the key by themselves, and in the relation
    *("dialect", "cache", "materialized", "alias", "schema", "database"),
    # part of the settings in a definition, which are part of the key
    *("incremental", "snapshot", "storage", "partition_by", "cluster_by", "indexes", "grants", "inputs"),
}


def test_nobody_adds_a_setting_without_a_thought_of_what_is_kept() -> None:
    assert {field.name for field in attrs.fields(ModelConfig)} == NOT_COMPILED | COMPILED
