"""``--assume-unchanged`` asks no source for its state, but where a build has to note it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowforge.run.runner import RunOptions
from flowforge_duckdb.session import DuckDBSession

if TYPE_CHECKING:
    from conftest import Site


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are asked for their state."""
    names: list[str] = []
    real = DuckDBSession.source_state

    def source_state(self: DuckDBSession, relation: Any) -> str | None:
        names.append(relation.name)
        return real(self, relation)

    monkeypatch.setattr(DuckDBSession, "source_state", source_state)
    return names


def built(site: Site, *, assume: bool) -> set[str]:
    with site.load() as project:
        result = project.build(options=RunOptions(assume_unchanged=assume))
    assert result.ok
    return {node.node.removesuffix(".ff") for node in result.nodes if node.status.value == "success"}


@pytest.fixture
def project(site: Site) -> Site:
    site.sql("create table s as select 1 as k", "create table t as select 1 as k", "create table u as select 1 as k")
    site.write("sources.yml", "own:\n" + "".join(f"  {name}: {{identifier: {name}}}\n" for name in "stu"))
    site.model("v", "select k from {{ source('own', 's') }}", materialized="view")
    site.model("e", "select k from {{ ref('v') }}", materialized="ephemeral")
    site.model("w", "select e.k from {{ ref('e') }} as e, {{ source('own', 't') }} as t", materialized="view")
    site.model("m", "select k from {{ ref('w') }}")
    site.model("n", "select k from {{ source('own', 'u') }}")
    return site


def test_nothing_is_asked_where_nothing_is_built(project: Site, asked: list[str]) -> None:
    assert built(project, assume=False) == {"v", "w", "m", "n"}
    asked.clear()
    assert built(project, assume=True) == set()
    assert asked == []
    project.sql("update s set k = 2", "update u set k = 2")
    assert built(project, assume=True) == set()
    assert asked == []
    assert built(project, assume=False) == {"v", "w", "m", "n"}
    assert project.rows("m") == [(2,)]


def test_a_build_notes_the_states_below_the_views_that_it_reads(project: Site, asked: list[str]) -> None:
    built(project, assume=False)
    project.model("m", "select k + 1 as k from {{ ref('w') }}")
    asked.clear()
    assert built(project, assume=True) == {"m"}
    assert sorted(asked) == ["s", "t"]
    assert built(project, assume=False) == set()
    project.sql("update s set k = 3")
    assert built(project, assume=False) == {"v", "w", "m"}
    assert project.rows("m") == [(4,)]


def test_a_state_that_was_noted_late_is_that_of_the_rows(project: Site, asked: list[str]) -> None:
    built(project, assume=False)
    project.sql("update s set k = 5")
    project.model("m", "select k + 1 as k from {{ ref('w') }}")
    assert built(project, assume=True) == {"m"}
    assert project.rows("m") == [(6,)]
    assert built(project, assume=False) == {"v", "w"}  # views note what they stand on too
    project.sql("update t set k = 6")
    assert "m" in built(project, assume=False)


def test_views_upon_views_of_any_number(site: Site, asked: list[str]) -> None:
    site.sql("create table s as select 1 as k")
    site.write("sources.yml", "own:\n  s: {identifier: s}\n")
    site.model("v0", "select k from {{ source('own', 's') }}", materialized="ephemeral")
    for number in range(1, 60):
        site.model(f"v{number}", f"select k from {{{{ ref('v{number - 1}') }}}}", materialized="ephemeral")
    site.model("m", "select k from {{ ref('v59') }}")
    assert built(site, assume=True) == {"m"}
    assert asked == ["s"]
    assert built(site, assume=False) == set()
