"""Reads ``seeds/schema.yml``: the declared column types of seeds.

Knows YAML documents and the words of :mod:`flowforge.seeds.types`; opens no seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.structure import structure
from flowforge.config.yaml import YamlDocument, parse_yaml
from flowforge.errors import ConfigFileError, FlowForgeError, Problems, SeedError
from flowforge.seeds.types import normal_word
from flowforge.values import Location

NAMES = ("schema.yml", "schema.yaml")


@attrs.frozen(kw_only=True)
class _Top:
    later_keys: ClassVar = ("targets", "dtypes", "seeds")

    version: int = attrs.field(default=1, validator=attrs.validators.in_((1, 2)))
    columns: dict[str, dict[str, Any]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class _Column:
    later_keys: ClassVar = ("engines",)

    type: str


FILE = _Top
"""What the file is read into."""


def read_schema_file(
    root: Path, folder: str, files: Sequence[str], seeds: Iterable[str], problems: Problems
) -> Mapping[str, Mapping[str, str]]:
    """The declared types, as words, by the path of the seed and the name of the column.

    Parameters
    ----------
    folder:
        The folder of the seeds, relative to *root*, with forward slashes.
    files:
        The files of the names :data:`NAMES` that stand there, relative to *root*; more than one is a problem.
    seeds:
        Paths of all seeds, relative to *root*.

    Everything that is wrong goes to *problems*; the answer holds what could be understood.
    """
    if not files:
        return {}
    if len(files) > 1:
        problems.add(
            SeedError(
                f"there are both {NAMES[0]} and {NAMES[1]}",
                code="FF2207",
                location=Location(files[1]),
                help="move everything into one of them",
            )
        )
    try:
        document = parse_yaml((root / files[0]).read_bytes(), files[0])
    except OSError as exc:
        problems.add(ConfigFileError(f"cannot read this file: {exc.strerror}", location=Location(files[0])))
        return {}
    except FlowForgeError as error:
        problems.add(error)
        return {}
    if document.data is None:
        return {}
    top = structure(document, _Top, problems=problems)
    return _types(document, top.columns, folder, seeds, problems) if top is not None else {}


def seed_ids(path: str, folder: str) -> tuple[str, ...]:
    """The names by which ``schema.yml`` may call a seed: its stem, and its path in *folder* with slashes or dots."""
    inside = PurePosixPath(path).relative_to(folder).with_suffix("")
    return tuple(dict.fromkeys((inside.name, str(inside), ".".join(inside.parts))))


def _types(
    document: YamlDocument,
    columns: Mapping[str, Mapping[str, Any]],
    folder: str,
    seeds: Iterable[str],
    problems: Problems,
) -> Mapping[str, Mapping[str, str]]:
    known: dict[str, str] = {}
    for path in seeds:
        for id_ in seed_ids(path, folder):
            known.setdefault(id_, path)
    found: dict[str, dict[str, str]] = {}
    for id_, declared in columns.items():
        at = ("columns", id_)
        if id_ not in known:
            problems.add(
                SeedError(
                    f"there is no seed '{id_}'",
                    code="FF2207",
                    location=document.locate(at, key=True),
                    help=nearest(id_, known),
                )
            )
        elif known[id_] in found:
            problems.add(
                SeedError(
                    f"the columns of {known[id_]} are declared twice",
                    code="FF2207",
                    location=document.locate(at, key=True),
                    help="keep one of the entries",
                )
            )
        else:
            found[known[id_]] = _column_types(document, at, declared, problems)
    return found


def _column_types(
    document: YamlDocument, at: tuple[str, ...], declared: Mapping[str, Any], problems: Problems
) -> dict[str, str]:
    words: dict[str, str] = {}
    for column, value in declared.items():
        place = (*at, column)
        word: str | None = value if isinstance(value, str) else None
        if isinstance(value, Mapping):
            entry = structure(document, _Column, problems=problems, at=place)
            if entry is None:
                continue
            word, place = entry.type, (*place, "type")
        try:
            if word is None:
                raise ValueError(f"the type of column '{column}' should be a text")
            words[column] = normal_word(word)
        except ValueError as exc:
            problems.add(SeedError(str(exc), code="FF2207", location=document.locate(place)))
    return words
