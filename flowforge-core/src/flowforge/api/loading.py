"""Joins the loader with what stands on higher floors: seed files, and the checks that plugins declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.config.check_entries import RawCheck
from flowforge.config.project import ProjectConfig
from flowforge.contract import CheckSpec
from flowforge.errors import Note, Problems
from flowforge.project.load import load_manifest
from flowforge.project.manifest import CheckDecl, Manifest, Node

if TYPE_CHECKING:
    from flowforge.plugins import PluginSet


class Loader:
    """Loads one project. Plugins are imported only when the project uses something that is not built in."""

    def __init__(self, root: Path, plugins: Callable[[], PluginSet]) -> None:
        self._root = root
        self._plugins = plugins

    def manifest(self, config: ProjectConfig, vars: Mapping[str, Any], problems: Problems) -> Manifest:
        """The project's manifest; what is wrong goes to *problems*."""
        return load_manifest(
            self._root, config, problems, find_seeds=self._find_seeds, bind_check=self._bind_check, vars=vars
        )

    def _find_seeds(self, problems: Problems) -> tuple[tuple[Node, ...], tuple[Note, ...]]:
        if not (self._root / "seeds").is_dir():
            return (), ()
        from flowforge.seeds.discover import find_seeds
        from flowforge.seeds.formats import FORMATS

        mine = Problems()
        found = find_seeds(self._root, FORMATS, mine)
        if any(note.code == "FF2208" for note in found.notes):  # perhaps a plugin reads what is left
            formats = tuple(dict.fromkeys(self._plugins().seed_formats.values()))
            if formats != FORMATS:
                mine = Problems()
                found = find_seeds(self._root, formats, mine)
        for problem in mine:
            problems.add(problem)
        return found.nodes, found.notes

    def _bind_check(self, raw: RawCheck, resolve: Callable[[str], str | None]) -> CheckDecl:
        from flowforge.checks.bind import bind

        return bind(raw, self._check_specs, resolve)

    def _check_specs(self) -> Mapping[str, CheckSpec]:
        return self._plugins().checks
