"""Finds and reads the files of ``models/``: what is a model, what describes one, and what must not be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flowforge.config.files import CONTRACT_SUFFIXES as CONTRACTS
from flowforge.config.parsed import Parsed
from flowforge.errors import ModelConfigError, Note, Problems, ProjectError
from flowforge.frozen import frozen
from flowforge.values import Location

_SKIPPED_FOLDERS = {"__pycache__", ".git", ".flowforge", ".venv", "node_modules"}
_PYTHON_MACROS = "macros_py"
_MACRO_SUFFIXES = (".sql", ".sql.j2", ".sql.jinja", ".jinja", ".j2")


@frozen
class ModelFiles:
    """Paths relative to the project, sorted, by what they are."""

    sql: tuple[str, ...]
    python: tuple[str, ...]
    properties: tuple[str, ...]
    contracts: tuple[str, ...]
    macros: tuple[str, ...]
    python_macros: tuple[str, ...]
    notes: tuple[Note, ...]


def walk_files(root: str, folder: str, problems: Problems) -> Iterator[str]:
    """Relative paths of the files below *folder*; what leads out of the project is refused."""
    real_root = os.path.realpath(root)
    todo = [folder]
    while todo:
        current = todo.pop()
        try:
            entries = sorted(os.scandir(os.path.join(root, current)), key=lambda entry: entry.name)
        except OSError as error:
            problems.add(
                ProjectError(f"cannot read this folder: {error.strerror}", code="FF1012", location=Location(current))
            )
            continue
        for entry in entries:
            path = f"{current}/{entry.name}"
            if entry.is_symlink():
                real = os.path.realpath(entry.path)
                if os.path.commonpath([real, real_root]) != real_root:
                    problems.add(
                        ProjectError(
                            "this link leads out of the project",
                            code="FF1021",
                            location=Location(path),
                            help="copy the file into the project",
                        )
                    )
                    continue
                if entry.is_dir():
                    continue  # a linked folder of the project is read where it really is
            if entry.is_dir():
                if entry.name not in _SKIPPED_FOLDERS:
                    todo.append(path)
            elif not entry.name.startswith("."):
                if not entry.is_file() and os.path.exists(entry.path):
                    problems.add(
                        ProjectError(
                            "this is no regular file", code="FF1012", location=Location(path), help="remove it"
                        )
                    )
                    continue
                yield path


def find_model_files(root: Path, models_dir: str, problems: Problems) -> ModelFiles:
    """Sort what lies below *models_dir* into models and properties."""
    sql, python, properties, contracts, macros, python_macros, notes = [], [], [], [], [], [], []
    if not (root / models_dir).is_dir():
        problems.add(
            ProjectError(
                f"the project has no folder {models_dir!r}",
                code="FF1022",
                location=Location("project.yml"),
                help=f"create {models_dir}/ and put the first model into it",
            )
        )
        return ModelFiles((), (), (), (), (), (), ())
    folder = [part for part in models_dir.split("/") if part]
    for path in sorted(walk_files(str(root), models_dir, problems)):
        parts = path.split("/")
        inside = parts[len(folder) : -1]
        if inside[:1] == ["macros"] and path.endswith(_MACRO_SUFFIXES):
            macros.append(path)
        elif inside[:1] == [_PYTHON_MACROS]:
            if path.endswith(".py"):
                python_macros.append(path)
        elif path.endswith(".ff.sql"):
            sql.append(path)
        elif path.endswith(".ff.py"):
            python.append(path)
        elif path.endswith(CONTRACTS):
            contracts.append(path)
        elif path.endswith((".yml", ".yaml")):
            properties.append(path)
        elif path.endswith(".sql"):
            stem = parts[-1].removesuffix(".sql")
            notes.append(
                Note("this file is not a model", "FF1104", Location(path), f"rename it to {stem}.ff.sql to make it one")
            )
    return ModelFiles(
        tuple(sql),
        tuple(python),
        tuple(properties),
        tuple(contracts),
        tuple(macros),
        tuple(python_macros),
        tuple(notes),
    )


def read_text(root: Path, path: str, parsed: Parsed | None = None) -> str:
    """The text of a project file, without a byte order mark and with ``\\n`` as line end.

    Parameters
    ----------
    parsed:
        Reads the file's bytes, if what comes of them is to be kept.

    Raises
    ------
    ProjectError
        When the file cannot be read, or is not UTF-8; then with the line of the first wrong byte.
    """
    try:
        data = (root / path).read_bytes() if parsed is None else parsed.content(path)
    except OSError as error:
        raise ProjectError(
            f"cannot read this file: {error.strerror}", code="FF1012", location=Location(path)
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise ModelConfigError(
            f"this file is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}",
            code="FF1105",
            location=Location(path, line, column),
            help="save it as UTF-8",
        ) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise ModelConfigError("this file holds a NUL byte", code="FF1105", location=Location(path, line))
    return text.replace("\r\n", "\n")
