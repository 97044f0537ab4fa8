"""Portable functions in models that are translated: arguments are translated, what is written for the engine stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge.api import Project
from flowforge.errors import RenderError


def compiled(root: Path, template: str, engine: str = "postgres") -> str:
    (root / "models").mkdir(exist_ok=True)
    (root / "project.yml").write_text("name: q\nversion: 1\ndialect: duckdb\n")
    (root / "models/m.ff.sql").write_text(template)
    with Project.load(root, engine=engine) as project:
        return " ".join(project.compile()["m.ff"].sql.split())


@pytest.mark.parametrize(
    ("template", "sql"),
    [
        ("select {{ ff_date_trunc('d', 'month') }} as m", "SELECT date_trunc('month', CAST(d AS timestamp)) AS m"),
        ("select {{ ff_text('d::date') }} as m", "SELECT CAST((( CAST(d AS DATE) )) AS text) AS m"),
        (
            "select {{ ff_date_add(ff_date_trunc('d'), 'day', 1) }} as m",
            "SELECT (CAST((date_trunc('day', CAST(d AS timestamp))) AS timestamp) + CAST(1 AS integer) * INTERVAL '1 day') AS m",
        ),
        (
            "select 1 as n where {{ ff_partition_in('x', ['a', \"it's\"]) }} and y = {{ 'b' | sql_literal }}",
            "SELECT 1 AS n WHERE (x IN ('a', 'it''s')) AND y = 'b'",
        ),
        ("select cast(x as {{ ff_type('double') }}) as n", "SELECT CAST(x AS DOUBLE PRECISION) AS n"),
        (
            "select {{ ff_string_agg('x', ',', 'y desc') }} as n",
            "SELECT string_agg(CAST(x AS text), ',' ORDER BY y DESC NULLS LAST) AS n",
        ),
        ("select {% if ff_is_engine('pg') %}1{% else %}2{% endif %} as n", "SELECT 1 AS n"),
        ("select {{ 'back\\\\slash' | sql_literal }} as n", "SELECT 'back\\slash' AS n"),
    ],
)
def test_they_come_out_in_the_words_of_the_engine(tmp_path: Path, template: str, sql: str) -> None:
    assert compiled(tmp_path, template) == sql


def test_at_home_nothing_is_translated(tmp_path: Path) -> None:
    assert (
        compiled(tmp_path, "select {{ ff_text('d::date') }} as m", "duckdb") == "select CAST((d::date) AS VARCHAR) as m"
    )


def test_what_the_engine_lacks_is_refused_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as caught:
        compiled(tmp_path, "select\n  {{ ff_safe_cast('x', 'uuid') }} as n")
    assert (caught.value.code, str(caught.value.location)) == ("FF1418", "models/m.ff.sql:2:3")
