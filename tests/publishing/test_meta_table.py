"""``_ff_meta`` on real engines: made, brought up to date, and refused when it is not ours to change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.contract import CreateKind
from flowforge.errors import StateError
from flowforge.state.meta import (
    ALONE,
    META_VERSION,
    MetaRow,
    append_meta,
    forget,
    read_meta,
    read_meta_row,
    relation_key,
    write_meta,
)
from flowforge.values import RelationKind
from flowforge_plain.place import Place, together

NOON = dt.datetime(2024, 5, 6, 12, 0, 0, 123456, tzinfo=dt.UTC)
FIRST_VERSION = (
    "node_name TEXT, relation TEXT, fingerprint TEXT, data_id TEXT, engine TEXT, run_id TEXT,"
    " rows BIGINT, built_at TIMESTAMP, version BIGINT"
)
PREDECESSOR = "node_name TEXT PRIMARY KEY, relation TEXT NOT NULL, fp TEXT NOT NULL, engine TEXT, built_at TIMESTAMP"


def row(key: str, **changes: Any) -> MetaRow:
    made = MetaRow(
        node_name="orders.ff",
        relation=key,
        fingerprint="1:a:b:c",
        data_id="d1",
        engine="test",
        run_id="run1",
        built_at=NOON,
    )
    return attrs.evolve(made, **changes)


def create(place: Place, columns: str, *values: str) -> None:
    session = place.session()
    session.execute(f"CREATE TABLE {place.executor.dialect.render(place.meta)} ({columns})")
    for value in values:
        session.execute(f"INSERT INTO {place.executor.dialect.render(place.meta)} VALUES {value}")


def test_what_is_written_is_read(place: Place) -> None:
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    assert read_meta(session, dialect, table) == {}
    full = row("orders", rows=3, content="abc", layout='"x" INTEGER, "it\'s" TEXT', sequence=7)
    write_meta(session, dialect, table, full)
    write_meta(session, dialect, table, row("users"))
    assert read_meta(session, dialect, table) == {"orders": full, "users": row("users")}
    later = row("orders", data_id="d2", built_at=NOON + dt.timedelta(days=1))
    write_meta(session, dialect, table, later)
    assert read_meta_row(session, dialect, table, "orders") == later
    assert read_meta_row(session, dialect, table, "Orders") is None
    forget(session, dialect, table, "orders")
    assert list(read_meta(session, dialect, table)) == ["users"]


def test_the_highest_sequence_counts(place: Place) -> None:
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    for sequence in (2, 9, 10, 1):
        append_meta(session, dialect, table, row("a", sequence=sequence, data_id=f"d{sequence}"))
    assert read_meta_row(session, dialect, table, "a") == row("a", sequence=10, data_id="d10")
    forget(session, dialect, table, "a", before=10)
    assert len(place.rows(table.name)) == 1


def test_of_two_that_claim_the_same_turn_none_is_believed(place: Place) -> None:
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    for number in (1, 2, 3):
        append_meta(session, dialect, table, row("a", sequence=4, data_id=f"d{number}", content="same"))
    found = read_meta(session, dialect, table)["a"]
    assert (found.fingerprint, found.content, found.sequence) == ("", "", 4)
    assert found.data_id not in ("d1", "d2", "d3")
    append_meta(session, dialect, table, row("a", sequence=5))
    assert read_meta(session, dialect, table)["a"] == row("a", sequence=5)


@pytest.mark.parametrize("other", [ALONE, 0, 1, 7])
@pytest.mark.parametrize("later", [False, True], ids=["before", "after"])
def test_a_note_that_was_written_unread_is_believed_alone_only(place: Place, other: int, later: bool) -> None:
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    rows = [row("a", sequence=ALONE, data_id="d1", content="same"), row("a", sequence=other, data_id="d2")]
    write_meta(session, dialect, table, rows[later], first=True)
    assert read_meta(session, dialect, table)["a"] == rows[later]
    write_meta(session, dialect, table, rows[not later], first=True)
    found = read_meta_row(session, dialect, table, "a")
    assert found is not None
    assert (found.fingerprint, found.content, found.sequence) == ("", "", other)
    assert found.data_id not in ("d1", "d2")
    following = row("a", sequence=found.next_sequence)
    assert following.sequence > max(other, 0)
    write_meta(session, dialect, table, following)
    assert read_meta(session, dialect, table)["a"] == following


def test_the_first_version_is_brought_up_to_date(place: Place) -> None:
    create(
        place,
        FIRST_VERSION,
        "('orders.ff', 'Orders', '', 'd1', 'test', 'run1', 3, '2024-05-06 12:00:00.123456', 1)",
        "('v.ff', 'v', '', 'd2', 'test', 'run1', NULL, '2024-05-06 12:00:00.123456', 1)",
    )
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    assert read_meta(session, dialect, table) == {
        "orders": row("orders", fingerprint="", rows=3),
        "v": row("v", node_name="v.ff", fingerprint="", data_id="d2"),
    }
    write_meta(session, dialect, table, row("orders", sequence=1))
    assert place.ensure_meta() == table
    assert read_meta(session, dialect, table)["orders"] == row("orders", sequence=1)
    assert not place.staged()


def test_the_predecessors_table_is_taken_over(place: Place) -> None:
    """Its fingerprints are kept to be looked at; they are none of ours, so they skip nothing."""
    create(
        place,
        PREDECESSOR,
        "('orders.ff', 'orders', 'f00d', 'test', '2024-05-06 12:00:00')",
        "('users.ff', 'users', 'beef', NULL, NULL)",
    )
    table, session, dialect = place.ensure_meta(), place.session(), place.executor.dialect
    found = read_meta(session, dialect, table)
    assert {key: one.fingerprint for key, one in found.items()} == {"orders": "f00d", "users": "beef"}
    assert found["orders"].built_at == dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
    assert len({one.data_id for one in found.values()} - {""}) == 2
    for key in ("a", "b"):  # one node with two relations, which its primary key would have refused
        write_meta(session, dialect, table, row(key))
    publisher = place.publisher()
    made = place.publication("orders", 1, may_keep=True)
    assert not publisher.publish(session, made, None).kept


@pytest.mark.parametrize("columns", [FIRST_VERSION, FIRST_VERSION.replace("rows BIGINT", "surprise TEXT")])
def test_what_a_newer_version_wrote_is_left_alone(place: Place, columns: str) -> None:
    create(place, columns, f"('a', 'a', '', '', '', '', NULL, NULL, {META_VERSION + 1})")
    before = place.rows(place.meta.name)
    with pytest.raises(StateError, match="newer") as caught:
        place.ensure_meta()
    assert (caught.value.code, bool(caught.value.help)) == ("FF2301", True)
    assert place.rows(place.meta.name) == before


def test_a_table_of_somebody_else_is_left_alone(place: Place) -> None:
    create(place, "id BIGINT, version BIGINT", "(1, 1)")
    with pytest.raises(StateError) as caught:
        place.ensure_meta()
    assert caught.value.code == "FF2302"
    assert place.rows(place.meta.name) == [(1, 1)]


def test_a_view_of_that_name_is_left_alone(place: Place) -> None:
    session = place.session()
    session.create_as(place.meta, "SELECT 1 AS node_name", CreateKind.VIEW)
    with pytest.raises(StateError, match="view") as caught:
        place.ensure_meta()
    assert caught.value.code == "FF2302"
    assert session.kind_of(place.meta) is RelationKind.VIEW


@pytest.mark.parametrize("older", [None, FIRST_VERSION, PREDECESSOR], ids=["new", "first version", "predecessor"])
@pytest.mark.parametrize("engine", ["duckdb", "plain"])
def test_many_runs_begin_at_once(make_place: Callable[[str], Place], engine: str, older: str | None) -> None:
    place = make_place(engine)
    if older is not None:
        values = ", ".join(["'a'", "'a'", "'f'"] + ["NULL"] * (older.count(",") - 2))
        create(place, older, f"({values})")

    def begin(index: int) -> None:
        with place.executor.session(label="test") as session:
            from flowforge.state.meta import ensure_meta

            ensure_meta(session, place.executor.dialect, place.executor.namespace)

    together(6, begin)
    assert {key: one.fingerprint for key, one in place.notes().items()} == ({"a": "f"} if older else {})
    assert not place.staged()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
def test_any_name_finds_its_own_row(plain: Place, name: str) -> None:
    table, session, dialect = plain.ensure_meta(), plain.session(), plain.executor.dialect
    key = relation_key(dialect, plain.relation(name), plain.executor.namespace)
    write_meta(session, dialect, table, row(key, layout=name))
    assert read_meta_row(session, dialect, table, key) == row(key, layout=name)
    assert read_meta(session, dialect, table)[key] == row(key, layout=name)
    session.close()
