"""Faults of FlowForge's predecessor in what it says: one test for each, named after what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Place

PYTHON = "from flowforge import model\n\n\n@model(deps=[], name={name!r})\ndef build():\n    return {{}}\n"


def test_a_ref_means_a_model_with_and_without_its_suffix(place: Place) -> None:
    place.write(
        {
            "models/a.ff.sql": "select 1 as x",
            "models/b.ff.sql": "select x from {{ ref('a') }}",
            "models/c.ff.sql": "select x from {{ ref('a.ff') }}",
        }
    )
    assert place.statuses("run") == {"a": "success", "b": "success", "c": "success"}


def test_a_missing_ref_has_its_place_and_a_suggestion(place: Place) -> None:
    place.write({"models/orders.ff.sql": "select 1 as x", "models/b.ff.sql": "select x\nfrom {{ ref('order') }}"})
    ended = place("run", ok=False)
    ended.told(1, "error[FF1203]", "models/b.ff.sql:2:", "did you mean 'orders'?")


def test_a_ref_in_a_comment_is_no_dependency(place: Place) -> None:
    place.write(
        {"models/a.ff.sql": "-- {{ ref('gone') }}\n{# {{ ref('lost') }} #}\nselect 1 as x /* {{ ref('away') }} */"}
    )
    assert place.statuses("run") == {"a": "success"}


@pytest.mark.parametrize("command", ["run", "compile", "dag", "ls", "validate"])
@pytest.mark.parametrize("names", [("first", "second"), ("first",)], ids=["two", "itself"])
def test_a_cycle_names_its_models_in_a_few_lines_and_fails(place: Place, command: str, names: tuple[str, ...]) -> None:
    for name, read in zip(names, (*names[1:], names[0]), strict=True):
        place.write({f"models/{name}.ff.sql": f"select * from {{{{ ref('{read}') }}}}"})
    place(command, ok=False).told(1, "error[FF1204]", *names)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"sources.yml": "crm: [\n"}, ("FF1002", "sources.yml:")),
        ({"project.yml": "name: a\nversion: 1\ncolour: red\n"}, ("FF1004", "project.yml:3:1", "colour")),
        ({"models/a.ff.sql": "{{ config(matrialized='view') }} select 1 as x"},
         ("FF1101", "models/a.ff.sql:1:", "materialized")),
        ({"models/m.yml": "version: 1\nmodels: [{name: a, descripton: x}]\n", "models/a.ff.sql": "select 1 as x"},
         ("FF1004", "models/m.yml:2:20", "description")),
    ],
    ids=["syntax", "key", "setting", "property"],
)  # fmt: skip
def test_a_mistake_in_a_file_is_told_with_its_line(place: Place, files: dict[str, str], words: tuple[str, ...]) -> None:
    place.write(files)
    place("run", ok=False).told(1, *words)


@pytest.mark.parametrize(
    ("query", "line"), [("select 1 as x,\n  no_such_column", 2), ("select 1 as x\nform t", 2)], ids=["column", "syntax"]
)
def test_an_error_of_the_engine_names_the_line_of_the_model(place: Place, query: str, line: int) -> None:
    place.write({"models/a.ff.sql": f"{{{{ config(materialized='table') }}}}\n{query}\n"})
    place("run", ok=False).told(1, f"models/a.ff.sql:{line + 1}:")


def test_an_undefined_variable_of_a_template_has_its_line(place: Place) -> None:
    place.write({"models/a.ff.sql": "select 1 as x,\n  {{ no_such_name }} as y"})
    place("run", ok=False).told(1, "models/a.ff.sql:2:", "no_such_name")


def test_a_wrong_key_of_a_unit_test_is_told_with_its_line(place: Place) -> None:
    unit = "model: a\ncases:\n  - name: one\n    inptus: {}\n    expect: {rows: [{x: 1}]}\n"
    place.write({"models/a.ff.sql": "select 1 as x", "tests/unit/a.yml": unit})
    place("utest", ok=False).told(1, "error[FF1004]", "tests/unit/a.yml:4:5", "did you mean 'inputs'?")


def test_two_models_of_one_name_are_both_named_in_a_few_lines(place: Place) -> None:
    place.write({"models/one/a.ff.sql": "select 1 as x", "models/two/a.ff.sql": "select 2 as x"})
    place("run", ok=False).told(1, "error[FF1201]", "models/one/a.ff.sql", "models/two/a.ff.sql")


def test_a_model_in_sql_and_one_in_python_cannot_be_one_relation(place: Place) -> None:
    place.write({"models/a.ff.sql": "select 1 as x", "models/b.ff.py": PYTHON.format(name="a")})
    ended = place("run", ok=False)
    ended.told(1, "models/a.ff.sql", "models/b.ff.py")
    assert not (place.root / "place.duckdb").exists()


def test_all_failures_are_reported_and_not_the_first_one_only(place: Place) -> None:
    place.write({f"models/{name}.ff.sql": f"select no_{name}" for name in ("one", "two", "three")})
    ended = place("run", "--keep-going", "--jobs", "1", ok=False)
    ended.told(1, *(f"models/{name}.ff.sql:1:" for name in ("one", "two", "three")))
    assert len(ended.errors) == 3


def test_an_unknown_profile_or_folder_is_told(place: Place) -> None:
    place.write({"models/a.ff.sql": "select 1 as x"})
    place("run", "--env", "prod", ok=False).told(1, "error[FF1302]", "'prod'")
    place("run", "elsewhere", ok=False).told(64, "elsewhere")


def test_changed_since_outside_of_a_repository_is_one_short_error(place: Place) -> None:
    place.write({"models/a.ff.sql": "select 1 as x"})
    ended = place("run", "--changed-since", "HEAD", ok=False)
    ended.told(ended.code, "git")
    assert ended.code in (1, 64)
    assert "usage:" not in ended.err.casefold()


def test_a_password_is_in_no_message(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracebacks with local variables showed what stood in the environment."""
    monkeypatch.setenv("FF_PG_DSN", "postgresql://me:hunter2@127.0.0.1:1/none")
    monkeypatch.setenv("FF_SECRET_TOKEN", "swordfish")
    monkeypatch.setenv("FLOWFORGE_TRACE", "1")
    place.write(
        {
            "profiles.yml": "dev: {engine: postgres, postgres: {connect_timeout: 1}}\n",
            "models/a.ff.sql": "select '{{ env('FF_SECRET_TOKEN') }}' as x from nowhere",
        }
    )
    from flowforge.cli.main import run

    place._capfd.readouterr()
    assert run(["run"]) == 1
    said = "".join(place._capfd.readouterr())
    assert said.strip()
    assert "hunter2" not in said
    assert "swordfish" not in said
