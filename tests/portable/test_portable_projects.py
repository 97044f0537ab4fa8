"""Whole projects in one dialect, built on engines with another one."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.contract import Dialect
from flowforge.errors import ModelExecutionError, ProjectErrors, RenderError
from flowforge.portable.names import Placeholders
from flowforge.portable.translate import translate

PROFILES = """
duckdb: {engine: duckdb, duckdb: {path: here.duckdb}}
postgres: {engine: postgres, postgres: {dsn: "{{ env('FF_PG_DSN') }}", schema: SCHEMA}}
plain: {engine: plain, plain: {path: here.db}}
"""
ENGINES = ("duckdb", "postgres")
Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path, portable_database: str, request: pytest.FixtureRequest) -> Make:
    """Loads a project out of *files* for an engine; each test has a schema of its own on the server."""
    schema = f"s_{uuid.uuid4().hex[:12]}"

    def load(files: Mapping[str, str], engine: str, dialect: str | None = "duckdb", **more: Any) -> Project:
        top = f"name: p\nversion: 1\n{f'dialect: {dialect}' if dialect else ''}\n"
        every = {"project.yml": top, "profiles.yml": PROFILES.replace("SCHEMA", schema), **files}
        for name, text in every.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        project = Project.load(tmp_path, env=engine, environ={"FF_PG_DSN": portable_database}, **more)
        request.addfinalizer(project.close)
        return project

    return load


def shown(project: Project, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in project.show(name, limit=None).to_pylist()]


HOSTILE = [
    'a"b',
    "a'b",
    "a.b",
    "a b",
    "Ünïcode",
    "UPPER",
    "select",
    "_ff relation_0__",
    "x" * 63,
    "a`b",
    "a$b",
    "a;b",
    "--a",
    "%s",
]


DIALECTS = ("duckdb", "postgres", "bigquery", "snowflake", "spark")


@pytest.mark.parametrize("engine", ENGINES)
def test_relations_keep_their_names(make: Make, engine: str) -> None:
    """Whatever a relation is called, it comes out as it does when nothing is translated."""
    files = {}
    for index, name in enumerate(HOSTILE):
        alias = name.replace('"', '\\"')
        files[f"models/m{index}.ff.sql"] = f'{{{{ config(alias="{alias}") }}}}\nselect {index} as n'
    unions = " union all ".join(f"select n from {{{{ ref('m{index}') }}}}" for index in range(len(HOSTILE)))
    translated = [dialect for dialect in DIALECTS if dialect != engine]
    for dialect in translated:
        head = f"{{{{ config(dialect='{dialect}', materialized='view') }}}}"
        files[f"models/all_{dialect}.ff.sql"] = head + unions
        said = "select {{ ref('m0') }}.n, '{{ ref('m1') }}' as said from {{ ref('m0') }}"
        files[f"models/said_{dialect}.ff.sql"] = head + said
    project = make(files, engine, None)
    assert project.build().exit_code == 0
    compiled = project.compile()
    names = {
        index: project.compiler.dialect.render(project.compiler.relation(project.manifest.nodes[f"m{index}.ff"]))
        for index in range(len(HOSTILE))
    }
    for dialect in translated:
        assert sorted(row["n"] for row in shown(project, f"all_{dialect}")) == list(range(len(HOSTILE)))
        assert all(name in compiled[f"all_{dialect}.ff"].executable for name in names.values())
        assert shown(project, f"said_{dialect}") == [{"n": 0, "said": names[1]}]


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_keep_their_meaning(make: Make, engine: str) -> None:
    """DuckDB finds a name under any spelling, so every engine has to."""
    project = make(
        {
            "seeds/raw.csv": "Id,order,Größe\n1,x,5\n",
            "models/a.ff.sql": 'select ID, "Order", größe, "ID" as "User", id as end_, 1 as "Mixed Case" from {{ ref("raw") }}',
            "models/b.ff.sql": 'select A.id as x, a."user" as y, "mixed CASE" as z, "order" as w from {{ ref("a") }} as a',
        },
        engine,
    )
    project.build()
    assert shown(project, "b") == [{"x": 1, "y": 1, "z": 1, "w": "x"}]


def test_upper_case_names_of_snowflake(make: Make) -> None:
    """There, "ID" is what id means, and "id" is another name."""
    files = {"models/a.ff.sql": 'select x."ID" as n, x.id as m, x."Id" as o from (select 1 as id, 2 as "Id") as x'}
    sql = make(files, "postgres", "snowflake").compile()["a.ff"].sql
    assert '"id" AS n' in sql.replace("x.", "")
    project = make(files, "postgres", "snowflake")
    project.build()
    assert shown(project, "a") == [{"n": 1, "m": 1, "o": 2}]
    with pytest.raises(RenderError) as caught:
        make(files, "duckdb", "snowflake").compile()
    assert caught.value.code == "FF1148"


MODELS = {
    "models/base.ff.sql": """
