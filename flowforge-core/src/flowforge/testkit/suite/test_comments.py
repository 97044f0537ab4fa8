"""Descriptions in the database."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.errors import ErrorKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires
from flowforge.values import RelationKind

pytestmark = requires(Capability.COMMENTS)

TEXTS = ["Plain words.", 'It\'s "quoted"; -- DROP', "two\nlines", "日本語 🦆", "back\\slash 100% {{ x }}", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_comments_come_back(lab: Lab, text: str) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1], "some name": [2], "bare": [3]})
    session.comment(table, text or None, {"id": text, "some name": "x"} if text else {})
    expected = dict(zip(lab.folded("id", "some name"), [text, "x"], strict=True)) if text else {}
    assert session.comments(table) == (text or None, expected)


@requires(Capability.VIEWS)
def test_comments_on_a_view(lab: Lab) -> None:
    session = lab.session()
    view = lab.relation("v")
    session.create_as(view, f"SELECT 1 AS {lab.names('id')}", CreateKind.VIEW)
    session.comment(view, "a view", {})
    assert session.comments(view)[0] == "a view"
    assert session.kind_of(view) is RelationKind.VIEW


def test_comments_are_replaced_and_removed(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    session.comment(table, "first", {})
    session.comment(table, "second", {"id": "column"})
    assert session.comments(table) == ("second", dict(zip(lab.folded("id"), ["column"], strict=True)))
    session.comment(table, None, {})
    assert session.comments(table)[0] is None


def test_comments_belong_to_the_transaction_that_publishes(lab: Lab) -> None:
    session = lab.session()
    target = lab.relation("target")
    with session.transaction():
        staged = lab.table(session, "staged", {"id": [1]})
        session.replace(staged, target)
        session.comment(target, "new", {"id": "key"})
    assert session.comments(target)[0] == "new"


def test_a_column_that_does_not_exist(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    with lab.refused(ErrorKind.MISSING):
        session.comment(table, None, {"ghost": "x"})
