"""The JSON Schemas of all YAML files of a project, from the classes that the files are read into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flowforge.config import contracts
from flowforge.config import project as project_file
from flowforge.config import properties as properties_file
from flowforge.config import sources as sources_file
from flowforge.config.json_schema import Schema, class_schema, property_schemas
from flowforge.contract import EngineSpec
from flowforge.project.model_config import MODEL_KEYS
from flowforge.seeds import schema_file
from flowforge.seeds import settings as seed_settings
from flowforge.seeds.csv_options import CsvOptions
from flowforge.utest import files as unit_files

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


FOLDER = ".flowforge/schemas"
"""Where the files of a new project look for them."""


def write_schemas(folder: Path, engines: Mapping[str, EngineSpec]) -> list[Path]:
    """Write all schemas into *folder*, and return their paths; for *engines* see :func:`schemas`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas(engines).items():
        path = folder / name
        path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        written.append(path)
    return written


def schemas(engines: Mapping[str, EngineSpec]) -> dict[str, Schema]:
    """All schemas, by the name of the file that each is written to.

    Parameters
    ----------
    engines:
        Those that are installed; their settings are what a profile may say.
    """
    made = {
        "project": _project(),
        "profiles": _profiles(engines),
        "sources": _sources(),
        "models": class_schema(properties_file.FILE),
        "seeds": class_schema(schema_file.FILE),
        "unit_tests": _unit_tests(),
        "contracts": class_schema(contracts.SHARED_FILE),
        "table_contracts": class_schema(contracts.FILE),
    }
    return {
        f"{name}.schema.json": {"$schema": _DRAFT, "title": f"FlowForge: {name}", **schema}
        for name, schema in made.items()
    }


def _project() -> Schema:
    """``project.yml``; below ``models:`` a tree of folders, whose settings have a ``+`` or not."""
    settings = property_schemas(MODEL_KEYS)
    folder = _folder(settings, "folder")
    schema = class_schema(project_file.FILE)
    overlay = {"type": "object", "additionalProperties": settings["incremental"]}
    schema["properties"]["models"] = {
        **folder,
        "properties": {**folder["properties"], "incremental": {"anyOf": [{"$ref": "#/$defs/folder"}, overlay]}},
    }
    of_seeds = {
        **{key: schema for key, schema in settings.items() if key in seed_settings.SHARED},
        **property_schemas(seed_settings.SeedOnly),
        **property_schemas(CsvOptions),
    }
    seeds = _folder(of_seeds, "folder_of_seeds")
    schema["properties"]["seeds"] = seeds
    return {**schema, "$defs": {"folder": folder, "folder_of_seeds": seeds}}


def _unit_tests() -> Schema:
    """A file of ``tests/unit``; what a case does not say may stand under ``defaults``."""
    schema, case = class_schema(unit_files.FILE), class_schema(unit_files.CASE)
    case["required"] = ["name"]
    schema["properties"]["cases"] = {"type": "array", "items": case}
    return schema


def _folder(settings: Mapping[str, Schema], name: str) -> Schema:
    """A level of a tree; *name* is that of this definition."""
    plain = {key: schema for key, schema in settings.items() if schema.get("type") != "object"}
    return {
        "type": ["object", "null"],
        "properties": {**plain, **{f"+{key}": schema for key, schema in settings.items()}},
        "additionalProperties": {"$ref": f"#/$defs/{name}"},
    }


def _sources() -> Schema:
    """``sources.yml`` in its two forms."""
    bare = {"type": "object", "additionalProperties": {"type": ["object", "null"], **_table()}}
    return {
        "if": {"anyOf": [{"required": ["sources"]}, {"required": ["version"]}]},
        "then": class_schema(sources_file.FILE),
        "else": {"type": "object", "additionalProperties": bare},
    }


def _table() -> Schema:
    table = class_schema(sources_file.BARE_TABLE)
    table.pop("type")
    return table


def _profiles(engines: Mapping[str, EngineSpec]) -> Schema:
    """``profiles.yml``: any value may be a template."""
    names: list[str] = []
    blocks: dict[str, Schema] = {}
    for spec in engines.values():
        names += [spec.name, *spec.aliases]
        block = _templated(class_schema(spec.settings))
        block.pop("required", None)  # a variable of the environment may give it
        for name in (spec.name, *spec.aliases):
            blocks[name] = block
    profile = {
        "type": "object",
        "properties": {"engine": {"anyOf": [{"enum": sorted(names)}, _TEMPLATE]}, **blocks},
        "additionalProperties": False,
    }
    return {"type": "object", "additionalProperties": profile}


_TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{"}


def _templated(schema: Schema) -> Schema:
    """*schema*, whose values may all be templates instead."""
    properties = {
        key: value if value.get("type") == "string" or not value else {"anyOf": [value, _TEMPLATE]}
        for key, value in schema["properties"].items()
    }
    return {**schema, "properties": properties}
