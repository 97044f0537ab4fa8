"""FlowForge: turns a folder of SQL and Python models into tables, on any engine that has a plugin.

Names are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowforge.api import Project as Project
    from flowforge.hookspecs import hookimpl as hookimpl
    from flowforge.project.decorators import DQParamsBase as DQParamsBase
    from flowforge.project.decorators import dq_test as dq_test
    from flowforge.project.decorators import engine_model as engine_model
    from flowforge.project.decorators import model as model
    from flowforge.values import relation_for as relation_for

__version__ = "0.1.0"

_HOMES = {
    "DQParamsBase": "flowforge.project.decorators",
    "Project": "flowforge.api",
    "dq_test": "flowforge.project.decorators",
    "engine_model": "flowforge.project.decorators",
    "hookimpl": "flowforge.hookspecs",
    "model": "flowforge.project.decorators",
    "relation_for": "flowforge.values",
}

__all__ = ["DQParamsBase", "Project", "__version__", "dq_test", "engine_model", "hookimpl", "model", "relation_for"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
