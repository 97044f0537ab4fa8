"""An engine's settings from a profile's block and the environment: types, precedence and paths."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from flowforge.config.flaws import LISTS, MAPPINGS, MISSING_KEY, Flaw, StructureError, describe
from flowforge.config.profile_template import Rendered
from flowforge.config.structure import read
from flowforge.config.yaml import KeyPath
from flowforge.contract import EngineSpec
from flowforge.errors import ConfigFileError, Problems, ProfileError
from flowforge.frozen import frozen
from flowforge.values import Location

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

Locate = Callable[[KeyPath, bool], Location | None]


@frozen
class _Given:
    """Values for a settings class, and which of them came from a variable."""

    values: dict[str, Any]
    variables: dict[str, str]


def read_settings(
    spec: EngineSpec,
    block: Any,
    environ: Mapping[str, str],
    *,
    root: Path,
    locate: Locate,
    problems: Problems,
) -> Any:
    """An instance of ``spec.settings``; ``None`` when flaws went to *problems*.

    Parameters
    ----------
    block:
        What the profile says under the engine's name; a variable wins over it.
    root:
        Relative paths start here, and may not leave it.
    locate:
        The place of a key path inside *block*.
    """
    given = _Given(dict(block) if isinstance(block, Mapping) else {}, {})
    if block is not None and not isinstance(block, Mapping):
        problems.add(
            ConfigFileError(f"'{spec.name}' should be a mapping of settings", code="FF1005", location=locate((), False))
        )
        return None
    before = len(problems)
    _convert(spec, given, environ, locate, problems)
    if len(problems) > before:
        return None
    try:
        settings: Any = read(given.values, spec.settings)
    except StructureError as exc:
        for flaw in exc.flaws:
            problems.add(_error(spec, flaw, given, locate))
        return None
    return _resolve_paths(settings, given, root, locate, problems)


def _error(spec: EngineSpec, flaw: Flaw, given: _Given, locate: Locate) -> ConfigFileError | ProfileError:
    key = flaw.path[0] if flaw.path else None
    if key in given.variables:
        return ProfileError(f"the environment variable {given.variables[str(key)]}: {flaw.text}", code="FF1306")
    remedy = flaw.help
    if flaw.code == MISSING_KEY and flaw.key is not None:
        variable = next((field.metadata.get("env") for field in _fields(spec) if flaw.key in _keys(field)), None)
        remedy = f"write it under '{spec.name}:' in profiles.yml" + (f", or set {variable}" if variable else "")
        return ConfigFileError(
            f"the engine '{spec.name}' needs '{flaw.key}'",
            code=flaw.code,
            location=locate(flaw.path, False),
            help=remedy,
        )
    return ConfigFileError(flaw.text, code=flaw.code, location=locate(flaw.path, flaw.on_key), help=remedy)


def _fields(spec: EngineSpec) -> tuple[attrs.Attribute[Any], ...]:
    return tuple(field for field in attrs.fields(spec.settings) if field.init)


def _keys(field: attrs.Attribute[Any]) -> tuple[str, ...]:
    return (field.alias or field.name, *field.metadata.get("aliases", ()))


def _convert(spec: EngineSpec, given: _Given, environ: Mapping[str, str], locate: Locate, problems: Problems) -> None:
    """Put variables over the block, and give texts from variables and templates the type of their field."""
    hints = get_type_hints(spec.settings)
    for field in _fields(spec):
        keys = _keys(field)
        written = [key for key in keys if key in given.values]
        variable: str = field.metadata.get("env") or ""
        # An empty variable counts as not set: CI systems set every variable they know of.
        text = environ.get(variable, "") if variable else ""
        if text and len(written) <= 1:
            for key in written:
                del given.values[key]
            given.values[keys[0]] = text
            given.variables[keys[0]] = variable
            written = [keys[0]]
        for key in written:
            value = given.values[key]
            from_variable = key in given.variables
            if not from_variable and not isinstance(value, Rendered):
                given.values[key] = _plain(value)
                continue
            try:
                given.values[key] = from_text(str(value), hints.get(field.name, str))
            except ValueError as exc:
                shown = "" if field.metadata.get("secret") else f", found '{str(value)[:40]}'"
                subject = f"the environment variable {variable}" if from_variable else f"'{key}'"
                problems.add(
                    ProfileError(
                        f"{subject} {exc}{shown}",
                        code="FF1306",
                        location=None if from_variable else locate((key,), False),
                    )
                )


def _plain(value: Any) -> Any:
    """Values further inside keep no mark of where they came from."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Rendered) else value


def from_text(text: str, type_: Any) -> Any:
    """A text from the environment as a value of a field's type.

    Booleans are ``1 0 true false yes no on off``; lists are separated by commas. Types that YAML gives as texts stay
    texts.

    Raises
    ------
    ValueError
        With "should be ..." as its message.
    """
    origin: Any = get_origin(type_)
    if origin in (Union, types.UnionType):
        for member in (arg for arg in get_args(type_) if arg is not type(None)):
            try:
                return from_text(text, member)
            except ValueError:
                continue
        raise ValueError(f"should be {describe(type_)}")
    plain = origin or type_
    word = text.strip()
    if plain is bool:
        if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
        raise ValueError(f"should be {describe(type_)}")
    if plain in (int, float):
        try:
            return plain(word)
        except ValueError:
            raise ValueError(f"should be {describe(type_)}") from None
    if plain in LISTS:
        item = (get_args(type_) or (str,))[0]
        return [from_text(part.strip(), item) for part in word.split(",") if part.strip()]
    if plain in MAPPINGS or attrs.has(plain):
        raise ValueError(f"should be {describe(type_)}, which no variable can give")
    return text


def _resolve_paths(settings: Any, given: _Given, root: Path, locate: Locate, problems: Problems) -> Any:
    changes: dict[str, Any] = {}
    before = len(problems)
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        if not field.metadata.get("path") or not isinstance(value, (str, Path)):
            continue
        try:
            changes[field.alias or field.name] = type(value)(resolve_path(str(value), root))
        except ValueError as exc:
            key = next((key for key in _keys(field) if key in given.values), field.name)
            variable = given.variables.get(key)
            problems.add(
                ProfileError(
                    f"{f'the environment variable {variable}' if variable else f'{key!r}'} {exc}",
                    code="FF1307",
                    location=None if variable else locate((key,), False),
                    help="use an absolute path for a place outside of the project",
                )
            )
    if len(problems) > before:
        return None
    return attrs.evolve(settings, **changes) if changes else settings


def resolve_path(value: str, root: Path) -> str:
    """A setting's path, made absolute from the project folder *root*.

    ``:memory:``, URLs and absolute paths (also by ``~``) stay as they are.

    Raises
    ------
    ValueError
        With a message for users, when a relative path is empty, or leaves the project by ``..`` or a symbolic link.
    """
    if value.startswith(":memory:") or "://" in value:
        return value
    if not value.strip():
        raise ValueError("is empty")
    if "\x00" in value:
        raise ValueError("contains a NUL character")
    expanded = os.path.expanduser(value)
    if os.path.isabs(expanded):
        return expanded
    home = os.path.realpath(root)
    if not Path(os.path.realpath(os.path.join(home, expanded))).is_relative_to(home):
        raise ValueError("is outside the project")
    path = os.path.join(os.path.abspath(root), expanded)
    # `..` behind a link means another folder than it seems: what was checked is what has to be used.
    return os.path.realpath(path) if os.pardir in Path(expanded).parts else path
