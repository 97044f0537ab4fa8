"""Unit tests on an engine without temporary tables: private schemas, of which nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import flowforge_duckdb.session as duckdb_session
from flowforge import Project
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.contract import Capability, CreateKind, unsupported
from flowforge.errors import UnsupportedError
from flowforge.state.lease import Leases

Make = Callable[..., Project]

CASES = 12
FILES = {
    "seeds/raw.csv": "id,v\n1,10\n2,20\n",
    "models/doubled.ff.sql": "select raw.id, raw.v * 2 as v from {{ ref('raw') }}\n",
    "tests/unit/doubled.yml": "model: doubled\ncases:\n"
    + "".join(
        f"  - {{name: c{n}, inputs: {{raw: {{rows: [{{id: 1, v: {n}}}]}}}}, expect: {{rows: [{{id: 1, v: {2 * n}}}]}}}}\n"
        for n in range(CASES)
    ),
}


@pytest.fixture
def without_temporary(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """DuckDB has neither temporary tables nor a scratch database; gives the tables that were made instead."""
    create_as, made = duckdb_session.DuckDBSession.create_as, list[str]()

    def refuse(self: Any, relation: Any, select: str, kind: CreateKind, *more: Any) -> Any:
        if kind is CreateKind.TEMP:
            raise UnsupportedError("there are no temporary tables here")
        made.append(str(relation))
        return create_as(self, relation, select, kind, *more)

    monkeypatch.setattr(duckdb_session.DuckDBSession, "create_as", refuse)
    return made


def plain(project: Project, **changes: Any) -> Project:
    engine = attrs.evolve(project.engine, scratch=None, **changes)
    project.__dict__["profile"] = attrs.evolve(project.profile, engine=engine)
    return project


def schemas(project: Project) -> list[str]:
    sql = "select schema_name from information_schema.schemata where schema_name like '%utest%' order by 1"
    with project.session("test") as session:
        return list(session.query(sql).read_all().column(0).to_pylist())


def test_nothing_is_left(make: Make, without_temporary: list[str]) -> None:
    project = plain(make(FILES))
    results = run_cases(project, find_cases(project))
    assert [result.status for result in results] == ["pass"] * CASES
    assert len(without_temporary) == CASES
    assert all(name.startswith("main__utest_") and name.endswith(".raw") for name in without_temporary)
    assert schemas(project) == []


def test_rows_that_checks_ask_are_not_left_either(make: Make, without_temporary: list[str]) -> None:
    case = (
        FILES["tests/unit/doubled.yml"].splitlines()[2].replace("expect: {rows", "expect: {checks: [{unique: v}], rows")
    )
    project = plain(make({**FILES, "tests/unit/doubled.yml": f"model: doubled\ncases:\n{case}\n"}))
    (result,) = run_cases(project, find_cases(project))
    assert result.status == "pass", result.lines
    assert [name.rpartition(".")[2] for name in without_temporary] == ["raw", "ff_made_doubled"]
    assert schemas(project) == []


def test_nothing_is_left_by_a_model_that_fails(make: Make, without_temporary: list[str]) -> None:
    project = plain(make({**FILES, "models/doubled.ff.sql": "select nothing from {{ ref('raw') }}\n"}))
    results = run_cases(project, find_cases(project), jobs=2)
    assert {result.status for result in results} == {"error"}
    assert schemas(project) == []


def test_what_a_killed_run_left_is_removed(make: Make, without_temporary: list[str]) -> None:
    project = plain(make(FILES))
    with project.session("test") as session:
        for number in (1, 2, 3):
            session.execute(f"create schema main__utest_{number}")
            session.execute(f"create table main__utest_{number}.raw as select 1 as old")
    results = run_cases(project, find_cases(project), jobs=1)
    assert [result.status for result in results] == ["pass"] * CASES
    assert schemas(project) == []


def test_runs_beside_each_other_do_not_meet(make: Make, without_temporary: list[str]) -> None:
    project = plain(make(FILES))
    other = Leases(
        project.executor.dialect,
        project.executor.namespace,
        "another",
        lambda label: project.executor.session(label=label),
    )
    with project.session("test") as session, other.hold(session, "unit tests 1", timeout=0.0):
        session.execute("create schema main__utest_1")
        session.execute("create table main__utest_1.raw as select 1 as busy")
        results = run_cases(project, find_cases(project), jobs=2)
    assert [result.status for result in results] == ["pass"] * CASES
    assert not any(name.startswith("main__utest_1.") for name in without_temporary)
    assert schemas(project) == ["main__utest_1"]


def test_nothing_is_left_after_a_stop(make: Make, without_temporary: list[str], tmp_path: Path) -> None:
    slow = "select sum(a.i * b.i) as v, (select count(*) from {{ ref('raw') }}) as n from range(10000000) a(i), range(100000) b(i)\n"
    project = plain(make({**FILES, "models/doubled.ff.sql": slow}))
    begun = threading.Event()
    seen: list[int] = []

    from flowforge.api import unit_tests

    class Watched(unit_tests.Stop):
        def __init__(self) -> None:
            super().__init__()
            threading.Thread(target=self._when_begun, daemon=True).start()

        def _when_begun(self) -> None:
            begun.wait(30)
            self.set(2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit_tests, "Stop", Watched)
        query = duckdb_session.DuckDBSession.query

        def watched(self: Any, sql: str) -> Any:
            if "range(10000000)" in sql:
                begun.set()
                seen.append(1)
            return query(self, sql)

        patch.setattr(duckdb_session.DuckDBSession, "query", watched)
        with pytest.raises(Exception, match="cancelled") as caught:
            run_cases(project, find_cases(project), jobs=1)
    assert caught.value.exit_code == 130  # type: ignore[attr-defined]
    assert seen
    assert schemas(project) == []


def test_an_engine_without_schemas_is_refused(make: Make, without_temporary: list[str]) -> None:
    project = make(FILES)
    capabilities = {**project.engine.capabilities, Capability.SCHEMAS: unsupported("there are none")}
    (result, *_) = run_cases(plain(project, capabilities=capabilities), find_cases(project), jobs=1)
    assert (result.status, result.error.code) == ("error", "FF3015")  # type: ignore[union-attr]
