"""Fingerprints: digests of everything that the rows of a relation were made from.

A fingerprint has three parts, so that it can be said *why* a relation is out of date: what the node itself says
(its *definition*), the data ids of the nodes that it reads, and the states of the sources that it reads. Views and
ephemeral models hold no rows, so they pass on what they read: an :class:`Identity` has the same parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowforge.errors import InternalError
from flowforge.frozen import frozen

FORMAT = "1"
UNKNOWN = "-"
"""Stands for sources of which nobody knows whether they changed; equal to nothing, not even itself."""
LATER = "?"
"""Stands for sources of which nobody has asked yet; never part of a fingerprint."""


def digest(parts: Any) -> str:
    """A digest of nested lists, mappings, texts, numbers and None; equal values have equal digests."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@frozen
class Identity:
    """What stands under a name, as far as it matters to those who read it.

    Parameters
    ----------
    nodes:
        For a table its data id; for a view a digest of its definition and of what it reads. ``None``: not known.
    sources:
        A digest of the states of the sources that a view reads, ``""`` when there are none, ``None``: not known;
        :data:`LATER`: not asked for.
    """

    nodes: str | None
    sources: str | None = ""


@frozen
class Fingerprint:
    """The three parts; *sources* is ``None`` when the state of a source is not known."""

    definition: str
    nodes: str
    sources: str | None = ""

    def __str__(self) -> str:
        return ":".join((FORMAT, self.definition, self.nodes, UNKNOWN if self.sources is None else self.sources))

    def same_as(self, other: Fingerprint, *, assume_unchanged: bool = False) -> bool:
        """Whether both mean the same rows.

        Parameters
        ----------
        assume_unchanged:
            Take for granted that no source has changed.
        """
        if (self.definition, self.nodes) != (other.definition, other.nodes):
            return False
        return assume_unchanged or (self.sources is not None and self.sources == other.sources)


def parse_fingerprint(text: str) -> Fingerprint | None:
    """What ``str()`` of a fingerprint wrote; ``None`` for the empty text and for those of other versions."""
    parts = text.split(":")
    if len(parts) != 4 or parts[0] != FORMAT:
        return None
    return Fingerprint(parts[1], parts[2], None if parts[3] == UNKNOWN else parts[3])


def combine(inputs: Mapping[str, Identity], source_states: Mapping[str, str | None]) -> Identity:
    """What a node that reads *inputs* and sources in these states stands on.

    Parameters
    ----------
    inputs:
        The nodes that it reads directly, by name.
    source_states:
        By source id; ``None``: not known; :data:`LATER`: not asked for.
    """
    nodes: str | None = ""
    if any(one.nodes is None for one in inputs.values()):
        nodes = None
    elif inputs:
        nodes = digest({name: one.nodes for name, one in inputs.items()})
    handed_on = {name: one.sources for name, one in inputs.items() if one.sources != ""}
    sources: str | None
    if LATER in source_states.values() or LATER in handed_on.values():
        sources = LATER
    elif None in source_states.values() or None in handed_on.values():
        sources = None
    elif source_states or handed_on:
        sources = digest([dict(source_states), handed_on])
    else:
        sources = ""
    return Identity(nodes, sources)


def fingerprint(definition: str | None, stands_on: Identity) -> Fingerprint | None:
    """The fingerprint of a node; ``None`` when it cannot be known, which means: build."""
    if definition is None or stands_on.nodes is None:
        return None
    if UNKNOWN in (definition, stands_on.nodes) or stands_on.sources == LATER:
        raise InternalError("a digest that is no digest")
    return Fingerprint(definition, stands_on.nodes, stands_on.sources)


def passed_on(definition: str | None, stands_on: Identity) -> Identity:
    """What a view or an ephemeral model means to its readers."""
    if definition is None or stands_on.nodes is None:
        return Identity(None, stands_on.sources)
    return Identity(digest([definition, stands_on.nodes]), stands_on.sources)
