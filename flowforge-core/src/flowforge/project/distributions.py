"""Says which version of a module from outside of the project a Python model would import."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})
_OWN = "flowforge"


class Distributions:
    """Looks up top-level modules, each once. Nothing is imported. One thread at a time.

    Versions are those of the distributions that hold the module. A module that no distribution claims, or one that is
    installed in place (so that its files change under one version), has a digest of its files instead or behind it.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def version(self, name: str) -> str | None:
        """What stands for the top-level module *name*: ``""`` when nothing is found, ``None`` for the standard library
        and for FlowForge, whose own versions are no part of a model.
        """
        if name in sys.stdlib_module_names or name == _OWN:
            return None
        if name not in self._known:
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> str:
        spec = find_spec(name)
        versions = []
        for distribution in self._owners(name, spec):
            try:
                versions.append(f"{distribution} {importlib.metadata.version(distribution)}")
            except importlib.metadata.PackageNotFoundError:
                versions.append(distribution)
        if spec is not None and (not versions or not _is_installed(spec)):
            versions.append(_content(spec))
        return ", ".join(versions)

    def _owners(self, name: str, spec: ModuleSpec | None) -> list[str]:
        if spec is not None and spec.origin is not None and _provides(name):
            return [name]
        return sorted(set(self._by_module.get(name, ())))

    @functools.cached_property
    def _by_module(self) -> Mapping[str, list[str]]:
        # Reads the record of every distribution: a tenth of a second, so only for modules that are named otherwise.
        return importlib.metadata.packages_distributions()


def find_spec(name: str) -> ModuleSpec | None:
    """Where the top-level module *name* would come from; ``None`` when it is not found."""
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError, OSError):
        return None  # a module without a spec, or a broken finder of somebody else: nothing is known of it


def _provides(name: str) -> bool:
    """Whether the distribution that is called like the module really holds it."""
    try:
        files = importlib.metadata.distribution(name).files or ()
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return False
    return any(file.parts and file.parts[0].partition(".")[0] == name for file in files)


def _places(spec: ModuleSpec) -> list[Path]:
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin else []


def _is_installed(spec: ModuleSpec) -> bool:
    return all(_INSTALLED.intersection(place.parts) for place in _places(spec))


def _content(spec: ModuleSpec) -> str:
    """A digest of the files of a module or package."""
    found = hashlib.blake2b(digest_size=16)
    for place in _places(spec):
        files = [place] if not place.is_dir() else _files_below(place)
        for file in files:
            try:
                content = file.read_bytes()
            except OSError:
                content = b""
            label = file.relative_to(place.parent).as_posix().encode("utf-8", "surrogateescape")
            for part in (label, content):
                found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def _files_below(folder: Path) -> list[Path]:
    files = []
    for current, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        files += [Path(current, name) for name in sorted(names)]
    return files