select * from (values
    (1, 'a', 10, date '2024-03-31'),
    (2, 'a', null, date '2024-12-30'),
    (3, 'b', -7, null)
) as t(id, grp, v, d)
""",
    "models/eph_own.ff.sql": """
{{ config(materialized='ephemeral') }}
select id, grp, v / 2 as half, d from {{ ref('base') }}
""",
    "models/eph_other.ff.sql": """
{{ config(materialized='ephemeral', dialect='postgres') }}
with x as (select id, grp, half, to_char(d, 'YYYY-MM') as month from {{ ref('eph_own') }})
select id, grp, half, month, cast(id as bigint) / 2 as cut from x
""",
    "models/last.ff.sql": """
{{ config(materialized='view') }}
select e.id, e.half, e.month, e.cut, date_trunc('month', o.d) as m
from {{ ref('eph_other') }} as e join {{ ref('eph_own') }} as o on e.id = o.id
""",
    "models/top.ff.sql": """
select o.id, e.half, e.month, e.cut
from {{ ref('eph_own') }} as o join {{ ref('eph_other') }} as e on o.id = e.id
qualify row_number() over (partition by o.grp order by o.id desc) = 1
""",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_chain_of_dialects(make: Make, engine: str) -> None:
    """Each ephemeral model is translated for itself: the slash of one means another thing than that of the next."""
    project = make(MODELS, engine)
    assert project.build().exit_code == 0
    found = sorted(shown(project, "top"), key=lambda row: row["id"])
    assert [(row["id"], row["half"], row["month"], int(row["cut"])) for row in found] == [
        (2, None, "2024-12", 1),
        (3, -3.5, None, 1),
    ]
    months = {row["id"]: row["m"] and str(row["m"]) for row in shown(project, "last")}
    assert months == {1: "2024-03-01 00:00:00", 2: "2024-12-01 00:00:00", 3: None}


def test_what_is_of_the_engine_is_sent_as_it_is(make: Make) -> None:
    text = "select 1 as a -- kept\n  ,   2 as b"
    assert make({"models/a.ff.sql": text}, "duckdb").compile()["a.ff"].sql == text
    assert make({"models/a.ff.sql": text}, "duckdb", None).compile()["a.ff"].sql == text
    own = {"models/a.ff.sql": "{{ config(dialect='postgres') }}" + text}
    assert make(own, "postgres").compile()["a.ff"].sql == text
    assert make({"models/a.ff.sql": text}, "postgres").compile()["a.ff"].sql != text


INCREMENTAL = """
{{ config(materialized='incremental', unique_key='id') }}
select id, v / 2 as half, date_trunc('month', d) as month from {{ ref('raw') }}
{% if is_incremental() %}
where id >= (select max({{ this }}.id) from {{ this }})
{% endif %}
"""
WATERMARK = (
    "{{ config(materialized='incremental', updated_at='id') }}\nselect id, v / 2 as half from {{ ref('raw') }}\n"
)


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_that_grow(make: Make, engine: str) -> None:
    files = {"models/a.ff.sql": INCREMENTAL, "models/w.ff.sql": WATERMARK, "seeds/raw.csv": "id,v,d\n1,3,2024-01-31\n"}
    assert make(files, engine).build().exit_code == 0
    files["seeds/raw.csv"] = "id,v,d\n1,5,2024-01-31\n2,7,2024-02-29\n"
    project = make(files, engine)
    assert project.build().exit_code == 0
    halves = sorted((row["id"], row["half"], str(row["month"])) for row in shown_table(project, "a"))
    assert halves == [(1, 2.5, "2024-01-01 00:00:00"), (2, 3.5, "2024-02-01 00:00:00")]
    assert sorted((row["id"], row["half"]) for row in shown_table(project, "w")) == [(1, 1.5), (2, 3.5)]


def shown_table(project: Project, name: str) -> list[dict[str, Any]]:
    """The rows of a model's table, and not those of its query."""
    relation = project.compiler.dialect.render(project.compiler.relation(project.manifest.nodes[f"{name}.ff"]))
    with project.session("test") as session:
        return [dict(row) for row in session.query(f"SELECT * FROM {relation}").read_all().to_pylist()]


