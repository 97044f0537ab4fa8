"""The publishing protocol on this engine: a relation is the old one or the new one, and the meta table says which."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import pytest

from flowforge.contract import Capability, CreateKind, LoadMode, Session
from flowforge.errors import AuditFailedError, EngineError, ErrorKind
from flowforge.materialize.leftovers import drop_leftovers, find_leftovers
from flowforge.materialize.publish import Audit, Publication, Published, Publisher
from flowforge.materialize.staging import staging_name
from flowforge.state.fingerprint import Fingerprint
from flowforge.state.lease import LEASE_TABLE, Leases
from flowforge.state.meta import MetaRow, ensure_meta, read_meta, read_meta_row
from flowforge.testkit.lab import PATIENCE, Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind

OLD, NEW = (str(Fingerprint(digest, "n", "s")) for digest in ("old", "new"))


class Press:
    """Publishes into the lab's place."""

    def __init__(self, lab: Lab, run_id: str = "run1", *, lock_timeout: float = 5.0) -> None:
        support = lab.spec.support
        if not (support(Capability.TRANSACTIONAL_DDL) or support(Capability.ATOMIC_REPLACE)):
            pytest.skip("nothing can be replaced in one step")
        self.lab = lab
        self.session = lab.session(f"flowforge/{run_id}")
        self.meta = ensure_meta(self.session, lab.dialect, lab.namespace)
        leases = Leases(lab.dialect, lab.namespace, run_id, lambda label: lab.executor.session(label=label))
        self.publisher = Publisher(
            lab.spec, lab.dialect, lab.namespace, run_id, self.meta, lock_timeout=lock_timeout, leases=leases
        )

    def publication(
        self,
        name: str,
        select: str | None = None,
        *,
        rows: list[int] | None = None,
        view: bool = False,
        data_id: str = "d1",
        fingerprint: str = "",
        may_keep: bool = False,
        backing: str | None = None,
        vacant: bool = False,
    ) -> Publication:
        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, arrow_table({"x": rows}).to_reader(), LoadMode.CREATE)

        return Publication(
            node=f"{name}.ff",
            target=self.lab.relation(name),
            kind=RelationKind.VIEW if view else RelationKind.TABLE,
            fingerprint=fingerprint,
            data_id=data_id,
            select=select,
            write=write if rows is not None else None,
            backing=self.lab.relation(backing) if backing else None,
            hash_rows=True,
            may_keep=may_keep,
            vacant=vacant,
        )

    def publish(self, publication: Publication, audit: Audit | None = None) -> Published:
        return self.publisher.publish(self.session, publication, audit)

    def select(self, value: int) -> str:
        return f"SELECT {value} AS {self.lab.names('x')}"

    def note(self, name: str) -> MetaRow:
        found = read_meta(self.session, self.lab.dialect, self.meta)
        row = found[self.lab.dialect.fold(name).casefold()]
        assert row == read_meta_row(self.session, self.lab.dialect, self.meta, row.relation)
        assert self.lab.count(self.session, self.meta) == len(found), "rows of older publications were left"
        return row

    def standing(self) -> dict[str, RelationKind]:
        own = {self.lab.dialect.fold(name) for name in (self.meta.name, LEASE_TABLE)}
        found = self.session.relations(self.lab.namespace)
        return {info.relation.name: info.kind for info in found if info.relation.name not in own}


def refuse(session: Session, relation_sql: str) -> None:
    raise AuditFailedError("no")


def test_a_table_from_a_query_and_from_rows(lab: Lab) -> None:
    press = Press(lab)
    press.publish(press.publication("a", press.select(1)))
    published = press.publish(press.publication("b", rows=[1, 2, 3], data_id="d2", fingerprint=NEW))
    assert (published.rows, published.kept) == (3, False)
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert lab.rows(press.session, lab.relation("b")) == [(1,), (2,), (3,)]
    assert press.note("b") == published.row
    row = press.note("a")
    assert (row.node_name, row.data_id, row.engine, row.run_id, row.fingerprint) == (
        "a.ff",
        "d1",
        lab.spec.name,
        "run1",
        "",
    )
    assert row.layout == press.session.layout(lab.relation("a"))
    assert sorted(press.standing()) == lab.folded("a", "b")


def test_publishing_again_replaces_rows_and_the_note(lab: Lab) -> None:
    press = Press(lab)
    for number in (1, 2, 3):
        press.publish(press.publication("a", rows=[number], data_id=f"d{number}"))
    assert lab.rows(press.session, lab.relation("a")) == [(3,)]
    assert (press.note("a").data_id, press.note("a").rows) == ("d3", 1)


