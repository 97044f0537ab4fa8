"""What installed distributions announce: entry points of plugins and of commands, read without importing any of them.

Standard library only, and ``importlib.metadata`` only when asked: this is on the path of ``flowforge --help``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, NamedTuple

PLUGINS = "flowforge"
COMMANDS = "flowforge.commands"


class PluginEntry(NamedTuple):
    """One entry point.

    *fault* says why the distribution's announcement could not be read; such an entry cannot be loaded.
    """

    name: str
    value: str
    distribution: str = ""
    version: str = ""
    fault: str | None = None

    @property
    def package(self) -> str:
        """The top-level package that the entry point lives in."""
        return self.value.partition(":")[0].partition(".")[0].strip()

    @property
    def owner(self) -> str:
        """The distribution with its version, for people."""
        return f"{self.distribution} {self.version}".strip() or self.name

    def load(self) -> Any:
        """Import the module and return the object that the entry point names. Raises whatever the plugin raises."""
        from importlib.metadata import EntryPoint

        return EntryPoint(self.name, self.value, PLUGINS).load()


def scan(group: str, path: Sequence[str] | None = None) -> tuple[PluginEntry, ...]:
    """All entry points of *group*, sorted by name and distribution.

    Distributions whose announcement does not mention the group are skipped unparsed, and one that cannot be read
    becomes an entry with a fault, so that a damaged installation of something else never stops FlowForge.

    Parameters
    ----------
    path:
        Folders to search; by default ``sys.path``.
    """
    from importlib.metadata import distributions

    found: list[PluginEntry] = []
    seen: set[str] = set()
    for dist in distributions() if path is None else distributions(path=list(path)):
        fault: str | None = None
        try:
            text = dist.read_text("entry_points.txt") or ""
        except Exception as error:  # noqa: BLE001 - a damaged file of somebody else, shown in the list of plugins
            # Only a file that may be ours is worth a row: the raw bytes cannot be looked at through this interface.
            text, fault = "", f"entry_points.txt cannot be read: {type(error).__name__}"
        if fault is None and f"[{group}]" not in text:
            continue
        name, version = _identity(dist)
        if fault is not None and "flowforge" not in name.lower():
            continue
        key = name.lower().replace("_", "-").replace(".", "-")
        if key in seen:
            continue  # shadowed by a copy that stands earlier on the path
        seen.add(key)
        if fault is None:
            try:
                found += [
                    PluginEntry(entry.name, entry.value, name, version)
                    for entry in dist.entry_points
                    if entry.group == group
                ]
            except Exception as error:  # noqa: BLE001 - as above
                fault = f"entry_points.txt cannot be read: {type(error).__name__}: {error}"
        if fault is not None:
            found.append(PluginEntry(name, "", name, version, fault))
    return tuple(sorted(found, key=lambda entry: (entry.name, entry.distribution, entry.value)))


def _identity(dist: Any) -> tuple[str, str]:
    try:
        return str(dist.name or "?"), str(dist.version or "")
    except Exception:  # noqa: BLE001 - no METADATA: the plugin may work all the same
        return "?", ""


def command_names(path: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the commands that plugins add, sorted; nothing is imported.

    Parameters
    ----------
    path:
        Folders to search; by default ``sys.path``.
    """
    return tuple(sorted({entry.name for entry in scan(COMMANDS, path) if entry.fault is None}))


def load_command(name: str, path: Sequence[str] | None = None) -> Any:
    """Import the plugin command called *name* and return the click command.

    Raises
    ------
    PluginError
        When no plugin or more than one has it, or when it cannot be imported; no other exception leaves this
        function, except an interrupt from the keyboard.
    """
    from flowforge.errors import PluginError
    from flowforge.plugins.reason import reason

    entries = [entry for entry in scan(COMMANDS, path) if entry.name == name and entry.fault is None]
    if not entries:
        raise PluginError(f"no plugin has a command {name!r}", code="FF4009")
    if len(entries) > 1:
        raise PluginError(
            f"the command {name!r} is claimed by several plugins: {' and '.join(entry.owner for entry in entries)}",
            code="FF4009",
            help="uninstall all but one of them",
        )
    (entry,) = entries
    try:
        with redirect_stdout(io.StringIO()):
            command = entry.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"the command {name!r} of {entry.owner} cannot be loaded",
            code="FF4009",
            notes=[reason(error, entry.package)],
            help="update or uninstall the plugin",
        ) from error
    if not callable(getattr(command, "make_context", None)):
        raise PluginError(
            f"the command {name!r} of {entry.owner} is no click command but {type(command).__name__}", code="FF4009"
        )
    return command
