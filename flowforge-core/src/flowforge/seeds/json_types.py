"""The type that a JSON value needs, and that many of them need together; values in that type.

Knows plain values as :mod:`flowforge.seeds.json_lines` gives them. One value at a time: columns of plain values have a
faster way in :mod:`flowforge.seeds.json_reader`, and come here only when they hold lists or objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flowforge.frozen import frozen
from flowforge.seeds.infer import Kind, Shape, join, type_for

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST = 400
"""Numbers with more digits are written with an exponent, so that one value cannot fill the memory."""


class ClashError(Exception):
    """Two values have no type in common."""


@frozen
class ListOf:
    """A list; ``None`` inside: nothing is known of its items."""

    item: Any = None


@frozen
class Fields:
    """An object."""

    fields: Mapping[str, Any]


JsonType = Shape | ListOf | Fields | None


def type_of(value: Any) -> JsonType:
    """The type of one value; ``None`` for null.

    Raises
    ------
    ClashError
        When the items of a list have no common type.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return Shape(Kind.BOOLEAN)
    if isinstance(value, (int, Decimal)):
        return _number(value)
    if isinstance(value, str):
        return Shape(Kind.TEXT)
    if isinstance(value, list):
        item: JsonType = None
        for one in value:
            item = together(item, type_of(one))
        return ListOf(item)
    return Fields({key: type_of(inner) for key, inner in value.items()})


def together(one: JsonType, other: JsonType) -> JsonType:
    """The type that holds the values of both.

    Raises
    ------
    ClashError
        When there is none.
    """
    if one is None or other is None or one == other:
        return one if other is None else other
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        return ListOf(together(one.item, other.item))
    if isinstance(one, Fields) and isinstance(other, Fields):
        names = dict.fromkeys((*one.fields, *other.fields))
        return Fields({name: together(one.fields.get(name), other.fields.get(name)) for name in names})
    if isinstance(one, Shape) and isinstance(other, Shape) and one.kind is other.kind:
        return join(one, other)
    raise ClashError


def words(type_: JsonType) -> str:
    """What messages call it."""
    if isinstance(type_, ListOf):
        return "a list"
    if isinstance(type_, Fields):
        return "an object"
    kind = type_.kind if type_ is not None else None
    return {Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false", None: "null"}.get(kind, "a text")


def arrow_of(type_: JsonType) -> pa.DataType:
    """The Arrow type; text where nothing is known. An object without keys has none, and is text as well."""
    import pyarrow as pa

    if isinstance(type_, ListOf):
        return pa.list_(arrow_of(type_.item))
    if isinstance(type_, Fields):
        if not type_.fields:
            return pa.string()
        return pa.struct([pa.field(name, arrow_of(inner)) for name, inner in type_.fields.items()])
    return type_for(type_)


def fitted(value: Any, type_: pa.DataType) -> Any:
    """*value* as Arrow wants it for *type_*."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_list(type_):
        return [fitted(item, type_.value_type) for item in value]
    if pa.types.is_struct(type_):
        return {field.name: fitted(value.get(field.name), field.type) for field in type_}
    if pa.types.is_floating(type_):
        return float(value)
    if pa.types.is_integer(type_):
        return int(value)
    if pa.types.is_decimal(type_):
        return Decimal(value)
    return as_text(value) if pa.types.is_string(type_) else value


def as_text(value: Any) -> str | None:
    """*value* as text: texts as they are, numbers without rounding, lists and objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f") if -LONGEST < value.adjusted() < LONGEST and _places(value) < LONGEST else str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_json(one)}" for key, one in value.items()) + "}"
        )
    return json.dumps(value, ensure_ascii=False)


def _number(value: int | Decimal) -> Shape:
    text = _json(value)
    whole, _, decimals = text.lstrip("-").partition(".")
    if "E" in whole or "E" in decimals:
        return Shape(Kind.NUMBER, digits=LONGEST, scale=1)
    try:
        same = Decimal(repr(float(value))) == value
    except OverflowError:
        same = False
    return Shape(
        Kind.NUMBER,
        digits=len(whole),
        scale=len(decimals),
        int64=not decimals and -(2**63) <= value < 2**63,
        float64=same,
    )


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
