"""Finds the seed files of a project and makes nodes of them.

Knows the folder, the suffixes of the installed formats and ``schema.yml``; reads no rows. Seeds that share a name
with each other or with a model are found where all nodes are compared, in :mod:`flowforge.project.names`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import attrs

from flowforge.contract import SeedFormat
from flowforge.errors import Note, Problems, SeedError
from flowforge.project.manifest import ModelConfig, Node, NodeKind, SeedBody
from flowforge.seeds import schema_file
from flowforge.values import Location, Relation, relation_for

FOLDER = "seeds"

_HASH_BYTES = 20
_READ_BYTES = 1024 * 1024
_DATA_SUFFIXES = frozenset(
    {".tsv", ".psv", ".xls", ".xlsx", ".ods", ".json", ".jsonl", ".ndjson", ".xml", ".sql"}
    | {".arrow", ".feather", ".orc", ".avro", ".gz", ".bz2", ".zst", ".zip"}
)


@attrs.frozen
class SeedFiles:
    """The seeds of a project.

    Parameters
    ----------
    nodes:
        One for each file, sorted by path; a node's name is the file's name without its suffix.
    notes:
        Files that look like data and are read by no installed format.
    """

    nodes: tuple[Node, ...] = ()
    notes: tuple[Note, ...] = ()


def find_seeds(root: Path, formats: Sequence[SeedFormat], problems: Problems, *, folder: str = FOLDER) -> SeedFiles:
    """Look through *folder* and everything below it.

    Parameters
    ----------
    root:
        The project's folder.
    formats:
        What plugins offer; a file belongs to the format that has its suffix, whatever its case.

    What is wrong goes to *problems*: links that lead out of the project, types declared for nothing.
    """
    if not (root / folder).is_dir():
        return SeedFiles()
    suffixes = [suffix for format_ in formats for suffix in format_.suffixes]
    seeds: dict[str, str] = {}
    notes: list[Note] = []
    type_files = [f"{folder}/{name}" for name in schema_file.NAMES]
    declared: list[str] = []
    for path in sorted(_walk(root, folder, problems)):
        suffix = _suffix(path, suffixes)
        if path in type_files:
            declared.append(path)
        elif suffix is not None:
            seeds[path] = suffix
        elif PurePosixPath(path).suffix.lower() in _DATA_SUFFIXES:
            notes.append(
                Note(
                    "this file is not loaded: no installed seed format reads it",
                    "FF2208",
                    Location(path),
                    f"convert it to one of {', '.join(sorted(suffixes))}, or move it out of {folder}/",
                )
            )
        elif path.endswith((".yml", ".yaml")):
            notes.append(
                Note("this file is not read", "FF2208", Location(path), f"types belong into {folder}/schema.yml")
            )
    types = schema_file.read_schema_file(root, folder, declared, seeds, problems)
    nodes = []
    for path, suffix in seeds.items():
        name = PurePosixPath(path).name[: -len(suffix)]
        nodes.append(
            Node(
                name=name,
                kind=NodeKind.SEED,
                path=path,
                relation=Relation(relation_for(name)),
                config=ModelConfig(materialized="seed"),
                body=SeedBody(suffix, types.get(path, {})),
            )
        )
    return SeedFiles(tuple(nodes), tuple(notes))


def content_hash(path: Path) -> str:
    """A digest of a file's bytes; the file is streamed.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _suffix(path: str, suffixes: Sequence[str]) -> str | None:
    """The longest suffix that *path* has, in lower case."""
    name = PurePosixPath(path).name.lower()
    found = [suffix for suffix in suffixes if name.endswith(suffix) and name != suffix]
    return max(found, key=len, default=None)


def _walk(root: Path, folder: str, problems: Problems) -> Iterator[str]:
    """Relative paths of the files below *folder*; hidden ones are left out, links out of the project refused."""
    real_root = Path(os.path.realpath(root))
    todo = [folder]
    while todo:
        current = todo.pop()
        if not Path(os.path.realpath(root / current)).is_relative_to(real_root):
            problems.add(_outside(current))
            continue
        try:
            entries = list(os.scandir(root / current))
        except OSError as exc:
            problems.add(
                SeedError(f"cannot read this folder: {exc.strerror}", code="FF2201", location=Location(current))
            )
            continue
        for entry in entries:
            path = f"{current}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(real_root):
                problems.add(_outside(path))
            elif entry.is_dir():
                # A linked folder of the project is read where it really is, or it might be read twice or for ever.
                if not entry.is_symlink():
                    todo.append(path)
            elif not entry.is_file() and os.path.exists(entry.path):
                problems.add(
                    SeedError("this is no regular file", code="FF1012", location=Location(path), help="remove it")
                )
            else:
                yield path


def _outside(path: str) -> SeedError:
    return SeedError(
        "this link leads outside the project",
        code="FF2206",
        location=Location(path),
        help="copy the data into the project",
    )
