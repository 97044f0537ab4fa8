"""Tables that grow on this engine: every strategy, other columns, bad keys, windows, and growth that is refused.

What is right is said by :mod:`flowforge.testkit.growing`, which knows lists only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from flowforge.contract import Capability, LoadMode, Session
from flowforge.errors import AuditFailedError, EngineError, ErrorKind, ModelExecutionError
from flowforge.materialize.columns import OnChange
from flowforge.materialize.increments import Increment, Strategy
from flowforge.materialize.publish import Audit, Published
from flowforge.project.windows import Window
from flowforge.testkit.growing import Row, Rules, Table, begin, grow
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.testkit.suite.test_publishing import Press, refuse
from flowforge.values import Relation, RelationKind

TYPES = {"id": "int64", "at": "int64", "part": "string", "v": "int64"}
FIRST: tuple[Row, ...] = (
    {"id": 1, "at": 1, "part": "a", "v": 10},
    {"id": 2, "at": 1, "part": "a", "v": 20},
    {"id": 3, "at": 1, "part": "b", "v": 30},
    {"id": 4, "at": 1, "part": None, "v": 40},
)
SECOND: tuple[Row, ...] = (
    {"id": 2, "at": 1, "part": "c", "v": 41},
    {"id": 4, "at": 2, "part": "a", "v": None},
    {"id": 5, "at": 1, "part": "a", "v": 40},
    {"id": 6, "at": 1, "part": None, "v": 30},
)
RULES = {
    "append": Rules("append"),
    "append above a watermark": Rules("append", watermark=("id",)),
    "merge": Rules("merge", key=("id",)),
    "merge by two columns": Rules("merge", key=("id", "at")),
    "merge from a watermark on": Rules("merge", key=("id",), watermark=("v",)),
    "delete+insert": Rules("delete+insert", key=("id",)),
    "insert_overwrite": Rules("insert_overwrite", partition=("part",)),
    "insert_overwrite by two columns": Rules("insert_overwrite", partition=("part", "id")),
}
ALL_ANEW = {"insert_overwrite without partitions": Rules("insert_overwrite")}
EVERY = pytest.mark.parametrize("rules", list(RULES.values()), ids=list(RULES))


@attrs.define
class Grower:
    """One table that grows in the lab's place, and what it should hold."""

    lab: Lab
    rules: Rules
    name: str = "t"
    expected: Table | None = None
    press: Press = attrs.field(init=False)
    _runs: int = 0

    def __attrs_post_init__(self) -> None:
        self.press = Press(self.lab)

    def publish(
        self, batch: Table, audit: Audit | None = None, *, select: str | None = None, window: Window | None = None
    ) -> Published:
        """Publish the rows of *batch*, or of the query *select*, as the rules say."""
        rules = self.rules
        self._runs += 1

        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, arrow(batch).to_reader(), LoadMode.CREATE)

        increment = Increment(
            Strategy(rules.strategy),
            select,
            rules.key,
            rules.partition,
            rules.watermark,
            OnChange(rules.on_change),
            event_time="at" if window else None,
            window=window,
        )
        made = self.press.publication(self.name, rows=[], data_id=f"d{self._runs}", may_keep=True)
        made = attrs.evolve(made, write=write, increment=increment, hash_rows=False)
        return self.press.publish(made, audit)

    def run(self, batch: Table) -> Published:
        """Publish, and see that the audit saw what stands there afterwards."""
        after = begin(batch, self.rules) if self.expected is None else grow(self.expected, batch, self.rules)
        seen: list[Any] = []

        def audit(session: Session, relation_sql: str) -> None:
            seen.append(self.lab.count(session, self.lab.relation(self.name)) if self.expected else None)
            names = self.lab.names(*after.types)
            seen.append(sorted(self.lab.rows(session, f"SELECT {names} FROM {relation_sql}"), key=str))

        published = self.publish(batch, audit)
        self.expected = after
        assert len(seen) == 2
        assert seen[1] == sorted((tuple(row[name] for name in after.types) for row in after.rows), key=str)
        self.check()
        return published

    def check(self) -> None:
        """See that exactly the expected rows stand under the expected columns, and nothing else beside them."""
        assert self.expected is not None
        relation = self.lab.relation(self.name)
        schema = self.press.session.schema_of(relation)
        assert schema is not None
        assert schema.names == self.lab.folded(*self.expected.types)
        names = tuple(self.expected.types)
        wanted = [tuple(row[name] for name in names) for row in self.expected.rows]
        assert sorted(self.lab.rows(self.press.session, relation, *names), key=str) == sorted(wanted, key=str)
        assert self.press.standing() == dict.fromkeys(self.lab.folded(self.name), RelationKind.TABLE), (
            "something that was staged is left"
        )


