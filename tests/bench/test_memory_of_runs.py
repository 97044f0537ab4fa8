"""What it costs to note a run of ten thousand nodes as it happens. `pytest -s` shows the table."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

from flowforge.events import Event, NodeFinished, RunFinished, RunStarted, Status
from flowforge.run.bus import EventBus
from flowforge.run.recorder import Recorder
from flowforge.state.records import BuildRecord
from flowforge.state.store import StateStore
from flowforge.values import Relation

NODES = 10_000
NOW = dt.datetime.now(dt.UTC)
RELATION = Relation("orders")


def emit_run(run_id: str, names: tuple[str, ...], bus: EventBus, status: Status) -> None:
    bus.emit(
        RunStarted(run_id, NOW, command="run", project="p", env="dev", engine="e", namespace="n", nodes=names, jobs=4)
    )
    for index, name in enumerate(names):
        bus.emit(
            NodeFinished(
                run_id,
                NOW,
                node_run_id=name,
                node=name,
                kind="sql",
                materialized="table",
                relation=RELATION,
                status=status,
                index=index,
                total=len(names),
                started_at=NOW,
                duration=0.1,
            )
        )
    bus.emit(RunFinished(run_id, NOW, command="run", duration=1.0, counts={}, checks={}, exit_code=0))


def test_ten_thousand_nodes_a_run(tmp_path: Path) -> None:
    names = tuple(f"model_number_{number}" for number in range(NODES))
    rows: list[str] = []

    def timed(what: str, step: Callable[[], object]) -> None:
        begin = time.perf_counter()
        step()
        took = time.perf_counter() - begin
        rows.append(f"| {what} | {took:.3f} | {1e6 * took / NODES:.1f} |")
        assert took < 10.0, what

    def forget(event: Event) -> None:
        """A listener that does nothing, to compare with."""

    timed("events alone", lambda: emit_run("none", names, EventBus(forget, None), Status.SUCCESS))
    with StateStore.open(tmp_path / ".flowforge", print) as store:
        bus = EventBus(Recorder(store), None)
        timed("events noted, first run", lambda: emit_run("r1", names, bus, Status.SUCCESS))
        timed("events noted, second run", lambda: emit_run("r2", names, bus, Status.SUCCESS))
        timed("events noted, all unchanged", lambda: emit_run("r3", names, bus, Status.CACHED))
        build = BuildRecord("", "d" * 32, "SELECT 1 AS x\n" * 50, {"materialized": "table"}, {"a": "b"}, {"c": "d"})

        def builds() -> None:
            for name in names:
                store.note_build("dev", BuildRecord(name, *(getattr(build, field) for field in FIELDS)))

        timed("builds noted", builds)
        timed("last run read", lambda: store.last_run("dev"))
        timed("durations read", lambda: store.durations("dev"))
        timed("definitions read", lambda: store.last_definitions("dev"))
        timed("builds read", lambda: store.last_builds("dev"))
        for number in range(4, 60):
            emit_run(f"r{number}", names[:2_000], bus, Status.CACHED)
        last = store.last_run("dev")
    assert last is not None
    assert len(last.nodes) == 2_000
    size = (tmp_path / ".flowforge" / "state.db").stat().st_size
    print("\n\n| 10,000 nodes | seconds | µs a node |\n|---|---|---|\n" + "\n".join(rows))
    print(f"\nThe file holds 60 runs in {size / 1e6:.0f} MB.")


FIELDS = ("definition", "sql", "config", "inputs", "files")
