"""Type cases: data files with an Arrow type and values, and how what comes back is compared with them."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flowforge.contract import Capability, EngineSpec, SupportLevel
from flowforge.frozen import frozen

_HEAD = re.compile(r"(\w+)\s*<(.*)>$", re.DOTALL)
_ARGUMENTS = re.compile(r"(decimal128|decimal256|binary)\s*\((.*)\)$")


@frozen
class TypeCase:
    """Values of one type.

    Parameters
    ----------
    required:
        Every engine has to keep them; else it may refuse the type, but never change a value.
    requires:
        Or has to keep them when it claims these capabilities.
    literals:
        Whether the dialect's literals are compared with them as well.
    limited:
        Whether an engine that claims the capabilities in part may refuse them.
    """

    id: str
    type: pa.DataType
    values: Sequence[Any]
    required: bool
    requires: tuple[Capability, ...]
    literals: bool
    limited: bool = False

    @property
    def array(self) -> pa.Array:
        """The values as they are loaded."""
        return pa.array(self.values, self.type)

    def may_be_refused(self, spec: EngineSpec) -> bool:
        """Whether an engine may have no place for them, as long as it says so."""
        partial = any(spec.support(one).level is SupportLevel.PARTIAL for one in self.requires)
        return not self.required and (not self.requires or (self.limited and partial))


def read_cases(folder: Path) -> list[TypeCase]:
    """All cases of the ``*.toml`` files of a folder, in order of their names."""
    cases = []
    for file in sorted(folder.glob("*.toml")):
        for raw in tomllib.loads(file.read_text("utf-8"))["case"]:
            type_ = parse_type(raw["type"])
            cases.append(
                TypeCase(
                    id=f"{file.stem}-{raw['name']}",
                    type=type_,
                    values=[parse_value(value, type_) for value in json.loads(raw["values"])],
                    required=raw.get("required", False),
                    requires=tuple(Capability(name) for name in raw.get("requires", ())),
                    literals=raw.get("literals", False),
                    limited=raw.get("limited", False),
                )
            )
    return cases


@frozen
class RowPair:
    """The rows of two tables of one column, which are not the same."""

    id: str
    type: pa.DataType
    one: Sequence[Any]
    other: Sequence[Any]
    requires: tuple[Capability, ...]


def read_pairs(folder: Path) -> list[RowPair]:
    """All pairs of the ``*.toml`` files of a folder, in order of their names."""
    pairs = []
    for file in sorted(folder.glob("*.toml")):
        for raw in tomllib.loads(file.read_text("utf-8"))["pair"]:
            type_ = parse_type(raw["type"])
            one, other = ([parse_value(value, type_) for value in json.loads(raw[key])] for key in ("one", "other"))
            requires = tuple(Capability(name) for name in raw.get("requires", ()))
            pairs.append(RowPair(raw["name"], type_, one, other, requires))
    return pairs


def parse_type(text: str) -> pa.DataType:
    """An Arrow type from its name: ``int64``, ``decimal128(18, 4)``, ``list<int32>``, ``struct<a: int32, b: string>``."""
    text = text.strip()
    if match := _ARGUMENTS.match(text):
        numbers = [int(part) for part in match[2].split(",")]
        return getattr(pa, match[1])(*numbers)
    if text.startswith("timestamp[") and "," in text:
        unit, _, zone = text[len("timestamp[") : -1].partition(",")
        return pa.timestamp(unit.strip(), zone.strip())
    if match := _HEAD.match(text):
        word, inner = match[1], _split(match[2])
        if word == "struct":
            return pa.struct([(name.strip(), parse_type(rest)) for name, _, rest in (p.partition(":") for p in inner)])
        if word == "map":
            return pa.map_(parse_type(inner[0]), parse_type(inner[1]))
        if word == "dictionary":
            return pa.dictionary(pa.int32(), parse_type(inner[0]))
        return {"list": pa.list_, "large_list": pa.large_list}[word](parse_type(inner[0]))
    return pa.null() if text == "null" else pa.type_for_alias(text)


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<([") - (character in ">)]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def parse_value(value: Any, type_: pa.DataType) -> Any:
    """A value of JSON as the Python value that Arrow makes *type_* of."""
    types = pa.types
    if value is None:
        return None
    if types.is_dictionary(type_):
        return parse_value(value, type_.value_type)
    if types.is_decimal(type_):
        return decimal.Decimal(value)
    if types.is_floating(type_):
        return float(value)
    if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
        return bytes.fromhex(value)
    if types.is_date(type_):
        return dt.date.fromisoformat(value)
    if types.is_timestamp(type_):
        return dt.datetime.fromisoformat(value)
    if types.is_time(type_):
        return dt.time.fromisoformat(value)
    if types.is_interval(type_):
        return pa.MonthDayNano(value)
    if types.is_map(type_):
        return [(parse_value(key, type_.key_type), parse_value(item, type_.item_type)) for key, item in value]
    if types.is_struct(type_):
        return {field.name: parse_value(value[field.name], field.type) for field in type_}
    if types.is_nested(type_):
        return [parse_value(item, type_.value_type) for item in value]
    return value


def family(type_: pa.DataType) -> str:
    """What may not change on the way through an engine; widths may."""
    types = pa.types
    if types.is_dictionary(type_):
        return family(type_.value_type)
    if types.is_integer(type_):
        return "integer"
    if types.is_floating(type_):
        return "floating"
    if types.is_decimal(type_):
        return f"decimal of scale {type_.scale}" if type_.scale else "integer"
    if types.is_boolean(type_):
        return "boolean"
    if types.is_date(type_):
        return "date"
    if types.is_time(type_):
        return "time"
    if types.is_timestamp(type_):
        return "timestamp with time zone" if type_.tz else "timestamp"
    if types.is_struct(type_):
        return "struct(" + ", ".join(f"{field.name}: {family(field.type)}" for field in type_) + ")"
    if types.is_map(type_):
        return f"map({family(type_.key_type)}, {family(type_.item_type)})"
    if types.is_nested(type_):
        return f"list({family(type_.value_type)})"
    text = types.is_string(type_) or types.is_large_string(type_)
    binary = types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_)
    return "text" if text else "binary" if binary else str(type_)


def is_kept(type_: pa.DataType, actual: pa.DataType, *, wider: bool = False) -> bool:
    """Whether nothing of a type was lost on the way; *wider*: decimals may come back with more digits behind the point.

    A column of nothing but NULL has no type to keep.
    """
    types = pa.types
    if wider and types.is_decimal(type_) and types.is_decimal(actual) and actual.scale >= type_.scale:
        return True
    return types.is_null(type_) or family(actual) == family(type_)


def differences(case: TypeCase, actual: pa.ChunkedArray, *, wider: bool = False) -> str | None:
    """What is wrong with the rows that came back, in the order in which they were loaded; ``None``: nothing.

    *wider* as for :func:`is_kept`; the values are the same all the same.
    """
    if not is_kept(case.type, actual.type, wider=wider):
        return f"{case.type} came back as {actual.type}"
    found = [comparable(value) for value in actual.to_pylist()]
    expected = [comparable(value) for value in case.array.to_pylist()]
    return None if found == expected else f"{expected} came back as {found}"


def comparable(value: Any) -> Any:
    """*value* in a form in which only what is the same to the last bit is equal; all NaNs are one."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else (value, math.copysign(1.0, value))
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC)
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    return value