def table(rows: Sequence[Row], types: Mapping[str, str] = TYPES) -> Table:
    return Table(types, tuple({name: row.get(name) for name in types} for row in rows))


def arrow(table: Table) -> Any:
    import pyarrow as pa

    kinds = {"int64": pa.int64(), "string": pa.string(), "time": pa.timestamp("us"), "date": pa.date32()}
    return arrow_table(
        {name: pa.array([row[name] for row in table.rows], kinds[type_]) for name, type_ in table.types.items()}
    )


@pytest.mark.parametrize("rules", [*RULES.values(), *ALL_ANEW.values()], ids=[*RULES, *ALL_ANEW])
def test_it_grows_as_its_strategy_says(lab: Lab, rules: Rules) -> None:
    grower = Grower(lab, rules)
    grower.run(table(FIRST))
    layout = grower.press.session.layout(lab.relation("t"))
    published = grower.run(table(SECOND))
    assert (published.kept, published.row.data_id) == (False, "d2")
    assert grower.press.note("t") == published.row
    grower.run(table([{"id": 7, "at": 7, "part": "a", "v": 70}]))
    assert grower.press.session.layout(lab.relation("t")) == layout


def test_all_rows_can_be_replaced_by_none(lab: Lab) -> None:
    (rules,) = ALL_ANEW.values()
    grower = Grower(lab, rules)
    grower.run(table(FIRST))
    grower.run(table([]))


@EVERY
def test_growth_that_is_refused_leaves_the_table(lab: Lab, rules: Rules) -> None:
    grower = Grower(lab, rules)
    grower.run(table(FIRST))
    before = grower.press.note("t")
    with pytest.raises(AuditFailedError):
        grower.publish(table(SECOND), refuse)
    grower.check()
    assert grower.press.note("t") == before
    grower.run(table(SECOND))


@requires(Capability.PARALLEL_SESSIONS, telling=False)
@pytest.mark.parametrize("rules", [RULES["append"], RULES["merge"]], ids=["append", "merge"])
def test_nobody_else_sees_growth_before_it_is_published(lab: Lab, rules: Rules) -> None:
    grower, other = Grower(lab, rules), lab.session("flowforge/reader")
    grower.run(table(FIRST))
    seen: list[int] = []

    def audit(session: Session, relation_sql: str) -> None:
        seen.append(lab.count(session, lab.relation("t")) if relation_sql != lab.sql(lab.relation("t")) else 0)
        try:
            seen.append(lab.count(other, lab.relation("t")))
        except EngineError as error:  # an engine may make readers wait until it is over, and say so
            assert error.kind in (ErrorKind.LOCKED, ErrorKind.TIMEOUT), error

    grower.publish(table(SECOND), audit)
    assert seen[1:] in ([], [len(FIRST)])
    assert lab.count(other, lab.relation("t")) == len(grow(table(FIRST), table(SECOND), rules).rows)


@EVERY
def test_no_new_rows_change_nothing(lab: Lab, rules: Rules) -> None:
    grower = Grower(lab, rules)
    first = grower.run(table(FIRST))
    again = grower.run(table([]))
    assert (again.kept, again.row.data_id) == (True, first.row.data_id), "what reads it would be built for nothing"


def test_rows_may_come_from_the_table_itself(lab: Lab) -> None:
    grower = Grower(lab, RULES["append"])
    grower.run(table(FIRST))
    id_, at, part, v = (lab.names(name) for name in TYPES)
    newest = f"SELECT MAX({id_}) FROM {lab.sql(lab.relation('t'))}"
    select = f"SELECT {v} AS {id_}, {at}, {part}, {v} FROM {lab.sql(lab.relation('t'))} WHERE {id_} = ({newest})"
    grower.publish(table([]), select=select)
    more = [{"id": 40, "at": 1, "part": None, "v": 40}]
    grower.expected = table([*FIRST, *more])
    grower.check()


def test_columns_are_matched_by_name(lab: Lab) -> None:
    grower = Grower(lab, RULES["merge"])
    grower.run(table(FIRST))
    grower.run(table(SECOND, {"v": "int64", "part": "string", "id": "int64", "at": "int64"}))


@pytest.mark.parametrize("change", [one.value for one in OnChange])
@pytest.mark.parametrize("strategy", ["append", "merge"])
def test_rows_with_a_new_column(lab: Lab, strategy: str, change: str) -> None:
    grower = Grower(lab, Rules(strategy, change, key=("id",) if strategy == "merge" else ()))
    grower.run(table(FIRST))
    wider = table([{**row, "new": "x"} for row in SECOND], {**TYPES, "new": "string"})
    if change == OnChange.FAIL.value:
        with pytest.raises(ModelExecutionError, match="new"):
            grower.publish(wider)
        grower.check()
    else:
        grower.run(wider)


