"""Arrow streams into tables."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from flowforge.contract import Capability, LoadMode
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def stream(*batches: list[dict[str, object]]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, [pa.RecordBatch.from_pylist(rows, SCHEMA) for rows in batches])


def test_create_says_how_many_rows(lab: Lab) -> None:
    session = lab.session()
    relation = lab.relation("t")
    rows = session.load(relation, stream([{"id": 1, "name": "a"}], [{"id": 2, "name": None}]), LoadMode.CREATE)
    assert rows == 2
    assert lab.rows(session, relation, "id", "name") == [(1, "a"), (2, None)]


@pytest.mark.parametrize("batches", [[], [[]], [[], []]], ids=["no batch", "empty batch", "empty batches"])
def test_no_rows(lab: Lab, batches: list[list[dict[str, object]]]) -> None:
    session = lab.session()
    relation = lab.relation("t")
    assert session.load(relation, stream(*batches), LoadMode.CREATE) == 0
    schema = session.schema_of(relation)
    assert schema is not None
    assert schema.names == lab.folded("id", "name")
    assert session.load(relation, stream(*batches), LoadMode.APPEND) == 0
    assert lab.count(session, relation) == 0


def test_many_batches(lab: Lab) -> None:
    session = lab.session()
    relation = lab.relation("t")

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 100_000, 1_000):
            ids = pa.array(range(start, start + 1_000), pa.int64())
            yield pa.RecordBatch.from_arrays([ids, ids.cast(pa.string())], schema=SCHEMA)

    rows = session.load(relation, pa.RecordBatchReader.from_batches(SCHEMA, batches()), LoadMode.CREATE)
    assert rows == 100_000
    id_, name = lab.names("id"), lab.names("name")
    select = f"SELECT COUNT(*) AS a, SUM({id_}) AS b, COUNT(DISTINCT {name}) AS c FROM {lab.sql(relation)}"
    ((count, total, names),) = lab.rows(session, select)
    assert (count, int(total), names) == (100_000, 99_999 * 50_000, 100_000)


def test_a_large_result_is_streamed(lab: Lab) -> None:
    session = lab.session()
    ids = pa.array(range(300_000), pa.int64())
    relation = lab.table(session, "t", {"id": ids})
    reader = session.query(f"SELECT * FROM {lab.sql(relation)}")
    sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 300_000
    assert max(sizes) < 300_000


def test_append_matches_columns_by_name(lab: Lab) -> None:
    session = lab.session()
    relation = lab.table(session, "t", {"id": [1], "other": [10]})
    session.load(relation, arrow_table({"other": [20], "id": [2]}).to_reader(), LoadMode.APPEND)
    assert lab.rows(session, relation, "id", "other") == [(1, 10), (2, 20)]


def test_append_leaves_missing_columns_empty(lab: Lab) -> None:
    session = lab.session()
    relation = lab.table(session, "t", {"id": [1], "other": [10]})
    session.load(relation, arrow_table({"id": [2]}).to_reader(), LoadMode.APPEND)
    assert lab.rows(session, relation, "id", "other") == [(1, 10), (2, None)]


def test_append_refuses_unknown_columns(lab: Lab) -> None:
    session = lab.session()
    relation = lab.table(session, "t", {"id": [1]})
    with lab.refused(ErrorKind.MISSING):
        session.load(relation, arrow_table({"id": [2], "ghost": [3]}).to_reader(), LoadMode.APPEND)
    assert lab.rows(session, relation) == [(1,)]


def test_append_needs_a_table(lab: Lab) -> None:
    with lab.refused(ErrorKind.MISSING):
        lab.session().load(lab.relation("ghost"), arrow_table({"id": [2]}).to_reader(), LoadMode.APPEND)


def test_create_refuses_a_taken_name(lab: Lab) -> None:
    session = lab.session()
    relation = lab.table(session, "t", {"id": [1]})
    with lab.refused(ErrorKind.DUPLICATE):
        session.load(relation, arrow_table({"id": [2]}).to_reader(), LoadMode.CREATE)
    assert lab.rows(session, relation) == [(1,)]


def test_two_columns_of_one_name_are_refused(lab: Lab) -> None:
    schema = pa.schema([("id", pa.int64()), ("id", pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], schema=schema)
    session = lab.session()
    with lab.refused():
        session.load(lab.relation("t"), pa.RecordBatchReader.from_batches(schema, [batch]), LoadMode.CREATE)
    assert session.kind_of(lab.relation("t")) is None


class OwnError(Exception):
    """An error of whoever makes the rows."""


def breaking() -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"id": 1, "name": "a"}], SCHEMA)
        raise OwnError("line 7")

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def test_an_error_of_the_reader_comes_through(lab: Lab) -> None:
    session = lab.session()
    with pytest.raises(OwnError, match="line 7"):
        session.load(lab.relation("t"), breaking(), LoadMode.CREATE)
    assert lab.rows(session, lab.table(session, "after", {"id": [1]})) == [(1,)]


@requires(Capability.TRANSACTIONAL_DDL, telling=False)
def test_an_error_of_the_reader_leaves_nothing(lab: Lab) -> None:
    session = lab.session()
    with pytest.raises(OwnError), session.transaction():
        session.load(lab.relation("t"), breaking(), LoadMode.CREATE)
    assert session.kind_of(lab.relation("t")) is None


def test_a_value_that_does_not_fit_is_refused(lab: Lab) -> None:
    session = lab.session()
    relation = lab.table(session, "t", {"id": pa.array([1], pa.int64())})
    with lab.refused():
        session.load(relation, arrow_table({"id": ["no number"]}).to_reader(), LoadMode.APPEND)
    assert lab.rows(session, relation) == [(1,)]
