"""A table is copied so that both share their rows, and each goes its own way from then on."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, CreateKind, LoadMode, TableOptions
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.testkit.suite.test_identifiers import NAMES
from flowforge.values import Relation, RelationKind

pytestmark = requires(Capability.ZERO_COPY_CLONE)


def cloned(lab: Lab, source: Relation, name: str = "copy") -> Relation:
    copy = lab.relation(name)
    lab.session().clone(source, copy)
    return copy


def test_a_copy_has_the_rows_and_the_columns(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"v": ["b", None, "b"], "id": [2, 1, 2], "share": [0.5, None, 0.5]})
    copy = lab.relation("copy")
    session.clone(source, copy)
    assert lab.rows(session, copy, "id", "v", "share") == [(1, None, None), (2, "b", 0.5), (2, "b", 0.5)]
    assert session.layout(copy) == session.layout(source)
    assert session.schema_of(copy) == session.schema_of(source)
    assert session.kind_of(copy) is RelationKind.TABLE
    assert [info.relation.name for info in session.relations(lab.namespace)] == lab.folded("copy", "source")


def test_a_table_without_rows(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1]})
    session.execute(f"DELETE FROM {lab.sql(source)} WHERE 1 = 1")
    assert lab.count(session, cloned(lab, source)) == 0


CHANGES = {
    "insert": "INSERT INTO {table} ({id}, {v}) VALUES (3, 'c')",
    "update": "UPDATE {table} SET {v} = 'B' WHERE {id} = 2",
    "delete": "DELETE FROM {table} WHERE {id} = 2",
    "delete all": "DELETE FROM {table} WHERE 1 = 1",
}


@pytest.mark.parametrize("changed", ["the copy", "the source"])
@pytest.mark.parametrize("change", list(CHANGES))
def test_neither_sees_what_is_done_to_the_other(lab: Lab, change: str, changed: str) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1, 2], "v": ["a", "b"]})
    copy = cloned(lab, source)
    one, other = (copy, source) if changed == "the copy" else (source, copy)
    session.execute(CHANGES[change].format(table=lab.sql(one), id=lab.names("id"), v=lab.names("v")))
    assert lab.rows(session, other, "id", "v") == [(1, "a"), (2, "b")]
    assert lab.rows(session, one, "id", "v") != [(1, "a"), (2, "b")]


def test_rows_are_loaded_and_inserted_into_a_copy(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1], "v": ["a"]})
    copy = cloned(lab, source)
    session.load(copy, arrow_table({"id": [2], "v": ["b"]}).to_reader(), LoadMode.APPEND)
    session.insert(copy, f"SELECT 'c' AS {lab.names('v')}, 3 AS {lab.names('id')}", ["v", "id"])
    assert lab.rows(session, copy, "id", "v") == [(1, "a"), (2, "b"), (3, "c")]
    assert lab.rows(session, source, "id", "v") == [(1, "a")]


@requires(Capability.MERGE)
def test_rows_are_merged_into_a_copy(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1, 2], "v": ["a", "b"]})
    copy = cloned(lab, source)
    session.merge(copy, lab.table(session, "batch", {"id": [2, 3], "v": ["B", "C"]}), ["id"], ["id", "v"])
    assert lab.rows(session, copy, "id", "v") == [(1, "a"), (2, "B"), (3, "C")]
    assert lab.rows(session, source, "id", "v") == [(1, "a"), (2, "b")]


def test_a_copy_outlives_its_source(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1, 2]})
    copy = cloned(lab, source)
    session.drop(source, RelationKind.TABLE)
    assert lab.rows(session, copy) == [(1,), (2,)]


def test_a_source_outlives_its_copy(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1, 2]})
    session.drop(cloned(lab, source), RelationKind.TABLE)
    assert lab.rows(session, source) == [(1,), (2,)]


def test_a_changed_copy_takes_the_place_of_its_source(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1], "v": ["a"]})
    for value in (2, 3):
        copy = cloned(lab, source)
        session.insert(copy, f"SELECT {value} AS {lab.names('id')}, 'x' AS {lab.names('v')}", ["id", "v"])
        session.replace(copy, source)
    assert lab.rows(session, source, "id", "v") == [(1, "a"), (2, "x"), (3, "x")]
    assert [info.relation.name for info in session.relations(lab.namespace)] == lab.folded("source")


def test_a_copy_of_a_copy(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1]})
    first = cloned(lab, source, "first")
    second = cloned(lab, first, "second")
    session.drop(first, RelationKind.TABLE)
    assert lab.rows(session, second) == lab.rows(session, source) == [(1,)]


def test_what_stands_under_the_name_is_not_touched(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1]})
    leftover = lab.table(session, "copy", {"other": ["x"]})
    with lab.refused(ErrorKind.DUPLICATE):
        session.clone(source, leftover)
    assert lab.rows(session, leftover) == [("x",)]


def test_a_missing_source(lab: Lab) -> None:
    session = lab.session()
    with lab.refused(ErrorKind.MISSING):
        session.clone(lab.relation("ghost"), lab.relation("copy"))
    assert session.kind_of(lab.relation("copy")) is None


@requires(Capability.VIEWS, telling=False)
def test_a_view_has_no_rows_to_share(lab: Lab) -> None:
    session = lab.session()
    view = lab.relation("seen")
    session.create_as(view, f"SELECT 1 AS {lab.names('id')}", CreateKind.VIEW)
    with lab.refused():
        session.clone(view, lab.relation("copy"))
    assert session.kind_of(lab.relation("copy")) is None
    assert session.kind_of(view) is RelationKind.VIEW


@pytest.mark.parametrize("word", ["reserved", "space", "double-quote", "single-quote", "umlauts", "injection"])
def test_any_name(lab: Lab, word: str) -> None:
    name = NAMES[word]
    lab.expect_refusal(name)
    session = lab.session()
    column = lab.allowed(name)
    source = lab.table(session, name, {column: [1]})
    copy = lab.relation(f"{name}2")
    session.clone(source, copy)
    assert lab.rows(session, copy, column) == [(1,)]
    assert session.layout(copy) == session.layout(source)


@requires(telling=False)
def test_columns_are_grouped_as_the_options_say(lab: Lab) -> None:
    """Or it is refused before anything is made, and the core writes the rows."""
    if "cluster_by" not in lab.spec.table_options:
        pytest.skip("this engine groups no rows")
    session = lab.session()
    source = lab.table(session, "source", {"id": [1], "v": ["a"]})
    copy = lab.relation("copy")
    try:
        session.clone(source, copy, TableOptions(cluster_by=("v",)))
    except Exception as problem:  # noqa: BLE001 - judged below
        assert getattr(problem, "kind", None) is ErrorKind.UNSUPPORTED
        assert session.kind_of(copy) is None
    else:
        assert lab.rows(session, copy, "id", "v") == [(1, "a")]
