"""Whole projects on the emulator, by the command line: what is built, what is left alone, what is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge_snowflake.executor import SnowflakeExecutor

FILES = {
    "project.yml": "name: shop\nversion: '1'\n",
    "seeds/raw_orders.csv": "order_id,customer,amount,day\n1,ada,10.5,2024-01-01\n2,grace,20.25,2024-01-02\n3,ada,0.25,2024-01-03\n",
    "models/stg_orders.ff.sql": "{{ config(materialized='view') }}\nselect order_id, customer, amount, day from {{ ref('raw_orders') }}\n",
    "models/customers.ff.sql": "select customer, count(*) as orders, sum(amount) as amount from {{ ref('stg_orders') }} group by customer\n",
    "models/days.ff.sql": (
        "{{ config(materialized='incremental', unique_key='order_id', incremental={'strategy': 'merge'}) }}\n"
        "select order_id, day, amount from {{ ref('stg_orders') }}"
        "{% if is_incremental() %} where order_id >= 3{% endif %}\n"
    ),
    "models/known.ff.sql": (
        "{{ config(materialized='snapshot', unique_key='customer', snapshot={'strategy': 'check', 'check_cols': ['orders']}) }}\n"
        "select customer, orders from {{ ref('customers') }}\n"
    ),
    "models/shares.ff.py": (
        "from flowforge import model\n\n\n@model(name='shares', deps=['customers'])\ndef build(customers):\n"
        "    customers['share'] = customers['amount'].astype(float) / float(customers['amount'].sum())\n"
        "    return customers[['customer', 'share']]\n"
    ),
    "models/models.yml": (
        "version: 1\nmodels:\n  - name: customers\n    columns:\n      - name: customer\n        tests: [not_null, unique]\n"
    ),
}
NATIVE = (
    "from flowforge import model\n\n\n@model(name='native', deps=['customers'], frame='snowpark')\n"
    "def build(customers):\n    return customers.filter(customers['orders'] > 1).select('customer', 'orders')\n"
)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(tmp_path: Path, place: dict[str, Any]) -> Path:
    """A project in a database of its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    lines = "".join(f"    {key}: {value!r}\n" for key, value in place.items())
    (tmp_path / "profiles.yml").write_text(f"dev:\n  engine: snowflake\n  snowflake_snowpark:\n{lines}")
    return tmp_path


@pytest.fixture
def run(shop: Path) -> Run:
    """Runs a command in the project."""

    def go(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: text for key, text in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_"))}
        return subprocess.run(
            [sys.executable, "-m", "flowforge", *words, "-C", str(shop)],
            capture_output=True, text=True, check=False, timeout=300, env={**inherited, "NO_COLOR": "1", **variables},
        )  # fmt: skip

    return go


def rows(executor: SnowflakeExecutor, sql: str) -> list[tuple[Any, ...]]:
    with executor.session(label="flowforge/look") as session:
        found = session.query(sql).read_all()
    return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True), key=str)


def test_a_project_is_built_and_then_left_alone(
    shop: Path, run: Run, new_executor: Callable[..., SnowflakeExecutor]
) -> None:
    first = run("build")
    assert first.returncode == 0, first.stderr
    executor = new_executor()
    assert rows(executor, "select customer, orders from customers") == [("ada", 2), ("grace", 1)]
    assert rows(executor, "select customer, share > 0.5 from shares") == [("ada", False), ("grace", True)]
    second = run("build")
    assert second.returncode == 0, second.stderr
    assert "6 unchanged" in second.stderr + second.stdout
    with (shop / "seeds/raw_orders.csv").open("a") as seed:
        seed.write("4,alan,1.0,2024-01-04\n")
    third = run("build")
    assert third.returncode == 0, third.stderr
    assert rows(executor, "select order_id from days") == [(1,), (2,), (3,), (4,)]
    assert rows(executor, "select customer, orders, _ff_is_current from known") == [
        ("ada", 2, True),
        ("alan", 1, True),
        ("grace", 1, True),
    ]
    left = rows(executor, "select name from (select table_name as name from information_schema.tables"
                " where table_schema = 'WORK') t where name like 'FF\\\\_\\\\_%' escape '\\\\'")  # fmt: skip
    assert left == []
    shown = run("show", "customers", "--format", "csv")
    assert shown.returncode == 0, shown.stderr
    assert "grace" in shown.stdout


def test_a_native_frame_is_computed_on_the_server(
    shop: Path, run: Run, new_executor: Callable[..., SnowflakeExecutor]
) -> None:
    pytest.importorskip("snowflake.snowpark")
    (shop / "models/native.ff.py").write_text(NATIVE)
    done = run("build", "--select", "+native")
    assert done.returncode == 0, done.stderr
    assert rows(new_executor(), "select customer, orders from native") == [("ada", 2)]


def test_mistakes_in_sql_are_shown_in_the_models_file(shop: Path, run: Run) -> None:
    (shop / "models/customers.ff.sql").write_text("select ghost from {{ ref('stg_orders') }}\n")
    done = run("build", "--select", "+customers")
    assert done.returncode == 1
    assert "models/customers.ff.sql" in done.stderr
    assert "GHOST" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_that_fails_keeps_the_old_rows(
    shop: Path, run: Run, new_executor: Callable[..., SnowflakeExecutor]
) -> None:
    assert run("build", "--select", "+customers").returncode == 0
    with (shop / "seeds/raw_orders.csv").open("a") as seed:
        seed.write("5,,1.0,2024-01-04\n")
    failed = run("build", "--select", "+customers")
    assert failed.returncode == 2, failed.stderr
    assert rows(new_executor(), "select customer from customers") == [("ada",), ("grace",)]


def test_a_server_that_is_gone_is_named_without_the_password(run: Run) -> None:
    done = run("build", FF_SF_HOST="127.0.0.2", FF_SF_PASSWORD="hush-hush")
    assert done.returncode == 1
    assert "127.0.0.2" in done.stderr
    assert "FF_SF_ACCOUNT" in done.stderr
    assert "hush-hush" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
