"""The files of a project that a Python model can reach by import, and versions of what it imports from outside.

Reads syntax trees and imports nothing. The answer is never too small: where two readings of an import are possible,
both count. What works when a model runs decides (:mod:`flowforge.run.modules`): relative imports from the model's
folder up to the project's, and absolute ones from the project's folder and from folders of it on ``sys.path``.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from pathlib import Path

from flowforge.frozen import frozen
from flowforge.project.distributions import Distributions, find_spec
from flowforge.project.python_imports import UNREADABLE, FileReads, Import, read_imports

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_BINARY = (*EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)


@frozen
class Closure:
    """What the code of a Python model is made of.

    Parameters
    ----------
    files:
        Paths relative to the project with digests of their content, sorted; the model's own file is one of them.
    imports:
        Top-level modules from outside of the project with their versions, sorted; ``""`` where none is found.
    dynamic:
        True when the code may import what cannot be seen in it; *files* are then all Python files of the project.
    reached:
        The paths that imports lead to: fewer than *files* when *dynamic*.
    """

    files: tuple[tuple[str, str], ...]
    imports: tuple[tuple[str, str], ...]
    dynamic: bool
    reached: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes with every file and version; the same on every machine that has the same ones."""
        text = json.dumps([self.files, self.imports], separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@frozen
class _File:
    digest: str
    reads: FileReads


@frozen
class _Folder:
    files: frozenset[str]
    folders: frozenset[str]


def python_closure(root: Path, path: str) -> Closure:
    """The closure of one file; see :meth:`ClosureReader.closure`, which is for several."""
    return ClosureReader(root).closure(path)


class ClosureReader:
    """Finds closures, and reads every file and folder once. Safe from any thread.

    Parameters
    ----------
    root:
        The project's folder.

    What was read is never read again: make a new one for every run, before the models are imported, so that code that
    changes in between is at worst built twice.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real = Path(os.path.realpath(root))
        self._lock = threading.RLock()
        self._files: dict[str, _File] = {}
        self._folders: dict[str, _Folder] = {}
        self._starts: dict[str, tuple[str, ...]] = {}
        self._project: tuple[str, ...] | None = None
        self._outside = Distributions()

    def closure(self, path: str) -> Closure:
        """Everything that the file *path*, relative to the project, can reach. A missing file counts as empty."""
        with self._lock:
            reached = self._reach(path)
            dynamic = any(self._file(each).reads.dynamic for each in reached)
            files = sorted({*reached, *self._all()}) if dynamic else reached
            return Closure(
                files=tuple((each, self._file(each).digest) for each in files),
                imports=tuple(sorted(self._imports(files))),
                dynamic=dynamic,
                reached=tuple(reached),
            )

    # -- walking -----------------------------------------------------------------------------------------------------

    def _reach(self, path: str) -> list[str]:
        """The files that *path* leads to, itself among them.

        A package that one file imports gives access to all parts of it that any file imports, so the packages and the
        names behind dots of all files are held against each other.
        """
        found: set[str] = set()
        packages: set[str] = set()
        attributes: set[str] = set()
        todo = [path]
        while todo:
            while todo:
                current = todo.pop()
                if current in found:
                    continue
                found.add(current)
                reads = self._file(current).reads
                attributes |= reads.attributes
                todo.extend(self._around(current))
                for one in reads.imports:
                    todo.extend(self._targets(one, _folder_of(current), packages))
            for package in sorted(packages):
                for name in self._parts(package) & attributes:
                    todo.extend(each for each in self._one(package, name, packages) if each not in found)
        return sorted(found)

    def _around(self, path: str) -> Iterator[str]:
        """The ``__init__`` files that run before *path* does."""
        folder = _folder_of(path)
        while folder:
            yield from self._package_file(folder)
            folder = _folder_of(folder)

    def _targets(self, one: Import, folder: str, packages: set[str]) -> Iterator[str]:
        if one.level:
            steps = folder.split("/") if folder else []
            if one.level - 1 > len(steps):
                return
            yield from self._follow("/".join(steps[: len(steps) - one.level + 1]), one, packages)
        elif one.module:
            for start in self._start_folders(one.module[0]):
                yield from self._follow(start, one, packages)

    def _follow(self, start: str, one: Import, packages: set[str]) -> Iterator[str]:
        """The files that importing *one* from the folder *start* runs."""
        folder: str | None = start
        for part in one.module:
            if folder is None:
                return
            inner = _join(folder, part)
            yield from self._one(folder, part, packages)
            folder = inner if self._is_folder(inner) else None
        if folder is None:
            return
        names = self._parts(folder) if "*" in one.names else one.names
        for name in sorted(names):
            yield from self._one(folder, name, packages)

    def _one(self, folder: str, part: str, packages: set[str]) -> Iterator[str]:
        """The files behind the name *part* in *folder*: a package, a module, or both."""
        inner = _join(folder, part)
        if self._is_folder(inner):
            packages.add(inner)
            yield from self._package_file(inner)
        files = self._folder(folder).files
        for name in (f"{part}.py", *(f"{part}{suffix}" for suffix in _BINARY)):
            if name in files:
                yield _join(folder, name)
        if "__" in part:  # a model's file, as it is called once it was imported
            yield from (_join(folder, name) for name in files if _model_module(name) == part)

    def _package_file(self, folder: str) -> Iterator[str]:
        files = self._folder(folder).files
        for name in ("__init__.py", *(f"__init__{suffix}" for suffix in _BINARY)):
            if name in files:
                yield _join(folder, name)

    def _parts(self, folder: str) -> set[str]:
        """What can be imported out of *folder*."""
        listing = self._folder(folder)
        modules = {name.partition(".")[0] for name in listing.files if name.endswith((".py", *_BINARY))}
        models = {_model_module(name) for name in listing.files if name.endswith(".ff.py")}
        return (modules | models | listing.folders) - {"__init__"}

    def _start_folders(self, top: str) -> tuple[str, ...]:
        """The folders of the project in which an absolute import of *top* may begin."""
        if top not in self._starts:
            starts = {"": None}
            for entry in sys.path:
                inner = self._inside(entry)
                if inner is not None:
                    starts[inner] = None
            spec = find_spec(top) if top not in sys.stdlib_module_names else None
            for place in (spec.submodule_search_locations or [spec.origin or ""]) if spec is not None else ():
                inner = self._inside(os.path.dirname(place)) if place else None
                if inner is not None:
                    starts[inner] = None
            self._starts[top] = tuple(starts)
        return self._starts[top]

    def _inside(self, place: str) -> str | None:
        """*place* relative to the project; ``None`` outside of it and in folders of installed packages."""
        real = Path(os.path.realpath(place))
        if not real.is_relative_to(self._real):
            return None
        inner = real.relative_to(self._real)
        return None if _SKIPPED.intersection(inner.parts) else "" if inner == Path(".") else inner.as_posix()

    # -- reading -----------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> _File:
        if path not in self._files:
            try:
                content = (self._root / path).read_bytes()
            except OSError:
                self._files[path] = _File("", UNREADABLE)
            else:
                reads = _parse(content, path) if path.endswith(".py") else UNREADABLE
                self._files[path] = _File(hashlib.blake2b(content, digest_size=16).hexdigest(), reads)
        return self._files[path]

    def _folder(self, folder: str) -> _Folder:
        if folder not in self._folders:
            files: set[str] = set()
            folders: set[str] = set()
            try:
                with os.scandir(self._root / folder) as entries:
                    for entry in entries:
                        (folders if entry.is_dir() else files).add(entry.name)
            except OSError:
                pass  # what cannot be listed cannot be imported either
            self._folders[folder] = _Folder(frozenset(files), frozenset(folders - _SKIPPED))
        return self._folders[folder]

    def _is_folder(self, folder: str) -> bool:
        return folder.rsplit("/", 1)[-1] in self._folder(_folder_of(folder)).folders

    def _all(self) -> tuple[str, ...]:
        """All Python files of the project, without those of tools and of virtual environments."""
        if self._project is None:
            self._project = tuple(sorted(self._walk()))
        return self._project

    def _walk(self) -> Iterator[str]:
        todo, seen = [""], set()
        while todo:
            folder = todo.pop()
            real = os.path.realpath(self._root / folder)
            listing = self._folder(folder)
            if real in seen or "pyvenv.cfg" in listing.files:
                continue
            seen.add(real)
            yield from (_join(folder, name) for name in listing.files if name.endswith(".py"))
            todo.extend(_join(folder, name) for name in sorted(listing.folders) if not name.startswith("."))

    def _imports(self, files: Iterable[str]) -> Iterator[tuple[str, str]]:
        tops = {
            one.module[0] for each in files for one in self._file(each).reads.imports if not one.level and one.module
        }
        for top in tops:
            version = self._outside.version(top) if not self._is_own(top) else None
            if version is not None and (version or not self._parts("") & {top}):
                yield top, version

    def _is_own(self, top: str) -> bool:
        """Whether *top* is found inside of the project, so that its files count and not its version."""
        spec = find_spec(top)
        places = (spec.submodule_search_locations or [spec.origin or ""]) if spec is not None else ()
        return any(place and self._inside(os.path.dirname(place)) is not None for place in places)


def _parse(content: bytes, path: str) -> FileReads:
    try:
        return read_imports(ast.parse(content, filename=path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return UNREADABLE  # it cannot be run as it is; whatever mends it changes its digest


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _model_module(name: str) -> str:
    """What the file of a Python model is called among the imported modules."""
    return name.removesuffix(".py").replace(".", "__") if name.endswith(".ff.py") else ""
