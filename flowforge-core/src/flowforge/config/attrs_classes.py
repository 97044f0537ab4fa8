"""Mappings into instances of attrs classes.

What a class may say about a field (``metadata``):

``aliases``
    Other spellings of the key; giving two of them is an error.
``accepts``
    The type to read instead of the annotation, when a converter makes one out of the other (``str | list[str]``).
``secret``
    The value never appears in a message.

A class may carry ``later_keys``, keys that are known and not supported yet: they are refused unless they are empty. As
a mapping it gives a help for each of them.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union, get_args, get_origin

import attrs

from flowforge.config.flaws import (
    LATER_KEY,
    LISTS,
    MAPPINGS,
    MISSING_KEY,
    UNKNOWN_KEY,
    WRONG_VALUE,
    Flaw,
    StructureError,
    nearest,
    wrong,
)
from flowforge.frozen import frozen

Hook = Callable[[Any, Any], Any]
"""Called with a value; the second argument says nothing."""


@frozen
class _Field:
    """One field; *key* is its first spelling in YAML and its name in the constructor."""

    attribute: attrs.Attribute[Any]
    key: str
    hook: Hook
    secret: bool
    collection: bool

    @property
    def required(self) -> bool:
        return self.attribute.default is attrs.NOTHING


def class_hook(cls: Any, hook_of: Callable[[Any], Hook]) -> Hook:
    """The function that makes instances of *cls*; *hook_of* finds those for the types of its fields."""

    # Fields are looked at on first use, so that a class may refer to itself.
    @functools.cache
    def fields() -> tuple[dict[str, _Field], list[_Field]]:
        return _fields(cls, hook_of)

    later = _later_keys(cls)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            if isinstance(value, cls):
                return value
            raise wrong(cls, value)
        by_key, required = fields()
        arguments: dict[str, Any] = {}
        given: dict[str, Any] = {}
        flaws: list[Flaw] = []
        for key, item in value.items():
            field = by_key.get(key)
            if field is None:
                if key not in later or item not in (None, {}, [], ()):
                    flaws.append(_stray_key(key, later, by_key))
                continue
            if field.key in given:
                other = given[field.key]
                flaws.append(
                    Flaw(f"'{key}' and '{other}' mean the same", UNKNOWN_KEY, (key,), True, help=f"keep '{other}' only")
                )
                continue
            given[field.key] = key
            if item is None and field.collection and not field.required:
                continue
            try:
                arguments[field.key] = field.hook(item, None)
            except StructureError as exc:
                flaws.extend((_without_value(flaw) if field.secret else flaw).under(key) for flaw in exc.flaws)
        flaws += [
            Flaw(f"the key '{field.key}' is missing", MISSING_KEY, key=field.key)
            for field in required
            if field.key not in given
        ]
        if flaws:
            raise StructureError(flaws)
        try:
            return cls(**arguments)
        except (ValueError, TypeError) as exc:
            raise StructureError(_rejected(cls, by_key, arguments, given, exc)) from None

    return hook


def _fields(cls: Any, hook_of: Callable[[Any], Hook]) -> tuple[dict[str, _Field], list[_Field]]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as exc:
        raise TypeError(f"the types of {cls.__qualname__} cannot be looked up when the program runs: {exc}") from exc
    by_key: dict[str, _Field] = {}
    required: list[_Field] = []
    for attribute in attrs.fields(cls):
        if not attribute.init:
            continue
        type_ = attribute.metadata.get("accepts") or hints.get(attribute.name, Any)
        key = attribute.alias or attribute.name
        field = _Field(
            attribute,
            key,
            hook_of(type_),
            bool(attribute.metadata.get("secret")),
            _is_collection(type_),
        )
        for name in (key, *attribute.metadata.get("aliases", ())):
            by_key[name] = field
        if field.required:
            required.append(field)
    return by_key, required


def _is_collection(type_: Any) -> bool:
    """May a list or mapping stand here, so that a key with nothing behind it reads as an empty one?"""
    plain: Any = get_origin(type_) or type_
    if plain in (Union, types.UnionType):
        members = get_args(type_)
        return type(None) not in members and any(_is_collection(member) for member in members)
    return plain in LISTS or plain in MAPPINGS or (isinstance(plain, type) and attrs.has(plain))


def _later_keys(cls: Any) -> Mapping[str, str]:
    declared = getattr(cls, "later_keys", ())
    return declared if isinstance(declared, Mapping) else dict.fromkeys(declared, "")


_CLOSING, _OPENING = (")", "]", ">"), ("(", "[", "<")


def _stray_key(key: Any, later: Mapping[str, str], known: Iterable[str]) -> Flaw:
    if not isinstance(key, str):
        return Flaw(f"the key {key} should be a text", WRONG_VALUE, (key,), True, help="put it in quotes")
    if key in later:
        remedy = later[key] or "remove it for now"
        return Flaw(f"'{key}' is not supported yet by this version", LATER_KEY, (key,), True, help=remedy)
    if key.endswith(_CLOSING) and not key.startswith(_OPENING):
        help = "a comma inside of {...} begins a new key; put what belongs together in quotes: 'numeric(10,2)'"
        return Flaw(f"unknown key '{key}'", UNKNOWN_KEY, (key,), True, help=help, key=key)
    names = sorted(known)
    listed = f"keys that can stand here: {', '.join(names)}" if 0 < len(names) <= 20 else None
    return Flaw(f"unknown key '{key}'", UNKNOWN_KEY, (key,), True, help=nearest(key, names) or listed, key=key)


def _without_value(flaw: Flaw) -> Flaw:
    return attrs.evolve(flaw, detail="")


def _rejected(
    cls: Any, by_key: Mapping[str, _Field], arguments: Mapping[str, Any], given: Mapping[str, str], exc: Exception
) -> list[Flaw]:
    """Which fields a validator or converter rejected; the whole mapping when none alone is to blame."""
    probe = object.__new__(cls)
    for attribute in attrs.fields(cls):
        default: Any = attribute.default
        if isinstance(default, attrs.Factory) and not default.takes_self:  # type: ignore[arg-type]
            default = default.factory()
        object.__setattr__(probe, attribute.name, arguments.get(attribute.alias or attribute.name, default))
    flaws = []
    secrets = False
    for field in {id(field): field for field in by_key.values()}.values():
        secrets = secrets or field.secret
        if field.key not in given:
            continue
        reason = _rejection(field.attribute, probe)
        if reason is not None:
            shown = "is not valid" if field.secret else f"is not valid: {reason}"
            flaws.append(Flaw(shown, WRONG_VALUE, (given[field.key],)))
    if not flaws:
        flaws.append(Flaw("these keys do not go together" if secrets else _reason(exc), MISSING_KEY))
    return flaws


def _rejection(attribute: attrs.Attribute[Any], probe: Any) -> str | None:
    value = getattr(probe, attribute.name)
    try:
        convert: Any = attribute.converter
        if convert is not None and not isinstance(convert, attrs.Converter):
            value = convert(value)
            object.__setattr__(probe, attribute.name, value)
        if attribute.validator is not None:
            attribute.validator(probe, attribute, value)
    except (ValueError, TypeError) as exc:
        return _reason(exc)
    return None


def _reason(exc: Exception) -> str:
    """The message of an exception; attrs' own validators put further arguments behind it."""
    return str(exc.args[0]) if exc.args else type(exc).__name__
