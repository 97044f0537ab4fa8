"""One grammar in every command that selects: the same words mean the same, and the same mistakes end in the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from flowforge.cli.main import COMMANDS, LazyGroup, run

pytest.importorskip("duckdb")

FILES = {
    "project.yml": "name: demo\nversion: 1\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: demo.duckdb}\n",
    "sources.yml": "version: 1\nsources:\n  - name: crm\n    tables:\n      - name: users\n        tags: raw\n"
    "        location: users.csv\n        freshness: {warn_after_minutes: 1}\n"
    "        checks: [{row_count_between: {min_rows: 1, name: on_users}}]\n",
    "users.csv": "id\n1\n",
    "seeds/s1.csv": "id\n1\n",
    "models/a.ff.sql": "select id as in_a from {{ source('crm', 'users') }}\n",
    "models/b.ff.sql": "{{ config(tags='t') }}\nselect in_a as in_b from {{ ref('a') }}\n",
    "models/deep/c.ff.sql": "{{ config(tags='t') }}\nselect in_b as in_c from {{ ref('b') }} cross join {{ ref('s1') }}\n"
    "union all select -1\n",
    "models/h.ff.sql": "{{ config(materialized='snapshot', unique_key='k', strategy='check', check_cols=['v']) }}\n"
    "select 1 as k, 2 as v\n",
    "models/tests.yml": "version: 1\nmodels:\n"
    + "".join(f"  - {{name: {name}, checks: [{{row_count_between: {{name: on_{name}}}}}]}}\n" for name in "ab")
    + "  - {name: c, checks: [{row_count_between: {name: on_c}}, {greater_equal: {column: in_c, on_fail: quarantine}}]}\n",
}
MODELS = ("a", "b", "c", "h")
NODES = ("s1", *MODELS)
CHECKED = ("a", "b", "c", "users")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FLOWFORGE_PROJECT_DIR", "FF_PROJECT_DIR", "FLOWFORGE_STATE"):
            patch.delenv(name, raising=False)
        assert run(["compile", str(root), "--manifest", str(root / "before.json")]) == 0
    for name in MODELS:
        path = next(root.glob(f"models/**/{name}.ff.sql"))
        path.write_text(path.read_text() + f"where 'mark_{name}' <> ''\n")
    (root / "seeds/s1.csv").write_text("id\n2\n")
    assert run(["build", str(root)]) == 0
    for word in ("release", "hold"):
        assert run(["quarantine", word, "-C", str(root), "c", "--all"]) == 0
    return root


ALL_AGAIN = ("--dry-run", "--rebuild=*")
ANSWERS: Mapping[str, tuple[list[str], str, tuple[str, ...]]] = {
    "ls": (["ls"], "{0}\n", NODES),
    "ls --checks": (["ls", "--checks"], "on_{0}\n", CHECKED),
    "ls --sources": (["ls", "--sources"], "{0}\n", ("users",)),
    "compile": (["compile"], "'mark_{0}' <>", MODELS),
    "dag": (["dag"], "n_{0}", NODES),
    "diff": (["diff", "--state", "{root}/before.json", "--format", "json"], '"name": "{0}', NODES),
    "run": (["run", *ALL_AGAIN], "build  {0} ", MODELS),
    "build": (["build", *ALL_AGAIN], "build  {0} ", NODES),
    "seed": (["seed", *ALL_AGAIN], "build  {0} ", ("s1",)),
    "snapshot run": (["snapshot", "run", *ALL_AGAIN], "build  {0} ", ("h",)),
    "test": (["test"], "row_count_between  {0} ", CHECKED),
    "quarantine ls": (["quarantine", "ls"], "{0}: 1 row", ("c",)),
    "quarantine log": (["quarantine", "log"], "  {0}  greater_equal_c_in_c  ", ("c",)),
    "status": (["status", "--format", "json"], '"name": "{0}"', (*NODES, "users")),
    "source freshness": (["source", "freshness"], " {0} ", ("users",)),
    "source-freshness": (["source-freshness"], " {0} ", ("users",)),
}
"""By command: its words, what its answer holds for each thing that it is about, and what those things are."""


def selecting(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from selecting(found, f"{name} {inner}")
    elif any("--select" in parameter.opts for parameter in command.params):
        assert any("--exclude" in parameter.opts for parameter in command.params), name
        yield name


def test_every_command_that_selects_is_on_the_table() -> None:
    group = LazyGroup()
    context = click.Context(group)
    found = set()
    for name in [*COMMANDS, "source-freshness"]:
        command = group.get_command(context, name)
        assert command is not None
        found |= set(selecting(command, name))
    assert found == {" ".join(word for word in name.split() if not word.startswith("-")) for name in ANSWERS}


MEANINGS = [
    (["-s", "a"], {"a"}),
    (["-s", "a.ff"], {"a"}),
    (["-s", "+b"], {"a", "b", "users"}),
    (["-s", "b+"], {"b", "c"}),
    (["-s", "1+c"], {"b", "c", "s1"}),
    (["-s", "@b"], {"a", "b", "c", "s1", "users"}),
    (["-s", "a b"], {"a", "b"}),
    (["-s", "a", "-s", "b"], {"a", "b"}),
    (["-s", "tag:t"], {"b", "c"}),
    (["-s", "tag:t,path:models/deep"], {"c"}),
    (["-s", "models/deep"], {"c"}),
    (["-s", "fqn:deep.c"], {"c"}),
    (["-s", "kind:seed", "-s", "c"], {"s1", "c"}),
    (["-s", "+c", "--exclude", "tag:t s1"], {"a", "users"}),
    (["--exclude", "a", "--exclude", "s1 crm.users"], {"b", "c", "h"}),
    (["-s", "batch", "--exclude", "tag:t"], {"s1", "a", "h", "users"}),
    (["-s", "a", "-s", "crm.users"], {"a", "users"}),
]


@pytest.mark.parametrize("name", ANSWERS)
def test_the_same_words_mean_the_same(shop: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of what is meant, each command takes what it is about; nothing of that is exit code 5, or an empty answer."""
    command, sign, about = ANSWERS[name]
    only_nodes = "users" not in about
    for words, meant in MEANINGS:
        if only_nodes and any("crm." in word for word in words):
            continue
        code = run([*(word.format(root=shop) for word in command), str(shop), *words])
        said = capsys.readouterr()
        expected = meant & set(about)
        if not expected and name not in ("compile", "dag", "diff", "quarantine ls", "quarantine log"):
            assert code == 5, (words, said)
            continue
        assert code == 0, (words, said)
        assert {one for one in about if sign.format(one) in said.out.replace("crm.", "") + "\n"} == expected, (
            words,
            said,
        )


