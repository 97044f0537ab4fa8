"""Lets pytest collect the unit tests of a FlowForge project: ``pytest -p flowforge.pytest_plugin``.

Every case of a file in ``tests/unit`` becomes an item that is called like the case, so that ``-k``, ``-x``, ``--lf`` and
pytest-xdist work as with any other test. It is no entry point: whoever does not ask for it pays nothing and meets none
of its options. A project is loaded once in each process, and its database is opened for its first case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flowforge.api import Project
    from flowforge.api.unit_stand import UnitTester
    from flowforge.errors import FlowForgeError
    from flowforge.utest.files import UnitCase

_SUFFIXES = (".yml", ".yaml")


class Failed(Exception):
    """A case did not pass; its text is what pytest shows."""


class _Projects:
    """The projects of one pytest process, each with what runs its cases."""

    def __init__(self, env: str, engine: str | None) -> None:
        self._env = env
        self._engine = engine
        self._open: dict[Path, tuple[Project, UnitTester]] = {}

    def of(self, root: Path) -> tuple[Project, UnitTester]:
        """The project in a folder; loaded now when it is not.

        Raises
        ------
        FlowForgeError
            With everything that is wrong with it.
        """
        if root not in self._open:
            from flowforge.api import Project
            from flowforge.api.unit_stand import UnitTester
            from flowforge.run.sessions import Sessions

            project = Project.load(root, env=self._env, engine=self._engine)
            self._open[root] = (project, UnitTester(project, Sessions()))
        return self._open[root]

    def close(self) -> None:
        """Close the databases."""
        for project, tester in self._open.values():
            tester.close()
            project.close()
        self._open.clear()


_PROJECTS = pytest.StashKey[_Projects]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; each may stand in pytest's settings too."""
    group = parser.getgroup("flowforge", "unit tests of a FlowForge project")
    group.addoption("--flowforge-env", metavar="NAME", help="the profile (default: dev)")
    group.addoption("--flowforge-engine", metavar="NAME", help="this engine in place of the profile's")
    parser.addini("flowforge_env", "the profile for the unit tests of FlowForge projects")
    parser.addini("flowforge_engine", "the engine for the unit tests of FlowForge projects")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is loaded yet."""

    def chosen(name: str) -> str | None:
        value: Any = config.getoption(f"--flowforge-{name}") or config.getini(f"flowforge_{name}")
        return str(value) if value else None

    config.stash[_PROJECTS] = _Projects(chosen("env") or "dev", chosen("engine"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what was opened."""
    projects = config.stash.get(_PROJECTS, None)
    if projects is not None:
        projects.close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file of unit tests: YAML in the folder ``tests/unit`` of a project."""
    folder = file_path.parent
    if file_path.suffix not in _SUFFIXES or folder.name != "unit" or folder.parent.name != "tests":
        return None
    if file_path.name.startswith(".") or not (folder.parent.parent / "project.yml").is_file():
        return None
    return UnitFile.from_parent(parent, path=file_path)


class UnitFile(pytest.File):
    """A file of unit tests."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """One item for each case."""
        from flowforge.errors import FlowForgeError, Problems
        from flowforge.utest.files import load_cases

        root = self.path.parents[2]
        try:
            project, tester = self.config.stash[_PROJECTS].of(root)
            problems = Problems()
            path = self.path.relative_to(root).as_posix()
            cases = load_cases(
                project.root, project.manifest, problems, paths=[path], specs=lambda: project.plugins.checks
            )
            problems.raise_if_any()
        except FlowForgeError as error:
            raise self.CollectError(_told(error)) from None
        return [self._item(case, tester) for case in cases]

    def _item(self, case: UnitCase, tester: UnitTester) -> pytest.Item:
        item: pytest.Item = UnitItem.from_parent(self, name=case.name, case=case, tester=tester)
        return item


class UnitItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: UnitCase, tester: UnitTester, **more: Any) -> None:
        super().__init__(**more)
        self._case = case
        self._tester = tester
        self.extra_keyword_matches.add(case.node.short_name)

    def runtest(self) -> None:
        """Run the case."""
        result = self._tester.run(self._case)
        if result.status == "skip":
            pytest.skip(result.message or "it is meant for another engine")
        if result.error is not None:
            raise Failed(_told(result.error))
        if result.status != "pass":
            place = self._case.location
            raise Failed("\n".join([f"{self._case.id}:", *(f"  {line}" for line in result.lines), f"  at {place}"]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *more: Any) -> Any:
        """What differs, in place of a traceback through FlowForge."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *more)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the case is declared."""
        line = self._case.location.line
        return self.path, line - 1 if line is not None else None, self._case.id


def _told(error: FlowForgeError) -> str:
    return "\n".join(_lines(error))


def _lines(error: FlowForgeError) -> Iterator[str]:
    from flowforge.errors import ProjectErrors

    for one in error.errors if isinstance(error, ProjectErrors) else (error,):
        yield f"error[{one.code}]: {one.message}"
        if one.location is not None:
            yield f"  --> {one.location}"
        yield from (f"  note: {note}" for note in one.notes)
        if one.help:
            yield f"  help: {one.help}"
