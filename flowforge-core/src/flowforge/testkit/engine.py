"""Finds the engine under test and makes its settings out of text."""

from __future__ import annotations

import importlib
import json
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from flowforge.config.flaws import StructureError
from flowforge.config.structure import read
from flowforge.contract import EngineSpec
from flowforge.errors import FlowForgeError

TMP = "{tmp}"
_ENV = re.compile(r"\{env:(\w+)\}")


def find_engine(name: str) -> EngineSpec:
    """The engine called *name* among the installed plugins, or the object at ``package.module:NAME``.

    Raises
    ------
    pytest.UsageError
        When there is none.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            spec = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as exc:
            raise pytest.UsageError(f"--ff-engine={name}: {exc}") from exc
        if not isinstance(spec, EngineSpec):
            raise pytest.UsageError(f"--ff-engine={name}: is no EngineSpec")
        return spec
    from flowforge.plugins import load_plugins

    try:
        return load_plugins().engine(name)
    except FlowForgeError as exc:
        raise pytest.UsageError(f"--ff-engine={name}: {exc}") from exc


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """``key=value`` texts into a mapping."""
    settings = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise pytest.UsageError(f"--ff-settings {pair}: write key=value")
        settings[key] = value
    return settings


def make_settings(spec: EngineSpec, texts: Mapping[str, str], tmp: str) -> Any:
    """An instance of the engine's settings class.

    Parameters
    ----------
    texts:
        Values as text; ``{tmp}`` in them becomes *tmp*, ``{env:NAME}`` the variable of that name. What is no text in
        the class is read as JSON.

    Raises
    ------
    pytest.UsageError
        When they do not fit the class, or a variable is not set.
    """
    hints = typing.get_type_hints(spec.settings)
    fields = {key: field for field in attrs.fields(spec.settings) for key in (field.name, *_aliases(field))}
    data: dict[str, Any] = {}
    for key, text in texts.items():
        value: Any = _ENV.sub(_from_environment, text).replace(TMP, tmp)
        hint = hints.get(fields[key].name) if key in fields else str
        if str not in _choices(hint):
            try:
                value = json.loads(value)
            except ValueError:
                pass  # stays text, and is refused below with the setting's name
        data[key] = value
    try:
        return read(data, spec.settings)
    except StructureError as exc:
        flaws = "; ".join(".".join(map(str, flaw.path)) + " " + flaw.text for flaw in exc.flaws)
        raise pytest.UsageError(f"settings of {spec.name}: {flaws}") from exc


def _choices(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type that it is."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _from_environment(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if not value:
        raise pytest.UsageError(f"the suite takes a setting from the variable {found[1]}, which is not set")
    return value


def _aliases(field: attrs.Attribute[Any]) -> tuple[str, ...]:
    return tuple(field.metadata.get("aliases", ()))
