"""Unit tests on PostgreSQL: in temporary tables, and where those are refused in private schemas; nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from flowforge import Project
from flowforge.api.unit_creation import create_test
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.contract import CreateKind
from flowforge.errors import UnsupportedError
from flowforge_postgres.session import PostgresSession

FILES = {
    "project.yml": "name: shop\nversion: '1'\n",
    "profiles.yml": "dev:\n  engine: postgres\n  postgres: {dsn: \"{{ env('FF_PG_DSN') }}\", schema: analytics}\n",
    "seeds/orders.csv": "id,amount,day\n1,10.50,2024-01-31\n2,0.25,2999-01-01\n",
    "models/past.ff.sql": "select orders.id, orders.amount::numeric(12, 4) * 2 as twice, current_date - orders.day as age,\n"
    "  now() as at, {{ ff_current_timestamp() }} as plain, localtimestamp(0) as local\n"
    "from {{ ref('orders') }} where orders.day < current_date\n",
    "tests/unit/past.yml": """
model: past
defaults: {now: 2024-02-29 12:30}
cases:
  - name: leap day
    inputs: {orders: {rows: [{id: 1, amount: 1.5, day: 2024-02-28}, {id: 2, amount: 1.5, day: 2024-03-01}]}}
    expect:
      rows: [{id: 1, twice: 3, age: 1, at: "2024-02-29 12:30+00:00", plain: 2024-02-29 12:30, local: 2024-02-29 12:30}]
  - name: many
    inputs: {orders: {generate: {rows: 1500, columns: {id: {sequence: 1}, amount: {between: [0, 9.5]}, day: {choice: [2024-01-01]}}}}}
    expect: {row_count: 1500}
""",
}


@pytest.fixture
def project(tmp_path: Path, postgres_dsn: str) -> Project:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return Project.load(tmp_path, environ={"FF_PG_DSN": postgres_dsn})


def standing(outside: psycopg.Connection[Any]) -> list[str]:
    found = outside.execute(
        "select schemaname || '.' || tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    schemas = outside.execute("select nspname from pg_namespace where nspname like '%utest%'").fetchall()
    return sorted(name for (name,) in (*found, *schemas) if not name.endswith("_ff_leases"))


@pytest.mark.parametrize("temporary", [True, False])
def test_rows_in_rows_out(
    project: Project, outside: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch, temporary: bool
) -> None:
    if not temporary:
        create_as = PostgresSession.create_as

        def refuse(self: Any, relation: Any, select: str, kind: CreateKind, *more: Any) -> Any:
            if kind is CreateKind.TEMP:
                raise UnsupportedError("there are no temporary tables here")
            return create_as(self, relation, select, kind, *more)

        monkeypatch.setattr(PostgresSession, "create_as", refuse)
    with project:
        results = run_cases(project, find_cases(project))
        assert [(result.status, result.lines) for result in results] == [("pass", []), ("pass", [])]
        assert standing(outside) == []


def test_a_build_and_a_test_from_its_rows(project: Project, outside: psycopg.Connection[Any]) -> None:
    with project:
        result = project.build()
        assert (result.exit_code, [one.status.value for one in result.unit_tests]) == (0, ["success", "success"])
        assert [one.status.value for one in project.build().unit_tests] == ["cached", "cached"]
        made = create_test(project, "past", path="tests/unit/live.yml")
        (again,) = run_cases(project, find_cases(project, path=made.path))
        assert (made.inputs, made.expected, again.status) == ({"orders": 2}, 1, "pass"), again.lines
        assert [name for name in standing(outside) if "analytics." not in name] == []
