"""Histories of rows on this engine: versions by a time and by comparing columns, rows that go, old versions that go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from flowforge.contract import LoadMode, Session
from flowforge.errors import ModelExecutionError
from flowforge.materialize.history import Deletes, History
from flowforge.materialize.publish import Published
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.suite.test_publishing import Press
from flowforge.values import Relation

Row = tuple[int, str | None, int]
"""A key, a value, and the day of January on which the row was updated."""

OWN = ("_ff_valid_from", "_ff_valid_to", "_ff_is_current")
BY_TIME = "at"


def day(number: int) -> dt.datetime:
    return dt.datetime(2024, 1, number, 6, 30, 0, 123456)  # noqa: DTZ001 - columns without a time zone


def shown(value: Any) -> Any:
    """A value of a history in words that all engines share: a time is the day of its month, if its other parts are right."""
    if value is None or isinstance(value, str | dt.datetime):
        text = str(value)
        if isinstance(value, str) and not text.startswith("2024-"):
            return value
        if value is None:
            return None
        assert text[10:11] in " T"
        assert text[11:26] == "06:30:00.123456", f"{text} has lost a part of its time"
        return int(text[8:10])
    return value


class Keeper:
    """Keeps one history in the lab's place. Runs are on days of a month."""

    def __init__(self, lab: Lab, updated_at: str | None, deletes: Deletes = Deletes.IGNORE) -> None:
        self.lab = lab
        self.press = Press(lab)
        self._rules = History(("id",), day(1).replace(tzinfo=dt.UTC), updated_at, deletes=deletes)
        self._runs = 0

    def run(self, on: int, rows: Sequence[Row], *, name: str = "h", keep_last: int | None = None) -> Published:
        """Bring the history up to date with what a query returns; with *keep_last* only remove old versions."""
        import pyarrow as pa

        ids, values, days = zip(*rows, strict=True) if rows else ((), (), ())
        columns = {
            "id": pa.array(ids, pa.int64()),
            "v": pa.array(values, pa.string()),
            **({"at": pa.array(map(day, days), pa.timestamp("us"))} if self._rules.updated_at else {}),
        }

        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, arrow_table(columns).to_reader(), LoadMode.CREATE)

        self._runs += 1
        history = attrs.evolve(self._rules, moment=day(on).replace(tzinfo=dt.UTC), keep_last=keep_last)
        made = self.press.publication(name, rows=[], data_id=f"d{self._runs}", may_keep=True)
        made = attrs.evolve(made, write=write if keep_last is None else None, history=history, hash_rows=False)
        return self.press.publish(made)

    def versions(self, *more: str, name: str = "h") -> list[tuple[Any, ...]]:
        """Key, value, first day, last day, and whether the version is current; of all versions, sorted."""
        found = self.lab.rows(self.press.session, self.lab.relation(name), "id", "v", *OWN, *more)
        lines = [
            (id_, value, shown(began), shown(ended), *(bool(mark) for mark in marks))
            for id_, value, began, ended, *marks in found
        ]
        return sorted(lines, key=lambda line: (line[0], line[2], line[4]))


def test_versions_by_a_time(lab: Lab) -> None:
    keeper = Keeper(lab, BY_TIME)
    keeper.run(20, [(1, "a", 3), (2, "b", 5)])
    assert keeper.versions() == [(1, "a", 3, None, True), (2, "b", 5, None, True)]
    assert keeper.run(21, [(1, "c", 7), (2, "b", 5), (3, None, 1)]).kept is False
    assert keeper.versions() == [
        (1, "a", 3, 7, False),
        (1, "c", 7, None, True),
        (2, "b", 5, None, True),
        (3, None, 1, None, True),
    ]


@pytest.mark.parametrize("late", [(1, "late", 2), (1, "late", 3)], ids=["earlier", "as late"])
def test_a_late_row_is_no_version(lab: Lab, late: Row) -> None:
    keeper = Keeper(lab, BY_TIME)
    first = keeper.run(20, [(1, "a", 3)])
    again = keeper.run(21, [late])
    assert (again.kept, again.row.data_id) == (True, first.row.data_id), "what reads it would be built for nothing"
    assert keeper.versions() == [(1, "a", 3, None, True)]
    keeper.run(22, [late, (2, "b", 1)])
    assert keeper.versions() == [(1, "a", 3, None, True), (2, "b", 1, None, True)]


def test_versions_by_comparing(lab: Lab) -> None:
    keeper = Keeper(lab, None)
    keeper.run(10, [(1, "a", 0), (2, None, 0), (3, "", 0), (4, "d", 0)])
    assert keeper.run(11, [(4, "d", 0), (3, "", 0), (2, None, 0), (1, "a", 0)]).kept, "NULL is a value like others"
    keeper.run(12, [(1, "a", 0), (2, "", 0), (3, None, 0), (4, "D", 0)])
    keeper.run(13, [(1, "a", 0), (2, "", 0), (3, None, 0), (4, "d", 0)])
    assert keeper.versions() == [
        (1, "a", 10, None, True),
        (2, None, 10, 12, False),
        (2, "", 12, None, True),
        (3, "", 10, 12, False),
        (3, None, 12, None, True),
        (4, "d", 10, 12, False),
        (4, "D", 12, 13, False),
        (4, "d", 13, None, True),
    ]


