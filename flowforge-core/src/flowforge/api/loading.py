"""Joins the loader with what stands on higher floors: seed files, and the checks that plugins declare."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowforge.config.check_entries import RawCheck
from flowforge.config.flaws import WRONG_VALUE, nearest
from flowforge.config.parsed import Parsed
from flowforge.config.project import ProjectConfig, load_project_config
from flowforge.config.properties import ModelProps
from flowforge.config.source_places import Declared
from flowforge.errors import ConfigFileError, FlowForgeError, InternalError, ModelConfigError, Problems
from flowforge.graph.dag import check_cycles
from flowforge.project.asked import Answers
from flowforge.project.load import FoundSeeds, NoSeeds, load_manifest
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import CheckDecl, Manifest, Node
from flowforge.project.own_checks import OwnCheck, OwnChecks
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.contract import CheckSpec, EngineSpec
    from flowforge.plugins import PluginSet


class Loader:
    """Loads one project. Plugins are imported only when the project uses something that is not built in.

    Parameters
    ----------
    engine:
        Gives the project's engine; called only when a model names engines.
    """

    def __init__(self, root: Path, plugins: Callable[[], PluginSet], engine: Callable[[], EngineSpec]) -> None:
        self._root = root
        self._plugins = plugins
        self._engine = engine

    def load(self, vars: Mapping[str, Any], environ: Mapping[str, str]) -> Manifest:
        """The project's manifest, made with the help of what was kept of files that have not changed.

        Whatever is wrong is found anew, from the files alone, so that it is told as if nothing had been kept.

        Parameters
        ----------
        vars:
            Variables on top of those of ``project.yml``.

        Raises
        ------
        ProjectErrors
            With everything that is wrong.
        """
        parsed = Parsed.open(self._root)
        problems = Problems()
        manifest = self._manifest(vars, environ, problems, parsed)
        if problems and parsed.used:
            parsed, problems = parsed.afresh(), Problems()
            manifest = self._manifest(vars, environ, problems, parsed)
        if manifest is not None:
            parsed.save(complete=not problems)
        problems.raise_if_any()
        if manifest is None:
            raise InternalError("project.yml could not be read, and nobody said why")
        return manifest

    def _manifest(
        self, vars: Mapping[str, Any], environ: Mapping[str, str], problems: Problems, parsed: Parsed
    ) -> Manifest | None:
        """The project's manifest; what is wrong goes to *problems*."""
        config = load_project_config(self._root, problems, parsed)
        if config is None:
            return None
        here = Surroundings(environ, self._engine, lambda: self._plugins().engine_words, problems)
        manifest = load_manifest(
            self._root,
            config,
            problems,
            find_seeds=functools.partial(self._find_seeds, config, here),
            bind_check=functools.partial(self._bind_check, here),
            find_checks=self._find_checks,
            vars={**config.vars, **vars},
            environ=environ,
            fits=here.fit,
            engine_names=here.names_for,
            choose=here.choose,
            parsed=parsed,
        )
        parents = {name: node.depends_on for name, node in manifest.nodes.items()}
        for cycle in check_cycles(parents, lambda name: _first_location(manifest.nodes[name])):
            problems.add(cycle)
        return manifest

    def _find_seeds(
        self,
        config: ProjectConfig,
        here: Surroundings,
        problems: Problems,
        described: tuple[ModelProps, ...],
        answers: Answers,
    ) -> FoundSeeds:
        if config.seeds is None and not (self._root / "seeds").is_dir():
            return NoSeeds()
        from flowforge.seeds.discover import Surrounding, find_seeds
        from flowforge.seeds.engine_words import EngineWords
        from flowforge.seeds.formats import FORMATS

        around = Surrounding(config.seeds, config.name, described, answers, EngineWords(here.own, here.known))
        mine = Problems()
        found = find_seeds(self._root, FORMATS, mine, around=around)
        if found.has_others:  # perhaps a plugin reads them
            formats = tuple(dict.fromkeys(self._plugins().seed_formats.values()))
            if formats != FORMATS:
                mine = Problems()
                found = find_seeds(self._root, formats, mine, around=around)
        for problem in mine:
            problems.add(problem)
        return found

    def _bind_check(
        self, here: Surroundings, raw: RawCheck, resolve: Callable[[str], str | None], own: Mapping[str, OwnCheck]
    ) -> CheckDecl | None:
        from flowforge.checks.bind import bind

        return bind(raw, self._check_specs, resolve, here.choose, own)

    def _find_checks(self, problems: Problems, library: MacroLibrary, answers: Answers) -> OwnChecks:
        if not (self._root / "tests").is_dir():
            return OwnChecks()
        from flowforge.checks.own_files import find_own_checks

        return find_own_checks(self._root, problems, library, answers, self._check_specs)

    def _check_specs(self) -> Mapping[str, CheckSpec]:
        return self._plugins().checks


class Surroundings:
    """Tells which nodes are meant for the engine and the environment that a project is loaded for.

    Parameters
    ----------
    engine:
        Gives the engine; called once, and only when a model names engines.
    known:
        Gives the names of all engines that anybody knows of.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        engine: Callable[[], EngineSpec],
        known: Callable[[], Collection[str]],
        problems: Problems,
    ) -> None:
        self._environ = environ
        self._engine = engine
        self.known = known
        self._problems = problems
        self._names: frozenset[str] | None = None
        self._near: dict[str, str | None] = {}

    def fit(self, node: Node) -> bool:
        """Whether *node* is part of the project here."""
        config = node.config
        if any(self._environ.get(name) != value for name, value in config.env_match.items()):
            return False
        if not config.engines:
            return True
        self._check(config.engines, lambda name: Location(node.path))
        return not self.own().isdisjoint(config.engines)

    def names_for(self, declared: Declared) -> frozenset[str]:
        """All names of the engine, after a look at what *declared* calls engines."""
        self._check(declared.engines, declared.place_of)
        for flaw in declared.clashes(self.own()):
            self._problems.add(flaw)
        return self.own()

    def choose(self, said: Mapping[str, Any], locate: Callable[[str], Location]) -> Any:
        """What *said* holds for the project's engine, else under ``default``; ``None`` when it says nothing for it."""
        engines = [name for name in said if name != "default"]
        self._check(engines, locate)
        mine = [name for name in engines if name in self.own()] if engines else []
        for name in mine[1:]:
            self._problems.add(
                ConfigFileError(
                    f"{name!r} and {mine[0]!r} are the same engine",
                    code=WRONG_VALUE,
                    location=locate(name),
                    help="keep one of them",
                )
            )
        return said[mine[0]] if mine else said.get("default")

    def _check(self, engines: Iterable[str], place: Callable[[str], Location]) -> None:
        """Report names that are like an engine's and are none; one that nobody knows may be installed elsewhere."""
        for name in engines:
            if name not in self._near:
                known = set(self.known()) | self.own()
                self._near[name] = nearest(name, known) if name not in known else None
            near = self._near[name]
            if near is not None:
                self._problems.add(
                    ModelConfigError(f"there is no engine {name!r}", code="FF4003", location=place(name), help=near)
                )

    def own(self) -> frozenset[str]:
        """The name and the aliases of the project's engine; none when it is not to be had."""
        if self._names is None:
            try:
                spec = self._engine()
                self._names = frozenset((spec.name, *spec.aliases))
            except FlowForgeError as error:
                self._problems.add(error)
                self._names = frozenset()
        return self._names


def _first_location(node: Node) -> Location:
    return node.refs[0].location if node.refs else Location(node.path)
