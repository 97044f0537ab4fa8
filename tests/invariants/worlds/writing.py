"""Writes the world's project as files: models in SQL and Python, seeds, sources, variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs
from worlds.growing import NOTHING_YET
from worlds.histories import deletes_of
from worlds.nodes import EXTRA, FIRST_YEAR, RAW, SCHEMA, SEEDS, SOURCES, Description, Helper, Input, Model

DATABASE = "world.duckdb"
NUMBER_FILE = "data/number.txt"
VALUE_7 = {"BIGINT": "7", "INTEGER": "7", "VARCHAR": "'7'", "DOUBLE": "7"}


_CALLED = {"var": "{{ var('p1') }}", "env": "{{ env('WORLD_E0') }}", "other": "{{ other_number() }}"}
"""What stands in the macro that models call."""


def _macro(name: str, text: object) -> str:
    return f"{{% macro {name}() -%}}\n{text}\n{{%- endmacro %}}\n"


def files(world: Description) -> dict[str, str]:
    """All files of the project, by path."""
    variables = "".join(f"  {name}: {value}\n" for name, value in sorted(world.vars.items()))
    found = {
        "project.yml": f"name: world\nversion: 1\nvars:\n{variables}",
        "profiles.yml": f"dev:\n  engine: duckdb\n  duckdb: {{path: {DATABASE}, threads: {world.threads}}}\n",
        "models/macros/number.sql": _macro("the_number", _CALLED.get(world.macro.where, world.macro.number)),
        "models/macros/other.sql": _macro("other_number", world.macro.number),
        NUMBER_FILE: f"{world.file_number}\n",
        "sources.yml": "outside:\n"
        + "".join(
            f"  {name}: {{identifier: {name}{', assume_unchanged: true' if name in world.assumed else ''}}}\n"
            for name in SOURCES
        )
        + "own:\n"
        + "".join(f"  {name}: {{identifier: {name}}}\n" for name in SEEDS),
    }
    for name, rows in world.seeds.items():
        found[f"seeds/{name}.csv"] = "k,v\n" + "".join(f"{k},{'' if v is None else v}\n" for k, v in rows)
    if world.seed_types:
        types = "".join(f"  {name}: {{v: {{type: {word.lower()}}}}}\n" for name, word in world.seed_types.items())
        found["seeds/schema.yml"] = f"version: 1\ncolumns:\n{types}"
    for helper in world.helpers.values():
        found.update(_helper(helper))
    for model in world.in_order():
        suffix = "py" if model.language == "python" else "sql"
        found[f"models/{model.name}.ff.{suffix}"] = text(world, model)
    return found


def text(world: Description, model: Model) -> str:
    """The file of one model."""
    return _python(world, model) if model.language == "python" else _sql(world, model)


def says(world: Description, model: Model) -> tuple[object, ...]:
    """What *model* says of itself: equal before and after a change means that its rows cannot be others.

    Tags of SQL models are left out, they are for selecting; those of Python models are part of its file.
    """
    used: list[object] = [model.relation, model.kind, model.materialized]
    if model.language == "seed":
        return (*used, world.seeds[model.name], world.seed_types.get(model.name))
    if model.language == "sql":
        used.append(_rendered(world, attrs.evolve(model, tags=())))
    else:
        used += [text(world, model), world.helper_closure(model.helpers)]
        used.append(world.file_number if model.add_from == "file" else None)
    reads = world.reads(model)
    return (*used, *(says(world, read) if read.materialized == "ephemeral" else read.relation for read in reads))


def _rendered(world: Description, model: Model) -> str:
    """A SQL model's file with its variables filled in: what was drawn for a model need not stand in its file."""
    written = _sql(world, model).replace("{{ the_number() }}", _CALLED.get(world.macro.where, "{{ other_number() }}"))
    written = written.replace("{{ other_number() }}", str(world.macro.number))
    for name, value in world.vars.items():
        written = written.replace(f"{{{{ var('{name}') }}}}", str(value))
    for name, value in world.env.items():
        written = written.replace(f"{{{{ env('{name}') }}}}", str(value))
    return _BRANCHES.sub(lambda found: found[1 + world.vars["p0"] % 2], written)


_BRANCHES = re.compile(r"{% if var\('p0'\) % 2 == 0 %}(.*?){% else %}(.*?){% endif %}")


