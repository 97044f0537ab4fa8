"""Plugins: found, checked one by one, and handed out as one value.

Knows the hooks and the contract, nothing of projects. Names are loaded when they are first used, because
``flowforge --help`` asks only for the names of plugin commands and should pay for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowforge.plugins.entrypoints import PluginEntry as PluginEntry
    from flowforge.plugins.entrypoints import command_names as command_names
    from flowforge.plugins.entrypoints import load_command as load_command
    from flowforge.plugins.loading import load_plugins as load_plugins
    from flowforge.plugins.pluginset import PluginInfo as PluginInfo
    from flowforge.plugins.pluginset import PluginSet as PluginSet

_HOMES = {
    "PluginEntry": "entrypoints",
    "PluginInfo": "pluginset",
    "PluginSet": "pluginset",
    "command_names": "entrypoints",
    "load_command": "entrypoints",
    "load_plugins": "loading",
}

__all__ = ["PluginEntry", "PluginInfo", "PluginSet", "command_names", "load_command", "load_plugins"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