MISTAKES = [
    ("tga:x", 64, "did you mean tag:?"),
    ("a,,b", 64, "cannot read the selector"),
    ("++a", 64, "cannot read the selector"),
    ("kind:pyton", 64, "did you mean 'python'?"),
    ("exposure:dashboard", 64, "no exposures"),
    ("config.nothing:x", 64, "unknown setting"),
    ("state:modfied", 64, "did you mean state:modified?"),
    ("nothng", 5, "nothng"),
    ("crm.usrs", 5, "crm.usrs"),
    ("tag:tt", 5, "did you mean 't'?"),
    ("path:models/dep", 5, "did you mean 'models/deep'?"),
    ("source:cmr", 5, "did you mean 'crm"),
    ("owner:nobody", 5, "no node has the owner"),
    ("group:nobody", 5, "no node belongs to the group"),
    ("package:nobody", 5, "no node comes from the package"),
    ("engine:nobody", 5, "no node is limited to the engine"),
]


@pytest.mark.parametrize("name", ANSWERS)
def test_the_same_mistakes_end_in_the_same_way(shop: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, _, _ = ANSWERS[name]
    for selector, expected, words in MISTAKES:
        for option in ("--select", "--exclude"):
            code = run([*(word.format(root=shop) for word in command), str(shop), option, selector])
            said = capsys.readouterr()
            assert (code, said.out) == (expected, ""), (selector, said)
            assert words in said.err, selector
            assert len(said.err.splitlines()) <= 4, said.err


def test_the_answer_about_sources_says_what_they_are(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", str(shop), "--sources", "--format", "json", "-s", "tag:raw"]) == 0
    (said,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (said["id"], said["location"], said["relation"], said["tags"]) == ("crm.users", "users.csv", None, ["raw"])


@pytest.mark.parametrize("command", ["run", "build", "seed"])
def test_a_forced_build_takes_selectors_too(shop: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, str(shop), "--dry-run", "--rebuild", "tga:x"]) == 64
    assert run([command, str(shop), "--dry-run", "-R", "nothng"]) == 5
    assert capsys.readouterr().out == ""
