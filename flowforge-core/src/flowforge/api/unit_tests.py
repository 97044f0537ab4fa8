"""Unit tests of a project: chooses the cases, opens a database where they disturb nobody, and runs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.profiles import Profile, load_profile
from flowforge.contract import Capability, Executor, Session
from flowforge.errors import EngineError, InterruptedRunError, NothingSelectedError, Problems, ProfileError
from flowforge.graph.dag import Dag
from flowforge.project.manifest import Manifest
from flowforge.run.compile import Compiler
from flowforge.run.modules import ProjectModules
from flowforge.run.python_macros import PythonMacros
from flowforge.run.scheduler import FailPolicy, Stop, schedule
from flowforge.run.sessions import Sessions
from flowforge.run.signals import stop_on_signals
from flowforge.run.traced import traced
from flowforge.utest.files import UnitCase, load_cases, unit_files
from flowforge.utest.running import Stand, UnitResult, run_case
from flowforge.values import Namespace

if TYPE_CHECKING:
    from flowforge.api.project import Project

SUFFIX = "_utest"
"""A profile of this ending is used for unit tests, when there is one."""
MAX_JOBS = 8


def find_cases(
    project: Project, *, model: str | None = None, case: str | None = None, path: str | None = None
) -> list[UnitCase]:
    """The cases that are asked for; all of them by default.

    Parameters
    ----------
    model:
        Name of a model, with or without ``.ff``.
    case:
        Name of a case.
    path:
        One file, relative to the project.

    Raises
    ------
    ProjectErrors, FlowForgeError
        With everything that is wrong in the files.
    NothingSelectedError
        When there are cases, but none is asked for.
    """
    problems = Problems()
    cases = load_cases(project.root, project.manifest, problems, paths=[_inside(project, path)] if path else ())
    problems.raise_if_any()
    wanted = model.removesuffix(".ff") if model is not None else None
    chosen = [
        one
        for one in cases
        if (wanted is None or wanted in (one.node.short_name, one.node.relation.name))
        and (case is None or case == one.name)
    ]
    if cases and not chosen:
        known = sorted({one.id for one in cases})
        raise NothingSelectedError(
            "no unit test has this model and case",
            help=f"there are {', '.join(known[:5])}{' and others' if len(known) > 5 else ''}",
        )
    return chosen


def _inside(project: Project, path: str) -> str:
    """*path* relative to the project; it may be given from where the user stands."""
    given = Path(path)
    with contextlib.suppress(ValueError):
        return given.resolve().relative_to(project.root).as_posix()
    return given.as_posix()


def has_unit_tests(project: Project) -> bool:
    """Whether there is any file of them."""
    return bool(unit_files(project.root))


def run_cases(
    project: Project,
    cases: Sequence[UnitCase],
    *,
    jobs: int | None = None,
    listener: Callable[[UnitResult], None] | None = None,
    handle_signals: bool = False,
) -> list[UnitResult]:
    """Run *cases*, in parallel; one result for each, in their order.

    Parameters
    ----------
    listener:
        Told of each result as it comes, on a worker's thread.
    handle_signals:
        Take SIGINT and SIGTERM meanwhile (main thread only).

    Raises
    ------
    InterruptedRunError
        When it was stopped.
    EngineError
        When the engine cannot be reached.
    """
    profile = _profile(project)
    engine = profile.engine
    stop, sessions = Stop(), Sessions()
    results: dict[str, UnitResult] = {}
    keys = {str(index): case for index, case in enumerate(cases)}
    with _opened(project, profile) as executor:

        def open_session(label: str) -> Session:
            session: Session = traced(executor.session(label=label), project.redactor.redact)
            return session

        macros = PythonMacros(project.root)

        def compiler(manifest: Manifest, dag: Dag, namespace: Namespace, vars: Mapping[str, Any]) -> Compiler:
            return Compiler(
                manifest,
                dag,
                engine=engine,
                dialect=executor.dialect,
                namespace=namespace,
                environ=project.environ,
                vars=vars,
                macros={macro.name: macro.function for macro in project.plugins.macros.values()},
                function=macros,
            )

        stand = Stand(
            project.root,
            project.manifest,
            engine,
            executor.dialect,
            compiler,
            lambda label: sessions.working(open_session(label)),
            executor.error,
            ProjectModules(project.root),
        )

        def work(key: str) -> bool:
            result = run_case(keys[key], stand)
            if result.error is not None:
                result.error.message = project.redactor.redact(result.error.message)
            results[key] = result
            if listener is not None:
                listener(result)
            return True

        parallel = jobs or MAX_JOBS if engine.support(Capability.PARALLEL_SESSIONS) else 1
        with stop_on_signals(stop, enabled=handle_signals):
            for _ in schedule(
                dict.fromkeys(keys, ()),
                work,
                jobs=parallel,
                policy=FailPolicy.KEEP_GOING,
                stop=stop,
                cancel=sessions.cancel,
            ):
                pass
    if stop.is_set():
        raise InterruptedRunError(f"cancelled: {len(results)} of {len(keys)} cases were run", signum=stop.signum or 2)
    return [results[key] for key in keys]


def _profile(project: Project) -> Profile:
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


@contextlib.contextmanager
def _opened(project: Project, profile: Profile) -> Iterator[Executor]:
    try:
        executor = profile.engine.load()(profile.settings)
    except EngineError as error:
        raise project.redactor.clean(error) from None
    try:
        yield executor
    finally:
        executor.close()
