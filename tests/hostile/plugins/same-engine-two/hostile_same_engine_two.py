"""Offers an engine that another plugin offers as well (two of two)."""

from __future__ import annotations

import attrs

from flowforge import hookimpl
from flowforge.contract import EngineSpec


@attrs.frozen
class Settings:
    pass


@hookimpl
def flowforge_engines():
    return [EngineSpec(name="contested", summary="", settings=Settings, load=lambda: None, capabilities={})]