def test_only_what_becomes_another_query_is_built_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"models/a.ff.sql": "select 7 / 2 as a", "models/b.ff.sql": "select 1 as b"}
    assert [node.status.value for node in make(files, "postgres").build().nodes] == ["success", "success"]
    files["models/a.ff.sql"] = "select 7/2   as a -- said again"
    assert {node.status.value for node in make(files, "postgres").build().nodes} == {"cached"}
    from sqlglot.generators.postgres import PostgresGenerator

    class Newer(PostgresGenerator):
        def div_sql(self, expression: Any) -> str:
            return f"({super().div_sql(expression)})"

    from sqlglot.dialects.postgres import Postgres

    monkeypatch.setattr(Postgres, "generator_class", Newer)
    # What is kept of models knows an installed translator by its files, which stay as they are here.
    monkeypatch.setattr("flowforge.api.preparation.around_translator", lambda: "newer")
    results = {node.node: node.status.value for node in make(files, "postgres").build().nodes}
    assert results == {"a.ff": "success", "b.ff": "cached"}


def test_what_is_volatile_is_seen(make: Make) -> None:
    files = {
        "models/a.ff.sql": "select\n  current_date as today",
        "models/b.ff.sql": "select n from elsewhere.numbers",
        "models/c.ff.sql": "select x from range(3) as g(x)",
    }
    project = make(files, "postgres")
    from flowforge.api.preparation import definer_of

    definer = definer_of(project)
    found = {
        name: [(note.code, note.location and note.location.line) for note in definer.of(name).notes]
        for name in project.manifest.nodes
    }
    assert found["a.ff"] == [("FF2321", 2)]
    assert [code for code, _ in found["b.ff"]] == ["FF2322"]
    assert found["c.ff"] == []
    assert definer.of("c.ff").volatile == ()


# -- what is wrong ---------------------------------------------------------------------------------------------------


PYTHON = "from flowforge import model\n\n@model(dialect='duckdb')\ndef a():\n    return None\n"


@pytest.mark.parametrize(
    ("files", "code", "line", "says"),
    [
        ({"project.yml": "name: p\nversion: 1\ndialect: postgresql\n"}, "FF1005", 3, "'postgres'"),
        ({"models/a.ff.sql": "{{ config(dialect='DuckDB') }}\nselect 1 as a"}, "FF1101", 1, "'duckdb'"),
        ({"project.yml": "name: p\nversion: 1\nmodels:\n  +dialect: nonsense\n"}, "FF1005", 4, "known are"),
        ({"models/a.ff.py": PYTHON}, "FF1140", 3, "a Python model has none"),
    ],
)
def test_keys_that_are_wrong(make: Make, files: dict[str, str], code: str, line: int, says: str) -> None:
    from flowforge.errors import FlowForgeError

    with pytest.raises(FlowForgeError) as caught:
        make({"models/b.ff.sql": "select 1 as b", **files}, "duckdb")
    error = caught.value
    assert error.code == code
    assert error.location is not None
    assert error.location.line == line
    assert says in error.message


def test_all_that_cannot_be_translated_is_told(make: Make) -> None:
    files = {
        "models/a.ff.sql": "{% set n = 2 %}\nselect\n  frob(1) as a,\n  {{ n }} / 3 as b,\n  hash(2) as c",
        "models/b.ff.sql": "select 1 as\nfrom from",
    }
    with pytest.raises(ProjectErrors) as caught:
        make(files, "postgres").compile()
    assert [(error.code, str(error.location)) for error in caught.value.errors] == [
        ("FF1144", "models/a.ff.sql:3:3"),
        ("FF1144", "models/a.ff.sql:5:3"),
        ("FF1143", "models/b.ff.sql:2:6"),
    ]


