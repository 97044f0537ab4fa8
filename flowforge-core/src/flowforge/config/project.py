"""``project.yml``: the file that makes a folder a project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs

from flowforge.config.check_entries import RawCheck, parse_checks
from flowforge.config.files import inside, read_document
from flowforge.config.flaws import WRONG_VALUE
from flowforge.config.layers import Passage
from flowforge.config.names import is_name
from flowforge.config.parsed import Parsed
from flowforge.config.sql_dialects import is_dialect
from flowforge.config.structure import structure
from flowforge.errors import ConfigFileError, FlowForgeError, Problems, ProjectError
from flowforge.frozen import frozen
from flowforge.values import Location

PROJECT_FILE = "project.yml"


@frozen
class ProjectConfig:
    """What ``project.yml`` says.

    Parameters
    ----------
    version:
        The project's own version, as a text.
    models_dir:
        Relative to the project folder, and inside of it.
    vars:
        Defaults of ``var()``.
    checks:
        The entries of ``tests:``; bound to their types later.
    models, seeds:
        Settings of folders, single models and seeds; read when the settings are known.
    dialect:
        The dialect that SQL models are written in when they name none; ``None``: the engine's own.
    """

    name: str
    version: str
    models_dir: str = "models"
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    checks: tuple[RawCheck, ...] = ()
    models: Passage | None = None
    seeds: Passage | None = None
    dialect: str | None = None


@frozen
class _ProjectFile:
    later_keys: ClassVar[Mapping[str, str]] = dict.fromkeys(("docs", "hooks", "dependencies"), "")

    name: str = attrs.field(validator=is_name)
    version: str = attrs.field(converter=str, metadata={"accepts": str | int | float})
    models_dir: str = "models"
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    dialect: str | None = attrs.field(default=None, validator=is_dialect)
    models: Mapping[str, Any] = attrs.field(factory=dict)
    seeds: Mapping[str, Any] = attrs.field(factory=dict)
    tests: tuple[Any, ...] = attrs.field(default=(), metadata={"aliases": ("checks", "data_tests")})


FILE = _ProjectFile
"""What ``project.yml`` is read into."""


def find_project(start: Path) -> Path:
    """The nearest folder with a ``project.yml``, from *start* upwards.

    Raises
    ------
    ProjectError
        When there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise _no_project(start, f"there is no {PROJECT_FILE} in {start}, nor in a folder above it")


def load_project_config(root: Path, problems: Problems, parsed: Parsed | None = None) -> ProjectConfig | None:
    """Read ``project.yml`` of the folder *root*; flaws go to *problems*, and the answer is then ``None``."""
    if not (root / PROJECT_FILE).exists():
        problems.add(_no_project(root, f"there is no {PROJECT_FILE} in this folder"))
        return None
    before = len(problems)
    try:
        doc = read_document(root, PROJECT_FILE, parsed)
    except FlowForgeError as exc:
        problems.add(exc)
        return None
    raw = structure(doc, _ProjectFile, problems=problems)
    if raw is None:
        return None
    try:
        inside(root, raw.models_dir)
        if not raw.models_dir.strip():
            raise ValueError("is empty")
    except ValueError as exc:
        where = doc.locate(("models_dir",))
        problems.add(ConfigFileError(f"'models_dir' {exc}", code=WRONG_VALUE, location=where, help="name a folder"))
    key = next((name for name in ("tests", "checks", "data_tests") if name in doc.data), "tests")
    checks = parse_checks(raw.tests, doc, (key,), problems=problems)
    if len(problems) > before:
        return None
    models = Passage(doc, ("models",)) if raw.models else None
    seeds = Passage(doc, ("seeds",)) if raw.seeds else None
    return ProjectConfig(raw.name, raw.version, raw.models_dir, raw.vars, checks, models, seeds, raw.dialect)


def _no_project(folder: Path, message: str) -> ProjectError:
    return ProjectError(
        message,
        location=Location(PROJECT_FILE),
        help="go to the project's folder, name it, or make a project with `flowforge init`",
        notes=[f"looked in {folder}"],
    )
