"""Unit tests as a part of a build: those of a model run before it is built, and decide whether it is."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from flowforge.api.unit_stand import UnitTester
from flowforge.api.unit_tests import Memory
from flowforge.errors import ModelExecutionError, Problems, UnitTestFailedError
from flowforge.events import Status, UnitTestFinished
from flowforge.project.manifest import Manifest, Node
from flowforge.run.bus import EventBus
from flowforge.run.result import UnitTestResult
from flowforge.run.sessions import Sessions
from flowforge.state.policy import CacheMode
from flowforge.state.store import StateStore
from flowforge.utest.files import UnitCase, load_cases
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.api.project import Project

_STATUS = {"pass": Status.SUCCESS, "fail": Status.FAIL, "error": Status.ERROR, "skip": Status.SKIPPED}
_SHOWN = 10
"""Lines about one case in a model's error."""


class Examiner:
    """Runs the unit tests of models that are about to be built, each once. Safe from any thread.

    Those of an ephemeral model belong to every model that holds its query; if there is none, they run at the end.

    Parameters
    ----------
    names:
        The nodes that are built, and the ephemeral ones among them.
    forced:
        Nodes whose tests run whatever is remembered.
    """

    def __init__(
        self,
        project: Project,
        names: Iterable[str],
        *,
        store: StateStore,
        sessions: Sessions,
        bus: EventBus,
        run_id: str,
        mode: CacheMode,
        forced: Iterable[str] = (),
    ) -> None:
        self._bus = bus
        self._run_id = run_id
        self._manifest = project.manifest
        self._forced = frozenset(forced)
        self._cases = _by_model(project, names)
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._done: dict[str, list[UnitTestResult]] = {}
        self.tester = UnitTester(project, sessions)
        self._store, self._env, self._mode = store, project.profile.name, mode
        self._memory: Memory | None = None

    @property
    def results(self) -> tuple[UnitTestResult, ...]:
        """What ended so far."""
        with self._lock:
            return tuple(result for results in self._done.values() for result in results)

    def examine(self, node: Node) -> None:
        """Run the tests of a model and of the ephemeral models in it. On a worker's thread.

        Raises
        ------
        UnitTestFailedError
            When rows differ.
        ModelExecutionError
            When a test cannot be run.
        """
        concerned = [name for name in (node.name, *_inside(node, self._manifest)) if name in self._cases]
        self._judge(node, [result for name in concerned for result in self._of(name)])

    def rest(self) -> None:
        """Run what no model has asked for: the tests of ephemeral models that nothing holds which was built."""
        for name in self._cases:
            self._of(name)

    def close(self) -> None:
        """Close the database of the tests."""
        self.tester.close()

    def _of(self, name: str) -> list[UnitTestResult]:
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._done:
                found = [self._run(case) for case in self._cases[name]]
                with self._lock:
                    self._done[name] = found
            return self._done[name]

    def _run(self, case: UnitCase) -> UnitTestResult:
        if self._mode is CacheMode.OFF:
            ended = self.tester.run(case)
        else:
            ended = self._remembering.run(case, anew=case.node.name in self._forced)
        result = UnitTestResult(
            case=case.id,
            node=case.node.name,
            status=Status.CACHED if ended.cached else _STATUS[ended.status],
            duration=ended.duration,
            lines=tuple(ended.lines),
            location=case.location,
            error=ended.error,
        )
        self._bus.emit(
            UnitTestFinished(
                self._run_id,
                dt.datetime.now(dt.UTC),
                case=case.id,
                node=case.node.short_name,
                status=result.status,
                duration=result.duration,
                lines=result.lines,
                path=case.location.path,
                line=case.location.line,
            )
        )
        return result

    @property
    def _remembering(self) -> Memory:
        with self._lock:
            if self._memory is None:
                mode = self._mode
                self._memory = Memory(self._store, self._env, self.tester, reads=mode.reads, writes=mode.writes)
            return self._memory

    def _judge(self, node: Node, results: Sequence[UnitTestResult]) -> None:
        broken = [result for result in results if result.status is Status.ERROR]
        failed = [result for result in results if result.status is Status.FAIL]
        if broken:
            first = broken[0]
            raise ModelExecutionError(
                f"the unit test {first.case!r} could not run: {first.lines[0] if first.lines else 'nobody knows why'}",
                node=node.name,
                code="FF3013",
                location=first.error.location if first.error is not None else first.location,
                notes=[f"{one.case}: {one.lines[0]}" for one in broken[1:] if one.lines],
                help=(first.error.help if first.error is not None else None)
                or "correct the test or the model; nothing was built",
            ) from first.error
        if failed:
            count = f"{len(failed)} unit tests" if len(failed) > 1 else "a unit test"
            raise UnitTestFailedError(
                f"{count} of {node.short_name!r} failed, so it was not built",
                location=failed[0].location if len(failed) == 1 else Location(node.path),
                notes=[line for one in failed for line in _lines(one)],
                help=f"correct the model, or the test; `flowforge utest --model {failed[0].case.split('::')[0]}` runs it alone",
            )


def _lines(result: UnitTestResult) -> list[str]:
    shown = [f"{result.case}: {line}" for line in result.lines[:_SHOWN]]
    more = len(result.lines) - _SHOWN
    return [*shown, f"{result.case}: and {more} more"] if more > 0 else shown


def _by_model(project: Project, names: Iterable[str]) -> Mapping[str, list[UnitCase]]:
    """The cases of these models.

    Raises
    ------
    ProjectErrors, FlowForgeError
        With everything that is wrong in the files.
    """
    problems, chosen = Problems(), set(names)
    found: dict[str, list[UnitCase]] = {}
    for case in load_cases(project.root, project.manifest, problems, specs=lambda: project.plugins.checks):
        if case.node.name in chosen:
            found.setdefault(case.node.name, []).append(case)
    problems.raise_if_any()
    return found


def _inside(node: Node, manifest: Manifest) -> list[str]:
    """The ephemeral models whose queries are part of a model's."""
    found: dict[str, None] = {}
    todo = list(node.depends_on)
    while todo:
        name = todo.pop()
        if name not in found and manifest.nodes[name].materialized == "ephemeral":
            found[name] = None
            todo.extend(manifest.nodes[name].depends_on)
    return list(found)
