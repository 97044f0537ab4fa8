"""Finds the seed files of a project and makes nodes of them.

Knows the folder, the suffixes of the installed formats, and what is said about seeds; reads no rows. Seeds that share a name
with each other or with a model are found where all nodes are compared, in :mod:`flowforge.project.names`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import attrs

from flowforge.config.layers import Passage
from flowforge.config.properties import ModelProps, Properties, load_properties
from flowforge.contract import SeedFormat
from flowforge.errors import Note, Problems, SeedError
from flowforge.frozen import frozen
from flowforge.project.asked import Answers
from flowforge.project.manifest import Node, NodeKind, SeedBody
from flowforge.seeds import schema_file
from flowforge.seeds.engine_words import EngineWords
from flowforge.seeds.settings import SeedSettings
from flowforge.seeds.sql_seed import SQL, seed_id, sql_seed
from flowforge.values import Location, Relation, relation_for

FOLDER = "seeds"

_DATA_SUFFIXES = frozenset(
    {".psv", ".xls", ".xlsx", ".ods", ".json", ".xml"}
    | {".arrow", ".feather", ".orc", ".avro", ".gz", ".bz2", ".zst", ".zip"}
)


@frozen
class SeedFiles:
    """The seeds of a project.

    Parameters
    ----------
    nodes:
        One for each file, sorted by path; a node's name is the file's name without its suffix.
    notes:
        Files that look like data and are read by no installed format.
    properties:
        What YAML files among the seeds say about seeds.
    has_others:
        Whether there are further files, which a format that was not asked may read.
    """

    nodes: tuple[Node, ...] = ()
    notes: tuple[Note, ...] = ()
    properties: tuple[Properties, ...] = ()
    has_others: bool = False


@frozen
class Surrounding:
    """What the rest of the project says about its seeds.

    Parameters
    ----------
    passage:
        The part ``seeds:`` of ``project.yml``.
    project:
        The project's name.
    described:
        What YAML files elsewhere say about seeds.
    """

    passage: Passage | None = None
    project: str = ""
    described: tuple[ModelProps, ...] = ()
    answers: Answers = attrs.field(factory=Answers)
    engines: EngineWords = attrs.field(factory=EngineWords)


def find_seeds(
    root: Path,
    formats: Sequence[SeedFormat],
    problems: Problems,
    *,
    folder: str = FOLDER,
    around: Surrounding | None = None,
) -> SeedFiles:
    """Look through *folder* and everything below it.

    Parameters
    ----------
    root:
        The project's folder.
    formats:
        What plugins offer; a file belongs to the format that has its suffix, whatever its case.

    What is wrong goes to *problems*: links that lead out of the project, settings of nothing, wrong ones.
    """
    around = around or Surrounding()
    by_suffix = {suffix: format_ for format_ in formats for suffix in format_.suffixes}
    suffixes = [*by_suffix, SQL]
    seeds: dict[str, str] = {}
    notes: list[Note] = []
    type_files = [f"{folder}/{name}" for name in schema_file.NAMES]
    declaring: list[str] = []
    properties: list[Properties] = []
    has_others = False
    for path in sorted(_walk(root, folder, problems)) if (root / folder).is_dir() else ():
        suffix = _suffix(path, suffixes)
        if path in type_files:
            declaring.append(path)
        elif suffix is not None:
            seeds[path] = suffix
        elif not path.endswith((".yml", ".yaml")):
            has_others = True
            if PurePosixPath(path).suffix.lower() not in _DATA_SUFFIXES:
                continue
            notes.append(
                Note(
                    "this file is not loaded: no installed seed format reads it",
                    "FF2208",
                    Location(path),
                    f"convert it to one of {', '.join(sorted(suffixes))}, or move it out of {folder}/",
                )
            )
        else:
            read = load_properties(root, path, problems)
            if read is not None:
                properties.append(_seeds_only(read, problems))
    declared = schema_file.read_schema_file(root, folder, declaring, seeds, problems, around.engines)
    if declared.properties is not None:
        properties.append(declared.properties)
    entries = [*around.described, *(entry for file in properties for entry in file.models)]
    settings = SeedSettings(
        formats,
        problems,
        passage=around.passage,
        project=around.project,
        folder=folder,
        described=entries,
        nearer={_name(path, seeds[path]).removesuffix(".ff"): layer for path, layer in declared.targets.items()},
        answers=around.answers,
    )
    nodes = []
    for path, suffix in seeds.items():
        node = _node(
            root, path, suffix, by_suffix.get(suffix), folder, settings, declared.types.get(path, {}), problems
        )
        if node is not None:
            nodes.append(node)
    named = [_Named(path, _name(path, suffix)) for path, suffix in seeds.items()]
    settings.layered.refuse_strays(named, problems)
    return SeedFiles(tuple(nodes), tuple(notes), tuple(properties), has_others)


@frozen
class _Named:
    """What is known of a seed before its settings are."""

    path: str
    name: str

    @property
    def short_name(self) -> str:
        return self.name.removesuffix(".ff")


def _name(path: str, suffix: str) -> str:
    return PurePosixPath(path).name[: -len(suffix)]


def _node(
    root: Path,
    path: str,
    suffix: str,
    format_: SeedFormat | None,
    folder: str,
    settings: SeedSettings,
    types: Mapping[str, tuple[str, Location]],
    problems: Problems,
) -> Node | None:
    name = _name(path, suffix)
    if format_ is None:
        return sql_seed(root, path, name, folder, settings, types, problems)
    told = settings.of(path, name, format_, {}, lambda key: Location(path))
    words = {column: word for column, (word, _) in types.items()}
    for column, word in told.types.items():
        twin = next((one for one in types if one.casefold() == column.casefold()), None)
        if twin is not None and types[twin][0] != word:
            problems.add(
                SeedError(
                    f"column_types says that {column!r} is {word}, and seeds/schema.yml that it is {types[twin][0]}",
                    code="FF2207",
                    location=types[twin][1],
                    help="keep one of them",
                )
            )
        elif twin is None:
            words[column] = word
    return Node(
        name=name,
        kind=NodeKind.SEED,
        path=path,
        relation=Relation(told.config.alias or relation_for(name), told.config.schema, told.config.database),
        place_of=told.place,
        config=told.config,
        body=SeedBody(suffix, words, told.options, told.loaded_columns, seed_id(path, suffix, folder)),
        description=told.config.description,
    )


def _seeds_only(read: Properties, problems: Problems) -> Properties:
    """What stands among the seeds describes seeds."""
    for entry in read.models:
        if entry.kind != "seeds":
            problems.add(
                SeedError(
                    f"{entry.name!r} is described as a model, among the seeds",
                    code="FF2207",
                    location=entry.location,
                    help="list seeds under `seeds:`, and models in a YAML file below the models",
                )
            )
    return attrs.evolve(read, models=tuple(entry for entry in read.models if entry.kind == "seeds"))


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
