"""Tables that grow on this engine: what becomes of rows that are there, by each strategy, and what nobody ever sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from flowforge.contract import LoadMode, Session
from flowforge.errors import AuditFailedError, ModelExecutionError
from flowforge.materialize.columns import OnChange
from flowforge.materialize.increments import Increment, Strategy
from flowforge.materialize.publish import Audit, Published
from flowforge.project.windows import Window
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.suite.test_publishing import Press, refuse
from flowforge.values import Relation

Row = tuple[int, str | None, str | None]
"""A key, what rows are grouped by, and a value."""

OLD: list[Row] = [(1, "a", "x"), (2, "a", None), (3, None, "z"), (4, "b", "w")]
NEW: list[Row] = [(2, "a", "y"), (3, None, None), (5, "c", "v")]

GROWN: Mapping[str, tuple[Increment, list[Row]]] = {
    "append": (Increment(Strategy.APPEND), [*OLD, *NEW]),
    "append above": (Increment(Strategy.APPEND, watermark=("id",)), [*OLD, (5, "c", "v")]),
    "merge": (Increment(Strategy.MERGE, key=("id",)), [OLD[0], NEW[0], NEW[1], OLD[3], NEW[2]]),
    "merge above": (
        Increment(Strategy.MERGE, key=("id",), watermark=("id",)),
        [*OLD, NEW[2]],
    ),
    "delete+insert": (Increment(Strategy.DELETE_INSERT, key=("id",)), [OLD[0], NEW[0], NEW[1], OLD[3], NEW[2]]),
    "insert_overwrite": (
        Increment(Strategy.OVERWRITE, partition=("part",)),
        [NEW[0], NEW[1], OLD[3], NEW[2]],
    ),
    "insert_overwrite by two": (Increment(Strategy.OVERWRITE, partition=("part", "id")), [OLD[0], *NEW[:2], OLD[3], NEW[2]]),
    "insert_overwrite all": (Increment(Strategy.OVERWRITE), NEW),
}  # fmt: skip
SOME = ["append", "merge", "delete+insert"]
strategies = pytest.mark.parametrize("increment", [GROWN[name][0] for name in SOME], ids=SOME)


class Grower:
    """One table in the lab's place, to which rows are added."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.press = Press(lab)
        self._runs = 0

    @property
    def session(self) -> Session:
        return self.press.session

    def run(self, columns: Mapping[str, Any], increment: Increment, audit: Audit | None = None) -> Published:
        """Publish rows; the first time the table is made of them."""

        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, arrow_table(columns).to_reader(), LoadMode.CREATE)

        self._runs += 1
        made = self.press.publication("t", rows=[], data_id=f"d{self._runs}", may_keep=True)
        return self.press.publish(attrs.evolve(made, write=write, increment=increment), audit)

    def rows(self, *names: str) -> list[tuple[Any, ...]]:
        return self.lab.rows(self.session, self.lab.relation("t"), *(names or ("id", "part", "v")))


def columns_of(rows: Sequence[Row]) -> dict[str, Any]:
    import pyarrow as pa

    ids, parts, values = zip(*rows, strict=True) if rows else ((), (), ())
    return {"part": pa.array(parts, pa.string()), "id": pa.array(ids, pa.int64()), "v": pa.array(values, pa.string())}


