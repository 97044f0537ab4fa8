"""Warnings about models that read something of which nobody can tell whether it changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from flowforge.contract import Dialect
from flowforge.errors import Note
from flowforge.project.manifest import Node
from flowforge.project.volatile_python import volatile_reasons
from flowforge.project.volatile_sql import scan_rendered
from flowforge.run.compile import Compiled


def sql_notes(
    compiled: Compiled, dialect: Dialect, *, files_declared: bool, promised: Collection[str] = ()
) -> tuple[Note, ...]:
    """One note for each volatile function and each relation that is read without ``ref`` or ``source``.

    Parameters
    ----------
    files_declared:
        The model says which files it reads.
    promised:
        Files of ephemeral models that say ``cache=true``: what stands in their text counts for nothing.
    """
    known = [
        tuple(dialect.fold(part) for part in (one.database, one.schema, one.name) if part) for one in compiled.inputs
    ]
    reads = scan_rendered(compiled.unrevealed, known, dialect.fold)

    def counts(offset: int) -> bool:
        where = compiled.locate_unrevealed(offset) if promised else None
        return where is None or where.path not in promised

    functions = {
        one.text: Note(
            f"uses {one.text}, so it is built in every run",
            "FF2321",
            compiled.locate_unrevealed(one.offset),
            "config(cache=true) if that does not matter, config(cache=false) if it is wanted",
        )
        for one in reversed(reads.volatile)
        if counts(one.offset)
    }
    relations = {
        one.text: Note(
            f"reads {one.text} without ref() or source(), so it is built in every run",
            "FF2322",
            compiled.locate_unrevealed(one.offset),
            "name the files: config(inputs=['data/*.csv'])"
            if one.files
            else "declare it in sources.yml and read it by source(), or say config(cache=...)",
        )
        for one in reversed(reads.relations)
        if not (one.files and files_declared) and counts(one.offset)
    }
    return (*functions.values(), *relations.values())


def contents(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """The contents of files, by path relative to the project; one that cannot be read counts as empty."""
    found = {}
    for path in paths:
        try:
            found[path] = (root / path).read_bytes()
        except OSError:
            found[path] = b""
    return found


def python_notes(node: Node, files: Mapping[str, bytes], *, files_declared: bool) -> tuple[Note, ...]:
    """One note for each thing that a Python model's code reads besides its inputs.

    Parameters
    ----------
    files:
        What the model's file can reach, by path relative to the project.
    files_declared:
        As for :func:`sql_notes`.
    """
    texts = {path: content.decode(errors="replace") for path, content in files.items()}
    silent = ("files",) if files_declared else ()
    return tuple(
        Note(
            f"{one.text}, so {node.short_name} is built in every run",
            "FF2323",
            one.location,
            "say cache=True or inputs=[...] in @model if that does not matter, cache=False if it is wanted",
        )
        for one in volatile_reasons(texts)
        if one.kind not in silent
    )
