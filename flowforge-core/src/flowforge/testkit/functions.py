"""Cases of portable functions: data files with columns, calls as templates have them, and what every engine gives."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flowforge.contract import Dialect
from flowforge.frozen import frozen
from flowforge.rendering.portable import portable_functions
from flowforge.rendering.render import RenderContext, render
from flowforge.testkit.cases import parse_type, parse_value

_ARROW = {
    "string": "string",
    "integer": "int32",
    "bigint": "int64",
    "double": "double",
    "boolean": "bool",
    "date": "date32",
    "timestamp": "timestamp[us]",
}


@frozen
class FunctionCase:
    """One call.

    Parameters
    ----------
    call:
        An expression of a template.
    columns:
        What it is called on.
    type:
        Of its result.
    expected:
        One value for each row; of an aggregate a single one.
    """

    id: str
    call: str
    columns: Mapping[str, pa.Array]
    type: pa.DataType
    expected: Sequence[Any]
    aggregate: bool


def read_functions(folder: Path) -> list[FunctionCase]:
    """All cases of the ``*.toml`` files of a folder, in order of their names."""
    cases = []
    for file in sorted(folder.glob("*.toml")):
        for raw in tomllib.loads(file.read_text("utf-8"))["case"]:
            columns = {name: _array(*given) for name, given in raw["columns"].items()}
            word = raw["type"]
            type_ = parse_type("decimal128" + word.removeprefix("numeric") if "(" in word else _ARROW[word])
            for name, (call, expected) in raw["calls"].items():
                values = [parse_value(value, type_) for value in json.loads(expected)]
                aggregate = raw.get("aggregate", False)
                cases.append(FunctionCase(f"{raw['name']}-{name}", call, columns, type_, values, aggregate))
    return cases


def _array(type_: str, values: str) -> pa.Array:
    arrow = parse_type(type_)
    return pa.array([parse_value(value, arrow) for value in json.loads(values)], arrow)


def written(dialect: Dialect, call: str) -> str:
    """The SQL that a call becomes in a model's template.

    Raises
    ------
    RenderError
        ``FF1418`` when the engine does not have the function.
    """

    def nothing(*args: Any) -> str:
        raise AssertionError("a case calls portable functions only")

    context = RenderContext(
        ref=nothing,
        source=nothing,
        var=nothing,
        env=nothing,
        engine=nothing,
        this=None,
        is_incremental=lambda: False,
        helpers=portable_functions(dialect),
    )
    return render("{{ " + call + " }}", context, path="case", model="case", simple=True).sql
