"""What tables can have beside rows: each option that is claimed is there, and each that is not is refused."""

from __future__ import annotations

import attrs
import pytest

from flowforge.contract import (
    Capability,
    CreateKind,
    EngineSpec,
    Index,
    LoadMode,
    SupportLevel,
    TableOptions,
    is_our_index,
)
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind

OPTIONS = {
    "partition_by": TableOptions(partition_by=("id",)),
    "cluster_by": TableOptions(cluster_by=("id",)),
    "indexes": TableOptions(indexes=(Index(("id",)),)),
    "format": TableOptions(format="ff-no-such-format"),
    "location": TableOptions(location="ff://nowhere"),
    "options": TableOptions(options={"ff-no-such-option": "1"}),
    "grants": TableOptions(grants={"ff-no-such-right": ("nobody",)}),
}


def test_claims_name_options(ff_spec: EngineSpec) -> None:
    names = {field.name for field in attrs.fields(TableOptions)}
    assert set(ff_spec.table_options) <= names
    for words in ff_spec.table_options.values():
        assert all(word == word.lower() for word in words)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_is_not_claimed_is_refused_and_nothing_is_made(lab: Lab, name: str) -> None:
    if name in lab.spec.table_options and name not in ("format", "grants"):
        pytest.skip(f"{lab.spec.name} claims {name}")
    session, options = lab.session(), OPTIONS[name]
    new, standing = lab.relation("new"), lab.table(session, "standing", {"id": [1]})
    with lab.refused():
        session.create_as(new, f"SELECT 1 AS {lab.names('id')}", CreateKind.TABLE, options)
    with lab.refused():
        session.load(new, arrow_table({"id": [1]}).to_reader(), LoadMode.CREATE, options)
    with lab.refused():
        session.apply_options(standing, options)
    assert session.kind_of(new) is None
    assert lab.rows(session, standing) == [(1,)]


@pytest.fixture
def indexed(lab: Lab) -> Lab:
    """The lab, on an engine with indexes."""
    if "indexes" not in lab.spec.table_options:
        pytest.skip(f"{lab.spec.name} claims no indexes")
    return lab


UNIQUE = TableOptions(indexes=(Index(("id",), unique=True), Index(("v", "id"))))


@pytest.mark.parametrize("way", ["create_as", "load", "apply"])
def test_a_unique_index_refuses_doubled_rows(indexed: Lab, way: str) -> None:
    lab, session, target = indexed, indexed.session(), indexed.relation("target")
    rows = arrow_table({"id": [1, 2], "v": [1, 1]})
    if way == "create_as":
        source = lab.table(session, "source", {"id": [1, 2], "v": [1, 1]})
        session.create_as(target, f"SELECT * FROM {lab.sql(source)}", CreateKind.TABLE, UNIQUE)
    elif way == "load":
        assert session.load(target, rows.to_reader(), LoadMode.CREATE, UNIQUE) == 2
    else:
        session.load(target, rows.to_reader(), LoadMode.CREATE)
        session.apply_options(target, UNIQUE)
        session.apply_options(target, UNIQUE)
    _refuses_doubled_rows(lab, target_name="target")
    session.apply_options(target, TableOptions(indexes=(Index(("id",)),)))
    session.insert(target, f"SELECT 1 AS {lab.names('id')}, 5 AS {lab.names('v')}", ["id", "v"])
    assert lab.count(session, target) == 3


def _refuses_doubled_rows(lab: Lab, target_name: str) -> None:
    session, target = lab.session(), lab.relation(target_name)
    before = lab.rows(session, target)
    with lab.refused(ErrorKind.CONSTRAINT):
        session.insert(target, f"SELECT 1 AS {lab.names('id')}, 2 AS {lab.names('v')}", ["id", "v"])
    assert lab.rows(session, target) == before


