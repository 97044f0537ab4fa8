"""Opens one seed for loading: the one door through which the run reads seed files.

Knows formats only by their declaration. Sees to it that errors name the path inside the project, and that whatever a
third-party reader raises ends as a :class:`~flowforge.errors.SeedError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.type_words import arrow_type
from flowforge.contract import SeedFormat
from flowforge.crash import crash_point
from flowforge.errors import FlowForgeError, Problems, ProjectErrors, SeedError
from flowforge.seeds.json_reader import LINE
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa


def open_seed(
    root: Path,
    path: str,
    format_: SeedFormat,
    types: Mapping[str, str],
    options: Any = None,
    *,
    nested: bool = True,
) -> pa.RecordBatchReader:
    """A reader over the exact rows of a seed; its ``schema`` is known before the first row is read.

    Parameters
    ----------
    root:
        The project's folder.
    path:
        The seed, relative to *root*, with forward slashes.
    types:
        Declared types by column, in the words of :mod:`flowforge.config.type_words`.
    options:
        How the file is written: an instance of what the format declares; ``None``: as usual.
    nested:
        Whether lists and objects may be columns.

    Raises
    ------
    SeedError, ProjectErrors
        When the file cannot be read exactly, does not exist, or lies outside the project. The readers of this room
        find that before they hand out a row; another plugin's reader may raise while it is read.
    """
    file = root / path
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
        raise SeedError(
            "this seed lies outside the project",
            code="FF2206",
            location=Location(path),
            help="copy the data into the project",
        )
    try:
        import pyarrow as pa
    except ImportError:
        raise SeedError(
            "reading seeds needs pyarrow, which is not installed",
            code="FF2209",
            location=Location(path),
            help="install an engine's distribution; it brings pyarrow",
        ) from None
    declared = {column: arrow_type(word) for column, word in types.items()}
    try:
        given = () if options is None else (options,)
        reader = format_.read(file, declared, *given)
    except Exception as exc:
        raise _as_seed_error(exc, file, path, format_) from exc

    def rows() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield batch
                crash_point("seed.batch")
        except Exception as exc:
            raise _as_seed_error(exc, file, path, format_) from exc

    if not nested:
        _refuse_nested(path, reader.schema)
    schema = pa.schema([field.remove_metadata() for field in reader.schema])
    return pa.RecordBatchReader.from_batches(schema, rows())


def _refuse_nested(path: str, schema: pa.Schema) -> None:
    import pyarrow as pa

    problems = Problems()
    for field in schema:
        if pa.types.is_nested(field.type):
            line = (field.metadata or {}).get(LINE)
            problems.add(
                SeedError(
                    f"column {field.name!r} holds {'lists' if pa.types.is_list(field.type) else 'objects'}, which the "
                    "engine has no columns for",
                    code="FF2214",
                    location=Location(path, int(line)) if line else Location(path),
                    help="declare the column as string in seeds/schema.yml, to have its JSON as text",
                )
            )
    problems.raise_if_any()


def _as_seed_error(exc: Exception, file: Path, path: str, format_: SeedFormat) -> FlowForgeError:
    if isinstance(exc, ProjectErrors):
        return ProjectErrors(_as_seed_error(error, file, path, format_) for error in exc.errors)
    if isinstance(exc, FlowForgeError):
        if exc.location is None:
            exc.location = Location(path)
        elif exc.location.path == str(file):
            exc.location = attrs.evolve(exc.location, path=path)
        return exc
    if isinstance(exc, FileNotFoundError):
        return SeedError("the seed is gone", code="FF2201", location=Location(path), help="put the file back")
    reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__
    return SeedError(
        f"the format {format_.name!r} cannot read this seed: {reason.splitlines()[0]}",
        code="FF2201",
        location=Location(path),
    )
