"""A table that grows as a copy: what is written, what is never written, and what becomes of copies that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions
from flowforge.errors import AuditFailedError, Committed, EngineError, ErrorKind, UnsupportedError
from flowforge.materialize.columns import OnChange
from flowforge.materialize.increments import Increment, Strategy
from flowforge.materialize.publish import Publication
from flowforge.values import Relation, RelationKind
from flowforge_plain import engine
from flowforge_plain.place import Place, open_place

MANY = 1000
MERGE = Increment(Strategy.MERGE, key=("id",))
REPLACE = Increment(Strategy.DELETE_INSERT, key=("id",))


@attrs.define
class Log:
    """What sessions were asked for: the primitive, the relation that it writes, and how many rows, where it says so."""

    lines: list[tuple[str, str, int | None]] = attrs.field(factory=list)
    before: Callable[[str], None] = lambda what: None
    is_lost: bool = False

    def note(self, what: str, relation: Relation, rows: int | None = None) -> None:
        self.lines.append((what, relation.name, rows))

    def named(self, what: str) -> list[str]:
        return [name for line, name, _ in self.lines if line == what]

    @property
    def created(self) -> int:
        """How many rows were written to tables that were made of a query."""
        return sum(rows or 0 for what, name, rows in self.lines if what == "create_as" and not name.startswith("_ff"))


class Watched(engine.CloningSession):
    """Notes what it is asked for, and fails where it is told to."""

    log = Log()

    def clone(self, source: Relation, target: Relation, options: TableOptions = TableOptions()) -> None:
        self.log.before("clone")
        self.log.note("clone", target)
        select = f"SELECT * FROM {self._dialect.render(source)}"
        super().create_as(target, select, CreateKind.TABLE, options)  # not by clone, which would count its rows

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        stats = super().create_as(relation, select, kind, options)
        self.log.note("create_as", relation, stats.rows)
        return stats

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        self.log.before("insert")
        self.log.note("insert", relation)
        return super().insert(relation, select, columns)

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        self.log.note("merge", relation)
        stats = super().merge(relation, staged, key, columns)
        self.log.before("merged")
        return stats

    def execute(self, sql: str) -> Stats:
        if sql.startswith("DELETE FROM") and "_ff_" not in sql:
            self.log.note("delete", Relation(sql.split()[2].strip('"`')))
        return super().execute(sql)

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        if not self.log.is_lost:
            super().drop(relation, kind)

    def replace(self, staged: Relation, target: Relation) -> None:
        self.log.note("replace", target)
        super().replace(staged, target)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    found = Log()
    monkeypatch.setattr(Watched, "log", found)
    monkeypatch.setattr(engine.CloningExecutor, "session_type", Watched)
    return found


@pytest.fixture
def cloning(log: Log, tmp_path: Path) -> Iterator[Place]:
    """A place with the table ``t`` of many rows."""
    place = open_place("cloning", tmp_path)
    place.ensure_meta()
    publish(place, range(MANY), MERGE)
    log.lines.clear()
    yield place
    place.close()


def made(place: Place, ids: Sequence[int], increment: Increment, **columns: Any) -> Publication:
    import pyarrow as pa

    rows = pa.table({"id": pa.array(ids, pa.int64()), "v": pa.array([len(ids)] * len(ids), pa.int64()), **columns})

    def write(session: Session, staged: Relation) -> int:
        return session.load(staged, rows.to_reader(), LoadMode.CREATE)

    return place.publication(
        "t", 0, write=write, data_id=f"d{len(ids)}", fingerprint="", increment=increment, may_keep=True
    )


def publish(place: Place, ids: Sequence[int], increment: Increment, audit: Any = None, **columns: Any) -> Any:
    return place.publisher().publish(place.session(), made(place, ids, increment, **columns), audit)


@pytest.mark.parametrize(
    ("increment", "writes"),
    [
        (MERGE, ["merge"]),
        (REPLACE, ["delete", "insert"]),
        (Increment(Strategy.APPEND), ["insert"]),
        (Increment(Strategy.OVERWRITE, partition=("v",)), ["delete", "insert"]),
    ],
    ids=lambda one: one.strategy.value if isinstance(one, Increment) else "",
)
def test_only_what_changes_is_written_and_only_to_the_copy(
    cloning: Place, log: Log, increment: Increment, writes: list[str]
) -> None:
    published = publish(cloning, [1, MANY], increment)
    (copy,) = log.named("clone")
    assert copy.startswith("ff__")
    for what in writes:
        assert log.named(what) == [copy]
    assert [what for what, name, _ in log.lines if name == "t"] == ["replace"]
    assert log.created <= 2 * 2, "new rows, and those that they are compared with"
    assert (published.rows, published.row.rows, published.kept) == (2, 2, False)
    assert cloning.staged() == []


def test_two_rows_written_anew_would_be_all_of_them(cloning: Place, log: Log) -> None:
    """What is saved: the same rows by an engine that refuses to copy this table."""

    def refuse(what: str) -> None:
        if what == "clone":
            raise UnsupportedError("not this one")

    log.before = refuse
    publish(cloning, [1, MANY], MERGE)
    assert log.created >= MANY + 1
    assert len(cloning.rows("t")) == MANY + 1
    assert cloning.staged() == []


@pytest.mark.parametrize(
    ("increment", "columns"),
    [
        (Increment(Strategy.OVERWRITE), {}),
        (Increment(Strategy.MERGE, key=("id",), on_change=OnChange.APPEND), {"more": ["x", "y"]}),
    ],
    ids=["all is replaced", "another column"],
)
def test_where_all_rows_are_written_anyway_nothing_is_copied(
    cloning: Place, log: Log, increment: Increment, columns: Any
) -> None:
    publish(cloning, [1, MANY], increment, **columns)
    assert log.named("clone") == []
    assert len(cloning.rows("t")) == (2 if not columns else MANY + 1)


def test_nothing_new_is_not_even_copied(cloning: Place, log: Log) -> None:
    first = cloning.notes()["t"]
    seen: list[str] = []
    again = publish(cloning, [], MERGE, lambda session, sql: seen.append(sql))
    assert (again.kept, again.row.data_id, again.row.content) == (True, first.data_id, first.content)
    assert seen == [cloning.executor.dialect.render(cloning.relation("t"))]
    assert log.named("clone") == log.named("replace") == []
    assert len(cloning.rows("t")) == MANY


def test_a_copy_that_is_refused_is_dropped(cloning: Place, log: Log) -> None:
    before = cloning.rows("t")

    def refuse(session: Session, sql: str) -> None:
        (found,) = session.query(f"SELECT COUNT(*) AS n FROM {sql}").read_all().column(0).to_pylist()
        assert found == MANY + 1
        assert len(cloning.rows("t")) == MANY, "others see the rows before they were audited"
        raise AuditFailedError("no")

    with pytest.raises(AuditFailedError):
        publish(cloning, [1, MANY], MERGE, refuse)
    assert cloning.rows("t") == before
    assert cloning.staged() == []
    assert log.named("replace") == []


@pytest.mark.parametrize("increment", [MERGE, REPLACE, Increment(Strategy.APPEND)], ids=lambda one: one.strategy.value)
def test_nobody_goes_on_with_a_copy_that_was_half_changed(cloning: Place, log: Log, increment: Increment) -> None:
    """The connection is lost behind the DELETE or the MERGE; nothing can be dropped, and the step is tried again."""
    before, lost = cloning.rows("t"), EngineError("lost", kind=ErrorKind.CONNECTION, committed=Committed.UNKNOWN)

    def lose(what: str) -> None:
        if what in ("insert", "merged"):
            log.before, log.is_lost = lambda what: None, True
            raise lost

    log.before = lose
    publisher, session, publication = cloning.publisher(), cloning.session(), made(cloning, [1, MANY], increment)
    with pytest.raises(EngineError):
        publisher.publish(session, publication, None)
    assert cloning.rows("t") == before
    assert log.named("replace") == []
    assert len(cloning.staged()) == 2, "a half changed copy, and the new rows"
    log.is_lost = False
    publisher.publish(session, publication, None)
    again = MANY + (2 if increment.strategy is Strategy.APPEND else 1)
    assert len(cloning.rows("t")) == again
    assert cloning.rows("SELECT COUNT(*) AS n FROM t WHERE id = 1") == [(2 if again == MANY + 2 else 1,)]
    assert cloning.staged() == []