def test_indexes_survive_every_replacement(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target, staged = lab.relation("target"), lab.relation("staged")
    for value in range(3):
        rows = arrow_table({"id": [1, 2], "v": [value, value]})
        session.load(staged, rows.to_reader(), LoadMode.CREATE)
        if session.carries_indexes:
            session.apply_options(staged, UNIQUE)
        session.replace(staged, target)
        session.apply_options(target, UNIQUE)
        assert lab.rows(session, target, "v") == [(value,), (value,)]
        _refuses_doubled_rows(lab, "target")
        assert session.kind_of(staged) is None
    other = lab.table(session, "other", {"id": [1], "v": [1]})
    session.apply_options(other, UNIQUE)  # two tables, each with an index on the same columns
    _refuses_doubled_rows(lab, "other")


def test_a_table_with_indexes_can_be_replaced_by_one_without(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target, staged = lab.relation("target"), lab.relation("staged")
    session.load(target, arrow_table({"id": [1], "v": [1]}).to_reader(), LoadMode.CREATE, UNIQUE)
    session.load(staged, arrow_table({"id": [1], "v": [2]}).to_reader(), LoadMode.CREATE, UNIQUE)
    session.replace(staged, target)
    session.apply_options(target, TableOptions())
    session.insert(target, f"SELECT 1 AS {lab.names('id')}, 2 AS {lab.names('v')}", ["id", "v"])
    assert lab.count(session, target) == 2


def test_doubled_rows_are_noticed_while_an_index_is_made(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target = lab.table(session, "target", {"id": [1, 1], "v": [1, 2]})
    with lab.refused(ErrorKind.CONSTRAINT):
        session.apply_options(target, UNIQUE)


@requires(Capability.TRANSACTIONAL_DDL)
def test_indexes_belong_to_the_transaction(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target = lab.table(session, "target", {"id": [1], "v": [1]})
    with lab.given_up(session):
        session.apply_options(target, UNIQUE)
    session.insert(target, f"SELECT 1 AS {lab.names('id')}, 2 AS {lab.names('v')}", ["id", "v"])
    assert lab.count(session, target) == 2


@requires(Capability.MERGE)
def test_rows_are_merged_under_a_unique_index(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target = lab.table(session, "target", {"id": [1, 2], "v": [1, 2]})
    session.apply_options(target, UNIQUE)
    batch = lab.table(session, "batch", {"id": [2, 3], "v": [20, 30]})
    with session.transaction():
        session.merge(target, batch, ["id"], ["id", "v"])
    assert lab.rows(session, target, "id", "v") == [(1, 1), (2, 20), (3, 30)]


def test_rows_are_put_in_place_of_others_under_a_unique_index(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target = lab.table(session, "target", {"id": [1, 2], "v": [1, 2]})
    session.apply_options(target, UNIQUE)
    with session.transaction():
        session.execute(f"DELETE FROM {lab.sql(target)} WHERE {lab.names('id')} = 2")
        session.insert(target, f"SELECT 2 AS {lab.names('id')}, 20 AS {lab.names('v')}", ["id", "v"])
    assert lab.rows(session, target, "id", "v") == [(1, 1), (2, 20)]


def test_an_unknown_type_of_index_is_refused(indexed: Lab) -> None:
    lab, session = indexed, indexed.session()
    target = lab.table(session, "target", {"id": [1]})
    with lab.refused():
        session.apply_options(target, TableOptions(indexes=(Index(("id",), type="ff-no-such-type"),)))


def test_names_of_indexes_fit_and_are_known_again(lab: Lab) -> None:
    limit = lab.dialect.max_identifier_bytes
    names = [
        index.name_on(table, limit)
        for table in ("t", "T" * 200, "ünïcödé " * 20)
        for index in (Index(("id",)), Index(("id",), unique=True), Index(("id", "b")), Index(("é" * 90,)))
    ]
    assert len(set(names)) == len(names)
    assert all(is_our_index(name) and (limit is None or len(name.encode()) <= limit) for name in names)


@requires(Capability.MATERIALIZED_VIEWS)
def test_a_materialized_view_keeps_its_rows_until_it_is_replaced(lab: Lab) -> None:
    """Partial support: the engine may keep its rows fresh by itself."""
    always_fresh = lab.spec.support(Capability.MATERIALIZED_VIEWS).level is SupportLevel.PARTIAL
    session = lab.session()
    source = lab.table(session, "source", {"id": [1]})
    view, staged = lab.relation("kept"), lab.relation("staged")
    select = f"SELECT * FROM {lab.sql(source)}"
    session.create_as(view, select, CreateKind.MATERIALIZED_VIEW)
    assert session.kind_of(view) is RelationKind.MATERIALIZED_VIEW
    session.insert(source, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(session, view) == ([(1,), (2,)] if always_fresh else [(1,)])
    session.create_as(staged, select, CreateKind.MATERIALIZED_VIEW)
    session.replace(staged, view)
    assert lab.rows(session, view) == [(1,), (2,)]
    assert (session.kind_of(view), session.kind_of(staged)) == (RelationKind.MATERIALIZED_VIEW, None)
    session.drop(view, RelationKind.TABLE)
    assert lab.count(session, view) == 2
    session.drop(view, RelationKind.MATERIALIZED_VIEW)
    assert session.kind_of(view) is None


@requires(Capability.MATERIALIZED_VIEWS, telling=False)
@pytest.mark.parametrize("before", ["table", "view", "materialized_view"])
@pytest.mark.parametrize("after", ["table", "view", "materialized_view"])
def test_every_kind_can_take_the_place_of_every_other(lab: Lab, before: str, after: str) -> None:
    session, target, staged = lab.session(), lab.relation("target"), lab.relation("staged")
    for value, kind in enumerate((before, after)):
        source = lab.table(session, f"source{value}", {"id": [value]})  # some engines have no others than of a table
        select = f"SELECT {lab.names('id')} FROM {lab.sql(source)}"
        with session.transaction():
            if kind == "view":
                session.replace_view(target, select)
            else:
                session.create_as(staged, select, CreateKind(kind))
                session.replace(staged, target)
        assert session.kind_of(target) is RelationKind(kind)
        assert lab.rows(session, target) == [(value,)]
