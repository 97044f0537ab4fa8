"""What the project's memory holds, as frozen values: runs, how their nodes ended, what builds were made from.

All of it is a hint: ``_ff_meta`` in the database decides what is up to date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.events import Status
from flowforge.frozen import frozen


@frozen
class NodeRecord:
    """How one node of a run ended. *node* is the node's full name; *duration* is in seconds of wall time.

    *windows* are those that were not built, of a node that is built in windows: starts and ends in UTC. *same_data*: it
    was built, and who reads it need not be for that.
    """

    node: str
    status: Status
    started_at: dt.datetime
    duration: float
    rows: int | None = None
    message: str | None = None
    code: str | None = None
    windows: tuple[tuple[dt.datetime, dt.datetime], ...] = ()
    same_data: bool = False


@frozen
class RunRecord:
    """One run.

    Parameters
    ----------
    options:
        How it was called, as JSON can hold it; no secrets.
    planned:
        Full names of the nodes that it set out to run, in plan order.
    finished_at, exit_code:
        ``None`` while it runs, and for ever when it was killed.
    host, pid:
        Who ran it.
    birth:
        Tells the process from a later one with the same id (:func:`flowforge.state.process.birth_of`); the store
        fills it in when the run begins.
    nodes:
        What had ended when it was last heard of, by node name, in that order.
    checks:
        Likewise, by check id.
    """

    run_id: str
    project: str
    env: str
    engine: str
    command: str
    options: Mapping[str, Any]
    planned: tuple[str, ...]
    started_at: dt.datetime
    finished_at: dt.datetime | None
    exit_code: int | None
    host: str
    pid: int
    nodes: Mapping[str, NodeRecord] = attrs.field(factory=dict)
    checks: Mapping[str, Status] = attrs.field(factory=dict)
    birth: str = ""

    @property
    def never_finished(self) -> tuple[str, ...]:
        """Planned nodes of which no end is known, in plan order: the run was killed before they ended."""
        return tuple(name for name in self.planned if name not in self.nodes)


@frozen
class BuildRecord:
    """What the last successful build of a node was made from, to say later *why* it is out of date.

    Parameters
    ----------
    definition:
        The definition part of its fingerprint.
    sql:
        Its compiled SQL, with secrets masked.
    inputs:
        Data ids (or states) of what it read, by name.
    files:
        Digests of the files that it was made from, by path.
    """

    node: str
    definition: str
    sql: str | None
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: Mapping[str, str]
