"""Macros of a project: known in all models, a part of the graph, and blamed at their own lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError, ProjectErrors

Load = Callable[[Mapping[str, str]], Project]
CENTS = "{# money #}\n{% macro cents(column) %}cast({{ column }} / 100.0 as decimal(18, 2)){% endmacro %}\n"
ALL = (
    "{%- macro all_of(a, b) -%}\n"
    "select * from {{ ref('a') }} union all select * from {{ ref('b') }} where {{ limit() }}\n"
    "{%- endmacro -%}\n"
)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes and loads a project; it needs no engine."""

    def loader(files: Mapping[str, str]) -> Project:
        base = {
            "project.yml": "name: demo\nversion: 1\nvars: {top: 7}\n",
            "profiles.yml": "dev: {engine: duckdb, duckdb: {path: ':memory:'}}\n",
            "models/a.ff.sql": "select 1 as x",
            "models/b.ff.sql": "select 2 as x",
        }
        for path, text in {**base, **files}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, "utf-8")
        return Project.load(tmp_path, environ={})

    return loader


def sql(project: Project, name: str = "m") -> str:
    return " ".join(project.compiler.compile(f"{name}.ff").sql.split())


def problems(load: Load, files: Mapping[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(FlowForgeError) as caught:
        load(files)
    error = caught.value
    return [(one.code, str(one.location)) for one in (error.errors if isinstance(error, ProjectErrors) else (error,))]


def test_a_macro_is_known_everywhere_and_writes_nothing_by_itself(load: Load) -> None:
    project = load(
        {
            "models/macros/money.sql": CENTS,
            "models/macros/deep/more.sql.j2": "\n\n{% set unit = 'EUR' %}\n{% macro named(x) %}{{ cents(x) }} as {{ unit }}{% endmacro %}\n",
            "models/m.ff.sql": "select {{ named('amount') }} from {{ ref('a') }}",
            "models/deep/n.ff.sql": "select {{ cents('v') }} as v",
        }
    )
    assert sql(project) == 'select cast(amount / 100.0 as decimal(18, 2)) as EUR from "main"."a"'
    assert sql(project, "n") == "select cast(v / 100.0 as decimal(18, 2)) as v"
    assert sorted(project.manifest.nodes) == ["a.ff", "b.ff", "m.ff", "n.ff"]
    assert not project.manifest.notes


def test_what_a_macro_refers_to_is_what_its_models_depend_on(load: Load) -> None:
    project = load(
        {
            "models/macros/all.sql": ALL,
            "models/macros/limit.sql": "{% macro limit() %}x < {{ var('top') }}{% endmacro %}",
            "models/m.ff.sql": "{{ all_of(1, 2) }}",
            "models/n.ff.sql": "select 'all_of' as x -- {{ all_of(1, 2) }}\n",
            "models/o.ff.sql": "{% if false %}{{ all_of(1, 2) }}{% endif %}select 1 as x",
        }
    )
    depends = {name: node.depends_on for name, node in project.manifest.nodes.items()}
    assert depends["m.ff"] == ("a.ff", "b.ff")
    assert depends["n.ff"] == ()
    assert depends["o.ff"] == ("a.ff", "b.ff"), "the graph is the union over all branches"
    assert sql(project) == 'select * from "main"."a" union all select * from "main"."b" where x < 7'


def test_macros_of_one_file_may_call_each_other_in_any_order(load: Load) -> None:
    project = load(
        {
            "models/macros/x.sql": "{% macro one() %}{{ two() }}{% endmacro %}{% macro two() %}2{% endmacro %}",
            "models/m.ff.sql": "select {{ one() }} as x",
        }
    )
    assert sql(project) == "select 2 as x"


def test_an_open_quote_in_a_macro_stays_there(load: Load) -> None:
    project = load(
        {
            "models/macros/x.sql": "{% macro quoted() %}'it''s -- {% endmacro %}\n{% macro q() %}/* {% endmacro %}",
            "models/m.ff.sql": "select 1 as x -- {{ nothing }}\n, {{ q() }} */ 2 as y",
        }
    )
    assert sql(project) == "select 1 as x -- {{ nothing }} , /* */ 2 as y"


def test_a_macro_of_ones_own_wins(load: Load) -> None:
    project = load(
        {
            "models/macros/money.sql": CENTS,
            "models/m.ff.sql": "{% macro cents(x) %}{{ x }}{% endmacro %}select {{ cents('v') }} as v",
        }
    )
    assert sql(project) == "select v as v"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"models/macros/a.sql": CENTS, "models/macros/b.sql": CENTS}, [("FF1415", "models/macros/b.sql:2:10")]),
        ({"models/macros/a.sql": "{% macro ref(x) %}{% endmacro %}"}, [("FF1415", "models/macros/a.sql:1:10")]),
        ({"models/macros/a.sql": "select 1"}, [("FF1416", "models/macros/a.sql:1:1")]),
        ({"models/macros/a.sql": "\n{{ 1 }}"}, [("FF1416", "models/macros/a.sql:2:4")]),
        ({"models/macros/a.sql": "{% if x %}{% endif %}"}, [("FF1416", "models/macros/a.sql:1:7")]),
        ({"models/macros/a.sql": "{% macro x( %}"}, [("FF1401", "models/macros/a.sql:1:13")]),
        (
            {"models/macros/a.sql": "{% macro x() %}{% include 'y' %}{% endmacro %}"},
            [("FF1411", "models/macros/a.sql:1:19")],
        ),
        (
            {"models/macros/a.sql": "{% macro x() %}{{ config(alias='y') }}{% endmacro %}"},
            [("FF1416", "models/macros/a.sql:1:19")],
        ),
        (
            {"models/macros/a.sql": "{% macro x() %}{{ ref('nope') }}{% endmacro %}", "models/m.ff.sql": "{{ x() }}"},
            [("FF1203", "models/macros/a.sql:1:24")],
        ),
        (
            {
                "models/macros/a.sql": "{% macro x(y) %}{{ ref(y) }}{% endmacro %}",
                "models/m.ff.sql": "{{ x('a') }}",
                "models/n.ff.sql": "{{ config(deps=['a']) }}{{ x('a') }}",
            },
            [("FF1406", "models/macros/a.sql:1:24")],
        ),
    ],
)
def test_what_is_wrong_has_its_place_in_the_macro(
    load: Load, files: Mapping[str, str], expected: list[tuple[str, str]]
) -> None:
    assert problems(load, files) == expected


