"""Notes the events of a run in the project's memory as they happen, so that it outlives a killed process."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from flowforge.events import CheckFinished, Event, NodeFinished, RunFinished, RunStarted
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore


class Recorder:
    """A listener of one run's events. Called one event at a time, from any thread; never raises.

    Parameters
    ----------
    store:
        Where to note it.
    options:
        How the run was called, for ``retry``: plain values without secrets.
    """

    def __init__(self, store: StateStore, options: Mapping[str, Any] | None = None) -> None:
        self._store = store
        self._options = dict(options or {})
        self._names: Mapping[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Note *event*, if it is one of those that are kept."""
        match event:
            case NodeFinished():
                self._store.note_node(event.run_id, self._node(event))
            case CheckFinished():
                self._store.note_check(event.run_id, event.check, event.status)
            case RunStarted():
                # Events of nodes carry the name for people; the memory knows nodes by their full names.
                self._names = {name.removesuffix(".ff"): name for name in event.nodes}
                self._store.begin_run(self._run(event))
            case RunFinished():
                self._store.end_run(event.run_id, event.exit_code, event.at)

    def _run(self, event: RunStarted) -> RunRecord:
        return RunRecord(
            run_id=event.run_id,
            project=event.project,
            env=event.env,
            engine=event.engine,
            command=event.command,
            options=self._options,
            planned=event.nodes,
            started_at=event.at,
            finished_at=None,
            exit_code=None,
            host=socket.gethostname(),
            pid=os.getpid(),
        )

    def _node(self, event: NodeFinished) -> NodeRecord:
        return NodeRecord(
            node=self._names.get(event.node, event.node),
            status=event.status,
            started_at=event.started_at,
            duration=event.duration,
            rows=event.rows,
            message=event.message,
            code=event.code,
            windows=event.windows_failed,
            same_data=event.same_data,
        )
