"""Projects of any size in three shapes, and the same statements for the bare driver. The same numbers give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SHAPES = ("layered", "chain", "wide")
MODELS_IN_A_FILE = 25  # described by one YAML file
ROWS = 200  # in each source

Name = Callable[[str], str]

MACROS = """{% macro to_amount(x) -%}
round({{ x }} / 100.0, 2)
{%- endmacro %}

{% macro clean_text(x) -%}
lower(trim({{ x }}))
{%- endmacro %}

{% macro size_of(x) -%}
case when {{ x }} < 100 then 'small' when {{ x }} < 500 then 'medium' else 'large' end
{%- endmacro %}
"""
PROFILES = "dev:\n  engine: duckdb\n  duckdb:\n    path: db.duckdb\n"


class Model(NamedTuple):
    """One model: a layer of raw rows, of joins, or of results, which have checks."""

    name: str
    layer: str
    reads: tuple[str, ...]
    number: int

    @property
    def materialized(self) -> str:
        return "view" if self.layer == "clean" else "table"

    @property
    def columns(self) -> tuple[str, ...]:
        more = ("size", "place") if self.layer == "result" else ()
        return ("id", "customer_id", "amount", "status", "created_at", *more)


def models(shape: str, count: int) -> Iterator[Model]:
    """All models of a project, those that are read before those that read them."""
    if shape == "chain":
        yield Model("clean_00000", "clean", ("src_0000",), 0)
        for number in range(1, count):
            before = f"joined_{number - 1:05d}" if number > 1 else "clean_00000"
            yield Model(f"joined_{number:05d}", "joined", (before,), number)
        return
    clean = count * 2 // 5 if shape == "layered" else count * 7 // 10
    joined = count * 3 // 10 if shape == "layered" else 0
    for number in range(clean):
        yield Model(f"clean_{number:05d}", "clean", (f"src_{number % sources(count):04d}",), number)
    for number in range(joined):
        reads = sorted({f"clean_{(number * 3 + step * 7) % clean:05d}" for step in range(3)})
        yield Model(f"joined_{number:05d}", "joined", tuple(reads), number)
    for number in range(count - clean - joined):
        below, size, steps = ("joined", joined, 3) if joined else ("clean", clean, 1)
        reads = sorted({f"{below}_{(number * 2 + step * 5) % size:05d}" for step in range(steps)})
        yield Model(f"result_{number:05d}", "result", tuple(reads), number)


def sources(count: int) -> int:
    """How many tables of raw rows there are."""
    return max(10, count // 20)


def query(model: Model, source: Name, ref: Name, macro: Callable[[str, str], str]) -> str:
    """The text of a model, where three functions say how others are called."""
    if model.layer == "clean":
        return (
            f"with raw_rows as (\n    select * from {source(model.reads[0])}\n)\nselect\n    id,\n    customer_id,\n"
            f"    {macro('to_amount', 'amount_cents')} as amount,\n    {macro('clean_text', 'status')} as status,\n"
            f"    created_at\nfrom raw_rows\nwhere id % 97 <> {model.number % 97}"
        )
    inputs = ",\n".join(f"d{at} as (\n    select * from {ref(name)}\n)" for at, name in enumerate(model.reads))
    others = range(1, len(model.reads))
    amount = " + ".join(["d0.amount", *(f"coalesce(d{at}.amount, 0) * 0.{at}" for at in others)])
    joins = "".join(f"\nleft join d{at} on d0.id = d{at}.id" for at in others)
    rows = f"select d0.id, d0.customer_id, {amount} + {model.number % 5} as amount, d0.status, d0.created_at\nfrom d0{joins}"
    if model.layer == "joined":
        return f"with {inputs}\n{rows}"
    place = "row_number() over (partition by customer_id order by created_at, id)"
    named = "id, customer_id, amount, status, created_at"
    return f"with {inputs},\nall_rows as (\n{rows}\n)\nselect\n    {named},\n    {macro('size_of', 'amount')} as size,\n    {place} as place\nfrom all_rows"


def expanded(name: str, argument: str) -> str:
    """What a macro writes."""
    return {
        "to_amount": f"round({argument} / 100.0, 2)",
        "clean_text": f"lower(trim({argument}))",
        "size_of": f"case when {argument} < 100 then 'small' when {argument} < 500 then 'medium' else 'large' end",
    }[name]


def write_project(root: Path, shape: str, count: int) -> None:
    """A project of *count* models with descriptions and checks, and what the bare driver needs for the same."""
    (root / "models" / "macros").mkdir(parents=True)
    (root / "project.yml").write_text("name: bench\nversion: '1'\n")
    (root / "profiles.yml").write_text(PROFILES)
    (root / "models" / "macros" / "bench.sql").write_text(MACROS)
    tables = "".join(f"      - name: src_{at:04d}\n" for at in range(sources(count)))
    (root / "sources.yml").write_text(f"version: 1\nsources:\n  - name: raw\n    schema: raw\n    tables:\n{tables}")
    statements, checks, described = [], [], dict[str, list[Model]]()
    for model in models(shape, count):
        folder = root / "models" / model.layer
        folder.mkdir(exist_ok=True)
        text = query(
            model,
            lambda name: f"{{{{ source('raw', '{name}') }}}}",
            lambda name: f"{{{{ ref('{name}.ff') }}}}",
            lambda name, argument: f"{{{{ {name}('{argument}') }}}}",
        )
        head = f"{{{{ config(materialized='{model.materialized}', tags=['{model.layer}']) }}}}"
        (folder / f"{model.name}.ff.sql").write_text(f"{head}\n\n{text}\n")
        bare = query(model, lambda name: f"raw.{name}", lambda name: f"main.{name}", expanded)
        statements.append(f"create or replace {model.materialized} main.{model.name} as {bare}")
        if model.layer == "result":
            checks.append(f"select count(*) from main.{model.name} where id is null")
            checks.append(f"select count(*) - count(distinct id) from main.{model.name}")
        described.setdefault(model.layer, []).append(model)
    for layer, found in described.items():
        for at in range(0, len(found), MODELS_IN_A_FILE):
            text = "".join(map(description, found[at : at + MODELS_IN_A_FILE]))
            (root / "models" / layer / f"about_{at:05d}.yml").write_text(f"version: 1\nmodels:\n{text}")
    (root / "bare.json").write_text(json.dumps({"statements": statements, "checks": checks}))


def description(model: Model) -> str:
    """What YAML says of a model."""
    lines = [
        f"  - name: {model.name}",
        f'    description: "Model {model.number} of the layer {model.layer}."',
        "    columns:",
    ]
    for column in model.columns:
        lines += [f"      - name: {column}", f'        description: "The {column} of the record."']
        if column == "id" and model.layer == "result":
            lines += ["        tests:", "          - not_null", "          - unique"]
    return "\n".join(lines) + "\n"


def raw_tables(count: int) -> Iterator[str]:
    """Statements that make the sources."""
    yield "create schema raw"
    for at in range(sources(count)):
        yield (
            f"create table raw.src_{at:04d} as select cast(g as bigint) as id, cast((g * 7 + {at}) % 23 as bigint) as"
            f" customer_id, cast((g * 37 + {at} * 11) % 100000 as bigint) as amount_cents,"
            " case when g % 3 = 0 then ' New ' else 'PAID' end as status,"
            " timestamp '2024-01-01 00:00:00' + g * interval '1 hour' as created_at"
            f" from generate_series(1, {ROWS}) as t(g)"
        )