@pytest.mark.parametrize(
    ("macro", "model", "code", "place"),
    [
        ("{% macro x() %}\n{{ nothing }}{% endmacro %}", "select {{ x() }}", "FF1410", "models/macros/x.sql:2:4"),
        ("{% macro x() %}\n{{ 1 / 0 }}{% endmacro %}", "select {{ x() }}", "FF1413", "models/macros/x.sql:2:1"),
        ("{% macro x() %}{% endmacro %}\n", "select\n{{ x() + wrong }}", "FF1410", "models/m.ff.sql:2:10"),
        ("{% macro xyz() %}{% endmacro %}\n", "select\n{{ xyy() }}", "FF1410", "models/m.ff.sql:2:4"),
        ("{% macro x() %}{{ x() }}{% endmacro %}", "select\n{{ x() }}", "FF1412", "models/macros/x.sql:1:16"),
        ("{% macro x() %}{{ var('gone') }}{% endmacro %}", "select\n{{ x() }}", "FF1403", "models/macros/x.sql:1:16"),
    ],
)
def test_what_fails_in_a_macro_has_its_place_there(load: Load, macro: str, model: str, code: str, place: str) -> None:
    project = load({"models/macros/x.sql": macro, "models/m.ff.sql": model})
    with pytest.raises(FlowForgeError) as caught:
        project.compiler.compile("m.ff")
    assert (caught.value.code, str(caught.value.location)) == (code, place)


