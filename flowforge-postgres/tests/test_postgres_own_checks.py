"""Checks that a project brings itself, on PostgreSQL: what breaks does no harm to the transaction of a build."""

from __future__ import annotations

from pathlib import Path

from flowforge import Project
from flowforge.events import Status

FILES = {
    "project.yml": "name: shop\nversion: 1\ntests:\n"
    "  - {type: below, table: kept, column: Amount, limit: 5, name: fails}\n"
    "  - {type: below, table: kept, column: gone, limit: 5, name: breaks}\n"
    "  - {type: below, table: kept, column: Amount, limit: 50, name: passes}\n"
    "  - {type: counted, table: kept, column: Amount, name: counts}\n"
    "  - {type: asked, table: kept, column: Amount, name: python_passes}\n"
    "  - {type: asked, table: kept, column: gone, name: python_breaks}\n"
    "  - {type: not_null, table: kept, column: Amount, name: built_in}\n",
    "profiles.yml": "dev:\n  engine: postgres\n  postgres:\n    dsn: \"{{ env('FF_PG_DSN') }}\"\n    schema: own_checks\n",
    "models/kept.ff.sql": "select 7 as Amount union all select 9",
    "tests/below.ff.sql": "{{ config(type='below', params=['limit']) }}\n"
    "select {{ column }} from {{ table }} where {{ column }} >= {{ params.limit }}",
    "tests/counted.ff.sql": "{{ config(type='counted') }}\nselect count(*) from {{ table }} where {{ column }} > 8",
    "tests/alone.ff.sql": "select * from {{ ref('kept') }} where 1 / 0 > 1",
    "tests/asked.ff.py": """
from flowforge import dq_test


@dq_test()
def asked(executor, table, column, params):
    return executor.scalar(f"select max({column}) from {table}") < 10, "too large", None
""",
}


def test_what_breaks_in_a_build_hides_nothing(tmp_path: Path, postgres_dsn: str) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    expected = {
        "fails": (Status.FAIL, 2),
        "breaks": (Status.ERROR, None),
        "passes": (Status.SUCCESS, 0),
        "counts": (Status.FAIL, 1),
        "python_passes": (Status.SUCCESS, None),
        "python_breaks": (Status.ERROR, None),
        "built_in": (Status.SUCCESS, 0),
        "alone": (Status.ERROR, None),
    }
    with Project.load(tmp_path, environ={"FF_PG_DSN": postgres_dsn}) as project:
        built = project.build()
        assert {check.check: (check.status, check.failures) for check in built.checks} == expected
        assert built.exit_code == 1
        assert project.run().ok
        tested = project.test()
        assert {check.check: (check.status, check.failures) for check in tested.checks} == expected
        places = {
            check.check: check.problem and str(check.problem.location) for check in tested.checks if check.problem
        }
    assert places["breaks"] is not None
    assert places["breaks"].startswith("tests/below.ff.sql:2:")
    assert places["python_breaks"] == "tests/asked.ff.py:7"
