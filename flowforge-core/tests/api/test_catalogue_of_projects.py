"""What a project says of itself to renderers."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge import Project
from flowforge.api.catalogue import catalogue_of
from flowforge.contract import Catalogue, CatalogueEntry
from flowforge.plugins import load_plugins
from flowforge.values import Relation

REPOSITORY = Path(__file__).parents[3]

FILES = {
    "project.yml": "name: shop\nversion: '2.1'\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: ':memory:'\n    schema: sales\n",
    "sources.yml": (
        "version: 1\nsources:\n  - name: raw\n    schema: landing\n    tables:\n      - name: orders\n"
        "        description: As they come in.\n        columns:\n          - name: id\n"
        "            tests: [not_null]\n      - name: rates\n        identifier: rates_2024\n"
    ),
    "seeds/rates.csv": "currency,rate\neur,1\n",
    "models/small.ff.sql": (
        "{{ config(materialized='ephemeral') }}\nselect id from {{ source('raw', 'orders') }} where id < 10\n"
    ),
    "models/orders.ff.sql": (
        "{{ config(schema='marts', tags=['nightly', 'core'], owner='ann', meta={'team': ['a', 1]}) }}\n"
        "select s.id, r.rate from {{ ref('small') }} as s cross join {{ ref('rates') }} as r\n"
    ),
    "models/orders.yml": (
        "version: 1\nmodels:\n  - name: orders\n    description: All of them, with {{ env }} and hunter2secret.\n"
        "    columns:\n      - name: rate\n        description: Of the day.\n      - name: id\n"
        "        tests: [not_null, {unique: {severity: warn}}]\n"
    ),
    "models/orders.contracts.yml": (
        "version: 1\ntable: orders\ncolumns:\n  id: {type: integer, nullable: false, description: Of the shop.}\n"
        "  note: {type: string}\n"
    ),
}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    with Project.load(tmp_path, environ={"FF_SECRET_WORD": "hunter2secret"}, plugins=load_plugins({})) as project:
        return catalogue_of(project)


def entry(catalogue: Catalogue, id_: str) -> CatalogueEntry:
    (found,) = [one for one in catalogue.entries if one.id == id_]
    return found


def test_everything_is_in_it_in_order(catalogue: Catalogue) -> None:
    assert (catalogue.project, catalogue.version, catalogue.engine) == ("shop", "2.1", "duckdb")
    found = [(one.id, one.name, one.kind, one.materialized) for one in catalogue.entries]
    assert found == [
        ("orders.ff", "orders", "sql", "table"),
        ("rates", "rates", "seed", "seed"),
        ("small.ff", "small", "sql", "ephemeral"),
        ("source:raw.orders", "orders", "source", None),
        ("source:raw.rates", "rates", "source", None),
    ]


def test_a_model_says_where_it_stands_and_what_it_is(catalogue: Catalogue) -> None:
    orders = entry(catalogue, "orders.ff")
    assert orders.relation == Relation("orders", "sales_marts", orders.relation.database)
    assert orders.path == "models/orders.ff.sql"
    assert (orders.tags, orders.owner, orders.meta["team"]) == (("nightly", "core"), "ann", ["a", 1])
    assert entry(catalogue, "small.ff").relation is None
    assert entry(catalogue, "source:raw.orders").relation.schema == "landing"


def test_columns_are_those_of_the_project_and_of_its_contract(catalogue: Catalogue) -> None:
    columns = [(one.name, one.type, one.nullable, one.description) for one in entry(catalogue, "orders.ff").columns]
    assert columns == [
        ("rate", None, None, "Of the day."),
        ("id", "integer", False, "Of the shop."),
        ("note", "string", True, None),
    ]
    assert [one.name for one in entry(catalogue, "source:raw.orders").columns] == ["id"]


def test_edges_go_both_ways(catalogue: Catalogue) -> None:
    edges = {one.id: (one.depends_on, one.used_by) for one in catalogue.entries}
    assert edges == {
        "orders.ff": (("rates", "small.ff"), ()),
        "rates": ((), ("orders.ff",)),
        "small.ff": (("source:raw.orders",), ("orders.ff",)),
        "source:raw.orders": ((), ("small.ff",)),
        "source:raw.rates": ((), ()),
    }


def test_checks_are_with_what_they_are_about(catalogue: Catalogue) -> None:
    checks = [(one.type, one.column, one.severity) for one in entry(catalogue, "orders.ff").checks]
    assert ("not_null", "id", "error") in checks
    assert ("unique", "id", "warn") in checks
    ids = [one.id for one in entry(catalogue, "orders.ff").checks]
    assert ids == sorted(ids)
    assert [one.type for one in entry(catalogue, "source:raw.orders").checks] == ["not_null"]


def test_no_secret_is_in_it(catalogue: Catalogue) -> None:
    assert "hunter2" not in repr(catalogue)
    assert entry(catalogue, "orders.ff").description == "All of them, with {{ env }} and ***."


@pytest.mark.parametrize("example", ["nycflights", "growing_tables", "simple_duckdb"])
def test_real_projects_have_one(example: str) -> None:
    with Project.load(REPOSITORY / "examples" / example, environ={}, plugins=load_plugins({})) as project:
        found = catalogue_of(project)
        assert len(found.entries) == len(project.manifest.nodes) + len(project.manifest.sources)
        assert found == catalogue_of(project)
    ids = {one.id for one in found.entries}
    assert all({*one.depends_on, *one.used_by} <= ids for one in found.entries)
    assert any(one.used_by for one in found.entries)
