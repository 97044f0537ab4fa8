"""Unit tests in which the time stands still: on every day of every year they see the same one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.unit_tests import find_cases, run_cases
from flowforge.utest.freezing import Frozen

Make = Callable[..., Project]


def result_of(make: Make, sql: str, expect: str, *, now: str = "2024-02-29 23:30", **more: str) -> Any:
    unit = f'model: m\ndefaults: {{now: "{now}"}}\ncases: [{{name: c, expect: {expect}}}]\n'
    if "inputs" in more:
        unit = unit.replace("name: c,", f"name: c, inputs: {more.pop('inputs')},")
    project = make({"models/m.ff.sql": sql + "\n", "tests/unit/m.yml": unit, **more})
    (result,) = run_cases(project, find_cases(project))
    return result


STANDS: Mapping[str, str] = {
    "current_date": "2024-02-29",
    "CURRENT_DATE + 1": "2024-03-01",
    "today()": "2024-02-29",
    "current_timestamp": "2024-02-29 23:30:00+00:00",
    "now()": "2024-02-29 23:30:00+00:00",
    "now ( )": "2024-02-29 23:30:00+00:00",
    "cast(get_current_timestamp() as date)": "2024-02-29",
    "current_localtimestamp()": "2024-02-29 23:30:00",
    "now() - interval 1 hour": "2024-02-29 22:30:00+00:00",
    "{{ ff_current_timestamp() }}": "2024-02-29 23:30:00",
    "{{ ff_date_trunc(ff_current_timestamp(), 'month') }}": "2024-02-01 00:00:00",
    "(select max(d) from (select current_date as d))": "2024-02-29",
    "cast(random() < 2 as varchar) || cast(current_date as varchar)": "true2024-02-29",
    "'now() and current_date'": "now() and current_date",
}


def test_time_stands_still(make: Make) -> None:
    columns = ",\n  ".join(f"{expression} as c{index}" for index, expression in enumerate(STANDS))
    wanted = ", ".join(f'c{index}: "{value}"' for index, value in enumerate(STANDS.values()))
    result = result_of(make, f"select -- not now()\n  {columns}", f"{{rows: [{{{wanted}}}]}}")
    assert result.status == "pass", result.message or result.lines


REFUSED: Mapping[str, str] = {
    "current_time": "current_time",
    "cast('now' as timestamp)": "'now'",
    "timestamp 'today'": "'today'",
    "age(timestamp '2024-01-01')": "age()",
    "pg_catalog.now()": "now()",
}


def test_what_cannot_be_stopped_is_refused_where_it_stands(make: Make) -> None:
    files = {}
    for index, expression in enumerate(REFUSED):
        files[f"models/m{index}.ff.sql"] = f"select current_date as d,\n  {expression} as t\n"
        files[f"tests/unit/m{index}.yml"] = (
            f"model: m{index}\ncases: [{{name: c, now: '2024-01-01', expect: {{rows: []}}}}]\n"
        )
    project = make(files)
    for result, says in zip(run_cases(project, find_cases(project)), REFUSED.values(), strict=True):
        assert (result.status, result.error.code) == ("error", "FF3014")
        assert f"but {says} cannot be stopped on duckdb" in result.message
        assert str(result.error.location).startswith(f"{result.case.node.path}:2:")


def test_rows_that_are_given_or_expected_by_a_query_see_it_too(make: Make) -> None:
    result = result_of(
        make,
        "select d from {{ ref('given') }} where d < current_date",
        '{sql: "select current_date - 1 as d"}',
        inputs='{given: {sql: "select current_date - 1 as d union all select current_date"}}',
        **{"models/given.ff.sql": "select date '2000-01-01' as d\n"},
    )
    assert result.status == "pass", result.message or result.lines


def test_an_error_behind_it_has_the_right_place(make: Make) -> None:
    result = result_of(make, "select now() as a, current_date as b,\n  nothing as c", "{rows: []}")
    assert result.status == "error"
    assert str(result.error.location).startswith("models/m.ff.sql:2:3")


PYTHON = (
    "import datetime as dt\nimport pyarrow as pa\nfrom flowforge import model\n\n@model(frame='arrow')\n"
    "def p():\n    return pa.table({'v': [WHAT]})\n"
)


@pytest.mark.parametrize(
    ("what", "status"), [("str(dt.date(2024, 1, 1))", "pass"), ("str(dt.datetime.now())", "error")]
)
def test_python_that_asks_the_clock_is_refused(make: Make, what: str, status: str) -> None:
    unit = 'model: p\ncases: [{name: c, now: "2024-01-01", expect: {rows: [{v: "2024-01-01"}]}}]\n'
    project = make({"models/p.ff.py": PYTHON.replace("WHAT", what), "tests/unit/p.yml": unit})
    (result,) = run_cases(project, find_cases(project))
    assert result.status == status, result.message or result.lines
    if status == "error":
        assert (result.error.code, result.error.location.line) == ("FF3014", 7)


def test_a_macro_in_python_that_asks_the_clock_is_refused(make: Make) -> None:
    files = {
        "models/macros_py/clock.py": "import datetime as dt\n\ndef year():\n    return dt.date.today().year\n",
    }
    result = result_of(make, "select {{ year() }} as y", "{rows: []}", **files)
    assert (result.status, result.error.code) == ("error", "FF3014")


def test_no_time_is_no_moment(make: Make) -> None:
    project = make(
        {
            "models/m.ff.sql": "select 1 as a\n",
            "tests/unit/m.yml": "model: m\ncases: [{name: c, now: soon, expect: {rows: []}}]\n",
        }
    )
    with pytest.raises(Exception, match="no date and no timestamp"):
        find_cases(project)


def test_the_way_back() -> None:
    frozen = Frozen("ab[----]cd[--]e", ((2, 6, 3), (10, 4, 6)))  # was "abXXXcdYe"
    assert [frozen.back(offset) for offset in (0, 1, 2, 5, 8, 9, 10, 12, 14)] == [0, 1, 2, 2, 5, 6, 7, 7, 8]


def test_a_model_that_is_built_in_windows(make: Make) -> None:
    config = "materialized='incremental', incremental_strategy='microbatch', event_time='m', begin='2024-01-01', batch_size='month'"
    sql = "select cast('{{ batch.event_time_start }}' as date) as m, count(*) as n from {{ ref('seen') }}\n"
    case = "  - {name: NAME, NOW inputs: {seen: {csv: \"at\\n2024-01-31\\n2024-02-01\\n2024-02-29\\n\"}}, expect: {rows: [{m: '2024-02-01', n: 2}]}}\n"
    project = make(
        {
            "seeds/seen.csv": "at\n2024-01-01\n",
            "seeds/seen.yml": "version: 1\nseeds: [{name: seen, config: {event_time: at}}]\n",
            "models/m.ff.sql": f"{{{{ config({config}) }}}}\n{sql}",
            "tests/unit/m.yml": "model: m\ncases:\n"
            + case.replace("NAME", "february").replace("NOW", "now: 2024-02-10,")
            + case.replace("NAME", "never").replace("NOW ", ""),
        }
    )
    february, never = run_cases(project, find_cases(project))
    assert february.status == "pass", february.lines
    assert (never.status, never.error.code) == ("error", "FF3018")  # type: ignore[union-attr]
