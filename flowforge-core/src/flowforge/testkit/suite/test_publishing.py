"""The publishing protocol on this engine: a relation is the old one or the new one, and the meta table says which."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, LoadMode, Session
from flowforge.errors import AuditFailedError, ErrorKind
from flowforge.materialize.publish import Audit, Publication, Publisher
from flowforge.state.meta import ensure_meta
from flowforge.testkit.lab import Lab, arrow_table
from flowforge.testkit.marks import requires
from flowforge.values import Relation, RelationKind

pytestmark = requires(Capability.TRANSACTIONAL_DDL)


class Press:
    """Publishes into the lab's place."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.session = lab.session()
        self.meta = ensure_meta(self.session, lab.dialect, lab.namespace)
        self.publisher = Publisher(lab.spec, lab.dialect, lab.namespace, "run1", self.meta, lock_timeout=5.0)

    def publish(
        self,
        name: str,
        select: str | None = None,
        *,
        rows: list[int] | None = None,
        view: bool = False,
        audit: Audit | None = None,
        data_id: str = "d1",
    ) -> int | None:
        def write(session: Session, staged: Relation) -> int:
            return session.load(staged, arrow_table({"x": rows}).to_reader(), LoadMode.CREATE)

        return self.publisher.publish(
            self.session,
            Publication(
                node=f"{name}.ff",
                target=self.lab.relation(name),
                kind=RelationKind.VIEW if view else RelationKind.TABLE,
                fingerprint="",
                data_id=data_id,
                select=select,
                write=write if rows is not None else None,
            ),
            audit,
        ).rows

    def select(self, value: int) -> str:
        return f"SELECT {value} AS {self.lab.names('x')}"

    def notes(self) -> list[tuple[object, ...]]:
        return self.lab.rows(self.session, self.meta, "node_name", "data_id", "rows")

    def standing(self) -> dict[str, RelationKind]:
        found = self.session.relations(self.lab.namespace)
        return {info.relation.name: info.kind for info in found if info.relation.name != self.meta.name}


def test_a_table_from_a_query_and_from_rows(lab: Lab) -> None:
    press = Press(lab)
    press.publish("a", press.select(1))
    assert press.publish("b", rows=[1, 2, 3]) == 3
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert lab.rows(press.session, lab.relation("b")) == [(1,), (2,), (3,)]
    assert [note[:2] for note in press.notes()] == [("a.ff", "d1"), ("b.ff", "d1")]
    assert sorted(press.standing()) == lab.folded("a", "b")


def test_publishing_again_replaces_rows_and_the_note(lab: Lab) -> None:
    press = Press(lab)
    for number in (1, 2, 3):
        press.publish("a", rows=[number], data_id=f"d{number}")
    assert lab.rows(press.session, lab.relation("a")) == [(3,)]
    assert press.notes() == [("a.ff", "d3", 1)]


@requires(Capability.VIEWS)
def test_a_relation_changes_its_kind_and_back(lab: Lab) -> None:
    press = Press(lab)
    for number, view in enumerate([False, True, True, False, True]):
        press.publish("a", press.select(number), view=view)
        assert press.standing() == {lab.folded("a")[0]: RelationKind.VIEW if view else RelationKind.TABLE}
        assert lab.rows(press.session, lab.relation("a")) == [(number,)]


def test_the_audit_sees_the_new_rows_and_can_refuse_them(lab: Lab) -> None:
    press = Press(lab)
    press.publish("a", rows=[1])
    seen = []

    def audit(session: Session, relation_sql: str) -> None:
        seen.extend(lab.rows(session, f"SELECT * FROM {relation_sql}"))
        raise AuditFailedError("no")

    with pytest.raises(AuditFailedError):
        press.publish("a", rows=[2], audit=audit, data_id="d2")
    assert seen == [(2,)]
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.notes() == [("a.ff", "d1", 1)]
    assert list(press.standing()) == lab.folded("a")


def test_a_query_that_fails_leaves_everything_as_it_was(lab: Lab) -> None:
    press = Press(lab)
    press.publish("a", rows=[1])
    with lab.refused(ErrorKind.MISSING):
        press.publish("a", f"SELECT * FROM {lab.sql(lab.relation('ghost'))}", data_id="d2")
    assert lab.rows(press.session, lab.relation("a")) == [(1,)]
    assert press.notes() == [("a.ff", "d1", 1)]
    press.publish("a", rows=[2])  # the session is usable


def test_a_table_made_from_itself(lab: Lab) -> None:
    press = Press(lab)
    press.publish("a", rows=[1, 2])
    x = lab.names("x")
    press.publish("a", f"SELECT {x} + 10 AS {x} FROM {lab.sql(lab.relation('a'))}")
    assert lab.rows(press.session, lab.relation("a")) == [(11,), (12,)]


@pytest.mark.parametrize("name", ["select", "two words", 'quo"te', "dot.ted", "ünïcödé", "UPPER"])
def test_awkward_names(lab: Lab, name: str) -> None:
    press = Press(lab)
    for value in (1, 2):
        press.publish(name, rows=[value])
    assert lab.rows(press.session, lab.relation(name)) == [(2,)]
    assert press.notes() == [(f"{name}.ff", "d1", 1)]
