"""The files that a model says it reads: ``inputs=["data/*.csv"]`` as paths. Reads folders, not the files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowforge.errors import ProjectError
from flowforge.frozen import frozen
from flowforge.values import Location

_SKIPPED = frozenset({".git", ".flowforge", "__pycache__"})


@frozen
class InputFiles:
    """Paths relative to the project, sorted, and the patterns that fit no file: mistakes, or files yet to come."""

    files: tuple[str, ...]
    unmatched: tuple[str, ...]


def input_files(root: Path, patterns: Sequence[str]) -> InputFiles:
    """Find the files that *patterns* fit; one that fits a folder means everything below it. Any thread.

    Raises
    ------
    ProjectError
        When one of them is a link that leads out of the project.
    """
    if not patterns:
        return InputFiles((), ())
    real_root = os.path.realpath(root)
    found: set[str] = set()
    unmatched = []
    for pattern in patterns:
        files = {file for match in root.glob(pattern) for file in _files(match)}
        paths = {file.relative_to(root).as_posix() for file in files}
        paths = {path for path in paths if not _SKIPPED.intersection(path.split("/"))}
        for path in sorted(paths):
            if not os.path.realpath(root / path).startswith(os.path.join(real_root, "")):
                raise ProjectError(
                    "this link leads out of the project",
                    code="FF1021",
                    location=Location(path),
                    notes=[f"it fits the pattern {pattern!r} of a model's inputs"],
                    help="copy the file into the project",
                )
        if not paths:
            unmatched.append(pattern)
        found |= paths
    return InputFiles(tuple(sorted(found)), tuple(unmatched))


def _files(match: Path) -> Iterator[Path]:
    if match.is_dir():
        for folder, _, names in os.walk(match):
            yield from (Path(folder, name) for name in names)
    elif match.is_file():
        yield match