@requires(Capability.VIEWS)
def test_a_relation_changes_its_kind_and_back(lab: Lab) -> None:
    press = Press(lab)
    for number, view in enumerate([False, True, True, False, True]):
        press.publish(press.publication("a", press.select(number), view=view))
        assert press.standing() == {lab.folded("a")[0]: RelationKind.VIEW if view else RelationKind.TABLE}
        assert lab.rows(press.session, lab.relation("a")) == [(number,)]


@requires(Capability.VIEWS)
@pytest.mark.parametrize("view", [False, True])
def test_what_nothing_gives_way_to_is_made_and_noted_like_anything_else(lab: Lab, view: bool) -> None:
    press = Press(lab)
    seen: list[str] = []
    publication = press.publication("a", press.select(1), view=view, data_id="d7", fingerprint=NEW, vacant=True)
    published = press.publish(publication, lambda session, sql: seen.append(sql))
    assert (len(seen), published.kept, press.note("a")) == (1, False, published.row)
    assert published.row.layout == press.session.layout(lab.relation("a"))
    assert press.standing() == {lab.folded("a")[0]: publication.kind}
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    press.publish(press.publication("a", press.select(2), view=view, data_id="d8", vacant=True))
    assert lab.rows(press.session, lab.relation("a")) == [(2,)], "what is noted is never taken for nothing"
    press.publish(press.publication("b", rows=[4, 5], vacant=True))
    assert lab.rows(press.session, lab.relation("b")) == [(4,), (5,)]
    assert len(press.standing()) == 2


@requires(Capability.VIEWS)
@pytest.mark.parametrize("stands", [CreateKind.TABLE, CreateKind.VIEW])
@pytest.mark.parametrize("view", [False, True])
def test_what_came_to_stand_there_meanwhile_gives_way(lab: Lab, stands: CreateKind, view: bool) -> None:
    press = Press(lab)
    press.session.create_as(lab.relation("a"), press.select(9), stands)
    press.publish(press.publication("a", press.select(1), view=view, vacant=True))
    assert press.standing() == {lab.folded("a")[0]: RelationKind.VIEW if view else RelationKind.TABLE}
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.note("a").data_id == "d1"


def test_a_note_whose_relation_is_gone_says_nothing_of_what_is_made_there(lab: Lab) -> None:
    press = Press(lab)
    for number in (1, 2):
        press.publish(press.publication("a", press.select(number), data_id=f"d{number}", fingerprint=NEW))
    press.session.drop(lab.relation("a"), RelationKind.TABLE)
    press.publish(press.publication("a", press.select(3), data_id="d3", vacant=True))
    (row,) = read_meta(press.session, lab.dialect, press.meta).values()
    assert (row.fingerprint, row.data_id in ("d1", "d2")) == ("", False)
    press.publish(press.publication("a", press.select(4), data_id="d4", fingerprint=NEW))
    assert (press.note("a").data_id, press.note("a").fingerprint) == ("d4", NEW)
    assert lab.rows(press.session, lab.relation("a")) == [(4,)]


@requires(Capability.VIEWS)
@pytest.mark.parametrize("view", [False, True])
def test_a_first_build_that_is_refused_or_fails_leaves_nothing(lab: Lab, view: bool) -> None:
    press = Press(lab)
    with pytest.raises(AuditFailedError):
        press.publish(press.publication("a", press.select(1), view=view, vacant=True), refuse)
    if not view:  # not every engine looks at the query of a view
        with lab.refused():
            press.publish(press.publication("a", "SELECT 1 FROM ghost_of_nothing", vacant=True))
    assert press.standing() == {}
    assert read_meta(press.session, lab.dialect, press.meta) == {}


@requires(Capability.VIEWS)
def test_a_view_over_rows(lab: Lab) -> None:
    press = Press(lab)
    for number in (1, 2):
        press.publish(press.publication("v", rows=[number], view=True, backing="under"))
        assert lab.rows(press.session, lab.relation("v")) == [(number,)]
    kinds = press.standing()
    assert [kinds[name] for name in lab.folded("v", "under")] == [RelationKind.VIEW, RelationKind.TABLE]


@pytest.mark.parametrize("rows", [[2], None], ids=["rows", "query"])
def test_the_audit_sees_the_new_rows_and_can_refuse_them(lab: Lab, rows: list[int] | None) -> None:
    press = Press(lab)
    before = press.publish(press.publication("a", rows=[1])).row
    seen = []

    def audit(session: Session, relation_sql: str) -> None:
        seen.extend(lab.rows(session, f"SELECT * FROM {relation_sql}"))
        raise AuditFailedError("no")

    publication = press.publication("a", None if rows else press.select(2), rows=rows, data_id="d2")
    with pytest.raises(AuditFailedError):
        press.publish(publication, audit)
    assert seen == [(2,)]
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.note("a") == before
    assert list(press.standing()) == lab.folded("a")
    assert not press.publisher.settle(lab.session(), publication)


