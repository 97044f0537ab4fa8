"""Commits that somebody made by hand: nothing is written outside of the folder, links stay links."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flowforge.api.git import Repository
from flowforge.errors import StateError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *args: str, given: bytes = b"") -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *args], cwd=folder, input=given, capture_output=True, check=True, env=env)
    return done.stdout.decode().strip()


def commit_tree(root: Path, *entries: tuple[str, bytes, str]) -> str:
    """A commit with entries of any name; git's own commands would refuse some of them."""
    content = b""
    for mode, name, id_ in entries:
        content += mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_)
    tree = git(root, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=content)
    return git(root, "commit-tree", "-m", "by hand", tree)


def blob(root: Path, content: bytes) -> str:
    return git(root, "hash-object", "-w", "--stdin", given=content)


def test_names_that_lead_outside_are_left_out(root: Path, tmp_path: Path) -> None:
    id_ = blob(root, b"evil")
    inner = git(
        root, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", given=b"100644 evil\0" + bytes.fromhex(id_)
    )
    commit = commit_tree(root, ("100644", b"..", id_), ("40000", b".git", inner), ("100644", b"good", id_))
    target = tmp_path / "target"
    target.mkdir()
    assert Repository(root).export(commit, target)
    assert [path.name for path in target.rglob("*")] == ["good"]
    assert not (tmp_path / "evil").exists()


def test_links_submodules_and_strange_names(root: Path, tmp_path: Path) -> None:
    names = [b"a b", b"n\xc3\xa4me", b"tab\there", b"-x", b'quo"te']
    entries = [("100644", name, blob(root, name)) for name in names]
    commit = commit_tree(root, *entries, ("120000", b"link", blob(root, b"a b")), ("160000", b"module", "0" * 39 + "1"))
    target = tmp_path / "target"
    target.mkdir()
    assert Repository(root).export(commit, target)
    assert {os.fsencode(path.name) for path in target.iterdir()} == {*names, b"link"}
    assert (target / "link").is_symlink()
    for name in names:
        assert (target / os.fsdecode(name)).read_bytes() == name


def test_content_that_git_has_lost_is_an_error(root: Path, tmp_path: Path) -> None:
    commit = commit_tree(root, ("100644", b"gone", "1" * 40))
    with pytest.raises(StateError) as caught:
        Repository(root).export(commit, tmp_path / "target")
    assert caught.value.code == "FF2331"


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare")
    with pytest.raises(StateError) as caught:
        Repository(tmp_path / "bare")
    assert caught.value.code == "FF2331"


@pytest.mark.parametrize("revision", ["", " ", "-n", "--all", "x\0y", "HEAD..HEAD", "^HEAD", ":/x", "@{-1}"])
def test_only_commits_are_commits(root: Path, revision: str) -> None:
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(UsageError) as caught:
        Repository(root).commit(revision)
    assert caught.value.code == "FF2332"
