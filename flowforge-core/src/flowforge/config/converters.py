"""The functions that turn plain data into values, one for each kind of type; cattrs finds the right one.

Strict: no text becomes a number, ``true`` is no number, one text is no list. Every function goes on after a flaw.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import types
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from flowforge.config.attrs_classes import Hook, class_hook
from flowforge.config.flaws import LISTS, MAPPINGS, WRONG_VALUE, Flaw, StructureError, wrong


@functools.cache
def converter() -> cattrs.BaseConverter:
    """The converter; made on first use and never changed afterwards."""
    made = cattrs.BaseConverter()
    for scalar in (str, int, float, bool, bytes, Path, decimal.Decimal, dt.date, dt.datetime, enum.Enum):
        made.register_structure_hook(scalar, _scalar)
    made.register_structure_hook_factory(_is_unknown, _refuse_type)
    made.register_structure_hook_func(lambda type_: type_ in (Any, object), lambda value, _: value)
    made.register_structure_hook_func(lambda type_: type_ is type(None), _nothing)
    made.register_structure_hook_func(lambda type_: origin_of(type_) is Literal, _literal)
    made.register_structure_hook_factory(lambda type_: (origin_of(type_) or type_) in LISTS, _list_hook)
    made.register_structure_hook_factory(lambda type_: (origin_of(type_) or type_) in MAPPINGS, _mapping_hook)
    made.register_structure_hook_factory(lambda type_: origin_of(type_) in (Union, types.UnionType), _union_hook)
    made.register_structure_hook_factory(
        lambda type_: origin_of(type_) is Annotated, lambda type_: hook_of(get_args(type_)[0])
    )
    made.register_structure_hook_factory(
        lambda type_: isinstance(type_, type) and attrs.has(type_), lambda cls: class_hook(cls, hook_of)
    )
    return made


def hook_of(type_: Any) -> Hook:
    hook: Hook = converter().get_structure_hook(type_)
    return lambda value, _: hook(value, type_)


def origin_of(type_: Any) -> Any:
    """``typing.get_origin`` for any type, whatever its stub says."""
    return get_origin(type_)


def _is_unknown(type_: Any) -> bool:
    return True


def _refuse_type(type_: Any) -> Hook:
    raise TypeError(f"a field of type {type_} cannot come from a file")


def _nothing(value: Any, type_: Any) -> None:
    if value is not None:
        raise wrong(type_, value)


def _literal(value: Any, type_: Any) -> Any:
    for allowed in get_args(type_):
        if type(allowed) is type(value) and allowed == value:
            return value
    import difflib

    texts = [allowed for allowed in get_args(type_) if isinstance(allowed, str)]
    close = difflib.get_close_matches(value, texts, n=1) if isinstance(value, str) else []
    raise wrong(type_, value, f"did you mean '{close[0]}'?" if close else None)


def _scalar(value: Any, type_: Any) -> Any:
    if issubclass(type_, enum.Enum):
        return type_(_literal(value, Literal[tuple(member.value for member in type_)]))
    if type_ is bool:
        if isinstance(value, bool):
            return value
        words = isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "true", "false")
        raise wrong(type_, value, "write true or false, without quotes" if words else None)
    if isinstance(value, bool) or value is None:
        raise wrong(type_, value)
    if type_ is str:
        if isinstance(value, str):
            return value
        raise wrong(type_, value, "put it in quotes" if isinstance(value, (int, float)) else None)
    if type_ is int:
        if isinstance(value, int):
            return value
        raise wrong(type_, value, "write it without quotes" if isinstance(value, str) and value.isdigit() else None)
    if type_ is float:
        if isinstance(value, (int, float)):
            try:
                return float(value)
            except OverflowError:
                raise wrong(type_, value) from None
        raise wrong(type_, value)
    return _from_text(value, type_)


def _from_text(value: Any, type_: Any) -> Any:
    """Types that YAML has no scalar for, written as texts."""
    if isinstance(value, type_):
        return value
    try:
        if type_ is decimal.Decimal and isinstance(value, (int, float, str)):
            return decimal.Decimal(str(value))
        if isinstance(value, str) and "\x00" not in value:
            if type_ is Path:
                return Path(value)
            if type_ in (dt.date, dt.datetime):
                return type_.fromisoformat(value)
    except (ValueError, decimal.InvalidOperation):
        pass  # reported below, like any other value that does not fit
    raise wrong(type_, value)


def _list_hook(type_: Any) -> Hook:
    origin, args = origin_of(type_) or type_, get_args(type_)
    pairs = origin is tuple and bool(args) and args[-1] is not Ellipsis
    hooks = [hook_of(arg) for arg in args if arg is not Ellipsis] or [lambda value, _: value]
    make: Any = tuple if origin is tuple else list
    if origin in (set, frozenset, AbstractSet):
        make = set if origin is set else frozenset

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)) and not (isinstance(value, AbstractSet) and origin is not tuple):
            one = isinstance(value, (str, int, float)) and not isinstance(value, bool)
            raise wrong(type_, value, "put it in a list: [...]" if one else None)
        if pairs and len(value) != len(args):
            raise StructureError(
                [Flaw(f"should be a list of {len(args)} values", WRONG_VALUE, detail=f", found {len(value)}")]
            )
        items: list[Any] = []
        flaws: list[Flaw] = []
        for index, item in enumerate(value):
            try:
                items.append(hooks[index if pairs else 0](item, None))
            except StructureError as exc:
                flaws.extend(flaw.under(index) for flaw in exc.flaws)
        if flaws:
            raise StructureError(flaws)
        try:
            return make(items)
        except TypeError:
            raise wrong(type_, value) from None

    return hook


def _mapping_hook(type_: Any) -> Hook:
    key_type, item_type = get_args(type_) or (Any, Any)
    key_hook, item_hook = hook_of(key_type), hook_of(item_type)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise wrong(type_, value)
        result: dict[Any, Any] = {}
        flaws: list[Flaw] = []
        for key, item in value.items():
            try:
                name = key_hook(key, None)
            except StructureError as exc:
                flaws.extend(
                    Flaw(f"the key {key} {flaw.message}", WRONG_VALUE, (key,), on_key=True, help=flaw.help)
                    for flaw in exc.flaws
                )
                continue
            try:
                result[name] = item_hook(item, None)
            except StructureError as exc:
                flaws.extend(flaw.under(key) for flaw in exc.flaws)
        if flaws:
            raise StructureError(flaws)
        return result

    return hook


def _union_hook(type_: Any) -> Hook:
    members = get_args(type_)
    hooks = [hook_of(member) for member in members]

    def hook(value: Any, _: Any) -> Any:
        if type(value) in members:
            return hooks[members.index(type(value))](value, None)
        inner: StructureError | None = None
        for member_hook in hooks:
            try:
                return member_hook(value, None)
            except StructureError as exc:
                # A flaw further inside means that the shape was right: that is the member that was meant.
                if any(flaw.path or flaw.code != WRONG_VALUE for flaw in exc.flaws):
                    inner = inner or exc
                elif len(members) == 2 and type(None) in members and value is not None:
                    inner = inner or (exc if member_hook is not hooks[members.index(type(None))] else None)
        raise inner or wrong(type_, value)

    return hook
