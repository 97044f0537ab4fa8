"""Update by key, insert the rest."""

from __future__ import annotations

from flowforge.contract import Capability
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires

pytestmark = requires(Capability.MERGE)


def test_matches_are_updated_and_others_inserted(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1, 2], "v": ["a", "b"], "other": [10, 20]})
    staged = lab.table(session, "staged", {"v": ["B", "C"], "id": [2, 3], "other": [21, 30]})
    session.merge(target, staged, ["id"], ["id", "v", "other"])
    assert lab.rows(session, target, "id", "v", "other") == [(1, "a", 10), (2, "B", 21), (3, "C", 30)]
    assert lab.count(session, staged) == 2


def test_columns_that_are_not_named_stay(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "v": ["a"], "kept": ["k"]})
    staged = lab.table(session, "staged", {"id": [1, 2], "v": ["A", "B"]})
    session.merge(target, staged, ["id"], ["id", "v"])
    assert lab.rows(session, target, "id", "v", "kept") == [(1, "A", "k"), (2, "B", None)]


def test_a_key_of_several_columns(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"day": [1, 1], "hour": [1, 2], "v": [0, 0]})
    staged = lab.table(session, "staged", {"day": [1, 2], "hour": [2, 2], "v": [7, 8]})
    session.merge(target, staged, ["day", "hour"], ["day", "hour", "v"])
    assert lab.rows(session, target, "day", "hour", "v") == [(1, 1, 0), (1, 2, 7), (2, 2, 8)]


def test_nothing_but_keys(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1]})
    session.merge(target, lab.table(session, "staged", {"id": [1, 2]}), ["id"], ["id"])
    assert lab.rows(session, target) == [(1,), (2,)]


def test_null_is_a_value_to_write(lab: Lab) -> None:
    session = lab.session()
    target = lab.table(session, "target", {"id": [1], "v": ["a"]})
    staged = lab.table(session, "staged", {"id": [1, 2], "v": [None, "b"]})
    session.merge(target, staged, ["id"], ["id", "v"])
    assert lab.rows(session, target, "id", "v") == [(1, None), (2, "b")]


def test_names_that_need_quotes(lab: Lab) -> None:
    session = lab.session()
    for name in ("tar get", "sta.ged"):
        lab.expect_refusal(name)
    target = lab.table(session, "tar get", {"the key": [1], "order": ["a"]})
    staged = lab.table(session, "sta.ged", {"the key": [1, 2], "order": ["A", "B"]})
    session.merge(target, staged, ["the key"], ["the key", "order"])
    assert lab.rows(session, target, "the key", "order") == [(1, "A"), (2, "B")]
