"""What SQL dialects mean by the same words, as far as that is known."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from flowforge.frozen import frozen

_NOTHING: Mapping[str, Any] = {}


@frozen
class Pair:
    """Two dialects: what a query is written in, and what it becomes. Names are the translator's."""

    source: str
    target: str

    def of_source(self, trait: str) -> Any:
        """What *trait* is in the dialect that is translated; ``None`` when nobody knows."""
        return _traits(self.source).get(trait)

    def of_target(self, trait: str) -> Any:
        """What *trait* is in the dialect that it becomes; ``None`` when nobody knows."""
        return _traits(self.target).get(trait)

    def differs(self, trait: str) -> bool:
        """Whether both are known, and are not the same."""
        ours, theirs = self.of_source(trait), self.of_target(trait)
        return ours is not None and theirs is not None and ours != theirs


@functools.cache
def _traits(dialect: str) -> Mapping[str, Any]:
    """What is known of a dialect, with what is known of the one that it is like."""
    found = _known().get(dialect, _NOTHING)
    return {**_traits(found["like"]), **found} if "like" in found else found


@functools.cache
def _known() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(files("flowforge.portable").joinpath("traits.toml").read_text("utf-8"))
