"""Sees to it that every run works with the project's code as its files say it now, also in a process that lives long.

Python keeps modules once they are imported, and keeps bytecode by time stamps that are too coarse to notice two edits
within a second. A run that noted the new file while the old code made the rows would let later runs skip old rows.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path

PACKAGES = "_flowforge_"
"""What the names of the packages begin with under which models are imported."""

_MARK = "__flowforge_imported_by_model__"
_OUTSIDE = frozenset({"site-packages", "dist-packages"})


class _SourceLoader(SourceFileLoader):
    """Compiles the file whenever it is imported; reads and writes no bytecode."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        code: types.CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _SourceFinder:
    """Finds what :class:`PathFinder` finds, for modules of our own packages only."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of the import system."""
        if not fullname.startswith(PACKAGES):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _SourceLoader(spec.loader.name, spec.loader.path)
            spec.cached = None
        return spec


def import_from_source() -> None:
    """Make imports inside of our own packages read the files, whatever bytecode there is. Any thread."""
    if _SourceFinder not in sys.meta_path:
        sys.meta_path.insert(0, _SourceFinder)
    importlib.invalidate_caches()  # a file that was added a moment ago may be missing in the listings of folders


@contextlib.contextmanager
def noticed_imports(root: Path) -> Iterator[None]:
    """Mark what is imported from the project's folder while the block runs, under names of its own."""
    before = set(sys.modules)
    try:
        yield
    finally:
        real = os.path.realpath(root)
        for name in sys.modules.keys() - before:
            module = sys.modules.get(name)
            if isinstance(module, types.ModuleType) and _is_of_project(name, module, real):
                module.__dict__[_MARK] = real


def forget_imports(root: Path) -> None:
    """Let the marked modules be imported anew by those who ask next; whoever has them keeps them."""
    real = os.path.realpath(root)
    known: dict[str, object] = dict(sys.modules)  # whatever its type says, anything may have been put there
    for name, module in known.items():
        if isinstance(module, types.ModuleType) and module.__dict__.get(_MARK) == real:
            sys.modules.pop(name, None)
            parent, _, last = name.rpartition(".")
            package = sys.modules.get(parent)
            if package is not None and package.__dict__.get(last) is module:
                del package.__dict__[last]  # `from package import name` would find it there


def _is_of_project(name: str, module: types.ModuleType, real: str) -> bool:
    top = name.partition(".")[0]
    if top.startswith((PACKAGES, "flowforge")) or top in sys.stdlib_module_names or top == "__main__":
        return False
    file = module.__dict__.get("__file__")
    places = [file] if file else list(module.__dict__.get("__path__", ()))
    if file and file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return False  # cannot be loaded twice
    for place in places:
        found = os.path.realpath(place)
        if found.startswith(os.path.join(real, "")) and not _OUTSIDE.intersection(found[len(real) :].split(os.sep)):
            return True
    return False
