"""``_ff_windows`` on real engines: made, read, and refused when it is not ours to change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge.errors import StateError
from flowforge.project.windows import Window, window_of, windows_between
from flowforge.state.windows import (
    WINDOWS_TABLE,
    WindowNote,
    data_id_of,
    ensure_windows,
    generation_of,
    new_generation,
    newest_windows,
    note_windows,
    read_windows,
)
from flowforge.values import Relation
from flowforge_plain.place import Place, open_place

NOW = dt.datetime(2024, 3, 1, 12, 30, 15, 123456, tzinfo=dt.UTC)


@pytest.fixture(params=["duckdb", "sqlite", "plain"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = open_place(request.param, tmp_path)
    yield place
    place.close()


def ensure(place: Place) -> Relation:
    with place.executor.session(label="flowforge/test") as session:
        return ensure_windows(session, place.executor.dialect, place.executor.namespace)


def days(first: str, last: str) -> list[Window]:
    moments = (dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in (first, last))
    return list(windows_between(*moments, "day"))


def notes_of(windows: list[Window], *, run: str = "r1", rows: int | None = 3) -> list[WindowNote]:
    return [WindowNote(window, run, NOW, rows, "made of") for window in windows]


def test_what_is_noted_is_read(place: Place) -> None:
    table = ensure(place)
    assert ensure(place) == table
    session, dialect = place.session(), place.executor.dialect
    generation = new_generation()
    noted = notes_of(days("2024-02-28", "2024-03-02"))
    note_windows(session, dialect, table, "it's", generation, noted)
    assert read_windows(session, dialect, table, "it's", generation) == {note.window: note for note in noted}
    assert read_windows(session, dialect, table, "other", generation) == {}
    assert newest_windows(session, dialect, table) == {("it's", generation): noted[-1].window.end}


def test_a_window_is_noted_once(place: Place) -> None:
    table = ensure(place)
    session, dialect = place.session(), place.executor.dialect
    generation = new_generation()
    windows = days("2024-02-01", "2024-03-01")
    note_windows(session, dialect, table, "m", generation, notes_of(windows))
    (again,) = notes_of([windows[3]], run="r2", rows=None)
    note_windows(session, dialect, table, "m", generation, [again])
    found = read_windows(session, dialect, table, "m", generation)
    assert found[windows[3]] == again
    assert set(found) == set(windows)
    month = window_of(NOW - dt.timedelta(days=5), "month")
    note_windows(session, dialect, table, "m", generation, notes_of([month]))
    assert set(read_windows(session, dialect, table, "m", generation)) == {month}, "its days are part of it now"


def test_another_generation_forgets(place: Place) -> None:
    table = ensure(place)
    session, dialect = place.session(), place.executor.dialect
    old, new = new_generation(), new_generation()
    for key in ("a", "b"):
        note_windows(session, dialect, table, key, old, notes_of(days("2024-01-01", "2024-01-04")))
    note_windows(session, dialect, table, "a", new, notes_of(days("2024-05-01", "2024-05-02")))
    assert read_windows(session, dialect, table, "a", old) == {}
    assert len(read_windows(session, dialect, table, "b", old)) == 3
    assert len(read_windows(session, dialect, table, "a", new)) == 1


def test_very_many_windows(place: Place) -> None:
    table = ensure(place)
    session, dialect = place.session(), place.executor.dialect
    generation = new_generation()
    windows = days("2018-01-01", "2024-01-01")
    note_windows(session, dialect, table, "m", generation, notes_of(windows))
    assert len(read_windows(session, dialect, table, "m", generation)) == len(windows)


def test_the_table_of_somebody_else(place: Place) -> None:
    with place.executor.session(label="flowforge/test") as session:
        session.execute(f'CREATE TABLE "{WINDOWS_TABLE}" (glass TEXT)')
    with pytest.raises(StateError) as caught:
        ensure(place)
    assert caught.value.code == "FF2302"


def test_the_table_of_a_newer_flowforge(place: Place) -> None:
    table = ensure(place)
    with place.executor.session(label="flowforge/test") as session:
        note_windows(
            session, place.executor.dialect, table, "m", new_generation(), notes_of(days("2024-01-01", "2024-01-02"))
        )
        session.execute(f'UPDATE "{WINDOWS_TABLE}" SET "version" = 99')
    with pytest.raises(StateError, match="newer FlowForge"):
        ensure(place)


def test_generations() -> None:
    generation = new_generation()
    assert generation_of(data_id_of(generation)) == generation
    assert data_id_of(generation) != data_id_of(generation)
    for other in ("", generation, "0" * 32, f"x{data_id_of(generation)}", f"{data_id_of(generation)}0"):
        assert generation_of(other) is None
