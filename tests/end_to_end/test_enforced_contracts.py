"""Contracts that are enforced: rows that do not keep them replace nothing, and a cast loses nothing."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.options import RunOptions
from flowforge.run.scheduler import FailPolicy

Read = Callable[[str], list[tuple[Any, ...]]]


def contract(columns: str, enforce: str = "mode: verify", table: str = "a") -> str:
    return f"table: {table}\ncolumns: {columns}\nenforce_schema: {{{enforce}}}\n"


def run(make: Any, files: dict[str, str], *, command: str = "run", **options: Any) -> Any:
    """One run of a project that is written (or changed) and loaded for it."""
    project = make(files)
    result = getattr(project, command)(options=RunOptions(jobs=1, **options))
    project.close()
    return result


def only_error(result: Any) -> FlowForgeError:
    (error,) = result.errors
    assert isinstance(error, FlowForgeError)
    return error


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads rows of the project's database."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(tmp_path / "project" / "demo.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    return rows


def types(read: Read) -> dict[str, str]:
    """The columns of the table under test."""
    return {row[0]: row[1] for row in read("describe a")}


def test_all_differences_are_told_at_once_and_the_table_stays(make: Any, read: Read) -> None:
    good = {"models/a.ff.sql": "select 1 as id, 'x' as name, 2 as other"}
    assert run(make, good).ok
    text = contract(
        "\n  id: {type: bigint}\n  nme: {}\n  other: {physical: text, nullable: false}\n  name: {type: string}",
        "mode: verify, allow_extra_columns: false",
    )
    bad = {
        "models/a.ff.sql": "select 1 as id, 'y' as name, null::int as other, 3 as more",
        "models/a.contracts.yml": text,
    }
    error = only_error(run(make, bad))
    assert (error.code, str(error.location)) == ("FF3063", "models/a.contracts.yml:1:8")
    assert error.notes == (
        "column  contract    found",
        "id      bigint      INTEGER                        models/a.contracts.yml:3:3",
        "nme     any type    missing; did you mean 'name'?  models/a.contracts.yml:4:3",
        "other   text        INTEGER                        models/a.contracts.yml:5:3",
        "other   not null    1 NULL                         models/a.contracts.yml:5:3",
        "more    not listed  there",
    )
    assert read("select * from a") == [(1, "x", 2)]


def test_a_changed_contract_is_a_reason_to_build(make: Any) -> None:
    files = {"models/a.ff.sql": "select 1 as id"}
    first, second, third, fourth = (
        run(make, {**files, "models/a.contracts.yml": contract(columns)})
        for columns in ("{id: {}}", "{id: {}}", "{id: {description: no matter}}", "{id: {type: bigint}}")
    )
    assert [one.nodes[0].status for one in (first, second, third)] == [Status.SUCCESS, Status.CACHED, Status.CACHED]
    assert only_error(fourth).code == "FF3063"


def test_off_only_checks(make: Any) -> None:
    files = {"models/a.ff.sql": "select 1 as id", "models/a.contracts.yml": contract("{id: {type: text}}", "mode: off")}
    assert run(make, files).ok
    built = run(make, files, command="build")
    assert [(one.type, one.status) for one in built.checks] == [("column_type", Status.FAIL)]


def test_a_type_that_nobody_knows_has_a_place(make: Any) -> None:
    files = {"models/a.ff.sql": "select 1 as id", "models/a.contracts.yml": contract("{id: {physical: intt}}")}
    error = only_error(run(make, files))
    assert (error.code, str(error.location)) == ("FF3066", "models/a.contracts.yml:2:11")


SHAPES = {
    "table": {"models/a.ff.sql": "select 1 as id"},
    "view": {"models/a.ff.sql": "{{ config(materialized='view') }} select 1 as id"},
    "incremental": {"models/a.ff.sql": "{{ config(materialized='incremental', unique_key='id') }} select 1 as id"},
    "snapshot": {
        "models/a.ff.sql": "{{ config(materialized='snapshot', strategy='check', check_cols='all', unique_key='id') }} select 1 as id, 2 as v"
    },
    "seed": {"seeds/a.csv": "id\n1\n", "seeds/schema.yml": "columns: {a: {id: integer}}\n"},
    "python": {
        "models/a.ff.py": "import pyarrow as pa\nfrom flowforge import model\n\n\n"
        "@model(materialized='table')\ndef a():\n    return pa.table({'id': pa.array([1], pa.int32())})\n"
    },
    "microbatch": {
        "models/a.ff.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='at',"
        " begin='2024-01-01', batch_size='year') }} select 1 as id, timestamp '2024-06-01' as at"
        " where timestamp '2024-06-01' between '{{ batch.event_time_start }}' and '{{ batch.event_time_end }}'"
    },
}


def quick(shape: str) -> Any:
    """Snapshots and models in Python stand for the others where time is short."""
    return pytest.param(shape, marks=() if shape in ("snapshot", "python") else pytest.mark.full)


@pytest.mark.parametrize("shape", [quick(shape) for shape in sorted(SHAPES)])
def test_every_kind_of_table_is_verified_before_it_is_published(make: Any, read: Read, shape: str) -> None:
    files = {**SHAPES[shape], "models/x.contracts.yml": contract("{id: {type: bigint}}")}
    error = only_error(run(make, files, command="build"))
    assert "FF3063" in (error.code, getattr(error.__cause__, "code", "")) or shape == "microbatch"
    assert "contract" in str(error) or any("contract" in note for note in error.notes)
    assert read("select count(*) from duckdb_tables() where table_name in ('a', '__ff_py_a')") == [(0,)]


@pytest.mark.parametrize("shape", [quick(shape) for shape in sorted(SHAPES)])
def test_every_kind_of_table_is_cast(make: Any, read: Read, shape: str) -> None:
    files = {**SHAPES[shape], "models/x.contracts.yml": contract("{id: {type: bigint}}", "mode: cast")}
    for _ in range(2):
        result = run(make, files, command="build")
        assert result.ok, result.errors
    assert types(read)["id"] == "BIGINT"
    assert read("select distinct id from a") == [(1,)]
    assert read("select table_name from duckdb_tables() where table_name like 'ff\\_\\_%' escape '\\'") == []


@pytest.mark.parametrize("shape", [quick(shape) for shape in ("table", "incremental", "snapshot", "python", "seed")])
def test_what_could_change_a_value_is_tried_first(make: Any, read: Read, shape: str) -> None:
    """An integer becomes a text, which no type promises to keep."""
    files = {**SHAPES[shape], "models/x.contracts.yml": contract("{id: {type: string}}", "mode: cast")}
    assert run(make, files, command="build").ok
    assert types(read)["id"] == "VARCHAR"
    assert read("select distinct id from a") == [("1",)]


LOSSES = [
    ("1.7::double", "integer"),
    ("1.005::decimal(10,3)", "numeric(10,2)"),
    ("'007'", "integer"),
    ("'abc'", "integer"),
    ("3000000000", "integer"),
    ("timestamp '2024-01-01 10:00:00'", "date"),
    ("9007199254740993", "double"),
    ("2", "boolean"),
]


def of_values(values: list[tuple[str, str]]) -> dict[str, str]:
    """One model for each value, and the contract that casts it."""
    files = {}
    for place, (value, type_) in enumerate(values):
        files[f"models/m{place}.ff.sql"] = f"select x, 5 as more from (values (null), ({value})) as t(x)"
        columns = f"{{x: {{type: '{type_}'}}}}"
        files[f"models/m{place}.contracts.yml"] = contract(columns, "mode: cast", f"m{place}")
    return files


def test_a_cast_that_loses_is_an_error(make: Any, read: Read) -> None:
    result = run(make, of_values(LOSSES), policy=FailPolicy.KEEP_GOING)
    assert {(error.code, str(error.location)) for error in result.errors} == {
        ("FF3064", f"models/m{place}.contracts.yml:2:11") for place in range(len(LOSSES))
    }
    assert read("select count(*) from duckdb_tables() where table_name <> '_ff_meta'") == [(0,)]


KEPT = [
    ("2.0::double", "integer", 2),
    ("2.50::decimal(10,2)", "numeric(10,1)", decimal.Decimal("2.5")),
    ("'7'", "integer", 7),
    ("timestamp '2024-01-01 00:00:00'", "date", dt.date(2024, 1, 1)),
    ("1", "boolean", True),
]


def test_a_cast_that_keeps_every_value_is_made(make: Any, read: Read) -> None:
    assert run(make, of_values([(value, type_) for value, type_, _ in KEPT])).ok
    for place, (_, _, kept) in enumerate(KEPT):
        assert read(f"select x, more from m{place} order by x nulls first") == [(None, 5), (kept, 5)]


def test_columns_keep_their_order_and_none_is_dropped(make: Any, read: Read) -> None:
    model = "select 3 as z, 'x' as name, 1 as id, 2.5 as y"
    files = {
        "models/a.ff.sql": model,
        "models/a.contracts.yml": contract("{id: {type: bigint}, name: {}}", "mode: cast"),
    }
    assert run(make, files).ok
    assert list(types(read)) == ["z", "name", "id", "y"]
    assert read("select * from a") == [(3, "x", 1, 2.5)]


def test_a_cast_with_other_columns_than_allowed_is_refused(make: Any) -> None:
    files = {
        "models/a.ff.sql": "select 1 as id, 2 as more",
        "models/a.contracts.yml": contract("{id: {type: bigint}, ghost: {}}", "mode: cast, allow_extra_columns: false"),
    }
    error = only_error(run(make, files))
    assert [note.split()[0] for note in error.notes[1:]] == ["ghost", "more"]


def test_a_view_is_cast_only_where_no_value_can_change(make: Any) -> None:
    view = {"models/a.ff.sql": "{{ config(materialized='view') }} select 1::bigint as id"}
    files = {**view, "models/a.contracts.yml": contract("{id: {type: integer}}", "mode: cast")}
    assert only_error(run(make, files)).code == "FF3065"


def test_a_growing_table_is_verified_as_a_whole(make: Any, read: Read) -> None:
    model = "{{ config(materialized='incremental', unique_key='id', on_schema_change='sync_all_columns') }} select %s"
    enforced = {"models/a.contracts.yml": contract("{id: {}, v: {nullable: false}}")}
    assert run(make, {"models/a.ff.sql": model % "1 as id, 'x' as v", **enforced}).ok
    error = only_error(run(make, {"models/a.ff.sql": model % "2 as id, null::varchar as v", **enforced}))
    assert error.code == "FF3063"
    assert read("select * from a") == [(1, "x")]


def test_new_rows_of_a_growing_table_are_cast(make: Any, read: Read) -> None:
    model = "{{ config(materialized='incremental', unique_key='id') }} select %s as id, %s as v"
    enforced = {"models/a.contracts.yml": contract("{v: {type: double}}", "mode: cast")}
    assert run(make, {"models/a.ff.sql": model % (1, "1.5"), **enforced}).ok
    assert run(make, {"models/a.ff.sql": model % (2, "7"), **enforced}).ok
    assert sorted(read("select * from a")) == [(1, 1.5), (2, 7.0)]


def test_an_error_in_the_model_is_shown_at_its_line(make: Any) -> None:
    for mode in ("verify", "cast"):
        for shape in ("table", "view"):
            model = f"{{{{ config(materialized='{shape}') }}}}\nselect 1 as id,\n  ghost as v\n"
            files = {
                "models/a.ff.sql": model,
                "models/a.contracts.yml": contract("{id: {type: bigint}}", f"mode: {mode}"),
            }
            assert str(only_error(run(make, files)).location) == "models/a.ff.sql:3:3", (mode, shape)
