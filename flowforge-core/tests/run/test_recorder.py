from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowforge.crash import EXIT_CODE
from flowforge.events import CheckFinished, Event, NodeFinished, NodeStarted, RunFinished, RunStarted, Status
from flowforge.run.bus import EventBus
from flowforge.run.recorder import Recorder
from flowforge.state.store import StateStore
from flowforge.values import Relation

NOW = dt.datetime.now(dt.UTC)


def started(*nodes: str, run_id: str = "r1") -> RunStarted:
    return RunStarted(
        run_id, NOW, command="build", project="shop", env="dev", engine="some", namespace="main", nodes=nodes, jobs=2
    )


def finished(name: str, status: Status = Status.SUCCESS, duration: float = 0.5) -> NodeFinished:
    return NodeFinished(
        "r1",
        NOW,
        node_run_id=name,
        node=name,
        kind="sql",
        materialized="table",
        relation=Relation(name),
        status=status,
        index=1,
        total=1,
        started_at=NOW,
        duration=duration,
        rows=7,
        message="said",
        code="FF2001",
    )


def check(name: str, status: Status) -> CheckFinished:
    return CheckFinished("r1", NOW, check=name, node="orders", column=None, severity="error", status=status, duration=1)


def ended(code: int) -> RunFinished:
    return RunFinished("r1", NOW, command="build", duration=1.0, counts={}, checks={}, exit_code=code)


def test_a_run_is_noted_event_by_event_under_the_full_names_of_its_nodes(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / ".flowforge", print) as store:
        recorder = Recorder(store, {"select": ["orders"]})
        recorder(started("raw", "orders.ff"))
        begun = store.last_run("dev")
        assert begun is not None
        assert (begun.run_id, begun.project, begun.engine, begun.command) == ("r1", "shop", "some", "build")
        assert (begun.host, begun.pid, begun.started_at) == (socket.gethostname(), os.getpid(), NOW)
        assert begun.options == {"select": ["orders"]}
        assert begun.never_finished == ("raw", "orders.ff")

        recorder(finished("raw"))
        recorder(finished("orders", Status.ERROR))
        recorder(check("unique", Status.WARN))
        half = store.last_run("dev")
        assert half is not None
        assert half.exit_code is None
        assert list(half.nodes) == ["raw", "orders.ff"]
        one = half.nodes["orders.ff"]
        assert (one.status, one.duration, one.rows) == (Status.ERROR, 0.5, 7)
        assert (one.message, one.code, one.started_at) == ("said", "FF2001", NOW)
        assert half.checks == {"unique": Status.WARN}

        recorder(ended(1))
        whole = store.last_run("dev")
        assert whole is not None
        assert (whole.exit_code, whole.finished_at) == (1, NOW)
        assert store.durations("dev") == {"raw": 0.5}


def test_other_events_are_passed_over(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / ".flowforge", print) as store:
        recorder = Recorder(store)
        recorder(Event("r1", NOW))
        recorder(NodeStarted("r1", NOW, node_run_id="x", node="a", kind="sql", relation=None, index=1, total=1))
        assert store.last_run("dev") is None


def test_noting_two_thousand_nodes_takes_a_small_part_of_a_run(tmp_path: Path) -> None:
    names = [f"model_{number}" for number in range(2_000)]
    with StateStore.open(tmp_path / ".flowforge", print) as store, EventBus(Recorder(store), None) as bus:
        begin = time.process_time()
        bus.emit(started(*names))
        for name in names:
            bus.emit(finished(name))
        bus.emit(ended(0))
        spent = time.process_time() - begin
        last = store.last_run("dev")
    assert last is not None
    assert len(last.nodes) == 2_000
    assert spent < 2.0  # 0.03 s on a quiet machine; a millisecond a node is far below what a database needs


_CRASHES = """
import datetime as dt, sys
from pathlib import Path
from flowforge.events import Status
from flowforge.state.records import NodeRecord, RunRecord
from flowforge.state.store import StateStore
now = dt.datetime.now(dt.UTC)
with StateStore.open(Path(sys.argv[1]), lambda note: print(note.code)) as store:
    store.begin_run(RunRecord("r", "p", "dev", "e", "run", {}, ("a", "b"), now, None, None, "here", 1))
    for name in ("a", "b"):
        store.note_node("r", NodeRecord(name, Status.SUCCESS, now, 1.0))
        store.durations("dev")  # reading waits until it is written
    store.end_run("r", 0, now)
"""


@pytest.mark.parametrize(
    ("point", "nodes", "code"),
    [
        ("state.created", None, None),
        ("state.run_begun", [], None),
        ("state.node_noted", [], None),  # in the queue, and not on the disk
        ("state.node_noted:2", ["a"], None),
        ("state.run_ended", ["a", "b"], 0),
    ],
)
def test_a_kill_at_every_step_leaves_what_was_noted(
    tmp_path: Path, point: str, nodes: list[str] | None, code: int | None
) -> None:
    environment = {**os.environ, "FF_CRASH_AT": point}
    command = [sys.executable, "-c", _CRASHES, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_CODE, "", "")
    with StateStore.open(tmp_path, print) as store:
        last = store.last_run("dev")
        if nodes is None:
            assert last is None
        else:
            assert last is not None
            assert (list(last.nodes), last.exit_code) == (nodes, code)
    again = subprocess.run(
        command, env={**os.environ, "FF_CRASH_AT": ""}, capture_output=True, text=True, check=False, timeout=60
    )
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
