"""Imports the macros that are written in Python, when a template needs the first of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowforge.errors import RenderError
from flowforge.project.macros import PythonMacro
from flowforge.run.modules import ProjectModules


class PythonMacros:
    """The functions of one project's ``macros_py``. Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._modules: ProjectModules | None = None

    def __call__(self, macro: PythonMacro) -> Callable[..., Any]:
        """The function of *macro*.

        Raises
        ------
        RenderError
            When its file cannot be imported.
        """
        with self._lock:
            if self._modules is None:
                self._modules = ProjectModules(self._root)
        try:
            return self._modules.function(macro.path, macro.name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a macro must not end the program
            raise RenderError(
                f"the macros in {macro.path} cannot be imported: {type(error).__name__}: {error}",
                code="FF1414",
                location=macro.location,
                help="correct the file, or install what it needs",
            ) from error
