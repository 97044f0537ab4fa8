"""The demo: every step of its Makefile, by hand and by make, and rows that are easy to work out on paper."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

USERS = [(1, "a@example.com", False), (2, "b@gmail.com", True), (3, "c@gmail.com", True)]
ORDERS = [
    (100, 1, "a@example.com", False, 19.9, True),
    (101, 2, "b@gmail.com", True, 0.0, False),
]


@pytest.fixture
def demo(copy_example: Callable[[str], Any]) -> Any:
    return copy_example("simple_duckdb")


def expect_the_rows(demo: Any) -> None:
    assert demo.query("select id, email from users order by id") == [row[:2] for row in USERS]
    assert demo.query("select id, email, is_gmail from users_enriched order by id") == USERS
    assert demo.query("select id, email, is_gmail from mart_users order by id") == USERS
    assert demo.query("select order_id, user_id, amount from orders order by order_id") == [
        (100, 1, 19.9),
        (101, 2, 0.0),
    ]
    columns = "order_id, user_id, email, is_gmail, amount, valid_amt"
    assert demo.query(f"select {columns} from mart_orders_enriched order by order_id") == ORDERS


def test_seed_run_test_one_after_another(demo: Any) -> None:
    seeded = demo.flowforge("seed", "simple_duckdb", "--env", "dev")
    assert seeded.code == 0, seeded.text
    assert demo.relations() == {"seed_users": "table", "seed_orders": "table"}
    assert demo.query("select id, email from seed_users order by id") == [row[:2] for row in USERS]

    ran = demo.flowforge("run", "simple_duckdb", "--env", "dev")
    assert ran.code == 0, ran.text
    expect_the_rows(demo)

    tested = demo.flowforge("test", "simple_duckdb", "--env", "dev", "--select", "batch")
    assert tested.code == 0, tested.text
    assert "Data Quality Summary" in tested.text
    assert "passed: 6" in tested.text


def test_build_does_all_at_once(demo: Any) -> None:
    demo.build()
    expect_the_rows(demo)
    tables = {"users", "orders", "users_enriched", "mart_users", "mart_orders_enriched", "seed_users", "seed_orders"}
    assert demo.relations() == dict.fromkeys(tables, "table")


def test_bad_rows_fail_their_checks(demo: Any) -> None:
    with (demo.path / "seeds" / "seed_orders.csv").open("a", encoding="utf-8") as seed:
        seed.write("101,3,-5\n")
    assert demo.flowforge("seed", "simple_duckdb").code == 0
    assert demo.flowforge("run", "simple_duckdb").code == 0
    tested = demo.flowforge("test", "simple_duckdb", "--select", "batch")
    assert tested.code == 2, tested.text
    assert "failed: 2" in tested.text
    assert "orders.order_id" in tested.text
    assert "orders.amount" in tested.text


def test_build_keeps_the_good_table_when_a_check_fails(demo: Any) -> None:
    demo.build()
    with (demo.path / "seeds" / "seed_orders.csv").open("a", encoding="utf-8") as seed:
        seed.write("102,3,-5\n")
    outcome = demo.flowforge("build", "simple_duckdb")
    assert outcome.code == 2, outcome.text
    expect_the_rows(demo)


def test_dag_prints_mermaid(demo: Any) -> None:
    outcome = demo.flowforge("dag", "simple_duckdb", "--env", "dev")
    assert outcome.code == 0, outcome.text
    assert outcome.out.lstrip().startswith(("flowchart", "graph"))
    for name in ("users", "orders", "users_enriched", "mart_users", "mart_orders_enriched"):
        assert name in outcome.out
    assert not demo.database.exists()


def test_a_variable_overrides_the_path_of_the_profile(demo: Any) -> None:
    outcome = demo.flowforge("build", "simple_duckdb", env={"FF_DUCKDB_PATH": ".local/other.duckdb"})
    assert outcome.code == 0, outcome.text
    assert not demo.database.exists()
    assert (demo.path / ".local" / "other.duckdb").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed on this machine")
def test_every_target_of_the_makefile(demo: Any) -> None:
    def make(*arguments: str) -> str:
        outcome = demo.execute("make", "-C", str(demo.path), *arguments)
        assert outcome.code == 0, outcome.text
        return str(outcome.text)

    make("seed")
    make("run")
    expect_the_rows(demo)
    assert "passed: 6" in make("test")
    assert "mart_users" in make("dag")
    make("clean")
    assert not demo.database.exists()
    make()
    expect_the_rows(demo)
    make("seed", "run", "DB=.local/second.duckdb")
    assert (demo.path / ".local" / "second.duckdb").exists()
