"""Plays the scenarios: makes the places at which they begin, kills, looks, and lets the next runs repair."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from flowforge import Project
from flowforge.events import Status
from flowforge.run.result import RunResult
from flowforge_test_servers.board import judge
from flowforge_test_servers.board.arena import Arena, Place, write_files
from flowforge_test_servers.board.process import KILLED, Ended, count_points, run
from flowforge_test_servers.board.scenarios import Scenario
from flowforge_test_servers.board.world import EMPTY, Version

_IN_PROCESS = threading.Lock()
ONE_BY_ONE = ("--jobs", "1")


@attrs.frozen
class Opening:
    """Where a scenario begins, how its run to the end went, and how often that came to each crash point.

    Parameters
    ----------
    earlier:
        The runs that ``_ff_meta`` speaks of at the beginning.
    """

    place: Place
    earlier: frozenset[str]
    whole: Ended
    counts: Mapping[str, int]


class Board:
    """The places of one test session; safe from any thread.

    Parameters
    ----------
    folder:
        Where the places are made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        # A version is kept with its place, so that no other one ever gets its id.
        self._built: dict[tuple[str, int], tuple[Version, Place]] = {}
        self._openings: dict[tuple[str, str], Opening] = {}

    def new_root(self, label: str) -> Path:
        """A folder that is not there yet."""
        return self._folder / f"{next(self._numbers):04d}-{label}"

    def built(self, arena: Arena, version: Version) -> Place:
        """A place at which *version* was built from nothing; do not change it, copy it."""
        with self._lock:
            key = arena.name, id(version)
            if key not in self._built:
                place = arena.empty(self.new_root(f"{arena.name}-template"))
                write_files(place.root, version.files)
                ended = run(place, "build", *ONE_BY_ONE)
                assert ended.code == 0, ended.stderr
                judge.assert_sound(place, version)
                self._built[key] = version, place
            return self._built[key][1]

    def opening(self, arena: Arena, scenario: Scenario) -> Opening:
        """The place at which *scenario* begins; copy it. The first call plays the scenario once without a kill."""
        with self._lock:
            key = arena.name, scenario.name
            if key not in self._openings:
                root = self.new_root(f"{arena.name}-{scenario.name}")
                if scenario.old is EMPTY:
                    place = arena.empty(root)
                else:
                    place = arena.copy(self.built(arena, scenario.old), root)
                write_files(place.root, scenario.new.files)
                scenario.prepare(place)
                with place.look() as look:
                    earlier = judge.noted_runs(look)
                trial = arena.copy(place, self.new_root(f"{arena.name}-{scenario.name}-whole"))
                whole, counts = count_points(trial, *scenario.command, *ONE_BY_ONE)
                assert whole.code == scenario.code, whole.stderr
                judge.assert_sound(trial, scenario.new)
                arena.remove(trial)
                self._openings[key] = Opening(place, earlier, whole, counts)
            return self._openings[key]

    def kill_at(self, arena: Arena, scenario: Scenario, point: str, nth: int) -> None:
        """Die at *point* for the *nth* time; the state then has to be legal, and the next run has to repair it."""
        opening = self.opening(arena, scenario)
        place = arena.copy(opening.place, self.new_root(f"{arena.name}-{scenario.name}-{point}-{nth}"))
        try:
            dead = run(place, *scenario.command, *ONE_BY_ONE, FF_CRASH_AT=f"{point}:{nth}")
            assert dead.code == KILLED, f"{point}:{nth} was not reached\n{dead.stderr}"
            self.judge_dead(place, scenario, opening.earlier)
            self.repair(place, scenario)
        except AssertionError as error:
            raise AssertionError(f"{arena.name}, {scenario.name}, {point}:{nth}: {error}") from error
        finally:
            arena.remove(place)

    def kill_at_all(self, arena: Arena, scenario: Scenario, cases: list[tuple[str, int]]) -> None:
        """:meth:`kill_at` for all *cases*, two processes at a time; reports all that went wrong."""
        self.opening(arena, scenario)
        wrong = []
        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(self.kill_at, arena, scenario, point, nth) for point, nth in cases]:
                try:
                    future.result()
                except AssertionError as error:
                    wrong.append(str(error))
        assert not wrong, "\n\n".join(wrong)

    @staticmethod
    def judge_dead(place: Place, scenario: Scenario, earlier: Set[str]) -> None:
        """Every relation is old or new, and ``_ff_meta`` does not lie; *earlier* is what :class:`Opening` says."""
        transactional = place.arena.transactional
        with place.look() as look:
            before = scenario.begins or scenario.old
            wrong = judge.damage(look, before, scenario.new, earlier=earlier, transactional=transactional)
        assert not wrong, "after the kill: " + "; ".join(wrong)

    @staticmethod
    def repair(place: Place, scenario: Scenario) -> None:
        """The next run ends as if nothing had happened, and the one after it finds nothing to do."""
        again = run(place, *scenario.command)
        assert again.code == scenario.code, f"the next run exits with {again.code}: {again.stderr}"
        judge.assert_sound(place, scenario.new, killed=True)
        if scenario.settles:
            Board._is_idle(place, scenario)

    @staticmethod
    def _is_idle(place: Place, scenario: Scenario) -> None:
        """A further run skips every node. By the Python API, because starting a process is what takes the time."""
        with _IN_PROCESS, Project.load(place.root, environ=dict(place.env)) as project:
            step: Callable[[], RunResult] = getattr(project, scenario.command[0])
            result = step()
        assert result.ok, [str(node.error) for node in result.nodes]
        assert result.nodes, "a run without a result"
        busy = {node.node: node.status.value for node in result.nodes if node.status is not Status.CACHED}
        assert not busy, f"not skipped after the repair: {busy}"
        judge.assert_sound(place, scenario.new, killed=True)
