"""Runs that write one relation at once, and runs that are killed: the relation is somebody's whole work, always."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowforge.crash import EXIT_CODE
from flowforge.materialize.leftovers import cleaned, drop_leftovers, find_leftovers
from flowforge.values import RelationKind
from flowforge_plain.place import PATIENCE, Place, together

NEVER_IN_TRANSACTION = ("open.staged", "open.announced", "open.replaced", "open.noted", "open.cleaned")
KILLS = [
    *[
        (engine, point)
        for engine in ("duckdb", "sqlite")
        for point in (
            "meta.created",
            "publish.locked",
            "publish.staged",
            "publish.audited",
            "publish.replaced",
            "publish.noted",
            "publish.committed",
        )
    ],
    *[
        ("plain", point)
        for point in ("meta.created", "lease.created", "lease.taken", *NEVER_IN_TRANSACTION, "lease.released")
    ],
]


def press(engine: str, folder: Path, run_id: str, *values: int, **environ: str) -> subprocess.Popen[bytes]:
    """A process that publishes the table ``a``."""
    command = [sys.executable, "-m", "flowforge_plain.press", engine, str(folder), run_id, "a", *map(str, values)]
    return subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Its exit code, and what it complained of."""
    _, complaint = process.communicate(timeout=PATIENCE * 2)
    return process.returncode, complaint.decode()


def check_whole(place: Place, legal: set[int]) -> int:
    """Every row of ``a`` says the same; the meta table says that too, or that it does not know."""
    values = {value for (value,) in place.rows("a")}
    assert len(values) == 1
    assert len(place.rows("a")) == 10
    value = int(values.pop())
    assert value in legal
    row = place.notes()["a"]
    assert row.fingerprint == "" or row.data_id == f"d{value}"
    return value


@pytest.mark.parametrize(("engine", "point"), KILLS)
def test_a_kill_leaves_old_or_new(make_place: Callable[[str], Place], tmp_path: Path, engine: str, point: str) -> None:
    place = make_place(engine)
    place.ensure_meta()
    session = place.session()
    place.publisher("run1").publish(session, place.publication("a", 1), None)
    if point in ("meta.created", "lease.created"):
        session.drop(place.meta if point == "meta.created" else place.leases().table, RelationKind.TABLE)
    place.close()
    code, complaint = end(press(engine, tmp_path, "run2", 2, FF_CRASH_AT=point))
    assert code == EXIT_CODE, complaint

    place = make_place(engine)
    place.ensure_meta()
    if point != "meta.created":
        value = check_whole(place, {1, 2})
        assert value == (2 if point in ("publish.committed", *NEVER_IN_TRANSACTION[2:], "lease.released") else 1)
    publisher = place.publisher("run3")
    session = place.session()
    found = find_leftovers(
        session, [place.executor.namespace], engine=place.spec, run_id="run3", leases=publisher.leases
    )
    assert [info.relation for info in place.staged()] == [one.relation for one in found]
    expected = point in ("open.staged", "open.announced")
    assert cleaned(drop_leftovers(session, found)) == (("cleaned 1 leftover of run run2",) if expected else ())
    published = publisher.publish(session, place.publication("a", 3), None)
    assert not published.kept
    assert check_whole(place, {3}) == 3
    assert place.notes()["a"] == published.row
    assert not place.staged()


def check_journal(folder: Path, values: set[int]) -> None:
    """Nobody began while another was at work."""
    lines = [line.split() for line in (folder / "journal.txt").read_text().splitlines()]
    assert {int(value) for value, _ in lines} == values
    assert [word for _, word in lines] == ["begins", "ends"] * len(values)
    assert all(one[0] == other[0] for one, other in zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize("engine", ["sqlite", "plain"])
def test_processes_take_turns(make_place: Callable[[str], Place], tmp_path: Path, engine: str) -> None:
    batches = [range(start, start + 6) for start in (10, 20, 30)]
    running = [press(engine, tmp_path, f"run{batch[0]}", *batch) for batch in batches]
    for process in running:
        code, complaint = end(process)
        assert code == 0, complaint
    everything = {value for batch in batches for value in batch}
    check_journal(tmp_path, everything)
    place = make_place(engine)
    check_whole(place, everything)
    assert place.notes()["a"].fingerprint
    assert place.notes()["a"].sequence >= len(everything)
    assert not place.staged()


@pytest.mark.parametrize("engine", ["duckdb", "plain"])
def test_threads_take_turns(make_place: Callable[[str], Place], engine: str) -> None:
    place = make_place(engine)
    place.ensure_meta()

    def run(index: int) -> None:
        publisher = place.publisher(f"run{index}")
        with place.executor.session(label=f"flowforge/run{index}/a") as session:
            for turn in range(5):
                published = publisher.publish(session, place.publication("a", index * 10 + turn), None)
                assert not published.kept

    together(4, run)
    check_whole(place, {index * 10 + 4 for index in range(4)})
    row = place.notes()["a"]
    assert row.fingerprint
    if engine == "duckdb":
        assert row.sequence == 20
    assert not place.staged()