@pytest.mark.parametrize("change", [one.value for one in OnChange])
@pytest.mark.parametrize("strategy", ["append", "merge"])
def test_rows_without_a_column(lab: Lab, strategy: str, change: str) -> None:
    grower = Grower(lab, Rules(strategy, change, key=("id",) if strategy == "merge" else ()))
    grower.run(table(FIRST))
    narrower = table(SECOND, {"id": "int64", "at": "int64", "part": "string"})
    if change in (OnChange.APPEND.value, OnChange.SYNC.value):
        grower.run(narrower)
        return
    with pytest.raises(ModelExecutionError, match="v"):
        grower.publish(narrower)
    grower.check()


@pytest.mark.parametrize("strategy", ["merge", "delete+insert"])
@pytest.mark.parametrize(
    "bad", [{"id": 5, "at": 5, "part": "z"}, {"id": None, "at": 1, "part": "z"}], ids=["twice", "NULL"]
)
def test_keys_that_tell_nothing_apart_change_nothing(lab: Lab, strategy: str, bad: Row) -> None:
    grower = Grower(lab, Rules(strategy, key=("id",)))
    grower.run(table(FIRST))
    with pytest.raises(ModelExecutionError):
        grower.publish(table([*SECOND, bad]))
    grower.check()


def test_partitions_are_replaced_whole(lab: Lab) -> None:
    """NULL is a partition like others, and those that the new rows do not speak of stay."""
    grower = Grower(lab, RULES["insert_overwrite"])
    grower.run(table(FIRST))
    grower.run(table([{"id": 9, "part": None}]))
    grower.run(table([{"id": 9, "part": "b"}, {"id": 9, "part": "b"}]))


@pytest.mark.parametrize("strategy", ["merge", "delete+insert", "insert_overwrite"])
def test_names_that_need_quotes(lab: Lab, strategy: str) -> None:
    key = ("the key", "select")
    keyed = strategy != "insert_overwrite"
    grower = Grower(lab, Rules(strategy, key=key if keyed else (), partition=() if keyed else key), name="order")
    types = {"the key": "int64", "select": "int64", "Value": "string"}
    grower.run(table([{"the key": 1, "select": 1, "Value": "a"}, {"the key": 1, "select": 2, "Value": "b"}], types))
    grower.run(table([{"the key": 1, "select": 2, "Value": "c"}, {"the key": 2, "select": 1, "Value": "d"}], types))


def moment(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2024, 2, day, hour)  # noqa: DTZ001 - a column without a time zone


def test_windows_of_dates(lab: Lab) -> None:
    grower = Grower(lab, Rules("microbatch"))
    types = {"id": "int64", "at": "date"}
    grower.publish(table([{"id": id_, "at": dt.date(2024, 2, 1)} for id_ in (1, 2)], types), window=window(1))
    grower.publish(table([{"id": 3, "at": dt.date(2024, 2, 2)}], types), window=window(2))
    grower.publish(table([{"id": 4, "at": dt.date(2024, 2, 1)}], types), window=window(1))
    assert lab.rows(grower.press.session, lab.relation("t"), "id") == [(3,), (4,)]


def window(day: int) -> Window:
    return Window(moment(day).replace(tzinfo=dt.UTC), moment(day + 1).replace(tzinfo=dt.UTC))


def test_windows_are_replaced_whole(lab: Lab) -> None:
    grower = Grower(lab, Rules("microbatch"))
    types = {"id": "int64", "at": "time"}
    first = [{"id": 1, "at": moment(1)}, {"id": 2, "at": moment(1, 23)}, {"id": 3, "at": moment(2)}]
    other = [{"id": 4, "at": moment(1, 12)}]
    grower.publish(table(first[:2], types), window=window(1))
    for day, rows, after in [(2, first[2:], first), (1, other, [first[2], *other]), (2, [], other), (1, [], [])]:
        grower.publish(table(rows, types), window=window(day))
        found = lab.rows(grower.press.session, lab.relation("t"), "id")
        assert found == sorted((row["id"],) for row in after), day
    assert list(grower.press.standing()) == lab.folded("t")


def test_rows_outside_of_their_window_change_nothing(lab: Lab) -> None:
    grower = Grower(lab, Rules("microbatch"))
    types = {"id": "int64", "at": "time"}
    grower.publish(table([{"id": 1, "at": moment(1)}], types), window=window(1))
    with pytest.raises(ModelExecutionError, match="do not belong to it"):
        grower.publish(table([{"id": 2, "at": moment(1, 1)}, {"id": 3, "at": moment(2)}], types), window=window(1))
    assert lab.rows(grower.press.session, lab.relation("t"), "id") == [(1,)]
    assert list(grower.press.standing()) == lab.folded("t")
