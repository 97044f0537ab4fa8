"""What a Python model may return, and what its inputs may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flowforge.errors import ModelExecutionError
from flowforge.materialize.frames import read_frame, write_frame
from flowforge.values import Relation

pa = pytest.importorskip("pyarrow")


class Table:
    """A session that only loads."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.alive = 0

    def load_frame(self, relation: Relation, frame: Any, options: object = None) -> None:
        """Knows no frames of its own."""

    def load(self, relation: Relation, reader: Any, mode: object, options: object = None) -> int:
        for batch in reader:
            self.rows += batch.to_pylist()
        return len(self.rows)


def write(value: Any) -> list[dict[str, Any]]:
    table = Table()
    write_frame(table, Relation("t"), value, node="m", path="models/m.ff.py")  # type: ignore[arg-type]
    return table.rows


def frames(*parts: Any) -> Iterator[Any]:
    yield from parts


def test_frames_that_are_yielded_are_one_table() -> None:
    rows = write(frames(pa.table({"x": [1]}), pa.table({"x": pa.array([], pa.int64())}), pa.table({"x": [2, 3]})))
    assert rows == [{"x": 1}, {"x": 2}, {"x": 3}]


def test_frames_of_several_kinds_may_be_yielded() -> None:
    pandas = pytest.importorskip("pandas")
    assert write(frames(pandas.DataFrame({"x": [1]}), pa.table({"x": [2]}))) == [{"x": 1}, {"x": 2}]


def test_a_frame_is_asked_for_when_the_one_before_is_written() -> None:
    asked: list[int] = []

    def model() -> Iterator[Any]:
        for number in range(3):
            assert len(table.rows) == number, "the frame before was not written yet"
            asked.append(number)
            yield pa.table({"x": [number]})

    table = Table()
    write_frame(table, Relation("t"), model(), node="m", path="p")  # type: ignore[arg-type]
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: frames(), "yielded no frame"),
        (lambda: frames(pa.table({"x": [1]}), pa.table({"y": [1]})), "frame 2 .* y instead of x"),
        (lambda: frames(pa.table({"x": [1]}), pa.table({"x": ["a"]})), "'x' is string instead of int64"),
        (lambda: frames(pa.table({"x": [1], "y": [1]}), pa.table({"y": [1], "x": [1]})), "y, x instead of x, y"),
        (lambda: frames(pa.table({"x": [1]}), None), "nothing \\(None\\)"),
        (lambda: frames(5), "builtins|an? int"),
        (lambda: frames(pa.table({})), "no columns"),
    ],
)
def test_frames_that_do_not_fit(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ModelExecutionError, match=words) as caught:
        write(make())
    assert caught.value.code == "FF2006"


def test_polars_frames_go_in_and_out() -> None:
    polars = pytest.importorskip("polars")
    session: Any = SimpleNamespace(query=lambda sql: pa.table({"x": [1, None]}).to_reader())
    frame = read_frame(session, Relation("t"), "SELECT 1", "polars")
    assert isinstance(frame, polars.DataFrame)
    assert write(frame) == [{"x": 1}, {"x": None}]


@pytest.mark.parametrize(
    ("fold", "stored", "expected"),
    [
        (str.upper, ["ID", "mixedCase", "TWO WORDS"], ["id", "mixedCase", "two words"]),
        (str.upper, ["ID", "id"], ["ID", "id"]),
        (str.lower, ["id", "MixedCase"], ["id", "MixedCase"]),
        (str, ["ID", "id2", "MixedCase"], ["ID", "id2", "MixedCase"]),
    ],
)
def test_columns_have_the_names_that_people_type(
    fold: Callable[[str], str], stored: list[str], expected: list[str]
) -> None:
    rows = pa.Table.from_arrays([pa.array([nr]) for nr, _ in enumerate(stored)], names=stored)
    session: Any = SimpleNamespace(query=lambda sql: rows.to_reader())
    frame = read_frame(session, Relation("t"), "SELECT 1", "arrow", fold)
    assert frame.column_names == expected
    assert frame.to_pydict() == {name: [nr] for nr, name in enumerate(expected)}
