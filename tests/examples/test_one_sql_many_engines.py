"""Rows of the example whose SQL is written for other engines, worked out on paper; on PostgreSQL they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CopyExample = Callable[[str], Any]


def test_sql_of_one_engine_on_many(copy_example: CopyExample) -> None:
    example = copy_example("one_sql_many_engines")
    assert "warning" not in example.build().err
    columns = "order_id, customer, cast(euros as varchar), month"
    assert example.query(f"select {columns} from latest order by order_id") == [
        (1, "ada", "10.00", "2024-03"),
        (4, "cyd", None, "2024-04"),
        (5, "bob", "3.33", "2024-05"),
    ]
    columns = "cast(month as varchar), orders, cast(mean_cents as varchar), last_second, customers"
    assert example.query(f"select {columns} from by_month order by 1") == [
        ("2024-03-01", 2, "625.00", 59, "ada, bob"),
        ("2024-04-01", 2, "352.50", 0, "ada, cyd"),
        ("2024-05-01", 1, "333.00", 0, "bob"),
    ]
    columns = "customer, large_orders, largest, days, cast(reminded_on as varchar), state"
    assert example.query(f"select {columns} from customers order by 1") == [
        ("ada", 2, 1000, 32, "2024-04-16", "complete"),
        ("bob", 1, 333, 91, "2024-06-14", "complete"),
        ("cyd", 0, None, 0, "2024-05-14", "open"),
    ]
    outcome = example.flowforge("compile", "one_sql_many_engines", "--engine", "postgres", "-s", "latest")
    assert outcome.code == 0, outcome.text
    assert "qualify" not in outcome.out.lower()
