"""Sources that are files: what is read, when their readers are built again, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.cli.main import run
from flowforge.errors import ConfigFileError, FlowForgeError, ProjectErrors
from flowforge.events import Status
from flowforge.plugins import load_plugins
from flowforge.run.result import RunResult

duckdb = pytest.importorskip("duckdb")
Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]


def sources(**tables: str) -> str:
    listed = "".join(f"      - {{name: {name}, {keys}}}\n" for name, keys in tables.items())
    return f"version: 1\nsources:\n  - name: lake\n    tables:\n{listed}"


def reading(*tables: str, **config: str) -> Mapping[str, str]:
    """One model for each table, of the same name."""
    said = ", ".join(f"{key}={value!r}" for key, value in config.items())
    head = f"{{{{ config({said}) }}}}\n" if said else ""
    return {
        f"models/m_{table}.ff.sql": f"{head}select * from {{{{ source('lake', '{table}') }}}} as t\n"
        for table in tables
    }


def built(result: RunResult) -> dict[str, bool]:
    """By short name, whether a node was built rather than skipped."""
    assert result.error is None
    assert all(node.status in (Status.SUCCESS, Status.CACHED) for node in result.nodes), result.nodes
    return {node.node.removesuffix(".ff"): node.status is Status.SUCCESS for node in result.nodes}


def write_parquet(path: Path, select: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    literal = str(path).replace("'", "''")
    duckdb.connect().execute(f"COPY ({select}) TO '{literal}' (FORMAT parquet)")


def test_each_format_is_read(make: Make, rows: Rows, tmp_path: Path) -> None:
    root = tmp_path / "project"
    write_parquet(root / "data/p.parquet", "SELECT 1 AS id, 'a' AS v")
    tables = {
        "p": "location: data/p.parquet",
        "c": "location: data/c.csv, options: {types: {zip: VARCHAR}}",
        "s": "location: data/s.txt, format: csv, options: {sep: ';', header: false, names: [id, v], nullstr: [NA, '-']}",
        "t": "location: data/t.tsv",
        "j": "location: data/j.json",
        "l": "location: data/l.jsonl",
    }
    project = make(
        {
            "sources.yml": sources(**tables),
            "data/c.csv": "id,zip\n1,00123\n",
            "data/s.txt": "1;NA\n2;-\n3;x\n",
            "data/t.tsv": "id\tv\n1\ta b\n",
            "data/j.json": '[{"id": 1, "v": {"w": 2}}]',
            "data/l.jsonl": '{"id": 1}\n{"id": 2}\n',
            **reading(*tables),
        }
    )
    assert all(built(project.build()).values())
    assert rows(project, "m_p") == [(1, "a")]
    assert rows(project, "m_c") == [(1, "00123")]
    assert rows(project, "m_s") == [(1, None), (2, None), (3, "x")]
    assert rows(project, "m_t") == [(1, "a b")]
    assert rows(project, "m_j") == [(1, {"w": 2})]
    assert rows(project, "m_l") == [(1,), (2,)]
    assert not any(built(project.build()).values())


@pytest.mark.parametrize("location", ["data/ev", "data/ev/", "data/ev/*.parquet", "data/**/*.parquet"])
def test_a_file_more_or_less_or_changed_is_noticed(make: Make, rows: Rows, tmp_path: Path, location: str) -> None:
    folder = tmp_path / "project" / "data" / "ev"
    write_parquet(folder / "a.parquet", "SELECT 1 AS id")
    project = make({"sources.yml": sources(ev=f"location: '{location}', format: parquet"), **reading("ev")})
    assert built(project.build()) == {"m_ev": True}
    assert built(project.build()) == {"m_ev": False}
    write_parquet(folder / "b.parquet", "SELECT 2 AS id")
    assert built(project.build()) == {"m_ev": True}
    assert rows(project, "m_ev") == [(1,), (2,)]
    write_parquet(folder / "b.parquet", "SELECT 3 AS id")
    assert built(project.build()) == {"m_ev": True}
    (folder / "a.parquet").unlink()
    assert built(project.build()) == {"m_ev": True}
    assert rows(project, "m_ev") == [(3,)]
    assert built(project.build()) == {"m_ev": False}


def test_the_same_size_and_time_hide_no_change(make: Make, rows: Rows, tmp_path: Path) -> None:
    file = tmp_path / "project" / "data" / "c.csv"
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n1\n", **reading("c")})
    project.build()
    before = os.stat(file)
    file.write_text("id\n2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert built(project.build()) == {"m_c": True}
    assert rows(project, "m_c") == [(2,)]


def test_writing_the_same_again_changes_nothing(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "project" / "data" / "c.csv"
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n1\n", **reading("c")})
    project.build()
    file.unlink()
    file.write_text("id\n1\n")
    assert built(project.build()) == {"m_c": False}


def test_readers_behind_views_and_ephemeral_models_notice_too(make: Make, rows: Rows, tmp_path: Path) -> None:
    project = make(
        {
            "sources.yml": sources(c="location: data/c.csv"),
            "data/c.csv": "id\n1\n",
            **reading("c", materialized="view"),
            "models/e.ff.sql": "{{ config(materialized='ephemeral') }}\nselect id + 1 as id from {{ source('lake','c') }}\n",
            "models/over_view.ff.sql": "select * from {{ ref('m_c') }}\n",
            "models/over_text.ff.sql": "select * from {{ ref('e') }}\n",
            "models/py.ff.py": "from flowforge import model\n\n@model(deps=['m_c'])\ndef py(frame):\n    return frame\n",
        }
    )
    assert all(built(project.build()).values())
    assert not any(built(project.build()).values())
    (tmp_path / "project" / "data" / "c.csv").write_text("id\n5\n")
    assert all(built(project.build()).values())
    assert rows(project, "over_view") == rows(project, "py") == [(5,)]
    assert rows(project, "over_text") == [(6,)]


def test_what_it_says_about_reading_is_part_of_the_definition(make: Make, rows: Rows, tmp_path: Path) -> None:
    files = {"data/c.csv": "id;v\n1;2\n", **reading("c")}
    project = make({"sources.yml": sources(c="location: data/c.csv, options: {sep: ';'}"), **files})
    project.build()
    assert rows(project, "m_c") == [(1, 2)]
    project.close()
    again = make({"sources.yml": sources(c="location: data/c.csv, options: {sep: ','}")})
    assert built(again.build()) == {"m_c": True}
    assert rows(again, "m_c") == [("1;2",)]


def test_a_project_that_moved_reads_its_own_files(make: Make, rows: Rows, tmp_path: Path) -> None:
    files = {"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n1\n"}
    project = make({**files, **reading("c", materialized="view")})
    project.build()
    project.close()
    shutil.copytree(tmp_path / "project", tmp_path / "copy")
    (tmp_path / "project/data/c.csv").write_text("id\n9\n")
    copy = make({}, name="copy")
    copy.build()
    assert rows(copy, "m_c") == [(1,)]


@pytest.mark.parametrize(
    "text",
    ["id,v\n1,a\n2\n", "id,v\n1,a\n2,b,c\n", "id,v\n1,'a,b'\n", 'id,v\n1,"a\n', "id,v\n1;a\n"],
    ids=["too few", "too many", "other quotes", "an open quote", "another delimiter"],
)
def test_a_line_that_does_not_fit_is_an_error_and_no_guess(make: Make, text: str, relations: Any) -> None:
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": text, **reading("c")})
    assert project.build().exit_code == 1
    assert "m_c" not in relations(project)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\nx,y\nz,w\n", [("x", "y"), ("z", "w")]),
        ("a,b\n#x,1\nz,3\n", [("#x", 1), ("z", 3)]),
        ("a,b\n01/02/2024,1\n", [("01/02/2024", 1)]),
        ("a,b\n2024-02-01,1\n", [(dt.date(2024, 2, 1), 1)]),
        ('a,b\n"say ""hi"", you",\n', [('say "hi", you', None)]),
        ("a,b\nNA,null\n", [("NA", "null")]),
        ("a,b\n", []),
    ],
)
def test_what_a_csv_file_holds(make: Make, rows: Rows, text: str, expected: list[tuple[Any, ...]]) -> None:
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": text, **reading("c")})
    project.build()
    assert rows(project, "m_c") == expected


def test_no_column_of_a_later_file_is_lost(make: Make, rows: Rows, tmp_path: Path) -> None:
    write_parquet(tmp_path / "project/p/1.parquet", "SELECT 1 AS id")
    write_parquet(tmp_path / "project/p/2.parquet", "SELECT 'x' AS v, 2 AS id")
    project = make(
        {
            "sources.yml": sources(c="location: c/*.csv", p="location: p/*.parquet", j="location: j/*.json"),
            "c/1.csv": "id,v\n1,a\n",
            "c/2.csv": "v,w,id\nb,x,2\n",
            **{f"j/{number:02}.json": json.dumps({"id": number}) for number in range(39)},
            "j/99.json": json.dumps({"id": 99, "late": True}),
            **reading("c", "p", "j"),
        }
    )
    project.build()
    assert rows(project, "m_c") == [(1, "a", None), (2, "b", "x")]
    assert rows(project, "m_p") == [(1, None), (2, "x")]
    assert len(rows(project, "m_j")) == 40
    assert (99, True) in rows(project, "m_j")


HOSTILE = ["wei rd", "quo'te", 'dou"ble', "ümläut", "a;drop table x;--", "per%20cent", "b[r]ack", "st*r", "br{ace}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_awkward_names_of_folders_and_files(make: Make, rows: Rows, tmp_path: Path, name: str) -> None:
    pattern = "".join(f"[{char}]" if char in "[*?" else char for char in name)
    project = make(
        {
            "sources.yml": "version: 1\nsources:\n  - name: lake\n    tables:\n      - name: c\n        location: "
            + json.dumps(f"da ta/{pattern}.csv"),
            f"da ta/{name}.csv": "id\n1\n",
            **reading("c"),
        },
        name=name,
    )
    (tmp_path / "b[r]ack").mkdir(exist_ok=True)
    assert built(project.build()) == {"m_c": True}
    assert rows(project, "m_c") == [(1,)]
    assert built(project.build()) == {"m_c": False}


def test_relative_paths_do_not_count_from_the_working_directory(
    make: Make, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n1\n", **reading("c")})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "c.csv").write_text("id\n666\n")
    monkeypatch.chdir(tmp_path)
    project.build()
    assert rows(project, "m_c") == [(1,)]


def test_a_whole_path_may_lead_anywhere(make: Make, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.csv").write_text("id\n1\n")
    place = json.dumps(str(tmp_path / "elsewhere" / "c.csv"))
    project = make({"sources.yml": sources(c=f"location: {place}"), **reading("c")})
    project.build()
    assert rows(project, "m_c") == [(1,)]


def test_nothing_runs_when_a_file_is_missing(make: Make, tmp_path: Path, relations: Callable[..., Any]) -> None:
    project = make(
        {
            "sources.yml": sources(
                gone="location: data/gone.csv", none="location: 'data/*.parquet'", unread="location: x.csv"
            ),
            "models/first.ff.sql": "select 1 as one\n",
            **reading("gone"),
            "models/e.ff.sql": "{{ config(materialized='ephemeral') }}\nselect * from {{ source('lake', 'none') }}\n",
            "models/over.ff.sql": "select * from {{ ref('e') }}\n",
        }
    )
    for act in (project.build, project.plan):
        with pytest.raises(ProjectErrors) as caught:
            act()
        errors = caught.value.errors
        assert [error.code for error in errors] == ["FF1032", "FF1032"]
        assert ["data/gone.csv" in str(errors[0]), "data/*.parquet" in str(errors[1])] == [True, True]
        assert str(errors[0].location) == "sources.yml:5:22"
    assert "first" not in relations(project)
    assert built(project.run(["first"])) == {"first": True}


@pytest.mark.parametrize(
    ("keys", "code", "words", "help_"),
    [
        ("location: c.csv, options: {delimeter: ','}", "FF1031", "'delimeter'", "did you mean 'delimiter'?"),
        ("location: c.csv, options: {sep: ',', delim: ','}", "FF1031", "means the same", "keep one"),
        ("location: c.csv, options: {header: 'yes); drop table x; --'}", "FF1031", "true or false", ""),
        ("location: c.csv, options: {skip: many}", "FF1031", "a number", ""),
        ("location: c.csv, options: {names: id}", "FF1031", "a list of texts", ""),
        ("location: c.csv, options: {columns: [id]}", "FF1031", "a mapping", ""),
        ("location: c.csv, options: {store_rejects: true}", "FF1031", "'store_rejects'", ""),
        ("location: c.csv, format: parket", "FF1031", "'parket'", "did you mean 'parquet'?"),
        ("location: data/, options: {}", "FF1031", "does not tell the format", "format: parquet"),
        ("location: c.avro", "FF1031", "does not tell the format", "format: parquet"),
    ],
)
def test_what_the_engine_does_not_know(make: Make, keys: str, code: str, words: str, help_: str) -> None:
    project = make({"sources.yml": sources(c=keys), **reading("c")})
    for act in (project.compile, project.validate, project.build):
        with pytest.raises(FlowForgeError) as caught:
            act()
        error = caught.value
        assert error.code == code
        assert words in error.message
        assert help_ in (error.help or "")
        assert str(error.location) == "sources.yml:5:19"


@pytest.mark.parametrize(
    "keys",
    [
        f"location: {'x' * 300}.csv",
        f"location: {'x/' * 3000}y.csv",
        "location: data.csv/a.csv",
        "location: '[.csv'",
        "location: 'data/**'",
        "location: c.csv, options: {sample_size: .inf}",
        "location: c.csv, options: {sep: 2024-01-01}",
        'location: c.csv, options: {sep: "\\0"}',
        "location: c.csv, options: {columns: {}}",
        "location: c.csv, options: {names: []}",
        "location: c.csv, options: {types: {nothing: INTEGER}}",
        "location: c.csv, options: {types: {id: 'INT); DROP TABLE x; --'}}",
    ],
)
def test_nonsense_is_told_and_no_defect(make: Make, keys: str) -> None:
    project = make({"sources.yml": sources(c=keys), "c.csv": "id\n1\n", "data.csv": "id\n1\n", **reading("c")})
    try:
        result = project.build()
    except FlowForgeError as error:
        assert error.exit_code == 1
        return
    assert result.exit_code in (0, 1)
    assert [error.code for error in result.errors if error.code.startswith("FF99")] == []


def test_values_of_options_are_never_sql(make: Make, rows: Rows) -> None:
    hostile = "x'); DROP TABLE keep; --"
    project = make(
        {
            "sources.yml": sources(c=f"location: c.csv, options: {{nullstr: {json.dumps(hostile)}}}"),
            "c.csv": f'id\n"{hostile}"\n1\n',
            "models/keep.ff.sql": "select 1 as one\n",
            **reading("c"),
        }
    )
    project.build()
    assert rows(project, "keep") == [(1,)]
    assert len(rows(project, "m_c")) == 2


def test_no_path_of_the_machine_is_shown_or_compared(make: Make, tmp_path: Path) -> None:
    files = {"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n1\n", **reading("c")}
    one, two = make(files, name="one"), make(files, name="two")
    (compiled,) = one.compile().values()
    assert "'data/c.csv'" in compiled.sql
    assert str(tmp_path) not in compiled.sql + compiled.unrevealed
    assert str(tmp_path / "one" / "data") in compiled.executable
    manifest = one.write_manifest(tmp_path / "one.json")
    assert str(tmp_path) not in manifest.read_text()
    assert not two.compare(state=manifest).changes.closure
    position = compiled.executable.index("as t")
    assert str(compiled.locate(position)) == "models/m_c.ff.sql:1:41"


def test_an_error_behind_the_files_points_to_the_model(make: Make) -> None:
    project = make(
        {
            "sources.yml": sources(c="location: data/c.csv"),
            "data/c.csv": "id\n1\n",
            "models/m.ff.sql": "select t.id\nfrom {{ source('lake', 'c') }} as t\nwhere t.nothing > 0\n",
        }
    )
    result = project.build()
    error = result.nodes[0].error
    assert error is not None
    assert (error.location.path, error.location.line) == ("models/m.ff.sql", 3)


def test_an_engine_without_files_says_what_to_do(make: Make, tmp_path: Path) -> None:
    if "sqlite" not in load_plugins({}).engines:
        pytest.skip("needs an engine that reads no files, without a server")
    profiles = "dev:\n  engine: duckdb\n  sqlite: {path: x.db}\n"
    keys = "location: c.csv, overrides: {sqlite: {identifier: real}}"
    files = {"profiles.yml": profiles, "sources.yml": sources(c="location: c.csv", d=keys), **reading("c", "d")}
    project = make(files, engine="sqlite")
    with pytest.raises(ConfigFileError) as caught:
        project.compile()
    assert caught.value.code == "FF1030"
    assert "'lake.c'" in caught.value.message
    assert "overrides: {sqlite: {identifier: ...}}" in (caught.value.help or "")
    assert "`real`" in project.compile("m_d")["m_d.ff"].sql


def test_compile_shows_the_place_on_the_engine_that_is_named(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    if "sqlite" not in load_plugins({}).engines:
        pytest.skip("needs an engine that reads no files, without a server")
    profiles = "dev:\n  engine: duckdb\n  sqlite: {path: x.db}\n"
    overrides = "overrides: {sqlite: {identifier: people}, any: {dataset: lake}}"
    project = make(
        {"profiles.yml": profiles, "sources.yml": sources(c=f"identifier: users, {overrides}"), **reading("c")}
    )
    project.close()
    for engine, expected in (([], '"lake"."users"'), (["--engine", "sqlite"], "`lake`.`people`")):
        assert run(["compile", str(project.root), *engine]) == 0
        assert expected in capsys.readouterr().out


def test_an_override_for_no_engine_is_a_slip_or_for_another_place(make: Make) -> None:
    make({"sources.yml": sources(c="overrides: {trino: {schema: x}}")})
    with pytest.raises(FlowForgeError) as caught:
        make({"sources.yml": sources(c="overrides: {duckbd: {schema: x}}")})
    assert caught.value.code == "FF4003"
    assert caught.value.help == "did you mean 'duckdb'?"
    assert str(caught.value.location).startswith("sources.yml:5:")


def test_files_in_place_of_a_seed_depend_on_no_seed(make: Make, rows: Rows) -> None:
    files = {"seeds/users.csv": "id\n1\n", "data/users.csv": "id\n2\n", **reading("users")}
    plain = make({"sources.yml": sources(users="overrides: {}"), **files})
    assert plain.manifest.sources["lake.users"].node == "users"
    there = make({"sources.yml": sources(users="overrides: {duckdb: {location: data/users.csv}}"), **files})
    assert there.manifest.sources["lake.users"].node is None
    assert there.manifest.nodes["m_users.ff"].depends_on == ()
    there.build()
    assert rows(there, "m_users") == [(2,)]


def test_checks_on_files(make: Make) -> None:
    project = make(
        {
            "sources.yml": sources(
                c="location: data/c.csv, tests: [{row_count_between: {min_rows: 1}}],"
                " columns: [{name: id, tests: [unique, {not_null: {severity: warn}}]}]"
            ),
            "data/c.csv": "id,v\n1,1\n1,2\n,3\n",
            **reading("c"),
        }
    )
    result = project.test("source:lake.c")
    assert {one.type: one.status.value for one in result.checks} == {
        "row_count_between": "success",
        "unique": "fail",
        "not_null": "warn",
    }
    assert result.exit_code == 2
    assert project.build().exit_code == 2
    with pytest.raises(FlowForgeError):
        project.test("source:lake.x")


def test_the_age_of_files(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = "freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 2, period: day}}"
    column = "freshness: {loaded_at_field: at, warn_after: {count: 1, period: hour}}"
    project = make(
        {
            "sources.yml": sources(
                new=f"location: data/new*.csv, {rule}",
                old=f"location: data/old.csv, {rule}",
                gone=f"location: data/gone.csv, {rule}",
                far=f"location: 's3://bucket/x.csv', {rule}",
                rows=f"location: data/rows.csv, {column}",
            ),
            "data/new1.csv": "id\n1\n",
            "data/new2.csv": "id\n1\n",
            "data/old.csv": "id\n1\n",
            "data/rows.csv": "id,at\n1,2020-01-01 00:00:00\n",
        }
    )
    os.utime(tmp_path / "project/data/old.csv", (1_500_000_000, 1_500_000_000))
    os.utime(tmp_path / "project/data/new1.csv", (1_500_000_000, 1_500_000_000))
    project.close()
    assert run(["source", "freshness", str(project.root), "--format", "json"]) == 1
    found = {row["source"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {name: row["status"] for name, row in found.items()} == {
        "lake.far": "failed",
        "lake.gone": "failed",
        "lake.new": "pass",
        "lake.old": "error",
        "lake.rows": "warn",
    }
    assert found["lake.old"]["loaded_at_field"] is None
    assert found["lake.old"]["newest"] == "2017-07-14T02:40:00+00:00"
    assert "data/gone.csv" in found["lake.gone"]["message"]
    assert "add loaded_at_field" in found["lake.far"]["message"]


def test_addresses_are_touched_only_by_the_engine(make: Make) -> None:
    project = make({"sources.yml": sources(c="location: 's3://bucket/da ta/*.parquet'"), **reading("c")})
    (compiled,) = project.compile().values()
    assert "read_parquet('s3://bucket/da ta/*.parquet'" in compiled.executable
    assert [step.action.value for step in project.plan().steps.values()] == ["build"]


def test_a_model_that_only_grows_reads_new_files(make: Make, rows: Rows, tmp_path: Path) -> None:
    project = make(
        {
            "sources.yml": sources(c="location: data/*.csv"),
            "data/1.csv": "id,v\n1,a\n2,b\n",
            **reading("c", materialized="incremental", unique_key="id"),
        }
    )
    project.build()
    (tmp_path / "project/data/1.csv").unlink()
    (tmp_path / "project/data/2.csv").write_text("id,v\n2,c\n3,d\n")
    assert built(project.build()) == {"m_c": True}
    assert rows(project, "m_c") == [(1, "a"), (2, "c"), (3, "d")]


def test_show_reads_files(make: Make) -> None:
    project = make({"sources.yml": sources(c="location: data/c.csv"), "data/c.csv": "id\n7\n", **reading("c")})
    assert project.show("m_c").to_pylist() == [{"id": 7}]
    assert project.show(inline="select * from {{ source('lake', 'c') }}").to_pylist() == [{"id": 7}]


def test_a_unit_test_puts_rows_in_the_place_of_files(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    project = make(
        {
            "sources.yml": sources(c="location: data/gone.csv"),
            **reading("c"),
            "tests/unit/m_c.yml": "model: m_c\ncases:\n  - name: one\n    inputs: {lake.c: {rows: [{id: 1}]}}\n"
            "    expect: {rows: [{id: 1}]}\n",
        }
    )
    project.close()
    assert run(["utest", str(project.root)]) == 0, capsys.readouterr().err


def test_a_model_in_another_dialect_reads_files(make: Make, rows: Rows) -> None:
    project = make(
        {
            "sources.yml": sources(c="location: data/c.csv"),
            "data/c.csv": "id,v\n1,x\n2,y\n",
            "models/m.ff.sql": "{{ config(dialect='postgres') }}\n"
            "select t.id::text as id, t.v from {{ source('lake', 'c') }} as t where t.v ilike 'X'\n",
        }
    )
    assert "read_csv('data/c.csv'" in project.compile()["m.ff"].sql
    assert built(project.build()) == {"m": True}
    assert rows(project, "m") == [("1", "x")]
    assert built(project.build()) == {"m": False}


def test_a_python_model_is_told_how_to_read_a_source(make: Make) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make(
            {
                "sources.yml": sources(c="location: data/c.csv"),
                "models/m.ff.py": "from flowforge import model\n\n@model(deps=['lake.c'])\ndef m(c):\n    return c\n",
            }
        )
    assert "let a SQL model read source('lake', 'c')" in (caught.value.help or "")
