"""Random edits, random runs: what is skipped is right, and what has not changed is not built again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from worlds.edits import (
    BELOW,
    BY_OTHERS,
    GROWING,
    GROWTH,
    KEYS,
    OF_MODELS,
    OF_THE_FOLDER,
    Edits,
    Habits,
    seed_rows,
)
from worlds.nodes import ENVS, HELPERS, OUTSIDE, SEEDS, VARS, Helper
from worlds.twin import Order
from worlds.workspace import Command, Workspace

RUNS = ("run_all", "run_some", "run_some", "run_in_any_way")
EDITS = (*(OF_MODELS * 2), *(BELOW * 3), *(BY_OTHERS * 3), *OF_THE_FOLDER)
STEPS = (*(RUNS * 9), *EDITS, "run_all_again", "run_that_is_killed", "prune", "prune")
POINTS = (
    *("publish.locked", "publish.staged", "publish.audited", "publish.replaced", "publish.noted", "publish.committed"),
    *("meta.created", "seed.batch", "seed.loaded", "state.run_begun", "state.node_noted", "state.run_ended"),
)


class NeverStale(RuleBasedStateMachine):
    """A project, its database, and everybody who changes them."""

    habits = Habits()
    steps = STEPS

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ff-invariants-"))
        self.space = Workspace(self.folder / "project")
        self.space.root.mkdir()
        self.world = self.space.world
        self.edits = Edits(self.space, self.habits)

    def teardown(self) -> None:
        self.space.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(data=st.data(), count=st.integers(3, 6), build=st.sampled_from([True, True, True, False]))
    def begin(self, data: st.DataObject, count: int, build: bool) -> None:
        with self.space.explained():
            for name in SEEDS:
                self.world.seeds[name] = data.draw(seed_rows)
            for name in HELPERS:
                self.world.helpers[name] = Helper(name, 1)
            self.world.vars = dict.fromkeys(VARS, 0)
            self.world.env = dict.fromkeys(ENVS, 1)
            for name in OUTSIDE:
                self.edits.create_outside(name, data.draw(self.habits.rows))
            for key in sorted(data.draw(st.lists(st.sampled_from(KEYS), min_size=count, max_size=count, unique=True))):
                self.edits.add(data, key)
            self.space.write("begin")
            if build:
                self.space.execute(Command())

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One rule for all: hypothesis would call rules that draw nothing far too often."""
        what = data.draw(st.sampled_from(self.steps), label="step")
        with self.space.explained():
            if what not in EDITS:
                getattr(self, what)(data)
                return
            getattr(self.edits, what)(data)
            if data.draw(st.booleans(), label="run at once"):  # several edits hide each other's effects
                self.run_all(data)

    def _selection(self, data: st.DataObject) -> tuple[str, ...]:
        names = [model.name for model in self.world.nodes()]
        name = st.sampled_from(names)
        tags = sorted({tag for model in self.world.in_order() for tag in model.tags})
        one = st.one_of(
            name,
            name.map(lambda text: f"+{text}"),
            name.map(lambda text: f"{text}+"),
            name.map(lambda text: f"+{text}+"),
            *([st.sampled_from(tags).map(lambda tag: f"tag:{tag}")] if tags else []),
        )
        return tuple(data.draw(st.lists(one, min_size=1, max_size=3, unique=True), label="selection"))

    def _run(self, data: st.DataObject, select: tuple[str, ...], order: Order) -> None:
        command = Command(
            name=data.draw(st.sampled_from(["build", "build", "build", "build", "run", "seed"])),
            select=select,
            order=order,
            jobs=data.draw(st.sampled_from([1, 1, 3])),
            keep_going=True,  # else it depends on durations, which are no two times the same, what a failure leaves out
            plan_first=data.draw(st.sampled_from([True, False, False])),
        )
        forced = order.forced & self.space.wanted(command)  # asking for others is refused
        command = attrs.evolve(command, order=attrs.evolve(order, forced=forced))
        self.space.execute(command, fresh=data.draw(st.booleans(), label="fresh"))

    def run_all(self, data: st.DataObject) -> None:
        self._run(data, (), Order())

    def run_all_again(self, data: st.DataObject) -> None:
        """Twice in a row: the second time nothing is left to do, but for what is volatile."""
        self._run(data, (), Order())
        self._run(data, (), Order())

    def run_some(self, data: st.DataObject) -> None:
        self._run(data, self._selection(data), Order())

    def run_in_any_way(self, data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(["off", "rw", "ro", "wo"]), label="mode")
        names = [model.name for model in self.world.nodes() if model.materialized != "ephemeral"]
        order = Order(
            mode=mode,
            forced=frozenset(data.draw(st.lists(st.sampled_from(names), max_size=2), label="forced")),
            full_refresh=data.draw(st.sampled_from([False, False, False, True]), label="full refresh"),
            assume_unchanged=data.draw(st.booleans(), label="assume unchanged"),
        )
        select = data.draw(st.sampled_from([(), self._selection(data)]))
        self._run(data, select, order)

    def prune(self, data: st.DataObject) -> None:
        """Bring histories up to date, and remove their old versions."""
        select = data.draw(st.sampled_from([(), (), self._selection(data)]))
        self.space.execute(Command("snapshot", select, keep_going=True))
        keep = data.draw(st.integers(1, 2), label="keep")
        if self.space.can_prune(keep):
            self.space.execute(Command("snapshot", select, keep_going=True, keep_last=keep))

    def run_that_is_killed(self, data: st.DataObject) -> None:
        """At a random point; then the next run has to find everything that is left to do.

        Not where a source is assumed to stay as it is: nobody could tell what the killed run saw of it.
        """
        if self.world.assumed:
            return
        point = f"{data.draw(st.sampled_from(POINTS), label='point')}:{data.draw(st.integers(1, 4), label='time')}"
        order = Order(mode=data.draw(st.sampled_from(["rw", "rw", "wo", "ro", "off"]), label="mode"))
        select = data.draw(st.sampled_from([(), self._selection(data)]))
        self.space.kill(Command(select=select, order=order, jobs=1), point)
        self._run(data, (), Order())


class NothingLost(NeverStale):
    """The same of models that grow: what a wrong run did to their rows, no later run makes good."""

    habits = GROWING
    steps = (*(RUNS * 4), *(["change_source"] * 12), *BELOW[:6], *GROWTH, *(["prune"] * 4), "run_that_is_killed")


def _settings(examples: int, steps: int, *, random: bool) -> settings:
    """The quick lane plays the same histories each time, so that only the code differs between two of its runs."""
    return settings(
        derandomize=not random,
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        report_multiple_bugs=False,
    )


TestNeverStale = NeverStale.TestCase
TestNeverStale.settings = _settings(5, 25, random=False)

TestNothingLost = NothingLost.TestCase
TestNothingLost.settings = _settings(4, 25, random=False)


@pytest.mark.full
class TestNeverStaleForLong(NeverStale.TestCase):
    """About ten minutes of the same."""

    settings = _settings(140, 50, random=True)


@pytest.mark.full
class TestNothingLostForLong(NothingLost.TestCase):
    """About five minutes of the same."""

    settings = _settings(70, 50, random=True)
