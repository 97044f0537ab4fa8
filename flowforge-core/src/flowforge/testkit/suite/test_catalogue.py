"""Looking: schemas, relations, kinds; and dropping."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.errors import ErrorKind
from flowforge.testkit.cases import family
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind


def test_the_schema_of_a_relation(lab: Lab) -> None:
    session = lab.session()
    columns = {"id": pa.array([1], pa.int64()), "name": pa.array(["a"]), "amount": pa.array([0.5])}
    schema = session.schema_of(lab.table(session, "t", columns))
    assert schema is not None
    assert schema.names == lab.folded("id", "name", "amount")
    assert [family(field.type) for field in schema] == ["integer", "text", "floating"]


def test_the_schema_of_nothing(lab: Lab) -> None:
    session = lab.session()
    assert session.schema_of(lab.relation("ghost")) is None
    assert lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]


def test_looking_for_nothing_does_no_harm_to_a_transaction(lab: Lab) -> None:
    session = lab.session()
    with session.transaction():
        lab.table(session, "t", {"id": [1]})
        assert session.kind_of(lab.relation("ghost")) is None
        assert session.schema_of(lab.relation("ghost")) is None
        session.drop(lab.relation("ghost"), RelationKind.TABLE)
    assert lab.count(session, lab.relation("t")) == 1


def test_the_schema_of_a_query(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": pa.array([1], pa.int64()), "name": pa.array(["a"])})
    schema = session.schema_of(
        f"SELECT {lab.names('name')}, {lab.names('id')} AS {lab.names('nr')} FROM {lab.sql(table)}"
    )
    assert schema is not None
    assert schema.names == lab.folded("name", "nr")
    assert [family(field.type) for field in schema] == ["text", "integer"]


def test_the_schema_of_a_query_without_running_it(lab: Lab) -> None:
    session = lab.session()
    query = lab.slow_query(session, seconds=6)
    started = time.perf_counter()
    assert session.schema_of(query) is not None
    assert time.perf_counter() - started < 2


def test_the_schema_of_a_wrong_query(lab: Lab) -> None:
    with lab.refused(ErrorKind.MISSING):
        lab.session().schema_of(f"SELECT * FROM {lab.sql(lab.relation('ghost'))}")


def test_an_empty_place_has_no_relations(lab: Lab) -> None:
    assert list(lab.session().relations(lab.namespace)) == []


def test_tables_are_listed_by_name(lab: Lab) -> None:
    session = lab.session()
    for name in ("bb", "aa", "cc"):
        lab.table(session, name, {"id": [1]})
    found = session.relations(lab.namespace)
    assert [(info.relation.name, info.kind) for info in found] == [
        (name, RelationKind.TABLE) for name in lab.folded("aa", "bb", "cc")
    ]
    for info in found:
        assert lab.rows(session, info.relation) == [(1,)]


@requires(Capability.VIEWS)
def test_views_are_listed_as_views(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "tt", {"id": [1]})
    session.create_as(lab.relation("vv"), f"SELECT * FROM {lab.sql(table)}", CreateKind.VIEW)
    found = session.relations(lab.namespace)
    assert [info.kind for info in found] == [RelationKind.TABLE, RelationKind.VIEW]
    schema = session.schema_of(lab.relation("vv"))
    assert schema == session.schema_of(table)


@requires(Capability.VIEWS)
def test_a_view_whose_table_is_gone_still_stands(lab: Lab) -> None:
    session = lab.session()
    other = lab.table(session, "other", {"id": [1]})
    session.create_as(lab.relation("vv"), f"SELECT * FROM {lab.sql(other)}", CreateKind.VIEW)
    try:
        session.drop(other, RelationKind.TABLE)
    except Exception as exc:  # noqa: BLE001 - an engine may keep what a view needs
        error = lab.executor.error(exc)
        assert error is not None
        assert error.kind is ErrorKind.DEPENDENT
    assert session.kind_of(lab.relation("vv")) is RelationKind.VIEW
    session.drop(lab.relation("vv"), RelationKind.VIEW)
    assert session.kind_of(lab.relation("vv")) is None


@requires(Capability.SCHEMAS)
def test_schemas_keep_relations_apart(lab: Lab) -> None:
    session = lab.session()
    other = lab.new_schema()
    here = lab.table(session, "t", {"id": [1]})
    assert session.kind_of(Relation("t").within(other)) is None
    session.create_as(Relation("t").within(other), f"SELECT 2 AS {lab.names('id')}", CreateKind.TABLE)
    assert lab.rows(session, here) == [(1,)]
    assert lab.rows(session, Relation("t").within(other)) == [(2,)]
    assert len(session.relations(lab.namespace)) == len(session.relations(other)) == 1


@requires(Capability.SCHEMAS)
def test_a_schema_is_made_once(lab: Lab) -> None:
    session = lab.session()
    relation = Relation("t").within(lab.new_schema())
    session.ensure_schema(relation)
    session.create_as(relation, f"SELECT 1 AS {lab.names('id')}", CreateKind.TABLE)
    session.ensure_schema(relation)
    lab.session().ensure_schema(relation)
    assert lab.rows(session, relation) == [(1,)]


@requires(Capability.SCHEMAS, telling=False)
def test_a_relation_of_a_missing_schema_is_missing(lab: Lab) -> None:
    session = lab.session()
    nowhere = Relation("t", "ff_no_such_schema", lab.namespace.database)
    assert session.kind_of(nowhere) is None
    assert session.schema_of(nowhere) is None


def test_dropping_nothing_is_quiet(lab: Lab) -> None:
    session = lab.session()
    for kind in (RelationKind.TABLE, RelationKind.VIEW):
        session.drop(lab.relation("ghost"), kind)
    table = lab.table(session, "t", {"id": [1]})
    session.drop(table, RelationKind.TABLE)
    session.drop(table, RelationKind.TABLE)
    assert session.kind_of(table) is None


@pytest.mark.parametrize(
    "real", [RelationKind.TABLE, pytest.param(RelationKind.VIEW, marks=requires(Capability.VIEWS))]
)
def test_dropping_spares_relations_of_another_kind(lab: Lab, real: RelationKind) -> None:
    session = lab.session()
    relation = lab.relation("t")
    session.create_as(relation, f"SELECT 1 AS {lab.names('id')}", CreateKind[real.name])
    session.drop(relation, RelationKind.VIEW if real is RelationKind.TABLE else RelationKind.TABLE)
    assert session.kind_of(relation) is real


def test_the_rows_of_a_small_query_as_values(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": pa.array([1, 2], pa.int64()), "name": pa.array(["a", None])})
    listed, source = f"{lab.names('id')}, {lab.names('name')}", lab.sql(table)
    assert sorted(session.fetch(f"SELECT {listed} FROM {source}")) == [(1, "a"), (2, None)]
    assert session.fetch(f"SELECT {listed} FROM {source} WHERE {lab.names('id')} > 2") == []
