"""The whole selection grammar against a reference that is slow and obviously right, on random projects."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowforge.graph.select import select
from flowforge.graph.sources import select_both, source_key
from flowforge.project.manifest import NodeKind

Make = Mapping[str, Callable[..., Any]]
Described = dict[str, dict[str, Any]]

NAMES = [f"m{index}" for index in range(10)]
FOLDERS = ["", "staging/", "staging/deep/", "marts/"]
TAGS = ["red", "blue"]
OWNERS = ["ada", "bob"]
SOURCES = {"crm.users": ("red",), "crm.orders": (), "web.hits": ("blue", "red")}


@st.composite
def projects(draw: st.DrawFn) -> Described:
    """Up to ten models in folders, with parents, sources, tags and settings."""
    order = draw(st.permutations(NAMES))[: draw(st.integers(1, 10))]
    return {
        name: {
            "parents": draw(st.lists(st.sampled_from(order[:index]), max_size=3, unique=True)) if index else [],
            "reads": draw(st.lists(st.sampled_from(sorted(SOURCES)), max_size=2, unique=True)),
            "folder": draw(st.sampled_from(FOLDERS)),
            "tags": draw(st.lists(st.sampled_from(TAGS), unique=True)),
            "owner": draw(st.sampled_from([None, *OWNERS])),
            "kind": draw(st.sampled_from(["sql", "python", "seed"])),
            "materialized": draw(st.sampled_from(["table", "view"])),
            "engines": draw(st.sampled_from([(), ("e1",), ("e1", "e2")])),
            "team": draw(st.sampled_from([None, "core", "web"])),
        }
        for index, name in enumerate(order)
    }


# What stands in the project for sure, so that no word is unknown: `zz` has every tag, owner, folder ...; no pattern fits it.
ANCHORS: Described = {
    f"zz{index}": {
        "parents": [],
        "reads": sorted(SOURCES),
        "folder": folder,
        "tags": TAGS,
        "owner": OWNERS[index % 2],
        "kind": "sql",
        "materialized": "table",
        "engines": ("e1", "e2"),
        "team": ("core", "web")[index % 2],
    }
    for index, folder in enumerate(FOLDERS)
}

words = st.sampled_from(
    [
        *(f"zz{index}" for index in range(4)),
        *("m[0-3]", "m?", "x*", "*", "zz*", "name:m[4-9]", "batch", "streaming"),
        *("tag:red", "tag:b*", "tag:x*", "config.tags:blue", "owner:ada", "config.owner:b?b", "config.meta.team:core"),
        *("path:models/staging", "path:models/staging/", "path:models/*/deep", "models/marts", "path:models/m*.sql"),
        *("kind:sql", "kind:python", "kind:seed", "type:model", "resource_type:seed", "type:source"),
        *("materialized:view", "config.materialized:table", "engine:e1", "engine:e*", "config.engines:e2"),
        *("source:crm", "source:crm.users", "source:w*", "source:*.orders", "package:this", "package:shop"),
        *("fqn:staging", "fqn:shop.marts", "fqn:*.deep", "fqn:staging.deep"),
    ]
)
parts = st.one_of(
    words.map("@{}".format),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "+", "0+", "1+", "2+", "12+"]),
        words,
        st.sampled_from(["", "", "+", "+0", "+1", "+3"]),
    ),
)
selectors = st.lists(
    st.lists(st.lists(parts, min_size=1, max_size=3).map(",".join), min_size=1, max_size=2).map(" ".join), max_size=3
)


class Naive:
    """Reads a selector word by word, and walks along edges one step at a time."""

    def __init__(self, project: Described, *, with_sources: bool) -> None:
        self.project = project
        self.with_sources = with_sources
        self.edges = {(parent, name) for name, said in project.items() for parent in said["parents"]}
        self.all = set(project)
        if with_sources:
            self.all |= {f"source:{id_}" for id_ in SOURCES}
            self.edges |= {(f"source:{id_}", name) for name, said in project.items() for id_ in said["reads"]}

    def select(self, wanted: list[str], unwanted: list[str]) -> set[str]:
        return (self.union(wanted) if wanted else self.all) - self.union(unwanted)

    def union(self, given: list[str]) -> set[str]:
        found: set[str] = set()
        for text in given:
            for word in text.split():
                found |= set.intersection(*(self.part(part) for part in word.split(",")))
        return found

    def part(self, text: str) -> set[str]:
        if text.startswith("@"):
            below = self.walk(self.word(text[1:]), 99, up=False)
            return self.walk(below, 99, up=True)
        up = down = 0
        before, plus, rest = text.partition("+")
        if plus and (before == "" or before.isdigit()):
            up, text = int(before or 99), rest
        body, plus, after = text.partition("+")
        if plus:
            down = int(after or 99)
        return self.walk(self.word(body), up, up=True) | self.walk(self.word(body), down, up=False)

    def walk(self, names: set[str], steps: int, *, up: bool) -> set[str]:
        found = set(names)
        for _ in range(min(steps, len(self.all))):
            found |= {(parent if up else child) for parent, child in self.edges if (child if up else parent) in found}
        return found

    def word(self, text: str) -> set[str]:
        nodes = {name for name in self.project if self.node_fits(text, name)}
        if not self.with_sources:
            return nodes
        return nodes | {f"source:{id_}" for id_ in SOURCES if self.source_fits(text, id_)}

    def node_fits(self, text: str, name: str) -> bool:
        said = self.project[name]
        method, colon, value = text.partition(":")
        path = f"models/{said['folder']}{name}.sql"
        if not colon:
            if text in ("batch", "streaming"):
                return text == "batch"
            if "/" in text:
                method, value = "path", text
            else:
                method, value = "name", text
        if method == "path":
            steps = path.split("/")
            return any(one("/".join(steps[:end]), value.rstrip("/")) for end in range(1, len(steps) + 1))
        if method == "fqn":
            steps = [*said["folder"].split("/")[:-1], name]
            starts = [".".join(steps[:end]) for end in range(1, len(steps) + 1)]
            return any(one(start, value) for start in [*starts, *(f"shop.{start}" for start in starts)])
        if method == "source":
            return any(one(id_, value) or one(id_.split(".")[0], value) for id_ in said["reads"])
        asked = {
            "name": [name],
            "tag": said["tags"],
            "config.tags": said["tags"],
            "owner": [said["owner"]],
            "config.owner": [said["owner"]],
            "config.meta.team": [said["team"]],
            "kind": [said["kind"]],
            "type": ["seed" if said["kind"] == "seed" else "model"],
            "resource_type": ["seed" if said["kind"] == "seed" else "model"],
            "materialized": ["seed" if said["kind"] == "seed" else said["materialized"]],
            "config.materialized": ["seed" if said["kind"] == "seed" else said["materialized"]],
            "engine": said["engines"],
            "config.engines": said["engines"],
            "package": ["this", "shop"],
        }
        return any(one(word, value) for word in asked[method] if word is not None)

    def source_fits(self, text: str, id_: str) -> bool:
        method, colon, value = text.partition(":")
        if not colon:
            method, value = ("path", text) if "/" in text else ("name", text)
            if text == "batch":
                return True
        if method in ("name", "source"):
            return one(id_, value) or one(id_.split(".")[0], value)
        if method in ("tag", "config.tags"):
            return any(one(tag, value) for tag in SOURCES[id_])
        if method in ("type", "resource_type"):
            return value == "source"
        if method == "path":
            return one("sources.yml", value)
        return method == "package"


def one(word: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(word, pattern)


def manifest_of(make: Make, project: Described) -> Any:
    kinds = {kind.value: kind for kind in NodeKind}
    return make["manifest"](
        *(
            make["node"](
                name,
                *said["parents"],
                kind=kinds[said["kind"]],
                path=f"models/{said['folder']}{name}.sql",
                reads=tuple(said["reads"]),
                tags=tuple(said["tags"]),
                owner=said["owner"],
                materialized=said["materialized"],
                engines=said["engines"],
                meta={} if said["team"] is None else {"team": said["team"]},
            )
            for name, said in project.items()
        ),
        sources=tuple(make["source"](id_, tags=tags) for id_, tags in SOURCES.items()),
    )


quick = settings(
    derandomize=True, deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(project=projects(), wanted=selectors, unwanted=selectors)
def test_nodes(make: Make, project: Described, wanted: list[str], unwanted: list[str]) -> None:
    project = {**project, **ANCHORS}
    manifest = manifest_of(make, project)
    names = select(manifest, make["dag"](manifest), wanted, unwanted)
    assert set(names) == Naive(project, with_sources=False).select(wanted, unwanted)
    assert len(names) == len(set(names))


@quick
@given(project=projects(), wanted=selectors, unwanted=selectors)
def test_nodes_and_sources(make: Make, project: Described, wanted: list[str], unwanted: list[str]) -> None:
    project = {**project, **ANCHORS}
    manifest = manifest_of(make, project)
    names = select_both(manifest, make["dag"](manifest), wanted, unwanted)
    assert names == Naive(project, with_sources=True).select(wanted, unwanted)


def test_the_reference_knows_what_it_should(make: Make) -> None:
    """A few answers worked out by hand, so that both do not err together."""
    project: Described = {
        **ANCHORS,
        **{name: {**ANCHORS["zz0"], "parents": [], "reads": []} for name in ("a", "b", "c", "d")},
    }
    project["b"]["parents"], project["c"]["parents"], project["d"]["parents"] = ["a"], ["b"], ["b"]
    project["a"]["reads"] = ["crm.users"]
    naive = Naive(project, with_sources=False)
    assert naive.select(["1+c"], []) == {"b", "c"}
    assert naive.select(["@c"], []) == {"a", "b", "c"}
    assert naive.select(["@b"], ["d"]) == {"a", "b", "c"}
    assert naive.select(["a+1 d,c"], []) == {"a", "b"}
    both = Naive(project, with_sources=True)
    assert both.select(["+c"], []) == {"a", "b", "c", source_key("crm.users")}
    manifest = manifest_of(make, project)
    assert set(select(manifest, make["dag"](manifest), ["1+c"])) == {"b", "c"}
