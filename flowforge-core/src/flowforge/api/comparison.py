"""Compares a project with an earlier state of itself: a commit of git, or a manifest that was written to a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.api.changes import Changes, compare
from flowforge.api.described import ProjectState, describe
from flowforge.api.git import Repository
from flowforge.api.manifest_file import read_manifest
from flowforge.errors import FlowForgeError, ProjectErrors, StateError
from flowforge.frozen import frozen
from flowforge.project.contract_changes import ContractChange, compare_contracts

if TYPE_CHECKING:
    from flowforge.api.project import Project


@frozen
class Comparison:
    """Two states of a project, and what leads from one to the other."""

    before: ProjectState
    after: ProjectState
    changes: Changes

    def contract_changes(self, names: Iterable[str] | None = None) -> tuple[ContractChange, ...]:
        """What became of the promises of contracts, the breaking changes first.

        Parameters
        ----------
        names:
            Only those of these nodes; of what was removed, only without.
        """
        found = compare_contracts(self.before.contracts or {}, self.after.contracts or {})
        if self.before.contracts is None:
            return ()
        kept = None if names is None else frozenset(names)
        return tuple(one for one in found if kept is None or one.table in kept)


def compare_with_file(project: Project, path: Path) -> Comparison:
    """Compare with a manifest file.

    Raises
    ------
    StateError
        When it cannot be used.
    """
    before, after = load_manifest_file(project, path), describe(project)
    return Comparison(before, after, compare(before, after, project.dag))


def compare_with_commit(project: Project, revision: str) -> Comparison:
    """Compare the files as they are now, committed or not, with those of a commit.

    Variables and the engine are those of *project* on both sides, so that only files make a difference.

    Raises
    ------
    StateError, UsageError
        When git or the project as it was cannot be used.
    """
    repository = Repository(project.root)
    commit = repository.commit(revision)
    after = describe(project)
    with tempfile.TemporaryDirectory(prefix="flowforge-") as folder:
        root = Path(folder).resolve()
        there = repository.export(commit, root) and (root / "project.yml").is_file()
        before = _described(project, root, revision) if there else ProjectState(after.project, after.engine, {})
        return Comparison(before, after, compare(before, after, project.dag, old_root=root, new_root=project.root))


def load_manifest_file(project: Project, path: Path) -> ProjectState:
    """The state in a manifest file, if it can be compared with *project*.

    Raises
    ------
    StateError
        ``FF2342`` when it was written for another engine, and as :func:`read_manifest`.
    """
    state = read_manifest(path)
    if state.engine != project.engine.name:
        raise StateError(
            f"{str(path)!r} was written for {state.engine}, but this is {project.engine.name}: every model would differ",
            code="FF2342",
            help=f"compare under a profile with that engine, or use --engine {state.engine}",
        )
    return state


def _described(project: Project, root: Path, revision: str) -> ProjectState:
    """The state of the project that stands at *root* as it was in *revision*."""
    try:
        return describe(project.reloaded(root), like=project)
    except FlowForgeError as error:
        problems = error.errors if isinstance(error, ProjectErrors) else (error,)
        raise StateError(
            f"the project as it was in {revision!r} cannot be loaded",
            code="FF2333",
            help="compare with a commit in which `flowforge validate` succeeds",
            notes=[str(problem).replace("\n", " ") for problem in problems[:3]],
        ) from error
