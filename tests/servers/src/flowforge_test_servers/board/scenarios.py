"""What is running when the crash board kills: which versions, which command, and which crash points it comes to."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from flowforge_test_servers.board import histories, quarantine
from flowforge_test_servers.board.arena import Arena, Place
from flowforge_test_servers.board.batches import ANEW, NEW_WINDOWS, OLD_WINDOWS
from flowforge_test_servers.board.growing import AFTER, BEFORE, HOOKED_AFTER, HOOKED_BEFORE
from flowforge_test_servers.board.process import run
from flowforge_test_servers.board.world import EMPTY, NEW, OLD, REFUSED, SEEDED, Version

PUBLISH = frozenset(f"publish.{step}" for step in ("locked", "staged", "audited", "replaced", "noted", "committed"))
"""Steps of the branch in one transaction."""
OPEN = frozenset(f"open.{step}" for step in ("staged", "announced", "replaced", "noted", "cleaned")) | {
    "lease.taken",
    "lease.released",
}
"""Steps of the branch without transactions."""
RUN = frozenset({"state.run_begun", "state.node_noted", "state.run_ended"})
"""What every run notes in its own file."""
SEED = frozenset({"seed.batch", "seed.loaded"})
FIRST = frozenset({"meta.created", "state.created"})


@attrs.frozen
class Scenario:
    """A run that is killed.

    Parameters
    ----------
    old, new:
        What stands before, and what has to stand after a run to the end.
    special:
        Crash points that it comes to beside those of every run, and for whose sake it is here.
    leases:
        The table of leases is made by it, on an engine that needs one.
    grows:
        Rows are added to tables, in place where the engine has transactions.
    keeps:
        Versions are added to histories.
    windows:
        Some are built window by window.
    parts:
        Rows are put aside.
    prepare:
        What else happens before, at the place itself.
    begins:
        What stands after that, when it is not *old* any more.
    exactly:
        All crash points that it comes to: in one transaction, and without.
    code:
        How a run to the end exits.
    settles:
        A further run finds nothing to do.
    like_another:
        From its special points on, it goes on as another scenario does, so there is nothing to be learnt from killing
        it later.
    """

    name: str
    old: Version
    new: Version
    command: tuple[str, ...] = ("build",)
    special: frozenset[str] = frozenset()
    leases: bool = False
    grows: bool = False
    keeps: bool = False
    windows: bool = False
    parts: bool = False
    prepare: Callable[[Place], None] = lambda place: None
    begins: Version | None = None
    exactly: tuple[frozenset[str], frozenset[str]] | None = None
    code: int = 0
    settles: bool = True
    like_another: bool = False

    def points(self, arena: Arena) -> frozenset[str]:
        """All crash points that a run to the end comes to."""
        if self.exactly is not None:
            return self.exactly[0 if arena.transactional else 1]
        branch = PUBLISH if arena.transactional else OPEN
        leases = {"lease.created"} if self.leases and not arena.transactional else set()
        growing = {"publish.grown"} if self.grows and arena.transactional else set()
        keeping = {"publish.versioned" if arena.transactional else "open.versioned"} if self.keeps else set()
        cloning = {"open.cloned"} if arena.clones and (self.grows or self.keeps) else set()
        windows = {"open.windows"} if self.windows and not arena.transactional else set()
        parting = (
            ({"publish.parted"} if arena.transactional else {"open.parted", "open.settled"}) if self.parts else set()
        )
        other = "open." if arena.transactional else "publish."
        special = {point for point in self.special if not point.startswith(other)}
        return branch | RUN | SEED | special | leases | growing | cloning | keeping | windows | parting


def _older_meta(place: Place) -> None:
    """Put the table of an older tool in the place of ours."""
    with place.look(keep=True) as look:
        look.execute('DROP TABLE "_ff_meta"')
        look.execute(
            'CREATE TABLE "_ff_meta" (node_name TEXT, relation TEXT, fp TEXT, engine TEXT, built_at TIMESTAMP)'
        )
        look.execute("INSERT INTO \"_ff_meta\" VALUES ('base.ff', 'base', 'abc', 'x', '2020-01-01 00:00:00')")


def _leftover(place: Place) -> None:
    """Leave a staging relation behind, as a run would whose engine has no transactions."""
    from flowforge.materialize.staging import staging_name

    name = staging_name("base", "20200101000000abcdef", limit=63)
    with place.look(keep=True) as look:
        look.execute(f'CREATE TABLE "{name}" (id INTEGER)')


def _second_run(place: Place) -> None:
    """Bring the histories to the state of the new files."""
    ended = run(place, "build", "--jobs", "1")
    assert ended.code == 0, ended.stderr


_PRUNING = RUN | {"publish.locked", "publish.pruned", "publish.noted", "publish.committed"}
_OPEN_PRUNING = RUN | (OPEN - {"open.staged"}) | {"open.versioned"}

CHANGE = Scenario("change", OLD, NEW)
SCENARIOS = (
    CHANGE,
    Scenario("first", EMPTY, OLD, special=FIRST, leases=True),
    Scenario("seed", OLD, SEEDED, command=("seed",)),
    Scenario("migrate", OLD, NEW, special=frozenset({"meta.migrated"}), prepare=_older_meta, like_another=True),
    Scenario("leftover", OLD, NEW, special=frozenset({"leftovers.dropped"}), prepare=_leftover, like_another=True),
    Scenario("grow", BEFORE, AFTER, grows=True),
    Scenario("keep", histories.BEFORE, histories.AFTER, keeps=True),
    Scenario(
        "prune",
        histories.BEFORE,
        histories.PRUNED,
        command=("snapshot", "run", "--prune", "--keep-last", "1"),
        prepare=_second_run,
        begins=histories.AFTER,
        exactly=(_PRUNING, _OPEN_PRUNING),
        settles=False,
    ),
    Scenario("windows", OLD_WINDOWS, NEW_WINDOWS, grows=True, windows=True),
    Scenario(
        "first windows",
        EMPTY,
        OLD_WINDOWS,
        special=FIRST | {"windows.created"},
        leases=True,
        grows=True,
        windows=True,
    ),
    Scenario("windows anew", OLD_WINDOWS, ANEW, command=("build", "--full-refresh"), windows=True),
    Scenario(
        "hooked",
        HOOKED_BEFORE,
        HOOKED_AFTER,
        special=frozenset({"publish.hooked", "open.hooked"}),
        grows=True,
        like_another=True,
    ),
    Scenario(
        "quarantine",
        quarantine.BEFORE,
        quarantine.AFTER,
        grows=True,
        keeps=True,
        parts=True,
        prepare=quarantine.release_one,
    ),
    Scenario(
        "release taken back",
        quarantine.BEFORE,
        quarantine.BEFORE,
        parts=True,
        exactly=(PUBLISH | RUN | {"publish.parted"}, OPEN | RUN | {"open.parted", "open.settled"}),
        prepare=quarantine.take_back,
        begins=quarantine.TAKEN_BACK,
    ),
    Scenario(
        "first quarantine",
        EMPTY,
        quarantine.BEFORE,
        special=FIRST | {"decisions.created"},
        leases=True,
        parts=True,
        like_another=True,
    ),
    Scenario("refused", OLD, REFUSED, code=2, settles=False),
)
