"""Python models that work on DuckDB's own relations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.events import Status
from flowforge.run.result import RunResult

HEAD = "from flowforge import model\nimport duckdb\nimport pyarrow as pa\n\n\n"
BASE = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
    "seeds/raw.csv": "id,v\n1,10\n2,20\n3,30\n",
    "seeds/names.csv": "id,name\n1,a\n3,c\n",
}


class Site:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._project: Project | None = None

    def build(self, files: Mapping[str, str]) -> RunResult:
        """Write files, and build."""
        self.close()
        for path, text in {**BASE, **files}.items():
            (self._root / path).parent.mkdir(parents=True, exist_ok=True)
            (self._root / path).write_text(text, "utf-8")
        self._project = Project.load(self._root, environ={})
        return self._project.build()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        assert self._project is not None
        with self._project.executor.session(label="test") as session:
            table = session.query(sql).read_all()
        return [tuple(row.values()) for row in table.to_pylist()]

    def close(self) -> None:
        """Let the database go."""
        if self._project is not None:
            self._project.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def model(body: str, deps: str = "['raw']", parameters: str = "raw", more: str = "") -> dict[str, str]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"models/m.ff.py": f"{HEAD}@model(deps={deps}, frame='duckdb'{more})\ndef m({parameters}):\n{lines}"}


Check = Callable[[Site], None]


def test_a_relation_comes_and_a_relation_goes(site: Site) -> None:
    result = site.build(
        model("assert type(raw).__name__ == 'DuckDBPyRelation'\nreturn raw.filter('v > 10').project('id, v * 2 as w')")
    )
    assert result.ok, [str(error) for error in result.errors]
    assert site.rows("select id, w from m order by id") == [(2, 40), (3, 60)]
    assert site.rows("select view_name from duckdb_views() where view_name like 'ff__%'") == []
    assert all(one.status is Status.CACHED for one in site.build({}).nodes)


@pytest.mark.parametrize("parameters", ["raw, names", "inputs"])
def test_several_inputs_are_joined_in_the_engine(site: Site, parameters: str) -> None:
    body = (
        "return raw.join(names, 'id')" if parameters != "inputs" else "return inputs['raw'].join(inputs['names'], 'id')"
    )
    assert site.build(model(body, "['raw', 'names']", parameters)).ok
    assert site.rows("select id, v, name from m order by id") == [(1, 10, "a"), (3, 30, "c")]


@pytest.mark.parametrize(
    "body",
    [
        "raw.fetchall()\nreturn raw.filter('id = 1').project('id, v')",
        "return raw.filter('id = 1').to_arrow_table()",
        "return raw.filter('id = 1').df()",
        "return duckdb.connect().sql('select 1 as id, 10 as v')",
        "return duckdb.sql('select 1 as id, 10 as v')",
    ],
)
def test_what_else_may_be_returned(site: Site, body: str) -> None:
    result = site.build(model(body))
    assert result.ok, [str(error) for error in result.errors]
    assert site.rows("select id, v from m") == [(1, 10)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return raw.project('nothing')", "FF2004"),
        ("return raw.project(\"cast('x' as integer) as v\")", None),
        ("return 'raw'", "FF2006"),
    ],
)
def test_what_fails_names_the_model_and_leaves_the_old_table(site: Site, body: str, code: str | None) -> None:
    assert site.build(model("return raw")).ok
    result = site.build(model(body))
    (error,) = result.errors
    assert error.location is not None
    assert error.location.path == "models/m.ff.py"
    assert code is None or error.code == code
    assert len(site.rows("select id from m")) == 3
    assert site.rows("select view_name from duckdb_views() where view_name like 'ff__%'") == []


def test_many_models_at_once_grow_and_have_indexes(site: Site) -> None:
    text = model("return raw.project('id, v')", more=", materialized='incremental', unique_key='id', indexes=['id']")[
        "models/m.ff.py"
    ]
    files = {f"models/m{number}.ff.py": text for number in range(6)}
    assert site.build(files).ok
    result = site.build({**files, "seeds/raw.csv": "id,v\n1,11\n4,40\n"})
    assert result.ok, [str(error) for error in result.errors]
    for number in range(6):
        assert site.rows(f"select id, v from m{number} order by id") == [(1, 11), (2, 20), (3, 30), (4, 40)]
    assert site.rows("select count(*) from duckdb_indexes()") == [(6,)]