def _helper(helper: Helper) -> Mapping[str, str]:
    body = f"VALUE = {helper.number}\n"
    if helper.other:
        body = f"from .{helper.other} import VALUE as OTHER\n\nVALUE = OTHER + {helper.number}\n"
    if helper.name == "kit":
        return {"models/kit/__init__.py": "from .part import VALUE\n", "models/kit/part.py": body}
    return {f"models/{helper.name}.py": body}


def _config(model: Model) -> str:
    words = []
    if model.materialized != "table":
        words.append(f"materialized='{model.materialized}'")
    if model.materialized == "incremental":
        words.append(f"incremental_strategy='{model.strategy}', on_schema_change='{model.on_change}'")
        if model.in_windows:
            words.append(f"event_time='ts', begin='{FIRST_YEAR}-01-01', batch_size='year', lookback={model.lookback}")
        elif model.strategy != "append":
            words.append("partition_by='k'" if model.strategy == "insert_overwrite" else "unique_key='k'")
        if model.watermark and not model.asks:
            words.append(f"updated_at='{model.watermark}'")
    if model.materialized == "snapshot":
        how = "strategy='timestamp', updated_at='ts'" if model.timed else "strategy='check', check_cols='all'"
        words.append(f"{how}, unique_key='k', hard_deletes='{deletes_of(model)}'")
    if model.alias is not None:
        words.append(f"alias='{model.alias}'")
    if model.schema:
        words.append(f"schema='{EXTRA.removeprefix(SCHEMA + '_')}'")
    if model.cache is not None:
        words.append(f"cache={model.cache}")
    if model.tags:
        words.append(f"tags={list(model.tags)!r}")
    return ", ".join(words)


def _from(world: Description, one: Input) -> str:
    read = world.read(one)
    if read is not None and one.kind != "seed-source":
        return f"{{{{ ref('{read.name}') }}}}"
    if one.kind == "seed-source":
        return f"{{{{ source('own', '{one.name}') }}}}"
    if one.kind == "source":
        return f"{{{{ source('outside', '{one.name}') }}}}"
    return RAW


def _number(model: Model) -> str:
    if model.add_from == "var":
        return "{{ var('p1') }}"
    if model.add_from == "env":
        return "{{ env('WORLD_E0') }}"
    if model.add_from == "macro":
        return "{{ the_number() }}"
    if model.add_from == "loop":
        return f"0{{% for i in range({model.add + 1}) %}} + {{{{ i }}}}{{% endfor %}}"
    return str(model.add)


def _sql(world: Description, model: Model) -> str:
    config = _config(model)
    head = f"{{{{ config({config}) }}}}\n" if config else ""
    if model.comment:
        head += f"-- remark {model.comment}\n" if model.comment % 2 else f"{{# remark {model.comment} #}}\n\n"
    return head + _filtered(model, _query(world, model))


def _filtered(model: Model, query: str) -> str:
    """The query with the column of its time, and only the rows that are asked for."""
    first = f"timestamp '{FIRST_YEAR}-01-01'"
    if model.time_from == "v":
        return f"select *, {first} + to_days(cast(v as integer)) as ts from (\n{query}) as w\n"
    if model.time_from == "k":
        query = f"select *, {first} + to_years(cast(k as integer)) as ts from (\n{query}) as w\n"
        bounds = "ts >= '{{ batch.event_time_start }}' and ts < '{{ batch.event_time_end }}'"
        return f"select * from (\n{query}) as w where {bounds}\n"
    if model.asks:
        than = ">" if model.strategy == "append" else ">="
        newest = f"(select coalesce(max({model.watermark}), {NOTHING_YET}) from {{{{ this }}}})"
        above = f") as w where {model.watermark} {than} {newest}\n"
        return f"{{% if is_incremental() %}}select * from ({{% endif %}}\n{query}{{% if is_incremental() %}}{above}{{% endif %}}"
    return query


