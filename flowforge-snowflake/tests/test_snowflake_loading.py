"""Rows as text in statements, and as files; without a driver."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowforge.errors import EngineError, UnsupportedError
from flowforge_snowflake import loading
from flowforge_snowflake.dialect import SnowflakeDialect


def rows_of(sql: str) -> list[list[Any]]:
    """The rows that a statement carries."""
    found = re.search(r"PARSE_JSON\('(.*)'\)\)\) AS ff__rows$", sql, re.DOTALL)
    assert found is not None
    rows: list[list[Any]] = json.loads(found[1].replace("''", "'").replace("\\\\", "\\"))
    return rows


def written(*columns: pa.Array) -> list[str]:
    batch = pa.RecordBatch.from_arrays(list(columns), names=[f"c{nr}" for nr, _ in enumerate(columns)])
    types = [SnowflakeDialect().type_name(column.type) for column in columns]
    names = [f'"C{nr}"' for nr, _ in enumerate(columns)]
    return list(loading.inserts('"T"', names, types, iter([batch])))


def test_every_value_is_a_text_and_every_column_a_cast() -> None:
    (sql,) = written(pa.array([1, None]), pa.array(["it's \\ \"", ""]), pa.array([b"\x00\xff", None]))
    assert sql.startswith(
        'INSERT INTO "T" ("C0", "C1", "C2") SELECT CAST(CAST(ff__rows.value[0] AS VARCHAR) AS BIGINT),'
        " CAST(ff__rows.value[1] AS VARCHAR), TO_BINARY(CAST(ff__rows.value[2] AS VARCHAR), 'HEX')"
    )
    assert rows_of(sql) == [["1", "it's \\ \"", "00ff"], [None, "", None]]


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([2**63 - 1, -(2**63)]), ["9223372036854775807", "-9223372036854775808"]),
        (pa.array([0.1, 5e-324, float("nan"), float("-inf")]), ["0.1", "5e-324", "nan", "-inf"]),
        (pa.array([decimal.Decimal("1E-38")], pa.decimal128(38, 38)), ["0." + "0" * 37 + "1"]),
        (pa.array([dt.date(1, 1, 1)]), ["0001-01-01"]),
        (pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 6)]), ["2024-01-02 03:04:05.000006"]),  # noqa: DTZ001
        (
            pa.array([dt.datetime(2024, 1, 2, tzinfo=dt.UTC), None], pa.timestamp("ns", "Europe/Berlin")),
            ["2024-01-02 00:00:00.000000+00:00", None],
        ),
        (pa.array([dt.time(1, 2, 3, 4)], pa.time64("ns")), ["01:02:03.000004"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.nulls(1), [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_texts_of_values(array: pa.Array, texts: list[str | None]) -> None:
    (sql,) = written(array)
    assert [row[0] for row in rows_of(sql)] == texts


def test_nanoseconds_are_never_cut_silently() -> None:
    with pytest.raises(EngineError, match="'c0' does not fit"):
        written(pa.array([1], pa.timestamp("ns")))


def test_a_nul_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="NUL"):
        written(pa.array(["a\0b"]))
    assert rows_of(written(pa.array(["\\u0000"]))[0]) == [["\\u0000"]]


def test_statements_stay_below_the_limit() -> None:
    array = pa.array(["'" * 1000] * 2000)
    statements = written(array)
    assert max(len(sql.encode()) for sql in statements) < 1_000_000
    assert sum(len(rows_of(sql)) for sql in statements) == 2000
    with pytest.raises(UnsupportedError, match="load: stage"):
        written(pa.array(["x" * 1_000_000]))


def test_no_rows_make_no_statement() -> None:
    assert written(pa.array([], pa.int64())) == []


@pytest.mark.parametrize(("rows", "small"), [(0, True), (10_000, True), (10_001, False)])
def test_few_rows_go_without_a_file(rows: int, small: bool) -> None:
    batches = pa.table({"x": pa.array(range(rows), pa.int64())}).to_batches(max_chunksize=1000)
    found, again = loading.is_small(iter(batches))
    assert found is small
    assert sum(batch.num_rows for batch in again) == rows


def test_files_hold_the_rows_under_the_names_of_the_table(tmp_path: Path) -> None:
    batches = [pa.RecordBatch.from_pydict({"id": [nr], "at": pa.array([nr], pa.timestamp("s"))}) for nr in range(3)]
    ((file, rows),) = loading.write_files(iter(batches), ["ID", "AT"], tmp_path)
    assert rows == 3
    table = pq.read_table(file)
    assert table.schema.names == ["ID", "AT"]
    assert table.schema.field("AT").type == pa.timestamp("us")
    assert table.column("ID").to_pylist() == [0, 1, 2]


def test_many_rows_make_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BYTES_OF_FILE", 100)
    batches = [pa.RecordBatch.from_pydict({"id": list(range(20))}) for _ in range(3)]
    found = [
        (file, rows, pq.read_metadata(file).num_rows)
        for file, rows in loading.write_files(iter(batches), ["ID"], tmp_path)
    ]
    assert [(rows, kept) for _, rows, kept in found] == [(20, 20)] * 3
    assert len({file for file, _, _ in found}) == 3
    assert list(loading.write_files(iter([]), ["ID"], tmp_path)) == []


def test_names_of_stages_and_files_are_texts() -> None:
    assert loading.put(Path("/tmp/it's here/a.parquet"), "@~/x") == (
        "PUT 'file:///tmp/it''s here/a.parquet' @~/x AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
    )
    assert loading.copy('"T"', "@~/x").startswith('COPY INTO "T" FROM @~/x FILE_FORMAT = (TYPE = PARQUET')


def test_a_stage_with_quotes_in_its_name_is_a_text() -> None:
    assert loading.place('@db."my stage"/flowforge/1') == "'@db.\"my stage\"/flowforge/1'"


def test_names_that_are_one_to_snowflake() -> None:
    with pytest.raises(EngineError, match="one name to Snowflake"):
        loading.check_names(["Id", "ID"], SnowflakeDialect())
    loading.check_names(["two words", "Two Words"], SnowflakeDialect())
    with pytest.raises(UnsupportedError):
        loading.check_names([], SnowflakeDialect())
