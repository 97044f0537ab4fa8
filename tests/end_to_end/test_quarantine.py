"""A project whose bad rows are put aside: what is published, what is decided, and what makes a model out of date."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge.api.quarantine import (
    Choice,
    decisions,
    drop,
    held_rows,
    hold,
    log_of_decisions,
    quarantines,
    release,
)
from flowforge.errors import FlowForgeError, NothingSelectedError, UsageError
from flowforge.events import Status

CHECKS = """
version: 1
models:
  - name: orders
    columns:
      - name: id
        checks: [{unique: {on_fail: quarantine, name: doubled}}]
      - name: customer
        checks: [{relationships: {to: ref('customers'), on_fail: quarantine, name: stranger}}]
      - name: amount
        checks: [{greater_equal: {on_fail: quarantine, name: negative}}, not_null]
"""
SHOP: Mapping[str, str] = {
    "seeds/customers.csv": "id,name\n1,Ada\n2,Bo\n",
    "seeds/raw.csv": "id,customer,amount\n1,1,10\n2,9,20\n3,2,-5\n4,2,7\n4,2,8\n",
    "models/orders.ff.sql": "select * from {{ ref('raw') }}\n",
    "models/total.ff.sql": "select count(*) as n from {{ ref('orders') }}\n",
    "models/checks.yml": CHECKS,
}


def statuses(result: Any) -> dict[str, Status]:
    return {node.node.removesuffix(".ff"): node.status for node in result.nodes}


def aside(project: Any) -> dict[str, int]:
    return {name: count for held in quarantines(project) for name, count in held.reasons.items()}


def flaws(make: Callable[..., Any], files: Mapping[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(FlowForgeError) as caught:
        make({**SHOP, **files})
    errors = getattr(caught.value, "errors", (caught.value,))
    return [(error.code, str(error.location)) for error in errors]


@pytest.mark.parametrize("command", ["build", "run"])
def test_good_rows_are_published(make: Callable[..., Any], rows: Callable[..., Any], command: str) -> None:
    project = make(SHOP)
    assert project.seed().ok
    result = getattr(project, command)()
    assert result.exit_code == 0, result.errors
    assert rows(project, "orders") == [(1, 1, 10)]
    assert result.quarantined == 4
    assert aside(project) == {"doubled": 2, "negative": 1, "stranger": 1}
    found = {check.check: (check.status, check.failures) for check in result.checks}
    if command == "build":
        assert found["doubled"] == (Status.WARN, 2)
        assert found["stranger"] == (Status.WARN, 1)
        assert found["not_null_orders_amount"] == (Status.SUCCESS, 0)
    assert project.test().ok
    again = getattr(project, command)()
    assert set(statuses(again).values()) == {Status.CACHED}


def test_a_row_is_stored_once_with_all_its_reasons(make: Callable[..., Any]) -> None:
    project = make({**SHOP, "seeds/raw.csv": "id,customer,amount\n1,1,10\n2,9,-5\n"})
    assert project.build().ok
    (row,) = held_rows(project, "orders").to_pylist()
    assert json.loads(row["_ff_reasons"]) == ["doubled", "stranger", "negative"][1:]
    assert (row["id"], row["customer"], row["amount"], row["_ff_node"]) == (2, 9, -5, "orders")


def test_a_release_survives_rebuilds_and_is_a_reason_to_build(
    make: Callable[..., Any], rows: Callable[..., Any]
) -> None:
    project = make(SHOP)
    assert project.build().ok
    assert release(project, "orders", Choice(checks=("doubled",)), note="two of them") == 2
    assert release(project, "orders", Choice(checks=("doubled",))) == 0
    plan = project.plan()
    assert plan.steps["orders.ff"].reason == "rows were released from its quarantine, or a release was taken back"
    assert project.build().ok
    assert rows(project, "orders") == [(1, 1, 10), (4, 2, 7), (4, 2, 8)]
    assert rows(project, "total") == [(3,)]
    assert aside(project) == {"negative": 1, "stranger": 1}
    assert project.test().ok
    assert set(statuses(project.build()).values()) == {Status.CACHED}
    changed = make({**SHOP, "seeds/raw.csv": SHOP["seeds/raw.csv"] + "5,1,1\n"})
    assert changed.build().ok
    assert rows(changed, "orders") == [(1, 1, 10), (4, 2, 7), (4, 2, 8), (5, 1, 1)]
    other = make({**SHOP, "seeds/raw.csv": SHOP["seeds/raw.csv"].replace("4,2,8", "4,2,9")})
    assert other.build().ok
    assert rows(other, "orders") == [(1, 1, 10), (4, 2, 7)]  # the row that was released is another one now
    told = [(one.decision, one.check_name, one.note) for one in decisions(other, "orders")]
    assert told[:2] == [("release", "doubled", "two of them")] * 2
    assert {one.decided_by != "" for one in decisions(other, "orders") if one.decision == "release"} == {True}


def test_what_is_dropped_is_never_seen_again(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    project = make(SHOP)
    assert project.build().ok
    (row,) = held_rows(project, "orders", Choice(checks=("negative",))).to_pylist()
    assert drop(project, "orders", Choice(hashes=(row["_ff_row_hash"][:8],))) == 1
    assert aside(project) == {"doubled": 2, "stranger": 1}
    changed = make({**SHOP, "seeds/raw.csv": SHOP["seeds/raw.csv"] + "5,1,1\n"})
    assert changed.build().ok
    assert aside(changed) == {"doubled": 2, "stranger": 1}
    assert rows(changed, "orders") == [(1, 1, 10), (5, 1, 1)]


def test_the_other_table_of_a_check_makes_the_model_out_of_date(
    make: Callable[..., Any], rows: Callable[..., Any]
) -> None:
    assert make(SHOP).build().ok
    project = make({**SHOP, "seeds/customers.csv": SHOP["seeds/customers.csv"] + "9,Cy\n"})
    result = project.run(select="orders")
    assert statuses(result) == {"orders": Status.CACHED}  # the seed is not loaded yet
    assert project.seed().ok
    assert statuses(project.run(select="orders")) == {"orders": Status.SUCCESS}
    assert rows(project, "orders") == [(1, 1, 10), (2, 9, 20)]
    assert aside(project) == {"doubled": 2, "negative": 1}


def test_above_the_limit_nothing_is_replaced(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    assert make({**SHOP, "seeds/raw.csv": "id,customer,amount\n1,1,10\n"}).build().ok
    limited = CHECKS.replace("name: doubled", 'name: doubled, error_if: "> 30%"')
    project = make({**SHOP, "models/checks.yml": limited})
    result = project.build()
    assert result.exit_code == 2
    assert statuses(result)["orders"] is Status.FAIL
    assert rows(project, "orders") == [(1, 1, 10)]
    assert aside(project) == {}
    enough = CHECKS.replace("name: doubled", 'name: doubled, error_if: "> 50%"')
    assert make({**SHOP, "models/checks.yml": enough}).build().ok


def test_a_model_says_it_for_checks_that_say_nothing(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    checks = """
version: 1
models:
  - name: orders
    checks: [{row_count_between: {min_rows: 9}}]
    columns:
      - name: amount
        checks: [{greater_equal: {name: negative}}, {between: {max: 9, severity: warn, name: high}}]
