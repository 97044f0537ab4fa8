"""Every key that a project's files may hold: those that the product's classes know, and those that were promised.

Nothing is listed here twice: the keys come from the attrs classes that files are read into, and the classes from the
calls that read them. A key is called ``<file>/<key>``, and inside of a block ``<file>/<block>/<key>``.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import attrs
from ruamel.yaml import YAML

import flowforge
from flowforge.config import contracts, profiles, project, properties, sources
from flowforge.project import model_config
from flowforge.project.decorators import engine_model, model
from flowforge.seeds import schema_file
from flowforge.seeds.csv_options import CsvOptions
from flowforge.seeds.settings import SeedOnly
from flowforge.utest import files
from flowforge_duckdb.settings import DuckDBSettings
from flowforge_postgres.settings import PostgresSettings

SOURCE = Path(flowforge.__file__).parent
FOLDER = Path(__file__).parents[1]

ROOTS: Mapping[str, type] = {
    "project.yml": project.FILE,
    "model": model_config.MODEL_KEYS,
    "sources.yml": sources.FILE,
    "properties": properties.FILE,
    "contract": contracts.FILE,
    "contracts.yml": contracts.SHARED_FILE,
    "seeds/schema.yml": schema_file.FILE,
    "seed": SeedOnly,
    "seed/csv": CsvOptions,
    "unit": files.FILE,
    "unit/case": files.CASE,
    "profiles.yml/duckdb": DuckDBSettings,
    "profiles.yml/postgres": PostgresSettings,
}
"""What the files are read into."""

NAMED: Mapping[str, str] = {
    "flowforge.checks.own_sql:_Single": "own_test",
    "flowforge.checks.own_sql:_Typed": "own_check",
    "flowforge.config.check_entries:_Common": "check",
}
"""Classes that a part of a file is read into later, and what that part is called here."""

SAME: Mapping[str, str] = {
    "flowforge.config.sources:_BareTable": "the base of the class of tables; the short form has a row of its own",
}
"""Classes whose keys stand on the board under another class."""

READERS = ("structure", "structure_plain", "read")
"""The functions that read data into a class, which is their second argument."""


@attrs.frozen
class Key:
    """One spelling of one key. *later* says that the product refuses it by name."""

    id: str
    later: bool
    origin: str


def name_of(cls: type) -> str:
    """Module and name of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"


def read_classes(folder: Path = SOURCE) -> dict[str, type]:
    """All classes that the product reads files into, by their name, from the calls in its source."""
    found: dict[str, type] = {}
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text("utf-8")
        if "testkit" in path.parts or not any(f"{name}(" in text for name in READERS):
            continue
        parts = path.relative_to(folder.parent).with_suffix("").parts
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            named = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if named not in READERS or len(call.args) < 2:
                continue
            for name in (each.id for each in ast.walk(call.args[1]) if isinstance(each, ast.Name)):
                cls = getattr(module, name, None)
                if isinstance(cls, type) and attrs.has(cls):
                    found[name_of(cls)] = cls
    return found


@functools.cache
def walked() -> Mapping[str, Key]:
    """Every key that a class knows, in all of its spellings, and those that are refused by name."""
    areas: dict[str, str] = {}
    keys: dict[str, Key] = {}
    for area, cls in ROOTS.items():
        _enter(cls, area, area, areas, keys)
    for name, cls in read_classes().items():
        if name not in areas and name not in SAME:
            area = NAMED.get(name, name)
            _enter(cls, area, area, areas, keys)
    for key in ("engine", *ROOTS_OF_PROFILES):
        keys[f"profiles.yml/{key}"] = Key(f"profiles.yml/{key}", False, "profiles.yml")
    for key in getattr(profiles, "_LATER", ()):
        keys[f"profiles.yml/{key}"] = Key(f"profiles.yml/{key}", True, "profiles.yml")
    for settings in (DuckDBSettings, PostgresSettings):
        for field in attrs.fields(settings):
            if variable := field.metadata.get("env"):
                keys[f"variable/{variable}"] = Key(f"variable/{variable}", False, name_of(settings))
    for keyword in decorator_keywords():
        if f"model/{keyword}" not in keys:
            keys[f"decorator/{keyword}"] = Key(f"decorator/{keyword}", False, "decorators")
    return keys


ROOTS_OF_PROFILES = ("duckdb", "postgres")


def decorator_keywords() -> set[str]:
    """What the decorators' signatures offer to editors and type checkers."""
    found = set()
    for function in (*typing.get_overloads(model), engine_model):
        for name, parameter in _signature(function).items():
            if parameter not in ("positional", "variadic"):
                found.add(name)
    return found


def _signature(function: Any) -> dict[str, str]:
    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: "positional",
        inspect.Parameter.VAR_KEYWORD: "variadic",
        inspect.Parameter.VAR_POSITIONAL: "variadic",
    }
    return {name: kinds.get(each.kind, "keyword") for name, each in inspect.signature(function).parameters.items()}


def _enter(cls: type, area: str, file: str, areas: dict[str, str], keys: dict[str, Key]) -> None:
    """Note the keys of a class, and go down into those of its fields' types."""
    if name_of(cls) in areas:
        return
    areas[name_of(cls)] = area
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in attrs.fields(cls):
        if not field.init:
            continue
        key = field.alias or field.name
        for spelling in (key, *field.metadata.get("aliases", ())):
            keys[f"{area}/{spelling}"] = Key(f"{area}/{spelling}", False, name_of(cls))
        for inner in _classes(field.metadata.get("accepts") or hints[field.name]):
            place = f"{file}/{key}"
            taken = place in areas.values() and areas.get(name_of(inner)) != place
            _enter(inner, f"{area}/{key}" if taken else place, file, areas, keys)
    for key in getattr(cls, "later_keys", ()):
        keys[f"{area}/{key}"] = Key(f"{area}/{key}", True, name_of(cls))


def _classes(type_: Any) -> Iterator[type]:
    if isinstance(type_, type) and attrs.has(type_):
        yield type_
    for inner in get_args(type_):
        yield from _classes(inner)


def promised() -> set[str]:
    """The keys that users of the interface were promised: each acts, or is refused by name."""
    listed: Mapping[str, str] = YAML(typ="safe").load((FOLDER / "promised.yml").read_text("utf-8"))
    return {f"{area}/{key}" for area, words in listed.items() for key in words.split()}
