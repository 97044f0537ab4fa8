"""Imports the files of Python models, only to run them, under a package name that belongs to one run alone."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import itertools
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowforge.run.imports import PACKAGES, forget_imports, import_from_source, noticed_imports

_numbers = itertools.count(1)


class ProjectModules:
    """The imported modules of one run. Two projects, or two runs of one, never share a module of the project.

    Models may import their neighbours relatively (``from .rates import RATE``). What models of earlier runs in this
    process have imported in other ways from the project's folder is imported anew as well.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        digest = hashlib.blake2b(str(root).encode(), digest_size=4).hexdigest()
        self._package = f"{PACKAGES}{digest}_{next(_numbers)}"
        self._lock = threading.Lock()
        self._loaded: dict[str, types.ModuleType] = {}
        import_from_source()
        forget_imports(root)

    def function(self, path: str, name: str) -> Callable[..., Any]:
        """The function *name* of the project file *path*; the file runs once. Whatever it raises comes through."""
        function: Callable[..., Any] = self.member(path, name)

        def call(*args: Any, **named: Any) -> Any:
            with noticed_imports(self._root):  # functions may import when they are called
                return function(*args, **named)

        return call

    def member(self, path: str, name: str) -> Any:
        """What the project file *path* calls *name*; the file runs once. Whatever it raises comes through."""
        with self._lock:
            module = self._loaded.get(path)
            if module is None:
                with noticed_imports(self._root):
                    module = self._loaded[path] = self._load(path)
        return getattr(module, name)

    def _load(self, path: str) -> types.ModuleType:
        if self._package not in sys.modules:
            package = types.ModuleType(self._package)
            package.__path__ = [str(self._root)]
            sys.modules[self._package] = package
        parent = self._package
        for part in path.split("/")[:-1]:
            parent = f"{parent}.{part}"
            if all(piece.isidentifier() for piece in parent.split(".")):
                importlib.import_module(parent)
        stem = path.rsplit("/", 1)[-1].removesuffix(".py").replace(".", "__")
        spec = importlib.util.spec_from_file_location(f"{parent}.{stem}", self._root / path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        # No bytecode: its time stamps are too coarse to notice two edits in one second.
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            source = (self._root / path).read_bytes()
            exec(compile(source, str(self._root / path), "exec"), module.__dict__)  # noqa: S102 - the project's own code
        except BaseException:
            sys.modules.pop(spec.name, None)
            raise
        finally:
            sys.dont_write_bytecode = before
        return module
