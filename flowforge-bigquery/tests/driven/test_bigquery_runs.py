"""A whole project beside the emulator, through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowforge.contract import Session
from flowforge.values import Namespace
from flowforge_bigquery.executor import BigQueryExecutor
from flowforge_bigquery.settings import BigQuerySettings

Forge = Callable[..., "subprocess.CompletedProcess[str]"]
PROFILE = "dev: {engine: bigquery, bigquery: {project: ff-runs, allow_create_dataset: true}}\n"
ORDERS = 'id,amount,note\n1,10.50,a\n2,0.25,\n3,7,"x, y"\n'
FILES = {
    "project.yml": "name: shop\nversion: '1'\n",
    "profiles.yml": PROFILE,
    "seeds/orders.csv": ORDERS,
    "models/big.ff.sql": (
        "{{ config(materialized='table', cluster_by=['id']) }}\n"
        "select id, amount from {{ ref('orders') }} where amount > 5\n"
    ),
    "models/shown.ff.sql": "{{ config(materialized='view') }}\nselect count(*) as n from {{ ref('big') }}\n",
    "models/grown.ff.sql": (
        "{{ config(materialized='incremental', unique_key='id') }}\n"
        "select id, note from {{ ref('orders') }}\n"
        "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}\n"
    ),
    "models/framed.ff.py": (
        "from flowforge import model\n\n\n"
        "@model(name='framed', deps=['big'])\n"
        "def framed(big):\n    return big.assign(twice=big['id'] * 2)[['id', 'twice']]\n"
    ),
    "models/schema.yml": (
        "version: 1\nmodels:\n  - name: big\n    columns:\n      - name: id\n        tests: [not_null, unique]\n"
    ),
}


@pytest.fixture
def dataset() -> str:
    return f"runs_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "shop"


@pytest.fixture
def forge(project: Path, dataset: str, emulator: str) -> Forge:
    """Runs the command line in the project."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_"))}

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        mine = {"FF_BQ_DATASET": dataset, "FF_BQ_API_ENDPOINT": emulator, "FLOWFORGE_COLOR": "never"}
        return subprocess.run(
            [sys.executable, "-m", "flowforge", *words],
            cwd=project,
            env={**kept, **mine, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def outside(dataset: str, emulator: str) -> Iterator[Session]:
    settings = BigQuerySettings(project="ff-runs", dataset=dataset, api_endpoint=emulator, allow_create_dataset=True)
    executor = BigQueryExecutor(settings)
    with executor.session(label="test") as session:
        yield session
    executor.close()


def rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
    table = session.query(sql).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_a_project_is_built_left_alone_and_grows(forge: Forge, outside: Session, project: Path, dataset: str) -> None:
    done = forge("build")
    assert done.returncode == 0, done.stderr
    assert rows(outside, "select n from shown") == [(2,)]
    assert rows(outside, "select id, twice from framed order by id") == [(1, 2), (3, 6)]
    assert rows(outside, "select id, note from grown order by id") == [(1, "a"), (2, None), (3, "x, y")]
    again = forge("build")
    assert again.returncode == 0, again.stderr
    assert "5 unchanged" in again.stderr
    (project / "seeds/orders.csv").write_text(ORDERS + "4,1.00,new\n", encoding="utf-8")
    more = forge("build")
    assert more.returncode == 0, more.stderr
    assert rows(outside, "select id, note from grown order by id")[3:] == [(4, "new")]
    assert rows(outside, "select count(*) as n from grown") == [(4,)]
    left = [one.relation.name for one in outside.relations(Namespace(dataset, "ff-runs"))]
    assert not [name for name in left if name.startswith("ff__")]


def test_a_mistake_is_shown_at_its_place(forge: Forge, project: Path) -> None:
    (project / "models/wrong.ff.sql").write_text(
        "select\n  nofunc(id) as n\nfrom {{ ref('orders') }}\n", encoding="utf-8"
    )
    done = forge("build", "-s", "+wrong")
    assert done.returncode == 1
    assert "nofunc" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_that_cannot_be_used_is_named(forge: Forge) -> None:
    for env, words in [
        ({"FF_BQ_API_ENDPOINT": "http://127.0.0.1:9"}, ("cannot be reached", "api_endpoint")),
        (
            {"FF_BQ_ALLOW_CREATE_DATASET": "false", "FF_BQ_DATASET": "nowhere"},
            ("no dataset nowhere", "dataset in the profile"),
        ),
        ({"FF_BQ_API_ENDPOINT": "https://127.0.0.1:9", "FF_BQ_KEYFILE": "no.json"}, ("keyfile", "no.json")),
    ]:
        done = forge("build", **env)
        assert done.returncode == 1
        for word in (*words, "profile is dev"):
            assert word in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
