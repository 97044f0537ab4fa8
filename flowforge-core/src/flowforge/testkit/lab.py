"""What a test of the suite works with: an empty namespace, sessions, rows in and rows out."""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest

from flowforge.contract import Capability, Dialect, EngineSpec, Executor, LoadMode, Session, SupportLevel
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which something that should happen at once is said not to happen."""


class _GivenUpError(Exception):
    """Ends a transaction badly."""


@attrs.define
class Refusal:
    """The error that a block ended with, in the contract's words."""

    _error: EngineError | None = None

    @property
    def error(self) -> EngineError:
        """The error; only after the block."""
        assert self._error is not None
        return self._error


class Lab:
    """One test's place in a database. Names of columns are always quoted, as FlowForge writes them."""

    def __init__(self, spec: EngineSpec, executor: Executor) -> None:
        self.spec = spec
        self.executor = executor
        self.dialect: Dialect = executor.dialect
        self.namespace = executor.namespace
        self._sessions: list[Session] = []
        self._threads = concurrent.futures.ThreadPoolExecutor(8, thread_name_prefix="conformance")
        self._made: list[Namespace] = []

    # before and after

    def prepare(self) -> None:
        """Make a schema for this test, if the engine has schemas."""
        if self.spec.support(Capability.SCHEMAS):
            self.namespace = self.new_schema()

    def new_schema(self) -> Namespace:
        """A further empty schema."""
        name = self.dialect.fold(f"ff_test_{uuid.uuid4().hex[:12]}")
        namespace = Namespace(name, self.executor.namespace.database)
        self.session().ensure_schema(Relation("any", namespace.schema, namespace.database))
        self._made.append(namespace)
        return namespace

    def clear(self) -> None:
        """Close all sessions and remove what the test made, as far as a schema holds it."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()
        if not self._made:
            return
        with self.executor.session(label="conformance/clear") as session:
            for namespace in self._made:
                place = self.dialect.render(Relation(namespace.schema or "", namespace.database))
                try:
                    session.execute(f"DROP SCHEMA {place} CASCADE")
                except Exception:  # noqa: BLE001 - some have no CASCADE, and drop what is in a schema without being told
                    session.execute(f"DROP SCHEMA {place}")

    # sessions and threads

    def session(self, label: str = "conformance", timeout: float | None = None) -> Session:
        """A session that is closed after the test."""
        session = self.executor.session(label=label, timeout=timeout)
        self._sessions.append(session)
        return session

    def start(self, function: Callable[..., T], *args: Any) -> concurrent.futures.Future[T]:
        """Call a function in another thread."""
        return self._threads.submit(function, *args)

    @contextlib.contextmanager
    def refused(self, *kinds: ErrorKind) -> Iterator[Refusal]:
        """The block has to end with an error of the engine, of one of these kinds if any are given."""
        refusal = Refusal()
        try:
            yield refusal
        except Exception as exc:
            error = exc if isinstance(exc, EngineError) else self.executor.error(exc)
            if error is None:
                raise
            if kinds and error.kind not in kinds:
                expected = " or ".join(kind.value for kind in kinds)
                pytest.fail(f"an error of kind {error.kind.value}, not {expected}: {error.message}")
            refusal._error = error
        else:
            pytest.fail("no error")

    @contextlib.contextmanager
    def given_up(self, session: Session) -> Iterator[None]:
        """A transaction that ends by an exception, which is not the engine's."""
        try:
            with session.transaction():
                yield
                raise _GivenUpError
        except _GivenUpError:
            pass

    # names and rows

    def relation(self, name: str) -> Relation:
        """A relation in this test's namespace."""
        return Relation(name).within(self.namespace)

    def sql(self, relation: Relation) -> str:
        """The relation as it stands in SQL."""
        return self.dialect.render(relation)

    def names(self, *columns: str) -> str:
        """Columns as they stand in SQL, with commas."""
        return ", ".join(self.dialect.quote(column) for column in columns)

    def folded(self, *names: str) -> list[str]:
        """Names as the engine gives them back."""
        return [self.dialect.fold(name) for name in names]

    @property
    def decimals_widen(self) -> bool:
        """Whether decimals keep their digits but not their scale, which partial ``EXACT_DECIMALS`` means."""
        return self.spec.support(Capability.EXACT_DECIMALS).level is SupportLevel.PARTIAL

    def expect_refusal(self, name: str, *, column: bool = False) -> None:
        """End the test as expected when the dialect refuses a name, which it may with all but plain ones.

        It has to do so before anything reaches the engine, and may never make another name of it.
        """
        try:
            self.dialect.quote(name) if column else self.sql(self.relation(name))
        except UnsupportedError as error:
            if name.isidentifier() and name.isascii():
                pytest.fail(f"a plain name is refused: {error.message}")
            pytest.xfail(f"refused: {error.message}")

    def allowed(self, name: str) -> str:
        """*name* as that of a column, or one like it where the engine has no such names."""
        try:
            self.dialect.quote(name)
        except UnsupportedError:
            return re.sub(r"\W", " ", name)
        return name

    def table(self, session: Session, name: str, columns: Mapping[str, Any]) -> Relation:
        """Load a table: column name -> values, or an Arrow array."""
        relation = self.relation(name)
        session.load(relation, arrow_table(columns).to_reader(), LoadMode.CREATE)
        return relation

    def rows(self, session: Session, what: Relation | str, *columns: str) -> list[tuple[Any, ...]]:
        """The rows of a query, in its order, or of a relation, ordered by its columns (all, if none are named)."""
        if isinstance(what, Relation):
            listed = self.names(*columns) if columns else "*"
            table = session.query(f"SELECT {listed} FROM {self.sql(what)}").read_all()
            return sorted(_tuples(table), key=lambda row: [(value is None, str(value)) for value in row])
        return _tuples(session.query(what).read_all())

    def count(self, session: Session, relation: Relation) -> int:
        """How many rows a relation has."""
        ((count,),) = self.rows(session, f"SELECT COUNT(*) AS {self.names('n')} FROM {self.sql(relation)}")
        return int(count)

    # time

    def slow_query(self, session: Session, *, seconds: float) -> str:
        """A query of one row that runs on this engine for about *seconds*, and surely ends."""
        # Some engines take long to begin, and that is no time in which they would be working.
        begins = min(self._seconds(session, _count_combinations(1)) for _ in range(3))
        tables, took = 3, 0.0
        while took < 0.2 and tables < 12:
            tables += 1
            took = min(self._seconds(session, _count_combinations(tables)) for _ in range(2)) - begins  # one warms up
        parts = [_count_combinations(tables, total) for total in range(17, 17 + math.ceil(seconds / took))]
        return "SELECT SUM(n) AS n FROM (" + " UNION ALL ".join(parts) + ") parts"

    def _seconds(self, session: Session, query: str) -> float:
        started = time.perf_counter()
        self.rows(session, query)
        return time.perf_counter() - started


def _count_combinations(tables: int, total: int = 17) -> str:
    """Count over a cross join of *tables* tables of ten rows, in a way that no optimizer can shorten."""
    digits = "(" + " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10)) + ")"
    joined = " CROSS JOIN ".join(f"{digits} t{index}" for index in range(tables))
    sum_ = " + ".join(f"t{index}.d * {index + 1}" for index in range(tables))
    return f"SELECT COUNT(*) AS n FROM {joined} WHERE {sum_} = {total}"


def arrow_table(columns: Mapping[str, Any]) -> pa.Table:
    """An Arrow table out of lists or arrays."""
    import pyarrow as pa

    return pa.table(
        {name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()}
    )


def _tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    columns: Sequence[list[Any]] = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True))
