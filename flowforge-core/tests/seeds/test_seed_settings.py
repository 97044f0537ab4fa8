"""Settings of seeds: from folders, lists and schema.yml, joined, checked, and refused where they mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest

from flowforge.config.layers import Passage
from flowforge.config.yaml import parse_yaml
from flowforge.contract import SeedFormat
from flowforge.errors import Problems
from flowforge.project.asked import Answers
from flowforge.project.manifest import Node, SeedBody
from flowforge.seeds.csv_options import CsvOptions
from flowforge.seeds.discover import SeedFiles, Surrounding, find_seeds
from flowforge.seeds.engine_words import EngineWords
from flowforge.seeds.formats import FORMATS


def find(
    tmp_path: Path,
    files: Mapping[str, str],
    project: str = "",
    *,
    formats: tuple[SeedFormat, ...] = FORMATS,
    engine: str = "duckdb",
    vars: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Node], SeedFiles, list[str]]:
    for path, text in {"seeds/.keep": "", **files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    doc = parse_yaml(f"seeds:{project or ' {}'}".encode(), "project.yml")
    around = Surrounding(
        Passage(doc, ("seeds",)),
        "shop",
        answers=Answers(vars or {}),
        engines=EngineWords(lambda: (engine, "quack"), lambda: ("duckdb", "postgres")),
    )
    problems = Problems()
    found = find_seeds(tmp_path, formats, problems, around=around)
    return {node.name: node for node in found.nodes}, found, [f"{error.code} {error.location}" for error in problems]


def body(node: Node) -> SeedBody:
    assert isinstance(node.body, SeedBody)
    return node.body


FILES = {"seeds/users.csv": "id\n", "seeds/raw/orders.csv": "id\n", "seeds/raw/deep/items.tsv": "id\n"}


def test_settings_of_folders_reach_what_stands_in_them_and_the_nearest_wins(tmp_path: Path) -> None:
    project = """
  +tags: all
  +meta: {team: core, pii: false}
  shop:
    raw:
      +schema: raw
      +tags: [raw]
      +delimiter: ";"
      +column_types: {id: string, at: date}
      orders: {+delimiter: "|", +meta: {pii: true}, +column_types: {at: timestamp}}
      deep: {+alias: t}