@requires(Capability.VIEWS)
def test_a_view_that_is_refused_leaves_the_table(lab: Lab) -> None:
    press = Press(lab)
    before = press.publish(press.publication("a", rows=[1])).row
    with pytest.raises(AuditFailedError):
        press.publish(press.publication("a", press.select(2), view=True), refuse)
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.note("a") == before


def test_a_query_that_fails_leaves_everything_as_it_was(lab: Lab) -> None:
    press = Press(lab)
    before = press.publish(press.publication("a", rows=[1])).row
    with lab.refused(ErrorKind.MISSING):
        press.publish(press.publication("a", f"SELECT * FROM {lab.sql(lab.relation('ghost'))}", data_id="d2"))
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.note("a") == before
    assert list(press.standing()) == lab.folded("a")
    press.publish(press.publication("a", rows=[2]))  # the session is usable


def test_a_table_made_from_itself(lab: Lab) -> None:
    press = Press(lab)
    press.publish(press.publication("a", rows=[1, 2]))
    x = lab.names("x")
    press.publish(press.publication("a", f"SELECT {x} + 10 AS {x} FROM {lab.sql(lab.relation('a'))}"))
    assert lab.rows(press.session, lab.relation("a")) == [(11,), (12,)]


@requires(Capability.CONTENT_HASH)
def test_equal_rows_are_left_standing_with_their_data_id(lab: Lab) -> None:
    press = Press(lab)
    first = press.publish(press.publication("a", rows=[1, 2], data_id="d1", fingerprint=OLD)).row
    again = press.publish(press.publication("a", rows=[2, 1], data_id="d2", fingerprint=NEW, may_keep=True))
    assert again.kept
    assert (again.row.data_id, again.row.content) == ("d1", first.content)
    assert (again.row.fingerprint, again.row.sequence > first.sequence) == (NEW, True)
    assert press.note("a") == again.row
    assert list(press.standing()) == lab.folded("a")
    other = press.publish(press.publication("a", rows=[2, 3], data_id="d3", fingerprint=OLD, may_keep=True))
    assert (other.kept, other.row.data_id) == (False, "d3")
    assert lab.rows(press.session, lab.relation("a")) == [(2,), (3,)]


@requires(Capability.CONTENT_HASH, telling=False)
def test_rows_of_a_first_build_are_compared_with_those_of_the_next(lab: Lab) -> None:
    press = Press(lab)
    press.publish(press.publication("a", rows=[2, 1], vacant=True))
    again = press.publish(press.publication("a", rows=[1, 2], may_keep=True, data_id="d2", fingerprint=NEW))
    assert (again.kept, press.note("a").data_id, press.note("a").fingerprint) == (True, "d1", NEW)
    third = press.publish(press.publication("a", rows=[2, 1], may_keep=True, data_id="d3", fingerprint=OLD))
    assert (third.kept, third.row.content) == (True, again.row.content)
    for number, rows in enumerate(([1, 3], [1, 2, 2], [])):
        press.publish(press.publication(f"b{number}", rows=[1, 2], vacant=True))
        other = press.publish(press.publication(f"b{number}", rows=rows, may_keep=True, data_id="d2"))
        assert (other.kept, press.note(f"b{number}").data_id) == (False, "d2")
        assert lab.rows(press.session, lab.relation(f"b{number}")) == [(row,) for row in rows]


@requires(Capability.CONTENT_HASH, telling=False)
def test_equal_rows_do_not_count_where_something_else_stands(lab: Lab) -> None:
    press = Press(lab)
    publication = press.publication("a", rows=[1], fingerprint=OLD, may_keep=True)
    press.publish(publication)
    press.session.drop(lab.relation("a"), RelationKind.TABLE)
    assert not press.publish(publication).kept
    press.session.drop(lab.relation("a"), RelationKind.TABLE)
    lab.table(press.session, "a", {"x": [1], "y": [1]})
    assert not press.publish(publication).kept
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]


def test_what_another_run_has_just_built_is_not_built_again(lab: Lab) -> None:
    press = Press(lab)
    theirs = press.publish(press.publication("a", rows=[1], fingerprint=NEW)).row
    mine = Press(lab, "run2").publish(press.publication("a", rows=[2], data_id="d2", fingerprint=NEW, may_keep=True))
    assert (mine.kept, mine.row) == (True, theirs)
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]


