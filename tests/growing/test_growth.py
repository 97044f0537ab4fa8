"""Tables grow as the reference says, batch by batch, whatever comes: late rows, doubles, NULLs, other columns."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.contract import Capability, LoadMode, Session
from flowforge.errors import AuditFailedError, ModelExecutionError
from flowforge.materialize.columns import OnChange
from flowforge.materialize.increments import Increment, Strategy
from flowforge.materialize.publish import Publication
from flowforge.state.meta import ensure_meta
from flowforge.testkit.growing import RefusedError, Rules, Table, begin, grow
from flowforge.values import Relation
from flowforge_plain.place import Place

TYPES = {"id": "int64", "part": "string", "v": "int64", "ts": "int64", "w": "int64", "x": "string"}
NAMES = itertools.count()

values: dict[str, st.SearchStrategy[Any]] = {
    "id": st.one_of(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.none()),
    "part": st.sampled_from(["a", "b", None]),
    "v": st.one_of(st.integers(0, 2), st.none()),
    "ts": st.one_of(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.none()),
    "w": st.integers(0, 2),
    "x": st.sampled_from(["p", "q", None]),
}


@st.composite
def rules_of(draw: st.DrawFn) -> Rules:
    strategy = draw(st.sampled_from([one.value for one in Strategy if one is not Strategy.MICROBATCH]))
    return Rules(
        strategy,
        draw(st.sampled_from([one.value for one in OnChange])),
        draw(st.sampled_from([("id",), ("id",), ("id", "part")])) if strategy in ("merge", "delete+insert") else (),
        draw(st.sampled_from([("part",), ("part", "v")])) if strategy == "insert_overwrite" else (),
        draw(st.sampled_from([(), ("ts",), ("ts", "w")])),
    )


@st.composite
def batches(draw: st.DrawFn, fixed: tuple[str, ...]) -> Table:
    """Rows under columns in any order; columns that no rule speaks of may be missing, new, or of another type."""
    free = [name for name in ("v", "w", "x") if name not in fixed]
    names = draw(st.permutations(["id", "part", "ts", *[n for n in fixed if n in ("v", "w")], *free]))
    left_out = draw(st.sampled_from([(), (), *((name,) for name in free)]))
    types = {name: TYPES[name] for name in names if name not in left_out}
    if "x" in types and draw(st.sampled_from([False, False, False, True])):
        types["x"] = "int64"
    drawn = {**values, "x": st.integers(0, 1)} if types.get("x") == "int64" else values
    rows = draw(st.lists(st.fixed_dictionaries({name: drawn[name] for name in types}), max_size=5))
    return Table(types, tuple(rows))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Rules, list[tuple[Table, bool]]]:
    rules = draw(rules_of())
    fixed = (*rules.key, *rules.partition, *rules.watermark)
    return rules, draw(st.lists(st.tuples(batches(fixed), st.booleans()), min_size=1, max_size=5))


def arrow(table: Table) -> Any:
    import pyarrow as pa

    fields = [
        pa.field(name, {"int64": pa.int64(), "string": pa.string()}[type_]) for name, type_ in table.types.items()
    ]
    return pa.Table.from_pylist([dict(row) for row in table.rows], schema=pa.schema(fields))


def increment(rules: Rules, select: str | None) -> Increment:
    return Increment(
        Strategy(rules.strategy), select, rules.key, rules.partition, rules.watermark, OnChange(rules.on_change)
    )


def publication(place: Place, name: str, batch: Table, rules: Rules, number: int) -> Publication:
    def write(session: Session, staged: Relation) -> int:
        return session.load(staged, arrow(batch).to_reader(), LoadMode.CREATE)

    return place.publication(
        name,
        0,
        write=write,
        data_id=f"{name} {number}",
        fingerprint="",
        increment=increment(rules, None),
        may_keep=True,
    )


def read(place: Place, name: str) -> Any:
    with place.executor.session(label="flowforge/look") as session:
        found = session.query(f"SELECT * FROM {place.executor.dialect.render(place.relation(name))}").read_all()
    types = {field.name: str(field.type).removeprefix("large_") for field in found.schema}
    return Table(types, tuple(found.to_pylist()))


def synced(table: Table, batch: Table, rules: Rules) -> bool:
    """A text that is to become a number is refused by some engines and not by others, which is not the question here."""
    return rules.on_change == "sync_all_columns" and any(
        table.types[name] != batch.types[name] for name in table.types if name in batch.types
    )


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_every_history_is_that_of_the_reference(place: Place, history: tuple[Rules, list[tuple[Table, bool]]]) -> None:
    with place.executor.session(label="flowforge/test") as session:
        ensure_meta(session, place.executor.dialect, place.executor.namespace)
        play(place, session, f"t{next(NAMES)}", *history)


@pytest.mark.full
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_very_many_histories_are_those_of_the_reference(
    place: Place, history: tuple[Rules, list[tuple[Table, bool]]]
) -> None:
    with place.executor.session(label="flowforge/test") as session:
        ensure_meta(session, place.executor.dialect, place.executor.namespace)
        play(place, session, f"t{next(NAMES)}", *history)


def play(place: Place, session: Session, name: str, rules: Rules, steps: list[tuple[Table, bool]]) -> None:
    publisher = place.publisher(f"run{name}")
    expected: Table | None = None
    data_id = ""
    for number, (batch, refuse) in enumerate(steps):
        if expected is not None and synced(expected, batch, rules):
            continue
        after: Table | None
        try:
            after = begin(batch, rules) if expected is None else grow(expected, batch, rules)
        except RefusedError:
            after = None

        seen: list[Table] = []

        def audit(session: Session, relation: str, seen: list[Table] = seen, refuse: bool = refuse) -> None:
            found = session.query(f"SELECT * FROM {relation}").read_all()
            seen.append(Table(dict.fromkeys(found.schema.names, ""), tuple(found.to_pylist())))
            if refuse:
                raise AuditFailedError("no")

        made = publication(place, name, batch, rules, number)
        if after is None:
            with pytest.raises(ModelExecutionError):
                publisher.publish(session, made, audit)
            assert not seen
        elif refuse:
            with pytest.raises(AuditFailedError):
                publisher.publish(session, made, audit)
        else:
            published = publisher.publish(session, made, audit)
            if published.kept:
                assert expected is not None
                assert after.content == expected.content
                assert published.row.data_id == data_id
            expected, data_id = after, published.row.data_id
        if after is not None:
            assert seen[0].content == after.content, "the audit saw something else than what was to be published"
        assert place.staged() == []
        if expected is not None:
            found = read(place, name)
            assert found.content == expected.content
            assert found.types == expected.types


@pytest.mark.parametrize("strategy", ["merge", "delete+insert"])
def test_the_same_rows_again_change_nothing(place: Place, strategy: str) -> None:
    rules = Rules(strategy, key=("id",), watermark=("ts",))
    batch = Table({"id": "int64", "ts": "int64"}, ({"id": 1, "ts": 1}, {"id": 2, "ts": 1}))
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    first = publisher.publish(session, publication(place, "again", batch, rules, 1), None)
    second = publisher.publish(session, publication(place, "again", batch, rules, 2), None)
    knows = bool(place.spec.support(Capability.CONTENT_HASH))
    assert second.kept is knows
    assert (second.row.data_id == first.row.data_id) is knows
    late = Table(batch.types, ({"id": 3, "ts": 0},))
    third = publisher.publish(session, publication(place, "again", late, rules, 3), None)
    assert third.kept, "a row below the watermark is not new"


def test_a_table_that_may_not_grow_is_built_from_scratch(place: Place) -> None:
    rules = Rules("append")
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    batch = Table({"id": "int64"}, ({"id": 1},))
    for number in range(2):
        publisher.publish(session, publication(place, "fresh", batch, rules, number), None)
    assert len(read(place, "fresh").rows) == 2
    made = attrs.evolve(publication(place, "fresh", batch, rules, 3), from_scratch=True)
    publisher.publish(session, made, None)
    assert len(read(place, "fresh").rows) == 1


def test_a_watermark_that_the_table_lacks_is_an_error(place: Place) -> None:
    """Taken from the new rows themselves, it would say of none of them that it is new."""
    place.ensure_meta()
    session, publisher = place.session(), place.publisher()
    publisher.publish(
        session, publication(place, "bare", Table({"id": "int64"}, ({"id": 1},)), Rules("append"), 1), None
    )
    batch = Table({"id": "int64", "ts": "int64"}, ({"id": 2, "ts": 5}, {"id": 3, "ts": 6}))
    made = publication(place, "bare", batch, Rules("append", watermark=("ts",)), 2)
    with pytest.raises(ModelExecutionError, match="no column 'ts'"):
        publisher.publish(session, made, None)
    assert read(place, "bare").rows == ({"id": 1},)
