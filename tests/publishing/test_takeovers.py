"""Publishing without locks: a run that was suspended for too long, and what cannot be replaced in one step."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from flowforge.contract import Capability, Index, Session, TableOptions, unsupported
from flowforge.errors import AuditFailedError, EngineError, ErrorKind, InternalError, UnsupportedError
from flowforge.materialize.publish import Published
from flowforge.values import Relation, RelationKind
from flowforge_plain.place import Place


def take_over(place: Place, value: int) -> Published:
    """Another run finds the lease at its end, and publishes."""
    leases = place.leases()
    session = place.session()
    table = place.executor.dialect.render(leases.table)
    session.execute(f"UPDATE {table} SET until_ms = 1 WHERE holder <> ''")
    return place.publisher(f"run{value}", lock_timeout=0).publish(session, place.publication("a", value), None)


class Meddled:
    """A session that lets something happen before or after one kind of step."""

    def __init__(self, session: Session, **steps: Any) -> None:
        self._session = session
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return self._steps.get(name, getattr(self._session, name))


def test_who_lost_the_lease_before_replacing_replaces_nothing(plain: Place) -> None:
    plain.ensure_meta()
    other: list[Published] = []

    def audit(session: Session, relation_sql: str) -> None:
        other.append(take_over(plain, 2))

    with pytest.raises(EngineError) as caught:
        plain.publisher("run1").publish(plain.session(), plain.publication("a", 1), audit)
    assert caught.value.code == "FF2303"
    assert set(plain.rows("a")) == {(2,)}
    assert plain.notes()["a"] == other[0].row
    assert not plain.staged()


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_lost_the_lease_while_replacing_leaves_a_note_that_nobody_knows(plain: Place, when: str) -> None:
    """Whoever of the two came last: no fingerprint claims the rows of the other."""
    plain.ensure_meta()
    session = plain.session()

    def replace(staged: Relation, target: Relation) -> None:
        if when == "before":
            take_over(plain, 2)
        session.replace(staged, target)
        if when == "after":
            take_over(plain, 2)

    with pytest.raises(EngineError) as caught:
        plain.publisher("run1").publish(Meddled(session, replace=replace), plain.publication("a", 1), None)  # type: ignore[arg-type]
    assert caught.value.code == "FF2303"
    assert set(plain.rows("a")) == {(1 if when == "before" else 2,)}
    note = plain.notes()["a"]
    assert (note.fingerprint, note.content) == ("", "")
    assert note.data_id not in ("d1", "d2")
    third = plain.publisher("run3").publish(plain.session(), plain.publication("a", 3), None)
    assert plain.notes()["a"] == third.row


def test_while_it_is_replaced_nobody_is_told_an_id_that_will_be_seen_again(plain: Place) -> None:
    plain.ensure_meta()
    publisher, session = plain.publisher("run1"), plain.session()
    publisher.publish(session, plain.publication("a", 1), None)
    seen = []

    def replace(staged: Relation, target: Relation) -> None:
        seen.append(plain.notes()["a"])
        session.replace(staged, target)
        seen.append(plain.notes()["a"])

    publisher.publish(Meddled(session, replace=replace), plain.publication("a", 2), None)  # type: ignore[arg-type]
    assert [note.fingerprint for note in seen] == ["", ""]
    assert not {note.data_id for note in seen} & {"d1", "d2"}


def test_a_replacement_that_fails_is_cleared_away_and_not_claimed(plain: Place) -> None:
    plain.ensure_meta()
    publisher, session = plain.publisher("run1"), plain.session()
    publisher.publish(session, plain.publication("a", 1), None)

    def replace(staged: Relation, target: Relation) -> None:
        raise EngineError("no", kind=ErrorKind.DISK)

    with pytest.raises(EngineError, match="no"):
        publisher.publish(Meddled(session, replace=replace), plain.publication("a", 2), None)  # type: ignore[arg-type]
    assert set(plain.rows("a")) == {(1,)}
    assert plain.notes()["a"].fingerprint == ""
    assert not plain.staged()
    assert publisher.publish(session, plain.publication("a", 2), None).row.fingerprint


def test_what_cannot_be_cleared_away_does_not_hide_why(plain: Place) -> None:
    plain.ensure_meta()
    session = plain.session()

    def audit(session: Session, relation_sql: str) -> None:
        raise AuditFailedError("no")

    def drop(relation: Relation, kind: RelationKind) -> None:
        if audited:
            raise OSError("the connection is gone")
        session.drop(relation, kind)

    audited: list[str] = []

    def auditing(session: Session, relation_sql: str) -> None:
        audited.append(relation_sql)
        audit(session, relation_sql)

    with pytest.raises(AuditFailedError):
        plain.publisher("run1").publish(Meddled(session, drop=drop), plain.publication("a", 1), auditing)  # type: ignore[arg-type]
    assert len(plain.staged()) == 1
    plain.publisher("run1").publish(session, plain.publication("a", 1), None)  # the same name, once more
    assert not plain.staged()


def without(place: Place, *capabilities: Capability) -> Place:
    said = {**place.spec.capabilities, **dict.fromkeys(capabilities, unsupported("of this test"))}
    return attrs.evolve(place, spec=attrs.evolve(place.spec, capabilities=said))


def test_what_cannot_be_replaced_in_one_step_is_refused_before_anything_is_written(plain: Place) -> None:
    plain.ensure_meta()
    poor = without(plain, Capability.ATOMIC_REPLACE)
    publisher, session = poor.publisher("run1"), poor.session()
    with pytest.raises(UnsupportedError, match="of this test") as caught:
        publisher.publish(session, poor.publication("a", 1), None)
    assert "allow_non_atomic" in (caught.value.help or "")
    assert session.kind_of(poor.leases().table) is None
    publisher.publish(session, poor.publication("a", 1, allow_non_atomic=True), None)
    assert set(poor.rows("a")) == {(1,)}
    publisher.publish(
        session, poor.publication("v", 1, kind=RelationKind.VIEW, write=None, select="SELECT 1 AS x"), None
    )
    assert poor.rows("v") == [(1,)]


def test_transactions_without_locks_replace_in_a_transaction(place: Place) -> None:
    if not place.spec.support(Capability.TRANSACTIONAL_DDL):
        pytest.skip(f"{place.spec.name} has no transactions around DDL, as it says of itself")
    poor = without(place, Capability.LOCKS, Capability.ATOMIC_REPLACE)
    poor.ensure_meta()
    session = poor.session()
    for value in (1, 2):
        poor.publisher("run1").publish(session, poor.publication("a", value), None)
        assert set(poor.rows("a")) == {(value,)}

    def replace_view(target: Relation, select: str) -> None:
        raise EngineError("no")

    changed = poor.publication("a", 3, backing=poor.relation("under"), kind=RelationKind.VIEW)
    with pytest.raises(EngineError, match="no"):
        poor.publisher("run1").publish(Meddled(session, replace_view=replace_view), changed, None)  # type: ignore[arg-type]
    assert session.kind_of(poor.relation("under")) is None
    assert set(poor.rows("a")) == {(2,)}


def test_without_leases_it_is_a_defect(plain: Place) -> None:
    plain.ensure_meta()
    publisher = attrs.evolve(plain.publisher("run1"), leases=None)
    with pytest.raises(InternalError):
        publisher.publish(plain.session(), plain.publication("a", 1), None)
    publisher.cancel()


def test_a_cancelled_publisher_waits_for_nobody(plain: Place) -> None:
    plain.ensure_meta()
    waiting = plain.publisher("run2")

    def audit(session: Session, relation_sql: str) -> None:
        waiting.cancel()
        with pytest.raises(EngineError) as caught:
            waiting.publish(plain.session(), plain.publication("a", 2), None)
        assert caught.value.kind is ErrorKind.CANCELLED

    plain.publisher("run1").publish(plain.session(), plain.publication("a", 1), audit)
    assert set(plain.rows("a")) == {(1,)}


def test_rows_made_with_other_options_are_never_taken_for_equal(place: Place) -> None:
    """What is noted of rows says with which options their table was made."""
    place.ensure_meta()
    publisher, session = place.publisher("run1"), place.session()
    made = place.publication("a", 1, may_keep=True)
    publisher.publish(session, made, None)
    other = attrs.evolve(made, fingerprint="", options=TableOptions(indexes=(Index(("x",)),)))
    assert not publisher.publish(session, other, None).kept
    again = publisher.publish(session, other, None)
    assert again.kept == bool(place.spec.support(Capability.CONTENT_HASH))
    assert not publisher.publish(session, attrs.evolve(made, fingerprint=""), None).kept
