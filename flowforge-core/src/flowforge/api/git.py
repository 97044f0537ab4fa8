"""Asks git what a project looked like at an earlier commit. Starts git, changes nothing in the user's repository.

git is called with lists of arguments, never through a shell; it runs no hook and checks nothing out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from flowforge.errors import StateError, UsageError
from flowforge.frozen import frozen

_TIMEOUT = 300.0  # seconds; more than git needs, less than a job in CI is given
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LINK, _SUBMODULE = "120000", "160000"
_NEUTRAL = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")

# What a hook of git leaves in the environment would send these calls to another folder.
_LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


@frozen
class _Entry:
    """One file of a commit."""

    mode: str
    id: str
    path: str


class Repository:
    """The git repository around a folder.

    Parameters
    ----------
    folder:
        A folder inside of the work tree, such as that of a project.

    Raises
    ------
    StateError
        ``FF2331`` when git is not installed, or the folder is not in a repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = self._git("rev-parse", "--is-inside-work-tree", "--show-prefix")
        inside, _, prefix = found.stdout.decode("utf-8", "surrogateescape").partition("\n")
        if b"dubious ownership" in found.stderr:
            raise StateError(
                f"git refuses to read the repository around {folder}: it belongs to another user",
                code="FF2331",
                help="where that is meant, as in a container: `git config --global --add safe.directory FOLDER`",
                notes=_words(found),
            )
        if found.returncode != 0 or inside != "true":
            raise StateError(
                f"{folder} is not in the work tree of a git repository",
                code="FF2331",
                help="give `--state FILE`, written by `flowforge compile --manifest FILE`, instead of a git revision",
                notes=_words(found),
            )
        self._prefix = prefix.removesuffix("\n").rstrip("/")

    def commit(self, revision: str) -> str:
        """The id of the commit that *revision* (a branch, tag, id ...) means.

        Raises
        ------
        UsageError
            ``FF2332`` when there is no such commit.
        StateError
            ``FF2332`` when there may be one, but the clone is shallow.
        """
        found = None
        if revision.strip() and "\0" not in revision:
            found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            lines = found.stdout.decode("ascii", "replace").split()
            if found.returncode == 0 and lines and _ID.fullmatch(lines[-1]):
                return lines[-1]
        message = f"git knows no commit {revision!r}"
        if self._git("rev-parse", "--verify", "--quiet", "HEAD").returncode != 0:
            raise StateError(
                f"{message}: nothing is committed on this branch yet",
                code="FF2332",
                help="commit once, then compare with what you committed",
            )
        if self._git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
            raise StateError(
                message,
                code="FF2332",
                help="this clone is shallow, and may lack it for that reason: `git fetch --unshallow`, "
                "or let CI fetch the whole history",
            )
        raise UsageError(
            message,
            code="FF2332",
            help="`git branch --all` lists branches; one of a remote is written origin/NAME",
            notes=_words(found) if found else (),
        )

    def export(self, commit: str, target: Path) -> bool:
        """Write the folder's files as they are in *commit* into *target*; False when it did not exist then.

        What did not change since then is copied from the work tree, so that line ends and filters of git, which
        make the files there, make no difference.

        Raises
        ------
        StateError
            ``FF2331`` when git cannot read them.
        """
        tree = f"{commit}:{self._prefix}" if self._prefix else f"{commit}^{{tree}}"
        if self._git("rev-parse", "--verify", "--quiet", "--end-of-options", tree).returncode != 0:
            return False
        changed = self._changed(commit)
        wanted = [
            entry
            for entry in self._entries(tree)
            if entry.path in changed or not _copy(self._folder / entry.path, target / entry.path, entry.mode)
        ]
        for entry, content in zip(wanted, self._contents(wanted), strict=True):
            place = target / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode == _LINK:
                place.symlink_to(os.fsdecode(content))
            else:
                place.write_bytes(content)
        return True

    def _changed(self, commit: str) -> frozenset[str]:
        """Files of *commit* that are not the same in the work tree, relative to the folder."""
        options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
        found = self._must("diff", *options, "--relative", commit, "--", ".")
        return frozenset(os.fsdecode(path) for path in found.split(b"\0") if path)

    def _entries(self, tree: str) -> Iterator[_Entry]:
        for line in self._must("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0"):
            if not line:
                continue
            facts, _, path = line.partition(b"\t")
            mode, _, id_ = os.fsdecode(facts).split(" ")
            entry = _Entry(mode, id_, os.fsdecode(path))
            if mode != _SUBMODULE and _is_inside(entry.path):
                yield entry

    def _contents(self, entries: Sequence[_Entry]) -> Iterator[bytes]:
        if not entries:
            return
        answer = self._must("cat-file", "--batch", given="".join(f"{entry.id}\n" for entry in entries).encode())
        at = 0
        for entry in entries:
            end = answer.index(b"\n", at)
            words = answer[at:end].split(b" ")
            if len(words) != 3:
                raise StateError(
                    f"git has no content for {entry.path!r} in that commit",
                    code="FF2331",
                    help="fetch what is missing: `git fetch`",
                )
            size = int(words[2])
            yield answer[end + 1 : end + 1 + size]
            at = end + 1 + size + 1

    def _must(self, *arguments: str, given: bytes = b"") -> bytes:
        done = self._git(*arguments, given=given)
        if done.returncode != 0:
            raise StateError(f"`git {arguments[0]}` failed", code="FF2331", notes=_words(done))
        return done.stdout

    def _git(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *_NEUTRAL, *arguments],
                cwd=self._folder,
                env=_environ(),
                input=given,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise StateError(
                "git is not installed, or not on the PATH",
                code="FF2331",
                help="install git, or give `--state FILE` instead of a revision",
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StateError(f"git cannot be used: {error}", code="FF2331") from error


def _environ() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_PAGER": "cat"}


def _words(done: subprocess.CompletedProcess[bytes]) -> tuple[str, ...]:
    """What git itself said, cut to what a reader needs."""
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return tuple(f"git: {line.removeprefix('fatal: ')}" for line in lines[:2])


def _is_inside(path: str) -> bool:
    """Whether a path of a tree stays inside of it; trees that were made by hand may hold anything."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not {"..", ".git"} & set(parts)


def _copy(source: Path, target: Path, mode: str) -> bool:
    """Copy a file that did not change; False when it is not there as the commit has it."""
    if source.is_symlink() or mode == _LINK or not source.is_file():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return True
