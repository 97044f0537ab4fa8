"""Needs a contract that this core does not have."""

from __future__ import annotations

import attrs

from flowforge import hookimpl
from flowforge.contract import EngineSpec


@attrs.frozen
class Settings:
    pass


@hookimpl
def flowforge_engines():
    return [EngineSpec(name="futuristic", summary="", settings=Settings, load=lambda: None, capabilities={}, api=1_000)]
