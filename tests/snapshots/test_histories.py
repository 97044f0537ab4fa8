"""Histories are those of the reference, run by run, whatever comes: late rows, NULLs, rows that go and come back."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import attrs
import pytest
from history_reference import Batch, Kept, RefusedError, Rules, begin, go_on, overlaps, prune, shown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.contract import LoadMode, Session
from flowforge.errors import AuditFailedError, ModelExecutionError
from flowforge.materialize.history import Deletes, History
from flowforge.materialize.publish import Publication, Published
from flowforge.state.meta import ensure_meta
from flowforge.values import Relation, RelationKind
from flowforge_plain.place import Place, open_place

DAY = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - columns without a time zone
TYPES = {"id": "int64", "part": "string", "v": "int64", "ts": "timestamp", "w": "int32", "x": "string"}
NAMES = itertools.count()

values: dict[str, st.SearchStrategy[Any]] = {
    "id": st.one_of(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.none()),
    "part": st.sampled_from(["a", "a", "b", None]),
    "v": st.one_of(st.integers(0, 1), st.none()),
    "w": st.integers(0, 2),
    "x": st.sampled_from(["p", "q", None]),
}
times = st.integers(0, 40).map(lambda hours: DAY + dt.timedelta(hours=hours, microseconds=hours))
counts = st.integers(0, 5)


@attrs.frozen
class Step:
    """One run, or a pruning."""

    batch: Batch
    rules: Rules
    now: dt.datetime
    refuse: bool = False
    keep: int | None = None


@st.composite
def rules_of(draw: st.DrawFn, key: tuple[str, ...], timed: bool) -> Rules:
    deletes = draw(st.sampled_from([one.value for one in Deletes]))
    if timed or draw(st.booleans()):
        return Rules(key, "ts", deletes=deletes)
    return Rules(key, None, draw(st.sampled_from([(), (), ("v",), ("x", "v")])), deletes)


@st.composite
def batches(draw: st.DrawFn, key: tuple[str, ...], moments: str) -> Batch:
    """Rows under columns in any order; columns may be missing, new, wider, or of another type."""
    left_out = draw(st.sampled_from([(), (), (), ("v",), ("w",), ("x",)]))
    names = [name for name in draw(st.permutations(list(TYPES))) if name not in left_out]
    types = {**{name: TYPES[name] for name in names}, "ts": moments}
    drawn = {**values, "ts": {"int64": counts, "timestamp": times, "date": times.map(dt.datetime.date)}[moments]}
    if "w" in types and draw(st.booleans()):
        types["w"] = "int64"
    if "x" in types and draw(st.sampled_from([False] * 6 + [True])):
        types["x"], drawn["x"] = "int64", st.integers(0, 1)
    if draw(st.sampled_from([False] * 6 + [True])):
        drawn["ts"] = st.one_of(drawn["ts"], st.none())
    unique = draw(st.sampled_from([True] * 5 + [False]))
    if unique:
        drawn = {**drawn, "id": st.integers(1, 4), "part": st.sampled_from(["a", "b"])}
    rows = draw(
        st.lists(
            st.fixed_dictionaries({name: drawn[name] for name in types}),
            max_size=5,
            unique_by=(lambda row: tuple(row[name] for name in key)) if unique else None,
        )
    )
    return Batch(types, tuple(rows))


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    key = draw(st.sampled_from([("id",), ("id",), ("id", "part")]))
    moments = draw(st.sampled_from(["timestamp", "timestamp", "timestamp", "date", "int64"]))
    days = moments == "date"  # which are no times of another strategy
    rules, now, steps = draw(rules_of(key, days)), DAY, []
    for number in range(draw(st.integers(1, 6))):
        if draw(st.sampled_from([False, False, False, True])):
            rules = draw(rules_of(key, days))
        now += dt.timedelta(hours=draw(st.sampled_from([10, 10, 10, 0, -5])), microseconds=number)
        if steps and draw(st.sampled_from([False] * 4 + [True])):
            steps.append(Step(Batch({}, ()), rules, now, keep=draw(st.integers(1, 2))))
            continue
        refuse = draw(st.sampled_from([False] * 5 + [True]))
        same = steps and draw(st.sampled_from([False] * 3 + [True]))
        batch = steps[-1].batch if same and steps[-1].batch.types else draw(batches(key, moments))
        steps.append(Step(batch, rules, now, refuse))
    return steps


def arrow(batch: Batch) -> Any:
    import pyarrow as pa

    known = {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "string": pa.string(),
        "timestamp": pa.timestamp("us"),
        "date": pa.date32(),
    }
    fields = [pa.field(name, known[type_]) for name, type_ in batch.types.items()]
    return pa.Table.from_pylist([dict(row) for row in batch.rows], schema=pa.schema(fields))


def publication(place: Place, name: str, step: Step, number: int) -> Publication:
    def write(session: Session, staged: Relation) -> int:
        return session.load(staged, arrow(step.batch).to_reader(), LoadMode.CREATE)

    history = History(
        key=step.rules.key,
        moment=step.now.replace(tzinfo=dt.UTC),
        updated_at=step.rules.updated_at,
        checked=step.rules.checked,
        deletes=Deletes(step.rules.deletes),
        keep_last=step.keep,
    )
    return place.publication(
        name,
        0,
        write=None if step.keep else write,
        data_id=f"{name} {number}",
        fingerprint="",
        history=history,
        may_keep=True,
    )


def rows_of(session: Session, relation: str) -> tuple[list[str], list[dict[str, Any]]]:
    found = session.query(f"SELECT * FROM {relation}").read_all()
    names = [name for name in found.schema.names if name != "_ff_snapshot_hash"]
    return names, found.to_pylist()


def content_of(session: Session, relation: str) -> Any:
    import collections

    names, rows = rows_of(session, relation)
    return tuple(names), collections.Counter(tuple(shown(row[name]) for name in names) for row in rows)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_every_history_is_that_of_the_reference(place: Place, steps: list[Step]) -> None:
    with place.executor.session(label="flowforge/test") as session:
        ensure_meta(session, place.executor.dialect, place.executor.namespace)
        play(place, session, f"h{next(NAMES)}", steps)


@pytest.mark.full
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_very_many_histories_are_those_of_the_reference(place: Place, steps: list[Step]) -> None:
    with place.executor.session(label="flowforge/test") as session:
        ensure_meta(session, place.executor.dialect, place.executor.namespace)
        play(place, session, f"h{next(NAMES)}", steps)


def play(place: Place, session: Session, name: str, steps: list[Step]) -> None:
    publisher = place.publisher(f"run{name}")
    relation = place.executor.dialect.render(place.relation(name))
    expected: Kept | None = None
    last: Published | None = None
    typed = place.spec.name not in ("sqlite", "plain", "cloning")  # whose columns hold what they get
    for number, step in enumerate(steps):
        after: Kept | None
        try:
            if step.keep is not None:
                if expected is None:
                    continue
                after = prune(expected, step.keep, step.rules)
                if after is None:
                    continue
            elif expected is None:
                after = begin(step.batch, step.rules, step.now)
            else:
                after = go_on(expected, step.batch, step.rules, step.now)
        except RefusedError as refused:
            if not typed and str(refused) in ("type", "no time", "other times"):
                continue
            after = None
        seen: list[Any] = []

        def audit(session: Session, relation: str, seen: list[Any] = seen, refuse: bool = step.refuse) -> None:
            seen.append(content_of(session, relation))
            if refuse:
                raise AuditFailedError("no")

        made = publication(place, name, step, number)
        if after is None:
            with pytest.raises(ModelExecutionError):
                publisher.publish(session, made, audit)
            assert not seen
        elif step.refuse:
            with pytest.raises(AuditFailedError):
                publisher.publish(session, made, audit)
        else:
            published = publisher.publish(session, made, None if step.keep else audit)
            if expected is not None and last is not None:
                wider = typed and after.types != expected.types
                equal = after.content == expected.content and not wider
                assert published.kept is equal, "kept, though it changed, or the reverse"
                assert (published.row.data_id == last.row.data_id) is published.kept
            expected, last = after, published
        if after is not None and step.keep is None:
            assert seen[0] == after.content, "the audit saw something else than what was to be published"
        assert place.staged() == []
        if expected is not None:
            assert content_of(session, relation) == expected.content
            _, rows = rows_of(session, relation)
            assert overlaps(rows, step.rules.key) == []
        else:
            assert session.kind_of(place.relation(name)) is None


def _steps(*batches: Batch, rules: Rules) -> list[Step]:
    return [Step(batch, rules, DAY + dt.timedelta(days=number)) for number, batch in enumerate(batches)]


def test_hashes_name_versions(place: Place) -> None:
    """Equal for one key and one time, in every run; different for all others, however the values are split."""
    types = {"id": "string", "part": "string", "ts": "timestamp"}
    rows = tuple(
        {"id": one, "part": other, "ts": DAY + dt.timedelta(days=days)}
        for one, other, days in [("a", "bc", 0), ("ab", "c", 0), ("a|b", "c", 0), ("a", "b|c", 0), ("a", "b", 1)]
    )
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    hashes = []
    for number, name in enumerate(["one", "other"]):
        step = Step(Batch(types, rows), Rules(("id", "part"), "ts"), DAY)
        publisher.publish(session, publication(place, name, step, number), None)
        found = place.rows(f"SELECT id, part, _ff_snapshot_hash FROM {name} ORDER BY 1, 2")
        hashes.append([row[2] for row in found])
    assert hashes[0] == hashes[1]
    without = place.spec.name in ("sqlite", "plain", "cloning")
    assert hashes[0] == [None] * 5 if without else len(set(hashes[0])) == 5


def test_a_table_that_is_no_history_is_not_touched(place: Place) -> None:
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    publisher.publish(session, place.publication("mine", 7), None)
    step = Step(Batch({"x": "int64"}, ({"x": 1},)), Rules(("x",)), DAY)
    with pytest.raises(ModelExecutionError, match="is no history") as caught:
        publisher.publish(session, publication(place, "mine", step, 1), None)
    assert caught.value.code == "FF2034"
    assert place.rows("mine") == [(7,)] * 10
    assert place.staged() == []


def test_a_view_is_not_touched(place: Place) -> None:
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    session.replace_view(place.relation("mine"), "SELECT 1 AS x")
    step = Step(Batch({"x": "int64"}, ({"x": 1},)), Rules(("x",)), DAY)
    with pytest.raises(ModelExecutionError, match=r"the view .*mine is no history"):
        publisher.publish(session, publication(place, "mine", step, 1), None)
    assert session.kind_of(place.relation("mine")) is RelationKind.VIEW


@pytest.mark.parametrize("kind", [RelationKind.TABLE, RelationKind.VIEW], ids=lambda kind: kind.value)
def test_nothing_takes_the_place_of_a_history(place: Place, kind: RelationKind) -> None:
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    step = Step(Batch({"x": "int64"}, ({"x": 1},)), Rules(("x",)), DAY)
    publisher.publish(session, publication(place, "kept", step, 1), None)
    if kind is RelationKind.TABLE:
        other = place.publication("kept", 7)
    else:
        other = place.publication("kept", 7, kind=kind, write=None, select="SELECT 1 AS x")
    with pytest.raises(ModelExecutionError, match="no run could make again") as caught:
        publisher.publish(session, other, None)
    assert caught.value.code == "FF2037"
    assert [row[0] for row in place.rows("SELECT x FROM kept")] == [1]
    session.drop(place.relation("kept"), RelationKind.TABLE)
    publisher.publish(session, other, None)
    assert len(place.rows("kept")) == (10 if kind is RelationKind.TABLE else 1)


def test_a_history_of_an_older_tool_goes_on(place: Place) -> None:
    """Its columns stand in another order, its times may be of another type, and it knows nothing of our hashes."""
    place.ensure_meta()
    session, publisher, dialect = place.session(), place.publisher(), place.executor.dialect
    aware = place.spec.name in ("duckdb", "postgres")
    kind = "TIMESTAMP WITH TIME ZONE" if aware else "TIMESTAMP"
    session.execute(
        f"CREATE TABLE {dialect.render(place.relation('old'))} (_ff_is_current BOOLEAN, _ff_valid_from {kind},"
        f" _ff_valid_to {kind}, id BIGINT, _ff_snapshot_hash TEXT, _ff_updated_at {kind}, v BIGINT)"
    )
    session.execute(
        f"INSERT INTO {dialect.render(place.relation('old'))} VALUES (TRUE, '2024-01-01 00:00:00', NULL, 1, 'xyz',"
        " '2024-01-01 00:00:00', 5), (TRUE, '2024-01-01 00:00:00', NULL, 2, NULL, '2024-01-01 00:00:00', 6)"
    )
    step = Step(
        Batch({"id": "int64", "v": "int64"}, ({"id": 1, "v": 5}, {"id": 2, "v": 7})),
        Rules(("id",)),
        DAY + dt.timedelta(days=9),
    )
    publisher.publish(session, publication(place, "old", step, 1), None)
    day = "substr(CAST(_ff_valid_from AS VARCHAR(40)), 1, 10), substr(CAST(_ff_valid_to AS VARCHAR(40)), 1, 10)"
    assert place.rows(f"SELECT id, v, {day} FROM old") == [
        (1, 5, "2024-01-01", None),
        (2, 6, "2024-01-01", "2024-01-10"),
        (2, 7, "2024-01-10", None),
    ]


def test_several_current_versions_of_one_key_are_refused(place: Place) -> None:
    place.ensure_meta()
    session, publisher, dialect = place.session(), place.publisher(), place.executor.dialect
    batch = Batch({"id": "int64", "v": "int64"}, ({"id": 1, "v": 5},))
    step, later = _steps(batch, attrs.evolve(batch, rows=({"id": 1, "v": 6},)), rules=Rules(("id",)))
    publisher.publish(session, publication(place, "twice", step, 1), None)
    table = dialect.render(place.relation("twice"))
    session.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    with pytest.raises(ModelExecutionError, match=r"several current versions of one key: id=1 \(2 rows\)") as caught:
        publisher.publish(session, publication(place, "twice", later, 2), None)
    assert caught.value.code == "FF2036"
    assert len(place.rows("twice")) == 2


def test_a_column_that_every_history_has_is_refused(place: Place) -> None:
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    types = {"id": "int64", "_ff_valid_to": "int64"}
    step = Step(Batch(types, ({"id": 1, "_ff_valid_to": 1},)), Rules(("id",)), DAY)
    with pytest.raises(ModelExecutionError, match="a column '_ff_valid_to', which every history has"):
        publisher.publish(session, publication(place, "own", step, 1), None)
    assert session.kind_of(place.relation("own")) is None


def test_columns_get_wider_and_keep_their_values() -> None:
    import pyarrow as pa

    from flowforge.materialize.widening import widens

    for narrow, wide in [
        (pa.int32(), pa.int64()),
        (pa.uint8(), pa.int16()),
        (pa.int32(), pa.float64()),
        (pa.int16(), pa.decimal128(5, 0)),
        (pa.decimal128(10, 2), pa.decimal128(12, 4)),
        (pa.string(), pa.large_string()),
        (pa.timestamp("s"), pa.timestamp("us")),
        (pa.null(), pa.string()),
    ]:
        assert widens(narrow, wide)
    for narrow, wide in [
        (pa.int64(), pa.int32()),
        (pa.int64(), pa.float64()),
        (pa.int8(), pa.uint64()),
        (pa.uint64(), pa.int64()),
        (pa.int16(), pa.decimal128(4, 0)),
        (pa.decimal128(10, 2), pa.decimal128(11, 4)),
        (pa.decimal128(10, 2), pa.float64()),
        (pa.string(), pa.int64()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.date32(), pa.timestamp("us")),
    ]:
        assert not widens(narrow, wide)


def test_many_rows_get_new_columns_and_are_pruned(tmp_path: Path) -> None:
    """So many that an engine writes them in parts; what its own transaction sees of them has to be all of them."""
    place = open_place("duckdb", tmp_path)
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    size, moment = 150_000, DAY.replace(tzinfo=dt.UTC)
    history = History(("id",), moment, deletes=Deletes.NEW_RECORD)

    def publish(select: str, number: int, keep: int | None = None) -> Published:
        made = place.publication("many", 0, write=None, select=select, data_id=str(number), fingerprint="")
        moved = attrs.evolve(history, moment=moment + dt.timedelta(days=number), keep_last=keep)
        return publisher.publish(session, attrs.evolve(made, history=moved), None)

    publish(f"SELECT range AS id, 1 AS v FROM range({size})", 1)
    assert publish(f"SELECT range AS id, range % 2 AS v FROM range({size})", 2).rows == size // 2
    assert place.rows("SELECT COUNT(*) FROM many") == [(size * 3 // 2,)]
    assert publish(f"SELECT range AS id, range % 2 AS v, 5 AS w FROM range(10, {size})", 3).rows == size
    counts = "SELECT COUNT(*), COUNT(DISTINCT id), COUNT(*) FILTER (_ff_is_current), COUNT(w) FROM many"
    assert place.rows(counts) == [(size * 5 // 2, size, size, size - 10)]
    assert publish("", 4, keep=1).rows == size * 3 // 2
    assert place.rows(counts) == [(size, size, size, size - 10)]
    place.close()


def _seen(*rows: tuple[int, int, int]) -> Batch:
    """Rows of an id, a value and the hour of their last change."""
    types = {"id": "int64", "v": "int64", "ts": "timestamp"}
    return Batch(types, tuple({"id": one, "v": v, "ts": DAY + dt.timedelta(hours=hour)} for one, v, hour in rows))


@pytest.mark.parametrize("deletes", [one.value for one in Deletes])
@pytest.mark.parametrize("column", ["ts", None], ids=["timestamp", "check"])
def test_clocks_that_go_back_and_rows_that_come_back(place: Place, column: str | None, deletes: str) -> None:
    rules = Rules(("id",), column, () if column else ("v",), deletes)
    story = [
        (10, _seen((1, 1, 1), (2, 1, 1))),
        (5, _seen((1, 2, 2), (2, 1, 1))),  # the clock went back
        (4, _seen((1, 2, 2))),  # and again, and a row is gone
        (30, _seen((1, 3, 3), (2, 1, 1))),  # it is back, and says that it never changed
        (40, _seen((1, 3, 3), (2, 5, 2))),  # it changed before it came back
        (41, _seen((2, 5, 2))),
        (50, _seen((1, 3, 45), (2, 5, 2))),  # back, and changed since it was gone
    ]
    place.ensure_meta()
    steps = [Step(batch, rules, DAY + dt.timedelta(hours=hour)) for hour, batch in story]
    play(place, place.session(), f"story{next(NAMES)}", steps)
