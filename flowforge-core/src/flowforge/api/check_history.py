"""What the checks of a project have found in earlier runs. Reads the project's memory; asks no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowforge.errors import Note
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.project.manifest import CheckDecl
from flowforge.state.check_results import PastResult
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project


@frozen
class PastOfCheck:
    """The history of one check.

    Parameters
    ----------
    results:
        The last ones, oldest first.
    since:
        The first of the results in which it did not pass, when it did not pass the last time.
    passed:
        The last result in which it passed, wherever *results* begin; ``None``: nobody remembers one.
    """

    check: CheckDecl
    results: tuple[PastResult, ...] = ()
    since: PastResult | None = None
    passed: PastResult | None = None

    @property
    def status(self) -> Status | None:
        """How it ended last; ``None``: it never ran."""
        return self.results[-1].status if self.results else None


@frozen
class CheckHistories:
    """The histories of several checks, in their order; *notes* are warnings about the memory that they come from."""

    checks: tuple[PastOfCheck, ...]
    notes: tuple[Note, ...] = ()


def check_histories(project: Project, checks: Sequence[CheckDecl], *, limit: int = 10) -> CheckHistories:
    """What *checks* have found in earlier runs under the project's profile and engine.

    Parameters
    ----------
    limit:
        How many results of each check, the newest ones.
    """
    notes: list[Note] = []
    env, engine = project.profile.name, project.engine.name
    with StateStore.open(project.root / ".flowforge", notes.append, write=False) as store:
        known = store.checks.results(env, engine, limit, [check.id for check in checks])
        found = []
        for check in checks:
            results = tuple(known.get(check.id, ()))
            since = passed = None
            if results and results[-1].status is Status.SUCCESS:
                passed = results[-1]
            elif results:
                since, passed = store.checks.streak(env, engine, check.id)
            found.append(PastOfCheck(check, results, since, passed))
    return CheckHistories(tuple(found), tuple(dict.fromkeys(notes)))
