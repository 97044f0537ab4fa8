"""Deltas: another query, or a function, that gives the new rows of a table that stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowforge import Project
from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.options import RunOptions
from flowforge.run.result import NodeResult, RunResult

Make = Callable[..., Project]
Rows = Callable[[Project, str], list[tuple[Any, ...]]]
FIRST, SECOND = "id,v\n1,10\n2,20\n", "id,v\n1,11\n2,21\n3,30\n"
QUERY = "select id, v + 100 as v from {{ ref('raw') }} where id > 1"
FUNCTION = "def fresh(raw):\n    raw['v'] = raw['v'] + 100\n    return raw[raw['id'] > 1]\n"
WHOLE = "\nselect id, v from {{ ref('raw') }}\n"
PYTHON = "from flowforge import model\n\n\n@model(deps=['raw'], {})\ndef m(raw):\n    return raw\n"


def node(result: RunResult, name: str = "m") -> NodeResult:
    return next(one for one in result.nodes if one.node.removesuffix(".ff") == name)


FORMS = {
    "text": {"models/m.ff.sql": f'{{{{ config(CONF, delta_sql="{QUERY}") }}}}{WHOLE}'},
    "block": {"models/m.ff.sql": f'{{{{ config(CONF, delta={{"sql": "{QUERY}"}}) }}}}{WHOLE}'},
    "file": {
        "models/m.ff.sql": "{{ config(CONF, delta_sql='models/deltas/m.sql') }}" + WHOLE,
        "models/deltas/m.sql": QUERY,
    },
    "yaml": {
        "models/m.ff.sql": "{{ config(CONF) }}" + WHOLE,
        "models/m.yml": f"models:\n  - name: m\n    config:\n      delta_sql: |\n        {QUERY}\n",
    },
    "project": {
        "models/m.ff.sql": "{{ config(CONF) }}" + WHOLE,
        "project.yml": f"name: demo\nversion: 1\nmodels:\n  incremental:\n    m:\n      strategy: STRATEGY\n      KEYS\n"
        f"      delta_sql: >-\n        {QUERY}\n",
    },
    "function": {
        "models/m.ff.sql": "{{ config(CONF, delta_python='models.deltas:fresh') }}" + WHOLE,
        "models/deltas.py": FUNCTION,
    },
    "function of a python model": {
        "models/m.ff.py": PYTHON.format("CONF, delta_python='models/deltas.py:fresh'"),
        "models/deltas.py": FUNCTION,
    },
    "query of a python model": {"models/m.ff.py": PYTHON.format(f'CONF, delta_sql="{QUERY}"')},
}
GROWN = {
    "merge": [(1, 10), (2, 121), (3, 130)],
    "delete+insert": [(1, 10), (2, 121), (3, 130)],
    "append": [(1, 10), (2, 121), (2, 20), (3, 130)],
    "insert_overwrite": [(1, 10), (2, 121), (3, 130)],
}
KEYS = {"merge": "unique_key", "delete+insert": "unique_key", "insert_overwrite": "partition_by"}


@pytest.mark.parametrize(
    ("form", "strategy"), [*((form, "merge") for form in FORMS), *(("text", one) for one in GROWN if one != "merge")]
)
def test_what_a_delta_gives_is_what_is_new(make: Make, rows: Rows, form: str, strategy: str) -> None:
    key = KEYS.get(strategy)
    conf = f"materialized='incremental', incremental_strategy='{strategy}'" + (f", {key}='id'" if key else "")
    if form == "project":
        conf = "materialized='incremental'"
    keys = f"{key}: id" if key else ""
    files = {
        path: text.replace("CONF", conf).replace("STRATEGY", strategy).replace("KEYS", keys)
        for path, text in FORMS[form].items()
    }
    project = make({**files, "seeds/raw.csv": FIRST})
    assert not project.manifest.notes, "a file of a delta is no stray"
    first = project.build()
    assert first.ok, [one.error for one in first.nodes]
    assert rows(project, "m") == [(1, 10), (2, 20)]
    assert node(project.build()).status is Status.CACHED
    project.close()
    project = make({**files, "seeds/raw.csv": SECOND})
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert rows(project, "m") == GROWN[strategy]
    assert project.build(options=RunOptions(full_refresh=True)).ok
    assert rows(project, "m") == [(1, 11), (2, 21), (3, 30)]


def test_what_a_delta_reads_is_read_by_the_model(make: Make) -> None:
    delta = "select id, v from {{ ref('late') }} union all select k, k from {{ source('o', 's') }}"
    project = make(
        {
            "models/m.ff.sql": f'{{{{ config(incremental={{"unique_key": "id", "delta_sql": "{delta}"}}) }}}}{WHOLE}',
            "seeds/raw.csv": FIRST,
            "seeds/late.csv": FIRST,
            "sources.yml": "o: {s: {}}",
        }
    )
    assert project.manifest.nodes["m.ff"].depends_on == ("late", "raw")
    assert project.manifest.nodes["m.ff"].reads == ("o.s",)


def test_a_change_of_the_delta_is_a_change_of_the_model(make: Make) -> None:
    config = "{{ config(materialized='incremental', unique_key='id', delta_python='models.deltas:fresh') }}"
    files = {
        "models/m.ff.sql": config + WHOLE,
        "models/deltas.py": "from .rates import RATE\n\n\ndef fresh(raw):\n    return raw\n",
        "models/rates.py": "RATE = 1\n",
        "seeds/raw.csv": FIRST,
    }
    project = make(files)
    assert project.build().ok
    assert node(project.build()).status is Status.CACHED
    project.close()
    project = make({**files, "models/rates.py": "RATE = 2\n"})
    assert node(project.build()).status is Status.SUCCESS, "what its function imports has changed"


def test_a_function_gets_models_and_sources(make: Make, rows: Rows) -> None:
    config = "{{ config(materialized='incremental', unique_key='id', delta_python='models.deltas:fresh') }}"
    project = make(
        {
            "models/m.ff.sql": config
            + "select id, v from {{ ref('raw') }} where id in (select k from {{ source('o', 's') }})",
            "models/deltas.py": "def fresh(inputs):\n    frame = inputs['raw']\n    frame['v'] = len(inputs['s'])\n    return frame\n",
            "seeds/raw.csv": FIRST,
            "sources.yml": "o: {s: {}}",
        }
    )
    with project.executor.session(label="test") as session:
        session.execute("CREATE TABLE s AS SELECT 1 AS k")
    assert project.build().ok
    assert rows(project, "m") == [(1, 10)]
    with project.executor.session(label="test") as session:
        session.execute("INSERT INTO s VALUES (7), (8)")
    result = project.build()
    assert result.ok, [one.error for one in result.nodes]
    assert rows(project, "m") == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"models/m.ff.sql": "{{ config(CONF, delta_sql=\"select id,\n  nope as v\nfrom {{ ref('raw') }}\") }}" + WHOLE}, "models/m.ff.sql:2:3"),
        ({"models/m.ff.sql": "{{ config(CONF, delta_sql='d.sql') }}" + WHOLE, "d.sql": "select id,\n   nope as v\nfrom {{ ref('raw') }}"}, "d.sql:2:4"),
        (
            {
                "models/m.ff.sql": "{{ config(CONF) }}" + WHOLE,
                "models/m.yml": "models:\n- name: m\n  config:\n    delta_sql: |\n      select id,\n        nope as v\n      from {{ ref('raw') }}\n",
            },
            "models/m.yml:6",
        ),
        ({"models/m.ff.sql": "{{ config(CONF, delta_python='d:f') }}" + WHOLE, "d.py": "def f(raw):\n    return raw['nope']\n"}, "d.py:2"),
    ],
)  # fmt: skip
def test_errors_point_into_the_file_where_the_delta_stands(make: Make, files: dict[str, str], place: str) -> None:
    made = {path: text.replace("CONF", "materialized='incremental', unique_key='id'") for path, text in files.items()}
    project = make({**made, "seeds/raw.csv": FIRST})
    assert project.build().ok
    project.close()
    project = make({**made, "seeds/raw.csv": SECOND})
    error = node(project.build()).error
    assert error is not None
    assert str(error.location).startswith(place), error.location


@pytest.mark.parametrize(
    ("config", "more", "code", "words"),
    [
        ("delta_sql='select 1', delta_python='d:f'", {}, "FF1137", "one delta"),
        ("delta_sql='select 1', updated_at='id'", {}, "FF1137", "'updated_at' means nothing beside a delta"),
        ("delta={}", {}, "FF1137", "'delta' is empty"),
        ("delta_sql='nowhere.sql'", {}, "FF1138", "no file 'nowhere.sql'"),
        ("delta_sql='../m.sql'", {}, "FF1138", "outside the project"),
        ("delta_sql='select 1 as id; select 2 as id'", {}, "FF1125", "a second statement"),
        ("delta_sql=\"select * from {{ ref('nobody') }}\"", {}, "FF1203", "unknown model 'nobody'"),
        ("delta_python='fresh'", {}, "FF1138", "is no function"),
        ("delta_python='d:f'", {}, "FF1138", "no file 'd.py'"),
        ("delta_python='d:f'", {"d.py": "def fresh(raw):\n    return raw\n"}, "FF1138", "has no function 'f'"),
        ("delta_python='d:f'", {"d.py": "def f(:\n"}, "FF1138", "cannot read"),
        ("delta_python='d:f'", {"d.py": "def f():\n    return 1\n"}, "FF1139", "takes 0 parameters"),
        ("delta_python='../d:f'", {}, "FF1138", "outside the project"),
    ],
)
def test_deltas_that_make_no_sense(make: Make, config: str, more: dict[str, str], code: str, words: str) -> None:
    text = f"{{{{ config(materialized='incremental', unique_key='id', {config}) }}}}{WHOLE}"
    with pytest.raises(FlowForgeError) as caught:
        make({"models/m.ff.sql": text, "seeds/raw.csv": FIRST, **more})
    problem: Any = caught.value
    problems = getattr(problem, "errors", (problem,))
    assert any(one.code == code and words in str(one) for one in problems), [(one.code, str(one)) for one in problems]


def test_a_delta_of_a_table_that_does_not_grow(make: Make) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make({"models/m.ff.sql": "{{ config(delta_sql='select 1 as id') }} select 1 as id"})
    assert caught.value.code == "FF1130"
    assert "only for incremental models" in str(caught.value)


def test_a_delta_in_windows(make: Make, rows: Rows) -> None:
    """Windows of a table that stands come from the delta, and it reads only their rows."""
    import datetime as dt

    config = (
        "materialized='incremental', incremental_strategy='microbatch', event_time='ts', begin='2024-01-01',"
        " batch_size='day', lookback=0, delta_sql=\"select id, 'delta' as made, ts from {{ ref('src') }}\""
    )
    project = make(
        {
            "seeds/raw.csv": "id,ts\n1,2024-01-01\n2,2024-01-02\n3,2024-01-03\n",
            "models/src.ff.sql": "{{ config(event_time='ts') }} select * from {{ ref('raw') }}",
            "models/m.ff.sql": f"{{{{ config({config}) }}}} select id, 'whole' as made, ts from {{{{ ref('src') }}}}",
        }
    )
    result = project.build(options=RunOptions(now=dt.datetime(2024, 1, 3, 12, tzinfo=dt.UTC)))
    assert result.ok, [one.error for one in result.nodes]
    assert [row[:2] for row in rows(project, "m")] == [(1, "whole"), (2, "delta"), (3, "delta")]
