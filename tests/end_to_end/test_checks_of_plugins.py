"""A check that a plugin brings, with typed parameters, in every place where a project can declare it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from flowforge.api.quarantine import Choice, release
from flowforge.contract import CheckContext, CheckSpec
from flowforge.errors import ProjectErrors
from flowforge.events import Status
from flowforge.plugins import PluginSet, load_plugins
from flowforge.plugins.pluginset import Offers


@attrs.frozen(kw_only=True)
class MultipleOf:
    """What a plugin's author writes."""

    column: str
    factor: int = attrs.field(validator=attrs.validators.gt(0))
    but: tuple[int, ...] = ()


def violation(ctx: CheckContext) -> str:
    column = ctx.column(ctx.params.column)
    others = "".join(f" AND {column} <> {ctx.literal(one)}" for one in ctx.params.but)
    return f"{column} % {ctx.literal(ctx.params.factor)} <> 0{others}"


SPEC = CheckSpec(
    name="multiple_of",
    summary="Every value is a multiple of a number.",
    params=MultipleOf,
    violation=violation,
    message=lambda params, count: f"has {count} values that are no multiple of {params.factor}",
)


@pytest.fixture
def plugins() -> PluginSet:
    base = load_plugins({})
    checks = {**base.checks, SPEC.name: SPEC}
    return PluginSet(
        base.infos, Offers(engines=base.engines, checks=checks, seed_formats=base.seed_formats, macros=base.macros)
    )


OFTEN = CheckSpec(
    name="often",
    summary="No value is there more often than a number of times.",
    params=MultipleOf,
    query=lambda ctx: (
        f"SELECT {ctx.column(ctx.params.column)} FROM {ctx.relation} AS t GROUP BY 1 "
        f"HAVING COUNT(*) > {ctx.literal(ctx.params.factor)}"
    ),
    key=lambda params: (params.column,),
)


def test_a_query_with_a_key_puts_rows_aside(make: Callable[..., Any], rows: Callable[..., Any]) -> None:
    base = load_plugins({})
    checks = {**base.checks, OFTEN.name: OFTEN}
    plugins = PluginSet(
        base.infos, Offers(engines=base.engines, checks=checks, seed_formats=base.seed_formats, macros=base.macros)
    )
    files = {
        "seeds/raw.csv": "id,v\n1,a\n2,a\n3,\n4,\n5,b\n",
        "models/m.ff.sql": "select * from {{ ref('raw') }}",
        "models/m.yml": "version: 1\nmodels:\n  - name: m\n    columns:\n"
        "      - {name: v, checks: [{often: {factor: 1, on_fail: quarantine}}]}\n",
    }
    project = make(files, plugins=plugins)
    result = project.build()
    assert (result.exit_code, result.quarantined) == (0, 4), result.errors
    assert rows(project, "m") == [(5, "b")]
    release(project, "m", Choice(everything=True))
    assert project.build().exit_code == 0
    assert len(rows(project, "m")) == 5
    assert project.test().ok


FILES = {
    "project.yml": "name: demo\nversion: 1\ntests:\n"
    "  - {type: multiple_of, table: packed, column: pieces, factor: 12, name: in_the_list}\n"
    "  - {type: multiple_of, table: crm.foreign_packs, column: pieces, factor: 5, name: of_a_source_in_the_list}\n",
    "sources.yml": "version: 1\nsources:\n  - name: crm\n    schema: main\n    tables:\n"
    "      - {name: foreign_packs, checks: [{multiple_of: {column: pieces, factor: 5, name: of_a_source}}]}\n",
    "seeds/packs.csv": "id,pieces\n1,12\n2,24\n3,7\n",
    "models/packed.ff.sql": "{{ config(materialized='view') }} select * from {{ ref('packs') }}",
    "models/old.yml": "version: 1\nmodels:\n  - name: packed\n    columns:\n"
    "      - {name: pieces, tests: [{multiple_of: {factor: 12, but: [7], name: in_version_1}}]}\n",
    "models/new.yml": "version: 2\nseeds:\n  - name: packs\n    data_tests:\n"
    "      - multiple_of: {arguments: {column: pieces, factor: 12}, config: {severity: warn}, name: in_version_2}\n",
}


def test_it_works_wherever_checks_are_declared(make: Callable[..., Any], plugins: PluginSet) -> None:
    project = make(FILES, plugins=plugins)
    with project.executor.session(label="test") as session:
        session.execute("create table foreign_packs as select 10 as pieces")
    built = project.build()
    assert built.exit_code == 2
    assert project.seed().ok
    assert project.run().ok
    tested = project.test()
    expected = {
        "in_the_list": Status.FAIL,
        "of_a_source_in_the_list": Status.SUCCESS,
        "of_a_source": Status.SUCCESS,
        "in_version_1": Status.SUCCESS,
        "in_version_2": Status.WARN,
    }
    assert {check.check: check.status for check in tested.checks} == expected
    assert {check.message for check in tested.checks if check.status is Status.FAIL} == {
        "packed.pieces has 1 values that are no multiple of 12"
    }
    assert project.test(checks="multiple_of").exit_code == 2


def test_its_parameters_are_judged_when_the_project_is_loaded(make: Callable[..., Any], plugins: PluginSet) -> None:
    wrong = (
        "name: demo\nversion: 1\ntests:\n"
        "  - {type: multiple_of, table: packed, column: pieces, factor: 0}\n"
        "  - {type: multiple_of, table: packed, column: pieces, facto: 3, factor: 3}\n"
        "  - {type: multiple_of, table: packed, factor: 3}\n"
        "  - {type: multiple_of, table: packed, column: pieces, params: {factor: 3, but: 4}}\n"
    )
    with pytest.raises(ProjectErrors) as caught:
        make({**FILES, "project.yml": wrong}, plugins=plugins)
    found = [(str(error.location), error.message) for error in caught.value.errors]
    assert [place for place, _ in found] == [
        "project.yml:4:64",
        "project.yml:5:56",
        "project.yml:6:5",
        "project.yml:7:81",
    ]
    assert "'factor'" in found[0][1]
    assert "facto" in found[1][1]


def test_a_check_of_the_project_cannot_take_its_name_unnoticed(make: Callable[..., Any], plugins: PluginSet) -> None:
    text = "{{ config(type='multiple_of', params=['factor']) }} select {{ column }} from {{ table }} where {{ params.factor }} = 0"
    with pytest.raises(Exception, match="of an installed plugin"):
        make({**FILES, "tests/m.ff.sql": text}, plugins=plugins)
