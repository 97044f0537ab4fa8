"""Checks that read several tables, in a build and alone: the last table waits for its check, and the others stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge.errors import FlowForgeError
from flowforge.events import Status

SHOP: Mapping[str, str] = {
    "seeds/users.csv": "id,name\n1,Ada\n2,Bo\n",
    "seeds/orders.csv": "id,user_id,amount\n1,1,10\n2,2,20\n3,,30\n",
    "models/sums.ff.sql": "select count(*) as n, sum(amount) as total from {{ ref('orders') }}\n",
    "models/small.ff.sql": "{{ config(materialized='ephemeral') }}\nselect * from {{ ref('users') }} where id < 2\n",
    "models/checks.yml": """
version: 1
seeds:
  - name: orders
    columns:
      - name: user_id
        tests:
          - relationships: {to: ref('users'), to_field: id}
""",
}
EQUAL = """
name: demo
version: 1
tests:
  - type: reconcile_equal
    left: {table: orders, expr: sum(amount)}
    right: {table: ref('sums'), expr: max(total)}
"""


def statuses(result: Any) -> dict[str, Status]:
    return {node.node.removesuffix(".ff"): node.status for node in result.nodes}


def test_all_is_well(make: Callable[..., Any]) -> None:
    project = make({**SHOP, "project.yml": EQUAL})
    built = project.build()
    assert built.ok, built.errors
    assert {check.type: check.status for check in built.checks} == {
        "relationships": Status.SUCCESS,
        "reconcile_equal": Status.SUCCESS,
    }
    tested = project.test()
    assert tested.ok
    assert len(tested.checks) == 2


def test_the_checked_table_is_not_published_without_its_keys(
    make: Callable[..., Any], rows: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    """``users`` comes after ``orders`` by name, and neither reads the other."""
    project = make({**SHOP, "seeds/orders.csv": "id,user_id,amount\n1,7,10\n"})
    built = project.build()
    assert built.exit_code == 2
    assert statuses(built) == {"users": Status.SUCCESS, "orders": Status.FAIL, "sums": Status.SKIPPED}
    (check,) = built.checks
    assert check.message == "orders.user_id has 1 row whose value is not in ref('users').id"
    assert set(relations(project)) & {"users", "orders", "sums"} == {"users"}


def test_what_is_compared_with_its_source_is_checked_last(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    project = make({**SHOP, "project.yml": EQUAL})
    assert project.build().ok
    wrong = make(
        {**SHOP, "project.yml": EQUAL, "models/sums.ff.sql": "select 1 as n, 61 as total from {{ ref('orders') }}\n"}
    )
    built = wrong.build()
    assert statuses(built)["orders"] is Status.CACHED
    assert statuses(built)["sums"] is Status.FAIL
    assert rows(wrong, "sums") == [(3, 60)]
    (finding,) = (check for check in built.checks if check.status is Status.FAIL)
    assert finding.message == "orders is 60 on the left and 61 on the right; the difference is 1"
    assert wrong.test().ok  # the old table stands, and it is right


def test_an_ephemeral_model_may_be_what_keys_point_to(make: Callable[..., Any]) -> None:
    project = make({**SHOP, "models/checks.yml": SHOP["models/checks.yml"].replace("ref('users')", "small")})
    built = project.build()
    assert [check.message for check in built.checks] == ["orders.user_id has 1 row whose value is not in small.id"]
    assert project.select(["orders"])


def test_an_unknown_source_is_told_when_loading(make: Callable[..., Any]) -> None:
    with pytest.raises(FlowForgeError) as caught:
        make(
            {
                **SHOP,
                "models/checks.yml": SHOP["models/checks.yml"].replace("ref('users')", "\"source('crm', 'users')\""),
            }
        )
    assert "crm.users" in str(caught.value)


def test_a_source_of_the_project_itself_is_its_node(make: Callable[..., Any]) -> None:
    project = make(
        {
            **SHOP,
            "sources.yml": "crm:\n  people: {identifier: users}\n",
            "models/checks.yml": SHOP["models/checks.yml"].replace("ref('users')", "\"source('crm', 'people')\""),
        }
    )
    (check,) = project.manifest.checks
    assert [table.node for table in check.reads] == ["users"]
    assert project.build().ok