def test_positions_behind_a_macro_are_those_of_the_model(load: Load) -> None:
    project = load(
        {"models/macros/money.sql": CENTS, "models/m.ff.sql": "select 1 as one,\n{{ cents('v') }} as v,\n  wrong as w"}
    )
    compiled = project.compiler.compile("m.ff")
    assert str(compiled.locate(compiled.executable.index("wrong"))) == "models/m.ff.sql:3:3"
    assert str(compiled.locate(compiled.executable.index("cast"))) == "models/m.ff.sql:2:1"
    assert str(compiled.locate(0)) == "models/m.ff.sql:1:1"


PYTHON = """
from decimal import Decimal

from .words import SUFFIX


def shout(text, times=1):
    return text.upper() + SUFFIX * times


def columns():
    return ["a", "b"]


def boom():
    raise ValueError("no")


def _hidden():
    return "x"
"""


def test_functions_of_python_files_are_macros_and_filters(load: Load) -> None:
    project = load(
        {
            "models/macros_py/tools.py": PYTHON,
            "models/macros_py/words.py": "SUFFIX = '!'\n",
            "models/macros/m.sql": "{% macro both(x) %}'{{ shout(x) }}'{% endmacro %}",
            "models/m.ff.sql": "select '{{ shout('a', times=2) }}' as x, {{ both('b') }} as y, '{{ 'c' | shout(0) }}' as z",
            "models/n.ff.sql": "select {% for name in columns() %}1 as {{ name }}{{ ', ' if not loop.last }}{% endfor %}",
        }
    )
    assert sql(project) == "select 'A!!' as x, 'B!' as y, 'C' as z"
    assert sql(project, "n") == "select 1 as a, 1 as b"


def test_python_macros_are_imported_only_when_a_template_needs_them(load: Load) -> None:
    project = load(
        {"models/macros_py/bad.py": "raise SystemExit(3)\n\ndef x():\n    return 1\n", "models/m.ff.sql": "select 1"}
    )
    assert sql(project) == "select 1"
    project = load({"models/m.ff.sql": "select {{ x() }}"})
    with pytest.raises(FlowForgeError) as caught:
        project.compiler.compile("m.ff")
    assert (caught.value.code, str(caught.value.location)) == ("FF1414", "models/macros_py/bad.py:3")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"models/macros_py/a.py": "def x(:\n"}, [("FF1111", "models/macros_py/a.py:1")]),
        ({"models/macros_py/a.py": "def ref(x):\n    pass\n"}, [("FF1415", "models/macros_py/a.py:1")]),
        (
            {"models/macros_py/a.py": "def cents(x):\n    pass\n", "models/macros/m.sql": CENTS},
            [("FF1415", "models/macros_py/a.py:1")],
        ),
    ],
)
def test_what_is_wrong_with_python_macros(
    load: Load, files: Mapping[str, str], expected: list[tuple[str, str]]
) -> None:
    assert problems(load, files) == expected


def test_what_a_python_macro_raises_has_the_place_of_the_call(load: Load) -> None:
    project = load(
        {
            "models/macros_py/tools.py": PYTHON,
            "models/macros_py/words.py": "SUFFIX = '!'\n",
            "models/m.ff.sql": "select\n  {{ boom() }} as x",
        }
    )
    with pytest.raises(FlowForgeError) as caught:
        project.compiler.compile("m.ff")
    assert (caught.value.code, str(caught.value.location)) == ("FF1413", "models/m.ff.sql:2:3")
    assert "ValueError: no" in caught.value.message


@pytest.mark.parametrize("macro", ["return open", "return (lambda: 1)", "return {'a': print}", "return type"])
def test_what_a_python_macro_returns_opens_no_door(load: Load, macro: str) -> None:
    project = load(
        {
            "models/macros_py/t.py": f"def door():\n    {macro}\n",
            "models/m.ff.sql": "select {{ door().__globals__ }}{{ door().__self__ }}",
        }
    )
    with pytest.raises(FlowForgeError) as caught:
        project.compiler.compile("m.ff")
    assert caught.value.code == "FF1411"
