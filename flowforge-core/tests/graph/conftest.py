"""Small manifests for the graph's tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowforge.graph.dag import Dag
from flowforge.project.manifest import (
    Manifest,
    ModelConfig,
    Node,
    NodeKind,
    PythonBody,
    RefCall,
    SeedBody,
    Source,
    SqlBody,
)
from flowforge.values import Location, Relation, relation_for

BODIES = {
    NodeKind.SQL: SqlBody(""),
    NodeKind.PYTHON: PythonBody("f", (), False, {}, 1),
    NodeKind.SEED: SeedBody(".csv"),
}
SUFFIXES = {NodeKind.SQL: "models/{}.sql", NodeKind.PYTHON: "models/{}.ff.py", NodeKind.SEED: "seeds/{}.csv"}


def node(
    name: str,
    *parents: str,
    kind: NodeKind = NodeKind.SQL,
    path: str | None = None,
    reads: tuple[str, ...] = (),
    relation: str | None = None,
    package: str = "",
    through_sources: tuple[str, ...] = (),
    **config: Any,
) -> Node:
    """A node that refers to *parents* and depends on *through_sources* as well."""
    path = path or SUFFIXES[kind].format(name)
    return Node(
        name=name,
        kind=kind,
        path=path,
        relation=Relation(relation or relation_for(name)),
        config=ModelConfig(**config),
        body=BODIES[kind],
        refs=tuple(RefCall(parent, Location(path, 1)) for parent in parents),
        depends_on=tuple(sorted({*parents, *through_sources})),
        reads=tuple(sorted(reads)),
        package=package,
    )


def source(id_: str, node: str | None = None, **more: Any) -> Source:
    group, table = id_.split(".")
    return Source(id_, group, table, Relation(table, group), Location("sources.yml", 1), node=node, **more)


def manifest(*nodes: Node, sources: tuple[Source, ...] = ()) -> Manifest:
    return Manifest(
        project="shop",
        version="1",
        nodes={each.name: each for each in sorted(nodes, key=lambda each: each.name)},
        sources={each.id: each for each in sources},
    )


def dag_of(manifest: Manifest) -> Dag:
    return Dag.build({name: each.depends_on for name, each in manifest.nodes.items()})


@pytest.fixture
def make() -> Mapping[str, Callable[..., Any]]:
    """The makers above, since test modules cannot import each other."""
    return {"node": node, "source": source, "manifest": manifest, "dag": dag_of}


@pytest.fixture
def shop() -> Manifest:
    """Two seeds, two sources (one is a seed), staging, a view, a Python model, an ephemeral one, a mart."""
    return manifest(
        node("raw_users", kind=NodeKind.SEED),
        node("raw_orders", kind=NodeKind.SEED),
        node(
            "stg_users.ff",
            path="models/staging/stg_users.ff.sql",
            materialized="view",
            tags=("staging", "nightly"),
            reads=("crm.users",),
            through_sources=("raw_users",),
        ),
        node(
            "stg_orders.ff",
            "raw_orders",
            path="models/staging/deep/stg_orders.ff.sql",
            materialized="view",
            tags=("staging",),
            owner="ada",
            reads=("crm.clicks",),
        ),
        node("scores", "stg_users.ff", kind=NodeKind.PYTHON, tags=("ml",), meta={"team": "data", "pii": True}),
        node("int_orders.ff", "stg_orders.ff", "stg_users.ff", materialized="ephemeral"),
        node(
            "mart.ff",
            "int_orders.ff",
            "scores",
            relation="orders_mart",
            tags=("mart", "nightly"),
            schema="gold",
            engines=("e1",),
        ),
        node("lonely.ff", package="extras"),
        sources=(source("crm.users", node="raw_users"), source("crm.clicks"), source("web.hits")),
    )