"""
    config = "{{ config(on_fail='quarantine') }}\n"
    files = {**SHOP, "models/checks.yml": checks, "models/orders.ff.sql": config + SHOP["models/orders.ff.sql"]}
    result = make(files).build()
    assert statuses(result)["orders"] is Status.FAIL  # nobody can put a missing row aside
    result = make({**files, "models/checks.yml": checks.replace("min_rows: 9", "min_rows: 2")}).build()
    assert result.ok
    found = {check.type: check.status for check in result.checks}
    assert found == {"row_count_between": Status.SUCCESS, "greater_equal": Status.WARN, "between": Status.WARN}
    warned = make(
        {**files, "models/orders.ff.sql": config.replace("quarantine", "warn") + SHOP["models/orders.ff.sql"]}
    )
    assert warned.build().ok
    assert len(rows(warned, "orders")) == 5


def test_a_quarantine_without_checks_is_given_up(make: Callable[..., Any], relations: Callable[..., Any]) -> None:
    assert make(SHOP).build().ok
    project = make({**SHOP, "models/checks.yml": "version: 1\n"})
    assert project.build().ok
    assert "_ff_quarantine_orders" not in relations(project)
    assert quarantines(project) == ()


def test_released_rows_are_added_to_a_table_that_grows(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    config = "{{ config(materialized='incremental', unique_key='id', updated_at='id') }}\n"
    files = {**SHOP, "models/orders.ff.sql": config + SHOP["models/orders.ff.sql"]}
    project = make(files)
    assert project.build().ok
    assert rows(project, "orders") == [(1, 1, 10)]
    later = make({**files, "seeds/raw.csv": "id,customer,amount\n5,1,1\n6,1,-1\n"})
    assert later.build().ok
    assert rows(later, "orders") == [(1, 1, 10), (5, 1, 1)]
    assert aside(later) == {"doubled": 2, "negative": 2, "stranger": 1}
    assert release(later, "orders", Choice(checks=("negative",))) == 2
    (held,) = quarantines(later)
    assert (held.rows, held.released) == (5, 2)
    result = later.run()
    assert result.ok, result.errors
    assert rows(later, "orders") == [(1, 1, 10), (3, 2, -5), (5, 1, 1), (6, 1, -1)]
    assert aside(later) == {"doubled": 2, "stranger": 1}


def test_what_cannot_be_put_aside_is_refused_at_its_place(make: Callable[..., Any]) -> None:
    def checked(name: str, check: str) -> dict[str, str]:
        return {"models/checks.yml": f"version: 1\nmodels:\n  - name: {name}\n    checks:\n      - {check}\n"}

    of_table = checked("orders", "row_count_between: {on_fail: quarantine}")
    assert flaws(make, of_table) == [("FF3020", "models/checks.yml:5:38")]
    assert flaws(make, checked("orders", "no_gaps: {column: id, on_fail: quarantine}"))[0][0] == "FF3020"
    assert flaws(make, checked("raw", "not_null: {column: id, on_fail: quarantine}"))[0][0] == "FF3021"
    view = {"models/orders.ff.sql": "{{ config(materialized='view') }} select 1 as id"}
    assert flaws(make, {**view, **checked("orders", "not_null: {column: id, on_fail: quarantine}")})[0][0] == "FF3021"
    parts = "{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='id', KEY) }} select 1 as id"
    told = flaws(
        make,
        {
            **checked("orders", "not_null: {column: id}"),
            "models/orders.ff.sql": parts.replace("KEY", "on_fail='quarantine'"),
        },
    )
    assert "FF1151" in {code for code, _ in told}
    both = "not_null: {column: id, on_fail: quarantine, severity: warn}"
    assert flaws(make, checked("orders", both))[0][0] == "FF1005"
    later = "relationships: {column: id, to: ref('total'), to_field: n, on_fail: quarantine}"
    assert flaws(make, checked("orders", later))[0][0] == "FF3022"
    strange = "relationships: {column: id, to: others.customers, on_fail: quarantine}"
    assert flaws(make, checked("orders", strange))[0][0] == "FF3022"


def test_a_check_that_cannot_be_applied_publishes_nothing(
    make: Callable[..., Any], relations: Callable[..., Any]
) -> None:
    checks = (
        "version: 1\nmodels: [{name: orders, columns: [{name: colour, checks: [{not_null: {on_fail: quarantine}}]}]}]\n"
    )
    project = make({**SHOP, "models/checks.yml": checks})
    result = project.run(select="+orders", options=None)
    project.seed()
    result = project.run(select="orders")
    assert result.exit_code == 1
    (error,) = result.errors
    assert error.code == "FF3004"
    assert error.location.path == "models/checks.yml"
    assert "orders" not in relations(project)


def test_a_release_that_is_taken_back_counts_from_the_next_build(
    make: Callable[..., Any], rows: Callable[..., Any]
) -> None:
    project = make(SHOP)
    assert project.build().exit_code == 0
    assert release(project, "orders", Choice(everything=True), note="all of them") == 4
    assert project.build().exit_code == 0
    assert len(rows(project, "orders")) == 5
    assert project.test().ok
    (two, *_) = (entry for entry in log_of_decisions(project) if entry.check_name == "negative")
    assert (two.decision, two.rows, two.note) == ("release", 1, "all of them")
    assert two.row_hash is not None
    assert hold(project, "orders", Choice(hashes=(two.row_hash[:8],)), note="no") == 1
    assert not project.test().ok
    plan = project.plan()
    assert plan.steps["orders.ff"].reason == "rows were released from its quarantine, or a release was taken back"
    assert project.build().exit_code == 0
    assert (len(rows(project, "orders")), aside(project)) == (4, {"negative": 1})
    assert {node.status for node in project.build().nodes} == {Status.CACHED}
    assert hold(project, "orders", Choice(checks=("doubled", "stranger"))) == 3
    with pytest.raises(NothingSelectedError):
        hold(project, "orders", Choice(everything=True))
    assert project.build().exit_code == 0
    assert rows(project, "orders") == [(1, 1, 10)]
    assert release(project, "orders", Choice(hashes=(two.row_hash,))) == 1
    assert project.build().exit_code == 0
    assert len(rows(project, "orders")) == 2
    said = [(entry.decision, entry.check_name, entry.rows) for entry in log_of_decisions(project, limit=None)]
    assert said == [
        ("left", None, 1),
        ("release", "negative", 1),
        ("hold", "doubled", 2),
        ("hold", "stranger", 1),
        ("hold", "negative", 1),
        ("left", None, 4),
        ("release", "doubled", 2),
        ("release", "negative", 1),
        ("release", "stranger", 1),
    ]
    assert len(log_of_decisions(project, limit=2)) == 2
    assert len(log_of_decisions(project, ["total"])) == 0
    assert {one.decision for one in log_of_decisions(project, ["orders"], choice=Choice(checks=("doubled",)))} == {
        "release",
        "hold",
    }
    assert len(log_of_decisions(project, choice=Choice(hashes=(two.row_hash[:6],)))) == 3


def test_what_is_not_released_cannot_be_held_again(make: Callable[..., Any]) -> None:
    project = make(SHOP)
    assert project.build().exit_code == 0
    assert log_of_decisions(project) == []
    with pytest.raises(NothingSelectedError):
        hold(project, "orders", Choice(everything=True))
    release(project, "orders", Choice(checks=("doubled",)))
    for choice, code in (
        (Choice(), "FF3027"),
        (Choice(checks=("negative",)), "FF3026"),
        (Choice(hashes=("00000000",)), "FF3026"),
        (Choice(hashes=("!",)), "FF3026"),
    ):
        with pytest.raises(UsageError) as caught:
            hold(project, "orders", choice)
        assert caught.value.code == code


def test_a_clock_that_goes_back_does_not_turn_decisions_around(
    make: Callable[..., Any], rows: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Past:
            return cls(2001, 1, 1, tzinfo=tz)

    project = make(SHOP)
    assert project.build().exit_code == 0
    release(project, "orders", Choice(everything=True))
    with monkeypatch.context() as patch:
        patch.setattr("flowforge.api.quarantine_desk.dt.datetime", Past)
        assert hold(project, "orders", Choice(everything=True)) == 4
    assert project.build().exit_code == 0
    assert len(rows(project, "orders")) == 1


def test_decisions_about_rows_that_are_not_there(make: Callable[..., Any]) -> None:
    project = make(SHOP)
    with pytest.raises(NothingSelectedError):
        held_rows(project, "orders")
    assert project.build().ok
    for choice in (Choice(), Choice(checks=("negativ",)), Choice(hashes=("zzzzzz",)), Choice(hashes=("a' or 1=1",))):
        with pytest.raises(UsageError):
            release(project, "orders", choice)
    with pytest.raises(UsageError):
        drop(project, "nothing", Choice(everything=True))


def test_the_command_line_says_how_many_rows_and_reviews_them(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from flowforge.cli.main import run

    root = make(SHOP).root
    assert run(["build", str(root)]) == 0
    told = capsys.readouterr().err
    assert "! stranger: orders.customer: 1 row was put into quarantine" in told
    assert "4 rows quarantined" in told.splitlines()[-1]
    assert run(["quarantine", "ls", str(root), "--json"]) == 0
    (listed,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (listed["model"], listed["rows"], listed["checks"]["doubled"]) == ("orders", 4, 2)
    here = ["-C", str(root), "orders"]
    assert run(["quarantine", "show", *here, "--check", "negative", "--json"]) == 0
    (shown,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (shown["id"], shown["_ff_reasons"]) == (3, '["negative"]')
    assert run(["quarantine", "release", *here]) == 64
    assert run(["quarantine", "release", *here, "--row", shown["_ff_row_hash"], "--note", "a refund"]) == 0
    assert "1 row of orders released" in capsys.readouterr().err
    assert run(["build", str(root), "-s", "orders"]) == 0
    assert "3 rows quarantined" in capsys.readouterr().err
    assert run(["quarantine", "hold", *here]) == 64
    assert run(["quarantine", "hold", *here, "--all", "--note", "no refund"]) == 0
    assert "1 row of orders held again; `flowforge build -s orders`" in capsys.readouterr().err
    assert run(["quarantine", "hold", *here, "--all"]) == 5
    capsys.readouterr()
    assert run(["quarantine", "log", str(root), "--limit", "2"]) == 0
    held, left = capsys.readouterr().out.splitlines()
    assert f'hold     orders  negative  row {shown["_ff_row_hash"][:12]}  "no refund"' in held
    assert "a run       left     orders  1 row" in left
    assert run(["quarantine", "log", str(root), "-s", "orders", "--check", "negative", "--format", "json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["decision"], one["model"], one["rows"], one["note"]) for one in told] == [
        ("hold", "orders", 1, "no refund"),
        ("release", "orders", 1, "a refund"),
    ]
    assert run(["quarantine", "log", str(root), "-s", "total"]) == 0
    assert "Nothing was decided" in capsys.readouterr().err
    assert run(["quarantine", "log", str(root), "--row", "?"]) == 64
    assert run(["build", str(root), "-s", "orders"]) == 0
    capsys.readouterr()
    assert run(["quarantine", "drop", *here, "--all"]) == 0
    assert run(["quarantine", "ls", str(root)]) == 0
    assert "No rows are in quarantine." in capsys.readouterr().err
    assert run(["quarantine", "show", *here]) == 5
