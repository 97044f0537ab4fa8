"""JSON Schemas of attrs classes, for editors: which keys a YAML file may hold, and of which kind their values are.

Made from the same classes that the files are read into, so that the two cannot differ.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from flowforge.config.flaws import LISTS, MAPPINGS

Schema = dict[str, Any]

_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string"},
    bytes: {"type": "string"},
    decimal.Decimal: {"type": ["number", "string"]},
    dt.date: {"type": "string", "format": "date"},
    dt.datetime: {"type": "string"},
    type(None): {"type": "null"},
}


def schema_of(type_: Any) -> Schema:
    """The schema of one type.

    Parameters
    ----------
    type_:
        Anything that a field of a class that is read from files may be annotated with.
    """
    origin: Any = get_origin(type_)
    arguments = get_args(type_)
    if type_ in (Any, object):
        return {}
    if type_ in _SCALARS:
        return dict(_SCALARS[type_])
    if origin is Annotated:
        return schema_of(arguments[0])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _either([schema_of(one) for one in arguments])
    plain = origin or type_
    if plain in LISTS:
        items = [one for one in arguments if one is not Ellipsis]
        return {"type": "array", **({"items": schema_of(items[0])} if items and items[0] is not Any else {})}
    if plain in MAPPINGS:
        values = schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    if isinstance(plain, type) and issubclass(plain, enum.Enum):
        return {"enum": [member.value for member in plain]}
    if isinstance(plain, type) and attrs.has(plain):
        return class_schema(plain)
    raise TypeError(f"a field of type {type_} cannot come from a file")


def class_schema(cls: type, *, without: frozenset[str] = frozenset()) -> Schema:
    """The schema of a mapping that is read into *cls*; keys of later versions are left out, as they are refused."""
    properties = property_schemas(cls, without=without)
    needed = [
        attribute.alias or attribute.name
        for attribute in _fields(cls)
        if attribute.default is attrs.NOTHING and not attribute.metadata.get("aliases")
    ]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def property_schemas(cls: type, *, without: frozenset[str] = frozenset()) -> dict[str, Schema]:
    """The schema of each key of *cls*, under all of its spellings."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found: dict[str, Schema] = {}
    for attribute in _fields(cls):
        key = attribute.alias or attribute.name
        if key in without:
            continue
        schema = schema_of(attribute.metadata.get("accepts") or hints.get(attribute.name, Any))
        about = attribute.metadata.get("help")
        if about:
            schema["description"] = about
        for name in (key, *attribute.metadata.get("aliases", ())):
            found[name] = schema
    return found


def _fields(cls: type) -> list[attrs.Attribute[Any]]:
    return [attribute for attribute in attrs.fields(cls) if attribute.init]


def _either(schemas: list[Schema]) -> Schema:
    """One of several; plain types are joined into a list, as people write it."""
    unique = [schema for index, schema in enumerate(schemas) if schema not in schemas[:index]]
    if len(unique) == 1:
        return unique[0]
    if {} in unique:
        return {}
    if all(set(schema) == {"type"} for schema in unique):
        names = [name for schema in unique for name in _names(schema["type"])]
        return {"type": list(dict.fromkeys(names))}
    return {"anyOf": unique}


def _names(type_: str | list[str]) -> list[str]:
    return [type_] if isinstance(type_, str) else type_
