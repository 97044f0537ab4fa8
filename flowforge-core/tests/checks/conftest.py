"""Two engines to run checks on: a tiny one over sqlite3, and DuckDB's own plugin where it is installed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pyarrow as pa
import pytest

from flowforge.contract import Dialect, Session
from flowforge.errors import EngineError, ErrorKind

Row = tuple[Any, ...]


class TinyDialect(Dialect):
    name = "tiny"

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def type_name(self, type_: pa.DataType) -> str:
        return "TEXT" if pa.types.is_string(type_) else "INTEGER"


class Lab:
    """An engine with one table, and everything that was asked of it."""

    dialect: Dialect
    relation = "t"

    def __init__(self) -> None:
        self.statements: list[str] = []

    @property
    def session(self) -> Session:
        return cast(Session, self)

    def query(self, sql: str) -> pa.RecordBatchReader:
        self.statements.append(sql)
        return self.ask(sql)

    fetch = Session.fetch

    def ask(self, sql: str) -> pa.RecordBatchReader:
        raise AssertionError

    def execute(self, sql: str) -> None:
        raise AssertionError

    def translate(self, exc: BaseException) -> EngineError | None:
        raise AssertionError

    def table(self, types: dict[str, str], rows: Sequence[Row]) -> None:
        """Make the table anew; types are SQL types that both engines know."""
        self.execute("DROP TABLE IF EXISTS t")
        columns = ", ".join(f"{self.dialect.quote(name)} {type_}" for name, type_ in types.items())
        self.execute(f"CREATE TABLE t ({columns})")
        for row in rows:
            self.execute(f"INSERT INTO t VALUES ({', '.join(self.dialect.literal(value) for value in row)})")
        self.statements.clear()


class TinyLab(Lab):
    def __init__(self) -> None:
        super().__init__()
        self.dialect = TinyDialect()
        self.connection = sqlite3.connect(":memory:")

    def ask(self, sql: str) -> pa.RecordBatchReader:
        cursor = self.connection.execute(sql)
        rows = cursor.fetchall()
        names = [entry[0] for entry in cursor.description]
        columns = [pa.array([row[index] for row in rows]) for index in range(len(names))]
        return pa.Table.from_arrays(columns, names=names).to_reader()

    def execute(self, sql: str) -> None:
        self.connection.execute(sql)

    def translate(self, exc: BaseException) -> EngineError | None:
        if not isinstance(exc, sqlite3.Error):
            return None
        missing = "no such table" in str(exc) or "no such column" in str(exc)
        return EngineError(str(exc), kind=ErrorKind.MISSING if missing else ErrorKind.OTHER)


class DuckLab(Lab):
    def __init__(self) -> None:
        super().__init__()
        engine = pytest.importorskip("flowforge_duckdb.plugin")
        (spec,) = engine.flowforge_engines()
        self.executor = spec.load()(spec.settings())
        self.dialect = self.executor.dialect
        self.inner = self.executor.session(label="flowforge/test")

    def ask(self, sql: str) -> pa.RecordBatchReader:
        reader: pa.RecordBatchReader = self.inner.query(sql)
        return reader

    def execute(self, sql: str) -> None:
        self.inner.execute(sql)

    def translate(self, exc: BaseException) -> EngineError | None:
        error: EngineError | None = self.executor.error(exc)
        return error


@pytest.fixture(scope="module")
def duck() -> Iterator[DuckLab]:
    lab = DuckLab()
    yield lab
    lab.inner.close()
    lab.executor.close()


@pytest.fixture(scope="module", params=["tiny", "duckdb"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    if request.param == "duckdb":
        yield request.getfixturevalue("duck")
        return
    tiny = TinyLab()
    yield tiny
    tiny.connection.close()
