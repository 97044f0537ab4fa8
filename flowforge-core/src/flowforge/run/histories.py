"""From a snapshot's settings to the rules of its history, and what a plan says of it."""

from __future__ import annotations

import datetime as dt

from flowforge.materialize.history import Deletes, History
from flowforge.project.manifest import Node


def history_of(node: Node, moment: dt.datetime, *, keep_last: int | None = None) -> History | None:
    """The rules of a snapshot's history; ``None`` for any other node.

    Parameters
    ----------
    moment:
        The time of the run, in UTC.
    keep_last:
        Remove all but so many of the newest versions of each key, and do nothing else.
    """
    settings = node.config.snapshot
    if settings is None:
        return None
    return History(
        key=settings.unique_key,
        moment=moment,
        updated_at=settings.updated_at,
        checked=settings.check_cols,
        deletes=Deletes(settings.hard_deletes),
        keep_last=keep_last,
    )
