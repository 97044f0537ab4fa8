"""Whatever the rows, the checks and the way a model is kept: published, put aside and dropped add up to what was made."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parting_reference import BadKeysError, Reference, Row, fails_alone, is_doubled

from flowforge.contract import LoadMode, Session
from flowforge.errors import ModelExecutionError
from flowforge.materialize.increments import Increment, Strategy
from flowforge.materialize.publish import Publication
from flowforge.materialize.quarantine import Quarantine, Rule, parse_reasons, quarantine_relation
from flowforge.state.decisions import DROP, HOLD, RELEASE, Decision, ensure_log, free_rows, write_decision
from flowforge.state.meta import relation_key
from flowforge.values import Relation, RelationKind
from flowforge_plain.place import Place, open_place

ENGINES = ("duckdb", "plain")
COLUMNS = ("id", "amount", "name")
SCHEMA = pa.schema([("id", pa.int64()), ("amount", pa.int64()), ("name", pa.string())])

RULES = {
    "negative": (lambda sql: '"amount" < 0', fails_alone(lambda row: row[1] is not None and row[1] < 0)),  # type: ignore[operator]
    "no_id": (lambda sql: '"id" IS NULL', fails_alone(lambda row: row[0] is None)),
    'odd "name"': (
        lambda sql: "\"name\" LIKE 'x%'",
        fails_alone(lambda row: isinstance(row[2], str) and row[2].lower().startswith("x")),
    ),
    "doubled": (lambda sql: 'COUNT(*) OVER (PARTITION BY "id") > 1', is_doubled(0)),
}

values = st.tuples(
    st.sampled_from([None, 1, 2, 3, 4]),
    st.sampled_from([None, -1, 0, 7]),
    st.sampled_from([None, "", "x", "a|b", "~n"]),
)
batches = st.lists(values, max_size=6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), batches),
        st.tuples(st.just("release"), st.integers(0, 5)),
        st.tuples(st.just("hold"), st.integers(0, 5)),
        st.tuples(st.just("drop"), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=6,
)


@attrs.define
class Shop:
    """One model on one engine, published again and again."""

    place: Place
    rules: Sequence[str]
    increment: Increment | None
    runs: int = 0
    seen: list[Mapping[str, int]] = attrs.field(factory=list)

    @property
    def model(self) -> Relation:
        return self.place.relation("orders")

    @property
    def table(self) -> Relation:
        return quarantine_relation(self.place.executor.dialect, self.model)

    @property
    def log(self) -> Relation:
        return ensure_log(self.place.session(), self.place.executor.dialect, self.place.executor.namespace)

    @property
    def key(self) -> str:
        return relation_key(self.place.executor.dialect, self.model, self.place.executor.namespace)

    def publish(self, rows: Sequence[Row]) -> Any:
        """One run; what it says it did."""
        self.runs += 1
        table = pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], schema=SCHEMA)

        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, table.to_reader(), LoadMode.CREATE)

        quarantine = Quarantine(
            self.table,
            self.log,
            self.key,
            "orders.ff",
            tuple(Rule(name, RULES[name][0]) for name in self.rules),
            lambda counts, total: self.seen.append(counts),
        )
        publication = Publication(
            node="orders.ff",
            target=self.model,
            kind=RelationKind.TABLE,
            fingerprint="",
            data_id=f"d{self.runs}",
            write=write,
            increment=self.increment,
            quarantine=quarantine,
            hash_rows=True,
        )
        return self.place.publisher(f"run{self.runs}").publish(self.place.session(), publication, None)

    def decide(self, kind: str, hash_: str, reasons: Sequence[str]) -> None:
        """A decision about one row, from all of its reasons."""
        session, dialect = self.place.session(), self.place.executor.dialect
        for reason in reasons if kind in (RELEASE, HOLD) else (None,):
            made = Decision(
                self.key, "orders.ff", kind, f"d{self.runs}", "me", dt.datetime.now(dt.UTC), reason, row_hash=hash_
            )
            write_decision(session, dialect, self.log, made)
        if kind == DROP:
            session.execute(f"DELETE FROM {dialect.render(self.table)} WHERE \"_ff_row_hash\" = '{hash_}'")

    def free(self) -> Sequence[tuple[str, str]]:
        """What is released, as the log has it: checks and hashes."""
        return free_rows(self.place.session(), self.place.executor.dialect, self.log, self.key)

    def published(self) -> Counter[Row]:
        return Counter(self.place.rows("orders"))

    def aside(self) -> list[tuple[Row, tuple[str, ...], str]]:
        """Rows in quarantine, with their reasons and hashes."""
        session = self.place.session()
        if session.kind_of(self.table) is None:
            return []
        listed = ", ".join(f'"{name}"' for name in (*COLUMNS, "_ff_reasons", "_ff_row_hash"))
        found = self.place.rows(f"SELECT {listed} FROM {self.place.executor.dialect.render(self.table)}")
        return [(row[:3], tuple(parse_reasons(row[3])), row[4]) for row in found]


@contextmanager
def shop(engine: str, rules: Sequence[str], increment: Increment | None = None) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder:
        place = open_place(engine, Path(folder))
        try:
            place.ensure_meta()
            yield Shop(place, rules, increment)
        finally:
            place.close()


def play(made: Shop, reference: Reference, plays: Sequence[tuple[str, Any]]) -> None:
    """Do the same with both, and compare after each step."""
    stands = False
    rows_of: dict[str, Row] = {}
    for word, what in plays:
        held = made.aside()
        rows_of |= {hash_: row for row, _, hash_ in held}
        if word == "publish":
            try:
                (reference.grow if made.increment is not None and stands else reference.replace)(what)
            except BadKeysError:
                with pytest.raises(ModelExecutionError):
                    made.publish(what)
            else:
                published = made.publish(what)
                stands = True
                assert published.aside.rows == len(reference._parted(what)[1])
        elif word == HOLD:
            freed = made.free()
            assert {(name, rows_of[hash_]) for name, hash_ in freed} == reference.released
            if freed:
                name, hash_ = freed[what % len(freed)]
                made.decide(HOLD, hash_, [name])
                reference.hold(name, rows_of[hash_])
                assert (name, hash_) not in made.free()
        elif not held:
            continue
        else:
            row, reasons, hash_ = held[what % len(held)]
            made.decide(word, hash_, reasons)
            if word == RELEASE:
                reference.released |= {(reason, row) for reason in reasons}
            else:
                reference.drop(row)
        found = Counter((row, tuple(sorted(reasons))) for row, reasons, _ in made.aside())
        assert found == Counter({(row, tuple(sorted(why))): n for (row, why), n in reference.held.items()})
        if stands:
            assert made.published() == reference.table
        assert not made.place.staged()


def judges(rules: Sequence[str]) -> dict[str, Any]:
    return {name: RULES[name][1] for name in rules}


QUICK = settings(derandomize=True, deadline=None, max_examples=5)
THOROUGH = settings(derandomize=True, deadline=None, max_examples=150)

some_rules = st.lists(st.sampled_from(sorted(RULES)), unique=True, max_size=4)


@pytest.mark.parametrize("engine", ENGINES)
@QUICK
@given(rules=some_rules, plays=steps)
@example(rules=["doubled"], plays=[("publish", [(1, 1, "a")] * 3), ("release", 0), ("publish", [(1, 1, "a")] * 3)])
@example(
    rules=["negative"], plays=[("publish", [(1, -1, "a")]), ("drop", 0), ("publish", [(1, -1, "a"), (2, -1, "a")])]
)
@example(
    rules=["negative"],
    plays=[
        ("publish", [(1, -1, "a")]),
        ("release", 0),
        ("publish", [(1, -1, "a")]),
        ("hold", 0),
        ("publish", [(1, -1, "a")]),
    ],
)
@example(
    rules=["negative"],
    plays=[("publish", [(1, -1, "a")]), ("release", 0), ("hold", 0), ("release", 0), ("publish", [(1, -1, "a")])],
)
def test_tables(engine: str, rules: Sequence[str], plays: Sequence[tuple[str, Any]]) -> None:
    with shop(engine, rules) as made:
        play(made, Reference(judges(rules)), plays)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("strategy", [Strategy.MERGE, Strategy.DELETE_INSERT], ids=lambda one: one.value)
@QUICK
@given(rules=some_rules, plays=steps)
@example(
    rules=["negative"],
    plays=[("publish", [(1, 7, "a")]), ("publish", [(2, -1, "a")]), ("release", 0), ("publish", [(3, 7, "a")])],
)
@example(
    rules=["negative"],
    plays=[("publish", [(1, 7, "a")]), ("publish", [(2, -1, "a")]), ("release", 0), ("publish", [(2, 7, "b")])],
)
@example(
    rules=["negative"],
    plays=[
        ("publish", [(1, 7, "a")]),
        ("publish", [(2, -1, "a")]),
        ("release", 0),
        ("hold", 0),
        ("publish", [(3, 7, "b")]),
    ],
)
def test_tables_with_keys_that_grow(
    engine: str, strategy: Strategy, rules: Sequence[str], plays: Sequence[tuple[str, Any]]
) -> None:
    with shop(engine, rules, Increment(strategy, key=("id",))) as made:
        play(made, Reference(judges(rules), key=0), plays)


@QUICK
@given(rules=some_rules, plays=steps)
@example(
    rules=["negative"],
    plays=[
        ("publish", [(1, 7, "a")]),
        ("publish", [(2, -1, "a")] * 2),
        ("release", 0),
        ("publish", []),
        ("publish", []),
    ],
)
@example(
    rules=["negative"], plays=[("publish", [(1, 7, "a")]), ("publish", [(2, -1, "a")]), ("publish", [(2, -1, "a")])]
)
def test_tables_to_which_rows_are_appended(rules: Sequence[str], plays: Sequence[tuple[str, Any]]) -> None:
    with shop("duckdb", rules, Increment(Strategy.APPEND)) as made:
        play(made, Reference(judges(rules)), plays)


@pytest.mark.full
@pytest.mark.parametrize("engine", [*ENGINES, "cloning"])
@pytest.mark.parametrize("strategy", [None, Strategy.MERGE, Strategy.DELETE_INSERT], ids=str)
@THOROUGH
@given(rules=some_rules, plays=steps)
def test_very_many_plays(
    engine: str, strategy: Strategy | None, rules: Sequence[str], plays: Sequence[tuple[str, Any]]
) -> None:
    increment = Increment(strategy, key=("id",)) if strategy is not None else None
    with shop(engine, rules, increment) as made:
        play(made, Reference(judges(rules), key=0 if increment else None), plays)


@pytest.mark.full
@THOROUGH
@given(rules=some_rules, plays=steps)
def test_very_many_plays_of_appended_rows(rules: Sequence[str], plays: Sequence[tuple[str, Any]]) -> None:
    with shop("duckdb", rules, Increment(Strategy.APPEND)) as made:
        play(made, Reference(judges(rules)), plays)