@pytest.mark.parametrize("updated_at", [None, BY_TIME], ids=["compared", "timed"])
@pytest.mark.parametrize("deletes", list(Deletes), ids=lambda one: one.value)
def test_rows_that_go_and_come_back(lab: Lab, deletes: Deletes, updated_at: str | None) -> None:
    keeper = Keeper(lab, updated_at, deletes)
    keeper.run(10, [(1, "a", 10), (2, "b", 10)])
    keeper.run(12, [(2, "b", 10)])
    gone_by: dict[Deletes, list[tuple[Any, ...]]] = {
        Deletes.IGNORE: [(1, "a", 10, None, True)],
        Deletes.INVALIDATE: [(1, "a", 10, 12, False)],
        Deletes.NEW_RECORD: [(1, "a", 10, 12, False), (1, "a", 12, None, True)],
    }
    gone = gone_by[deletes]
    assert keeper.versions() == [*gone, (2, "b", 10, None, True)]
    keeper.run(13, [(2, "b", 10)])
    assert keeper.versions() == [*gone, (2, "b", 10, None, True)], "it goes once"
    if deletes is Deletes.NEW_RECORD:
        marked = [line[:5] for line in keeper.versions("_ff_is_deleted") if line[5]]
        assert marked == [(1, "a", 12, None, True)]
    keeper.run(14, [(1, "a", 14), (2, "b", 10)])
    back_by: dict[Deletes, list[tuple[Any, ...]]] = {
        Deletes.IGNORE: gone if updated_at is None else [(1, "a", 10, 14, False), (1, "a", 14, None, True)],
        Deletes.INVALIDATE: [(1, "a", 10, 12, False), (1, "a", 14, None, True)],
        Deletes.NEW_RECORD: [(1, "a", 10, 12, False), (1, "a", 12, 14, False), (1, "a", 14, None, True)],
    }
    back = back_by[deletes]
    assert keeper.versions() == [*back, (2, "b", 10, None, True)]


@pytest.mark.parametrize("rows", [[(1, "b", 12), (1, "c", 13)], [(1, "b", 12), (None, "c", 13)]], ids=["twice", "NULL"])
def test_keys_that_tell_nothing_apart_change_nothing(lab: Lab, rows: list[Row]) -> None:
    keeper = Keeper(lab, BY_TIME)
    keeper.run(20, [(1, "a", 10)])
    with pytest.raises(ModelExecutionError):
        keeper.run(21, rows)
    assert keeper.versions() == [(1, "a", 10, None, True)]
    assert sorted(keeper.press.standing()) == lab.folded("h"), "nothing that was staged is left"


def test_old_versions_go_and_the_current_one_stays(lab: Lab) -> None:
    keeper = Keeper(lab, None)
    for number in range(1, 6):
        keeper.run(number, [(1, f"a{number}", 0), (2, "b", 0)])
    before = keeper.press.note("h")
    pruned = keeper.run(9, [], keep_last=2)
    assert (pruned.rows, pruned.kept) == (3, False)
    assert keeper.versions() == [(1, "a4", 4, 5, False), (1, "a5", 5, None, True), (2, "b", 1, None, True)]
    assert keeper.press.note("h").data_id != before.data_id, "others read fewer rows now"
    assert keeper.run(10, [], keep_last=2).kept
    keeper.run(11, [(1, "a5", 0), (2, "c", 0)])
    assert keeper.versions()[-2:] == [(2, "b", 1, 11, False), (2, "c", 11, None, True)], "it goes on"


def test_a_hash_names_a_version(lab: Lab) -> None:
    """Equal for one key and one time, whatever the rest is, and different for all others; or NULL, where there is none."""
    keeper = Keeper(lab, BY_TIME)
    rows = [(1, "a", 3), (2, "a", 3), (3, "a", 4)]
    hashes = []
    for name, value in (("h", "a"), ("other", "b")):
        keeper.run(20, [(id_, value, on) for id_, _, on in rows], name=name)
        found = lab.rows(keeper.press.session, lab.relation(name), "id", "_ff_snapshot_hash")
        hashes.append([token for _, token in found])
    assert hashes[0] == hashes[1]
    if lab.dialect.text_hash([lab.names("x")]) is None:
        assert hashes[0] == [None] * len(rows)
    else:
        assert len(set(hashes[0])) == len(rows)


SPLITS = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a|b", "c"), ("a", "b|c"), ("1", "11"), ("11", "1"),
          (" a", "b"), ("a ", "b"), ("A", "b"), ("a", "b"), ("ä", "ö"), ("a\nb", "c"), ("'", '"'), ("\\", "\\\\")]  # fmt: skip


def test_a_hash_of_texts_tells_all_of_them_apart(lab: Lab) -> None:
    session = lab.session()
    columns = {"nr": list(range(len(SPLITS))), "a": [one for one, _ in SPLITS], "b": [other for _, other in SPLITS]}
    sql = lab.dialect.text_hash([lab.names("a"), lab.names("b")])
    if sql is None:
        pytest.skip("this engine hashes no texts")
    tables = [lab.table(session, name, columns) for name in ("one", "two")]
    found = [
        [token for _, token in sorted(lab.rows(session, f"SELECT {lab.names('nr')}, {sql} AS r FROM {lab.sql(table)}"))]
        for table in tables
    ]
    assert found[0] == found[1]
    assert all(isinstance(token, str) and len(token) >= 32 for token in found[0])
    assert len(set(found[0])) == len(SPLITS)
