"""``flowforge diff``, ``--changed-since`` and ``state:``: what is different from a commit, a manifest, the last build."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
Git = Callable[..., str]


def run_git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.invalid", "-c", "commit.gpgsign=false")
    options = ("-c", "core.autocrlf=false", "-c", "init.defaultBranch=main")
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *options, *args], cwd=folder, capture_output=True, text=True, check=True, env=env
    )
    return done.stdout


@pytest.fixture
def git(shop) -> Git:
    """The project below the root of a repository, with one commit; runs git there."""
    root = shop.root.parent
    (root / "shop/.gitignore").write_text(".flowforge/\n*.duckdb\n")
    (root / "other.txt").write_text("not of the project\n")

    def call(*args: str) -> str:
        return run_git(root, *args)

    call("init", "-q")
    call("add", "-A")
    call("commit", "-q", "-m", "one")
    return call


def difference(shop, *args: str) -> dict[str, list[str]]:
    data = json.loads(shop("diff", "--format", "json", *args).out)
    return {
        key: [entry["name"].removesuffix(".ff") for entry in data[key]]
        for key in ("added", "removed", "modified", "affected")
    }


# -- diff ----------------------------------------------------------------------------------------------------------


def test_without_changes_there_is_no_difference(shop, git: Git) -> None:
    assert shop("diff").out == "compared with HEAD: no difference\n"
    assert set(map(tuple, difference(shop).values())) == {()}


def test_added_removed_modified_and_affected(shop, git: Git) -> None:
    shop.write("models/b.ff.sql", "select id,\n  v + 1 as v\nfrom {{ ref('a') }}\n")
    shop.write("models/new.ff.sql", "select 1 as x")
    (shop.root / "models/lone.ff.sql").unlink()
    assert difference(shop) == {"added": ["new"], "removed": ["lone"], "modified": ["b"], "affected": ["c"]}
    text = shop("diff").out
    assert "modified  b: models/b.ff.sql changed\n" in text
    assert "models/b.ff.sql:2: -   v\n" in text
    assert "models/b.ff.sql:2: +   v + 1 as v\n" in text
    assert text.endswith("compared with HEAD: 1 added, 1 removed, 1 modified, 1 affected\n")
    assert difference(shop, "-s", "b")["modified"] == ["b"]
    assert difference(shop, "-s", "b")["affected"] == []


def test_committed_staged_and_untracked_files_count(shop, git: Git) -> None:
    shop.write("models/lone.ff.sql", "select 2 as one")
    git("commit", "-q", "-a", "-m", "two")
    assert difference(shop)["modified"] == []
    assert difference(shop, "--since", "HEAD~1")["modified"] == ["lone"]
    shop.write("models/b.ff.sql", "select 1 as id, 2 as v")
    git("add", "-A")
    shop.write("models/new.ff.sql", "select 1 as x")
    assert difference(shop) == {"added": ["new"], "removed": [], "modified": ["b"], "affected": ["c"]}
    git("tag", "v1", "HEAD~1")
    assert sorted(difference(shop, "--since", "v1")["modified"]) == ["b", "lone"]


def test_seeds_settings_and_helpers_of_python_models_count(shop, git: Git) -> None:
    shop.write(
        "models/p.ff.py",
        "from flowforge import model\nfrom lib import K\n\n\n@model(name='p', deps=['a'])\ndef p(a):\n    return a.assign(k=K)\n",
    )
    shop.write("lib.py", "K = 1\n")
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    shop.write("lib.py", "K = 2\n")
    shop.write("seeds/raw.csv", "id,v\n9,9\n")
    shop.write("models/lone.ff.sql", "{{ config(materialized='view') }}\nselect 1 as one\n")
    found = difference(shop)
    assert sorted(found["modified"]) == ["lone", "p", "raw"]
    text = shop("diff").out
    assert "lib.py:1: + K = 2" in text
    assert "materialized changed from table to view" in text


def test_a_variable_of_the_project_file_counts_where_it_is_used(shop, git: Git) -> None:
    shop.write("project.yml", "name: demo\nversion: 1\nvars: {x: 1}\n")
    shop.write("models/lone.ff.sql", "select {{ var('x') }} as one")
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    shop.write("project.yml", "name: demo\nversion: 1\nvars: {x: 2}\n")
    assert difference(shop)["modified"] == ["lone"]
    assert "compiled SQL:1: + select 2 as one" in shop("diff").out


def test_an_ephemeral_model_changes_those_that_read_it(shop, git: Git) -> None:
    shop.write("models/e.ff.sql", "{{ config(materialized='ephemeral') }}\nselect 1 as one\n")
    shop.write("models/f.ff.sql", "select * from {{ ref('e') }}\n")
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    shop.write("models/e.ff.sql", "{{ config(materialized='ephemeral') }}\nselect 2 as one\n")
    assert difference(shop)["modified"] == ["e", "f"]


def test_markdown_for_a_pull_request(shop, git: Git) -> None:
    shop.write("models/lone.ff.sql", "select '```' as one, '<b>|' as two\n")
    text = shop("diff", "--format", "markdown").out
    assert "| modified | `lone` |" in text
    assert "````diff\n" in text, "the fence is longer than what stands inside"
    assert "+select '```' as one" in text


def test_a_comment_stays_short_when_much_changed(shop, git: Git) -> None:
    for number in range(40):
        shop.write(f"models/m{number}.ff.sql", f"select {number} as n")
        shop.write(f"models/n{number}.ff.sql", f"select * from {{{{ ref('m{number}') }}}}")
    git("add", "-A")
    git("commit", "-q", "-m", "many")
    for number in range(40):
        shop.write(f"models/m{number}.ff.sql", f"select -{number + 1} as n")
    text = shop("diff", "--format", "markdown").out
    assert text.count("| modified |") == 40
    assert text.count("| affected | `") == 30
    assert "| affected | and 10 more | |" in text
    assert text.count("<details>") == 30
    assert "The lines of 10 more nodes are left out" in text
    assert len(difference(shop)["affected"]) == 40


def test_line_ends_and_attributes_of_git_make_no_difference(shop, git: Git) -> None:
    root = shop.root.parent
    (root / ".gitattributes").write_text("*.csv text eol=crlf\nmodels/** export-ignore\n*.ff.sql export-subst\n")
    git("add", "-A")
    git("commit", "-q", "-m", "attributes")
    (root / "shop/seeds/raw.csv").unlink()
    git("checkout", "--", "shop/seeds/raw.csv")
    assert b"\r\n" in (root / "shop/seeds/raw.csv").read_bytes()
    assert set(map(tuple, difference(shop).values())) == {()}


def test_nothing_of_the_repository_is_touched_and_no_hook_runs(shop, git: Git) -> None:
    root = shop.root.parent
    for name in ("post-checkout", "fsmonitor", "post-index-change"):
        hook = root / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch '{root}/hooked'\n")
        hook.chmod(0o755)
    git("config", "core.fsmonitor", str(root / ".git/hooks/fsmonitor"))
    (root / "hooked").unlink(missing_ok=True)
    shop.write("models/lone.ff.sql", "select 3 as one")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if ".git/" in str(path) and path.is_file()}
    shop("diff")
    assert not (root / "hooked").exists()
    assert before == {
        path: path.stat().st_mtime_ns for path in root.rglob("*") if ".git/" in str(path) and path.is_file()
    }


def test_a_project_that_was_not_there_is_all_new(shop, git: Git) -> None:
    git("checkout", "-q", "--orphan", "empty")
    git("rm", "-r", "-q", "--cached", ".")
    (shop.root.parent / "other.txt").write_text("alone")
    git("add", "other.txt")
    git("commit", "-q", "-m", "nothing of the project")
    assert sorted(difference(shop)["added"]) == ["a", "b", "c", "lone", "raw"]


def test_the_environment_of_a_git_hook_leads_nowhere_else(shop, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    shop.write("models/lone.ff.sql", "select 3 as one")
    assert difference(shop)["modified"] == ["lone"]


# -- what git cannot do --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref", ["nope", "--help", "--output=x", "", " ", "HEAD:shop", "a\nb", "$(touch x)", "HEAD^{tree}"]
)
def test_unknown_revisions_are_usage_errors(shop, git: Git, ref: str) -> None:
    for args in (("diff", f"--since={ref}"), ("ls", f"--changed-since={ref}")):
        ended = shop(*args, ok=False)
        assert ended.code == 64, (args, ended)
        assert "error[FF2332]: git knows no commit" in ended.err
    assert sorted(path.name for path in shop.root.iterdir() if path.name in ("x", "--output=x")) == []


def test_outside_of_a_repository(shop) -> None:
    ended = shop("diff", ok=False)
    assert ended.code == 1
    assert "error[FF2331]" in ended.err
    assert "--state FILE" in ended.err


def test_before_the_first_commit(shop) -> None:
    run_git(shop.root.parent, "init", "-q")
    ended = shop("diff", ok=False)
    assert ended.code == 1
    assert "error[FF2332]: git knows no commit 'HEAD': nothing is committed on this branch yet" in ended.err


def test_a_repository_of_somebody_else_says_what_to_do(shop, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for this
    monkeypatch.setenv("HOME", str(shop.root))
    ended = shop("diff", ok=False)
    assert ended.code == 1
    assert "belongs to another user" in ended.err
    assert "safe.directory" in ended.err


def test_files_that_moved_or_went_are_told_apart(shop, git: Git) -> None:
    git("mv", "shop/models/lone.ff.sql", "shop/models/alone.ff.sql")
    assert difference(shop) == {"added": ["alone"], "removed": ["lone"], "modified": [], "affected": []}
    (shop.root / "models/inner").mkdir()
    git("mv", "shop/models/alone.ff.sql", "shop/models/inner/lone.ff.sql")
    assert set(map(tuple, difference(shop).values())) == {()}, "a model is known by its name, not by its folder"
    (shop.root / "models/c.ff.sql").unlink()
    assert difference(shop)["removed"] == ["c"]
    assert shop("ls", "--changed-since", "HEAD", ok=False).code == 5, "nothing can be built of what is gone"


def test_without_git(shop, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(shop.root))
    ended = shop("ls", "--changed-since", "HEAD", ok=False)
    assert ended.code == 1
    assert "error[FF2331]: git is not installed" in ended.err


def test_a_shallow_clone_says_what_to_do(shop, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("commit", "-q", "--allow-empty", "-m", "two")
    run_git(tmp_path, "clone", "-q", "--depth", "1", f"file://{shop.root.parent}", "clone")
    monkeypatch.chdir(tmp_path / "clone/shop")
    ended = shop("diff", "--since", "HEAD~1", ok=False)
    assert ended.code == 1
    assert "shallow" in ended.err
    assert "git fetch --unshallow" in ended.err


def test_a_commit_with_a_broken_project_is_named(shop, git: Git) -> None:
    shop.write("models/b.ff.sql", "select * from {{ ref('nobody') }}")
    git("commit", "-q", "-a", "-m", "broken")
    shop.write("models/b.ff.sql", "select 1 as id, 2 as v")
    ended = shop("diff", ok=False)
    assert ended.code == 1
    assert "error[FF2333]" in ended.err
    assert "nobody" in ended.err


# -- --changed-since -----------------------------------------------------------------------------------------------


def test_changed_since_takes_what_is_built_from_it_too(shop, git: Git) -> None:
    shop("build")
    shop.write(
        "models/a.ff.sql",
        "{{ config(materialized='view', tags=['staging']) }}\nselect id, v * 2 as v from {{ ref('raw') }}",
    )
    assert shop("ls", "--changed-since", "HEAD").names == ["a", "b", "c"]
    assert shop("ls", "--changed-since", "HEAD", "-s", "c lone").names == ["c"]
    assert set(shop.statuses("build", "--changed-since", "HEAD")) == {"a", "b", "c"}


def test_nothing_changed_is_an_empty_selection(shop, git: Git) -> None:
    ended = shop("build", "--changed-since", "HEAD", ok=False)
    assert ended.code == 5
    assert "nothing that is selected changed since HEAD" in ended.err
    assert shop("build", "--changed-since", "HEAD", "--allow-empty").code == 0


# -- state: --------------------------------------------------------------------------------------------------------


def test_state_compares_with_the_last_build(shop) -> None:
    shop("build")
    assert shop("ls", "-s", "state:modified", ok=False).code == 5
    assert sorted(shop("ls", "-s", "state:unmodified").names) == ["a", "b", "c", "lone", "raw"]
    shop.write("models/b.ff.sql", "select id, v + 5 as v from {{ ref('a') }}")
    shop.write("models/new.ff.sql", "select 1 as x")
    assert shop("ls", "-s", "state:modified").names == ["new", "b"]
    assert shop("ls", "-s", "state:new").names == ["new"]
    assert shop("ls", "-s", "state:modified+").names == ["new", "b", "c"]
    assert shop("ls", "-s", "1+state:modified,b").names == ["b"]
    assert shop("ls", "--exclude", "state:unmodified").names == ["new", "b"]
    assert "lone" not in shop("dag", "-s", "state:modified").out
    assert "not_null" in shop("test", "-s", "state:modified").out
    assert set(shop.statuses("run", "-s", "state:modified")) == {"b", "new"}
    assert shop("ls", "-s", "state:modified", ok=False).code == 5


def test_a_failed_build_leaves_its_node_modified(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", "select nothing from {{ ref('a') }}")
    shop("build", ok=False)
    assert shop("ls", "-s", "state:modified").names == ["b"]


def test_ephemeral_models_are_neither_new_nor_modified_themselves(shop) -> None:
    shop.write("models/e.ff.sql", "{{ config(materialized='ephemeral') }}\nselect 1 as one\n")
    shop.write("models/f.ff.sql", "select * from {{ ref('e') }}\n")
    shop("build")
    assert shop("ls", "-s", "state:modified+", ok=False).code == 5
    shop.write("models/e.ff.sql", "{{ config(materialized='ephemeral') }}\nselect 2 as one\n")
    assert shop("ls", "-s", "state:modified").names == ["f"]


def test_without_history_it_says_so(shop) -> None:
    ended = shop("ls", "-s", "state:modified", ok=False)
    assert ended.code == 5
    assert "error[FF5003]" in ended.err
    assert "--state FILE" in ended.err
    assert not (shop.root / ".flowforge" / "state.db").exists()


@pytest.mark.parametrize("word", ["modifed", "newer", "state.x:new"])
def test_unknown_words_are_usage_errors(shop, word: str) -> None:
    ended = shop("ls", "-s", word if ":" in word else f"state:{word}", ok=False)
    assert ended.code == 64
    assert ("did you mean state:modified?" in ended.err) == (word == "modifed")


# -- manifests -----------------------------------------------------------------------------------------------------


def test_a_manifest_can_be_compared_with(shop, tmp_path: Path) -> None:
    file = tmp_path / "main.json"
    shop("compile", "--manifest", str(file))
    assert difference(shop, "--state", str(file))["modified"] == []
    shop.write("models/b.ff.sql", "select id, v + 5 as v from {{ ref('a') }}")
    shop.write("models/new.ff.sql", "select 1 as x")
    (shop.root / "models/lone.ff.sql").unlink()
    assert difference(shop, "--state", str(file)) == {
        "added": ["new"],
        "removed": ["lone"],
        "modified": ["b"],
        "affected": ["c"],
    }
    assert shop("ls", "-s", "state:modified", "--state", str(file)).names == ["new", "b"]
    assert shop("ls", "-s", "state:new", "--state", str(file)).names == ["new"]


def test_a_manifest_does_not_depend_on_the_profile_and_holds_no_secret(
    shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FF_SECRET_KEY", "hush-hush-hush")
    shop.write("models/lone.ff.sql", "select '{{ env('FF_SECRET_KEY') }}' as one")
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    shop("compile", "--manifest", str(one))
    shop("compile", "--manifest", str(two), "--env", "other")
    assert one.read_bytes() == two.read_bytes()
    assert b"hush" not in one.read_bytes()
    monkeypatch.setenv("FF_SECRET_KEY", "another-value-of-it")
    assert difference(shop, "--state", str(one))["modified"] == []


def test_a_manifest_is_a_file_like_others_and_is_replaced_whole(shop, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "usual").touch()
    (folder / "manifest.json").write_text("old")
    assert f"wrote {folder / 'manifest.json'}" in shop("compile", "--manifest", str(folder)).err
    assert (folder / "manifest.json").stat().st_mode == (folder / "usual").stat().st_mode
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "usual"]
    ended = shop("compile", "--manifest", str(folder / "usual/main.json"), ok=False)
    assert ended.code == 1
    assert "cannot be read or written" in ended.err


def test_manifests_that_cannot_be_used(shop, tmp_path: Path) -> None:
    file = tmp_path / "main.json"
    shop("compile", "--manifest", str(file))
    good = file.read_text()
    data = json.loads(good)
    cases = {
        "cannot be read": None,
        "is no JSON file, or was cut": good[: len(good) // 2],
        "is no manifest of FlowForge": "[1, 2]",
        "manifest of version 99": json.dumps({**data, "version": 99}),
        "its checksum is wrong": good.replace("select", "delete", 1),
    }
    for words, text in cases.items():
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        for args in (("diff", "--state", str(file)), ("ls", "-s", "state:new", "--state", str(file))):
            ended = shop(*args, ok=False)
            assert ended.code == 1, words
            assert "error[FF2341]" in ended.err
            assert words in ended.err
    assert shop("diff", "--state", str(file), "--since", "HEAD", ok=False).code == 64
