"""Faults of FlowForge's predecessor in what it left standing: one test for each, named after what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Place

PYTHON = """\
import pyarrow as pa
from flowforge import model

K = {value}


@model(deps=[], frame='arrow')
def m():
    return pa.table({{'x': [K]}})
"""
KIND = "select table_type from information_schema.tables where table_name = 'a'"


@pytest.mark.parametrize(("before", "after"), [("view", "table"), ("table", "view")])
def test_a_view_becomes_a_table_and_a_table_a_view(typed_place: Place, before: str, after: str) -> None:
    typed_place.write({"models/a.ff.sql": f"{{{{ config(materialized='{before}') }}}} select 1 as x"})
    typed_place("run")
    typed_place.write({"models/a.ff.sql": f"{{{{ config(materialized='{after}') }}}} select 1 as x"})
    assert typed_place.statuses("run") == {"a": "success"}
    assert typed_place.sql(KIND) == [({"table": "BASE TABLE", "view": "VIEW"}[after],)]
    assert typed_place.statuses("run") == {"a": "cached"}


def test_one_more_row_of_a_seed_reaches_what_reads_it_as_a_source(any_place: Place) -> None:
    any_place.write(
        {
            "seeds/raw.csv": "k\n1\n",
            "sources.yml": "crm: {users: {identifier: raw}}\n",
            "models/n.ff.sql": "select count(*) as n from {{ source('crm', 'users') }}",
        }
    )
    any_place("build")
    any_place.write({"seeds/raw.csv": "k\n1\n2\n"})
    any_place("seed")
    any_place("run")
    assert any_place.sql("select n from n") == [(2,)]


def test_a_constant_of_a_python_model_counts(any_place: Place) -> None:
    any_place.write({"models/m.ff.py": PYTHON.format(value=1)})
    any_place("run")
    any_place.write({"models/m.ff.py": PYTHON.format(value=2)})
    assert any_place.statuses("run") == {"m": "success"}
    assert any_place.sql("select x from m") == [(2,)]


def test_an_incremental_model_is_not_skipped_when_its_source_has_new_rows(any_place: Place) -> None:
    any_place.sql("create table raw as select 1 as k")
    any_place.write(
        {
            "sources.yml": "crm: {raw: {}}\n",
            "models/m.ff.sql": "{{ config(materialized='incremental', unique_key='k') }}"
            " select k from {{ source('crm', 'raw') }}",
        }
    )
    any_place("run")
    assert any_place.statuses("run") == {"m": "success"} or any_place.sql("select count(*) from m") == [(1,)]
    any_place.sql("insert into raw values (2)")
    assert any_place.statuses("run") == {"m": "success"}
    assert any_place.sql("select k from m order by k") == [(1,), (2,)]


def test_a_failing_model_costs_the_others_nothing(any_place: Place) -> None:
    any_place.write({"models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select x from {{ ref('a') }}",
                 "models/bad.ff.sql": "select nothing"})  # fmt: skip
    first = any_place.statuses("run", "--keep-going", ok=False)
    assert first == {"a": "success", "b": "success", "bad": "error"}
    again = any_place.statuses("run", "--keep-going", ok=False)
    assert again == {"a": "cached", "b": "cached", "bad": "error"}


def test_a_config_below_a_comment_counts(typed_place: Place) -> None:
    typed_place.write(
        {"models/a.ff.sql": f"-- {'x' * 2500}\n{{# and #}}\n{{{{ config(materialized='view') }}}} select 1 as x"}
    )
    typed_place("run")
    assert typed_place.sql(KIND) == [("VIEW",)]


def test_models_know_nothing_of_each_others_settings(any_place: Place) -> None:
    """Functions of one model that stayed in the templates of others."""
    for number in range(12):
        grows = number % 2 == 0
        words = "materialized='incremental', unique_key='x'" if grows else "materialized='table'"
        any_place.write(
            {
                f"models/m{number}.ff.sql": f"{{{{ config({words}) }}}} select '{{{{ this.name }}}}' as x, "
                f"{number} as n, {{% if is_incremental() %}}true{{% else %}}false{{% endif %}} as grows"
            }
        )
    for run in (1, 2):
        any_place("run", "--jobs", "8", *(["--rebuild"] if run == 2 else []))
        for number in range(12):
            grows = run == 2 and number % 2 == 0
            assert any_place.sql(f"select * from m{number}") == [(f"m{number}", number, grows)]


def test_a_killed_run_costs_only_what_was_not_finished(place: Place) -> None:
    place.write({"models/a.ff.sql": "select 1 as x", "models/b.ff.sql": "select x from {{ ref('a') }}"})
    killed = place.apart("run", "--jobs", "1", FF_CRASH_AT="publish.staged:2")
    killed.communicate(timeout=120)
    assert killed.returncode == 137
    assert place.statuses("run") == {"a": "cached", "b": "success"}
    assert place.sql("select x from b") == [(1,)]


def test_of_two_runs_at_once_one_is_good_and_the_other_too_or_told_who_is_in_its_way(place: Place) -> None:
    place.write({f"models/m{number}.ff.sql": f"select {number} as x" for number in range(4)})
    runs = [place.apart("run", "--rebuild") for _ in range(2)]
    codes = []
    for process in runs:
        _, err = process.communicate(timeout=240)
        codes.append(process.returncode)
        assert "Traceback" not in err
        if process.returncode:
            assert "error[FF2110]" in err
            assert "is open in another process (pid" in err
            assert err.count("error[") == 1
    assert 0 in codes
    assert [place.sql(f"select x from m{number}") for number in range(4)] == [[(number,)] for number in range(4)]
