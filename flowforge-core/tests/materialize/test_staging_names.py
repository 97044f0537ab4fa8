"""Names of staging relations, and finding them again."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowforge.contract import FULL, Capability, EngineSpec
from flowforge.materialize.leftovers import Leftover, cleaned, drop_leftovers, find_leftovers
from flowforge.materialize.staging import STAGED, run_word, staging_name
from flowforge.run.options import new_run_id
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
HOME = Namespace("main")


@given(name=NAMES, limit=st.sampled_from([None, 63, 128]))
def test_they_fit_and_tell_their_run(name: str, limit: int | None) -> None:
    run_id = new_run_id()
    staged = staging_name(name, run_id, limit=limit)
    assert limit is None or len(staged.encode()) <= limit
    found = STAGED.fullmatch(staged)
    assert found
    assert found["run"] == run_word(run_id)


@given(one=NAMES, other=NAMES)
def test_two_names_have_two(one: str, other: str) -> None:
    assert (staging_name(one, "r", limit=63) == staging_name(other, "r", limit=63)) == (one == other)


@given(name=NAMES.filter(lambda name: not name.startswith("ff__")))
def test_nothing_else_looks_like_one(name: str) -> None:
    assert not STAGED.fullmatch(name)


@attrs.define
class Catalogue:
    """A session that knows its relations, and who holds a lease."""

    names: list[str]
    alive: list[str] = attrs.field(factory=list)
    stubborn: list[str] = attrs.field(factory=list)

    def relations(self, namespace: Namespace) -> list[RelationInfo]:
        kind = RelationKind.TABLE
        return [RelationInfo(Relation(name, namespace.schema), kind) for name in self.names]

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        if relation.name in self.stubborn:
            raise OSError("not yours")
        self.names.remove(relation.name)

    def runs(self, session: Any) -> frozenset[str]:
        return frozenset(self.alive)


class Leases:
    def __init__(self, catalogue: Catalogue) -> None:
        self.alive = catalogue.runs


def spec(*capabilities: Capability) -> EngineSpec:
    return EngineSpec("test", "", object, lambda: lambda settings: None, dict.fromkeys(capabilities, FULL))  # type: ignore[arg-type, return-value]


def find(catalogue: Catalogue, *capabilities: Capability) -> list[str]:
    found = find_leftovers(
        catalogue,  # type: ignore[arg-type]
        [HOME, HOME],
        engine=spec(*capabilities),
        run_id="run-1",
        leases=Leases(catalogue),  # type: ignore[arg-type]
    )
    return [one.run_id for one in found]


def test_where_those_of_living_runs_are_invisible_all_others_are_leftovers() -> None:
    catalogue = Catalogue([staging_name("a", run, limit=None) for run in ("run-1", "run-2", "run-3")], alive=["run-2"])
    catalogue.names.append("orders")
    assert find(catalogue, Capability.TRANSACTIONAL_DDL, Capability.LOCKS) == ["run2", "run3"]


@pytest.mark.parametrize("capabilities", [[], [Capability.TRANSACTIONAL_DDL], [Capability.LOCKS]])
def test_elsewhere_those_who_hold_a_lease_are_alive(capabilities: list[Capability]) -> None:
    catalogue = Catalogue([staging_name("a", run, limit=None) for run in ("run-1", "run-2", "run-3")], alive=["run-2"])
    assert find(catalogue, *capabilities) == ["run3"]


def test_names_in_capitals_are_found() -> None:
    assert find(Catalogue([staging_name("a", "run-2", limit=None).upper()])) == ["run2"]


def test_what_cannot_be_dropped_stays_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    names = [staging_name(name, "r2", limit=None) for name in "abc"]
    catalogue = Catalogue(list(names), stubborn=[names[1]])
    found = find_leftovers(catalogue, [HOME], engine=spec(), run_id="r1")  # type: ignore[arg-type]
    dropped = drop_leftovers(catalogue, found)  # type: ignore[arg-type]
    assert [one.relation.name for one in dropped] == [names[0], names[2]]
    assert catalogue.names == [names[1]]
    assert "not yours" in caplog.text


def test_one_line_for_each_run() -> None:
    def leftover(run: str) -> Leftover:
        return Leftover(Relation("x"), RelationKind.TABLE, run)

    assert cleaned([]) == ()
    assert cleaned([leftover("r1"), leftover("r2"), leftover("r1")]) == (
        "cleaned 2 leftovers of run r1",
        "cleaned 1 leftover of run r2",
    )