@pytest.mark.parametrize("change", [{"may_keep": False}, {"fingerprint": OLD}, {"fingerprint": ""}, {"node": "x.ff"}])
def test_it_is_built_again_where_that_may_matter(lab: Lab, change: dict[str, Any]) -> None:
    press = Press(lab)
    press.publish(press.publication("a", rows=[1], fingerprint=NEW))
    second = attrs.evolve(press.publication("a", rows=[2], fingerprint=NEW, may_keep=True), **change)
    assert not press.publish(second).kept
    assert lab.rows(press.session, lab.relation("a")) == [(2,)]


def test_a_source_of_unknown_state_is_never_the_same(lab: Lab) -> None:
    press = Press(lab)
    unknown = str(Fingerprint("new", "n", None))
    press.publish(press.publication("a", rows=[1], fingerprint=unknown))
    assert not press.publish(press.publication("a", rows=[2], fingerprint=unknown, may_keep=True)).kept


def test_a_commit_of_unknown_end_can_be_settled(lab: Lab) -> None:
    press = Press(lab)
    publication = press.publication("a", rows=[1], fingerprint=NEW)
    assert not press.publisher.settle(press.session, publication)
    press.publish(publication)
    assert press.publisher.settle(lab.session(), publication)
    assert not Press(lab, "run2").publisher.settle(press.session, publication)
    assert not press.publisher.settle(press.session, attrs.evolve(publication, data_id="d2", fingerprint=OLD))


@pytest.mark.parametrize("name", ["select", "two words", 'quo"te', "ünïcödé", "UPPER"])
def test_awkward_names(lab: Lab, name: str) -> None:
    lab.expect_refusal(name)
    press = Press(lab)
    for value in (1, 2):
        press.publish(press.publication(name, rows=[value]))
    assert lab.rows(press.session, lab.relation(name)) == [(2,)]
    (row,) = read_meta(press.session, lab.dialect, press.meta).values()
    assert (row.node_name, row.rows) == (f"{name}.ff", 1)


def test_a_name_with_a_dot_is_not_taken_for_a_schema(lab: Lab) -> None:
    lab.expect_refusal("dot.ted")
    press = Press(lab)
    press.publish(press.publication("dot.ted", rows=[1]))
    assert list(read_meta(press.session, lab.dialect, press.meta)) == ['"dot.ted"']


@requires(Capability.PARALLEL_SESSIONS, telling=False)
def test_two_runs_that_write_one_relation_take_turns(lab: Lab) -> None:
    """The second begins when the first has committed, and then finds that there is nothing left to do."""
    first, second = Press(lab), Press(lab, "run2", lock_timeout=PATIENCE)
    building, go_on = threading.Event(), threading.Event()

    def slowly(session: Session, relation_sql: str) -> None:
        building.set()
        assert go_on.wait(PATIENCE)

    def build(press: Press, value: int, audit: Audit | None) -> Published:
        publication = press.publication("a", rows=[value], data_id=f"d{value}", fingerprint=NEW, may_keep=True)
        return press.publish(publication, audit)

    one = lab.start(build, first, 1, slowly)
    assert building.wait(PATIENCE)
    two = lab.start(build, second, 2, None)
    with pytest.raises(EngineError) as refused:
        Press(lab, "run3", lock_timeout=0.3).publish(first.publication("a", rows=[3]))
    assert refused.value.kind is ErrorKind.LOCKED
    assert "run1" in " ".join([refused.value.message, *refused.value.notes])
    assert not two.done()
    go_on.set()
    assert not one.result(PATIENCE).kept
    assert two.result(PATIENCE).kept
    assert lab.rows(first.session, lab.relation("a")) == [(1,)]
    assert first.note("a").run_id == "run1"


def test_what_a_dead_run_staged_is_found_and_dropped(lab: Lab) -> None:
    press = Press(lab)
    limit = lab.dialect.max_identifier_bytes
    left = [staging_name(name, "run0", limit=limit) for name in ("orders", "n" * 200, "ünï cödé")]
    for name in (*left, staging_name("orders", "run1", limit=limit), "ff_mine", "orders"):
        lab.table(press.session, name, {"x": [1]})
    found = find_leftovers(
        press.session, [lab.namespace], engine=lab.spec, run_id="run1", leases=press.publisher.leases
    )
    assert sorted(one.relation.name for one in found) == sorted(lab.folded(*left))
    assert {one.run_id for one in found} == {"run0"}
    assert drop_leftovers(press.session, found) == found
    assert sorted(press.standing()) == sorted(
        lab.folded("orders", "ff_mine", staging_name("orders", "run1", limit=limit))
    )
