"""create_as and insert."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, CreateKind, TableOptions
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind


def test_a_table_keeps_its_rows(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1, 2], "name": ["a", None]})
    target = lab.relation("target")
    session.create_as(target, f"SELECT * FROM {lab.sql(source)}", CreateKind.TABLE)
    session.drop(source, RelationKind.TABLE)
    assert session.kind_of(target) is RelationKind.TABLE
    assert lab.rows(session, target, "id", "name") == [(1, "a"), (2, None)]


def test_a_table_without_rows_has_columns(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1], "name": ["a"]})
    target = lab.relation("target")
    session.create_as(target, f"SELECT * FROM {lab.sql(source)} WHERE 1 = 0", CreateKind.TABLE)
    assert lab.count(session, target) == 0
    found, expected = session.schema_of(target), session.schema_of(source)
    assert found is not None
    assert found == expected


def test_a_column_of_bare_nulls_can_take_values_later(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    session.create_as(target, f"SELECT 1 AS {lab.names('id')}, NULL AS {lab.names('n')}", CreateKind.TABLE)
    session.insert(target, f"SELECT 2 AS {lab.names('id')}, 3 AS {lab.names('n')}", ["id", "n"])
    assert [str(value) for (value,) in lab.rows(session, target, "n") if value is not None] == ["3"]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT 1 AS {id} -- the end",
        "-- the beginning\nSELECT 1 AS {id}",
        "WITH x AS (SELECT 1 AS {id}) SELECT * FROM x",
        "/* a */ SELECT 1 AS {id} /* b */",
        "(SELECT 1 AS {id})",
        "SELECT 1 AS {id} UNION ALL SELECT 1 AS {id} ORDER BY 1",
    ],
)
def test_any_form_of_query(lab: Lab, select: str) -> None:
    session = lab.session()
    query = select.format(id=lab.names("id"))
    target = lab.relation("target")
    session.create_as(target, query, CreateKind.TABLE)
    session.insert(target, query, ["id"])
    assert set(lab.rows(session, target)) == {(1,)}
    assert session.schema_of(query) is not None


@requires(Capability.VIEWS)
def test_a_view_shows_later_rows(lab: Lab) -> None:
    session = lab.session()
    source = lab.table(session, "source", {"id": [1]})
    view = lab.relation("shown")
    session.create_as(view, f"SELECT * FROM {lab.sql(source)}", CreateKind.VIEW)
    assert session.kind_of(view) is RelationKind.VIEW
    session.insert(source, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(session, view) == [(1,), (2,)]


def test_a_temporary_table_belongs_to_its_session(lab: Lab) -> None:
    session = lab.session()
    scratch = Relation("ff_scratch")
    session.create_as(scratch, f"SELECT 1 AS {lab.names('id')}", CreateKind.TEMP)
    assert lab.rows(session, scratch) == [(1,)]
    assert session.relations(lab.namespace) == []
    with lab.refused(ErrorKind.MISSING):
        lab.rows(lab.session(), scratch)


@pytest.mark.parametrize("kind", [CreateKind.TABLE, pytest.param(CreateKind.VIEW, marks=requires(Capability.VIEWS))])
def test_a_taken_name_is_refused(lab: Lab, kind: CreateKind) -> None:
    session = lab.session()
    taken = lab.table(session, "taken", {"id": [1]})
    with lab.refused(ErrorKind.DUPLICATE):
        session.create_as(taken, f"SELECT 2 AS {lab.names('id')}", kind)
    assert lab.rows(session, taken) == [(1,)]


@pytest.mark.parametrize("options", [TableOptions(format="ff-no-such-format"), TableOptions(location="ff://nowhere")])
def test_an_option_is_never_ignored(lab: Lab, options: TableOptions) -> None:
    with lab.refused():
        lab.session().create_as(lab.relation("t"), f"SELECT 1 AS {lab.names('id')}", CreateKind.TABLE, options)


def test_insert_matches_columns_by_name(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "other": [10]})
    swapped = f"SELECT 20 AS {lab.names('other')}, 2 AS {lab.names('id')}"
    session.insert(target, swapped, ["other", "id"])
    assert lab.rows(session, target, "id", "other") == [(1, 10), (2, 20)]


def test_insert_of_columns_in_another_order_than_the_query_has_them(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "other": [10]})
    session.insert(target, f"SELECT 20 AS {lab.names('other')}, 2 AS {lab.names('id')}", ["id", "other"])
    assert lab.rows(session, target, "id", "other") == [(1, 10), (2, 20)]


def test_insert_leaves_columns_that_it_does_not_name_empty(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "other": [10]})
    session.insert(target, f"SELECT 2 AS {lab.names('id')}", ["id"])
    assert lab.rows(session, target, "id", "other") == [(1, 10), (2, None)]


def test_insert_refuses_a_column_that_does_not_exist(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1]})
    with lab.refused(ErrorKind.MISSING):
        session.insert(target, f"SELECT 2 AS {lab.names('ghost')}", ["ghost"])
    assert lab.rows(session, target) == [(1,)]