def test_an_engine_that_nobody_translates_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make({"models/a.ff.sql": "select 1 as a"}, "plain")
    monkeypatch.setattr(type(project.compiler.dialect), "sqlglot", None)
    with pytest.raises(RenderError) as caught:
        project.compile()
    assert caught.value.code == "FF1141"
    assert "plain" in caught.value.message
    assert str(caught.value.location) == "models/a.ff.sql"


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("select\n  id,\n  nope\nfrom {{ ref('base') }}", "models/m.ff.sql:3:3"),
        ("select\n  id,\n  upper(\n    nope)\nfrom {{ ref('base') }}", "models/m.ff.sql:4:5"),
        ("select id\nfrom nowhere", "models/m.ff.sql:2:6"),
        ("select\n  id,\n  dayname(d) as x\nfrom {{ ref('base') }}", "models/m.ff.sql:3:3"),
        ("select\n  id,\n  arg_max(\n    id, v) as x\nfrom {{ ref('base') }}", "models/m.ff.sql:3"),
        ("{% if true %}\nselect id,\n  cast({{ ref('base') }}.nope as int) as x\nfrom {{ ref('base') }}\n{% endif %}", "models/m.ff.sql:3"),
        ("with x as (\n  select id from {{ ref('base') }}\n)\nselect id,\n  id + nope\nfrom x\nwhere id > 1", "models/m.ff.sql:5:8"),
    ],
)  # fmt: skip
def test_errors_of_the_engine_name_the_line(make: Make, sql: str, place: str) -> None:
    project = make({"models/base.ff.sql": MODELS["models/base.ff.sql"], "models/m.ff.sql": sql}, "postgres")
    result = project.build()
    (error,) = [node.error for node in result.nodes if node.error is not None]
    assert isinstance(error, ModelExecutionError)
    assert str(error.location).startswith(place)


def test_a_line_that_is_not_certain_is_not_told(dialects: dict[str, Dialect]) -> None:
    """Every place that is told holds the word that was translated, or the only line that it can come from."""
    sql = "select\n  id,\n  date_diff('month', a, b) as m,\n  a.x\nfrom t as a\nwhere x like 'y%'\n  and z = 'q'"
    translation = translate(sql, "duckdb", dialects["postgres"], Placeholders())
    lines = sql.split("\n")
    for word, line in (("id", 2), ("x", 4), ("t", 5), ("z", 7), ("'q'", 7), ("'y%'", 6)):
        offsets = [at for at in range(len(translation.sql)) if translation.sql.startswith(word, at)]
        told = [translation.locate(at) for at in offsets]
        exact = [sql[one.offset :].startswith(word) for one in told if one is not None and one.exact]
        assert all(exact)
        assert line in {sql.count("\n", 0, one.offset) + 1 for one in told if one is not None}
    for at in range(len(translation.sql)):
        origin = translation.locate(at)
        if origin is not None:
            assert 0 <= origin.offset < len(sql)
            assert sql.count("\n", 0, origin.offset) < len(lines)


# -- the command line ------------------------------------------------------------------------------------------------

ALONE = """
import sys
from flowforge.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("ended", end.code or 0)
print("imported", sorted({"psycopg", "duckdb"} & set(sys.modules)))
"""


def test_compile_for_another_engine_needs_nothing_of_it(make: Make, tmp_path: Path) -> None:
    make(
        {"models/a.ff.sql": "select dayname(date '2024-01-01') as a", "profiles.yml": "dev: {engine: duckdb}\n"}, "dev"
    )
    done = subprocess.run(
        [sys.executable, "-c", ALONE, "compile", str(tmp_path), "--engine", "postgres"],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert "DAYNAME(CAST('2024-01-01' AS DATE)) AS a" in done.stdout
    assert "ended 0\nimported []" in done.stdout
    assert "warning[FF1146]: DAYNAME() is beyond what is promised" in done.stderr
    assert "models/a.ff.sql:1:8" in done.stderr
