"""Unit tests of a project: chooses the cases, and runs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.api.unit_stand import UnitTester
from flowforge.contract import Capability
from flowforge.errors import InterruptedRunError, NothingSelectedError, Problems
from flowforge.run.scheduler import FailPolicy, Stop, schedule
from flowforge.run.sessions import Sessions
from flowforge.run.signals import stop_on_signals
from flowforge.state.store import StateStore
from flowforge.utest.files import UnitCase, load_cases, unit_files
from flowforge.utest.running import UnitResult

if TYPE_CHECKING:
    from flowforge.api.project import Project

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
    cases = load_cases(
        project.root,
        project.manifest,
        problems,
        paths=[_inside(project, path)] if path else (),
        specs=lambda: project.plugins.checks,
    )
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
    cached: bool = False,
    listener: Callable[[UnitResult], None] | None = None,
    handle_signals: bool = False,
) -> list[UnitResult]:
    """Run *cases*, in parallel; one result for each, in their order.

    Parameters
    ----------
    cached:
        Do not run those again that passed before and of which nothing has changed since.
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
    stop, sessions = Stop(), Sessions()
    results: dict[str, UnitResult] = {}
    keys = {str(index): case for index, case in enumerate(cases)}
    with contextlib.ExitStack() as ending:
        tester = ending.enter_context(UnitTester(project, sessions))
        memory = None
        if cached:
            store = ending.enter_context(StateStore.open(project.root / STATE_FOLDER, lambda note: None))
            memory = Memory(store, project.profile.name, tester)

        def work(key: str) -> bool:
            case = keys[key]
            result = memory.run(case) if memory is not None else tester.run(case)
            results[key] = result
            if listener is not None:
                listener(result)
            return True

        parallel = jobs or MAX_JOBS if tester.profile.engine.support(Capability.PARALLEL_SESSIONS) else 1
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


STATE_FOLDER = ".flowforge"


class Memory:
    """Runs cases, but for those that are known to pass. Safe from any thread; only passes are remembered.

    Parameters
    ----------
    env:
        Name of the profile.
    reads, writes:
        Believe what was noted; note what passes.
    """

    def __init__(
        self, store: StateStore, env: str, tester: UnitTester, *, reads: bool = True, writes: bool = True
    ) -> None:
        self._store = store
        self._env = env
        self._tester = tester
        self._writes = writes
        self._known = store.unit_passes(env) if reads else {}

    def run(self, case: UnitCase, *, anew: bool = False) -> UnitResult:
        """The result of a case, run or remembered; *anew*: run in any case."""
        digest = self._tester.digest(case)
        if digest is not None and not anew and self._known.get(case.id) == digest:
            return UnitResult(case, "pass", cached=True)
        result = self._tester.run(case)
        if result.status == "pass" and digest is not None and self._writes:
            self._store.note_unit_pass(self._env, case.id, digest)
        return result