def _query(world: Description, model: Model) -> str:
    where = f"where k % {model.modulus} <> 1" if model.modulus else ""
    if model.shape == "star":
        read = _from(world, model.inputs[0])
        boom = " and no_such_column" if model.fails else ""
        where = where or "where true"
        tail = " and random() >= 0" if model.volatile else ""
        return f"select *\nfrom {read}{' ' * model.spelling} {where}{boom}{tail}\n"
    if model.shape == "const":
        rows = "select 1 as k, 10 as v union all select 2, 20 union all select 2, null"
    elif model.shape == "either":
        first, *others = (_from(world, one) for one in model.inputs)
        branch = first
        if others:
            branch = f"{{% if var('p0') % 2 == 0 %}}{first}{{% else %}}{others[0]}{{% endif %}}"
        rows = f"select k, v from {branch}"
    else:
        rows = "\n  union all ".join(f"select k, v from {_from(world, one)}" for one in model.inputs)
    value = "sum(v)" if model.shape == "sum" else "v"
    number = _number(model)
    value = (
        f"{value} * {model.mul} + {number}",
        f"({number}) + {model.mul} * ({value})",
        f"({value}) * ({model.mul}) + ({number})",
    )[model.spelling % 3]
    if model.volatile:
        value += " + cast(random() * 0 as bigint)"
    if model.fails:
        value += " + no_such_column"
    columns = ["cast(k as bigint) as k", f"cast({value} as bigint) as v"]
    if model.extra:
        place, type_ = model.extra
        columns.insert(0 if place == "first" else 2, f"cast({VALUE_7[type_]} as {type_}) as x")
    group = " group by k" if model.shape == "sum" else ""
    if model.spelling % 2:
        return f"with u as (\n  {rows}\n)\nselect {', '.join(columns)}\nfrom u {where}{group}\n"
    return f"select {', '.join(columns)}\nfrom (\n  {rows}\n) as u {where}{group}\n"


ARROW = {"BIGINT": "pa.int64()", "INTEGER": "pa.int32()", "VARCHAR": "pa.string()", "DOUBLE": "pa.float64()"}


def _python(world: Description, model: Model) -> str:
    names = [read.name for read in map(world.read, model.inputs) if read is not None]
    config = ", ".join(filter(None, [f"deps={names!r}", "frame='arrow'", _config(model)]))
    requires = {name: ["k", "v"] for name in names}
    if requires and model.spelling % 2:
        config += f", requires={requires!r}"
    if model.add_from == "file":
        config += f", inputs=[{NUMBER_FILE!r}]"
    lines = ['"""A model."""', "from __future__ import annotations", "import datetime as dt", "import pathlib"]
    lines.append("import pyarrow as pa")
    if model.volatile:
        lines.append("import random")
    lines.append("from flowforge import model")
    lines += [f"from .{name} import VALUE as {name.upper()}" for name in model.helpers]
    number = model.helpers[0].upper() if model.add_from == "helper" and model.helpers else str(model.add)
    if model.add_from == "file":
        number = f"int((pathlib.Path(__file__).parents[1] / {NUMBER_FILE!r}).read_text())"
    if model.comment:
        lines.append(f"# remark {model.comment}")
    lines += ["", f"NUMBER = {number}", "", f"@model({config})", "def build(*inputs):"]
    if model.fails:
        lines.append("    raise RuntimeError('as it should')")
    if model.volatile:
        lines.append("    random.random()")
    if model.shape == "const":
        lines.append("    rows = [(1, 10), (2, 20), (2, None)]")
    else:
        lines.append("    rows = [(row['k'], row['v']) for one in inputs for row in one.to_pylist()]")
    if model.modulus:
        lines.append(f"    rows = [(k, v) for k, v in rows if k is not None and k % {model.modulus} != 1]")
    if model.shape == "sum":
        lines += [
            "    groups = {}",
            "    for k, v in rows:",
            "        groups.setdefault(k, []).append(v)",
            "    known = {k: [v for v in values if v is not None] for k, values in groups.items()}",
            "    rows = [(k, sum(values) if values else None) for k, values in known.items()]",
        ]
    lines.append(f"    rows = [(k, None if v is None else v * {model.mul} + NUMBER) for k, v in rows]")
    columns = [
        "        'k': pa.array([k for k, _ in rows], pa.int64()),",
        "        'v': pa.array([v for _, v in rows], pa.int64()),",
    ]
    if model.timed:
        days = f"[None if v is None else dt.datetime({FIRST_YEAR}, 1, 1) + dt.timedelta(days=v) for _, v in rows]"
        columns.append(f"        'ts': pa.array({days}, pa.timestamp('us')),")
    if model.extra:
        place, type_ = model.extra
        columns.insert(
            0 if place == "first" else 2,
            f"        'x': pa.array([{VALUE_7[type_]} for _ in rows], {ARROW[type_]}),",
        )
    lines += ["    return pa.table({", *columns, "    })"]
    return "\n".join(lines) + "\n"
