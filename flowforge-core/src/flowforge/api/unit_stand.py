"""Where unit tests run: a database in which they disturb nobody, and everything that their cases share."""

from __future__ import annotations

import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.api.preparation import leases_of, settings_that_matter
from flowforge.config.profiles import Profile, load_profile
from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ProfileError
from flowforge.rendering.engines import find_among
from flowforge.run.compile import Compiler
from flowforge.run.modules import ProjectModules
from flowforge.run.options import new_run_id
from flowforge.run.python_macros import PythonMacros
from flowforge.run.sessions import Sessions
from flowforge.run.traced import traced
from flowforge.utest.files import UnitCase
from flowforge.utest.homes import Homes
from flowforge.utest.remembering import Digests, versions_behind
from flowforge.utest.running import Stand, UnitResult, run_case
from flowforge.utest.world import Surroundings
from flowforge.values import Namespace

if TYPE_CHECKING:
    from flowforge.api.project import Project

SUFFIX = "_utest"
"""A profile of this ending is used for unit tests, when there is one."""


class UnitTester:
    """Runs cases of one project. Safe from any thread; the database is opened when the first case needs it.

    Parameters
    ----------
    sessions:
        What is cancelled when the run is stopped.
    """

    def __init__(self, project: Project, sessions: Sessions) -> None:
        self._project = project
        self._sessions = sessions
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._stand: Stand | None = None
        self._digests: Digests | None = None

    @functools.cached_property
    def profile(self) -> Profile:
        """What the tests run on."""
        return profile_for(self._project)

    def run(self, case: UnitCase) -> UnitResult:
        """Run one case; whatever goes wrong with it is in the result, without a secret.

        Raises
        ------
        EngineError
            When the engine cannot be reached.
        """
        result = run_case(case, self.stand)
        if result.error is not None:
            result.error.message = self._project.redactor.redact(result.error.message)
        return result

    def digest(self, case: UnitCase) -> str | None:
        """What the case is made of; ``None`` when it has to be run every time.

        Raises
        ------
        EngineError
            When the engine cannot be reached.
        """
        return self._opened()[1].of(case)

    @property
    def stand(self) -> Stand:
        """What the cases share."""
        return self._opened()[0]

    def close(self) -> None:
        """Close the database, if it was opened, and leave nothing behind in it."""
        self._closing.close()

    def __enter__(self) -> UnitTester:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _opened(self) -> tuple[Stand, Digests]:
        with self._lock:
            if self._stand is None or self._digests is None:
                self._stand, self._digests = self._open()
            return self._stand, self._digests

    def _open(self) -> tuple[Stand, Digests]:
        project, profile = self._project, self.profile
        try:
            executor = profile.engine.load()(profile.settings)
        except EngineError as error:
            raise project.redactor.clean(error) from None
        self._closing.callback(executor.close)
        run_id = new_run_id()

        def open_session(label: str, timeout: float | None = None) -> Session:
            session: Session = traced(executor.session(label=label, timeout=timeout), project.redactor.redact)
            return session

        homes = Homes(
            profile.engine,
            executor.dialect,
            executor.namespace,
            leases_of(executor, run_id, open_session),
            lambda label: open_session(f"flowforge/{run_id}/{label}"),
        )
        self._closing.callback(homes.close)
        around = Surroundings(
            project.root,
            project.manifest,
            profile.engine,
            executor.dialect,
            self._compiler(executor),
            ProjectModules(project.root),
        )
        stand = Stand(
            around,
            lambda label: self._sessions.working(open_session(label)),
            executor.error,
            homes,
            lambda: project.plugins.checks,
        )
        return stand, Digests(around, self._engine(executor))

    def _compiler(self, executor: Executor) -> Compiler:
        project = self._project
        return Compiler(
            project.manifest,
            project.dag,
            engine=self.profile.engine,
            dialect=executor.dialect,
            namespace=Namespace(),
            environ=project.environ,
            vars=project.manifest.vars,
            macros={macro.name: macro.function for macro in project.plugins.macros.values()},
            function=PythonMacros(project.root),
            find_engine=find_among(project.plugins.engines),
            root=project.root,
        )

    def _engine(self, executor: Executor) -> list[Any]:
        """What the outcome of a test may owe to the engine."""
        profile, project = self.profile, self._project
        names = {profile.engine.name, *profile.engine.aliases}
        labels = [
            info
            for info in project.plugins.infos
            if any(f"engine {name}" in offer for offer in info.offers for name in names)
        ]
        versions = [versions_behind(info.distribution) for info in labels]
        return [
            profile.engine.name,
            settings_that_matter(profile.settings),
            versions,
            _server_version(profile, executor),
        ]


def _server_version(profile: Profile, executor: Executor) -> str | None:
    """What the server calls its version; ``None`` for engines that are part of their driver, or do not tell."""
    if profile.engine.scratch is not None:
        return None
    try:
        with executor.session(label="flowforge/utest") as session:
            return str(session.query("SELECT version() AS v").read_all().column(0)[0].as_py())
    except Exception as problem:
        if isinstance(problem, EngineError) or executor.error(problem) is not None:
            return None
        raise


def profile_for(project: Project) -> Profile:
    """The profile for unit tests: one of its own, else the project's with a scratch database where there is one."""
    name = f"{project.env}{SUFFIX}"
    try:
        found = load_profile(
            project.root,
            name,
            project.environ,
            engine=project.given_engine,
            engines=lambda engine: project.plugins.engine(engine),
            default_engine=lambda: project.plugins.default_engine(),
        )
    except ProfileError as error:
        if error.code != "FF1302":
            raise
    else:
        if found.explicit and found.name == name:
            return found
    own = project.profile
    return attrs.evolve(own, settings=own.engine.scratch(own.settings)) if own.engine.scratch is not None else own
