"""What the YAML of seeds says for some engines only, and which of it holds here.

Knows names of engines. The engine of the project is asked for only when something is said for engines at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from flowforge.config.flaws import nearest
from flowforge.errors import Problems, SeedError
from flowforge.frozen import frozen
from flowforge.values import Location

T = TypeVar("T")


def _none() -> Collection[str]:
    return ()


@frozen
class EngineWords:
    """The names of engines.

    Parameters
    ----------
    mine:
        Gives the name and the aliases of the project's engine.
    known:
        Gives those of all engines that anybody knows of.
    """

    mine: Callable[[], Collection[str]] = _none
    known: Callable[[], Collection[str]] = _none

    def choose(self, said: Mapping[str, T], otherwise: T, locate: Callable[[str], Location], problems: Problems) -> T:
        """What holds for the project's engine; engines that nobody knows are allowed, unless they look like a slip."""
        if not said:
            return otherwise
        mine = self.mine()
        known = {*self.known(), *mine}
        for name in said:
            near = nearest(name, known) if name not in known else None
            if near is not None:
                problems.add(SeedError(f"there is no engine {name!r}", code="FF4003", location=locate(name), help=near))
        return next((value for name, value in said.items() if name in mine), otherwise)
