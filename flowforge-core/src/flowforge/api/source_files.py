"""Asks the engine and the file system for the files of sources."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from flowforge.contract import Session
from flowforge.errors import ConfigFileError, Problems
from flowforge.project.manifest import Manifest, Source
from flowforge.run.source_files import files_state
from flowforge.run.source_text import files_of

if TYPE_CHECKING:
    from flowforge.api.project import Project


def state_of_files(project: Project, session: Session, source: Source) -> str | None:
    """A token for the files of *source*; ``None`` when nobody can tell."""
    paths = session.source_files(files_of(source, project.root))
    if not paths:
        return None
    try:
        return files_state(paths, project.root)
    except OSError:
        return None  # whoever reads them will say why


def refuse_missing_files(project: Project, session: Session, names: Iterable[str]) -> None:
    """See that the sources of the nodes *names* have files, before any of them is built.

    Raises
    ------
    ConfigFileError, ProjectErrors
        With everything that has none, or that this engine cannot read.
    """
    if not any(source.files is not None for source in project.manifest.sources.values()):
        return
    problems, compiler = Problems(), project.compiler
    for id_ in sorted(_read_by(project.manifest, set(names))):
        source = project.manifest.sources[id_]
        if source.files is None or source.node is not None:
            continue
        try:
            compiler.source(source)
        except ConfigFileError as error:
            problems.add(error)
            continue
        found = session.source_files(files_of(source, project.root))
        if found is not None and not found:
            problems.add(
                ConfigFileError(
                    f"the source {id_!r} has no file: nothing fits {source.files.location!r}",
                    code="FF1032",
                    location=source.files.written,
                    help="put the file there, or correct `location`; relative paths count from the project's folder",
                )
            )
    problems.raise_if_any()


def _read_by(manifest: Manifest, names: Collection[str]) -> frozenset[str]:
    """The sources that nodes read, also through ephemeral models, whose text is part of theirs."""
    todo, seen, found = list(names), set(names), set[str]()
    while todo:
        node = manifest.nodes[todo.pop()]
        found.update(node.reads)
        for parent in node.depends_on:
            if parent not in seen and manifest.nodes[parent].materialized == "ephemeral":
                seen.add(parent)
                todo.append(parent)
    return frozenset(found)
