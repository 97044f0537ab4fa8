"""Sets up a small project, does something with it, and looks at what came of it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from flowforge import Project
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.plugins import PluginSet, load_plugins
from flowforge.run.options import RunOptions
from flowforge.run.result import RunResult


@functools.cache
def installed() -> PluginSet:
    """The engines of this environment."""
    return load_plugins({})


class Stage:
    """One project in a folder of its own.

    Steps are ``build``, ``{build: {arguments of Project.load}}``, ``{sql: statement}`` for what others do in the
    database, and ``{write: {path: text}}``.
    """

    def __init__(self, root: Path, files: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.root = root
        self._environ = environ
        self._last: RunResult | None = None
        self._write(files)

    def _write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, "utf-8")

    def _load(self, **options: Any) -> Project:
        # Whatever hides the process from the project: its variables are no part of the test.
        return Project.load(self.root, **{"environ": self._environ, "plugins": installed(), **options})

    def _sql(self, statement: str) -> list[list[Any]]:
        connection = duckdb.connect(str(self.root / "board.duckdb"))
        try:
            return [list(row) for row in connection.execute(statement).fetchall()]
        finally:
            connection.close()

    def perform(self, step: Any) -> None:
        """One step."""
        if step == "build":
            step = {"build": {}}
        ((what, how),) = step.items()
        if what == "build":
            options = {name: how[name] for name in ("full_refresh",) if name in how}
            with self._load(**{name: value for name, value in how.items() if name not in options}) as project:
                self._last = project.build(options=RunOptions(jobs=1, **options))
        elif what == "sql":
            self._sql(how)
        elif what == "write":
            self._write(how)
        else:
            raise ValueError(f"nobody knows how to {what}")

    def look(self, see: Mapping[str, Any]) -> Any:
        """What is seen there.

        ``sql``: rows. ``manifest``: a value at a path of names. ``settings``: a field of the profile's settings.
        ``selected``: names. ``status``: how a node of the last build ended. ``errors``: codes of the last build.
        ``checks``: status by check. ``says``: whether the first error's text holds these words. ``compiled``: SQL.
        ``command``: what a command line prints. ``unit``: how a unit test ended. ``unit_says``: whether one says this line.
        """
        ((what, how),) = see.items()
        look: Any = getattr(self, f"_see_{what}")
        return look(how)

    def _see_sql(self, statement: str) -> list[list[Any]]:
        return self._sql(statement)

    def _see_manifest(self, path: str) -> Any:
        with self._load() as project:
            value: Any = project.manifest
            for step in path.split("/"):
                if isinstance(value, tuple):
                    value = value[int(step)]
                else:
                    value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
            return list(value) if isinstance(value, tuple) else value

    def _see_unit(self, name: str) -> str:
        with self._load() as project:
            found = [case for case in find_cases(project) if case.name == name]
            return "absent" if not found else run_cases(project, found, jobs=1)[0].status

    def _see_unit_says(self, words: str) -> bool:
        with self._load() as project:
            return any(words in result.lines for result in run_cases(project, find_cases(project), jobs=1))

    def _see_settings(self, name: str) -> Any:
        with self._load() as project:
            value = getattr(project.profile.settings, name)
            return list(value) if isinstance(value, tuple) else value

    def _see_engine(self, _: Any) -> str:
        with self._load() as project:
            return project.engine.name

    def _see_selected(self, selector: str) -> list[str]:
        with self._load() as project:
            return [node.short_name for node in project.select([selector])]

    def _see_status(self, name: str) -> str:
        assert self._last is not None
        found = {node.node.removesuffix(".ff"): node.status.value for node in self._last.nodes}
        return found.get(name, "absent")

    def _see_errors(self, _: Any) -> list[str]:
        assert self._last is not None
        return [error.code for error in self._last.errors]

    def _see_says(self, words: str) -> bool:
        assert self._last is not None
        return any(words in str(error) for error in self._last.errors)

    def _see_checks(self, _: Any) -> dict[str, str]:
        assert self._last is not None
        return {check.check: check.status.value for check in self._last.checks}

    def _see_compiled(self, name: str) -> str:
        with self._load() as project:
            return " ".join(project.compile([name])[f"{name}.ff"].sql.split())

    def _see_sources(self, _: Any) -> list[str]:
        with self._load() as project:
            return sorted(project.manifest.sources)

    def _see_tagged(self, tag: str) -> list[str]:
        with self._load() as project:
            return [check.id for check in project.manifest.checks if tag in check.tags]

    def _see_command(self, words: str) -> str:
        """What a command line answers; for what only command lines do."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_"))}
        done = subprocess.run(
            [sys.executable, "-m", "flowforge", *words.split()],
            cwd=self.root,
            env={**kept, **self._environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refusal(self, steps: tuple[Any, ...]) -> list[FlowForgeError]:
        """The errors that the project is refused with, wherever that happens."""
        try:
            self._load().close()
            for step in steps:
                self.perform(step)
        except ProjectErrors as errors:
            return list(errors.errors)
        except FlowForgeError as error:
            return [error]
        return list(self._last.errors) if self._last is not None else []
