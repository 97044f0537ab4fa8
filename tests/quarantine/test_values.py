"""Rows of every type go to the side where they belong, unchanged, and names are no matter of luck."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flowforge.contract import LoadMode, Session
from flowforge.errors import ModelExecutionError
from flowforge.materialize.publish import Publication
from flowforge.materialize.quarantine import Quarantine, Rule, quarantine_relation
from flowforge.state.decisions import ensure_log
from flowforge.state.meta import relation_key
from flowforge.values import Relation, RelationKind
from flowforge_plain.place import Place, open_place

VALUES: dict[str, pa.Array] = {
    "floats": pa.array([0.1, -0.0, math.nan, math.inf, 1e300, None]),
    "decimals": pa.array([decimal.Decimal("1.10"), decimal.Decimal("-99999999.99"), None], pa.decimal128(12, 2)),
    "times": pa.array([1, 1704070923000004, -2208988800000000, None], pa.timestamp("us")),
    "zoned": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
    "lists": pa.array([["a, b"], ["a", "b"], [], None, [None]], pa.list_(pa.string())),
    "structs": pa.array(
        [{"a": 1, "b": "x"}, {"a": None, "b": "NULL"}, None], pa.struct([("a", pa.int64()), ("b", pa.string())])
    ),
    "bytes": pa.array([b"\x00\xff", b"", None], pa.binary()),
    "texts": pa.array(["", "'; DROP TABLE x; --", 'say "hi"', "ünï", None]),
}
DUCK_ONLY = ("decimals", "zoned", "lists", "structs")


@pytest.fixture(params=["duckdb", "plain"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = open_place(request.param, tmp_path)
    made.ensure_meta()
    yield made
    made.close()


def publish(
    place: Place, target: Relation, table: pa.Table, run: str, condition: str = '"bad" = 1', **changes: Any
) -> Any:
    """One publication; what it says it did."""
    dialect = place.executor.dialect

    def write(session: Session, staged: Relation) -> int:
        return session.load(staged, table.to_reader(), LoadMode.CREATE)

    quarantine = Quarantine(
        quarantine_relation(dialect, target),
        ensure_log(place.session(), dialect, place.executor.namespace),
        relation_key(dialect, target, place.executor.namespace),
        "m.ff",
        (Rule('it\'s "bad"', lambda sql: condition),),
    )
    publication = Publication(
        node="m.ff",
        target=target,
        kind=RelationKind.TABLE,
        fingerprint="",
        data_id=run,
        write=write,
        quarantine=quarantine,
        **changes,
    )
    return place.publisher(run).publish(place.session(), publication, None)


def values(place: Place, relation: Relation) -> list[str]:
    session = place.session()
    found = session.query(f'SELECT "v" FROM {place.executor.dialect.render(relation)}').read_all().column(0)
    return sorted(map(repr, found.to_pylist()))


@pytest.mark.parametrize("name", VALUES)
def test_values_stay_what_they_are(place: Place, name: str) -> None:
    array = VALUES[name]
    if place.spec.name == "plain" and name in DUCK_ONLY:
        pytest.skip("SQLite keeps no such values")
    if place.spec.name == "plain" and name == "floats":
        array = pa.array([0.1, 1e300, None])
    target = place.relation("m")
    both = pa.concat_arrays([array, array])
    table = pa.table({"v": both, "bad": pa.array([0] * len(array) + [1] * len(array), pa.int64())})
    published = publish(place, target, table, "r1")
    assert (published.rows, published.aside.rows) == (len(array), len(array))
    held = quarantine_relation(place.executor.dialect, target)
    assert values(place, target) == values(place, held) == sorted(map(repr, array.to_pylist()))
    hashes = place.rows(f'SELECT "_ff_row_hash" FROM {place.executor.dialect.render(held)}')
    assert len(set(hashes)) == len(array)
    assert not place.staged()


def test_the_quarantine_follows_the_columns(place: Place) -> None:
    target = place.relation("m")
    held = place.executor.dialect.render(quarantine_relation(place.executor.dialect, target))
    publish(place, target, pa.table({"v": [1, 2], "bad": [0, 1]}), "r1")
    assert place.rows(f'SELECT "v" FROM {held}') == [(2,)]
    publish(place, target, pa.table({"bad": [0, 1], "other": ["x", "y"]}), "r2")
    assert place.rows(f'SELECT "other" FROM {held}') == [("y",)]
    session = place.session()
    schema = session.schema_of(quarantine_relation(place.executor.dialect, target))
    assert schema is not None
    assert "v" not in schema.names
    publish(place, target, pa.table({"bad": [0, 0], "other": ["x", "y"]}), "r3")
    assert place.rows(f'SELECT "other" FROM {held}') == []


def test_a_check_that_answers_differently_each_time_loses_nothing(place: Place) -> None:
    chance = "random() < 0.5" if place.spec.name == "duckdb" else "abs(random()) % 2 = 0"
    target = place.relation("m")
    table = pa.table({"v": list(range(200))})
    published = publish(place, target, table, "r1", chance)
    held = quarantine_relation(place.executor.dialect, target)
    assert 0 < published.aside.rows < 200
    assert sorted(values(place, target) + values(place, held)) == sorted(map(repr, range(200)))


@pytest.mark.parametrize("name", ['we"ird; drop', "Orders", "ein sehr langer name " * 4])
def test_names_are_safe(place: Place, name: str) -> None:
    target = place.relation(name.strip())
    published = publish(place, target, pa.table({"v": [1, 2], "bad": [0, 1]}), "r1")
    assert published.aside.rows == 1
    assert values(place, target) == ["1"]
    assert values(place, quarantine_relation(place.executor.dialect, target)) == ["2"]


def test_a_name_fits_into_the_limit(place: Place) -> None:
    class Short(type(place.executor.dialect)):  # type: ignore[misc]
        max_identifier_bytes = 63

    long = [quarantine_relation(Short(), Relation("ä" * 40 + tail)).name for tail in ("", "x")]
    assert all(len(name.encode()) <= 63 for name in long)
    assert long[0] != long[1]


def test_columns_of_its_own_are_refused(place: Place) -> None:
    with pytest.raises(ModelExecutionError) as caught:
        publish(place, place.relation("m"), pa.table({"_FF_reasons": ["x"], "bad": [1]}), "r1")
    assert caught.value.code == "FF3024"