def ordered(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


@pytest.mark.parametrize(("increment", "expected"), list(GROWN.values()), ids=list(GROWN))
def test_rows_come_and_go(lab: Lab, increment: Increment, expected: list[Row]) -> None:
    grower = Grower(lab)
    grower.run(columns_of(OLD), increment)
    assert grower.rows() == ordered(OLD)
    layout = grower.session.layout(lab.relation("t"))
    seen: list[list[tuple[Any, ...]]] = []
    names = lab.names("id", "part", "v")

    def look(session: Session, relation_sql: str) -> None:
        seen.append(lab.rows(session, f"SELECT {names} FROM {relation_sql}"))

    published = grower.run(columns_of(NEW), increment, look)
    assert [ordered(one) for one in seen] == [ordered(expected)], "the audit saw something else"
    assert (published.kept, grower.rows()) == (False, ordered(expected))
    assert grower.session.layout(lab.relation("t")) == layout
    assert sorted(grower.press.standing()) == lab.folded("t"), "nothing that was staged is left"
    assert grower.press.note("t") == published.row


@strategies
def test_what_is_refused_changes_nothing(lab: Lab, increment: Increment) -> None:
    grower = Grower(lab)
    before = grower.run(columns_of(OLD), increment).row
    with pytest.raises(AuditFailedError):
        grower.run(columns_of(NEW), increment, refuse)
    assert grower.rows() == ordered(OLD)
    assert sorted(grower.press.standing()) == lab.folded("t")
    assert grower.press.note("t") == before


@pytest.mark.parametrize("strategy", [Strategy.MERGE, Strategy.DELETE_INSERT], ids=lambda one: one.value)
@pytest.mark.parametrize("rows", [[(1, "a", "x"), (1, "a", "y")], [(None, "a", "x")]], ids=["twice", "NULL"])
def test_keys_that_tell_nothing_apart_are_refused(lab: Lab, strategy: Strategy, rows: list[Row]) -> None:
    grower, increment = Grower(lab), Increment(strategy, key=("id",))
    grower.run(columns_of(OLD), increment)
    with pytest.raises(ModelExecutionError):
        grower.run(columns_of(rows), increment)
    assert grower.rows() == ordered(OLD)


@strategies
def test_no_new_rows_are_nothing_new(lab: Lab, increment: Increment) -> None:
    grower = Grower(lab)
    first = grower.run(columns_of(OLD), increment)
    seen: list[str] = []
    again = grower.run(columns_of([]), increment, lambda session, sql: seen.append(sql))
    assert (again.kept, again.row.data_id, len(seen)) == (True, first.row.data_id, 1)
    assert grower.rows() == ordered(OLD)
    assert sorted(grower.press.standing()) == lab.folded("t")


@pytest.mark.parametrize("strategy", [Strategy.MERGE, Strategy.DELETE_INSERT], ids=lambda one: one.value)
def test_batch_after_batch(lab: Lab, strategy: Strategy) -> None:
    grower, increment = Grower(lab), Increment(strategy, key=("id", "part"))
    for number in range(4):
        grower.run(columns_of([(1, "a", f"v{number}"), (number, "b", "once")]), increment)
    assert grower.rows() == ordered([(1, "a", "v3"), *((number, "b", "once") for number in range(4))])


@pytest.mark.parametrize("strategy", [Strategy.APPEND, Strategy.MERGE], ids=lambda one: one.value)
def test_a_new_column(lab: Lab, strategy: Strategy) -> None:
    key = ("id",) if strategy is Strategy.MERGE else ()
    grower, increment = Grower(lab), Increment(strategy, key=key, on_change=OnChange.APPEND)
    grower.run({"id": [1, 2], "v": ["a", "b"]}, increment)
    grower.run({"more": [0.5], "v": ["c"], "id": [3]}, increment)
    assert grower.rows("id", "v", "more") == [(1, "a", None), (2, "b", None), (3, "c", 0.5)]
    grower.run({"v": ["d"], "id": [4]}, increment)
    assert grower.rows("id", "v", "more") == [(1, "a", None), (2, "b", None), (3, "c", 0.5), (4, "d", None)]


@pytest.mark.parametrize("type_", ["date", "timestamp"])
def test_a_window_takes_the_place_of_its_own_rows(lab: Lab, type_: str) -> None:
    import pyarrow as pa

    def rows(*days: int) -> dict[str, Any]:
        made = [dt.date(2024, 1, day) for day in days]
        times = pa.array(made, pa.date32())
        return {
            "day": times.cast(pa.timestamp("us")) if type_ == "timestamp" else times,
            "n": pa.array(days, pa.int64()),
        }

    grower = Grower(lab)
    whole = Increment(Strategy.MICROBATCH, event_time="day", window=window(1, 31))
    grower.run(rows(1, 2, 2, 3), whole)
    grower.run({**rows(2, 2, 2), "n": pa.array([7, 8, 9], pa.int64())}, attrs.evolve(whole, window=window(2, 3)))
    assert grower.rows("n") == [(1,), (3,), (7,), (8,), (9,)]
    grower.run(rows(), attrs.evolve(whole, window=window(3, 4)))
    assert grower.rows("n") == [(1,), (7,), (8,), (9,)]


def window(start: int, end: int) -> Window:
    return Window(*(dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (start, end)))
