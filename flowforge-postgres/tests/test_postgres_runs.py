"""A whole project on PostgreSQL, through the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Forge = Callable[..., "subprocess.CompletedProcess[str]"]
FILES = {
    "project.yml": "name: shop\nversion: '1'\n",
    "profiles.yml": (
        "dev:\n  engine: postgres\n  postgres:\n    dsn: \"{{ env('FF_PG_DSN') }}\"\n    schema: analytics\n"
    ),
    "seeds/orders.csv": 'id,amount,note\n1,10.50,a\n2,0.25,\n3,7,"x, ""y"""\n',
    "models/big.ff.sql": "{{ config(materialized='table') }}\nselect id, amount from {{ ref('orders') }} where amount > 5\n",
    "models/shown.ff.sql": "{{ config(materialized='view') }}\nselect count(*) as n, sum(amount) as total from {{ ref('big') }}\n",
    "models/framed.ff.py": (
        "from flowforge import model\n\n\n"
        "@model(name='framed', deps=['big'])\n"
        "def framed(big):\n    return big.assign(twice=big['amount'] * 2)\n"
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with a seed, a table, a view and a Python model."""
    for name, text in FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "shop"


@pytest.fixture
def environment(postgres_dsn: str) -> dict[str, str]:
    """What the command line is to see of the environment."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_", "PG"))}
    return {**kept, "FF_PG_DSN": postgres_dsn, "FLOWFORGE_COLOR": "never"}


@pytest.fixture
def forge(project: Path, environment: dict[str, str]) -> Forge:
    """Runs the command line in the project."""

    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flowforge", *words],
            cwd=project,
            env={**environment, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_project_is_built_and_then_left_alone(forge: Forge, outside: psycopg.Connection[Any], project: Path) -> None:
    done = forge("build")
    assert done.returncode == 0, done.stderr
    assert outside.execute("select n, total from analytics.shown").fetchall() == [(2, pytest.approx(17.5))]
    assert outside.execute("select id, twice::float from analytics.framed order by id").fetchall() == [
        (1, 21.0),
        (3, 14.0),
    ]
    tables = "select count(*) from pg_class where relname like 'ff\\_\\_%' and relkind in ('r', 'v')"
    assert outside.execute(tables).fetchone() == (0,)
    again = forge("build")
    assert again.returncode == 0, again.stderr
    assert "4 unchanged" in again.stderr
    (project / "models/big.ff.sql").write_text(FILES["models/big.ff.sql"].replace("> 5", "> 8"), encoding="utf-8")
    assert forge("build").returncode == 0
    assert outside.execute("select n from analytics.shown").fetchall() == [(1,)]


def test_the_password_is_in_no_output_and_no_file(forge: Forge, project: Path, environment: dict[str, str]) -> None:
    password = psycopg.conninfo.conninfo_to_dict(environment["FF_PG_DSN"])["password"]
    wrong = environment["FF_PG_DSN"].replace(str(password), "hush%21hush")
    down = "postgresql://ff:hush%21hush@127.0.0.1:1/x"
    (project / "models/broken.ff.sql").write_text("select ghost", encoding="utf-8")
    secrets = (str(password), "hush!hush", "hush%21hush")
    outputs = [forge("-vv", "build"), forge("debug"), forge("build", FF_PG_DSN=wrong), forge("build", FF_PG_DSN=down)]
    outputs.append(forge("build", FF_PG_DSN=down, FLOWFORGE_TRACE="1"))
    texts = [done.stdout + done.stderr for done in outputs]
    texts += [path.read_bytes().decode(errors="replace") for path in project.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not [text for text in texts if secret in text], secret
    assert [done.returncode for done in outputs] == [1, 0, 1, 1, 1]
    assert "127.0.0.1:1" in outputs[3].stderr


def test_an_interrupted_run_leaves_nothing_at_work(
    project: Path, environment: dict[str, str], outside: psycopg.Connection[Any]
) -> None:
    (project / "models/big.ff.sql").write_text("select 1 as id, 1 as amount from pg_sleep(60)", encoding="utf-8")
    working = "select count(*) from pg_stat_activity where datname = current_database() and query ~ 'pg_sleep' and state = 'active' and pid <> pg_backend_pid()"
    with subprocess.Popen(
        [sys.executable, "-m", "flowforge", "build"], cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    ) as running:
        ends = time.monotonic() + 30
        while outside.execute(working).fetchone() == (0,):
            assert time.monotonic() < ends
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
    assert running.returncode == 130, errors
    assert outside.execute(working).fetchone() == (0,)
    assert outside.execute("select to_regclass('analytics.big')").fetchone() == (None,)