"""
    nodes, _, problems = find(tmp_path, FILES, project)
    assert problems == []
    users, orders, items = nodes["users"], nodes["orders"], nodes["items"]
    assert (users.config.tags, users.config.schema, body(users).options) == (("all",), None, None)
    assert (orders.config.tags, orders.relation.schema) == (("all", "raw"), "raw")
    assert orders.config.meta == {"team": "core", "pii": True}
    assert body(orders).options == CsvOptions(delimiter="|")
    assert body(orders).types == {"id": "string", "at": "timestamp"}
    assert body(items).options == CsvOptions(delimiter=";")
    assert items.relation.name == "t"
    assert [body(one).id for one in (users, orders, items)] == ["users", "raw/orders", "raw/deep/items"]


def test_lists_among_the_seeds_are_read_in_any_file(tmp_path: Path) -> None:
    files = {
        **FILES,
        "seeds/schema.yml": "version: 2\nseeds:\n  - {name: users, config: {alias: people}, meta: {a: 1}}\n",
        "seeds/raw/more.yml": "seeds:\n  - {name: orders, description: Ours., config: {+schema: x}}\n",
    }
    nodes, found, problems = find(tmp_path, files, "\n  +schema: y\n")
    assert problems == []
    assert nodes["users"].relation.name == "people"
    assert (nodes["users"].relation.schema, nodes["orders"].relation.schema) == ("y", "x")
    assert nodes["users"].config.meta == {"a": 1}
    assert [entry.name for one in found.properties for entry in one.models] == ["orders", "users"]


def test_targets_are_the_nearest_and_ask_for_the_engine_only_when_they_name_one(tmp_path: Path) -> None:
    files = {
        **FILES,
        "seeds/schema.yml": "targets:\n"
        "  users: {schema: a, table: people}\n"
        "  raw/orders: {schema: a, schema_by_engine: {postgres: b, quack: c}}\n"
        "  raw.deep.items: {schema_by_engine: {snowflake: z}}\n",
    }
    nodes, _, problems = find(tmp_path, files, "\n  +schema: y\n  +alias: q\n")
    assert problems == []
    places = {name: (node.relation.schema, node.relation.name) for name, node in nodes.items()}
    assert places == {"users": ("a", "people"), "orders": ("c", "q"), "items": ("y", "q")}
    nodes, _, _ = find(tmp_path, files, engine="postgres")
    assert nodes["orders"].relation.schema == "b"


def test_types_by_engine(tmp_path: Path) -> None:
    files = {
        "seeds/users.csv": "a,b,c,d\n",
        "seeds/schema.yml": "columns:\n  users:\n    a: {type: bigint, engines: {quack: text, snowflake: date}}\n"
        "    b: {engines: {postgres: bigint}}\n    c: {engines: {duckdb: 'decimal(9, 2)'}}\n"
        "dtypes: {users: {d: 'datetime64[ns, UTC]', c: category}}\n",
    }
    nodes, _, problems = find(tmp_path, files)
    assert problems == ["FF2207 seeds/schema.yml:5:27"]
    assert body(nodes["users"]).types == {"d": "timestamptz", "c": "numeric(9,2)", "a": "string"}


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        ("int64", "bigint"),
        ("Int64", "bigint"),
        ("int32", "integer"),
        ("Int16", "smallint"),
        ("int8", "tinyint"),
        ("uint64", "uint64"),
        ("float64", "double"),
        ("Float32", "double"),
        ("string", "string"),
        ("string[pyarrow]", "string"),
        ("object", "string"),
        ("category", "string"),
        ("bool", "boolean"),
        ("boolean", "boolean"),
        ("datetime64[ns]", "timestamp"),
        ("datetime64[us, UTC]", "timestamptz"),
    ],
)
def test_the_types_of_pandas_have_words(tmp_path: Path, dtype: str, word: str) -> None:
    nodes, _, problems = find(
        tmp_path, {"seeds/s.csv": "a\n", "seeds/schema.yml": f"dtypes: {{s: {{a: '{dtype}'}}}}\n"}
    )
    assert problems == []
    assert body(nodes["s"]).types == {"a": word}


def test_settings_may_ask_for_variables(tmp_path: Path) -> None:
    nodes, _, problems = find(tmp_path, FILES, "\n  users: {+schema: \"{{ var('place') }}\"}\n", vars={"place": "x"})
    assert problems == []
    assert nodes["users"].relation.schema == "x"


@pytest.mark.parametrize(
    ("project", "problem"),
    [
        ("\n  +delimeter: ';'\n", "FF1004 project.yml:2:3"),
        ("\n  users: {+colum_types: {a: b}}\n", "FF1004 project.yml:2:11"),
        ("\n  rwa: {+schema: x}\n", "FF1027 project.yml:2:3"),
        ("\n  user: 5\n", "FF1004 project.yml:2:3"),
        ("\n  +delimiter: ;;\n", "FF1005 project.yml:2:15"),
        ("\n  +null_values: 5\n", "FF1005 project.yml:2:17"),
        ("\n  +column_types: {id: strin}\n", "FF2207 project.yml:2:23"),
        ("\n  +loaded_columns: 'yes'\n", "FF1005 project.yml:2:20"),
        ("\n  +enabled: maybe\n", "FF1005 project.yml:2:13"),
        ("\n  +header: false\n", "FF1005 project.yml:2:12"),
        ("\n  +storage: {path: 5}\n", "FF1005 project.yml:2:20"),
        ("\n  +quote_columns: true\n", "FF1007 project.yml:2:3"),
        ("\n  +materialized: table\n", "FF1004 project.yml:2:3"),
        ("\n  +schema: \"{{ var('nope') }}\"\n", "FF1403 project.yml:2:12"),
        ("\n  raw:\n    +schema: x\n    schema: y\n", "FF1004 project.yml:4:5"),
    ],
)
def test_a_wrong_setting_is_one_error_with_its_place(tmp_path: Path, project: str, problem: str) -> None:
    nodes, _, problems = find(tmp_path, FILES, project)
    assert problems == [problem]
    assert sorted(nodes) == ["items", "orders", "users"]


def test_a_setting_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    files = {"seeds/a.csv": "", "seeds/b.parquet": "", "seeds/c.jsonl": "", "seeds/d.sql": "select 1 as a"}
    _, _, problems = find(tmp_path, files, "\n  +delimiter: ';'\n")
    assert problems == ["FF2213 project.yml:2:15"] * 3
    _, _, problems = find(tmp_path, files, "\n  d: {+column_types: {a: bigint}}\n")
    assert problems == ["FF2213 project.yml:2:22"]


def test_what_two_places_say_differently_is_refused(tmp_path: Path) -> None:
    files = {"seeds/s.csv": "a\n", "seeds/schema.yml": "columns: {s: {a: bigint}}\n"}
    _, _, problems = find(tmp_path, files, "\n  +column_types: {A: string}\n")
    assert problems == ["FF2207 seeds/schema.yml:1:18"]
    _, _, problems = find(tmp_path, files, "\n  +column_types: {A: bigint}\n")
    assert problems == []


def test_an_id_that_means_two_seeds_is_refused_with_both(tmp_path: Path) -> None:
    files = {"seeds/a.b.csv": "x\n", "seeds/a/b.csv": "x\n", "seeds/schema.yml": "columns: {a.b: {x: text}}\n"}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    problems = Problems()
    find_seeds(tmp_path, FORMATS, problems)
    (error,) = problems
    assert (error.code, str(error.location)) == ("FF2207", "seeds/schema.yml:1:11")
    assert "seeds/a.b.csv" in error.message
    assert "seeds/a/b.csv" in error.message


def test_models_are_not_described_among_seeds(tmp_path: Path) -> None:
    _, _, problems = find(tmp_path, {**FILES, "seeds/x.yml": "models: [{name: users}]\n"})
    assert problems == ["FF2207 seeds/x.yml:1:17"]


# -- SQL -----------------------------------------------------------------------------------------------------------


def test_a_query_may_be_a_seed(tmp_path: Path) -> None:
    nodes, _, problems = find(
        tmp_path,
        {
            "seeds/raw/days.sql": "{{ config(tags=['x'], loaded_columns=true) }}\nselect {{ var('n', 1) }} as n",
            "seeds/two.sql": "create table zwei as select 2 as n",
        },
        "\n  raw: {+schema: r}\n",
    )
    assert problems == []
    days, two = nodes["days"], nodes["two"]
    assert (days.config.tags, days.relation.schema, days.materialized) == (("x",), "r", "seed")
    assert body(days).loaded_columns
    assert body(days).id == "raw/days"
    assert days.query is not None
    assert days.query.simple
    assert two.relation.name == "zwei"
    assert two.query is not None
    assert two.query.template.strip() == "select 2 as n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "FF2210 seeds/s.sql:1:1"),
        ("select * from {{ ref('users') }}", "FF2210 seeds/s.sql:1:23"),
        ("select 1 as a\nfrom {{ source('a', 'b') }}", "FF2210 seeds/s.sql:2:22"),
        ("select 1; select 2", "FF1125 seeds/s.sql:1:11"),
        ("delete from x", "FF1124 seeds/s.sql:1:1"),
        ("create view v as select 1", "FF2210 seeds/s.sql:1:1"),
        ("{{ config(colour='red') }} select 1", "FF1004 seeds/s.sql:1:11"),
        ("{{ config(delimiter=';') }} select 1", "FF2213 seeds/s.sql:1:11"),
    ],
)
def test_what_a_sql_seed_may_not_say(tmp_path: Path, text: str, problem: str) -> None:
    _, _, problems = find(tmp_path, {"seeds/users.csv": "id\n", "seeds/s.sql": text})
    assert problems == [problem]


def test_types_are_not_declared_for_queries(tmp_path: Path) -> None:
    _, _, problems = find(tmp_path, {"seeds/s.sql": "select 1 as a", "seeds/schema.yml": "columns: {s: {a: bigint}}\n"})
    assert problems == ["FF2210 seeds/schema.yml:1:18"]


# -- formats of others ---------------------------------------------------------------------------------------------


@attrs.frozen
class SheetOptions:
    sheet: str = "first"
    schema: str = "never"


def test_the_options_of_a_plugin_are_settings(tmp_path: Path) -> None:
    seen: list[Any] = []

    def read(path: Path, types: Any, *options: Any) -> pa.RecordBatchReader:
        seen.append(options)
        return pa.table({"a": [1]}).to_reader()

    sheets = SeedFormat("sheets", (".sheet",), read, options=SheetOptions)
    files = {"seeds/a.sheet": "", "seeds/b.sheet": "", "seeds/c.csv": "x\n"}
    nodes, _, problems = find(tmp_path, files, "\n  a: {+sheet: second, +schema: s}\n", formats=(*FORMATS, sheets))
    assert problems == []
    assert body(nodes["a"]).options == SheetOptions("second")
    assert nodes["a"].relation.schema == "s"
    assert body(nodes["b"]).options is None
    _, _, problems = find(tmp_path, files, "\n  c: {+sheet: x}\n", formats=(*FORMATS, sheets))
    assert problems == ["FF2213 project.yml:2:15"]
    _, _, problems = find(tmp_path, files, "\n  a: {+sheet: 5}\n", formats=(*FORMATS, sheets))
    assert problems == ["FF1005 project.yml:2:15"]
